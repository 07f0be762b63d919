// From the configuration to what the parts of the monitor take. Pure but for look-ups of users.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "engine/supervisor.h"
#include "gateway/engines.h"
#include "gateway/oidc_keys.h"
#include "gateway/rulebook.h"
#include "gateway/settings.h"
#include "http/server.h"
#include "json/json.h"
#include "store/store.h"

namespace candor::cli {

// kNotFound: identity.os_users names a user that this machine does not have.
[[nodiscard]] Result<gateway::Settings> gateway_settings(const config::Config& config);
// max_connections is lowered where the process may not hold the descriptors for it: each connection
// may need another one to an engine, and some are kept for the ledger and the administration.
[[nodiscard]] http::ServerOptions server_options(const config::Config& config);
[[nodiscard]] Result<gateway::OidcOptions> oidc_options(const config::Oidc& config);
// Reads the files of rules and detectors; errors name the file.
[[nodiscard]] Result<gateway::RulebookSources> rulebook_sources(const config::Policy& config);
[[nodiscard]] engine::SupervisorOptions supervisor_options(const config::Config& config,
                                                           const Path& program_folder,
                                                           const store::DataPaths& paths);
[[nodiscard]] std::vector<engine::ModelConfig> supervised_models(const config::Config& config);
// Reads the files of keys and authorities; errors name the file and what to do.
[[nodiscard]] Result<std::vector<gateway::UpstreamConfig>> upstreams(const config::Config& config);
[[nodiscard]] store::LedgerOptions ledger_options(const config::Config& config,
                                                  std::string_view mode, std::string_view version);
[[nodiscard]] store::KeyRing::Options key_options(const config::Config& config);
// "service" for an account that is no person's (0 < uid < 1000), else "own_user".
[[nodiscard]] std::string_view run_mode(std::uint32_t uid) noexcept;

// Every setting as "key = value", one a line, models too: what a configuration entry's digest is
// of.
[[nodiscard]] std::string configuration_text(const config::Config& config);
[[nodiscard]] json::Array settings_json(const config::Config& config);

}  // namespace candor::cli
