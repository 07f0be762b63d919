#include "model/gguf_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "model/gguf_cursor.h"
#include "model/internal/ggml_types.h"

namespace candor::model {
namespace {

// Largest whole number that a hashed document holds (S7).
constexpr std::uint64_t kMaxNumber = (1ULL << 53U) - 1;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::size_t kMaxArchitecture = 64;
constexpr std::size_t kMaxTypes = 64;

std::string clean_name(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_sequence(text.substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool control = byte < 0x20 || byte == 0x7F;
    if (length == 0 || control) {
      ++at;
      continue;
    }
    if (out.size() + length > limit) break;
    out.append(text.substr(at, length));
    at += length;
  }
  // C1 and bidirectional controls become U+FFFD, which cannot lengthen past 3 bytes for 2.
  std::string safe = strip_controls(out);
  while (safe.size() > limit) safe.pop_back();
  while (!is_utf8(safe)) safe.pop_back();
  return safe;
}

bool is_architecture(std::string_view text) {
  return !text.empty() && text.size() <= kMaxArchitecture && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

class MetadataReader {
 public:
  MetadataReader(ByteSource& source, const GgufLimits& limits)
      : limits_(limits), in_(source, limits.max_metadata_bytes) {}

  Result<GgufSummary> read() {
    std::array<std::byte, 4> magic{};
    TRY(in_.take(magic));
    if (as_text(magic) != "GGUF") {
      return fail(Code::kInvalidArgument, "not a GGUF file: it does not start with \"GGUF\"");
    }
    out_.version = TRY(in_.number<std::uint32_t>());
    if (out_.version != 0 && (out_.version & 0xFFFFU) == 0) {
      return fail(Code::kFailedPrecondition, "GGUF: big-endian files are not served here");
    }
    if (out_.version != 2 && out_.version != 3) {
      return fail(
          Code::kFailedPrecondition,
          fmt::format("GGUF: version {} is not 2 or 3; convert the file again", out_.version));
    }
    out_.tensors = TRY(in_.number<std::uint64_t>());
    const auto pairs = TRY(in_.number<std::uint64_t>());
    if (pairs > limits_.max_pairs || out_.tensors > limits_.max_tensors) {
      return fail(Code::kResourceExhausted,
                  fmt::format("GGUF: {} pairs and {} tensors; at most {} and {}", pairs,
                              out_.tensors, limits_.max_pairs, limits_.max_tensors));
    }
    TRY(in_.check_count(pairs, 13));         // key length, type and one byte
    TRY(in_.check_count(out_.tensors, 24));  // name length, dimensions, type, offset
    for (std::uint64_t i = 0; i < pairs; ++i) TRY(read_pair());
    for (std::uint64_t i = 0; i < out_.tensors; ++i) TRY(read_tensor());
    return finish();
  }

 private:
  Result<void> read_pair() {
    bool whole = false;
    const std::string key = TRY(in_.text(limits_.max_key_bytes, &whole));
    if (!whole || key.empty()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("GGUF: a key before byte {} is empty or longer than {} bytes",
                              in_.position(), limits_.max_key_bytes));
    }
    const auto type = TRY(in_.number<std::uint32_t>());
    if (type == static_cast<std::uint32_t>(GgufValue::kString)) return read_string(key);
    if (type == static_cast<std::uint32_t>(GgufValue::kArray)) return read_array(key, 0);
    const std::size_t size = gguf_fixed_size(type);
    if (size == 0) return bad_type(type);
    std::array<std::byte, 8> raw{};
    TRY(in_.take(std::span(raw).first(size)));
    return keep_number(key, static_cast<GgufValue>(type), raw);
  }

  Result<void> read_string(const std::string& key) {
    if (key == "tokenizer.chat_template") {
      bool whole = false;
      std::string value = TRY(in_.text(limits_.max_template_bytes, &whole));
      if (!whole) {
        return fail(Code::kResourceExhausted,
                    fmt::format("GGUF: the chat template is longer than {} bytes",
                                limits_.max_template_bytes));
      }
      if (!is_utf8(value)) {
        return fail(Code::kInvalidArgument, "GGUF: the chat template is not UTF-8");
      }
      TRY(once(out_.chat_template.has_value(), key));
      out_.chat_template_digest = crypto::sha256(as_bytes(value));
      out_.chat_template = std::move(value);
      return {};
    }
    const std::string value = TRY(in_.text(4 * limits_.max_name_bytes));
    if (key == "general.architecture") {
      TRY(once(!out_.architecture.empty(), key));
      if (!is_architecture(value)) {
        return fail(Code::kInvalidArgument, "GGUF: general.architecture is not a plain name");
      }
      out_.architecture = value;
    } else if (key == "general.name") {
      out_.name = clean_name(value, limits_.max_name_bytes);
    } else if (key == "general.license") {
      out_.licence = clean_name(value, limits_.max_name_bytes);
    } else if (key == "tokenizer.ggml.model") {
      out_.tokenizer_model = clean_name(value, limits_.max_name_bytes);
    }
    return {};
  }

  Result<void> read_array(const std::string& key, int depth) {
    if (depth >= limits_.max_array_depth) {
      return fail(Code::kInvalidArgument, "GGUF: arrays nested too deep");
    }
    const auto type = TRY(in_.number<std::uint32_t>());
    const auto count = TRY(in_.number<std::uint64_t>());
    if (depth == 0 && key == "tokenizer.ggml.tokens") {
      if (count > kMaxNumber) return fail(Code::kInvalidArgument, "GGUF: absurd vocabulary");
      out_.vocabulary = count;
    }
    if (type == static_cast<std::uint32_t>(GgufValue::kString)) {
      TRY(in_.check_count(count, 8));
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto length = TRY(in_.number<std::uint64_t>());
        TRY(in_.skip(length));
      }
      return {};
    }
    if (type == static_cast<std::uint32_t>(GgufValue::kArray)) {
      TRY(in_.check_count(count, 12));
      for (std::uint64_t i = 0; i < count; ++i) TRY(read_array(key, depth + 1));
      return {};
    }
    const std::size_t size = gguf_fixed_size(type);
    if (size == 0) return bad_type(type);
    TRY(in_.check_count(count, size));
    if (depth == 0 && count <= 4'096 && key.ends_with(".attention.head_count")) {
      return largest(key, static_cast<GgufValue>(type), count, size);
    }
    if (depth == 0 && count <= 4'096 && key.ends_with(".attention.head_count_kv")) {
      return largest(key, static_cast<GgufValue>(type), count, size);
    }
    return in_.skip(count * size);
  }

  Result<void> largest(const std::string& key, GgufValue type, std::uint64_t count,
                       std::size_t size) {
    std::uint64_t most = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::array<std::byte, 8> raw{};
      TRY(in_.take(std::span(raw).first(size)));
      if (const auto value = whole_number(type, raw)) most = std::max(most, *value);
    }
    numbers_[key] = most;
    return {};
  }

  static std::optional<std::uint64_t> whole_number(GgufValue type,
                                                   const std::array<std::byte, 8>& raw) {
    const auto bits = std::bit_cast<std::uint64_t>(raw);
    switch (type) {
      case GgufValue::kU8:
      case GgufValue::kU16:
      case GgufValue::kU32:
      case GgufValue::kU64:
      case GgufValue::kBool: return bits;
      case GgufValue::kI8: return (bits & 0x80U) != 0 ? std::nullopt : std::optional(bits);
      case GgufValue::kI16: return (bits & 0x8000U) != 0 ? std::nullopt : std::optional(bits);
      case GgufValue::kI32: return (bits >> 31U) != 0 ? std::nullopt : std::optional(bits);
      case GgufValue::kI64: return (bits >> 63U) != 0 ? std::nullopt : std::optional(bits);
      case GgufValue::kF32:
      case GgufValue::kF64:
      case GgufValue::kString:
      case GgufValue::kArray: return std::nullopt;
    }
    return std::nullopt;
  }

  Result<void> keep_number(const std::string& key, GgufValue type,
                           const std::array<std::byte, 8>& raw) {
    const auto value = whole_number(type, raw);
    if (!value) return {};
    static constexpr std::string_view kWanted[] = {
        "general.file_type", "tokenizer.ggml.add_bos_token", "split.count", "general.alignment"};
    static constexpr std::string_view kWantedEnds[] = {
        ".context_length",          ".block_count",
        ".embedding_length",        ".attention.head_count",
        ".attention.head_count_kv", ".attention.key_length",
        ".attention.value_length"};
    const bool wanted =
        std::ranges::find(kWanted, key) != std::end(kWanted) ||
        std::ranges::any_of(kWantedEnds, [&](std::string_view end) { return key.ends_with(end); });
    if (!wanted) return {};
    if (*value > kMaxNumber) {
      return fail(Code::kInvalidArgument, "GGUF: a number is larger than 2^53-1");
    }
    numbers_[key] = *value;
    return {};
  }

  Result<void> read_tensor() {
    (void)TRY(in_.text(0));
    const auto dimensions = TRY(in_.number<std::uint32_t>());
    if (dimensions > kMaxDimensions) {
      return fail(Code::kInvalidArgument, fmt::format("GGUF: a tensor of {} dimensions; at most {}",
                                                      dimensions, kMaxDimensions));
    }
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const auto size = TRY(in_.number<std::uint64_t>());
      elements = multiply(elements, size);
    }
    const auto type = TRY(in_.number<std::uint32_t>());
    TRY(in_.skip(8));  // its place in the file: the engine's business
    out_.parameters = std::min(out_.parameters + elements, kMaxNumber);
    if (types_.size() >= kMaxTypes && !types_.contains(type)) {
      return fail(Code::kInvalidArgument, "GGUF: too many different tensor types");
    }
    TensorTypeUse& use = types_[type];
    use.type = type;
    ++use.tensors;
    use.elements = std::min(use.elements + elements, kMaxNumber);
    return {};
  }

  static std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    std::uint64_t out = 0;
    if (__builtin_mul_overflow(a, b, &out)) return kMaxNumber;
    return std::min(out, kMaxNumber);
  }

  Result<GgufSummary> finish() {
    if (out_.architecture.empty()) {
      return fail(Code::kInvalidArgument, "GGUF: general.architecture is missing");
    }
    if (number("split.count") > 1) {
      return fail(Code::kFailedPrecondition,
                  "GGUF: one part of a split model; join the parts into one file first "
                  "(llama-gguf-split --merge FIRST-PART OUT)");
    }
    out_.context_length = of_architecture(".context_length");
    out_.block_count = of_architecture(".block_count");
    out_.embedding_length = of_architecture(".embedding_length");
    out_.head_count = of_architecture(".attention.head_count");
    out_.head_count_kv = of_architecture(".attention.head_count_kv");
    out_.key_length = of_architecture(".attention.key_length");
    out_.value_length = of_architecture(".attention.value_length");
    if (numbers_.contains("general.file_type")) out_.file_type = number("general.file_type");
    out_.adds_bos = number("tokenizer.ggml.add_bos_token") != 0;
    for (auto& [type, use] : types_) {
      use.name = internal::type_name(type);
      out_.tensor_types.push_back(std::move(use));
    }
    return std::move(out_);
  }

  [[nodiscard]] std::uint64_t number(const std::string& key) const {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t of_architecture(std::string_view end) const {
    return number(out_.architecture + std::string(end));
  }
  static Result<void> once(bool seen, const std::string& key) {
    if (seen) return fail(Code::kInvalidArgument, "GGUF: " + key + " stands there twice");
    return {};
  }
  [[nodiscard]] std::unexpected<Error> bad_type(std::uint32_t type) const {
    return fail(Code::kInvalidArgument,
                fmt::format("GGUF: unknown value type {} before byte {}", type, in_.position()));
  }

  const GgufLimits limits_;
  GgufCursor in_;
  GgufSummary out_;
  std::map<std::string, std::uint64_t> numbers_;  // at most max_pairs, each key at most 256 bytes
  std::map<std::uint32_t, TensorTypeUse> types_;
};

}  // namespace

Result<GgufSummary> read_gguf(ByteSource& source, const GgufLimits& limits) {
  auto reader = std::make_unique<MetadataReader>(source, limits);
  return reader->read();
}

}  // namespace candor::model
