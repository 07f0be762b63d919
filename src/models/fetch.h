// Brings the bytes of a plan into quarantine: each file in ranges, several at once, going on where
// an earlier try ended (also one that was killed). What a server says is held against what was
// published and against what was asked: another length, range or ETag ends the pull or begins the
// file anew; a server without ranges is read in one go.
//
// Errors: those of the client and of quarantine.h; kUnavailable when trying again has not helped
// (what is there stays), kDataLoss for a server that lies about sizes or ranges. Starts threads
// and joins them.
#pragma once

#include <functional>

#include "models/hashing.h"
#include "models/http.h"
#include "models/quarantine.h"

namespace candor::models {

struct FetchOptions {
  std::function<Result<std::unique_ptr<HttpClient>>()> client = {};  // one for each connection
  int connections = 4;
  std::uint64_t chunk_bytes = 32ULL << 20U;       // of one request
  std::uint64_t checkpoint_bytes = 32ULL << 20U;  // lost at most by a kill, besides the last second
  int tries = 6;                                  // in a row that brought nothing
  std::function<void(std::chrono::milliseconds)> pause = {};  // between tries; empty: sleeps
  Advance advance = {};
};

// Files of which nothing is missing are left alone.
[[nodiscard]] Result<void> fetch(QuarantineEntry& entry, const Plan& plan,
                                 const FetchOptions& options);
// Bytes of the plan that are there already.
[[nodiscard]] Result<std::uint64_t> bytes_there(QuarantineEntry& entry, const Plan& plan);

}  // namespace candor::models
