#include "serve_options.h"

#include <algorithm>
#include <array>

#include <pwd.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/text.h"
#include "dlp/pack.h"
#include "secret_files.h"

namespace candor::cli {
namespace {

// Configured with -DCANDOR_LLAMA_SERVER: the build has put that binary beside the program.
#if defined(CANDOR_FOREIGN_ENGINE)
constexpr bool kBuiltWithForeignEngine = true;
#else
constexpr bool kBuiltWithForeignEngine = false;
#endif

Result<std::uint32_t> uid_of(const std::string& user) {
  if (const auto number = parse_decimal(user); number && *number < 0xffff'ffffULL) {
    return static_cast<std::uint32_t>(*number);
  }
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4'096> buffer{};
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return fail(Code::kNotFound, "identity.os_users names '" + strip_controls(user) +
                                     "', which is no user of this machine");
  }
  return static_cast<std::uint32_t>(found->pw_uid);
}

engine::Scheduling scheduling(config::Scheduling value) {
  switch (value) {
    case config::Scheduling::kIdle: return engine::Scheduling::kIdle;
    case config::Scheduling::kBatch: return engine::Scheduling::kBatch;
    case config::Scheduling::kOther: return engine::Scheduling::kOther;
  }
  return engine::Scheduling::kIdle;
}

// Connections that this process may hold at once, after asking for as many as it may have.
std::size_t descriptors_allow() {
  constexpr rlim_t kReserved = 128;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what it was is enough for fewer
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur > kReserved + 2 ? (limit.rlim_cur - kReserved) / 2 : 1;
}

std::int64_t microseconds(config::Milliseconds value) {
  return std::chrono::microseconds(value).count();
}

}  // namespace

Result<gateway::Settings> gateway_settings(const config::Config& config) {
  gateway::Settings settings;
  settings.parse.strict_fields = config.limits.strict_fields;
  settings.parse.limits.max_body_bytes = config.limits.max_body_bytes;
  settings.parse.limits.max_text_bytes = config.limits.max_body_bytes;
  settings.parse.limits.max_messages = static_cast<std::size_t>(config.limits.max_messages);
  settings.max_tokens = static_cast<std::uint32_t>(config.limits.max_tokens);
  settings.quota = {.exchanges_per_minute = config.quota.exchanges_per_minute,
                    .bytes_per_hour = config.quota.bytes_per_hour};
  // The enumerators of both modules stand in the same order.
  for (const config::Budget& budget : config.budgets) {
    settings.budgets.push_back({.scope = static_cast<gateway::BudgetScope>(budget.kind),
                                .name = budget.name,
                                .window = static_cast<gateway::BudgetWindow>(budget.window),
                                .limits = {.requests = budget.requests,
                                           .tokens = budget.tokens,
                                           .tokens_in = budget.tokens_in,
                                           .tokens_out = budget.tokens_out,
                                           .seconds = budget.seconds,
                                           .streams = budget.streams}});
  }
  for (const config::Priority& priority : config.priorities) {
    settings.priorities.push_back({.scope = static_cast<gateway::BudgetScope>(priority.kind),
                                   .name = priority.name,
                                   .turns = static_cast<gateway::TurnPriority>(priority.turns)});
  }
  settings.max_waiting = static_cast<std::size_t>(config.limits.max_waiting);
  settings.request_timeout = config.limits.request_timeout;
  settings.exception_max = config.policy.exception_max;
  settings.registered_hits = config.policy.registered_hits;
  settings.approvers = config.policy.approvers;
  settings.first_token_timeout = config.engine.first_token_timeout;
  settings.stall_timeout = config.engine.stall_timeout;
  settings.progress_interval = config.ledger.progress_interval;
  settings.progress_bytes = config.ledger.progress_bytes;
  settings.inline_bytes = config.ledger.sealed_inline_max;
  settings.require_key = config.identity.require_key;
  for (const std::string& user : config.identity.os_users) {
    if (user == "*") {
      settings.all_os_users = true;
    } else {
      settings.os_uids.push_back(TRY(uid_of(user)));
    }
  }
  settings.forwarder_uids = config.identity.forwarder_uids;
  settings.teams = config.identity.teams;
  settings.browser = {.hosts = config.listen.hosts, .origins = config.listen.origins};
  return settings;
}

http::ServerOptions server_options(const config::Config& config) {
  http::ServerOptions options;
  options.limits.header_bytes = static_cast<std::uint32_t>(config.limits.max_header_bytes);
  options.limits.body_bytes = config.limits.max_body_bytes;
  options.header_timeout = config.limits.header_timeout;
  options.body_timeout = config.limits.body_timeout;
  options.idle_timeout = config.limits.idle_timeout;
  options.write_timeout = config.limits.write_timeout;
  options.max_connections = static_cast<std::size_t>(config.limits.max_connections);
  if (const std::size_t most = descriptors_allow(); most < options.max_connections) {
    log_warning("http.few_descriptors",
                {{"wanted", options.max_connections}, {"connections", most}});
    options.max_connections = most;
  }
  options.pipelined_bytes =
      std::max<std::size_t>(options.pipelined_bytes, config.limits.max_header_bytes);
  return options;
}

std::vector<engine::ModelConfig> supervised_models(const config::Config& config) {
  std::vector<engine::ModelConfig> models;
  for (const config::Model& model : config.models) {
    if (!model.upstream.empty()) continue;
    engine::ModelConfig out;
    out.name = model.name;
    out.path = model.path;
    out.context_tokens = model.context_tokens;
    out.slots = model.slots;
    out.threads = model.threads;
    out.memory_bytes = model.memory_bytes;
    out.pinned = model.pinned;
    out.weights = model.sha256;
    out.adapters = model.adapters;
    out.chat_template = model.chat_template;
    out.accepted_findings = model.accepted_findings;
    out.extra_flags = model.flags;
    models.push_back(std::move(out));
  }
  return models;
}

Result<std::vector<gateway::UpstreamConfig>> upstreams(const config::Config& config) {
  std::vector<gateway::UpstreamConfig> out;
  for (const config::Model& model : config.models) {
    if (model.upstream.empty()) continue;
    gateway::UpstreamConfig upstream;
    upstream.name = model.name;
    upstream.replicas = model.upstream;
    upstream.model = model.upstream_model;
    upstream.kind = model.upstream_kind == "vllm"        ? gateway::UpstreamKind::kVllm
                    : model.upstream_kind == "llama.cpp" ? gateway::UpstreamKind::kLlamaCpp
                                                         : gateway::UpstreamKind::kOpenAi;
    if (!model.upstream_key_file.empty()) {
      upstream.key = TRY(read_secret_file(model.upstream_key_file));
      std::string& key = upstream.key.reveal();
      while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
      if (key.empty() || !http::is_field_value(key)) {
        return fail(Code::kInvalidArgument, model.upstream_key_file.string() +
                                                ": must hold the upstream's API key on one line");
      }
    }
    if (!model.upstream_ca.empty()) upstream.ca_pem = TRY(read_configured_file(model.upstream_ca));
    upstream.proxy = model.upstream_proxy;
    upstream.slots = model.upstream_slots;
    upstream.connect_timeout = config.upstream.connect_timeout;
    upstream.retries = config.upstream.retries;
    upstream.health_interval = config.upstream.health_interval;
    out.push_back(std::move(upstream));
  }
  return out;
}

Result<gateway::OidcOptions> oidc_options(const config::Oidc& config) {
  gateway::OidcOptions out;
  out.expected.issuer = config.issuer;
  out.expected.audiences = config.audiences;
  std::vector<std::string> names = config.algorithms;
  if (names.empty()) {
    names = {"RS256", "RS384", "RS512", "PS256", "PS384",
             "PS512", "ES256", "ES384", "ES512", "EdDSA"};
  }
  for (const std::string& name : names) {
    const auto algorithm = crypto::jws_algorithm(name);
    if (!algorithm) {
      return fail(Code::kInvalidArgument,
                  "oidc.algorithms: no algorithm is taken that is called " + name);
    }
    out.expected.algorithms.push_back(*algorithm);
  }
  out.expected.skew_s = std::chrono::duration_cast<std::chrono::seconds>(config.clock_skew).count();
  out.expected.user_claim = config.user_claim;
  out.expected.groups_claim = config.groups_claim;
  out.groups = config.groups;
  out.keys = config.keys;
  if (!config.ca.empty()) out.ca_pem = TRY(read_configured_file(config.ca));
  return out;
}

Result<gateway::RulebookSources> rulebook_sources(const config::Policy& config) {
  gateway::RulebookSources out;
  for (const std::string& pack : config.packs) {
    for (const policy::RuleText& text : policy::builtin_rule_texts()) {
      if (text.name != pack + ".toml") continue;
      out.rules.push_back({std::string(text.name), std::string(text.text)});
    }
  }
  for (const Path& file : config.files) {
    out.rules.push_back({file.string(), TRY(read_configured_file(file))});
  }
  for (const Path& file : config.detectors) {
    out.detectors.push_back({file.string(), TRY(read_configured_file(file, dlp::kMaxPackBytes))});
  }
  out.jurisdiction = config.jurisdictions;
  out.language = config.german ? policy::Language::kGerman : policy::Language::kEnglish;
  out.tell_in_text = config.tell_in_text;
  return out;
}

engine::SupervisorOptions supervisor_options(const config::Config& config,
                                             const Path& program_folder,
                                             const store::DataPaths& paths) {
  engine::SupervisorOptions options;
  options.models = supervised_models(config);
  options.engine_binary = config.engine.binary;
  options.foreign_engine = config.engine.foreign;
  if (options.engine_binary.empty()) {
    options.foreign_engine = kBuiltWithForeignEngine;
    options.engine_binary =
        program_folder / (kBuiltWithForeignEngine ? "candor-engine-foreign" : "candor-engine");
  }
  // Of our own build; a foreign one beside it is not what it describes.
  if (!options.foreign_engine) {
    options.engine_manifest = options.engine_binary.parent_path() / "candor-engine.json";
  }
  options.inspect_binary = program_folder / "candor-inspect";
  options.runtime_folder = paths.run() / "engines";
  options.store_folder = paths.models();
  options.memory_budget_bytes = config.engine.memory_budget;
  options.idle_unload = config.engine.idle_unload;
  options.scheduling = scheduling(config.engine.scheduling);
  options.confinement = config.engine.unconfined == config::Unconfined::kAllow
                            ? engine::Confinement::kUnconfinedAllowed
                            : engine::Confinement::kRequired;
  options.load_deadline = config.engine.load_timeout;
  options.template_time = config.engine.template_timeout;
  options.stop_deadline = config.engine.stop_timeout;
  // Its main loop may be busy with a long prompt's batch, as it may between two tokens.
  options.probe_deadline = 2 * config.engine.stall_timeout;
  options.kernel_probe = config.engine.kernel_probe;
  options.model_probe_tokens = config.engine.model_probe_tokens;
  return options;
}

store::LedgerOptions ledger_options(const config::Config& config, std::string_view mode,
                                    std::string_view version) {
  store::LedgerOptions options;
  options.segment_bytes = config.ledger.segment_bytes;
  options.min_free_bytes = config.ledger.reserve_bytes;
  options.publish_every_us = microseconds(config.ledger.publish_interval);
  options.mode = mode;
  options.version = version;
  return options;
}

store::KeyRing::Options key_options(const config::Config& config) {
  store::KeyRing::Options options;
  options.content = config.content.mode == config::ContentMode::kSealed
                        ? store::ContentMode::kSealed
                        : store::ContentMode::kNone;
  options.inline_limit_bytes = config.ledger.sealed_inline_max;
  options.epoch_us = microseconds(config.privacy.epoch);
  return options;
}

std::string_view run_mode(std::uint32_t uid) noexcept {
  return uid > 0 && uid < 1'000 ? "service" : "own_user";
}

std::string configuration_text(const config::Config& config) {
  std::string out;
  for (const config::Setting& setting : config.settings) {
    out.append(setting.key->name).append(" = ").append(setting.value).append("\n");
  }
  for (const config::Model& model : config.models) {
    out.append("model ").append(model.name).append(" ").append(model.path.string());
    for (const Path& adapter : model.adapters) out.append(" + ").append(adapter.string());
    for (const std::string& replica : model.upstream) out.append(replica).append(" ");
    out.append(model.upstream_model).append("\n");
  }
  for (const auto& [kind, line] : config::table_lines(config)) {
    out.append(kind).append(" ").append(line).append("\n");
  }
  return out;
}

json::Array settings_json(const config::Config& config) {
  json::Array out;
  for (const config::Setting& setting : config.settings) {
    json::Object item;
    item["key"] = setting.key->name;
    item["value"] = setting.value;
    item["origin"] = setting.where;
    item["applies"] =
        setting.key->effect == config::Effect::kReload ? "at a reload" : "at a restart";
    out.emplace_back(std::move(item));
  }
  for (const auto& [kind, line] : config::table_lines(config)) {
    json::Object item;
    item["key"] = kind;
    item["value"] = line;
    item["origin"] = config.file.filename().string();
    item["applies"] = "at a reload";
    out.emplace_back(std::move(item));
  }
  return out;
}

}  // namespace candor::cli
