#include "model/tokenizer_digest.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "crypto/hash.h"
#include "model/gguf_cursor.h"

namespace candor::model {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::string_view kPrefix = "tokenizer.";
constexpr std::string_view kTemplate = "tokenizer.chat_template";

class Walk {
 public:
  Walk(ByteSource& source, const GgufLimits& limits)
      : cursor_(source, limits.max_metadata_bytes), limits_(limits) {}

  Result<std::optional<Digest>> run() {
    const auto magic = TRY(cursor_.number<std::uint32_t>());
    const auto version = TRY(cursor_.number<std::uint32_t>());
    if (magic != kMagic || (version != 2 && version != 3)) {
      return fail(Code::kInvalidArgument, "not a GGUF file of version 2 or 3");
    }
    (void)TRY(cursor_.number<std::uint64_t>());  // tensors
    const auto pairs = TRY(cursor_.number<std::uint64_t>());
    if (pairs > limits_.max_pairs) {
      return fail(Code::kResourceExhausted, "more metadata pairs than are read");
    }
    std::vector<std::pair<std::string, Digest>> lines;
    for (std::uint64_t i = 0; i < pairs; ++i) {
      bool whole = true;
      std::string key = TRY(cursor_.text(limits_.max_key_bytes, &whole));
      if (!whole) return fail(Code::kInvalidArgument, "a metadata key is too long");
      const bool ours = key.starts_with(kPrefix) && key != kTemplate &&
                        !key.starts_with(std::string(kTemplate) + ".");
      crypto::Sha256 hash;
      hash_ = ours ? &hash : nullptr;
      const auto type = TRY(number<std::uint32_t>());
      TRY(value(type, 0));
      if (ours) lines.emplace_back(std::move(key), hash.finish());
    }
    if (lines.empty()) return std::optional<Digest>();
    std::ranges::sort(lines);
    crypto::Sha256 all;
    for (const auto& [key, digest] : lines) {
      all.update(as_bytes(key + " " + to_hex(digest) + "\n"));
    }
    return std::optional<Digest>(all.finish());
  }

 private:
  template <typename T>
  Result<T> number() {
    const T out = TRY(cursor_.number<T>());
    if (hash_ != nullptr) hash_->update(std::as_bytes(std::span(&out, 1)));
    return out;
  }

  Result<void> bytes(std::uint64_t count) {
    if (hash_ == nullptr) return cursor_.skip(count);
    std::array<std::byte, 4'096> buffer{};
    while (count > 0) {
      const auto part = std::span(buffer).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer.size())));
      TRY(cursor_.take(part));
      hash_->update(part);
      count -= part.size();
    }
    return {};
  }

  // NOLINTNEXTLINE(misc-no-recursion): no deeper than max_array_depth
  Result<void> value(std::uint32_t type, int depth) {
    if (const std::size_t fixed = gguf_fixed_size(type); fixed != 0) return bytes(fixed);
    if (type == static_cast<std::uint32_t>(GgufValue::kString)) {
      const auto size = TRY(number<std::uint64_t>());
      TRY(cursor_.check_count(size, 1));
      return bytes(size);
    }
    if (type != static_cast<std::uint32_t>(GgufValue::kArray) || depth >= limits_.max_array_depth) {
      return fail(Code::kInvalidArgument, "a metadata value of no type of GGUF's, or too deep");
    }
    const auto inner = TRY(number<std::uint32_t>());
    const auto count = TRY(number<std::uint64_t>());
    const std::size_t fixed = gguf_fixed_size(inner);
    TRY(cursor_.check_count(count, fixed != 0 ? fixed : 8));
    if (fixed != 0) return bytes(count * fixed);
    for (std::uint64_t i = 0; i < count; ++i) TRY(value(inner, depth + 1));
    return {};
  }

  GgufCursor cursor_;
  GgufLimits limits_;
  crypto::Sha256* hash_ = nullptr;  // of the value being read, if it is the tokenizer's
};

}  // namespace

Result<std::optional<Digest>> tokenizer_digest(ByteSource& source, const GgufLimits& limits) {
  return Walk(source, limits).run();
}

}  // namespace candor::model
