// One data folder, opened: the ledger with its signer, keys, state database, sealed content and
// erasure, recovered to where the last run left it (A11, A14, A15). What `candor serve` holds.
//
// Order in serve's main: start_signer_process() while there is one thread; restrict_monitor();
// Store::open(); threads; ...; Store::close().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "ledger/entry.h"
#include "store/data_folder.h"
#include "store/key_ring.h"
#include "store/ledger.h"
#include "store/ledger_options.h"
#include "store/signer.h"
#include "store/state_db.h"

namespace candor::store {

struct RecoveryReport {
  bool new_log = false;
  std::uint64_t previous_size = 0;   // before this run's start entry
  std::uint64_t published_size = 0;  // of the checkpoint that was found
  std::uint64_t torn_bytes = 0;      // zeroed: a write that was never acknowledged
  std::uint64_t aborted = 0;         // intents of earlier runs that were open
  std::uint64_t erasures_redone = 0;
  std::optional<std::int64_t> clock_stepped_back_us;
  std::uint64_t start_index = 0;  // of this run's start entry
  bool key_changed = false;       // by this start
  std::string closed_log;         // the origin of the log that this start ended
};

struct ErasureRequest {
  std::optional<Id128> exchange;      // one of the two
  std::optional<std::string> caller;  // the subject's name, "key:<id>" or "uid:<n>"
  std::string reason;
  Subject actor;
  // Not empty: only these fields of the exchange (docs/formats/transcript.md), in every transcript
  // that has them.
  std::vector<std::string> fields = {};
  // What the exchange's first wrap holds, where its epoch's key is not in memory any more: an
  // auditor brings it (auditor_secret()).
  std::optional<Sensitive<Digest>> secret = std::nullopt;
};
struct ErasureReport {
  std::uint64_t index = 0;  // of the (last) erasure entry
  std::vector<Id128> exchanges;
  std::uint64_t destroyed = 0;           // wrapped roots and openings
  std::vector<std::string> unreachable;  // in words: backups, snapshots, clients' copies, ...
};

// So many entries that no crash between the change and the next starts can outlast them.
inline constexpr std::uint64_t kMinKeyOverlap = 1'000;
inline constexpr std::uint64_t kMaxKeyOverlap = 1'000'000'000;

struct StoredExchange {
  ExchangeRow row;
  std::string intent;              // as logged
  std::optional<std::string> end;  // outcome or abort
};

class Store {
 public:
  // kFailedPrecondition: another process holds the folder (its pid is named). kDataLoss: what was
  // checked does not verify; the message says the place and what to do, nothing was changed.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(FileSystem& files, const Path& root,
                                                           std::unique_ptr<Signer> signer,
                                                           const LedgerOptions& options,
                                                           const KeyRing::Options& keys,
                                                           Random& random, Clock& clock);
  virtual ~Store() = default;

  [[nodiscard]] virtual Ledger& ledger() = 0;
  [[nodiscard]] virtual KeyRing& keys() = 0;
  [[nodiscard]] virtual StateDb& state() = 0;
  [[nodiscard]] virtual const RecoveryReport& recovery() const = 0;
  [[nodiscard]] virtual const DataPaths& paths() const = 0;
  // The run's boot nonce and log id; what Stamps carry.
  [[nodiscard]] virtual const Id128& boot() const = 0;
  [[nodiscard]] virtual const Id128& log_id() const = 0;
  // Now. A wall clock that stepped back makes an entry by itself. Fast; any thread.
  [[nodiscard]] virtual ledger::Stamp stamp() = 0;

  // Appends and waits: for administrative entries, never on an I/O thread.
  [[nodiscard]] virtual Result<Acknowledgement> append(const ledger::Entry& entry,
                                                       std::vector<AuxRecord> aux = {},
                                                       Priority priority = Priority::kNormal) = 0;
  // `candor receipt ID`: the tlog-proof's text, rebuilt at the newest head. kNotFound: no such
  // exchange. kFailedPrecondition: it has no outcome, or it is erased.
  [[nodiscard]] virtual Result<std::string> receipt(const Id128& exchange) = 0;
  [[nodiscard]] virtual Result<StoredExchange> exchange(const Id128& exchange) = 0;
  // kNotFound: no such exchange or caller. Blocks for several flushes.
  [[nodiscard]] virtual Result<ErasureReport> erase(const ErasureRequest& request) = 0;
  // Removes sealed content older than this; keys of what remains are untouched. Gives the bytes.
  [[nodiscard]] virtual Result<std::uint64_t> retain_content(std::int64_t max_age_us) = 0;
  // Has the next start change the log's key, with this many entries of overlap (at least
  // kMinKeyOverlap), or end this log and begin one that names its last head (S7;
  // docs/formats/log-key.md). Durable when they return. kFailedPrecondition: a change is under way.
  [[nodiscard]] virtual Result<void> change_log_key(std::uint64_t overlap) = 0;
  [[nodiscard]] virtual Result<void> close_log() = 0;
  [[nodiscard]] virtual Result<void> withdraw_log_wishes() = 0;  // neither happens
  // How far the published folder reaches, for /status and /metrics.
  [[nodiscard]] virtual std::uint64_t published_size() const = 0;
  // A `stop` entry, then everything is committed, published and confirmed to the signer.
  [[nodiscard]] virtual Result<void> close(std::string_view reason) = 0;
};

}  // namespace candor::store
