// Pins (S4): the newest head of each log that this user has verified, kept outside the data folder
// in ~/.local/state/candor/pins/<origin's hex>.json. A log that has become shorter than its pin, or
// that does not contain it, was rolled back or forked, and every verb says so and stops.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "context.h"
#include "ledger/receipt.h"
#include "log_folder.h"

namespace candor::cli {

[[nodiscard]] std::filesystem::path pin_folder();
// kInvalidArgument for a name that is no Candor origin.
[[nodiscard]] Result<std::filesystem::path> pin_path(std::string_view origin);
// Nothing if there is none; an unreadable pin is an error, never taken for none.
[[nodiscard]] Result<std::optional<ledger::Pin>> load_pin(std::string_view origin);
[[nodiscard]] Result<void> save_pin(const ledger::Pin& pin);

struct PinnedLog {
  ledger::Pin pin;          // of the published head, verified just now
  ledger::VerifierKey key;  // the pinned one, or the one it handed over to
  bool first_contact = false;
};
// The key that this one has handed over to, through every change whose doubly signed head the log
// keeps (docs/formats/log-key.md); the key itself when there is none. The caller owes the check
// that the log's head is signed by what this gives.
[[nodiscard]] Result<ledger::VerifierKey> follow_key(PublishedLog& log, ledger::VerifierKey key);

// Reads the published log of the context's data folder, verifies its head under the pinned key (or
// the log's own at first contact), proves that the pin lies in its past and moves the pin forward.
// Asks a running server to publish first if the log looks shorter than the pin.
// kNotFound, kPermissionDenied: the log is not there for this user. kDataLoss: rolled back, forked
// or not signed by the pinned key.
[[nodiscard]] Result<PinnedLog> advance_pin(const Context& context);

// The log's head is signed by this key and, where a pin is given, extends it. kDataLoss otherwise.
[[nodiscard]] Result<void> check_pinned(PublishedLog& log, const ledger::VerifierKey& key,
                                        const std::optional<ledger::Pin>& pin);

// Proves from the published tiles that a head of this size and root is in the pinned log's past.
[[nodiscard]] Result<void> check_head_in_log(PublishedLog& log, const ledger::Checkpoint& head);

}  // namespace candor::cli
