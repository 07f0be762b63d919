// Secrets: is it random enough to be one, and no placeholder, reference or name.
#include <algorithm>
#include <array>
#include <cmath>

#include "dlp/internal/decode.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Shannon's entropy of the bytes' frequencies, bits for each byte.
double entropy(std::string_view text) {
  std::array<unsigned, 256> count{};
  for (const char c : text) ++count[static_cast<unsigned char>(c)];
  double bits = 0;
  const auto size = static_cast<double>(text.size());
  for (const unsigned n : count) {
    if (n > 0) bits -= n / size * std::log2(n / size);
  }
  return bits;
}

std::string small_letters(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

constexpr std::array<std::string_view, 31> kPlaceholders = {
    "example",  "placeholder", "changeme", "change_me", "your", "xxxx",     "1234567890",
    "abcdefgh", "redacted",    "dummy",    "sample",    "todo", "insert",   "replace",
    "secret",   "password",    "passwd",   "undefined", "null", "none",     "token",
    "default",  "****",        "....",     "0000000",   "####", "test_key", "testtest",
    "qwerty",   "_here",       "deadbeef"};

bool is_placeholder(std::string_view value) {
  const std::string small = small_letters(value);
  return std::ranges::any_of(kPlaceholders,
                             [&](std::string_view word) { return small.contains(word); });
}

// The same character four times and more, or a run such as 12345 or abcde, over most of it.
bool is_monotonous(std::string_view value) {
  std::size_t steps = 0;
  for (std::size_t i = 1; i < value.size(); ++i) {
    const int step = value[i] - value[i - 1];
    if (step == 0 || step == 1 || step == -1) ++steps;
  }
  return steps * 2 > value.size();
}

// A key behind its own prefix: the form says what it is, so only what repeats itself is refused.
std::size_t token(std::string_view value) {
  if (is_monotonous(value)) return 0;
  const std::string small = small_letters(value);
  for (const std::string_view word :
       {"xxxxxx", "example", "your_", "your-", "00000000", "placeholder"}) {
    if (small.contains(word)) return 0;
  }
  return entropy(value) >= 2.5 ? value.size() : 0;
}

// Characters without a prefix of their own: a word, a path or a number is none.
std::size_t random_token(std::string_view value) {
  if (is_monotonous(value) || is_placeholder(value)) return 0;
  const bool digits = std::ranges::any_of(value, is_digit);
  const bool letters =
      std::ranges::any_of(value, [](char c) { return is_lower(c) || is_upper(c); });
  if (!digits || !letters) return 0;
  return entropy(value) >= 3.0 ? value.size() : 0;
}

// Hexadecimal, 32 digits and more.
std::size_t random_hex(std::string_view value) {
  if (is_monotonous(value)) return 0;
  const bool digits = std::ranges::any_of(value, is_digit);
  const bool letters =
      std::ranges::any_of(value, [](char c) { return is_lower(c) || is_upper(c); });
  return digits && letters && entropy(value) >= 2.8 ? value.size() : 0;
}

// A value that is assigned to a name such as `api_key`: no reference, call, path or word.
std::size_t assigned_secret(std::string_view value) {
  if (value.size() < 8 || is_monotonous(value) || is_placeholder(value)) return 0;
  if (std::string_view("$<{[%(@&*").contains(value[0])) return 0;
  for (const std::string_view mark :
       {"${", "{{", "://", "()", "](", "->", "::", "..", "\\n", "=="}) {
    if (value.contains(mark) && !(mark == "==" && value.ends_with("=="))) return 0;
  }
  std::size_t digits = 0;
  std::size_t lower = 0;
  std::size_t upper = 0;
  std::size_t marks = 0;
  for (const char c : value) {
    digits += is_digit(c) ? 1 : 0;
    lower += is_lower(c) ? 1 : 0;
    upper += is_upper(c) ? 1 : 0;
    marks += !is_digit(c) && !is_lower(c) && !is_upper(c) ? 1 : 0;
  }
  if (digits + lower + upper == 0) return 0;
  const int kinds = (digits > 0) + (lower > 0) + (upper > 0) + (marks > 0);
  if (digits == value.size()) return 0;
  // Names of things: lower_case, kebab-case, dotted.paths, CamelCase.
  if (digits == 0 && (kinds < 3 || marks > 2)) return 0;
  if (digits == 0 &&
      value.find_first_not_of("._-/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
          std::string_view::npos) {
    return 0;
  }
  const double bits = entropy(value);
  if (value.size() >= 20) return bits >= 3.3 && digits > 0 ? value.size() : 0;
  return kinds >= 2 && bits >= 2.6 ? value.size() : 0;
}

// A password chosen by people: weaker, but in its place between quotes or in a URL.
std::size_t password(std::string_view value) {
  if (value.size() < 4 || std::ranges::count(value, value[0]) == std::ssize(value)) return 0;
  if (std::string_view("$<{[%(*").contains(value[0])) return 0;
  std::string small = small_letters(value);
  while (small.ends_with(',') || small.ends_with(')')) small.pop_back();  // of code around it
  for (const std::string_view word :
       {"password", "passwd", "pass",  "pwd",         "example",  "changeme", "secret", "user",
        "xxx",      "token",  "your",  "placeholder", "redacted", "***",      "...",    "none",
        "null",     "true",   "false", "foo",         "bar",      "test"}) {
    if (small == word || (word.size() > 4 && small.contains(word))) return 0;
  }
  return value.size();
}

// RFC 7519: a header that decodes to JSON with "alg", then a payload.
std::size_t jwt(std::string_view value) {
  const std::size_t dot = value.find('.');
  if (dot == std::string_view::npos) return 0;
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i < dot; ++i) places.push_back(i);
  const std::string header = decode_digits(value, Layer::kBase64, places);
  return header.starts_with("{") && header.contains("\"alg\"") ? value.size() : 0;
}

constexpr std::array<NamedValidator, 6> kTable = {{{"token", token},
                                                   {"random_token", random_token},
                                                   {"random_hex", random_hex},
                                                   {"assigned_secret", assigned_secret},
                                                   {"password", password},
                                                   {"jwt", jwt}}};

}  // namespace

std::span<const NamedValidator> secret_validators() { return kTable; }

}  // namespace candor::dlp
