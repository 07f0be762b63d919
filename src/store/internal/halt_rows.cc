#include "store/internal/halt_rows.h"

#include <algorithm>

namespace candor::store::internal {

Result<std::vector<Halt>> list_halts(sqlite::Database& db) {
  auto find = TRY(db.prepare("SELECT scope, object, reason, since_us FROM halt ORDER BY since_us"));
  std::vector<Halt> halts;
  while (TRY(find.step())) {
    halts.push_back({.scope = std::string(find.text(0)),
                     .object = std::string(find.text(1)),
                     .reason = std::string(find.text(2)),
                     .since_us = find.integer(3)});
  }
  return halts;
}

Result<void> put_halt(sqlite::Database& db, std::string_view scope, const Halt& halt) {
  auto insert = TRY(db.prepare(
      "INSERT OR REPLACE INTO halt(scope, object, reason, since_us) VALUES (?1, ?2, ?3, ?4)"));
  TRY(insert.bind_all(scope, std::string_view(halt.object), std::string_view(halt.reason),
                      halt.since_us));
  return insert.run();
}

Result<std::vector<RevocationIssuer>> list_revocation_issuers(sqlite::Database& db) {
  auto find =
      TRY(db.prepare("SELECT key, sequence, document, bundle FROM revocation_issuer ORDER BY key"));
  std::vector<RevocationIssuer> found;
  while (TRY(find.step())) {
    RevocationIssuer one{.key = std::string(find.text(0)),
                         .sequence = static_cast<std::uint64_t>(find.integer(1)),
                         .document = {},
                         .bundle = std::string(find.text(3))};
    const ByteView document = find.blob(2);
    if (document.size() != one.document.size()) {
      return fail(Code::kDataLoss, "a list of revocations has no right digest");
    }
    std::ranges::copy(document, one.document.begin());
    found.push_back(std::move(one));
  }
  return found;
}

Result<void> put_revocations(sqlite::Database& db, const RevocationIssuer& issuer,
                             std::span<const Halt> halts) {
  const std::string scope = std::string(kRevoked) + "/" + issuer.key;
  auto transaction = TRY(sqlite::Transaction::begin(db));
  {
    auto known =
        TRY(db.prepare("SELECT 1 FROM revocation_issuer WHERE key = ?1 AND sequence >= ?2"));
    TRY(known.bind_all(std::string_view(issuer.key), static_cast<std::int64_t>(issuer.sequence)));
    if (TRY(known.step())) return {};
    auto put =
        TRY(db.prepare("INSERT OR REPLACE INTO revocation_issuer(key, sequence, document,"
                       " bundle) VALUES (?1, ?2, ?3, ?4)"));
    TRY(put.bind_all(std::string_view(issuer.key), static_cast<std::int64_t>(issuer.sequence),
                     ByteView(issuer.document), std::string_view(issuer.bundle)));
    TRY(put.run());
    auto remove = TRY(db.prepare("DELETE FROM halt WHERE scope = ?1"));
    TRY(remove.bind_all(std::string_view(scope)));
    TRY(remove.run());
    for (const Halt& halt : halts) TRY(put_halt(db, scope, halt));
  }
  return transaction.commit();
}

}  // namespace candor::store::internal
