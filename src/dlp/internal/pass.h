// One pass over a folded text: from anchors to matches that satisfy boundary, validator and
// context.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/internal/compiled.h"
#include "dlp/internal/sweep.h"

namespace candor::dlp {

struct Match {
  std::uint32_t detector = 0;
  Span place;  // in the folded text
  int confidence = 0;
};

class Pass {
 public:
  Pass(const Compiled& compiled, std::string_view text, const Workspace& workspace,
       std::vector<std::uint64_t>& looked, std::vector<Match>& out)
      : compiled_(compiled), text_(text), workspace_(workspace), looked_(looked), out_(out) {}

  void run(const Swept& swept, const std::vector<LiteralHit>& hits);

 private:
  void digit_runs(const std::vector<DigitRun>& runs);
  void literal(const LiteralUse& use, std::size_t begin, std::size_t end);
  void inside(const CompiledBranch& branch, std::size_t literal);
  void near(std::uint32_t detector, std::size_t literal_end);
  void regexes(std::uint32_t detector, std::size_t begin, std::size_t end);
  bool match_at(const CompiledBranch& branch, std::size_t at);
  // A match counts: boundary, validator and context; adds it.
  bool accept(std::uint32_t detector, Span marked);
  [[nodiscard]] bool starts_well(Boundary boundary, std::size_t at) const;
  [[nodiscard]] bool ends_well(Boundary boundary, std::size_t at) const;
  [[nodiscard]] int confidence_of(std::uint32_t detector, Span place);
  [[nodiscard]] bool has_word(const std::vector<std::string>& words) const;
  void open_window(const Detector& detector, Span place);
  void count(std::uint32_t detector, std::size_t bytes) {
    if (!looked_.empty()) looked_[detector] += bytes;
  }

  const Compiled& compiled_;
  std::string_view text_;
  const Workspace& workspace_;
  std::vector<std::uint64_t>& looked_;
  std::vector<Match>& out_;
  // The context of the candidate at hand, in small letters, and as it stands in the text.
  std::string window_;
  std::string_view window_text_;
  std::size_t window_first_ = 0;  // words may begin from here on
};

}  // namespace candor::dlp
