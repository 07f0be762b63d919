// The files of field keys in sealed/fields/ (docs/formats/field-keys.md).
#pragma once

#include <optional>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "ledger/field_keys.h"
#include "ledger/key_table_format.h"
#include "store/data_folder.h"
#include "store/store.h"

namespace candor::store {

[[nodiscard]] Path field_file(const DataPaths& paths, const Id128& id, ByteView first_wrap);
// key: what the slot's first wrap holds.
[[nodiscard]] Result<std::vector<ledger::FieldKeys>> read_field_keys(FileSystem& files,
                                                                     const DataPaths& paths,
                                                                     const ledger::KeySlot& slot,
                                                                     const Sensitive<Digest>& key);
// All of this exchange's but one.
[[nodiscard]] Result<void> remove_field_files(FileSystem& files, const DataPaths& paths,
                                              const Id128& id, const Path& but);
[[nodiscard]] Result<void> check_erased_fields(const ErasureRequest& request);
// A client's opening of a transcript from the second wrap; nothing when a field of it is erased.
[[nodiscard]] std::optional<Sensitive<Digest>> client_opening(const ledger::KeySlot& slot,
                                                              const Sensitive<Digest>& key);

}  // namespace candor::store
