// Finds what the loaded detectors recognise in a text.
//
// A pure function of the text: no state is kept between calls, and what is reported at a place
// depends on a bounded neighbourhood alone. So a stream guard that holds back as StreamMode says
// can scan windows of a stream's logical text and get what one scan of the whole would have given;
// that scan is the oracle (C15). For a finding [b, e) of the text as given:
//
//   - of a detector d in the plain layer, seen in folded text (fold.h) as [b', e'):
//     e' - b' <= d.max_span, and nothing outside
//     [b' - kContextBefore - d.max_span, e' + d.max_span + d.max_context_after + kBoundaryBytes)
//     decides whether it is reported (the second d.max_span is that of whatever could overlap it
//     and win; take the largest over all detectors). One folded byte stands for at most
//     kMaxFoldedBytes bytes of the text.
//   - in an encoded layer the same holds for the decoded text of its region, whose extent is local
//     too (encoding.h); under base64 and hex a finding begins with kMinText printable bytes.
//   - where two overlap, give_way() in internal/outlook.h decides by the two and by triggers alone.
//
// Scanner is immutable and may be shared by threads; each thread brings a Scratch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/encoding.h"

namespace candor::dlp {

struct Finding {
  std::uint32_t detector = 0;      // index into Scanner::detectors()
  std::size_t begin = 0, end = 0;  // bytes of the text as given, never inside a UTF-8 sequence
  int confidence = 0;              // 0 to 100
  Layer layer = Layer::kPlain;     // the encoding it was under
  bool operator==(const Finding&) const = default;
};

inline constexpr int kDefaultMinConfidence = 50;
struct Outlook;  // internal/outlook.h

class Scanner {
 public:
  struct Scratch;
  struct ScratchDeleter {
    void operator()(Scratch* scratch) const;
  };
  using ScratchPtr = std::unique_ptr<Scratch, ScratchDeleter>;

  // kInvalidArgument: two detectors of one id, a pattern that cannot be read or does not fit its
  // anchor, an unknown validator, or a detector below the floor of cost; the message names detector
  // and pattern.
  [[nodiscard]] static Result<Scanner> build(std::vector<Pack> packs);
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;
  ~Scanner();

  [[nodiscard]] const std::vector<Detector>& detectors() const noexcept;
  // Names what a stream guard could not decide in bounds (text.undecided); no scan finds it.
  [[nodiscard]] std::uint32_t undecided() const noexcept;
  [[nodiscard]] ScratchPtr make_scratch() const;  // used by one thread at a time

  // Replaces out by the findings in order of begin; none overlap. Texts up to 1 GiB. Hostile input
  // is expected; invalid UTF-8 is scanned as it is. Linear in the text but for the detectors' own
  // bounded windows.
  void scan(std::string_view text, Scratch& scratch, std::vector<Finding>& out,
            int min_confidence = kDefaultMinConfidence) const;
  [[nodiscard]] std::vector<Finding> scan(std::string_view text) const;  // for tests and tools

  // For StreamGuard. What is found in text, before overlaps are decided, where `context` is folded
  // text that stands before it and more may follow unless it ended; encodings that cannot be opened
  // are left out. text must begin where an earlier look said that all before is settled, and must
  // not end inside a UTF-8 sequence.
  void look(std::string_view context, std::string_view text, bool ended, Scratch& scratch,
            int min_confidence, Outlook& out) const;
  [[nodiscard]] std::size_t look_back() const noexcept;  // bytes of context that a finding needs
  [[nodiscard]] std::optional<std::uint32_t> opaque() const noexcept;

 private:
  struct State;
  explicit Scanner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace candor::dlp
