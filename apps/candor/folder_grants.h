// What the monitor may open beside its own data folder (S5, store/restrict.h): from the
// configuration, and as little as it needs.
#pragma once

#include <vector>

#include "config/config.h"
#include "store/restrict.h"

namespace candor::cli {

// kInvalidArgument: a setting would open the signer's folder too.
[[nodiscard]] Result<std::vector<store::FolderGrant>> folder_grants(const config::Config& config,
                                                                    const Path& program_folder);

}  // namespace candor::cli
