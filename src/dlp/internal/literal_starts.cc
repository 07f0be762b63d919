#include "dlp/internal/literal_starts.h"

#include <algorithm>

namespace candor::dlp {
namespace {

char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

void LiteralStarts::add(const Literal& literal, std::uint32_t detector) {
  longest_ = std::max(longest_, literal.text.size());
  std::uint32_t node = 0;
  for (std::size_t i = 0; i + 1 < literal.text.size(); ++i) {
    const char c = literal.ignore_case ? small(literal.text[i]) : literal.text[i];
    std::uint32_t next = 0;
    std::uint32_t& root = roots_[literal.ignore_case ? 1 : 0][static_cast<unsigned char>(c)];
    next = i == 0 ? root : child(node, c);
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

std::uint32_t LiteralStarts::child(std::uint32_t node, char c) const {
  for (const auto& [letter, next] : nodes_[node].next) {
    if (letter == c) return next;
  }
  return 0;
}

std::uint32_t LiteralStarts::walk(std::string_view rest, std::size_t kind) const {
  const auto letter = [&](char c) { return kind == 1 ? small(c) : c; };
  std::uint32_t node = roots_[kind][static_cast<unsigned char>(letter(rest[0]))];
  for (std::size_t i = 1; i < rest.size() && node != 0; ++i) node = child(node, letter(rest[i]));
  return node;
}

}  // namespace candor::dlp
