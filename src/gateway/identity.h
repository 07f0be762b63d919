// Who asks (A9, S14). An API key of ours wherever one is given; otherwise the holder of a verified
// client certificate (B6); otherwise, and never over TLS, the operating-system user on the other
// end of a Unix socket or of a loopback connection, if the configuration lets that user in. A
// bearer token that is neither "cnd_..." nor a JWT counts as none on this machine (SDKs always send
// some key) and is noted.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/sensitive.h"
#include "gateway/settings.h"
#include "http/server.h"
#include "store/state_db.h"

namespace candor::gateway {

struct Caller {
  std::string name;      // "key:<id>", "cert:<name>" or "uid:<n>": never logged or entered
  std::string known_by;  // "api_key" | "mtls" | "unix_socket" | "loopback"
  std::vector<std::string> models;  // allowed; empty: all
  bool by_os_user = false;          // confirm() the peer again before the intent
  bool ignored_bearer = false;
};

// Why nobody: what the client is told, complete with what to do.
struct Stranger {
  std::string message;
};

// Only the memory of StateDb is read. now_us: wall time.
[[nodiscard]] std::expected<Caller, Stranger> identify(const http::Request& request,
                                                       const http::Peer& peer,
                                                       const Settings& settings,
                                                       store::StateDb& keys, std::int64_t now_us);

}  // namespace candor::gateway
