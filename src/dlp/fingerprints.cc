#include "dlp/fingerprints.h"

#include <algorithm>

#include "dlp/fold.h"

namespace candor::dlp {
namespace {

constexpr std::uint64_t kPrime = (1ULL << 61U) - 1;

std::uint64_t reduced(std::uint64_t value) {
  value = (value & kPrime) + (value >> 61U);
  return value >= kPrime ? value - kPrime : value;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide wide = static_cast<Wide>(a) * b;
  return reduced(static_cast<std::uint64_t>(wide & kPrime) +
                 static_cast<std::uint64_t>(wide >> 61U));
}

}  // namespace

bool Fingerprints::contains(std::uint64_t hash) const {
  return std::ranges::binary_search(hashes, hash);
}

std::optional<NormalValue> normal_value(std::string_view value) {
  const std::string folded = fold(value);
  NormalValue out;
  std::size_t first = 0;
  std::size_t end = 0;  // of the last value byte
  for (std::size_t at = 0; at < folded.size(); ++at) {
    if (!is_value_byte(folded[at])) continue;
    if (out.words == 0) first = at;
    if (out.words == 0 || at > end) {
      if (out.words > 0 && at - end > kMaxWordGap) return std::nullopt;
      ++out.words;
    }
    out.text += small_letter(folded[at]);
    end = at + 1;
  }
  out.span = end - first;
  if (out.words == 0 || out.words > kMaxValueWords || out.text.size() > kMaxValueBytes) {
    return std::nullopt;
  }
  return out;
}

GramRoll::GramRoll(const crypto::ShortKey& key, std::uint32_t gram)
    : base_(reduced(crypto::short_hash(key, "base"))), top_(1), row_(gram) {
  for (std::uint32_t i = 1; i < gram; ++i) top_ = product(top_, base_);
}

std::optional<GramRoll::Gram> GramRoll::add(char c, std::size_t at) {
  if (!is_value_byte(c)) return std::nullopt;
  // No two bytes add the same, and none adds nothing.
  const std::uint64_t term = static_cast<unsigned char>(small_letter(c)) + 1ULL;
  Kept& oldest = row_[count_ % row_.size()];
  if (count_ >= row_.size()) {
    hash_ = reduced(hash_ + kPrime - product(oldest.term, top_));
  }
  hash_ = reduced(product(hash_, base_) + term);
  oldest = {term, at};
  ++count_;
  if (count_ < row_.size()) return std::nullopt;
  return Gram{hash_, row_[count_ % row_.size()].at, at + 1};
}

std::optional<std::size_t> GramRoll::place_of_last(std::size_t n) const {
  if (n == 0 || n > row_.size() || n > count_) return std::nullopt;
  return row_[(count_ - n) % row_.size()].at;
}

std::vector<std::uint64_t> winnow(std::string_view text, const crypto::ShortKey& key,
                                  std::uint32_t gram) {
  const std::string folded = fold(text);
  GramRoll roll(key, gram);
  std::vector<std::uint64_t> grams;
  for (std::size_t at = 0; at < folded.size(); ++at) {
    if (const auto one = roll.add(folded[at], at)) grams.push_back(one->hash);
  }
  std::vector<std::uint64_t> kept;
  std::size_t taken = grams.size();  // the place of the last one kept
  for (std::size_t from = 0;
       from + std::min(kWinnow, grams.size()) <= grams.size() && !grams.empty(); ++from) {
    const std::size_t until = from + std::min(kWinnow, grams.size());
    std::size_t least = from;
    for (std::size_t i = from; i < until; ++i) {
      if (grams[i] <= grams[least]) least = i;
    }
    if (least == taken) continue;
    taken = least;
    kept.push_back(grams[least]);
  }
  std::ranges::sort(kept);
  kept.erase(std::ranges::unique(kept).begin(), kept.end());
  return kept;
}

}  // namespace candor::dlp
