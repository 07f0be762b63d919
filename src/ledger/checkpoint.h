// Tree heads: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint) in a signed note
// (docs/formats/checkpoint.md). The origin of a Candor log is "candor/" and the first 32 hex digits
// of SHA-256 of its first public key (S7), and so is the name of its keys. Cosignature lines are
// kept as they are. Pure; parsers are safe on hostile input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/note.h"

namespace candor::ledger {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  std::vector<std::string> extensions;  // lines we do not know; Candor writes none
  bool operator==(const Checkpoint&) const = default;
};

struct SignedCheckpoint {
  Checkpoint head;
  Note note;  // all signature lines, known or not
};

[[nodiscard]] std::string log_origin(const crypto::PublicKey& first_key);
// The log's verifier key: its origin as name.
[[nodiscard]] VerifierKey log_verifier_key(std::string origin, const crypto::PublicKey& key);

// The note's text: three lines and extensions, each with a newline.
[[nodiscard]] std::string format_checkpoint(const Checkpoint& head);
[[nodiscard]] Result<Checkpoint> parse_checkpoint(std::string_view text);

// Text, blank line, one line for each key (the order is kept; a change of key signs with both).
[[nodiscard]] std::string sign_checkpoint(const Checkpoint& head,
                                          std::span<const crypto::SigningKey* const> keys);
[[nodiscard]] Result<SignedCheckpoint> parse_signed_checkpoint(std::string_view note);
// parse_signed_checkpoint, then: kFailedPrecondition when it is another log's (origin is not the
// key's name), kNotFound when the key has not signed, kDataLoss when its signature is wrong.
[[nodiscard]] Result<SignedCheckpoint> open_checkpoint(std::string_view note,
                                                       const VerifierKey& log_key);

}  // namespace candor::ledger
