// Reads a pickle's opcodes (CPython's Lib/pickletools.py, protocols 0 to 5) without running any: a
// stack machine over what is a text and what is not, so that names made on the stack are seen too.
// Allowed are the names that loading tensors needs (PyTorch's own list for weights_only) and no
// other.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "model/gate/byte_window.h"
#include "model/gate/judges.h"

namespace candor::model::gate {
namespace {

constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxStack = 1U << 20U;
constexpr std::size_t kMaxMemo = 1U << 20U;

constexpr auto kAllowed = std::to_array<std::string_view>({
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.dict",
    "__builtin__.float",
    "__builtin__.frozenset",
    "__builtin__.int",
    "__builtin__.list",
    "__builtin__.set",
    "__builtin__.slice",
    "__builtin__.tuple",
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.set",
    "builtins.slice",
    "builtins.tuple",
    "collections.Counter",
    "collections.OrderedDict",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.ComplexDoubleStorage",
    "torch.ComplexFloatStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch.Tensor",
    "torch._tensor._rebuild_from_type_v2",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.nn.parameter.Parameter",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch.uint8",
});
static_assert(std::ranges::is_sorted(kAllowed));

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() < kMaxName &&
         std::ranges::all_of(
             text,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.';
             });
}

// What stands on the stack: a mark, a text (shared, since memo and stack repeat it), or anything.
struct Item {
  bool mark = false;
  std::shared_ptr<const std::string> text;
};

class Reader {
 public:
  Reader(ByteSource& source, std::uint64_t begin, std::uint64_t end, std::string_view name,
         const GateLimits& limits, GateFindings& findings)
      : in_(source, begin, std::min(end, begin + std::min(limits.max_pickle_bytes, end - begin))),
        cut_(end - begin > limits.max_pickle_bytes),
        name_(name),
        findings_(findings) {}

  std::uint64_t run() {
    while (true) {
      begin_ = in_.position();
      const auto done = step();
      if (done) {
        if (*done) return in_.position();
        continue;
      }
      if (done.error().code() == Code::kInvalidArgument) {
        tell(cut_ && in_.left() == 0 ? "pickle.limit" : "pickle.malformed", done.error().message());
      } else if (done.error().code() == Code::kResourceExhausted) {
        tell("pickle.limit", done.error().message());
      } else if (done.error().code() != Code::kCancelled) {
        tell("file.unreadable", done.error().message());
      }
      return 0;
    }
  }

 private:
  void tell(std::string_view id, std::string_view detail = {}) {
    findings_.add(id, {.offset = begin_, .name = std::string(name_)}, detail);
  }
  static std::unexpected<Error> malformed(std::string_view what) {
    return fail(Code::kInvalidArgument, std::string(what));
  }

  Result<void> push(Item item = {}) {
    if (stack_.size() >= kMaxStack) return fail(Code::kResourceExhausted, "its stack");
    stack_.push_back(std::move(item));
    return {};
  }
  Result<void> push_text(Result<std::string> text) {
    if (!text) return std::unexpected(text.error());
    return push({.mark = false, .text = std::make_shared<const std::string>(*std::move(text))});
  }
  Result<Item> pop() {
    if (stack_.empty() || stack_.back().mark) return malformed("it takes from an empty stack");
    Item out = std::move(stack_.back());
    stack_.pop_back();
    return out;
  }
  Result<void> pop(int count) {
    for (int i = 0; i < count; ++i) (void)TRY(pop());
    return {};
  }
  Result<void> pop_mark(std::size_t least = 0) {
    std::size_t count = 0;
    while (!stack_.empty() && !stack_.back().mark) {
      stack_.pop_back();
      ++count;
    }
    if (stack_.empty()) return malformed("it takes back to a mark that is not there");
    stack_.pop_back();
    if (count < least) return malformed("too little stands behind its mark");
    return {};
  }
  Result<void> top() {
    if (stack_.empty() || stack_.back().mark) return malformed("it adds to nothing");
    return {};
  }

  void name(std::string_view module, std::string_view attribute) {
    const std::string whole = std::string(module) + "." + std::string(attribute);
    if (!is_plain_name(module) || !is_plain_name(attribute) ||
        attribute.find('.') != std::string_view::npos) {
      return tell("pickle.unsafe-name", whole);
    }
    if (!std::ranges::binary_search(kAllowed, std::string_view(whole)))
      tell("pickle.global", whole);
  }

  Result<void> put(Result<std::uint64_t> number) {
    const std::uint64_t key = TRY(std::move(number));
    TRY(top());
    if (memo_.size() >= kMaxMemo && !memo_.contains(key)) {
      return fail(Code::kResourceExhausted, "its memory of earlier values");
    }
    memo_[key] = stack_.back();
    return {};
  }
  Result<void> get(Result<std::uint64_t> number) {
    const std::uint64_t key = TRY(std::move(number));
    const auto found = memo_.find(key);
    if (found == memo_.end()) return malformed("it recalls what it never put aside");
    return push(found->second);
  }
  static Result<std::uint64_t> decimal(Result<std::string> line) {
    const std::string text = TRY(std::move(line));
    std::uint64_t out = 0;
    if (text.empty() || text.size() > 18) return malformed("a number that is none");
    for (const char c : text) {
      if (c < '0' || c > '9') return malformed("a number that is none");
      out = out * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return out;
  }
  Result<void> sized_text(std::size_t bytes) {
    const std::uint64_t length = TRY(in_.number(bytes));
    return push_text(in_.text(length, kMaxName));
  }
  // Bytes are no names, in any protocol that has them as such.
  Result<void> sized_bytes(std::size_t bytes) {
    const std::uint64_t length = TRY(in_.number(bytes));
    TRY(in_.skip(length));
    return push();
  }

  // True: STOP.
  Result<bool> step() {
    const auto opcode = static_cast<char>(TRY(in_.number(1)));
    const auto code = static_cast<unsigned char>(opcode);
    if (code >= 0x80) {
      TRY(step_two(code));
      return false;
    }
    switch (opcode) {
      case '.': TRY(pop()); return true;
      case '(': TRY(push({.mark = true, .text = nullptr})); return false;
      case '0':
        if (stack_.empty()) return malformed("it takes from an empty stack");
        stack_.pop_back();
        return false;
      case '1': TRY(pop_mark()); return false;
      case '2':
        TRY(top());
        TRY(push(Item(stack_.back())));
        return false;
      case 'F':
      case 'I':
      case 'L':
        (void)TRY(in_.line(kMaxName));
        TRY(push());
        return false;
      case 'J':
        TRY(in_.skip(4));
        TRY(push());
        return false;
      case 'K':
        TRY(in_.skip(1));
        TRY(push());
        return false;
      case 'M':
        TRY(in_.skip(2));
        TRY(push());
        return false;
      case 'G':
        TRY(in_.skip(8));
        TRY(push());
        return false;
      case 'N':
      case ']':
      case '}':
      case ')': TRY(push()); return false;
      case 'P':
        (void)TRY(in_.line(kMaxName));
        TRY(push());
        return false;
      case 'Q':
        TRY(pop(1));
        TRY(push());
        return false;
      case 'R':
        TRY(pop(2));
        TRY(push());
        return false;
      case 'b':
        TRY(pop(1));
        TRY(top());
        return false;
      case 'S': {
        std::string line = TRY(in_.line(kMaxName));
        const bool quoted = line.size() >= 2 && (line.front() == '\'' || line.front() == '"') &&
                            line.back() == line.front();
        if (!quoted) return malformed("a text without its quotes");
        TRY(push_text(line.substr(1, line.size() - 2)));
        return false;
      }
      case 'V': TRY(push_text(in_.line(kMaxName))); return false;
      case 'T': TRY(sized_text(4)); return false;
      case 'U': TRY(sized_text(1)); return false;
      case 'X': TRY(sized_text(4)); return false;
      case 'B': TRY(sized_bytes(4)); return false;
      case 'C': TRY(sized_bytes(1)); return false;
      case 'c': {
        const std::string module = TRY(in_.line(kMaxName));
        const std::string attribute = TRY(in_.line(kMaxName));
        name(module, attribute);
        TRY(push());
        return false;
      }
      case 'i': {
        const std::string module = TRY(in_.line(kMaxName));
        const std::string attribute = TRY(in_.line(kMaxName));
        name(module, attribute);
        TRY(pop_mark());
        TRY(push());
        return false;
      }
      case 'o':
        TRY(pop_mark(1));
        TRY(push());
        return false;
      case 'd':
      case 'l':
      case 't':
        TRY(pop_mark());
        TRY(push());
        return false;
      case 'a':
        TRY(pop(1));
        TRY(top());
        return false;
      case 'e':
      case 'u':
        TRY(pop_mark());
        TRY(top());
        return false;
      case 's':
        TRY(pop(2));
        TRY(top());
        return false;
      case 'g': TRY(get(decimal(in_.line(32)))); return false;
      case 'h': TRY(get(in_.number(1))); return false;
      case 'j': TRY(get(in_.number(4))); return false;
      case 'p': TRY(put(decimal(in_.line(32)))); return false;
      case 'q': TRY(put(in_.number(1))); return false;
      case 'r': TRY(put(in_.number(4))); return false;
      default: return unknown(code);
    }
  }

  std::unexpected<Error> unknown(unsigned code) {
    tell("pickle.opcode", fmt::format("0x{:02x}", code));
    return fail(Code::kCancelled, "told");
  }

  // Protocols 2 and later.
  Result<void> step_two(unsigned code) {
    switch (code) {
      case 0x80: {  // PROTO
        const std::uint64_t version = TRY(in_.number(1));
        if (version > 5) return malformed(fmt::format("protocol {}", version));
        return {};
      }
      case 0x81: TRY(pop(2)); return push();  // NEWOBJ
      case 0x82:
      case 0x83:
      case 0x84:  // EXT1, EXT2, EXT4
        TRY(in_.skip(code == 0x82 ? 1 : code == 0x83 ? 2 : 4));
        tell("pickle.extension");
        return push();
      case 0x85: TRY(pop(1)); return push();  // TUPLE1 to 3
      case 0x86: TRY(pop(2)); return push();
      case 0x87: TRY(pop(3)); return push();
      case 0x88:
      case 0x89: return push();                   // NEWTRUE, NEWFALSE
      case 0x8A: return sized_bytes(1);           // LONG1
      case 0x8B: return sized_bytes(4);           // LONG4
      case 0x8C: return sized_text(1);            // SHORT_BINUNICODE
      case 0x8D: return sized_text(8);            // BINUNICODE8
      case 0x8E: return sized_bytes(8);           // BINBYTES8
      case 0x8F: return push();                   // EMPTY_SET
      case 0x90: TRY(pop_mark()); return top();   // ADDITEMS
      case 0x91: TRY(pop_mark()); return push();  // FROZENSET
      case 0x92: TRY(pop(3)); return push();      // NEWOBJ_EX
      case 0x93: {                                // STACK_GLOBAL
        const Item attribute = TRY(pop());
        const Item module = TRY(pop());
        if (attribute.text && module.text) {
          name(*module.text, *attribute.text);
        } else {
          tell("pickle.unsafe-name", "a name that is computed");
        }
        return push();
      }
      case 0x94: return put(memo_.size());  // MEMOIZE
      case 0x95: {                          // FRAME
        const std::uint64_t length = TRY(in_.number(8));
        if (length > in_.left()) return malformed("a frame points past the end");
        return {};
      }
      case 0x96: return sized_bytes(8);  // BYTEARRAY8
      default: return unknown(code);     // buffers out of band among them
    }
  }

  ByteWindow in_;
  bool cut_;
  std::string_view name_;
  GateFindings& findings_;
  std::uint64_t begin_ = 0;
  std::vector<Item> stack_;
  std::map<std::uint64_t, Item> memo_;
};

// What torch.save wrote before its archives: this number as a pickle of its own.
constexpr std::string_view kTorchMagic{
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15};

}  // namespace

std::uint64_t judge_pickle(ByteSource& source, std::uint64_t begin, std::uint64_t end,
                           std::string_view name, const GateLimits& limits,
                           GateFindings& findings) {
  return Reader(source, begin, end, name, limits, findings).run();
}

void judge_pickle_file(ByteSource& source, const GateLimits& limits, GateReport& report,
                       GateFindings& findings) {
  report.format = "pickle";
  findings.add("pickle.present", {});
  ByteWindow head(source, 0, source.size());
  const auto magic =
      head.text(std::min<std::uint64_t>(kTorchMagic.size(), source.size()), kTorchMagic.size());
  const bool torch = magic && *magic == kTorchMagic;
  // Magic, protocol, system, the model, the names of its storages; then their bytes.
  std::uint64_t at = 0;
  for (int i = 0; i < (torch ? 5 : 1); ++i) {
    at = judge_pickle(source, at, source.size(), "", limits, findings);
    if (at == 0) return;
  }
  if (!torch && at < source.size()) {
    findings.add("pickle.trailing", {.offset = at}, fmt::format("{} bytes", source.size() - at));
  }
}

}  // namespace candor::model::gate
