// Folding: the form of a text that detectors see, with the way back to the bytes as given (C4).
//
// Each code point is folded by itself, so folding is local and a stream can be folded piece by
// piece at code point borders:
//   - compatibility decomposition (the K of NFKC; Unicode 14 by utf8proc), marks dropped. Texts
//   that
//     are equal under NFKC, NFC, NFKD or NFD fold to the same bytes
//   - decimal digits of every script become 0-9
//   - letters that look like Latin ones (a subset of UTS #39's confusables: Cyrillic, Greek,
//     Armenian, Cherokee, small capitals) become these
//   - dashes, quotes and spaces become - ' " and the space
//   - ignorable characters (Default_Ignorable_Code_Point: zero-width, bidirectional controls, soft
//     hyphen, variation selectors, tags) are dropped
// More than kMaxDropped dropped characters in a row are reported, and a line feed stands for them,
// so that no match reaches over them: one folded byte stands for at most kMaxFoldedBytes.
// Invalid UTF-8 is kept byte by byte. ASCII is kept as it is: folding it costs nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace candor::dlp {

inline constexpr std::size_t kMaxFoldedBytes = 4 * (32 + 1);

class FoldedText {
 public:
  // text must outlive this and is not copied where it is ASCII.
  void fold(std::string_view text);

  [[nodiscard]] std::string_view text() const noexcept { return view_; }
  // Each folded byte is that byte of the original.
  [[nodiscard]] bool straight() const noexcept { return pieces_.empty(); }
  // The bytes of the original that folded [begin, end) came from; begin < end.
  [[nodiscard]] std::pair<std::size_t, std::size_t> original(std::size_t begin,
                                                             std::size_t end) const {
    return pieces_.empty() ? std::pair(begin, end) : mapped(begin, end);
  }
  // Runs of more than kMaxDropped dropped characters, as places of the original.
  [[nodiscard]] const std::vector<std::pair<std::size_t, std::size_t>>& hidden() const noexcept {
    return hidden_;
  }

  // Where the run of dropped characters begins that the text ends in; the text's size if in none.
  [[nodiscard]] std::size_t ends_in_dropped() const noexcept { return ends_in_dropped_; }

 private:
  struct Piece {  // folded bytes from `folded` on stand for original bytes from `original` on
    std::size_t folded, original;
    std::size_t length;  // 0: byte by byte until the next piece; else that of one character, whole
  };
  void add_piece(std::size_t original, std::size_t length);
  [[nodiscard]] std::pair<std::size_t, std::size_t> mapped(std::size_t begin,
                                                           std::size_t end) const;

  std::string_view view_;
  std::string buffer_;
  std::vector<Piece> pieces_;
  std::vector<std::pair<std::size_t, std::size_t>> hidden_;
  std::size_t size_ = 0;  // of the original
  std::size_t ends_in_dropped_ = 0;
};

// The same for words of packs.
[[nodiscard]] std::string fold(std::string_view text);
// NFKC by utf8proc, for the tests that hold folding against it; invalid UTF-8 gives "".
[[nodiscard]] std::string nfkc(std::string_view text);

}  // namespace candor::dlp
