#include "dlp/encoding.h"

#include <algorithm>
#include <utility>

#include "dlp/internal/byte_classes.h"
#include "dlp/internal/decode.h"

namespace candor::dlp {
namespace {

// Characters, multiples of 4. What overlaps holds the longest span with its context.
constexpr std::size_t kChunk = kJudged, kChunkOverlap = 32768;

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_encoding_space(text[at])) ++at;
  return at;
}

// Nine bytes of ten are printable or belong to a letter outside ASCII.
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

class Opener {
 public:
  Opener(std::string_view text, Ending ending, std::size_t floor, Opened& out)
      : text_(text),
        classes_(out.classes),
        open_(ending == Ending::kMayGoOn),
        out_(out),
        chain_(out.chain),
        places_(out.places),
        first_(floor) {
    while (first_ > 0 && !ends_chains(text[first_ - 1])) --first_;
    classify(text, out.classes, first_);
  }

  void base64() { chains(Alphabet::kBase64, first_, text_.size()); }
  void hex() {
    // No chain of twenty digits without as many bytes of digits and joints in a row.
    const BitText& bits = classes_.hex_or_joint;
    std::size_t end = first_;
    for (;;) {
      const std::size_t begin = bits.find_twenty(end);
      if (begin >= text_.size()) break;
      end = std::min(bits.find(begin, false), text_.size());
      chains(Alphabet::kHex, begin, end);
    }
    if (!open_ || end == text_.size()) return;
    // What may grow into one.
    std::size_t begin = text_.size();
    while (begin > end && (bits.from(begin - 1) & 1U) != 0) --begin;
    chains(Alphabet::kHex, begin, text_.size());
  }

  void escapes(Layer layer) {
    const char mark = escape_mark(layer);
    std::size_t at = 0;
    std::size_t seen = 0;  // up to here a region has been made for what may follow
    while ((at = next_escape(layer, mark, at)) != std::string_view::npos) {
      const std::size_t first = at;
      std::size_t last = at;
      std::size_t next = at;
      const std::size_t line_end = std::min(text_.find('\n', first), text_.size());
      while ((next = next_escape(layer, mark, last + 1)) < line_end &&
             next - last <= kMarginBefore + kMarginAfter) {
        last = next;
      }
      seen = unescape(layer, first, last, line_end);
      at = last + 1;
    }
    if (open_ && seen < text_.size()) open_escape(layer, mark);
  }

 private:
  enum class Alphabet : std::uint8_t { kBase64, kHex };

  // Groups of the alphabet in [from, until) that look encoded and stand close together, as chains.
  void chains(Alphabet alphabet, std::size_t from, std::size_t until) {
    const BitText& bits = alphabet == Alphabet::kHex ? classes_.hex : classes_.base64;
    bits.each_run(from, until, [&](std::size_t begin, std::size_t end) {
      const bool looks_so = looks(begin, end, alphabet);
      const bool may_grow = open_ && end == text_.size() && end - begin < kMinEncoded;
      if (!chain_.empty() &&
          (!(looks_so || may_grow) || !joins(chain_.back().second, begin, alphabet))) {
        end_chain(alphabet, /*open=*/false);
      }
      if (may_grow) {
        // It may still grow into a group of the chain, or one that is none.
        if (chain_.empty()) out_.undecided.push_back(begin);
        end_chain(alphabet, /*open=*/true);
      } else if (looks_so) {
        chain_.emplace_back(begin, end);
      }
    });
    if (chain_.empty()) return;
    const std::size_t end = chain_.back().second;
    end_chain(alphabet, open_ && (end == text_.size() || joins(end, text_.size(), alphabet)));
  }

  // Whether a group that begins at `next` goes on with a chain that has come to `end`.
  [[nodiscard]] bool joins(std::size_t end, std::size_t next, Alphabet alphabet) const {
    if (alphabet == Alphabet::kHex && text_[end] == ':') return next == end + 1;
    return next > end && next - end <= kMaxGap && skip_spaces(text_, end) == next;
  }

  [[nodiscard]] bool looks(std::size_t begin, std::size_t end, Alphabet alphabet) const {
    const std::size_t size = end - begin;
    if (size >= kMinEncoded) return true;
    if (alphabet == Alphabet::kHex) return size % 2 == 0;
    // A word of the alphabet that prose does not have.
    return (size <= 12 && size % 4 == 0) ||
           (classes_.turns.from(begin + 1) & ((1ULL << (size - 1)) - 1)) != 0;
  }

  void end_chain(Alphabet alphabet, bool open) {
    if (chain_.empty()) return;
    std::size_t size = 0;
    for (const auto& [begin, end] : chain_) size += end - begin;
    // The last character may be half of a byte.
    if (open) out_.undecided.push_back(chain_.back().second - 1);
    if (size >= (open ? 2 : kMinEncoded)) {
      places_.clear();
      for (const auto& [begin, end] : chain_) {
        for (std::size_t i = begin; i < end; ++i) places_.push_back(static_cast<std::uint32_t>(i));
      }
      open_chain(open, alphabet == Alphabet::kBase64 ? Layer::kBase64 : Layer::kHex);
    }
    chain_.clear();
  }

  void open_chain(bool open, Layer layer) {
    const std::size_t alignments = layer == Layer::kBase64 ? 4 : 2;
    bool text = false;
    for (std::size_t chunk = 0;; chunk += kChunk - kChunkOverlap) {
      const auto places =
          std::span(places_).subspan(chunk, std::min(kChunk, places_.size() - chunk));
      const bool last = chunk + kChunk >= places_.size();
      for (std::size_t shift = 0; shift < alignments && shift + 2 <= places.size(); ++shift) {
        const auto aligned = places.subspan(shift);
        std::string decoded = decode_digits(text_, layer, aligned);
        if (shift == 0 && chunk == 0) text = is_text(decoded);
        if (find_text(decoded, Ending::kEnds) == std::string_view::npos) {
          if (!open || !last) continue;
          const std::size_t begun = find_text(decoded, Ending::kMayGoOn);
          if (begun != std::string_view::npos) {
            out_.undecided.push_back(aligned[digit_of_byte(layer, begun)]);
          }
          continue;
        }
        if (shift == 0 && encoded_again(decoded)) text = false;
        Region region = region_of(layer, aligned, std::move(decoded));
        region.open = open && last;
        region.unsure = open && places_.size() < kMinEncoded;
        region.cut_begin = chunk > 0;
        region.cut_end = !last;
        out_.regions.push_back(std::move(region));
      }
      if (last) break;
    }
    if (!text && places_.size() >= kMinOpaque) {
      out_.opaque.push_back({layer, places_.front(), places_.back() + std::size_t{1}});
    }
  }

  [[nodiscard]] std::size_t next_escape(Layer layer, char mark, std::size_t at) const {
    for (; (at = text_.find(mark, at)) != std::string_view::npos; ++at) {
      if (hides_a_byte(layer, text_.substr(at))) return at;
    }
    return at;
  }

  // Answers up to where more text may join the region.
  std::size_t unescape(Layer layer, std::size_t first, std::size_t last, std::size_t line_end) {
    std::size_t begin = first - std::min(first, kMarginBefore);
    const std::size_t line = text_.substr(0, first).rfind('\n');
    const bool at_line = line != std::string_view::npos && line + 1 >= begin;
    if (at_line) begin = line + 1;
    const std::size_t end = std::min(line_end, last + kMarginAfter);
    const bool open = open_ && line_end == text_.size() &&
                      text_.size() - last <= kMarginBefore + kMarginAfter + kLongestEscape;
    Region region =
        decode_escapes(text_, layer, begin, end, open ? Ending::kMayGoOn : Ending::kEnds);
    region.cut_begin = begin > 0 && !at_line;
    region.cut_end = end < line_end;
    region.open = open;
    if (region.end < end) out_.undecided.push_back(region.end);
    out_.regions.push_back(std::move(region));
    return open && end == text_.size() ? end : 0;
  }

  // A first escape may follow, and a region reach back from it; or half of it is there.
  void open_escape(Layer layer, char mark) {
    const std::size_t reach = kMarginBefore + kLongestEscape;
    const std::size_t line = text_.rfind('\n');
    std::size_t begin = text_.size() - std::min(text_.size(), reach);
    if (line != std::string_view::npos && line >= begin) begin = line + 1;
    // Only source strings have escapes that make no region and yet stand for something else.
    const std::size_t from =
        layer == Layer::kEscapes
            ? begin
            : std::max(begin, text_.size() - std::min(text_.size(), kLongestEscape - 1));
    if (text_.find(mark, from) == std::string_view::npos) return;
    Region region = decode_escapes(text_, layer, begin, text_.size(), Ending::kMayGoOn);
    if (region.end < text_.size()) out_.undecided.push_back(region.end);
    region.open = true;
    region.unsure = true;
    out_.regions.push_back(std::move(region));
  }

  std::string_view text_;
  const ByteClasses& classes_;
  bool open_;
  Opened& out_;
  std::vector<std::pair<std::size_t, std::size_t>>& chain_;  // groups [begin, end)
  std::vector<std::uint32_t>& places_;                       // of its characters
  std::size_t first_;                                        // where chains are looked for
};

}  // namespace

std::string_view to_string(Layer layer) noexcept {
  switch (layer) {
    case Layer::kPlain: return "plain";
    case Layer::kBase64: return "base64";
    case Layer::kHex: return "hex";
    case Layer::kPercent: return "percent";
    case Layer::kHtml: return "html";
    case Layer::kEscapes: return "escapes";
  }
  return "plain";
}

std::size_t find_text(std::string_view decoded, Ending ending) {
  std::size_t run = 0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    run = is_printable(decoded[i]) ? run + 1 : 0;
    if (run >= kMinText) return i + 1 - kMinText;
  }
  return ending == Ending::kMayGoOn && run > 0 ? decoded.size() - run : std::string_view::npos;
}

bool begins_with_text(std::string_view decoded, std::size_t at) {
  return find_text(decoded.substr(at, kMinText), Ending::kEnds) == 0;
}

void open_encodings(std::string_view text, const EncodingHints& hints, Opened& out, Ending ending,
                    std::size_t floor) {
  out.regions.clear();
  out.opaque.clear();
  out.undecided.clear();
  Opener opener(text, ending, floor, out);
  opener.base64();
  opener.hex();
  if (hints.percent) opener.escapes(Layer::kPercent);
  if (hints.ampersand) opener.escapes(Layer::kHtml);
  if (hints.backslash) opener.escapes(Layer::kEscapes);
}

}  // namespace candor::dlp
