// E-mail, telephone, network addresses, dates of birth, postal codes.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "dlp/internal/check_digits.h"
#include "dlp/top_level_domains.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals_word(std::string_view text, std::string_view small) {
  return std::ranges::equal(text, small, {}, lower);
}

// Endings of files and units that are written behind an @ and are no top-level domains.
constexpr std::array<std::string_view, 30> kNoDomains = {
    "png",   "jpg",   "jpeg",   "gif",  "svg",   "webp", "css",       "js",     "ts",    "json",
    "html",  "htm",   "xml",    "php",  "asp",   "txt",  "service",   "socket", "timer", "target",
    "mount", "slice", "device", "path", "scope", "swap", "automount", "tar",    "gz",    "patch"};

// RFC 5321 section 4.1.2 (dot-string) and RFC 1123 section 2.1 (host names).
std::size_t email(std::string_view value) {
  const std::size_t at = value.find('@');
  if (at == std::string_view::npos || at == 0 || at > 128) return 0;
  const std::string_view local = value.substr(0, at);
  if (local.front() == '.' || local.back() == '.' || local.contains("..")) return 0;
  std::string_view domain = value.substr(at + 1);
  // What ends a sentence or a label is no part of the name.
  for (;;) {
    const std::size_t last = domain.rfind('.');
    if (last == std::string_view::npos || last == 0) return 0;
    if (const std::size_t size = international_top_level(domain.substr(last + 1)); size > 0) {
      domain = domain.substr(0, last + 1 + size);
      break;
    }
    while (!domain.empty() && !is_alnum(domain.back())) domain.remove_suffix(1);
    const std::size_t dot = domain.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return 0;
    const std::string_view top = domain.substr(dot + 1);
    const bool idn = top.size() > 4 && equals_word(top.substr(0, 4), "xn--");
    if (top.size() >= 2 && top.size() <= 63 && (idn || std::ranges::all_of(top, is_letter))) break;
    domain = domain.substr(0, dot);  // john@example.com.123
  }
  const std::string_view top = domain.substr(domain.rfind('.') + 1);
  if (std::ranges::any_of(kNoDomains, [&](auto word) { return equals_word(top, word); })) return 0;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= domain.size(); ++i) {
    if (i < domain.size() && domain[i] != '.') continue;
    const std::string_view name = domain.substr(label, i - label);
    if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return 0;
    label = i + 1;
  }
  if (equals_word(local, "git")) return 0;  // git@host:path
  return at + 1 + domain.size();
}

// ITU-T E.164: the assigned country codes of 2 and 3 digits begin with these; 1 and 7 stand alone.
constexpr std::string_view kTwoDigitCodes =
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 "
    "65 66 81 82 84 86 90 91 92 93 94 95 98";

struct CodeLengths {
  std::string_view code;
  std::size_t min, max;  // digits behind the code
};
// Where the national plan is short or strict (ITU operational bulletins); others take 5 to 12.
constexpr std::array<CodeLengths, 22> kLengths = {
    {{"1", 10, 10}, {"7", 10, 10}, {"20", 8, 10},  {"27", 9, 9},  {"30", 10, 10}, {"31", 9, 9},
     {"32", 8, 9},  {"33", 9, 9},  {"34", 9, 9},   {"39", 6, 11}, {"41", 9, 9},   {"44", 9, 10},
     {"45", 8, 8},  {"47", 8, 8},  {"48", 9, 9},   {"49", 6, 11}, {"52", 10, 10}, {"55", 10, 11},
     {"61", 9, 9},  {"81", 9, 10}, {"86", 10, 11}, {"91", 10, 10}}};

bool is_e164(std::string_view digits) {
  if (digits.size() < 8 || digits.size() > 15 || digits[0] == '0') return false;
  std::size_t code = 3;
  if (digits[0] == '1' || digits[0] == '7') {
    code = 1;
  } else if (kTwoDigitCodes.contains(std::string(digits.substr(0, 2)) + " ") ||
             digits.substr(0, 2) == "98") {
    code = 2;
  } else if (!std::string_view("2345689").contains(digits[0])) {
    return false;
  }
  std::string_view national = digits.substr(code);
  for (const CodeLengths& lengths : kLengths) {
    if (lengths.code != digits.substr(0, code)) continue;
    // "+44 (0)20 ...": the national prefix is often written too.
    if (national.starts_with('0') && lengths.code != "39") national.remove_prefix(1);
    if (lengths.code == "1" && (national.size() != 10 || national[0] < '2' || national[3] < '2')) {
      return false;
    }
    return national.size() >= lengths.min && national.size() <= lengths.max;
  }
  return national.size() >= 5 && national.size() <= 12;
}

// The longest beginning, cut before a separator or at the end, whose digits satisfy ok.
template <typename Ok>
std::size_t longest(std::string_view value, const Ok& ok) {
  for (std::size_t end = value.size(); end > 0; --end) {
    if (!is_digit(value[end - 1]) || (end < value.size() && is_digit(value[end]))) continue;
    if (ok(digits_of(value.substr(0, end)))) return end;
  }
  return 0;
}

// The same; what stands behind "x" or "ext" is an extension and belongs to a number that is whole.
template <typename Ok>
std::size_t with_extension(std::string_view value, const Ok& ok) {
  const std::size_t letter = value.find_first_of("xXeE");
  if (letter == std::string_view::npos) return longest(value, ok);
  std::string_view number = value.substr(0, letter);
  while (number.ends_with(' ')) number.remove_suffix(1);
  return longest(number, ok) == number.size() && !number.empty() ? value.size() : 0;
}

// ISO 6709: a place as degrees and minutes, "+4612-05957" (tables of time zones).
bool is_place(std::string_view value) {
  const std::size_t sign = value.find('-');
  if (!value.starts_with('+') || (sign != 5 && sign != 7) || value.size() < 2 * sign + 1)
    return false;
  return digits_of(value.substr(1, sign - 1)).size() == sign - 1 &&
         digits_of(value.substr(sign + 1, sign)).size() == sign;
}

std::size_t phone_e164(std::string_view value) {
  if (is_place(value)) return 0;
  return with_extension(value, [](const std::string& digits) {
    const bool dialled = digits.starts_with("00");
    return is_e164(std::string_view(digits).substr(dialled ? 2 : 0));
  });
}

// North American Numbering Plan: NXX-NXX-XXXX, no N11 as area code.
std::size_t phone_nanp(std::string_view value) {
  std::string digits = digits_of(value);
  if (digits.size() == 11 && digits[0] == '1') digits.erase(0, 1);
  if (digits.size() != 10) return 0;
  if (digits[0] < '2' || digits[3] < '2') return 0;
  if (digits[1] == '1' && digits[2] == '1') return 0;
  return all_same(digits) ? 0 : value.size();
}

// In context: 7 to 13 digits that are no date; a day and a time are no number either.
std::size_t phone_national(std::string_view value) {
  const bool year_first = value.size() >= 8 &&
                          (value.starts_with("19") || value.starts_with("20")) &&
                          (value[4] == '-' || value[4] == '/' || value[4] == '.');
  if (year_first && value[7] == value[4]) return 0;
  return with_extension(value, [](const std::string& digits) {
    return digits.size() >= 7 && digits.size() <= 15 && !all_same(digits);
  });
}

std::size_t ipv4(std::string_view value) {
  int parts = 0;
  const char* at = value.data();
  const char* const end = value.data() + value.size();
  std::array<int, 4> numbers{};
  while (at < end && parts < 4) {
    int number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number > 255 || next - at > 3 || (next - at > 1 && *at == '0')) {
      return 0;
    }
    numbers[static_cast<unsigned>(parts++)] = number;
    at = next < end && *next == '.' ? next + 1 : next;
  }
  // 0.x is no host, and most dotted quads of small numbers are versions.
  if (parts != 4 || numbers[0] == 0) return 0;
  return value.size();
}

// RFC 4291 section 2.2.
std::size_t ipv6(std::string_view value) {
  while (value.ends_with(':') && !value.ends_with("::")) value.remove_suffix(1);
  const std::size_t gap = value.find("::");
  if (gap != std::string_view::npos && value.substr(gap + 1).contains("::")) return 0;
  std::size_t groups = 0;
  for (std::size_t i = 0; i < value.size();) {
    if (value[i] == ':') {
      ++i;
      continue;
    }
    std::size_t size = 0;
    while (i + size < value.size() &&
           std::isxdigit(static_cast<unsigned char>(value[i + size])) != 0) {
      ++size;
    }
    if (size == 0 || size > 4) {
      const std::size_t quad = value.rfind(':') + 1;
      if (ipv4(value.substr(quad)) == 0) return 0;
      groups += 2;
      break;
    }
    if (value.substr(i + size).starts_with('.')) {
      if (ipv4(value.substr(i)) == 0) return 0;
      groups += 2;
      break;
    }
    ++groups;
    i += size;
  }
  if (gap == std::string_view::npos) return groups == 8 ? value.size() : 0;
  // "a::b" in code and "12::30" are no addresses; ::1 and fe80::1 are.
  if (groups == 0 || groups > 7 || value.size() < 3) return 0;
  if (groups < 3 && !value.starts_with("::1") && !value.starts_with("fe80") &&
      !value.starts_with("2001") && !value.starts_with("2a") && !value.starts_with("fd") &&
      !value.starts_with("fc") && !value.starts_with("2606") && !value.starts_with("2620")) {
    return 0;
  }
  return value.size();
}

// RFC 3986: a host with a name under a top-level domain, or an address; what ends a sentence or a
// bracket around the address is no part of it.
std::size_t url(std::string_view value) {
  const std::size_t scheme = value.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  std::size_t end = value.size();
  for (; end > start; --end) {
    const char last = value[end - 1];
    const std::string_view kept = value.substr(0, end);
    if (last == ')' && std::ranges::count(kept, '(') >= std::ranges::count(kept, ')')) break;
    if (last == ']' && kept.contains("[")) break;
    if (!std::string_view(".,;:!?)]*_~$").contains(last)) break;
  }
  std::string_view host = value.substr(start, end - start);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos)
    host = host.substr(at + 1);
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    return close != std::string_view::npos && ipv6(host.substr(1, close - 1)) > 0 ? end : 0;
  }
  const std::size_t port = host.find(':');
  if (port != std::string_view::npos && !std::ranges::all_of(host.substr(port + 1), is_digit))
    return 0;
  host = host.substr(0, port);
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::size_t dot = host.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return 0;
  if (ipv4(host) > 0) return end;
  const std::string_view top = host.substr(dot + 1);
  const auto of_a_name = [](char c) {
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || is_high(c);
  };
  if (!std::ranges::all_of(host, of_a_name) || host.contains("..")) return 0;
  const bool named = top.size() >= 2 && (is_letter(top[0]) || is_high(top[0])) &&
                     (std::ranges::all_of(top, [](char c) { return is_letter(c) || is_high(c); }) ||
                      top.starts_with("xn--"));
  return named ? end : 0;
}

// IEEE 802: six groups of one separator; not the broadcast and the empty address.
std::size_t mac(std::string_view value) {
  if (value.size() != 17) return 0;
  const std::string digits = alnum_of(value);
  if (all_same(digits)) return 0;
  const char separator = value[2];
  for (std::size_t i = 2; i < value.size(); i += 3) {
    if (value[i] != separator) return 0;
  }
  return value.size();
}

int month_of(std::string_view word) {
  constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                        "jul", "aug", "sep", "oct", "nov", "dec"};
  constexpr std::array<std::pair<std::string_view, int>, 8> kOthers = {{{"mai", 5},
                                                                        {"mae", 3},
                                                                        {"okt", 10},
                                                                        {"dez", 12},
                                                                        {"maj", 5},
                                                                        {"mei", 5},
                                                                        {"ene", 1},
                                                                        {"abr", 4}}};
  if (word.size() < 3) return 0;
  const std::string_view start = word.substr(0, 3);
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (equals_word(start, kMonths[i])) return static_cast<int>(i) + 1;
  }
  for (const auto& [name, month] : kOthers) {
    if (equals_word(start, name)) return month;
  }
  return 0;
}

// A date on which somebody may have been born: 1900 to 2029, in any common order.
std::size_t birth_date(std::string_view value) {
  std::array<int, 3> numbers{};
  std::array<std::size_t, 3> sizes{};
  std::size_t count = 0;
  int month = 0;
  for (std::size_t i = 0; i < value.size();) {
    std::size_t size = 0;
    if (is_digit(value[i])) {
      int number = 0;
      while (i + size < value.size() && is_digit(value[i + size])) {
        number = size < 4 ? number * 10 + digit(value[i + size]) : number;
        ++size;
      }
      if (count == 3 || size > 4) return 0;
      numbers[count] = number;
      sizes[count++] = size;
    } else if (is_letter(value[i])) {
      while (i + size < value.size() && is_letter(value[i + size])) ++size;
      if (const int found = month_of(value.substr(i, size)); found != 0) month = found;
    } else {
      size = 1;
    }
    i += size;
  }
  const auto year = [](int number, std::size_t size) {
    return size == 2 ? number + (number < 30 ? 2000 : 1900) : number;
  };
  const auto born = [](int y, int m, int d) { return y >= 1900 && y < 2030 && is_date(y, m, d); };
  bool good = false;
  if (month != 0 && count == 2) {
    good = born(year(numbers[1], sizes[1]), month, numbers[0]);
  } else if (count == 3 && sizes[0] == 4) {
    good = born(numbers[0], numbers[1], numbers[2]);
  } else if (count == 3) {
    const int y = year(numbers[2], sizes[2]);
    good = born(y, numbers[1], numbers[0]) || born(y, numbers[0], numbers[1]);
  }
  return good ? value.size() : 0;
}

constexpr std::array<NamedValidator, 9> kTable = {{{"email", email},
                                                   {"phone_e164", phone_e164},
                                                   {"phone_nanp", phone_nanp},
                                                   {"phone_national", phone_national},
                                                   {"ipv4", ipv4},
                                                   {"ipv6", ipv6},
                                                   {"url", url},
                                                   {"mac", mac},
                                                   {"birth_date", birth_date}}};

}  // namespace

std::span<const NamedValidator> contact_validators() { return kTable; }

}  // namespace candor::dlp
