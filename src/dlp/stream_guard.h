// Reads one logical text field of an answer as it streams (its content, its reasoning, one tool
// call's arguments, ...) and settles it from the front: text that is no finding, and findings
// (C5). A guard for each field; pieces may be cut anywhere, also inside a UTF-8 sequence.
//
// Promised, for every way to cut a text into pieces:
//   - the parts' texts, joined, are the text as fed, byte for byte and in order;
//   - the findings are those of Scanner::scan of the whole field, in the same places, but for
//     text.undecided below. So a caller that replaces the findings' parts releases no byte of them;
//   - no kFinding part is cut: its text is the whole finding. A trigger detector (a private key)
//     may be thousands of bytes long, so its finding comes when it is certain and goes on in kMore
//     parts, each with the finding as far as it is known; joined they are what the scan gives;
//   - a passage of a registered document comes row by row, in the same way;
//   - a monitor detector's finding is a kNote after the text it speaks of: nothing was held for it;
//   - text is held back only while it could still become part of a finding. If more than kMaxHeld
//     bytes would be held, the field from there to its end is one finding of the detector
//     Scanner::undecided(), a kFinding and kMore parts. This is judged at multiples of kHeldStep
//     bytes of the field, so it does not depend on the pieces either.
// State: kMaxHeld + kHeldStep bytes of text and some KiB of folded text before it; with a detector
// of stream mode buffer kMaxBuffered (docs/stream-guard.md).
//
// Pure; hostile input is expected. One thread at a time; the scanner must outlive the guard.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/scanner.h"

namespace candor::dlp {

struct Part {
  enum class Kind : std::uint8_t {
    kText,     // nothing was found in it
    kFinding,  // the bytes of `finding`: pass, mask, replace, or end the stream
    kMore,  // further bytes of the kFinding before it: pass them if it was passed, else drop them
    kNote,  // no text: `finding` lies in text that is out already
  };
  Kind kind = Kind::kText;
  std::string text;
  Finding finding;  // not of kText; places are bytes of the field as fed
  bool operator==(const Part&) const = default;
};

class StreamGuard {
 public:
  static constexpr std::size_t kMaxHeld = 65536, kHeldStep = 4096, kMaxBuffered = 1U << 20U;

  explicit StreamGuard(const Scanner& scanner, int min_confidence = kDefaultMinConfidence);
  StreamGuard(StreamGuard&&) noexcept;
  StreamGuard& operator=(StreamGuard&&) noexcept;
  ~StreamGuard();

  // Appends what is settled now. scratch: of the same scanner; nothing is kept in it.
  void feed(std::string_view piece, Scanner::Scratch& scratch, std::vector<Part>& out);
  // The field has ended: appends all that is left. The guard then is as new.
  void finish(Scanner::Scratch& scratch, std::vector<Part>& out);

  // Bytes fed that no part holds yet.
  [[nodiscard]] std::size_t held() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace candor::dlp
