// One exchange's secrets from intent to receipt: makes its root, commits to its four transcripts,
// seals content, and builds the submissions and the receipt (S1, S2, S3, S6). The gateway says what
// happened; this class says how it is written down.
//
// Use: begin(), then intent() once, then outcome() or abort() once, receipt() after both are
// acknowledged. Not thread-safe; pure computation but for sealed content above the inline limit,
// which outcome() writes and syncs to a file of its own before it returns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/transcript.h"
#include "ledger/commitment.h"
#include "ledger/entry.h"
#include "store/ledger.h"

namespace candor::store {

class KeyRing;  // store/key_ring.h: epoch keys, local key, subjects

class ExchangeRecord {
 public:
  // content_mode and the keys in force are the ring's. subject is the caller's pseudonym record.
  [[nodiscard]] static ExchangeRecord begin(KeyRing& keys, const Id128& exchange,
                                            const Id128& subject);
  ExchangeRecord(ExchangeRecord&&) noexcept;
  ExchangeRecord& operator=(ExchangeRecord&&) noexcept;
  ~ExchangeRecord();

  // Fills the entry's commitments, gives it its canonical form and adds the wrapped root and the
  // sealed request as auxiliary records.
  [[nodiscard]] Result<Submission> intent(ledger::Intent entry, const Transcript& received,
                                          const Transcript& forwarded,
                                          std::optional<std::string> nonce);
  // Fills the commitments and the intent's index and leaf hash. Priority::kReserved.
  [[nodiscard]] Result<Submission> outcome(ledger::Outcome entry, const Acknowledgement& intent,
                                           const Transcript& produced, const Transcript& released);
  [[nodiscard]] Result<Submission> abort(ledger::Abort entry, const Acknowledgement& intent);

  // A progress mark (every 2 s or 4 KiB): released_bytes must be set.
  [[nodiscard]] Result<Submission> progress(ledger::Progress entry, const Acknowledgement& intent);

  // The tlog-proof text. Needs the outcome's head; asks the ledger for both proofs at its size.
  [[nodiscard]] Result<std::string> receipt(Ledger& ledger, const Acknowledgement& intent,
                                            const Acknowledgement& outcome) const;

 private:
  struct State;
  explicit ExchangeRecord(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace candor::store
