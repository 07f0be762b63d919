// Is sealed content what was logged? A sealed record agrees with itself whoever wrote it: anybody
// can seal texts to an auditor's public key. Only a signed entry says which commitments are the
// exchange's (docs/formats/sealed.md). Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/entry.h"
#include "ledger/sealed_format.h"

namespace candor::ledger {

// The commitment that an entry holds to this transcript of the exchange or note of this id; nothing
// when it holds none.
[[nodiscard]] std::optional<Digest> logged_commitment(const Entry& entry, const Id128& id,
                                                      std::string_view transcript);

// Every transcript of the record has the root that one of these entries commits to. kDataLoss
// names the transcript that differs or that no entry knows. That the entries stand in the log is
// the caller's to show.
[[nodiscard]] Result<void> check_logged(const SealedRecord& record, std::span<const Entry> entries);

}  // namespace candor::ledger
