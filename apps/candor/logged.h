// The entries of the published log about one exchange or act, each proven to stand under a head
// that is signed by a key, and that extends a pin, brought from outside the log
// (docs/formats/sealed.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "context.h"
#include "ledger/checkpoint.h"
#include "ledger/entry.h"
#include "log_folder.h"

namespace candor::cli {

struct LogToTrust {
  std::string folder;   // a data folder or an export; empty: this data folder
  std::string log_key;  // a verifier key, or a file that holds one
  std::string pin;      // a file; empty: this user's own for that log, where there is one
};

struct TrustedLog {
  PublishedLog log;
  ledger::VerifierKey key;       // signed the head
  bool key_is_logs_own = false;  // nobody brought the key: anybody could have signed
  bool pinned = false;           // the head extends a pin
};
// kDataLoss: the head is not signed by the key, or it does not extend the pin. kNotFound: no log
// there. kInvalidArgument: the key or the pin is no such thing.
[[nodiscard]] Result<TrustedLog> open_trusted_log(const Context& context,
                                                  const LogToTrust& options);

struct LoggedEntry {
  std::uint64_t index = 0;
  ledger::Entry entry;
};
// Intent and outcome of an exchange, or the entry of an act; each one's inclusion is verified.
// kNotFound: the log has none. kDataLoss: the tiles do not lead to the head.
[[nodiscard]] Result<std::vector<LoggedEntry>> entries_about(const Context& context,
                                                             PublishedLog& log, const Id128& id);

}  // namespace candor::cli
