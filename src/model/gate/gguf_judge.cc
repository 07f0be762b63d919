// Reads a GGUF file's metadata and tensor table for the gate (ggml's docs/gguf.md).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "model/gate/gguf_facts.h"
#include "model/gate/values.h"
#include "model/internal/ggml_types.h"

namespace candor::model::gate {
namespace {

constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kMaxTensorName = 63;  // GGML_MAX_NAME with its NUL
constexpr std::uint64_t kMaxSize = (1ULL << 63U) - 1;

bool is_plain_name(std::string_view text, std::size_t limit) {
  return !text.empty() && text.size() <= limit && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

bool is_graphic_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

// Of a list's items only those are looked at that something follows from.
struct ListNeeds {
  bool texts = false;   // each item's bytes
  bool finite = false;  // each item's value
};

class Judge {
 public:
  Judge(ByteSource& source, const GateLimits& limits, GateReport& report, GateFindings& findings)
      : source_(source),
        limits_(limits),
        report_(report),
        findings_(findings),
        in_(source, limits.max_metadata_bytes) {
    facts_.file_bytes = source.size();
  }

  void run() {
    if (const auto read = read_all(); !read) {
      // Stopped by a finding already told, or by the cursor.
      if (read.error().code() == Code::kInvalidArgument) {
        tell("gguf.truncated", {}, read.error().message());
      } else if (read.error().code() == Code::kResourceExhausted) {
        tell("gguf.limit", {}, read.error().message());
      } else if (read.error().code() != Code::kCancelled) {
        tell("file.unreadable", {}, read.error().message());
      }
      return;
    }
    report_.architecture = gate_text(facts_.architecture, kMaxGateName);
    report_.name = gate_text(facts_.name, kMaxGateName);
    judge_gguf_values(facts_, findings_);
    judge_gguf_tensors(facts_, findings_);
    const std::string family = facts_.architecture + " " + facts_.name;
    for (const auto& [key, text] : templates_) {
      judge_template(text, key, family, limits_, findings_);
    }
    if (limits_.values && !findings_.refuses()) read_values();
  }

 private:
  void tell(std::string_view id, std::string_view name = {}, std::string_view detail = {}) {
    findings_.add(id, {.offset = in_.position(), .name = std::string(name)}, detail);
  }
  // A finding after which the rest cannot be read.
  [[nodiscard]] std::unexpected<Error> stop(std::string_view id, std::string_view name = {},
                                            std::string_view detail = {}) {
    tell(id, name, detail);
    return fail(Code::kCancelled, "told");
  }

  void read_values() {
    ValuesReader values(source_, findings_);
    for (const GgufTensor& tensor : facts_.tensors) {
      values.read(tensor.name, facts_.data_begin + tensor.offset, tensor.bytes,
                  internal::layout_of_ggml(tensor.type));
    }
  }

  Result<void> read_all() {
    std::array<std::byte, 4> magic{};
    TRY(in_.take(magic));
    if (as_text(magic) != "GGUF") return stop("gguf.magic");
    const auto version = TRY(in_.number<std::uint32_t>());
    if (version != 0 && (version & 0xFFFFU) == 0) return stop("gguf.big-endian");
    if (version != 2 && version != 3) {
      return stop("gguf.version", {}, fmt::format("version {}", version));
    }
    const auto tensors = TRY(in_.number<std::uint64_t>());
    const auto pairs = TRY(in_.number<std::uint64_t>());
    const std::string counts = fmt::format("{} keys, {} tensors", pairs, tensors);
    if (!in_.check_count(pairs, 13) || !in_.check_count(tensors, 24)) {
      return stop("gguf.count", {}, counts);
    }
    if (pairs > limits_.max_pairs || tensors > limits_.max_tensors) {
      return stop("gguf.limit", {}, counts);
    }
    for (std::uint64_t i = 0; i < pairs; ++i) TRY(read_pair());
    if (const GgufFact* alignment = facts_.find("general.alignment")) {
      const bool good = alignment->type == GgufValue::kU32 && alignment->whole >= 8 &&
                        alignment->whole <= 65'536 &&
                        std::has_single_bit(static_cast<std::uint64_t>(alignment->whole));
      if (good) {
        facts_.alignment = static_cast<std::uint64_t>(alignment->whole);
      } else {
        findings_.add("gguf.alignment", {.offset = alignment->offset, .name = "general.alignment"},
                      fmt::format("{}", alignment->whole));
      }
    }
    names_.reserve(static_cast<std::size_t>(tensors));  // within the limits and the file by now
    for (std::uint64_t i = 0; i < tensors; ++i) TRY(read_tensor());
    facts_.data_begin =
        (in_.position() + facts_.alignment - 1) / facts_.alignment * facts_.alignment;
    return {};
  }

  Result<void> read_pair() {
    bool whole = false;
    const std::uint64_t at = in_.position();
    const std::string key = TRY(in_.text(limits_.max_key_bytes, &whole));
    const std::string shown = gate_text(key, kMaxGateName);
    if (!whole || key.empty() || !is_graphic_ascii(key)) {
      findings_.add("gguf.key", {.offset = at, .name = shown});
    } else if (!is_plain_name(key, limits_.max_key_bytes)) {
      findings_.add("gguf.key-style", {.offset = at, .name = shown});
    }
    const auto type = TRY(in_.number<std::uint32_t>());
    GgufFact fact;
    fact.offset = in_.position();
    fact.type = static_cast<GgufValue>(type);
    if (fact.type == GgufValue::kString) {
      TRY(read_string(key, shown));
    } else if (fact.type == GgufValue::kArray) {
      TRY(read_list(key, shown, fact, 0));
    } else {
      if (gguf_fixed_size(type) == 0) {
        return stop("gguf.value-type", shown, fmt::format("type {}", type));
      }
      TRY(read_number(shown, fact));
    }
    if (!facts_.values.emplace(key, fact).second) {
      findings_.add("gguf.duplicate-key", {.offset = at, .name = shown});
    }
    return {};
  }

  Result<void> read_number(const std::string& shown, GgufFact& fact) {
    std::array<std::byte, 8> raw{};
    const std::size_t size = gguf_fixed_size(static_cast<std::uint32_t>(fact.type));
    TRY(in_.take(std::span(raw).first(size)));
    set_number(fact, fact.type, raw);
    if (fact.type == GgufValue::kBool && fact.whole > 1) tell("gguf.bool", shown);
    return {};
  }

  static void set_number(GgufFact& fact, GgufValue type, const std::array<std::byte, 8>& raw) {
    const auto bits = std::bit_cast<std::uint64_t>(raw);
    switch (type) {
      case GgufValue::kU8:
      case GgufValue::kU16:
      case GgufValue::kU32:
      case GgufValue::kBool: fact.whole = static_cast<std::int64_t>(bits); break;
      case GgufValue::kU64:
        fact.whole = static_cast<std::int64_t>(std::min<std::uint64_t>(bits, INT64_MAX));
        break;
      case GgufValue::kI8: fact.whole = static_cast<std::int8_t>(bits); break;
      case GgufValue::kI16: fact.whole = static_cast<std::int16_t>(bits); break;
      case GgufValue::kI32: fact.whole = static_cast<std::int32_t>(bits); break;
      case GgufValue::kI64: fact.whole = static_cast<std::int64_t>(bits); break;
      case GgufValue::kF32:
        fact.real = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
        break;
      case GgufValue::kF64: fact.real = std::bit_cast<double>(bits); break;
      case GgufValue::kString:
      case GgufValue::kArray: break;
    }
  }

  Result<void> read_string(const std::string& key, const std::string& shown) {
    const bool is_template =
        key == "tokenizer.chat_template" || key.starts_with("tokenizer.chat_template.");
    bool whole = false;
    const std::uint64_t at = in_.position();
    std::string value =
        TRY(in_.text(is_template ? limits_.max_template_bytes : limits_.max_string_bytes, &whole));
    if (!whole) {
      if (is_template) {
        findings_.add("template.length", {.offset = at, .name = shown});
        return {};
      }
      return stop("gguf.limit", shown, "a text");
    }
    if (!is_utf8(value) || value.find('\0') != std::string::npos) {
      // A tokenizer's compiled tables are bytes in a text's clothes.
      if (!key.ends_with("precompiled_charsmap"))
        findings_.add("gguf.string", {.offset = at, .name = shown});
      return {};
    }
    if (is_template) {
      if (templates_.size() < 16) templates_.emplace_back(key, std::move(value));
      return {};
    }
    if (key.starts_with("general.") && strip_controls(value) != value) {
      findings_.add("gguf.string-controls", {.offset = at, .name = shown}, value);
    }
    keep_text(key, value);
    return {};
  }

  void keep_text(const std::string& key, const std::string& value) {
    const auto keep = [&value](std::string& out) { out = gate_text(value, kMaxGateName); };
    if (key == "general.architecture") {
      if (is_plain_name(value, 64)) {
        facts_.architecture = value;
      } else {
        tell("gguf.architecture", key, value);
      }
    } else if (key == "general.name") {
      facts_.name = value.substr(0, 4 * kMaxGateName);
    } else if (key == "general.type") {
      facts_.type = value.substr(0, 32);
    } else if (key == "general.license") {
      keep(report_.licence);
    } else if (key == "general.license.name") {
      keep(report_.licence_name);
    } else if (key == "general.license.link") {
      keep(report_.licence_link);
    }
  }

  Result<void> read_list(const std::string& key, const std::string& shown, GgufFact& fact,
                         int depth) {
    const auto type = TRY(in_.number<std::uint32_t>());
    const auto count = TRY(in_.number<std::uint64_t>());
    if (depth == 0) {
      fact.items = static_cast<GgufValue>(type);
      fact.count = count;
    }
    const auto items = static_cast<GgufValue>(type);
    if (items == GgufValue::kArray) {
      if (depth == 0) tell("gguf.nested-list", shown);
      if (depth >= 3) return stop("gguf.nested-list", shown, "too deep to follow");
      if (!in_.check_count(count, 12)) return stop("gguf.count", shown, list_of(count));
      for (std::uint64_t i = 0; i < count; ++i) TRY(read_list(key, shown, fact, depth + 1));
      return {};
    }
    const std::size_t size = items == GgufValue::kString ? 8 : gguf_fixed_size(type);
    if (size == 0) return stop("gguf.value-type", shown, fmt::format("a list of type {}", type));
    if (!in_.check_count(count, size)) return stop("gguf.count", shown, list_of(count));
    if (items == GgufValue::kString) return read_texts(key, shown, count);
    if (items == GgufValue::kF32 || items == GgufValue::kF64) {
      return read_reals(shown, items, count, size);
    }
    if (depth == 0 && count <= 4'096 && key.find(".attention.head_count") != std::string::npos) {
      return read_counts(shown, items, count, size);
    }
    return in_.skip(count * size);
  }

  static std::string list_of(std::uint64_t count) { return fmt::format("a list of {}", count); }

  Result<void> read_texts(const std::string& key, const std::string& shown, std::uint64_t count) {
    const bool languages = key == "general.languages";
    const bool prose = key.starts_with("general.");  // tokens may be any bytes
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!prose) {
        const auto length = TRY(in_.number<std::uint64_t>());
        if (!in_.check_count(length, 1)) {
          return stop("gguf.truncated", shown, fmt::format("item {}", i));
        }
        if (length > limits_.max_string_bytes) return stop("gguf.limit", shown, "a text");
        TRY(in_.skip(length));
        continue;
      }
      bool whole = false;
      const std::string value = TRY(in_.text(limits_.max_string_bytes, &whole));
      if (!whole) return stop("gguf.limit", shown, "a text");
      if (!is_utf8(value) || value.find('\0') != std::string::npos) {
        tell("gguf.string", shown, fmt::format("item {}", i));
      } else if (languages && report_.languages.size() < kMaxGateLanguages) {
        std::string language = gate_text(value, 32);
        if (!language.empty()) report_.languages.push_back(std::move(language));
      }
    }
    return {};
  }

  Result<void> read_reals(const std::string& shown, GgufValue items, std::uint64_t count,
                          std::size_t size) {
    bool told = false;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::array<std::byte, 8> raw{};
      TRY(in_.take(std::span(raw).first(size)));
      GgufFact item;
      set_number(item, items, raw);
      if (!told && !std::isfinite(item.real)) {
        tell("gguf.not-finite-list", shown, fmt::format("item {}", i));
        told = true;
      }
    }
    return {};
  }

  Result<void> read_counts(const std::string& shown, GgufValue items, std::uint64_t count,
                           std::size_t size) {
    for (std::uint64_t i = 0; i < count; ++i) {
      std::array<std::byte, 8> raw{};
      TRY(in_.take(std::span(raw).first(size)));
      GgufFact item;
      set_number(item, items, raw);
      if (item.whole < 0) tell("gguf.negative", shown, fmt::format("item {}: {}", i, item.whole));
      if (item.whole > 65'536) tell("gguf.range", shown, fmt::format("item {}: {}", i, item.whole));
    }
    return {};
  }

  Result<void> read_tensor() {
    GgufTensor tensor;
    tensor.at = in_.position();
    bool whole = false;
    tensor.name = TRY(in_.text(kMaxTensorName, &whole));
    const std::string shown = gate_text(tensor.name, kMaxGateName);
    const auto about = [&](std::string_view id, std::string_view detail = {}) {
      findings_.add(id, {.offset = tensor.at, .name = shown}, detail);
    };
    if (!whole || !is_graphic_ascii(tensor.name) || tensor.name.empty()) about("gguf.tensor-name");
    if (!names_.insert(tensor.name).second) about("gguf.duplicate-tensor");
    tensor.dimensions = TRY(in_.number<std::uint32_t>());
    if (tensor.dimensions == 0) about("gguf.dimension", "no dimensions");
    if (tensor.dimensions > kMaxDimensions) {
      about("gguf.dimension", fmt::format("{} dimensions", tensor.dimensions));
      return fail(Code::kCancelled, "told");
    }
    bool bad = false;
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < tensor.dimensions; ++i) {
      tensor.sizes[i] = TRY(in_.number<std::uint64_t>());
      if (tensor.sizes[i] == 0 || tensor.sizes[i] > kMaxSize) {
        about("gguf.dimension",
              fmt::format("dimension {} is {}", i, static_cast<std::int64_t>(tensor.sizes[i])));
        bad = true;
      } else if (__builtin_mul_overflow(elements, tensor.sizes[i], &elements) ||
                 elements > kMaxSize) {
        elements = 0;
      }
    }
    const auto type = TRY(in_.number<std::uint32_t>());
    tensor.offset = TRY(in_.number<std::uint64_t>());
    tensor.type = type;
    const internal::TypeSize size = internal::type_size(type);
    if (size.values == 0) {
      about("gguf.tensor-type", fmt::format("type {}", type));
      bad = true;
    }
    if (!bad && elements == 0) {
      about("gguf.size-overflow", "its elements");
      bad = true;
    }
    if (bad) return {};
    if (tensor.sizes[0] % size.values != 0) {
      about("gguf.tensor-row",
            fmt::format("{} values in blocks of {}", tensor.sizes[0], size.values));
      return {};
    }
    if (__builtin_mul_overflow(elements / size.values, std::uint64_t{size.bytes}, &tensor.bytes)) {
      about("gguf.size-overflow", "its bytes");
      return {};
    }
    facts_.tensors.push_back(std::move(tensor));
    return {};
  }

  ByteSource& source_;
  const GateLimits& limits_;
  GateReport& report_;
  GateFindings& findings_;
  GgufCursor in_;
  GgufFacts facts_;
  std::unordered_set<std::string> names_;
  std::vector<std::pair<std::string, std::string>> templates_;  // at most 16
};

}  // namespace

bool GgufFact::is_whole() const noexcept {
  return type != GgufValue::kF32 && type != GgufValue::kF64 && type != GgufValue::kString &&
         type != GgufValue::kArray && type != GgufValue::kBool;
}
bool GgufFact::is_real() const noexcept {
  return type == GgufValue::kF32 || type == GgufValue::kF64;
}
const GgufFact* GgufFacts::find(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() ? nullptr : &found->second;
}
const GgufFact* GgufFacts::of_architecture(std::string_view rest) const {
  return find(architecture + std::string(rest));
}

void judge_gguf(ByteSource& source, const GateLimits& limits, GateReport& report,
                GateFindings& findings) {
  report.format = "gguf";
  // The cursor's window is larger than a stack should carry.
  std::make_unique<Judge>(source, limits, report, findings)->run();
}

}  // namespace candor::model::gate
