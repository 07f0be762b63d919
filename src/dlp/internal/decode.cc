#include "dlp/internal/decode.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace candor::dlp {
namespace {

struct Escape {
  std::size_t size = 0;  // 0: none begins here
  std::uint32_t point = 0;
  bool byte = false;  // point is a byte, not a code point
};

// Up to `most` digits of a base, at least one.
std::size_t number(std::string_view text, unsigned base, std::size_t most, std::uint32_t& value) {
  value = 0;
  std::size_t size = 0;
  while (size < std::min(most, text.size())) {
    const int digit = hex_value(text[size]);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) break;
    value = value * base + static_cast<std::uint32_t>(digit);
    ++size;
  }
  return size;
}

Escape percent(std::string_view rest) {
  std::uint32_t value = 0;
  if (rest[0] == '+') return {1, ' ', true};
  if (rest[0] != '%' || number(rest.substr(1), 16, 2, value) != 2) return {};
  return {3, value, true};
}

constexpr std::array<std::pair<std::string_view, char>, 26> kReferences = {{
    {"amp", '&'},    {"lt", '<'},     {"gt", '>'},     {"quot", '"'},     {"apos", '\''},
    {"nbsp", ' '},   {"commat", '@'}, {"period", '.'}, {"colon", ':'},    {"sol", '/'},
    {"lowbar", '_'}, {"num", '#'},    {"plus", '+'},   {"equals", '='},   {"lpar", '('},
    {"rpar", ')'},   {"hyphen", '-'}, {"dash", '-'},   {"ndash", '-'},    {"mdash", '-'},
    {"comma", ','},  {"semi", ';'},   {"Tab", '\t'},   {"NewLine", '\n'}, {"percnt", '%'},
    {"bsol", '\\'},
}};

Escape html(std::string_view rest) {
  if (rest[0] != '&' || rest.size() < 3) return {};
  Escape escape;
  std::size_t size = 0;
  if (rest[1] == '#') {
    const bool hex = rest[2] == 'x' || rest[2] == 'X';
    const std::size_t digits = hex ? number(rest.substr(3), 16, 6, escape.point)
                                   : number(rest.substr(2), 10, 7, escape.point);
    if (digits == 0 || escape.point == 0 || escape.point > 0x10FFFF) return {};
    size = (hex ? 3U : 2U) + digits;
  } else {
    const auto found = std::ranges::find_if(kReferences, [&](const auto& reference) {
      return rest.substr(1).starts_with(reference.first) &&
             rest.substr(1 + reference.first.size()).starts_with(';');
    });
    if (found == kReferences.end()) return {};
    escape.point = static_cast<unsigned char>(found->second);
    size = 1 + found->first.size();
  }
  escape.size = size + (rest.substr(size).starts_with(';') ? 1 : 0);
  return escape;
}

Escape backslash(std::string_view rest) {
  if (rest[0] != '\\' || rest.size() < 2) return {};
  switch (rest[1]) {
    case 'n': return {2, '\n', true};
    case 'r': return {2, '\r', true};
    case 't': return {2, '\t', true};
    case '"':
    case '\'':
    case '/':
    case '\\': return {2, static_cast<unsigned char>(rest[1]), true};
    case 'x': {
      std::uint32_t value = 0;
      if (number(rest.substr(2), 16, 2, value) != 2) return {};
      return {4, value, true};
    }
    case 'u': {
      std::uint32_t value = 0;
      if (rest.substr(2).starts_with('{')) {  // \u{1F600}
        const std::size_t digits = number(rest.substr(3), 16, 6, value);
        if (digits == 0 || value > 0x10FFFF || !rest.substr(3 + digits).starts_with('}')) return {};
        return {4 + digits, value};
      }
      if (number(rest.substr(2), 16, 4, value) != 4) return {};
      std::uint32_t low = 0;
      if (value >= 0xD800 && value < 0xDC00 && rest.substr(6).starts_with("\\u") &&
          number(rest.substr(8), 16, 4, low) == 4 && low >= 0xDC00 && low < 0xE000) {
        return {12, 0x10000 + ((value - 0xD800) << 10U) + (low - 0xDC00)};
      }
      if (value >= 0xD800 && value < 0xE000) return {};
      return {6, value};
    }
    default: return {};
  }
}

Escape escape_at(Layer layer, std::string_view rest) {
  switch (layer) {
    case Layer::kPercent: return percent(rest);
    case Layer::kHtml: return html(rest);
    case Layer::kEscapes: return backslash(rest);
    case Layer::kPlain:
    case Layer::kBase64:
    case Layer::kHex: break;
  }
  return {};
}

}  // namespace

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

bool looks_hex(std::string_view group) {
  return group.size() >= kMinEncoded || (!group.empty() && group.size() % 2 == 0);
}

bool utf8_like(std::string_view bytes) {
  std::size_t skipped = 0;
  while (!bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0xC0U) == 0x80 && skipped < 3) {
    bytes.remove_prefix(1);
    ++skipped;
  }
  for (std::size_t cut = 0; cut < 4 && cut <= bytes.size(); ++cut) {
    if (is_utf8(bytes.substr(0, bytes.size() - cut))) return true;
  }
  return false;
}

std::string decode_digits(std::string_view text, Layer layer,
                          std::span<const std::uint32_t> places) {
  std::string decoded;
  decoded.reserve(places.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const char digit = text[places[i]];
    if (layer == Layer::kHex) {
      bits = bits << 4U | static_cast<std::uint32_t>(hex_value(digit));
      if (i % 2 == 1) decoded += static_cast<char>(bits & 0xFFU);
    } else {
      bits = bits << 6U | static_cast<std::uint32_t>(base64_value(digit));
      if (i % 4 != 0) decoded += static_cast<char>(bits >> (6 - 2 * (i % 4)) & 0xFFU);
    }
  }
  return decoded;
}

Region region_of(Layer layer, std::span<const std::uint32_t> places, std::string decoded) {
  Region region;
  region.layer = layer;
  region.begin = region.first = places.front();
  region.end = places.back() + std::size_t{1};
  region.from.reserve(decoded.size());
  region.to.reserve(decoded.size());
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const std::size_t digit = digit_of_byte(layer, i);
    region.from.push_back(places[digit]);
    region.to.push_back(places[digit + 1] + 1);
  }
  region.decoded = std::move(decoded);
  return region;
}

bool hides_a_byte(Layer layer, std::string_view rest) {
  const Escape escape = escape_at(layer, rest);
  if (escape.size == 0) return false;
  return layer != Layer::kEscapes || !std::string_view("nrt").contains(rest[1]);
}

char escape_mark(Layer layer) {
  return layer == Layer::kPercent ? '%' : layer == Layer::kHtml ? '&' : '\\';
}

Region decode_escapes(std::string_view text, Layer layer, std::size_t begin, std::size_t end,
                      Ending ending) {
  Region region;
  region.layer = layer;
  region.begin = begin;
  region.end = end;
  std::optional<std::size_t> first;
  for (std::size_t at = begin; at < end;) {
    if (ending == Ending::kMayGoOn && text[at] == escape_mark(layer) &&
        text.size() - at < kLongestEscape) {
      region.end = at;
      break;
    }
    const Escape escape = escape_at(layer, text.substr(at));
    if (!first && escape.size > 0 && text[at] == escape_mark(layer)) first = at;
    const std::size_t before = region.decoded.size();
    const std::size_t size = std::max<std::size_t>(escape.size, 1);
    if (escape.size == 0) {
      region.decoded += text[at];
    } else if (escape.byte) {
      region.decoded += static_cast<char>(escape.point);
    } else {
      append_utf8(region.decoded, escape.point);
    }
    for (std::size_t i = before; i < region.decoded.size(); ++i) {
      region.from.push_back(static_cast<std::uint32_t>(at));
      region.to.push_back(static_cast<std::uint32_t>(at + size));
    }
    at += size;
  }
  region.first = first.value_or(region.end);
  return region;
}

}  // namespace candor::dlp
