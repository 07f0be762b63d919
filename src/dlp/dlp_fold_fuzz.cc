// Folding never crashes, every folded byte leads back to bytes inside the text, in order, and of
// UTF-8 it folds its own result to itself and agrees with the fold of the text's NFKC form. (Broken
// sequences are kept, and two of them may join to a whole one where what stood between is dropped.)
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
  std::size_t last = 0;
  for (std::size_t i = 0; i < folded.text().size(); ++i) {
    const auto [begin, end] = folded.original(i, i + 1);
    CANDOR_CHECK(begin <= end && end <= text.size() && begin >= last);
    last = begin;
  }
  for (const auto& [begin, end] : folded.hidden()) {
    CANDOR_CHECK(end - begin > dlp::kMaxDropped && end <= text.size());
  }
  if (!is_utf8(text)) return 0;
  CANDOR_CHECK(dlp::fold(folded.text()) == folded.text());
  if (folded.hidden().empty()) {
    const std::string normal = dlp::nfkc(text);
    // What NFKC itself drops may join runs of dropped characters; those are hidden's business.
    dlp::FoldedText other;
    other.fold(normal);
    if (!normal.empty() && other.hidden().empty()) CANDOR_CHECK(other.text() == folded.text());
  }
  return 0;
}
