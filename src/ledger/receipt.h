// Receipts (docs/formats/receipt.md, S1): a tlog-proof of an exchange's outcome whose extra line
// carries both entries, the intent's proof and the openings a client may have. Build, parse,
// verify. Pure; safe on hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/transcript.h"
#include "ledger/checkpoint.h"
#include "ledger/commitment.h"
#include "ledger/entry.h"
#include "ledger/finding.h"
#include "ledger/merkle.h"
#include "ledger/tlog_proof.h"

namespace candor::ledger {

inline constexpr std::size_t kMaxNonceBytes = 128;

struct ReceiptOpening {
  OpeningKey key;
  std::vector<FieldCommitment> fields;  // in the transcript's order
};

struct Receipt {
  std::uint64_t outcome_index = 0;
  std::string outcome;  // as logged
  Proof outcome_proof;
  std::uint64_t intent_index = 0;
  std::string intent;
  Proof intent_proof;                      // at the same tree size
  std::optional<ReceiptOpening> received;  // request.received
  std::optional<ReceiptOpening> released;  // answer.released
  std::optional<std::string> nonce;
  std::string log_key;     // C2SP vkey: a hint
  std::string checkpoint;  // signed note
};

// kInvalidArgument for a nonce above its bound or that is not UTF-8.
[[nodiscard]] Result<std::string> format_receipt(const Receipt& receipt);
[[nodiscard]] Result<Receipt> parse_receipt(std::string_view text);

// A head the verifier holds from elsewhere (S4): the CLI's pin, an older receipt.
struct Pin {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  std::string log_key;  // C2SP vkey
};
// {"log_key":..., "origin":..., "root": base64, "size": decimal string}, canonical JSON.
[[nodiscard]] std::string format_pin(const Pin& pin);
[[nodiscard]] Result<Pin> parse_pin(std::string_view text);

struct ReceiptQuestion {
  // The log's key that the verifier trusts; without one the receipt's own hint is used and the
  // report says that the log's identity is not proved.
  std::optional<VerifierKey> log_key;
  std::vector<VerifierKey> witnesses;  // each must have cosigned
  std::optional<Pin> pin;
  // What the client kept, as transcripts (src/dialect makes them).
  const Transcript* request = nullptr;
  const Transcript* answer = nullptr;
  std::optional<std::string> nonce;  // the one that was sent
};

struct ReceiptReport {
  Checkpoint head;
  Intent intent;
  Outcome outcome;
  VerifierKey log_key;
  std::vector<Finding> findings;  // in the order checked; any_fails() is evidence
};
// kInvalidArgument: malformed (no evidence of anything). Otherwise a report, whether it holds or
// not.
[[nodiscard]] Result<ReceiptReport> verify_receipt(const Receipt& receipt,
                                                   const ReceiptQuestion& question);

}  // namespace candor::ledger
