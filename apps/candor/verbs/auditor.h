// Where the auditor's private key is kept: outside the data folder (S3).
#pragma once

#include <filesystem>

namespace candor::cli {

// $XDG_CONFIG_HOME/candor/auditor.key, or ~/.config/candor/auditor.key.
[[nodiscard]] std::filesystem::path default_auditor_key();

}  // namespace candor::cli
