// The canonical transcript: what was said, independent of dialect and chunking
// (docs/formats/transcript.md). A dialect makes one from a request or an answer, the ledger commits
// to it, candor-verify makes it again from the files a client kept and compares.
//
// A transcript is an ordered list of fields. Paths are unique, ASCII, and come from the format's
// closed grammar ("messages/0/parts/0/text"); text is UTF-8 exactly as meant, after JSON
// unescaping.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/sensitive.h"

namespace candor {

struct TranscriptField {
  std::string path;
  Sensitive<std::string> text;
};
using Transcript = std::vector<TranscriptField>;

// The four transcripts of an exchange (S1). The names are part of the hashed format.
enum class TranscriptKind : unsigned char {
  kReceived,   // "request.received": what the client sent
  kForwarded,  // "request.forwarded": what the engine got
  kProduced,   // "answer.produced": what the engine said
  kReleased,   // "answer.released": what the client got
};
inline constexpr TranscriptKind kAllTranscripts[] = {
    TranscriptKind::kReceived, TranscriptKind::kForwarded, TranscriptKind::kProduced,
    TranscriptKind::kReleased};
[[nodiscard]] constexpr std::string_view to_string(TranscriptKind kind) noexcept {
  switch (kind) {
    case TranscriptKind::kReceived: return "request.received";
    case TranscriptKind::kForwarded: return "request.forwarded";
    case TranscriptKind::kProduced: return "answer.produced";
    case TranscriptKind::kReleased: return "answer.released";
  }
  return "";
}

}  // namespace candor
