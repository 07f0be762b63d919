// Layout of a data folder, and the lock that makes one process its only owner (A11, S6).
//
// Sockets and SQLite files have folders of their own, because Landlock grants rights by folder and
// the monitor must have none on signer/ (S5): whoever may create or remove names in the root could
// remove the signer's state.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace candor::store {

// Pure: names only, nothing is opened.
class DataPaths {
 public:
  explicit DataPaths(Path root) : root_(std::move(root)) {}
  [[nodiscard]] const Path& root() const noexcept { return root_; }
  [[nodiscard]] Path lock() const { return root_ / "run" / "lock"; }
  [[nodiscard]] Path run() const {
    return root_ / "run";
  }  // sockets, pid, engines' private folders
  [[nodiscard]] Path admin_socket() const { return run() / "admin.sock"; }
  [[nodiscard]] Path api_socket() const { return run() / "api.sock"; }
  [[nodiscard]] Path journal() const { return root_ / "journal"; }
  [[nodiscard]] Path ledger() const { return root_ / "ledger"; }  // C2SP tlog-tiles layout
  [[nodiscard]] Path checkpoint() const { return ledger() / "checkpoint"; }
  [[nodiscard]] Path sealed() const { return root_ / "sealed"; }
  [[nodiscard]] Path key_table() const { return sealed() / "keys.table"; }
  [[nodiscard]] Path epochs() const { return sealed() / "epochs"; }
  [[nodiscard]] Path packs() const { return sealed() / "packs"; }
  [[nodiscard]] Path large() const { return sealed() / "large"; }
  [[nodiscard]] Path field_keys() const { return sealed() / "fields"; }
  [[nodiscard]] Path pending_erasures() const { return sealed() / "pending"; }
  [[nodiscard]] Path keys() const { return root_ / "keys"; }
  [[nodiscard]] Path local_key() const { return keys() / "local.key"; }
  [[nodiscard]] Path auditors() const { return keys() / "auditors.json"; }  // public halves
  // What the next start is asked to do (docs/formats/log-key.md).
  [[nodiscard]] Path key_change_wish() const { return keys() / "change-log-key.json"; }
  [[nodiscard]] Path closing_wish() const { return keys() / "close-log.json"; }
  [[nodiscard]] Path continued_log() const { return keys() / "continues"; }
  [[nodiscard]] Path handovers() const { return ledger() / "handover"; }
  [[nodiscard]] Path closed() const { return root_ / "closed"; }  // logs that have ended
  [[nodiscard]] Path state() const { return root_ / "state"; }
  [[nodiscard]] Path state_db() const { return state() / "state.db"; }
  [[nodiscard]] Path index_db() const { return state() / "index.db"; }
  [[nodiscard]] Path policies() const { return state() / "policies"; }  // rules, by digest
  [[nodiscard]] Path models() const { return root_ / "models"; }
  [[nodiscard]] Path signer() const { return root_ / "signer"; }  // closed to the monitor

 private:
  Path root_;
};

// Holds the exclusive lock until destroyed.
class DataFolder {
 public:
  // Makes the folders (0700) and takes the lock. kFailedPrecondition: another process has it; the
  // message names its pid and says what to do.
  [[nodiscard]] static Result<DataFolder> open(FileSystem& files, const Path& root);
  [[nodiscard]] const DataPaths& paths() const noexcept { return paths_; }
  [[nodiscard]] FileSystem& files() const noexcept { return *files_; }

 private:
  DataFolder(FileSystem& files, DataPaths paths, std::unique_ptr<FileLock> lock)
      : files_(&files), paths_(std::move(paths)), lock_(std::move(lock)) {}
  FileSystem* files_;
  DataPaths paths_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace candor::store
