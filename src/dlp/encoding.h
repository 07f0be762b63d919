// One layer of encoding, opened (C4, L4): base64 (RFC 4648 sections 4 and 5), hexadecimal, percent
// (RFC 3986), HTML character references, and the escapes of JSON and source strings.
//
// A region is where text looks encoded; it is found by its own bytes alone:
//   base64   groups of the alphabet that are 20 characters long or look encoded (capitals after
//   small
//            letters, digits among letters), up to 16 bytes of white space between them; 20
//            characters in all
//   hex      groups of an even number of digits, single spaces or colons or a line break with its
//            indentation between them; 20 digits in all
//   others   from kMarginBefore bytes before the first escape to kMarginAfter behind the last one,
//            where escapes lie no farther apart than that; cut at line breaks
// Regions are decoded as far as they go; what they decode to is a candidate for findings, never an
// error. Base64 is decoded at all four alignments, since what stands before it may be of the
// alphabet too. Pure; linear; hostile input is expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace candor::dlp {

enum class Layer : std::uint8_t { kPlain, kBase64, kHex, kPercent, kHtml, kEscapes };
[[nodiscard]] std::string_view to_string(Layer layer) noexcept;

inline constexpr std::size_t kMinEncoded = 20;  // characters of base64 or hex that may hide text
inline constexpr std::size_t kMinOpaque = 160;  // characters that are opaque if they are no text
inline constexpr std::size_t kMarginBefore = 128, kMarginAfter = 320;

struct Region {
  Layer layer = Layer::kPlain;
  std::size_t begin = 0, end = 0;  // of the text
  std::string decoded;
  // decoded[i] came from [from[i], to[i]) of the text.
  std::vector<std::uint32_t> from, to;
  // The edge is not one of the text or of its encoding, so what touches it may be cut.
  bool cut_begin = false, cut_end = false;
};

// Which bytes a text holds that can begin an escape; the scanner's first pass finds them anyway.
struct EncodingHints {
  bool percent = true, ampersand = true, backslash = true;
};

struct OpaqueRun {
  Layer layer = Layer::kBase64;
  std::size_t begin = 0, end = 0;
};

struct Opened {
  std::vector<Region> regions;    // at most 48 KiB of decoded text each; longer runs overlap
  std::vector<OpaqueRun> opaque;  // kMinOpaque or longer and no text, or encoded a second time
};

void open_encodings(std::string_view text, const EncodingHints& hints, Opened& out);

}  // namespace candor::dlp
