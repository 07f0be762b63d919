// The border between the command line and the server: `candor serve` reads the configuration, sets
// up logging and calls run_serve, which returns when the server has ended.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "config/config.h"

namespace candor::cli {

struct ServeEnvironment {
  std::string version;                   // Candor's
  std::filesystem::path program_folder;  // holds candor-signer, candor-engine, candor-inspect
  // Reads files, environment and the same flags again (SIGHUP, POST /v1/reload).
  std::function<Result<config::Config>()> reload;
};

// Serves until SIGTERM, SIGINT or POST /v1/shutdown; answers the process's exit code
// (docs/errors.md). Says what it listens on and tells a service manager (NOTIFY_SOCKET) when it is
// ready; errors are written to standard error by the callee.
[[nodiscard]] int run_serve(const config::Config& config, const ServeEnvironment& environment);

}  // namespace candor::cli
