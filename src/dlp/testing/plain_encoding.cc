#include "dlp/testing/plain_encoding.h"

#include <algorithm>

#include "dlp/internal/decode.h"

namespace candor::dlp {
namespace {

constexpr std::size_t kChunk = kJudged, kChunkOverlap = 32768;

bool is_text(std::string_view decoded) {
  std::size_t good = 0;
  std::size_t foreign = 0;
  for (const char c : decoded) {
    if (is_printable(c)) ++good;
    if (static_cast<unsigned char>(c) >= 0x80) ++foreign;
  }
  if (foreign > 0 && !utf8_like(decoded)) foreign = 0;
  return (good + foreign) * 10 >= decoded.size() * 9;
}

bool encoded_again(std::string_view decoded) {
  std::size_t run = 0;
  for (const char c : decoded) {
    run = base64_value(c) >= 0 ? run + 1 : 0;
    if (run >= kMinOpaque) return true;
  }
  return false;
}

class PlainOpener {
 public:
  explicit PlainOpener(std::string_view text) : text_(text) {}

  Opened take() { return std::move(out_); }

  void chains(Layer layer) {
    const bool hex = layer == Layer::kHex;
    const auto is_digit = [&](std::size_t i) {
      return (hex ? hex_value(text_[i]) : base64_value(text_[i])) >= 0;
    };
    for (std::size_t at = 0; at < text_.size();) {
      if (!is_digit(at)) {
        ++at;
        continue;
      }
      std::vector<std::uint32_t> places;
      std::size_t next = at;
      for (std::size_t begin = at;;) {
        std::size_t stop = begin;
        while (stop < text_.size() && is_digit(stop)) ++stop;
        const std::string_view group = text_.substr(begin, stop - begin);
        if (hex ? !looks_hex(group) : !looks_encoded(group)) {
          if (places.empty()) next = stop;
          break;
        }
        for (std::size_t i = begin; i < stop; ++i) places.push_back(static_cast<std::uint32_t>(i));
        next = stop;
        if (stop == text_.size()) break;
        if (text_[stop] == (hex ? ':' : '=')) {
          if (!hex) break;
          begin = stop + 1;
          continue;
        }
        begin = stop;
        while (begin < text_.size() && is_encoding_space(text_[begin])) ++begin;
        if (begin == stop || begin - stop > kMaxGap) break;
      }
      at = next;
      if (places.size() >= kMinEncoded) open(layer, places);
    }
  }

  void escapes(Layer layer) {
    const auto next_escape = [&](std::size_t at) {
      while (at < text_.size() &&
             !(text_[at] == escape_mark(layer) && hides_a_byte(layer, text_.substr(at)))) {
        ++at;
      }
      return at;
    };
    for (std::size_t first = next_escape(0); first < text_.size();) {
      const std::size_t line_end = std::min(text_.find('\n', first), text_.size());
      std::size_t last = first;
      std::size_t next = next_escape(last + 1);
      while (next < line_end && next - last <= kMarginBefore + kMarginAfter) {
        last = next;
        next = next_escape(last + 1);
      }
      std::size_t begin = first - std::min(first, kMarginBefore);
      const std::size_t line = text_.substr(0, first).rfind('\n');
      const bool at_line = line != std::string_view::npos && line + 1 >= begin;
      if (at_line) begin = line + 1;
      const std::size_t end = std::min(line_end, last + kMarginAfter);
      Region region = decode_escapes(text_, layer, begin, end);
      region.cut_begin = begin > 0 && !at_line;
      region.cut_end = end < line_end;
      out_.regions.push_back(std::move(region));
      first = next;
    }
  }

 private:
  void open(Layer layer, const std::vector<std::uint32_t>& all) {
    const bool hex = layer == Layer::kHex;
    bool text = false;
    for (std::size_t chunk = 0;; chunk += kChunk - kChunkOverlap) {
      const auto places = std::span(all).subspan(chunk, std::min(kChunk, all.size() - chunk));
      const bool last = chunk + kChunk >= all.size();
      for (std::size_t shift = 0; shift < (hex ? 2U : 4U); ++shift) {
        const auto shifted = places.subspan(shift);
        Region region = region_of(layer, shifted, decode_digits(text_, layer, shifted));
        if (shift == 0 && chunk == 0) text = is_text(region.decoded);
        region.cut_begin = chunk > 0;
        region.cut_end = !last;
        if (find_text(region.decoded, Ending::kEnds) == std::string_view::npos) continue;
        if (shift == 0 && encoded_again(region.decoded)) text = false;
        out_.regions.push_back(std::move(region));
      }
      if (last) break;
    }
    if (!text && all.size() >= kMinOpaque) {
      out_.opaque.push_back({layer, all.front(), all.back() + std::size_t{1}});
    }
  }

  std::string_view text_;
  Opened out_;
};

}  // namespace

Opened plain_encodings(std::string_view text) {
  PlainOpener opener(text);
  for (const Layer layer : {Layer::kBase64, Layer::kHex}) opener.chains(layer);
  for (const Layer layer : {Layer::kPercent, Layer::kHtml, Layer::kEscapes}) opener.escapes(layer);
  return opener.take();
}

}  // namespace candor::dlp
