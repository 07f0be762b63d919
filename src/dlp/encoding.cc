#include "dlp/encoding.h"

#include <algorithm>

#include "dlp/internal/decode.h"

namespace candor::dlp {
namespace {

constexpr std::size_t kChunk = 65536, kChunkOverlap = 16384;  // characters, multiples of 4
constexpr std::size_t kMinText = 6;  // printable bytes in a row that decoded text has somewhere
constexpr std::size_t kMaxGap = 16;  // bytes of white space between groups

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

bool is_printable(char c) { return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t' || c == '\r'; }

bool holds_text(std::string_view decoded) {
  std::size_t run = 0;
  for (const char c : decoded) {
    run = is_printable(c) ? run + 1 : 0;
    if (run >= kMinText) return true;
  }
  return false;
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

// A word of the alphabet that prose does not have.
bool looks_encoded(std::string_view group) {
  if (group.size() >= kMinEncoded) return true;
  if (group.size() < 2) return false;
  const auto kind = [](char c) {
    return c >= 'a' && c <= 'z' ? 1 : c >= 'A' && c <= 'Z' ? 2 : c >= '0' && c <= '9' ? 3 : 4;
  };
  for (std::size_t i = 1; i < group.size(); ++i) {
    const int before = kind(group[i - 1]);
    const int here = kind(group[i]);
    if ((before == 1 && here == 2) || (here == 3) != (before == 3)) return true;
  }
  return group.size() <= 12 && group.size() % 4 == 0;
}

class Opener {
 public:
  Opener(std::string_view text, Opened& out) : text_(text), out_(out) {}

  void base64() {
    for (std::size_t at = 0; at < text_.size();) {
      if (base64_value(text_[at]) < 0) {
        ++at;
        continue;
      }
      at = base64_chain(at);
    }
  }

  void hex() {
    for (std::size_t at = 0; at < text_.size();) {
      if (hex_value(text_[at]) < 0) {
        ++at;
        continue;
      }
      at = hex_chain(at);
    }
  }

  void escapes(Layer layer) {
    const char mark = layer == Layer::kPercent ? '%' : layer == Layer::kHtml ? '&' : '\\';
    std::size_t at = 0;
    while ((at = next_escape(layer, mark, at)) != std::string_view::npos) {
      const std::size_t first = at;
      std::size_t last = at;
      std::size_t next = at;
      const std::size_t line_end = std::min(text_.find('\n', first), text_.size());
      while ((next = next_escape(layer, mark, last + 1)) < line_end &&
             next - last <= kMarginBefore + kMarginAfter) {
        last = next;
      }
      unescape(layer, first, last, line_end);
      at = last + 1;
    }
  }

 private:
  [[nodiscard]] std::size_t group_end(std::size_t at, int (*value)(char)) const {
    while (at < text_.size() && value(text_[at]) >= 0) ++at;
    return at;
  }

  // The chain of groups from `at` on; answers where to go on.
  std::size_t base64_chain(std::size_t at) {
    places_.clear();
    std::size_t end = at;
    for (std::size_t begin = at;;) {
      const std::size_t stop = group_end(begin, base64_value);
      if (stop == begin || !looks_encoded(text_.substr(begin, stop - begin))) {
        if (places_.empty()) return stop;
        break;
      }
      for (std::size_t i = begin; i < stop; ++i) {
        places_.push_back(static_cast<std::uint32_t>(i));
      }
      end = stop;
      if (end < text_.size() && text_[end] == '=') break;
      begin = skip_spaces(text_, end);
      if (begin == end || begin - end > kMaxGap) break;
    }
    if (places_.size() >= kMinEncoded) open_base64();
    return end;
  }

  void open_base64() {
    bool text = false;
    for (std::size_t chunk = 0; chunk < places_.size(); chunk += kChunk - kChunkOverlap) {
      const auto places =
          std::span(places_).subspan(chunk, std::min(kChunk, places_.size() - chunk));
      for (std::size_t shift = 0; shift < 4 && shift + 4 <= places.size(); ++shift) {
        Region region = decode_base64(text_, places.subspan(shift));
        if (shift == 0 && chunk == 0) text = is_text(region.decoded);
        if (!holds_text(region.decoded)) continue;
        region.cut_begin = chunk > 0;
        region.cut_end = chunk + kChunk < places_.size();
        if (shift == 0 && encoded_again(region.decoded)) text = false;
        out_.regions.push_back(std::move(region));
      }
      if (chunk + kChunk >= places_.size()) break;
    }
    if (!text && places_.size() >= kMinOpaque) {
      out_.opaque.push_back({Layer::kBase64, places_.front(), places_.back() + std::size_t{1}});
    }
  }

  std::size_t hex_chain(std::size_t at) {
    places_.clear();
    std::size_t end = at;
    for (std::size_t begin = at;;) {
      const std::size_t stop = group_end(begin, hex_value);
      if (stop == begin || (stop - begin) % 2 != 0) {
        if (places_.empty()) return stop;
        break;
      }
      for (std::size_t i = begin; i < stop; ++i) {
        places_.push_back(static_cast<std::uint32_t>(i));
      }
      end = stop;
      if (end < text_.size() && text_[end] == ':') {
        begin = end + 1;
      } else {
        begin = skip_spaces(text_, end);
        if (begin - end > kMaxGap) break;
      }
      if (begin == end) break;
    }
    if (places_.size() >= kMinEncoded) open_hex();
    return end;
  }

  void open_hex() {
    bool text = false;
    for (std::size_t chunk = 0; chunk < places_.size(); chunk += kChunk - kChunkOverlap) {
      const auto places =
          std::span(places_).subspan(chunk, std::min(kChunk, places_.size() - chunk));
      Region region = decode_hex(text_, places);
      if (chunk == 0) text = is_text(region.decoded) && !encoded_again(region.decoded);
      region.cut_begin = chunk > 0;
      region.cut_end = chunk + kChunk < places_.size();
      if (holds_text(region.decoded)) out_.regions.push_back(std::move(region));
      if (chunk + kChunk >= places_.size()) break;
    }
    if (!text && places_.size() >= kMinOpaque) {
      out_.opaque.push_back({Layer::kHex, places_.front(), places_.back() + std::size_t{1}});
    }
  }

  [[nodiscard]] std::size_t next_escape(Layer layer, char mark, std::size_t at) const {
    for (; (at = text_.find(mark, at)) != std::string_view::npos; ++at) {
      if (hides_a_byte(layer, text_.substr(at))) return at;
    }
    return at;
  }

  void unescape(Layer layer, std::size_t first, std::size_t last, std::size_t line_end) {
    std::size_t begin = first - std::min(first, kMarginBefore);
    const std::size_t line = text_.substr(0, first).rfind('\n');
    const bool at_line = line != std::string_view::npos && line + 1 >= begin;
    if (at_line) begin = line + 1;
    const std::size_t end = std::min(line_end, last + kMarginAfter);
    Region region = decode_escapes(text_, layer, begin, end);
    region.cut_begin = begin > 0 && !at_line;
    region.cut_end = end < line_end;
    out_.regions.push_back(std::move(region));
  }

  std::string_view text_;
  Opened& out_;
  std::vector<std::uint32_t> places_;
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

void open_encodings(std::string_view text, const EncodingHints& hints, Opened& out) {
  out.regions.clear();
  out.opaque.clear();
  Opener opener(text, out);
  opener.base64();
  opener.hex();
  if (hints.percent) opener.escapes(Layer::kPercent);
  if (hints.ampersand) opener.escapes(Layer::kHtml);
  if (hints.backslash) opener.escapes(Layer::kEscapes);
}

}  // namespace candor::dlp
