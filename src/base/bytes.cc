#include "base/bytes.h"

#include <algorithm>

namespace candor {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kInvalid = 0xFF;

constexpr std::array<std::uint8_t, 256> invert(std::string_view alphabet) {
  std::array<std::uint8_t, 256> table{};
  table.fill(kInvalid);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kHexValues = invert(kHexDigits);
constexpr auto kBase64Values = invert(kBase64);
constexpr auto kBase64UrlValues = invert(kBase64Url);

// On the path of every answer (a receipt is some kilobytes), hence whole groups without a branch.
std::string encode_base64(ByteView bytes, std::string_view alphabet, bool padded) {
  const std::size_t rest = bytes.size() % 3;
  const std::size_t whole = bytes.size() - rest;
  std::string out;
  out.resize_and_overwrite((bytes.size() + 2) / 3 * 4, [&](char* to, std::size_t) {
    const char* const begin = to;
    const char* const letters = alphabet.data();
    const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
    for (const auto* const end = from + whole; from != end; from += 3, to += 4) {
      const std::uint32_t group =
          std::uint32_t{from[0]} << 16U | std::uint32_t{from[1]} << 8U | from[2];
      to[0] = letters[group >> 18U];
      to[1] = letters[group >> 12U & 63U];
      to[2] = letters[group >> 6U & 63U];
      to[3] = letters[group & 63U];
    }
    if (rest != 0) {
      const std::uint32_t group =
          std::uint32_t{from[0]} << 16U | (rest == 2 ? std::uint32_t{from[1]} << 8U : 0U);
      *to++ = letters[group >> 18U];
      *to++ = letters[group >> 12U & 63U];
      if (rest == 2) *to++ = letters[group >> 6U & 63U];
      if (padded) to = std::fill_n(to, 3 - rest, '=');
    }
    return static_cast<std::size_t>(to - begin);
  });
  return out;
}

// text without padding.
Result<Bytes> decode_base64(std::string_view text, const std::array<std::uint8_t, 256>& values) {
  if (text.size() % 4 == 1) return fail(Code::kInvalidArgument, "base64 has an impossible length");
  Bytes out;
  out.reserve(text.size() / 4 * 3 + 2);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t count = std::min<std::size_t>(4, text.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      std::uint8_t value = 0;
      if (k < count) value = values[static_cast<unsigned char>(text[i + k])];
      if (value == kInvalid) {
        return fail(Code::kInvalidArgument,
                    "not a base64 digit at offset " + std::to_string(i + k));
      }
      group = group << 6U | value;
    }
    const std::uint32_t unused = count == 4 ? 0U : count == 3 ? 0xFFU : 0xFFFFU;
    if ((group & unused) != 0) {
      return fail(Code::kInvalidArgument, "base64 ends in bits that are not zero");
    }
    for (std::size_t k = 0; k + 1 < count; ++k) {
      out.push_back(static_cast<std::byte>(group >> (16 - 8 * k) & 0xFFU));
    }
  }
  return out;
}

Result<Digest> to_digest(const Bytes& bytes) {
  Digest digest{};
  if (bytes.size() != digest.size()) {
    return fail(Code::kInvalidArgument,
                "a digest has 32 bytes, this has " + std::to_string(bytes.size()));
  }
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

template <typename T>
void put_big_endian(Bytes& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) {
    out.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFFU));
  }
}

template <typename T>
Result<T> take_big_endian(ByteView& rest) {
  if (rest.size() < sizeof(T)) return fail(Code::kInvalidArgument, "bytes run out");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = value << 8U | std::to_integer<std::uint64_t>(rest[i]);
  }
  rest = rest.subspan(sizeof(T));
  return static_cast<T>(value);
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out += kHexDigits[std::to_integer<std::size_t>(b) >> 4U];
    out += kHexDigits[std::to_integer<std::size_t>(b) & 15U];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Code::kInvalidArgument, "hex has an odd length");
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::uint8_t high = kHexValues[static_cast<unsigned char>(text[i])];
    const std::uint8_t low = kHexValues[static_cast<unsigned char>(text[i + 1])];
    if (high == kInvalid || low == kInvalid) {
      return fail(Code::kInvalidArgument,
                  "not a lower-case hex digit at offset " + std::to_string(i));
    }
    out.push_back(static_cast<std::byte>(high << 4U | low));
  }
  return out;
}

Result<Digest> digest_from_hex(std::string_view text) {
  if (text.size() != 64) return fail(Code::kInvalidArgument, "a digest has 64 hex digits");
  return to_digest(TRY(from_hex(text)));
}

std::string to_base64(ByteView bytes) { return encode_base64(bytes, kBase64, /*padded=*/true); }

std::string to_base64url(ByteView bytes) {
  return encode_base64(bytes, kBase64Url, /*padded=*/false);
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return fail(Code::kInvalidArgument, "base64 with padding has a length divisible by 4");
  }
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return decode_base64(text, kBase64Values);
}

Result<Digest> digest_from_base64(std::string_view text) {
  if (text.size() != 44) return fail(Code::kInvalidArgument, "a digest has 44 base64 digits");
  return to_digest(TRY(from_base64(text)));
}

Result<Bytes> from_base64url(std::string_view text) {
  return decode_base64(text, kBase64UrlValues);
}

void put_u16(Bytes& out, std::uint16_t value) { put_big_endian(out, value); }
void put_u32(Bytes& out, std::uint32_t value) { put_big_endian(out, value); }
void put_u64(Bytes& out, std::uint64_t value) { put_big_endian(out, value); }
void put_bytes(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

Result<std::uint8_t> ByteReader::u8() { return take_big_endian<std::uint8_t>(rest_); }
Result<std::uint16_t> ByteReader::u16() { return take_big_endian<std::uint16_t>(rest_); }
Result<std::uint32_t> ByteReader::u32() { return take_big_endian<std::uint32_t>(rest_); }
Result<std::uint64_t> ByteReader::u64() { return take_big_endian<std::uint64_t>(rest_); }

Result<ByteView> ByteReader::bytes(std::size_t count) {
  if (rest_.size() < count) return fail(Code::kInvalidArgument, "bytes run out");
  const ByteView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

Result<Digest> ByteReader::digest() {
  Digest digest{};
  const ByteView taken = TRY(bytes(digest.size()));
  std::ranges::copy(taken, digest.begin());
  return digest;
}

}  // namespace candor
