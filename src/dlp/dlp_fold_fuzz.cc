// Folding never crashes. Every folded byte leads back to bytes inside the text, in order, which do
// not cut a character and fold to it; a range of folded bytes to the bytes from its first to its
// last. Runs of dropped characters are told in order and apart. Of UTF-8 it folds its own result to
// itself, agrees with the fold of the text's NFKC form, and folds two halves to the same bytes as
// the whole unless the cut lies in dropped characters. (Broken sequences are kept, and two of them
// may join to a whole one where what stood between is dropped.)
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "dlp/detector.h"
#include "dlp/fold.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  dlp::FoldedText folded;
  folded.fold(text);
  const bool utf8 = is_utf8(text);
  const auto inside_character = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  std::size_t last = 0;
  std::size_t last_end = 0;
  for (std::size_t i = 0; i < folded.text().size(); ++i) {
    const auto [begin, end] = folded.original(i, i + 1);
    CANDOR_CHECK(begin < end && end <= text.size() && begin >= last && end >= last_end);
    CANDOR_CHECK(end - begin <= dlp::kMaxFoldedBytes || folded.text()[i] == '\n');
    CANDOR_CHECK(!folded.straight() || begin == i);
    const auto whole = folded.original(0, i + 1);
    CANDOR_CHECK(whole.first == folded.original(0, 1).first && whole.second == end);
    // A byte that stands for a whole character, not for one byte of it.
    if (utf8 && static_cast<unsigned char>(folded.text()[i]) < 0x80) {
      CANDOR_CHECK(!inside_character(begin) && !inside_character(end));
      const std::string again = dlp::fold(text.substr(begin, end - begin));
      CANDOR_CHECK(again.contains(folded.text()[i]));
    }
    last = begin;
    last_end = end;
  }
  std::size_t hidden_until = 0;
  for (const auto& [begin, end] : folded.hidden()) {
    CANDOR_CHECK(end - begin > dlp::kMaxDropped && end <= text.size() && begin >= hidden_until);
    CANDOR_CHECK(dlp::fold(text.substr(begin, end - begin)) == "\n");
    hidden_until = end;
  }
  const std::size_t tail = folded.ends_in_dropped();
  CANDOR_CHECK(tail <= text.size());
  if (const std::string end = dlp::fold(text.substr(tail)); !end.empty()) {
    CANDOR_CHECK(end == "\n" && !folded.hidden().empty() && folded.hidden().back().first == tail);
  }
  if (!utf8) return 0;
  CANDOR_CHECK(dlp::fold(folded.text()) == folded.text());
  std::size_t cut = size == 0 ? 0 : data[0] * size / 256;
  while (inside_character(cut)) ++cut;
  dlp::FoldedText front;
  front.fold(text.substr(0, cut));
  const std::string_view behind = text.substr(cut);
  if (front.ends_in_dropped() == cut) {
    CANDOR_CHECK(std::string(front.text()) + dlp::fold(behind) == folded.text());
  }
  if (folded.hidden().empty()) {
    const std::string normal = dlp::nfkc(text);
    // What NFKC itself drops may join runs of dropped characters; those are hidden's business.
    dlp::FoldedText other;
    other.fold(normal);
    if (!normal.empty() && other.hidden().empty()) CANDOR_CHECK(other.text() == folded.text());
  }
  return 0;
}
