// What a start finds in a data folder, verified: the journal, the tree's edge, open intents (A15).
// Nothing is changed unless all of it verifies; then a torn tail is zeroed and the index caught up.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "ledger/entry.h"
#include "store/data_folder.h"
#include "store/internal/journal_ledger.h"
#include "store/key_table.h"
#include "store/sealed_store.h"
#include "store/signer.h"
#include "store/state_db.h"

namespace candor::store {

struct OpenIntent {
  Id128 exchange{};
  std::uint64_t released_bytes = 0;
};

struct Recovered {
  JournalLedger::Position position;
  std::map<std::uint64_t, OpenIntent> open;  // by the intent's index
  std::uint64_t size = 0;
  Digest root{};
  std::uint64_t torn_bytes = 0;
};

// The signer is told the last head and gives the log's keys. A head counts when one of them has
// signed it, or a key that the journal's own key_change entries lead from to one of them; who
// demands more is candor-verify.
[[nodiscard]] Result<Recovered> recover_log(FileSystem& files, const DataPaths& paths,
                                            Signer& signer, KeyTable& table, SealedStore& sealed,
                                            StateDb& state);

// What an entry is in the life of an exchange.
[[nodiscard]] ExchangeMark mark_of(const ledger::Entry& entry);

}  // namespace candor::store
