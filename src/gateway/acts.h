// The `admin` entry of an act of somebody who looks after the server (S15). io thread only.
#pragma once

#include <cstdint>
#include <string>

#include "base/transcript.h"
#include "gateway/services.h"

namespace candor::gateway {

struct Act {
  std::string verb;         // "key.create", ...: docs/formats/entries.md
  std::string object = {};  // an id or label of ours, never a name of a person
  std::string reason = {};  // sealed
  Transcript more = {};     // what else of it is sealed, since it must stand in no entry
  std::string result = "done";
};

// Durable on return; its index.
[[nodiscard]] http::Task<Result<std::uint64_t>> record_act(Services& services,
                                                           const store::Subject& actor, Act act);

}  // namespace candor::gateway
