#include "model/gate/template_text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::model::gate {
namespace {

constexpr std::size_t kMostPadding = 160;  // columns
constexpr std::size_t kMostEmptyLines = 24;

std::uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[at]));
  };
  switch (sequence.size()) {
    case 1: return byte(0);
    case 2: return ((byte(0) & 0x1FU) << 6U) | (byte(1) & 0x3FU);
    case 3: return ((byte(0) & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
    default:
      return ((byte(0) & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) |
             (byte(3) & 0x3FU);
  }
}

bool is_hidden(std::uint32_t code) {
  return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
         (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x034F || code == 0x061C ||
         code == 0x115F || code == 0x1160 || code == 0x17B4 || code == 0x17B5 ||
         (code >= 0x180B && code <= 0x180E) || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
         code == 0x3164 || (code >= 0xFE00 && code <= 0xFE0E) || code == 0xFEFF || code == 0xFFA0 ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE0FFF);
}

// The code point that "\u200b", "\x1b" or "\U000e0001" at the text's begin spells; 0: none.
std::uint32_t escaped(std::string_view text) {
  if (text.size() < 4 || text[0] != '\\') return 0;
  const std::size_t digits = text[1] == 'x' ? 2 : text[1] == 'u' ? 4 : text[1] == 'U' ? 8 : 0;
  if (digits == 0 || text.size() < 2 + digits) return 0;
  std::uint32_t code = 0;
  for (const char c : text.substr(2, digits)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return 0;
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  return code;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<HiddenPlace> hidden_places(std::string_view text) {
  std::vector<HiddenPlace> out;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  for (std::size_t at = 0; at < text.size() && out.size() < 8;) {
    const std::size_t length = std::max<std::size_t>(utf8_sequence(text.substr(at)), 1);
    std::uint32_t code = code_point(text.substr(at, length));
    if (code == '\\') {
      if (const std::uint32_t spelt = escaped(text.substr(at)); spelt != 0) code = spelt;
    }
    if (is_hidden(code)) out.push_back({line, column, fmt::format("U+{:04X}", code)});
    if (text[at] == '\n') {
      ++line;
      column = 1;
    } else {
      column += static_cast<std::uint32_t>(length);
    }
    at += length;
  }
  return out;
}

std::optional<HiddenPlace> padding_place(std::string_view text) {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::size_t run = 0;    // of white space on this line
  std::size_t empty = 0;  // lines
  for (const char c : text) {
    if (c == '\n') {
      if (run + 1 == column) ++empty;
      run = 0;
      ++line;
      column = 1;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
      ++run;
    } else {
      if (run > kMostPadding || empty > kMostEmptyLines) {
        return HiddenPlace{line, column,
                           fmt::format("behind {} empty lines and {} columns", empty, run)};
      }
      run = 0;
      empty = 0;
    }
    ++column;
  }
  return std::nullopt;
}

std::size_t letters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return is_letter(c) || static_cast<unsigned char>(c) >= 0x80; }));
}

bool is_marker(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  if (letters(text) == 0) return true;
  if (text.find(' ') != std::string_view::npos) return false;  // words are words in any brackets
  const bool open = text.front() == '<' || text.front() == '[' || text.front() == '{';
  const bool close = text.back() == '>' || text.back() == ']' || text.back() == '}';
  return open || close;
}

std::string prose_words(std::string_view text) {
  std::string out;
  std::size_t words = 0;
  std::size_t wide = 0;  // bytes of scripts that may write without spaces
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '<') {  // a special token
      const std::size_t end = text.find('>', at);
      if (end != std::string_view::npos && end - at <= 48 &&
          text.substr(at, end - at).find(' ') == std::string_view::npos) {
        at = end + 1;
        continue;
      }
    }
    std::size_t end = at;
    while (end < text.size() && (is_letter(text[end]) || text[end] == '\'' ||
                                 static_cast<unsigned char>(text[end]) >= 0x80)) {
      if (static_cast<unsigned char>(text[end]) >= 0x80) ++wide;
      ++end;
    }
    if (end == at) {
      ++at;
      continue;
    }
    if (end - at >= 2 || c == 'a' || c == 'I') {
      if (!out.empty()) out.push_back(' ');
      std::ranges::transform(text.substr(at, end - at), std::back_inserter(out), lower);
      ++words;
    }
    at = end;
  }
  return words >= 4 || wide >= 18 ? out : std::string();
}

bool gives_suspicious_order(std::string_view words, std::string_view text) {
  static constexpr auto kOrders = std::to_array<std::string_view>(
      {"ignore previous",    "ignore all",       "ignore the user",
       "disregard",          "do not tell",      "don't tell",
       "never tell",         "do not mention",   "don't mention",
       "never mention",      "do not reveal",    "don't reveal",
       "never reveal",       "do not disclose",  "never disclose",
       "secretly",           "covertly",         "without telling",
       "without mentioning", "always recommend", "always insert",
       "always include",     "subtly",           "insert a vulnerability",
       "backdoor",           "pretend to",       "hide this",
       "keep this secret",   "exfiltrate",       "send the conversation",
       "password",           "credential",       "api key",
       "administrator mode", "developer mode",   "jailbreak",
       "unrestricted",       "no restrictions",  "bypass"});
  if (std::ranges::any_of(kOrders, [words](std::string_view order) {
        return words.find(order) != std::string_view::npos;
      })) {
    return true;
  }
  return text.find("http://") != std::string_view::npos ||
         text.find("https://") != std::string_view::npos;
}

bool is_python_inside(std::string_view name) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"mro",     "func_globals", "func_code", "gi_frame",   "gi_code",  "cr_frame",
       "cr_code", "f_globals",    "f_locals",  "f_builtins", "tb_frame", "im_func",
       "im_self", "os",           "popen",     "subprocess", "eval",     "exec",
       "compile", "globals",      "builtins",  "sys",        "environ",  "config_class"});
  return std::ranges::find(kNames, name) != kNames.end() ||
         (name.find("__") != std::string_view::npos && letters(name) > 2);
}

}  // namespace candor::model::gate
