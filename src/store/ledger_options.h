// How a ledger is run. Defaults are those of `candor serve`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace candor::store {

struct LedgerOptions {
  std::size_t segment_bytes = 64U << 20U;      // of a journal segment; a multiple of 4,096
  std::uint64_t reserve_bytes = 8U << 20U;     // of preallocated journal kept for kReserved
  std::uint64_t outcome_bytes = 80U << 10U;    // reserved for each open intent
  std::uint64_t min_free_bytes = 256U << 20U;  // below this only kReserved is taken
  std::size_t max_queue_bytes = 64U << 20U;
  std::int64_t publish_every_us = 1'000'000;  // 0: only when asked (tests)
  std::size_t recent_leaves = 1U << 15U;      // whose proofs need no file; 2 MiB of hashes
  std::size_t spare_segments = 2;             // made ahead
  // Background work (publication each second, spare segments) in small pieces with rests between,
  // so that no flush and no request waits long behind it.
  bool paced = true;
  // Called once, on a thread of the ledger's, when it is poisoned (a dead signer too): the monitor
  // ends, a restart verifies. Must only hand over.
  std::function<void(const Error&)> on_poison;
  bool state_in_memory = false;   // tests: SQLite is not behind the file-system seam
  std::string mode = "own_user";  // "service" | "own_user"
  std::string version = "0.1.0";
};

}  // namespace candor::store
