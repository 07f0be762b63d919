#include "dlp/internal/opaque_watch.h"

#include "base/text.h"
#include "dlp/internal/decode.h"

namespace candor::dlp {

void DecodedJudge::add(char digit) {
  const bool hex = layer_ == Layer::kHex;
  const int value = hex ? hex_value(digit) : base64_value(digit);
  const std::size_t at = digits_++ % (hex ? 2 : 4);
  bits_ = bits_ << (hex ? 4U : 6U) | static_cast<std::uint32_t>(value);
  if (at == 0) return;
  byte(static_cast<char>(bits_ >> (hex ? 0U : 6 - 2 * at) & 0xFFU));
}

void DecodedJudge::byte(char c) {
  run_ = base64_value(c) >= 0 ? run_ + 1 : 0;
  again_ = again_ || run_ >= kMinOpaque;
  if (digits_ > kJudged) return;
  if (is_printable(c)) ++good_;
  if (static_cast<unsigned char>(c) >= 0x80) ++foreign_;
  sequence(c);
  ++bytes_;
}

void DecodedJudge::sequence(char c) {
  if (broken_ != ~std::size_t{0}) return;
  const auto value = static_cast<unsigned char>(c);
  if (sequence_.empty() && bytes_ == skipped_ && skipped_ < 3 && (value & 0xC0U) == 0x80) {
    ++skipped_;  // of a sequence that the chain's begin cut
    return;
  }
  sequence_ += c;
  const auto lead = static_cast<unsigned char>(sequence_[0]);
  const std::size_t whole = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (sequence_.size() < whole) return;
  if (utf8_sequence(sequence_) != whole) broken_ = bytes_ + 1 - whole;
  sequence_.clear();
}

bool DecodedJudge::is_text() const {
  const bool broken = broken_ != ~std::size_t{0} && bytes_ - broken_ > 3;
  const std::size_t foreign = broken ? 0 : foreign_;
  return !again_ && (good_ + foreign) * 10 >= bytes_ * 9;
}

bool OpaqueWatch::is_digit(char c) const {
  return (layer_ == Layer::kHex ? hex_value(c) : base64_value(c)) >= 0;
}

void OpaqueWatch::add(char c, std::size_t begin, std::size_t end, bool covered,
                      std::vector<OpaqueRun>& out) {
  if (is_digit(c)) {
    digits({&c, 1}, begin, end, covered);
  } else {
    other(c, out);
  }
}

void OpaqueWatch::add_text(std::string_view text, std::size_t at, std::vector<OpaqueRun>& out) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end > i) digits(text.substr(i, end - i), at + i, at + end, /*covered=*/false);
    i = end;
    for (; i < text.size() && !is_digit(text[i]); ++i) other(text[i], out);
  }
}

void OpaqueWatch::other(char c, std::vector<OpaqueRun>& out) {
  if (grouped_ > 0) {
    if (!end_group()) {
      end_chain(out);
      return;
    }
    colon_ = layer_ == Layer::kHex && c == ':';
    gap_ = is_encoding_space(c) ? 1 : 0;
    if (!colon_ && gap_ == 0) end_chain(out);
  } else if (digits_ > 0) {
    if (colon_ || !is_encoding_space(c) || ++gap_ > kMaxGap) end_chain(out);
  }
}

void OpaqueWatch::finish(std::vector<OpaqueRun>& out) {
  if (grouped_ > 0) (void)end_group();
  end_chain(out);
}

void OpaqueWatch::digits(std::string_view these, std::size_t begin, std::size_t end, bool covered) {
  if (digits_ == 0 && grouped_ == 0) begin_ = begin;
  group_end_ = end;
  colon_ = false;
  group_covered_ = group_covered_ || covered;
  grouped_ += these.size();
  group_ += these;
  if (grouped_ >= kMinEncoded) group_joins_chain();
}

void OpaqueWatch::group_joins_chain() {
  judge(group_);
  group_.clear();
  end_ = group_end_;
  covered_ = covered_ || group_covered_;
}

// Nearly all chains are words of prose, which end before they are long enough to be judged.
void OpaqueWatch::judge(std::string_view digits) {
  const bool judged = digits_ >= kMinOpaque;
  digits_ += digits.size();
  if (!judged) {
    chain_ += digits;
    if (digits_ < kMinOpaque) return;
    digits = chain_;
  }
  for (const char digit : digits) judge_.add(digit);
}

bool OpaqueWatch::end_group() {
  const bool of_chain = grouped_ >= kMinEncoded ||
                        (layer_ == Layer::kHex ? looks_hex(group_) : looks_encoded(group_));
  if (of_chain) group_joins_chain();
  group_.clear();
  grouped_ = 0;
  group_covered_ = false;
  return of_chain;
}

void OpaqueWatch::end_chain(std::vector<OpaqueRun>& out) {
  if (digits_ >= kMinOpaque) {
    if (!covered_ && !judge_.is_text()) out.push_back({layer_, begin_, end_});
    judge_ = DecodedJudge(layer_);
  }
  digits_ = 0;
  chain_.clear();
  grouped_ = 0;
  group_.clear();
  gap_ = 0;
  colon_ = false;
  covered_ = false;
  group_covered_ = false;
}

}  // namespace candor::dlp
