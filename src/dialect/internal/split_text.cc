#include "dialect/internal/split_text.h"

#include <array>
#include <utility>
#include <vector>

#include "base/text.h"

namespace candor::dialect {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// How many bytes the sequence that starts with this byte has; 0 if none starts with it.
std::size_t sequence_length(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// True if text (1 to 3 bytes) is the beginning of at least one well-formed sequence.
bool is_prefix(std::string_view text) {
  const std::size_t length = sequence_length(byte_at(text, 0));
  if (length <= text.size()) return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((byte_at(text, i) & 0xC0U) != 0x80) return false;
  }
  if (text.size() < 2) return true;
  const unsigned lead = byte_at(text, 0);
  const unsigned second = byte_at(text, 1);
  return !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F) &&
         !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
}

bool is_surrogate(std::string_view text, unsigned low, unsigned high) {
  return text.size() >= 3 && byte_at(text, 0) == 0xED && byte_at(text, 1) >= low &&
         byte_at(text, 1) <= high && (byte_at(text, 2) & 0xC0U) == 0x80;
}
bool is_high(std::string_view text) { return is_surrogate(text, 0xA0, 0xAF); }
bool is_low(std::string_view text) { return is_surrogate(text, 0xB0, 0xBF); }

unsigned surrogate_bits(std::string_view text) {
  return ((byte_at(text, 1) & 0x0FU) << 6U) | (byte_at(text, 2) & 0x3FU);
}

void append_pair(std::string& out, std::string_view high, std::string_view low) {
  const unsigned point = 0x10000U + (surrogate_bits(high) << 10U) + surrogate_bits(low);
  out += static_cast<char>(0xF0U | (point >> 18U));
  out += static_cast<char>(0x80U | ((point >> 12U) & 0x3FU));
  out += static_cast<char>(0x80U | ((point >> 6U) & 0x3FU));
  out += static_cast<char>(0x80U | (point & 0x3FU));
}

void append_surrogate(std::string& out, unsigned unit) {
  out += static_cast<char>(0xED);
  out += static_cast<char>(0x80U | ((unit >> 6U) & 0x3FU));
  out += static_cast<char>(0x80U | (unit & 0x3FU));
}

// The value of \uXXXX at i, or -1.
int escape_at(std::string_view text, std::size_t i) {
  if (i + 6 > text.size() || text[i] != '\\' || text[i + 1] != 'u') return -1;
  int value = 0;
  for (std::size_t k = i + 2; k < i + 6; ++k) {
    const char c = text[k];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = (value * 16) + digit;
  }
  return value;
}

struct LooseEnds {
  std::string head;
  std::string tail;
};

// Rewrites one string's inside (between the quotes) and takes its loose ends off.
void clean_string(std::string_view inside, std::string& out, LooseEnds& loose) {
  std::size_t i = 0;
  bool at_start = true;
  const auto lost = [&](std::string_view bytes) {
    if (at_start && loose.head.size() + bytes.size() <= 6) {
      loose.head += bytes;
    } else {
      out += kReplacement;
      at_start = false;
    }
  };
  while (i < inside.size()) {
    if (inside[i] == '\\') {
      const int unit = escape_at(inside, i);
      if (unit >= 0xD800 && unit <= 0xDFFF) {
        const int next = escape_at(inside, i + 6);
        if (unit < 0xDC00 && next >= 0xDC00 && next <= 0xDFFF) {
          out += inside.substr(i, 12);
          at_start = false;
          i += 12;
          continue;
        }
        i += 6;
        std::string bytes;
        append_surrogate(bytes, static_cast<unsigned>(unit));
        if (unit < 0xDC00 && i == inside.size()) {
          loose.tail = bytes;
        } else if (unit >= 0xDC00) {
          lost(bytes);
        } else {
          out += kReplacement;
          at_start = false;
        }
        continue;
      }
      out += inside.substr(i, 2);
      i += 2;
      at_start = false;
      continue;
    }
    if (const std::size_t length = utf8_sequence(inside.substr(i, 4))) {
      out += inside.substr(i, length);
      i += length;
      at_start = false;
      continue;
    }
    const std::string_view rest = inside.substr(i);
    if (rest.size() < 4 && is_prefix(rest)) {
      loose.tail = rest;
      return;
    }
    if ((byte_at(inside, i) & 0xC0U) == 0x80) {
      lost(inside.substr(i, 1));
    } else {
      out += kReplacement;
      at_start = false;
    }
    ++i;
  }
}

// Copies payload with its strings cleaned; loose[n] belongs to the n-th string of the text.
std::string clean_payload(std::string_view payload,
                          std::vector<std::pair<std::size_t, LooseEnds>>& loose) {
  std::string out;
  out.reserve(payload.size());
  std::size_t strings = 0;
  std::size_t i = 0;
  while (i < payload.size()) {
    out += payload[i];
    if (payload[i++] != '"') continue;
    std::size_t end = i;
    while (end < payload.size() && payload[end] != '"') end += payload[end] == '\\' ? 2 : 1;
    if (end >= payload.size()) {  // no closing quote: parsing will refuse it
      out += payload.substr(i);
      return out;
    }
    LooseEnds ends;
    clean_string(payload.substr(i, end - i), out, ends);
    if (!ends.head.empty() || !ends.tail.empty()) loose.emplace_back(strings, std::move(ends));
    ++strings;
    out += '"';
    i = end + 1;
  }
  return out;
}

// Puts loose ends back, walking strings in the order of the text.
class Restorer {
 public:
  explicit Restorer(const std::vector<std::pair<std::size_t, LooseEnds>>& loose) : loose_(loose) {}

  void walk(json::Value& value) {
    if (auto* object = value.if_object()) {
      for (auto& member : *object) {
        take();  // the key
        walk(member.value());
      }
    } else if (auto* array = value.if_array()) {
      for (json::Value& item : *array) walk(item);
    } else if (auto* text = value.if_string()) {
      if (const LooseEnds* ends = take()) {
        const std::string whole = ends->head + std::string(text->data(), text->size()) + ends->tail;
        text->assign(whole.data(), whole.size());
      }
    }
  }

 private:
  const LooseEnds* take() {
    const std::size_t number = strings_++;
    if (next_ == loose_.size() || loose_[next_].first != number) return nullptr;
    return &loose_[next_++].second;
  }

  const std::vector<std::pair<std::size_t, LooseEnds>>& loose_;
  std::size_t next_ = 0;
  std::size_t strings_ = 0;
};

}  // namespace

Result<json::Value> parse_pieces(std::string_view payload, const json::Limits& limits) {
  Result<json::Value> value = json::parse(payload, limits);
  if (value || payload.size() > limits.max_bytes) return value;
  std::vector<std::pair<std::size_t, LooseEnds>> loose;
  const std::string clean = clean_payload(payload, loose);
  if (clean == payload) return value;  // refused for another reason
  json::Limits wider = limits;
  wider.max_bytes = clean.size();
  Result<json::Value> second = json::parse(clean, wider);
  if (second) Restorer(loose).walk(*second);
  return second;
}

std::string TextAssembler::feed(std::string_view piece) {
  if (held_.empty() && is_utf8(piece)) return std::string(piece);
  std::string all = std::exchange(held_, {});
  all += piece;
  std::string out;
  out.reserve(all.size());
  std::string_view rest = all;
  while (!rest.empty()) {
    if (const std::size_t length = utf8_sequence(rest.substr(0, 4))) {
      out += rest.substr(0, length);
      rest.remove_prefix(length);
    } else if (is_high(rest)) {
      const std::string_view after = rest.substr(3);
      if (is_low(after)) {
        append_pair(out, rest, after);
        rest.remove_prefix(6);
      } else if (after.empty()) {
        held_ = rest;
        return out;
      } else {
        out += kReplacement;
        rest.remove_prefix(3);
      }
    } else if (is_low(rest)) {
      out += kReplacement;
      rest.remove_prefix(3);
    } else if (rest.size() < 4 && is_prefix(rest)) {
      held_ = rest;
      return out;
    } else {
      out += kReplacement;
      rest.remove_prefix(1);
    }
  }
  return out;
}

std::string TextAssembler::flush() {
  if (held_.empty()) return {};
  held_.clear();
  return std::string(kReplacement);
}

}  // namespace candor::dialect
