// Bytes, digests and their text forms: lower-case hex (RFC 4648 section 8, lower case only) and
// base64 (RFC 4648 section 4 with padding; base64url section 5 without). Decoders are strict: wrong
// alphabet, wrong padding, non-zero trailing bits or white space are kInvalidArgument, because two
// spellings of one value would give an entry two meanings (S7). Safe on hostile input; O(n).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using Digest = std::array<std::byte, 32>;  // SHA-256, raw

[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

[[nodiscard]] std::string to_hex(ByteView bytes);
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);
// Exactly N bytes, or kInvalidArgument.
[[nodiscard]] Result<Digest> digest_from_hex(std::string_view text);

[[nodiscard]] std::string to_base64(ByteView bytes);
[[nodiscard]] Result<Bytes> from_base64(std::string_view text);
[[nodiscard]] Result<Digest> digest_from_base64(std::string_view text);
[[nodiscard]] std::string to_base64url(ByteView bytes);
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);

// Fixed-width integers of the binary formats (docs/formats): big-endian everywhere.
void put_u16(Bytes& out, std::uint16_t value);
void put_u32(Bytes& out, std::uint32_t value);
void put_u64(Bytes& out, std::uint64_t value);
void put_bytes(Bytes& out, ByteView bytes);

// Reads a binary format front to back. Every take fails with kInvalidArgument when bytes run out
// and then changes nothing. Views point into the input.
class ByteReader {
 public:
  explicit ByteReader(ByteView input) noexcept : rest_(input) {}
  [[nodiscard]] Result<std::uint8_t> u8();
  [[nodiscard]] Result<std::uint16_t> u16();
  [[nodiscard]] Result<std::uint32_t> u32();
  [[nodiscard]] Result<std::uint64_t> u64();
  [[nodiscard]] Result<ByteView> bytes(std::size_t count);
  [[nodiscard]] Result<Digest> digest();
  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }

 private:
  ByteView rest_;
};

}  // namespace candor
