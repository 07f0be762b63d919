// Wrapping and unwrapping of the roots and keys in key slots (docs/formats/key-table.md).
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "ledger/commitment.h"
#include "ledger/journal_format.h"
#include "ledger/key_table_format.h"

namespace candor::store {

[[nodiscard]] Bytes wrap_root(const Sensitive<Digest>& epoch_key, const Id128& id,
                              const ledger::Root& root, Random& random);
[[nodiscard]] Result<ledger::Root> unwrap_root(const Sensitive<Digest>& epoch_key, const Id128& id,
                                               ByteView wrap);

// Two 32-byte keys under the local key: an exchange's client openings, or a subject's keys.
struct KeyPair {
  Sensitive<Digest> first, second;
};
[[nodiscard]] Bytes wrap_pair(const Sensitive<Digest>& local_key, const Id128& id,
                              const KeyPair& pair, Random& random);
[[nodiscard]] Result<KeyPair> unwrap_pair(const Sensitive<Digest>& local_key, const Id128& id,
                                          ByteView wrap);

}  // namespace candor::store
