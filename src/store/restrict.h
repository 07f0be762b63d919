// The monitor grants itself folders one by one (S5): after this call nothing else on the file
// system can be opened by this process or its children, in particular not DataPaths::signer().
// Landlock has no deny rule, so rights are given only below what is listed. Call with one thread,
// after the signer was started and before any engine is. Not dumpable afterwards.
#pragma once

#include <cstdint>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "store/data_folder.h"

namespace candor::store {

struct FolderGrant {
  Path path;  // a folder or a file; skipped when it does not exist
  enum class Rights : std::uint8_t { kRead, kReadExecute, kReadWrite } rights = Rights::kRead;
};

struct RestrictReport {
  int landlock_abi = 0;  // 0: the kernel has none; nothing was restricted
  bool not_dumpable = false;
  bool signer_closed = false;  // tried: opening the signer's folder is refused
};

// The data folder's own folders but signer/ are granted by this call; extra lists the rest:
// programs (kReadExecute), models outside the data folder, configuration, /proc, /sys, /dev, CA
// certificates.
[[nodiscard]] Result<RestrictReport> restrict_monitor(const DataPaths& paths,
                                                      const std::vector<FolderGrant>& extra);

// The signer's own: nothing but its folder, no new privileges. True if the kernel granted it.
[[nodiscard]] Result<bool> restrict_signer(const Path& folder);

}  // namespace candor::store
