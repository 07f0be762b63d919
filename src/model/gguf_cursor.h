// A GGUF file's metadata front to back, through one fixed window: what every reader of the format
// shares. Hostile input: a length is held against what is left of the metadata before it is used,
// and nothing past max_metadata_bytes is read.
//
// Errors: kInvalidArgument (a length points past the file's end; says where), kResourceExhausted
// (past max_metadata_bytes), or the source's. Little-endian. One thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "model/gguf_reader.h"

namespace candor::model {

enum class GgufValue : std::uint32_t {
  kU8 = 0,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
// 0: not a fixed-size type, or unknown.
[[nodiscard]] std::size_t gguf_fixed_size(std::uint32_t type) noexcept;

class GgufCursor {
 public:
  GgufCursor(ByteSource& source, std::uint64_t max_metadata_bytes);

  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] Result<void> take(std::span<std::byte> out);
  [[nodiscard]] Result<void> skip(std::uint64_t count);
  template <typename T>
  [[nodiscard]] Result<T> number() {
    std::array<std::byte, sizeof(T)> raw{};
    TRY(take(raw));
    static_assert(std::endian::native == std::endian::little);
    return std::bit_cast<T>(raw);
  }
  // A string of at most `keep` bytes; longer ones are cut (whole = false) but must be in the file.
  [[nodiscard]] Result<std::string> text(std::uint64_t keep, bool* whole = nullptr);
  // Refuses counts that could not fit into the rest of the file.
  [[nodiscard]] Result<void> check_count(std::uint64_t count, std::uint64_t least_bytes_each) const;

 private:
  [[nodiscard]] Result<void> fill();

  ByteSource& source_;
  std::uint64_t end_;
  bool cut_;  // the file goes on behind end_
  std::uint64_t position_ = 0;
  std::uint64_t window_start_ = 0;
  std::size_t window_size_ = 0;
  std::array<std::byte, 65'536> window_{};
};

}  // namespace candor::model
