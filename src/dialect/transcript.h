// The canonical transcripts of a request and of an answer (docs/formats/transcript.md; S1). The
// same text gives the same transcript in every dialect, however it was spelled or cut.
#pragma once

#include <string_view>

#include "base/transcript.h"
#include "dialect/exchange.h"

namespace candor::dialect {

// nonce: the value of the client's Candor-Nonce header, or empty when none was sent.
[[nodiscard]] Transcript request_transcript(const Exchange& exchange, std::string_view nonce = {});
[[nodiscard]] Transcript answer_transcript(const Answer& answer);

// Arguments of a tool call as transcripts hold them: "{}" when empty, in canonical form (RFC 8785)
// when they are a JSON object, otherwise as they are.
[[nodiscard]] std::string canonical_arguments(std::string_view arguments);
// An embedding as transcripts hold it: base64 of its binary32 values, little-endian.
[[nodiscard]] std::string embedding_text(const Embedding& embedding);

// The `parameters` field alone: canonical JSON (RFC 8785). Also what an intent entry records.
[[nodiscard]] std::string parameters_text(const Exchange& exchange);

// A lawful nonce: 1 to 128 bytes of printable ASCII without space.
[[nodiscard]] bool is_nonce(std::string_view nonce) noexcept;

}  // namespace candor::dialect
