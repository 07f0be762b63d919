// Which literals the end of an open text may be the beginning of.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "dlp/internal/vectorscan.h"

namespace candor::dlp {

class LiteralStarts {
 public:
  void add(const Literal& literal, std::uint32_t detector);
  [[nodiscard]] std::size_t longest() const { return longest_; }

  // Calls found(begin, detector) for every [begin, text.size()) that a longer literal begins with.
  template <typename Found>
  void at_end(std::string_view text, const Found& found) const {
    const std::size_t reach = longest_ > 0 ? longest_ - 1 : 0;
    for (std::size_t begin = text.size() - std::min(text.size(), reach); begin < text.size();
         ++begin) {
      const std::uint64_t seconds = seconds_[static_cast<unsigned char>(text[begin])];
      if (seconds == 0) continue;
      if (begin + 1 < text.size() && (seconds & bit_of(text[begin + 1])) == 0) continue;
      for (std::size_t kind = 0; kind < 2; ++kind) {
        const std::uint32_t node = walk(text.substr(begin), kind);
        if (node == 0) continue;
        for (const std::uint32_t detector : nodes_[node].goes_on) found(begin, detector);
      }
    }
  }

 private:
  struct Node {
    std::vector<std::pair<char, std::uint32_t>> next;
    std::vector<std::uint32_t> goes_on;  // detectors with a longer literal through here
  };
  static char letter(char c, std::size_t kind) {
    return kind == 1 && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  static std::uint64_t bit_of(char c) { return 1ULL << (static_cast<unsigned char>(c) & 63U); }
  void add_seconds(char first, char second, bool ignore_case);
  [[nodiscard]] std::uint32_t walk(std::string_view rest, std::size_t kind) const;
  [[nodiscard]] std::uint32_t child(std::uint32_t node, char c) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<std::array<std::uint32_t, 256>, 2> roots_{};  // as written; in small letters
  // Of each first letter, bit_of() what may follow it in a literal of more than one letter: most
  // places are nobody's beginning and need no walk.
  std::array<std::uint64_t, 256> seconds_{};
  std::size_t longest_ = 0;
};

}  // namespace candor::dlp
