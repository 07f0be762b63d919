#include "dlp/internal/literal_starts.h"

#include <algorithm>

namespace candor::dlp {

void LiteralStarts::add(const Literal& literal, std::uint32_t detector) {
  longest_ = std::max(longest_, literal.text.size());
  const std::size_t kind = literal.ignore_case ? 1 : 0;
  std::uint32_t& root = roots_[kind][static_cast<unsigned char>(letter(literal.text[0], kind))];
  if (literal.text.size() > 1) add_seconds(literal.text[0], literal.text[1], literal.ignore_case);
  std::uint32_t node = 0;
  for (std::size_t i = 0; i + 1 < literal.text.size(); ++i) {
    const char c = letter(literal.text[i], kind);
    std::uint32_t next = i == 0 ? root : child(node, c);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      if (i == 0) {
        root = next;
      } else {
        nodes_[node].next.emplace_back(c, next);
      }
    }
    node = next;
    std::vector<std::uint32_t>& users = nodes_[node].goes_on;
    if (users.empty() || users.back() != detector) users.push_back(detector);
  }
}

void LiteralStarts::add_seconds(char first, char second, bool ignore_case) {
  const auto other = [&](char c) {  // the same letter, in the other size
    const char small = letter(c, 1);
    return ignore_case && small >= 'a' && small <= 'z' ? static_cast<char>(c ^ ('a' - 'A')) : c;
  };
  for (const char one : {first, other(first)}) {
    seconds_[static_cast<unsigned char>(one)] |= bit_of(second) | bit_of(other(second));
  }
}

std::uint32_t LiteralStarts::child(std::uint32_t node, char c) const {
  for (const auto& [letter, next] : nodes_[node].next) {
    if (letter == c) return next;
  }
  return 0;
}

std::uint32_t LiteralStarts::walk(std::string_view rest, std::size_t kind) const {
  std::uint32_t node = roots_[kind][static_cast<unsigned char>(letter(rest[0], kind))];
  for (std::size_t i = 1; i < rest.size() && node != 0; ++i) {
    node = child(node, letter(rest[i], kind));
  }
  return node;
}

}  // namespace candor::dlp
