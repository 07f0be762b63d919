// Verification of a whole log, entry by entry (A13, A19, S4, S6, S7): the rules of
// docs/formats/entries.md#rules that a valid signature alone does not show. Fed in order from index
// 0; names the first bad place.
//
// Memory: open intents, loads of the current run, and 8 to 16 bytes for each exchange ever seen (a
// table of 64-bit fingerprints of exchange ids; 10 million entries take 64 MiB). A fingerprint seen
// twice is a suspicion, not a fault, since two ids may share one: suspects() names them, and the
// caller looks for the id in the earlier entries (a second pass, practically never needed by an
// honest log). Not thread-safe: hash and decode in parallel, then add in order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "ledger/entry.h"
#include "ledger/finding.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

namespace candor::ledger {

struct Fault {
  std::string promise;
  std::uint64_t index = 0;
  std::string what;
};

class Auditor {
 public:
  // origin is the checkpoint's; the first entry's key must lead to it.
  explicit Auditor(std::string origin);
  ~Auditor();

  // Is told of every tree node; call before the first entry. May be null.
  void set_sink(NodeSink* sink) noexcept { sink_ = sink; }

  // The next entry. kDataLoss: it breaks a rule (fault() says which); nothing more is taken.
  [[nodiscard]] Result<void> add(const Entry& entry, const Digest& leaf);
  // Bytes that are no entry at all count as a fault at this index.
  [[nodiscard]] Result<void> add_undecodable(const Error& why);
  // After the last entry: no intent of an earlier run may be open.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] const std::optional<Fault>& fault() const noexcept { return fault_; }
  [[nodiscard]] const Frontier& frontier() const noexcept { return frontier_; }
  // The key in force for a head over the entries so far, and the one before it during an overlap.
  [[nodiscard]] const std::optional<VerifierKey>& key() const noexcept { return key_; }
  [[nodiscard]] std::optional<VerifierKey> overlap_key() const;
  // Every key that was ever in force, the first one first.
  [[nodiscard]] const std::vector<VerifierKey>& keys() const noexcept { return keys_; }
  // The entries that brought keys()[1], keys()[2], ... into force.
  [[nodiscard]] const std::vector<std::uint64_t>& key_changes() const noexcept { return changes_; }

  struct Suspect {
    Id128 exchange{};
    std::uint64_t index = 0;  // of the later intent
  };
  [[nodiscard]] const std::vector<Suspect>& suspects() const noexcept { return suspects_; }

  struct Summary {
    std::uint64_t runs = 0, loads = 0, intents = 0, outcomes = 0, aborts = 0, refusals = 0;
    std::uint64_t decisions = 0, erasures = 0, other = 0;
    std::uint64_t open = 0;                    // intents of the last run without an end yet
    std::uint64_t measured = 0, declared = 0;  // intents, by weights and engine together (S18)
    std::uint64_t time_steps_back = 0;         // without a clock_step entry
    std::optional<ClosedLog> continues;
    std::string mode;
  };
  [[nodiscard]] const Summary& summary() const noexcept { return summary_; }

 private:
  struct Open {
    Id128 exchange{};
    Digest leaf{};
    std::uint32_t run = 0;
    std::int64_t mono_us = 0;
    std::uint64_t released_bytes = 0;  // last progress
  };
  class IdTable;

  [[nodiscard]] Result<void> breaks(std::string promise, std::string what);
  [[nodiscard]] Result<void> check(const Start& start);
  [[nodiscard]] Result<void> check(const Stop& stop);
  [[nodiscard]] Result<void> check(const KeyChange& change);
  [[nodiscard]] Result<void> check(const Load& load);
  [[nodiscard]] Result<void> check(const Unload& unload);
  [[nodiscard]] Result<void> check(const Intent& intent);
  [[nodiscard]] Result<void> check(const Progress& progress);
  [[nodiscard]] Result<void> check(const Decision& decision);
  [[nodiscard]] Result<void> check(const Outcome& outcome);
  [[nodiscard]] Result<void> check(const Abort& abort);
  [[nodiscard]] Result<void> check_stamp(const Stamp& at);
  [[nodiscard]] Result<void> close_intent(std::uint64_t intent_index, const Id128& exchange,
                                          const Digest& leaf, const Stamp& at);

  std::string origin_;
  Frontier frontier_;
  NodeSink* sink_ = nullptr;
  std::vector<VerifierKey> keys_;
  std::vector<std::uint64_t> changes_;
  std::optional<Fault> fault_;
  std::optional<VerifierKey> key_, old_key_;
  std::uint64_t overlap_until_ = 0;
  Id128 log_id_{}, boot_{};
  std::uint32_t run_ = 0;
  bool stopped_ = false;
  std::uint64_t open_before_ = 0;  // intents of earlier runs that are still open
  std::int64_t newest_us_ = 0;
  Digest leaf_{};
  std::unordered_map<std::uint64_t, Open> open_;
  std::map<Id128, Provenance> loads_;
  std::unique_ptr<IdTable> ids_;
  std::vector<Suspect> suspects_;
  Summary summary_;
};

}  // namespace candor::ledger
