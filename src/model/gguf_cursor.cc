#include "model/gguf_cursor.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace candor::model {

std::size_t gguf_fixed_size(std::uint32_t type) noexcept {
  switch (static_cast<GgufValue>(type)) {
    case GgufValue::kU8:
    case GgufValue::kI8:
    case GgufValue::kBool: return 1;
    case GgufValue::kU16:
    case GgufValue::kI16: return 2;
    case GgufValue::kU32:
    case GgufValue::kI32:
    case GgufValue::kF32: return 4;
    case GgufValue::kU64:
    case GgufValue::kI64:
    case GgufValue::kF64: return 8;
    case GgufValue::kString:
    case GgufValue::kArray: return 0;
  }
  return 0;
}

GgufCursor::GgufCursor(ByteSource& source, std::uint64_t max_metadata_bytes)
    : source_(source),
      end_(std::min(source.size(), max_metadata_bytes)),
      cut_(source.size() > max_metadata_bytes) {}

Result<void> GgufCursor::take(std::span<std::byte> out) {
  TRY(check_count(out.size(), 1));
  while (!out.empty()) {
    if (position_ < window_start_ || position_ >= window_start_ + window_size_) TRY(fill());
    const std::size_t at = static_cast<std::size_t>(position_ - window_start_);
    const std::size_t count = std::min(out.size(), window_size_ - at);
    std::memcpy(out.data(), window_.data() + at, count);
    out = out.subspan(count);
    position_ += count;
  }
  return {};
}

Result<void> GgufCursor::skip(std::uint64_t count) {
  TRY(check_count(count, 1));
  position_ += count;
  return {};
}

Result<std::string> GgufCursor::text(std::uint64_t keep, bool* whole) {
  const auto length = TRY(number<std::uint64_t>());
  TRY(check_count(length, 1));
  std::string out(static_cast<std::size_t>(std::min(length, keep)), '\0');
  TRY(take(std::as_writable_bytes(std::span(out))));
  TRY(skip(length - out.size()));
  if (whole != nullptr) *whole = length <= keep;
  return out;
}

Result<void> GgufCursor::check_count(std::uint64_t count, std::uint64_t least_bytes_each) const {
  if (count <= (end_ - position_) / least_bytes_each) return {};
  if (cut_) {
    return fail(Code::kResourceExhausted,
                fmt::format("GGUF: more than {} bytes of metadata", end_));
  }
  return fail(Code::kInvalidArgument,
              fmt::format("GGUF: a length at byte {} points past the file's end", position_));
}

Result<void> GgufCursor::fill() {
  window_start_ = position_;
  window_size_ =
      static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), end_ - position_));
  return source_.read_at(window_start_, std::span(window_).first(window_size_));
}

}  // namespace candor::model
