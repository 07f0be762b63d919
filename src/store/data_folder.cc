#include "store/data_folder.h"

namespace candor::store {

Result<DataFolder> DataFolder::open(FileSystem& files, const Path& root) {
  DataPaths paths(root);
  TRY(files.make_folders(paths.run()));
  auto lock = files.lock(paths.lock());
  if (!lock) {
    if (lock.error().code() == Code::kFailedPrecondition) {
      return fail(Code::kFailedPrecondition,
                  "another candor already serves this data folder: " + lock.error().message() +
                      "; stop it first, or choose another folder");
    }
    return std::unexpected(std::move(lock.error()).with_context("taking the data folder's lock"));
  }
  for (const Path& folder :
       {paths.journal(), paths.ledger(), paths.sealed(), paths.epochs(), paths.packs(),
        paths.large(), paths.field_keys(), paths.pending_erasures(), paths.keys(), paths.state(),
        paths.models(), paths.closed()}) {
    TRY(files.make_folders(folder));
  }
  TRY(files.sync_folder(paths.sealed()));
  // Under restrict_monitor() the root cannot be opened; it has synced these names before.
  if (const auto synced = files.sync_folder(root);
      !synced && synced.error().code() != Code::kPermissionDenied) {
    return std::unexpected(synced.error());
  }
  const Path parent = root.parent_path();
  // The root's own name; its parent may not be ours to open.
  if (!parent.empty()) (void)files.sync_folder(parent);
  return DataFolder(files, std::move(paths), *std::move(lock));
}

}  // namespace candor::store
