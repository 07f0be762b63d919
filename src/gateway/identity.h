// Who asks (A9, C7, S14). Nobody who gives two credentials. An API key of ours in either field; a
// JWT, which is then the identity provider's or nobody's; otherwise the holder of a verified client
// certificate (B6); otherwise, and never over TLS, the operating-system user on the other end of a
// Unix socket or of a loopback connection, if the configuration lets that user in. A bearer token
// that is neither "cnd_..." nor a JWT counts as none on this machine (SDKs always send some key)
// and is noted.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/sensitive.h"
#include "dialect/dialect.h"
#include "gateway/oidc_keys.h"
#include "gateway/settings.h"
#include "http/server.h"
#include "store/state_db.h"

namespace candor::gateway {

struct Services;

struct Caller {
  std::string name;      // "key:<id>", "oidc:<user>", "cert:<name>" or "uid:<n>": never logged or
                         // entered
  std::string known_by;  // "api_key" | "oidc" | "mtls" | "unix_socket" | "loopback"
  std::vector<std::string> models;  // allowed; empty: all
  std::string owner, purpose;       // of the key
  std::string team;                 // of the key; who has none belongs to a group that is a team
  std::vector<std::string> groups;  // of the token; of an operating-system user the system's
  bool by_os_user = false;          // confirm() the peer again before the intent
  bool ignored_bearer = false;
};

// Why nobody: what the client is told, complete with what to do.
struct Stranger {
  dialect::ErrorInfo error;
  bool newer_keys_may_help = false;  // those of OidcKeys
};

// Only the memory of StateDb is read. oidc: null where no tokens are taken. now_us: wall time.
[[nodiscard]] std::expected<Caller, Stranger> identify(const http::Request& request,
                                                       const http::Peer& peer,
                                                       const Settings& settings,
                                                       store::StateDb& keys, const OidcKeys* oidc,
                                                       std::int64_t now_us);

// identify() by what the services know; waits for newer keys of the provider where they may help.
[[nodiscard]] http::Task<std::expected<Caller, Stranger>> who_asks(Services& services,
                                                                   const Settings& settings,
                                                                   http::Call& call);

}  // namespace candor::gateway
