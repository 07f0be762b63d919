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

void OpaqueWatch::add(char c, std::size_t begin, std::size_t end, bool covered,
                      std::vector<OpaqueRun>& out) {
  const bool hex = layer_ == Layer::kHex;
  if ((hex ? hex_value(c) : base64_value(c)) >= 0) {
    digit(c, begin, end, covered);
    return;
  }
  if (grouped_ > 0) {
    if (!end_group()) {
      end_chain(out);
      return;
    }
    colon_ = hex && c == ':';
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

void OpaqueWatch::digit(char c, std::size_t begin, std::size_t end, bool covered) {
  if (digits_ == 0 && grouped_ == 0) begin_ = begin;
  group_end_ = end;
  colon_ = false;
  group_covered_ = group_covered_ || covered;
  if (++grouped_ < kMinEncoded) {
    group_ += c;
    return;
  }
  for (const char early : group_) judge_.add(early);
  digits_ += group_.size() + 1;
  group_.clear();
  judge_.add(c);
  end_ = end;
  covered_ = covered_ || group_covered_;
}

bool OpaqueWatch::end_group() {
  const bool of_chain = grouped_ >= kMinEncoded ||
                        (layer_ == Layer::kHex ? looks_hex(group_) : looks_encoded(group_));
  if (of_chain) {
    for (const char c : group_) judge_.add(c);
    digits_ += group_.size();
    end_ = group_end_;
    covered_ = covered_ || group_covered_;
  }
  group_.clear();
  grouped_ = 0;
  group_covered_ = false;
  return of_chain;
}

void OpaqueWatch::end_chain(std::vector<OpaqueRun>& out) {
  if (digits_ >= kMinOpaque && !covered_ && !judge_.is_text())
    out.push_back({layer_, begin_, end_});
  judge_ = DecodedJudge(layer_);
  digits_ = 0;
  grouped_ = 0;
  group_.clear();
  gap_ = 0;
  colon_ = false;
  covered_ = false;
  group_covered_ = false;
}

}  // namespace candor::dlp
