// What the end of a text that may go on can still become: the candidates that have no anchor yet,
// or half of one. Whatever has its anchor is tried by pass.cc, which notes where it meets the end;
// it comes second, since what begins where all is pending need not be tried.
#include <array>

#include "dlp/internal/pass.h"

namespace candor::dlp {
namespace {

constexpr auto kNever = [](Span, Span) { return false; };

}  // namespace

void Pass::open_end(const std::vector<DigitRun>& runs) {
  std::size_t after = 0;  // of the last digit
  if (!runs.empty()) {
    after = runs.back().begin + runs.back().length;
    if (after == text_.size()) open_digits(runs.back());
  }
  open_leads(after);
  for (const std::uint32_t detector : compiled_.inside_detectors) open_heads(detector);
  open_literals();
}

// A run whose length nobody knows yet: all that are not too short for it.
void Pass::open_digits(const DigitRun& run) {
  std::array<bool, 4> starts{};  // by boundary, where the run begins
  for (std::size_t kind = 0; kind < starts.size(); ++kind) {
    starts[kind] = starts_well(static_cast<Boundary>(kind), run.begin);
  }
  const auto try_it = [&](const CompiledBranch& branch, std::size_t begin) {
    if (run.length > branch.lead.max_run || !matters(branch.detector, begin)) return;
    const std::size_t before = out_.size();
    touched_ |= match_at(branch, begin);
    tried(branch.detector, begin, before);
  };
  const std::size_t reach = std::min<std::size_t>(compiled_.longest_offset, run.begin);
  for (std::size_t offset = reach; offset > 0; --offset) {
    const std::size_t begin = run.begin - offset;
    for (const std::uint32_t index : leads_at(begin)) {
      const CompiledBranch& branch = compiled_.branches[index];
      if (branch.lead.offset == offset) try_it(branch, begin);
    }
  }
  for (const std::uint32_t index :
       compiled_.digits_by_first[static_cast<unsigned char>(text_[run.begin])]) {
    const CompiledBranch& branch = compiled_.branches[index];
    const Boundary boundary = compiled_.detectors[branch.detector].boundary;
    if (branch.branch.marked || starts[static_cast<std::size_t>(boundary)]) {
      try_it(branch, run.begin);
    }
  }
}

// Where a run of digits may follow that has a fixed distance from the begin of its pattern.
void Pass::open_leads(std::size_t after) {
  const std::size_t reach = std::min(text_.size() - after, compiled_.longest_offset);
  const std::size_t last = std::min(text_.size(), pending_->at);
  for (std::size_t at = std::max(text_.size() - reach, pending_->floor); at < last; ++at) {
    for (const std::uint32_t index : leads_at(at)) {
      const CompiledBranch& branch = compiled_.branches[index];
      if (at + branch.lead.offset < text_.size()) continue;
      if (match_at(branch, at)) touched_ = true;
      if (!touched_) continue;
      touched_ = false;
      pending_->add(at);
      return;  // what follows lies behind
    }
  }
}

// What may stand before a literal of Anchor::kInside that has not come.
void Pass::open_heads(std::uint32_t detector) {
  const CompiledDetector& compiled = compiled_.compiled[detector];
  const Detector& described = compiled_.detectors[detector];
  if (!compiled.regexes.empty()) {
    pending_->add_between(text_.size() - std::min<std::size_t>(text_.size(), described.max_span),
                          text_.size());
  }
  if (compiled.heads.empty()) return;
  const std::size_t first = std::max(walk_back(detector, text_.size()), pending_->floor);
  const std::size_t last = std::min(text_.size(), pending_->at);
  for (std::size_t at = first; at < last; ++at) {
    if (!compiled.head_first.has(text_[at])) continue;
    for (const Head& head : compiled.heads) {
      if (!head.first.has(text_[at])) continue;
      if (!head.marked && !starts_well(described.boundary, at)) continue;
      BranchMatcher matcher(text_, head.branch, kNever);
      (void)matcher.match(at);
      if (!matcher.touched()) continue;
      pending_->add(at);
      return;
    }
  }
}

void Pass::open_literals() {
  compiled_.starts.at_end(text_, [&](std::size_t begin, std::uint32_t detector) {
    const Detector& described = compiled_.detectors[detector];
    if (described.anchor == Anchor::kInside) {
      pending_->add_between(walk_back(detector, begin), begin);
    } else {
      pending_->add(begin);
    }
  });
}

std::size_t Pass::walk_back(std::uint32_t detector, std::size_t literal) const {
  const CompiledDetector& compiled = compiled_.compiled[detector];
  const std::size_t earliest = literal - std::min(literal, compiled.head_max);
  std::size_t begin = literal;
  while (begin > earliest && compiled.head_set.has(text_[begin - 1])) --begin;
  return begin;
}

}  // namespace candor::dlp
