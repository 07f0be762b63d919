// The running ledger of one data folder: group commit into the journal, publication into tiles,
// recovery at start (docs/formats/journal.md; A11, A15, S4-S6). The only writer of the folder.
//
// Threads: submit() from any thread; entries are ordered as submitted. The callback runs on the
// commit thread and must only hand over (post to an executor). Publication has a thread of its own.
// After any failed write, sync or signature the ledger is poisoned: every later submit fails with
// kDataLoss until a restart has verified the folder; nothing acknowledged is lost.
// kResourceExhausted: the reserve is reached, only Priority::kReserved submissions (outcomes and
// aborts of admitted intents) are taken. kUnavailable: closing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"

namespace candor::store {

// A signed tree head, shared by all entries of its batch.
struct SignedHead {
  std::uint64_t size = 0;
  Digest root{};
  std::string note;  // C2SP checkpoint with signature lines
};

struct Acknowledgement {
  std::uint64_t index = 0;
  Digest leaf{};
  std::shared_ptr<const SignedHead> head;  // covers index
};

// Travels in the batch's auxiliary part: durable with the entry, erasable, outside its proof.
struct AuxRecord {
  std::uint8_t kind = 0;  // docs/formats/journal.md
  Bytes payload;
};

enum class Priority : std::uint8_t { kNormal, kReserved };

// What this entry is in the life of an exchange: feeds the index and the count of open intents, so
// that the entry need not be parsed again.
enum class ExchangeStep : std::uint8_t { kNone, kIntent, kProgress, kOutcome, kAbort };
struct ExchangeMark {
  ExchangeStep step = ExchangeStep::kNone;
  Id128 exchange{};
  Id128 subject{};                   // kIntent
  std::uint64_t intent = 0;          // index of the intent, but for kIntent
  std::uint64_t released_bytes = 0;  // kProgress
};

struct Submission {
  std::string entry;  // canonical JSON, at most 65,535 bytes
  std::vector<AuxRecord> aux;
  Priority priority = Priority::kNormal;
  ExchangeMark mark;
};

using Acknowledged = std::move_only_function<void(Result<Acknowledgement>)>;

class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual void submit(Submission submission, Acknowledged done) = 0;

  // Inclusion proof of index in the tree of that size (size of a head this ledger has signed).
  // Recent entries are answered from memory; older ones read tiles: kNotFound if outside the tree.
  [[nodiscard]] virtual Result<std::vector<Digest>> prove(std::uint64_t index,
                                                          std::uint64_t size) = 0;
  // The newest acknowledged head.
  [[nodiscard]] virtual std::shared_ptr<const SignedHead> head() const = 0;
  // One entry's bytes, published or still in the journal.
  [[nodiscard]] virtual Result<std::string> read(std::uint64_t index) = 0;
  [[nodiscard]] virtual const std::string& origin() const = 0;
  [[nodiscard]] virtual const std::string& verifier_key() const = 0;  // C2SP vkey
  // Publishes all that is acknowledged; returns when it is done. Also done each second.
  [[nodiscard]] virtual Result<void> publish() = 0;
  // kOk, or why nothing more is taken (poisoned, closing).
  [[nodiscard]] virtual Result<void> health() const = 0;
  // Refuses new submissions, commits what is queued, publishes, ends the threads.
  [[nodiscard]] virtual Result<void> close() = 0;
};

}  // namespace candor::store
