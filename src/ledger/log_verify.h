// Verification of a whole log as it lies in a folder (A13, A17, A19): its tiles up to the
// checkpoint, then the complete signed batches of the journal beyond it. Checks hashes of every
// tile at every level, the signed heads, and the rules of docs/formats/entries.md; names the first
// bad place.
//
// Pure: files come in through LogFolder, threads through Parallel. Safe on hostile input. Memory:
// that of Auditor, 16 MiB of decoded entries, one journal segment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/auditor.h"
#include "ledger/checkpoint.h"
#include "ledger/finding.h"
#include "ledger/receipt.h"
#include "ledger/tiles.h"

namespace candor::ledger {

// Thread-safe: read() is called from several threads at once when Parallel has several.
class LogFolder {
 public:
  virtual ~LogFolder() = default;
  // A published file, by its path in the log's folder: "checkpoint", "tile/0/000". kNotFound.
  [[nodiscard]] virtual Result<Bytes> read(const std::string& path) = 0;
  // The journal's segment names in order, and one segment. Empty and false when only an export is
  // at hand.
  [[nodiscard]] virtual bool has_journal() const = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> segments() = 0;
  [[nodiscard]] virtual Result<Bytes> read_segment(const std::string& name) = 0;
};

// Calls work(0) to work(count - 1), in any order and on any threads, and returns when all are done.
using Parallel =
    std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;
void run_in_turn(std::size_t count, const std::function<void(std::size_t)>& work);

struct LogQuestion {
  std::optional<VerifierKey> log_key;  // trusted; else the pin's; else the log's own (said)
  std::vector<VerifierKey> witnesses;
  std::optional<Pin> pin;
  // Called about every 16,384 entries with what has been verified and what the checkpoint promises.
  std::function<void(std::uint64_t done, std::uint64_t size)> progress;
};

struct LogReport {
  Checkpoint published;        // size 0 and no origin: nothing is published yet
  Checkpoint head;             // the newest signed head: the journal's last, or the published one
  std::uint64_t batches = 0;   // of the journal beyond the checkpoint
  std::uint64_t bytes = 0;     // of entries
  std::optional<Fault> fault;  // the first bad place
  Auditor::Summary summary;    // of what was read until then
  std::vector<Finding> findings;  // in the order checked; any_fails() is evidence
};

// kInvalidArgument, kNotFound: this is no log (no checkpoint and no journal), or the question is
// malformed. kUnavailable: a file could not be read. Otherwise a report.
[[nodiscard]] Result<LogReport> verify_log(LogFolder& folder, const LogQuestion& question,
                                           const Parallel& parallel = run_in_turn);

// Two heads of one log, the older first. tiles: of a tree at least as large as the larger one, or
// null when only the heads are at hand.
enum class HeadsVerdict : std::uint8_t {
  kSame,
  kConsistent,  // the newer one extends the older one
  kFork,        // one history cannot have both
  kRollback,    // the one said to be newer is smaller, and a prefix of the older one
  kUndecided,   // different sizes, and no tiles to tell
};
struct HeadsReport {
  HeadsVerdict verdict = HeadsVerdict::kUndecided;
  std::string what;
};
// kFailedPrecondition: heads of different logs. kNotFound, kInvalidArgument: the tiles do not
// reach.
[[nodiscard]] Result<HeadsReport> compare_heads(const Checkpoint& older, const Checkpoint& newer,
                                                TileReader* tiles);

}  // namespace candor::ledger
