// A part of a file front to back, a byte, a line or a few at a time, through one fixed window.
// Hostile input: nothing is read past the part's end. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/result.h"
#include "model/gguf_reader.h"

namespace candor::model::gate {

class ByteWindow {
 public:
  // [begin, end) of the source.
  ByteWindow(ByteSource& source, std::uint64_t begin, std::uint64_t end)
      : source_(source), position_(begin), end_(std::min(end, source.size())) {}

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] std::uint64_t left() const noexcept {
    return position_ < end_ ? end_ - position_ : 0;
  }
  // kInvalidArgument past the end; else the source's errors.
  [[nodiscard]] Result<void> take(std::span<std::byte> out) {
    if (out.size() > left()) return fail(Code::kInvalidArgument, "it ends too early");
    while (!out.empty()) {
      if (position_ < start_ || position_ >= start_ + size_) {
        start_ = position_;
        size_ = static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), left()));
        TRY(source_.read_at(start_, std::span(window_).first(size_)));
      }
      const auto at = static_cast<std::size_t>(position_ - start_);
      const std::size_t count = std::min(out.size(), size_ - at);
      std::memcpy(out.data(), window_.data() + at, count);
      out = out.subspan(count);
      position_ += count;
    }
    return {};
  }
  [[nodiscard]] Result<void> skip(std::uint64_t count) {
    if (count > left()) return fail(Code::kInvalidArgument, "a length points past the end");
    position_ += count;
    return {};
  }
  // Little-endian, of 1 to 8 bytes.
  [[nodiscard]] Result<std::uint64_t> number(std::size_t bytes) {
    std::array<std::byte, 8> raw{};
    TRY(take(std::span(raw).first(bytes)));
    std::uint64_t out = 0;
    for (std::size_t i = bytes; i-- > 0;)
      out = (out << 8U) | std::to_integer<std::uint64_t>(raw[i]);
    return out;
  }
  // The first `keep` of count bytes; the others are skipped.
  [[nodiscard]] Result<std::string> text(std::uint64_t count, std::size_t keep) {
    if (count > left()) return fail(Code::kInvalidArgument, "a length points past the end");
    std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(count, keep)), '\0');
    TRY(take(std::as_writable_bytes(std::span(out))));
    TRY(skip(count - out.size()));
    return out;
  }
  // Up to a line feed, without it; of a longer line only the first `keep` bytes.
  [[nodiscard]] Result<std::string> line(std::size_t keep) {
    std::string out;
    while (true) {
      std::array<std::byte, 1> one{};
      TRY(take(one));
      const char c = static_cast<char>(one[0]);
      if (c == '\n') return out;
      if (out.size() < keep) out.push_back(c);
    }
  }

 private:
  ByteSource& source_;
  std::uint64_t position_, end_;
  std::uint64_t start_ = 0;
  std::size_t size_ = 0;
  std::array<std::byte, 16'384> window_{};
};

}  // namespace candor::model::gate
