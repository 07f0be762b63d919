// Rows of state.db about what gets no answers: halts, and lists of revocations (state_db.h says
// what each does). The caller holds the database's lock.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "sqlite/database.h"
#include "store/state_db.h"

namespace candor::store::internal {

[[nodiscard]] Result<std::vector<Halt>> list_halts(sqlite::Database& db);
[[nodiscard]] Result<void> put_halt(sqlite::Database& db, std::string_view scope, const Halt& halt);
[[nodiscard]] Result<std::vector<RevocationIssuer>> list_revocation_issuers(sqlite::Database& db);
[[nodiscard]] Result<void> put_revocations(sqlite::Database& db, const RevocationIssuer& issuer,
                                           std::span<const Halt> halts);

}  // namespace candor::store::internal
