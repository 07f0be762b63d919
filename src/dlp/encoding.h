// One layer of encoding, opened (C4, L4): base64 (RFC 4648 sections 4 and 5), hexadecimal, percent
// (RFC 3986), HTML character references, and the escapes of JSON and source strings.
//
// A region is where text looks encoded; it is found by its own bytes alone:
//   base64   groups of the alphabet that are 20 characters long or look encoded (capitals after
//   small
//            letters, digits among letters), up to 16 bytes of white space between them; 20
//            characters in all
//   hex      groups of an even number of digits or of 20 and more, a colon or up to 16 bytes of
//            white space between them; 20 digits in all
//   others   from kMarginBefore bytes before the first escape to kMarginAfter behind the last one,
//            where escapes lie no farther apart than that; cut at line breaks
// Regions are decoded as far as they go; what they decode to is a candidate for findings, never an
// error. Base64 is decoded at all four alignments and hex at both, since what stands before it may
// be of the alphabet too; so what a region decodes to somewhere does not depend on where it began,
// and a stream guard need not know. What is found under base64 and hex must begin with kMinText
// printable bytes. Pure; linear; hostile input is expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dlp/internal/byte_classes.h"

namespace candor::dlp {

enum class Layer : std::uint8_t { kPlain, kBase64, kHex, kPercent, kHtml, kEscapes };
[[nodiscard]] std::string_view to_string(Layer layer) noexcept;

inline constexpr std::size_t kMinEncoded = 20;  // characters of base64 or hex that may hide text
inline constexpr std::size_t kMinOpaque = 160;  // characters that are opaque if they are no text
inline constexpr std::size_t kMarginBefore = 128, kMarginAfter = 320;
inline constexpr std::size_t kMinText = 6;         // printable bytes that hidden text begins with
inline constexpr std::size_t kLongestEscape = 12;  // a pair of \uXXXX

struct Region {
  Layer layer = Layer::kPlain;
  std::size_t begin = 0, end = 0;  // of the text
  // The first escape in it, or end where none is; of base64 and hex begin. What ends before it
  // reads as it stands there, and only the text itself tells what is before the region.
  std::size_t first = 0;
  std::string decoded;
  // decoded[i] came from [from[i], to[i]) of the text.
  std::vector<std::uint32_t> from, to;
  // The edge is not one of the text or of its encoding, so what touches it may be cut.
  bool cut_begin = false, cut_end = false;
  // Of a text that may go on: more may follow the region; and it may turn out that there is none,
  // so that what is found in it may still come to nothing.
  bool open = false, unsure = false;
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
  // Of a text that may go on: where something encoded may stand that is not in a region yet.
  std::vector<std::size_t> undecided;
  ByteClasses classes;  // of the text
  // Kept for their memory.
  std::vector<std::pair<std::size_t, std::size_t>> chain;
  std::vector<std::uint32_t> places;
};

enum class Ending : std::uint8_t { kEnds, kMayGoOn };

// Chains of base64 and hex that end before `floor` are of no interest, and may be left out.
void open_encodings(std::string_view text, const EncodingHints& hints, Opened& out,
                    Ending ending = Ending::kEnds, std::size_t floor = 0);
// The place of the first of kMinText printable bytes in a row; with kMayGoOn also of fewer at the
// end. npos: none.
[[nodiscard]] std::size_t find_text(std::string_view decoded, Ending ending);
// Whether what is found at `at` begins with text.
[[nodiscard]] bool begins_with_text(std::string_view decoded, std::size_t at);

}  // namespace candor::dlp
