// What an organisation registered (C3): words, values and passages.
#include <bit>

#include "dlp/internal/pass.h"

namespace candor::dlp {

void Pass::sets() {
  if (compiled_.set_detectors.empty()) return;
  std::vector<Span> words;
  for (std::size_t at = 0; at < text_.size();) {
    if (!is_value_byte(text_[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text_.size() && is_value_byte(text_[at])) ++at;
    words.push_back({begin, at});
  }
  for (const std::uint32_t detector : compiled_.set_detectors) {
    if (compiled_.detectors[detector].anchor == Anchor::kPassages) {
      passages(detector);
    } else {
      values(detector, words);
    }
  }
}

// Every row of whole words that is in the set. The longest of those that overlap wins later.
void Pass::values(std::uint32_t detector, const std::vector<Span>& words) {
  const Detector& described = compiled_.detectors[detector];
  const Fingerprints& set = *described.fingerprints;
  const auto longest = static_cast<std::size_t>(std::bit_width(set.lengths)) - 1;
  std::string normal;
  for (std::size_t first = 0; first < words.size(); ++first) {
    const std::size_t begin = words[first].begin;
    normal.clear();
    for (std::size_t i = first; i < words.size() && i - first < set.max_words; ++i) {
      const Span word = words[i];
      if (i > first && word.begin - words[i - 1].end > kMaxWordGap) break;
      if (normal.size() + (word.end - word.begin) > longest) break;
      if (word.end - begin > described.max_span) break;
      for (std::size_t at = word.begin; at < word.end; ++at) normal += small_letter(text_[at]);
      if ((set.lengths >> normal.size() & 1U) != 0 &&
          set.contains(crypto::short_hash(set.key, normal))) {
        const std::size_t before = out_.size();
        (void)accept(detector, {begin, word.end});
        touched_ |= word.end == text_.size();
        tried(detector, begin, before);
      }
      if (pending_ == nullptr || i + 1 < words.size() || normal.size() == longest) continue;
      // The last word may go on, or one more may follow.
      const std::size_t gap = text_.size() - word.end;
      if (gap == 0 || (gap <= kMaxWordGap && i + 1 - first < set.max_words)) pending_->add(begin);
    }
  }
}

// A passage is told in tiles: one for each gram that is found, up to where the next one begins if
// that is inside of it. So a tile depends on nothing beyond a span behind it, and the tiles of one
// passage touch; who reads findings in order joins them (same_passage() in outlook.h).
void Pass::passages(std::uint32_t detector) {
  const Detector& described = compiled_.detectors[detector];
  const Fingerprints& set = *described.fingerprints;
  GramRoll roll(set.key, set.gram);
  std::optional<Span> last;
  const auto tell = [&](Span tile, bool open) {
    const std::size_t before = out_.size();
    (void)accept(detector, tile);
    touched_ = open;
    tried(detector, tile.begin, before);
  };
  for (std::size_t at = 0; at < text_.size(); ++at) {
    const auto gram = roll.add(text_[at], at);
    if (!gram || gram->end - gram->begin > described.max_span || !set.contains(gram->hash))
      continue;
    if (last) tell({last->begin, std::min(last->end, gram->begin)}, /*open=*/false);
    last = Span{gram->begin, gram->end};
  }
  // The first place that a gram may still begin at.
  std::size_t open = text_.size();
  if (pending_ != nullptr) {
    for (std::size_t n = 1; n < set.gram; ++n) {
      const auto place = roll.place_of_last(n);
      if (!place || text_.size() - *place >= described.max_span) break;
      open = *place;
    }
    if (open < text_.size()) pending_->add(open);
  }
  if (last) tell(*last, pending_ != nullptr && open < last->end);
}

}  // namespace candor::dlp
