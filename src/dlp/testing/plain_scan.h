// The scan as its definitions say, without a short cut: every pattern at every place that its
// anchor allows, every encoding found byte by byte. Slow and obvious, it stands apart from
// internal/pass.cc and encoding.cc: the oracle that Scanner::scan is held against, and the half of
// the benchmark's rival that turns candidates into findings. Only what says what a pattern, a
// validator and a decoded byte are is shared.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dlp/scanner.h"

namespace candor::dlp {

struct Compiled;

class PlainScan {
 public:
  // Says of a text (folded, or decoded and folded) which detectors may find anything there.
  using Wanted = std::function<void(std::string_view text, std::vector<char>& by_detector)>;

  [[nodiscard]] static Result<PlainScan> build(std::vector<Pack> packs);
  PlainScan(PlainScan&&) noexcept;
  ~PlainScan();

  // What Scanner::scan gives. wanted: none, every detector is asked everywhere.
  [[nodiscard]] std::vector<Finding> scan(std::string_view text,
                                          int min_confidence = kDefaultMinConfidence,
                                          const Wanted& wanted = {}) const;

 private:
  struct State;
  explicit PlainScan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace candor::dlp
