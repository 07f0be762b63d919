// One pass over a folded text: from anchors to matches that satisfy boundary, validator and
// context.
#pragma once

#include <algorithm>
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
  bool touched = false;  // what follows the text could have changed it
};

// Of a text that may go on: the first place, not before `floor`, from which something may still be
// found, or be found otherwise, when more has come. Starting there or later a candidate of this
// text means nothing yet; what starts before is final. It may lie too far in front, never behind.
struct Pending {
  static constexpr std::size_t kNothing = ~std::size_t{0};
  std::size_t floor = 0;
  std::size_t at = kNothing;
  void add(std::size_t place) {
    if (place >= floor && place < at) at = place;
  }
  // It begins somewhere in [first, last]; what begins before the floor is final.
  void add_between(std::size_t first, std::size_t last) {
    if (last >= floor) add(std::max(first, floor));
  }
};

class Pass {
 public:
  // floor: matches that begin before it are of no interest, and may be left out.
  // pending: for a text that may go on; null where it ends. Its floor is not before this one.
  Pass(const Compiled& compiled, std::string_view text, std::size_t floor,
       const Workspace& workspace, std::vector<std::uint64_t>& looked, std::vector<Match>& out,
       Pending* pending = nullptr)
      : compiled_(compiled),
        floor_(floor),
        text_(text),
        workspace_(workspace),
        looked_(looked),
        out_(out),
        pending_(pending) {}

  void run(const Swept& swept, const std::vector<LiteralHit>& hits);

 private:
  void digit_runs(const std::vector<DigitRun>& runs);
  void literal(const LiteralUse& use, std::size_t begin, std::size_t end);
  void inside(const CompiledBranch& branch, std::size_t literal);
  void near(std::uint32_t detector, std::size_t literal_end);
  void regexes(std::uint32_t detector, std::size_t begin, std::size_t end);
  bool match_at(const CompiledBranch& branch, std::size_t at);
  // Whether what begins there can mean anything yet. A trigger that has matched does in any case.
  [[nodiscard]] bool matters(std::uint32_t detector, std::size_t begin) const {
    return pending_ == nullptr || begin < pending_->at ||
           compiled_.detectors[detector].stream == StreamMode::kTrigger;
  }
  // After a look at what may begin in [first, last].
  void looked(std::size_t first, std::size_t last);
  // After all that was tried for one candidate at `begin`.
  void tried(std::uint32_t detector, std::size_t begin, std::size_t matches_before);
  // What the end of a text that may go on can become (pass_open.cc).
  void open_end(const std::vector<DigitRun>& runs);
  void open_digits(const DigitRun& run);
  [[nodiscard]] const std::vector<std::uint32_t>& leads_at(std::size_t at) const {
    return compiled_.leads_by_first[static_cast<unsigned char>(text_[at])];
  }
  void open_leads(std::size_t after);
  void open_heads(std::uint32_t detector);
  void open_literals();
  // What an organisation registered (pass_sets.cc).
  void sets();
  void values(std::uint32_t detector, const std::vector<Span>& words);
  void passages(std::uint32_t detector);
  [[nodiscard]] std::size_t walk_back(std::uint32_t detector, std::size_t literal) const;
  // A match counts: boundary, validator and context; adds it.
  bool accept(std::uint32_t detector, Span marked);
  [[nodiscard]] bool starts_well(Boundary boundary, std::size_t at) const;
  [[nodiscard]] bool ends_well(Boundary boundary, std::size_t at);
  [[nodiscard]] int confidence_of(std::uint32_t detector, Span place);
  [[nodiscard]] bool has_word(const std::vector<std::string>& words) const;
  void open_window(const Detector& detector, Span place);
  void count(std::uint32_t detector, std::size_t bytes) {
    if (!looked_.empty()) looked_[detector] += bytes;
  }

  const Compiled& compiled_;
  std::size_t floor_;
  std::string_view text_;
  const Workspace& workspace_;
  std::vector<std::uint64_t>& looked_;
  std::vector<Match>& out_;
  Pending* pending_;
  bool touched_ = false;  // since the last tried()
  // The context of the candidate at hand, in small letters, and as it stands in the text.
  std::string window_;
  std::string_view window_text_;
  std::size_t window_first_ = 0;  // words may begin from here on
};

}  // namespace candor::dlp
