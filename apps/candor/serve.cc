// Wiring of the monitor. The order in open() matters: the signer first, while there is one thread;
// then this process closes itself out of everything it does not need; then the store, threads,
// engines and listeners. close() is the same backwards.
#include "serve.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"
#include "folder_grants.h"
#include "gateway/admin.h"
#include "gateway/budget_keeper.h"
#include "gateway/gateway.h"
#include "gateway/load_log.h"
#include "gateway/workers.h"
#include "output.h"
#include "secret_files.h"
#include "serve_options.h"
#include "store/signer.h"

namespace candor::cli {
namespace {

namespace asio = http::asio;
using gateway::Task;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kRetentionEveryS = 3'600;

void apply_log(const config::Config& config) {
  set_log(config.log.level, config.log.format.value_or(
                                is_terminal(STDERR_FILENO) ? LogFormat::kText : LogFormat::kJson));
}

// systemd's notification protocol (sd_notify(3)): one datagram to a Unix socket, "@" for abstract.
void notify_service_manager(std::string_view message) {
  const char* path =
      ::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): set once, by systemd
  if (path == nullptr || *path == '\0') return;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string_view text(path);
  if (text.size() >= sizeof name.sun_path) return;
  text.copy(&name.sun_path[0], text.size());
  if (name.sun_path[0] == '@') name.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  (void)::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&name),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size()));
  ::close(fd);
}

class Monitor {
 public:
  Monitor(const config::Config& config, const ServeEnvironment& environment)
      : config_(config), environment_(environment), paths_(config.data_dir) {}

  [[nodiscard]] Result<void> open();
  // Until it is told to stop. kDataLoss or kUnavailable: it had to.
  [[nodiscard]] Result<void> run();

 private:
  [[nodiscard]] Result<std::unique_ptr<store::Signer>> start_signer() const;
  [[nodiscard]] Result<void> open_store();
  [[nodiscard]] Result<void> open_services();
  [[nodiscard]] Result<void> open_listeners();
  [[nodiscard]] Task<Result<gateway::ReloadReport>> reload();
  [[nodiscard]] ledger::PolicyChange policy_change(const gateway::Rulebook& book,
                                                   const gateway::Rulebook* before) const;
  [[nodiscard]] Result<void> keep_policy(const gateway::Rulebook& book) const;
  [[nodiscard]] Task<Result<void>> change_policy(std::shared_ptr<const gateway::Rulebook> book);
  [[nodiscard]] std::vector<std::string> urls() const;
  [[nodiscard]] json::Object static_status() const;
  [[nodiscard]] Task<void> renew_certificate();
  [[nodiscard]] Task<void> watch_signals();
  void poisoned(Code code);
  [[nodiscard]] Task<void> tick();
  [[nodiscard]] Task<void> keep_budgets();
  [[nodiscard]] Task<void> shut_down();
  void begin_stop(std::string_view reason);

  config::Config config_;  // in force
  const ServeEnvironment& environment_;
  store::DataPaths paths_;
  std::string_view mode_ = run_mode(::geteuid());
  std::int64_t started_us_ = system_clock().wall_us();

  asio::io_context io_{1};
  asio::thread_pool workers_{2};
  std::unique_ptr<store::Store> store_;
  store::Signer* signer_ = nullptr;  // the store's
  std::optional<gateway::AckQueue> acks_;
  std::optional<gateway::LoadLog> loads_;
  std::unique_ptr<engine::EngineSupervisor> supervisor_;
  std::optional<gateway::Engines> engines_;
  std::optional<gateway::Refusals> refusals_;
  gateway::Metrics metrics_;
  std::optional<gateway::Services> services_;
  std::optional<gateway::Gateway> gateway_;
  std::optional<gateway::Admin> admin_;
  std::optional<http::PeerResolver> resolver_;
  std::optional<http::Server> server_;
  std::optional<TlsFiles> tls_files_;
  std::optional<http::Server> admin_server_;
  asio::signal_set signals_{io_};
  asio::steady_timer ticker_{io_};
  std::string_view stop_reason_;  // empty: running
  Result<void> ended_;
};

Result<std::unique_ptr<store::Signer>> Monitor::start_signer() const {
  // In service mode the signer may run under a user of its own (S5); systemd names its socket.
  const char* socket =
      ::getenv("CANDOR_SIGNER_SOCKET");  // NOLINT(concurrency-mt-unsafe): one thread yet
  if (socket != nullptr && *socket != '\0') {
    struct stat found{};
    if (::lstat(socket, &found) != 0) {
      return fail(Code::kUnavailable, "CANDOR_SIGNER_SOCKET names no socket");
    }
    return store::connect_signer(socket, found.st_uid);
  }
  // Made here, so that it is there when this process looks whether it is closed to it.
  TRY(real_file_system().make_folders(paths_.signer()));
  return store::start_signer_process(
      {.binary = environment_.program_folder / "candor-signer", .folder = paths_.signer()});
}

Result<void> Monitor::open() {
  if (auto opened = open_store(); !opened) {
    // What the operator can do about a disk; damage brings its own advice.
    std::string what = opened.error().message();
    if (opened.error().code() == Code::kResourceExhausted) {
      what += ". Make room on the disk that holds " + config_.data_dir.string() +
              " and start again: nothing that was acknowledged is lost";
    } else if (opened.error().code() == Code::kPermissionDenied) {
      what += ". Candor must be able to write in " + config_.data_dir.string() +
              ", as this user and on a file system mounted for writing; nothing was changed";
    }
    return fail(opened.error().code(), std::move(what));
  }
  return open_services();
}

// The signer first, while there is one thread; then the restriction; then the store.
Result<void> Monitor::open_store() {
  auto signer = TRY(start_signer());
  const auto restricted =
      store::restrict_monitor(paths_, TRY(folder_grants(config_, environment_.program_folder)));
  if (!restricted) {
    return std::unexpected(Error(restricted.error()).with_context("restricting the monitor"));
  }
  if (!restricted->signer_closed) log_warning("monitor.signer_folder_open");
  signer_ = signer.get();
  store::LedgerOptions ledger = ledger_options(config_, mode_, environment_.version);
  ledger.on_poison = [this](const Error& error) {
    asio::post(io_, [this, code = error.code()] { poisoned(code); });
  };
  {
    // After the restriction: its thread must be closed in too.
    const Progress progress("opening the ledger");
    store_ = TRY(store::Store::open(real_file_system(), config_.data_dir, std::move(signer), ledger,
                                    key_options(config_), system_random(), system_clock()));
  }
  const store::RecoveryReport& recovery = store_->recovery();
  log_info("store.opened", {{"new_log", recovery.new_log},
                            {"size", recovery.previous_size},
                            {"torn_bytes", recovery.torn_bytes},
                            {"aborted", recovery.aborted}});
  if (recovery.key_changed) log_info("store.log_key_changed");
  if (!recovery.closed_log.empty()) log_info("store.log_closed");
  return {};
}

Result<void> Monitor::open_services() {
  const gateway::Stamper stamp = [store = store_.get()] { return store->stamp(); };
  acks_.emplace(io_, store_->ledger(), system_clock());
  loads_.emplace(io_, *acks_, stamp, real_file_system(), paths_.state() / "probes.json");
  engine::SupervisorOptions engines =
      supervisor_options(config_, environment_.program_folder, paths_);
  if (!engines.models.empty()) {
    supervisor_ =
        TRY(engine::EngineSupervisor::open(io_.get_executor(), std::move(engines), *loads_));
  }
  engines_.emplace(io_, supervisor_.get(), *acks_, stamp, system_random());
  if (supervisor_) engines_->set_supervised(supervised_models(config_));
  auto configured = TRY(upstreams(config_));
  TRY(engines_->set_upstreams(std::move(configured)));
  loads_->on_ended([this](const std::string& load) { engines_->forget_load(load); });

  refusals_.emplace(*acks_, stamp, system_clock());
  std::shared_ptr<gateway::DecisionPoint> decision_point;
  if (!config_.policy.ask.empty()) {
    auto opened = gateway::DecisionPoint::open(
        io_.get_executor(), {.url = config_.policy.ask, .timeout = config_.policy.ask_timeout});
    if (!opened) return std::unexpected(std::move(opened).error().with_context("policy.ask"));
    decision_point = *std::move(opened);
  }
  std::shared_ptr<gateway::OidcKeys> oidc;
  if (!config_.oidc.issuer.empty()) {
    auto options = TRY(oidc_options(config_.oidc));
    oidc = TRY(gateway::OidcKeys::open(io_.get_executor(), workers_, std::move(options)));
  }
  const auto rules = TRY(rulebook_sources(config_.policy));
  auto rulebook = TRY(gateway::Rulebook::make(rules));
  if (rulebook) {
    TRY(keep_policy(*rulebook));
    // Before any intent: nothing is accepted yet.
    auto entry = TRY(ledger::encode(policy_change(*rulebook, nullptr)));
    (void)acks_->submit_entry(std::move(entry), store::Priority::kNormal);
  }
  gateway::Halts halts(TRY(store_->state().list_halts()),
                       TRY(store_->state().list_revocation_issuers()));
  services_.emplace(gateway::Services{
      .io = io_,
      .workers = workers_,
      .clock = system_clock(),
      .random = system_random(),
      .ledger = store_->ledger(),
      .keys = store_->keys(),
      .state = store_->state(),
      .stamp = stamp,
      .acks = *acks_,
      .engines = *engines_,
      .refusals = *refusals_,
      .metrics = metrics_,
      .settings = std::make_shared<const gateway::Settings>(TRY(gateway_settings(config_))),
      .subjects = {},
      .queues = {},
      .quotas = {},
      .halts = std::move(halts),
      .exceptions = gateway::Exceptions(TRY(store_->state().list_exceptions())),
      .registered_hits = {},
      .rulebook = std::move(rulebook),
      .os_groups = {},
      .budgets = {},
      .decision_point = std::move(decision_point),
      .oidc = std::move(oidc),
      .draining = false});
  loads_->on_check([this](const std::string& model, const std::vector<Digest>& files) {
    std::vector<std::string> digests;
    for (const Digest& one : files) digests.push_back(to_hex(one));
    return services_->halts.may_load(model, std::move(digests));
  });
  services_->budgets.set_budgets(services_->settings->budgets);
  if (services_->budgets.limited()) {
    const auto names = TRY(gateway::caller_names(store_->state(), store_->keys()));
    TRY(gateway::load_budgets(services_->budgets, store_->state(), store_->ledger(), names));
  } else if (const auto head = store_->ledger().head()) {
    services_->budgets.restore({}, {}, head->size);  // a reload may bring the first budget
  }
  gateway_.emplace(*services_, gateway::standard_pipeline());
  admin_.emplace(*gateway_, *store_, supervisor_.get(),
                 gateway::AdminOptions{.owner_uid = ::geteuid(),
                                       .owner_gid = ::getegid(),
                                       .static_status = [this] { return static_status(); },
                                       .reload = [this] { return reload(); },
                                       .shut_down = [this] { begin_stop("admin"); }});
  return open_listeners();
}

Result<void> Monitor::open_listeners() {
  if (auto resolver = http::PeerResolver::open()) {
    resolver_.emplace(*std::move(resolver));
  } else {
    log_warning("http.no_sock_diag");  // users on loopback then need keys
  }
  server_.emplace(io_, server_options(config_), *gateway_, system_clock(),
                  resolver_ ? &*resolver_ : nullptr);
  gateway_->set_server(&*server_);
  if (config_.listen.tcp) {
    TRY(server_->listen(http::TcpAddress{.address = config_.listen.tcp->address,
                                         .port = config_.listen.tcp->port}));
  }
  if (config_.listen.tls) {
    tls_files_.emplace(*config_.listen.tls);
    server_->set_tls(TRY(tls_files_->load()));
    TRY(server_->listen(http::TcpAddress{.address = config_.listen.tls->address.address,
                                         .port = config_.listen.tls->address.port,
                                         .tls = true}));
  }
  if (!config_.listen.unix_socket.empty()) {
    // Everybody who may reach it; who it is, the kernel says.
    TRY(server_->listen(http::UnixAddress{
        .path = config_.listen.unix_socket.string(), .mode = 0666, .group = std::nullopt}));
  }
  http::ServerOptions admin_options;
  admin_options.max_connections = 64;
  admin_server_.emplace(io_, admin_options, *admin_, system_clock(), nullptr);
  return admin_server_->listen(http::UnixAddress{
      .path = config_.listen.admin_socket.string(), .mode = 0660, .group = ::getegid()});
}

std::vector<std::string> Monitor::urls() const {
  std::vector<std::string> out;
  const auto add = [&out](std::string_view scheme, const std::string& address, unsigned port) {
    const bool v6 = address.find(':') != std::string::npos;
    out.push_back(std::string(scheme) + (v6 ? "[" + address + "]" : address) + ":" +
                  std::to_string(port));
  };
  if (!server_) return out;
  if (config_.listen.tcp) add("http://", config_.listen.tcp->address, server_->port());
  if (config_.listen.tls) {
    add("https://", config_.listen.tls->address.address, server_->tls_port());
  }
  return out;
}

json::Object Monitor::static_status() const {
  json::Object out;
  out["version"] = environment_.version;
  out["mode"] = mode_;
  out["deployer"] = config_.deployer;
  out["pid"] = static_cast<std::int64_t>(::getpid());
  out["started"] = format_utc(started_us_);
  out["data_dir"] = config_.data_dir.string();
  json::Array listen;
  for (const std::string& url : urls()) listen.emplace_back(url);
  out["listen"] = std::move(listen);
  out["unix_socket"] = config_.listen.unix_socket.string();
  out["admin_socket"] = config_.listen.admin_socket.string();
  json::Array upstream_list;
  for (const auto& upstream : engines_->upstream_status()) {
    json::Object item;
    item["name"] = upstream.name;
    item["path"] = upstream.replicas.front().endpoint;
    item["state"] = "upstream";
    item["basis"] = "declared";
    json::Array replicas;
    for (const gateway::ReplicaStatus& replica : upstream.replicas) {
      json::Object one;
      one["endpoint"] = replica.endpoint;
      one["healthy"] = replica.healthy;
      one["detail"] = replica.detail;
      one["running"] = replica.running;
      one["answered"] = replica.answered;
      one["failed"] = replica.failed;
      replicas.emplace_back(std::move(one));
    }
    item["replicas"] = std::move(replicas);
    upstream_list.emplace_back(std::move(item));
  }
  out["upstreams"] = std::move(upstream_list);
  json::Object limits;
  limits["max_tokens"] = config_.limits.max_tokens;
  limits["max_body_bytes"] = config_.limits.max_body_bytes;
  limits["max_connections"] = config_.limits.max_connections;
  limits["drain_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(config_.limits.drain_timeout).count();
  out["limits"] = std::move(limits);
  out["config_file"] = config_.file.string();
  out["config"] = settings_json(config_);
  json::Array warnings;
  for (const std::string& warning : config_.warnings) warnings.emplace_back(warning);
  out["warnings"] = std::move(warnings);
  return out;
}

// All or nothing: everything that can be refused is made before anything is put in force.
Task<Result<gateway::ReloadReport>> Monitor::reload() {
  auto loaded = environment_.reload();
  if (!loaded) co_return std::unexpected(loaded.error());
  config::Config next = *std::move(loaded);
  gateway::ReloadReport report;
  for (const config::Change& change : config::diff(config_, next)) {
    report.changed.push_back(change.key);
    if (change.effect == config::Effect::kRestart) report.restart_needed.push_back(change.key);
  }
  auto settings = gateway_settings(next);
  if (!settings) co_return std::unexpected(settings.error());
  auto next_upstreams = upstreams(next);
  if (!next_upstreams) co_return std::unexpected(next_upstreams.error());
  if (auto good = engines_->check_upstreams(*next_upstreams); !good) {
    co_return std::unexpected(good.error());
  }
  auto rules = rulebook_sources(next.policy);
  if (!rules) co_return std::unexpected(rules.error());
  // Off the io thread: new detectors take a moment to compile.
  auto rulebook = co_await gateway::off_thread(
      workers_, [&] { return gateway::Rulebook::make(*rules, services_->rulebook); });
  if (!rulebook) co_return std::unexpected(rulebook.error());
  const std::vector<engine::ModelConfig> models = supervised_models(next);
  if (!models.empty() && !supervisor_) {
    report.restart_needed.emplace_back("model");  // engines need their thread from the start
  } else if (supervisor_) {
    const auto done = co_await supervisor_->reconfigure(models);
    if (!done) co_return std::unexpected(done.error());
    engines_->set_supervised(models);
  }
  if (auto recorded = co_await change_policy(*std::move(rulebook)); !recorded) {
    co_return std::unexpected(recorded.error());
  }
  (void)engines_->set_upstreams(*std::move(next_upstreams));  // checked above
  services_->settings = std::make_shared<const gateway::Settings>(*std::move(settings));
  services_->budgets.set_budgets(services_->settings->budgets);
  if (services_->budgets.limited() && !services_->budgets.keeping.on) {
    // They are in force; what was used before them is not known yet.
    if (const auto begun = co_await gateway::begin_budgets(*services_); !begun) {
      log_error("budgets.not_counted", {{"code", begun.error().code()}});
    }
  }
  apply_log(next);
  // What takes a restart stays as it is, and is shown as it is.
  config::Config in_force = config_;
  in_force.models = next.models;
  in_force.upstream = next.upstream;
  in_force.identity = next.identity;
  in_force.limits = next.limits;
  in_force.quota = next.quota;
  in_force.policy = next.policy;
  in_force.budgets = next.budgets;
  in_force.priorities = next.priorities;
  in_force.log = next.log;
  in_force.content.retention = next.content.retention;
  in_force.listen.hosts = next.listen.hosts;
  in_force.listen.origins = next.listen.origins;
  in_force.warnings = next.warnings;
  for (std::size_t i = 0; i < in_force.settings.size(); ++i) {
    if (in_force.settings[i].key->effect == config::Effect::kReload) {
      in_force.settings[i] = next.settings.at(i);
    }
  }
  config_ = std::move(in_force);
  report.text = configuration_text(config_);
  co_return report;
}

ledger::PolicyChange Monitor::policy_change(const gateway::Rulebook& book,
                                            const gateway::Rulebook* before) const {
  return {.at = store_->stamp(),
          .digest = book.policy().digest(),
          .previous = before != nullptr ? std::optional(before->policy().digest()) : std::nullopt,
          .detectors = book.detectors(),
          .rules = static_cast<std::uint32_t>(book.policy().rules())};
}

// By its digest, so that what it decided can be explained when it is no longer in force.
Result<void> Monitor::keep_policy(const gateway::Rulebook& book) const {
  FileSystem& files = real_file_system();
  TRY(files.make_folders(paths_.policies()));
  return write_file_atomically(files,
                               paths_.policies() / (to_hex(book.policy().digest()) + ".json"),
                               as_bytes(policy::canonical_form(book.policy().files())));
}

// On record before it is in force (C10).
Task<Result<void>> Monitor::change_policy(std::shared_ptr<const gateway::Rulebook> book) {
  const gateway::Rulebook* before = services_->rulebook.get();
  const bool same = book && before != nullptr &&
                    book->policy().digest() == before->policy().digest() &&
                    book->detectors() == before->detectors();
  if (!same && (book || before != nullptr)) {
    ledger::PolicyChange change;
    if (book) {
      if (auto kept = keep_policy(*book); !kept) co_return std::unexpected(kept.error());
      change = policy_change(*book, before);
    } else {  // none from here on: the digest of nothing
      change.at = store_->stamp();
      change.previous = before->policy().digest();
    }
    auto entry = ledger::encode(change);
    if (!entry) co_return std::unexpected(entry.error());
    const auto done = co_await acks_->append_entry(*std::move(entry), store::Priority::kNormal);
    if (!done) co_return std::unexpected(done.error());
  }
  services_->rulebook = std::move(book);
  co_return Result<void>();
}

void Monitor::begin_stop(std::string_view reason) {
  if (!stop_reason_.empty()) return;
  stop_reason_ = reason;
  services_->draining = true;
  notify_service_manager("STOPPING=1");
  asio::co_spawn(io_, shut_down(), asio::detached);
}

Task<void> Monitor::watch_signals() {
  for (;;) {
    const auto [ec, signal] = co_await signals_.async_wait(kAsTuple);
    if (ec) co_return;
    if (signal == SIGHUP) {
      notify_service_manager("RELOADING=1");
      const auto done = co_await admin_->reload("", "SIGHUP");
      co_await renew_certificate();
      if (!done) {
        log_error("configuration.not_reloaded", {{"code", done.error().code()}});
        // The sentence names keys, files and lines of the operator's own configuration.
        std::fprintf(stderr, "candor: the configuration stays as it was: %s\n",
                     done.error().message().c_str());
      }
      notify_service_manager("READY=1");
      continue;
    }
    if (!stop_reason_.empty()) {
      server_->hasten();  // asked twice: no grace
      continue;
    }
    begin_stop("signal");
  }
}

// Everything is refused from now on (503), until a restart has verified the folder. A monitor
// without its signer ends at once (S5).
void Monitor::poisoned(Code code) {
  log_error("ledger.poisoned", {{"code", code}, {"signer_alive", signer_->alive()}});
  if (signer_->alive() || !stop_reason_.empty()) return;
  ended_ = fail(Code::kUnavailable,
                "the signer has ended, so nothing more can be put on record; start again");
  begin_stop("signal");
}

// The certificate's files have changed, or a reload asks for them: the new ones, or else the old
// stay and somebody is told.
Task<void> Monitor::renew_certificate() {
  if (!tls_files_) co_return;
  const bool changed = tls_files_->changed();
  auto context = tls_files_->load();
  std::string object;
  std::string result = "done";
  if (context) {
    object = "sha256:" + (*context)->certificate().sha256;
    server_->set_tls(*std::move(context));
    if (!changed) co_return;
    log_info("tls.certificate_replaced", {});
  } else {
    result = to_string(context.error().code());
    log_error("tls.certificate_not_replaced", {{"code", context.error().code()}});
    std::fprintf(stderr, "candor: the TLS certificate stays as it was: %s\n",
                 context.error().message().c_str());
  }
  (void)co_await admin_->note("tls.certificate", std::move(object), std::move(result));
}

Task<void> Monitor::tick() {
  std::int64_t seconds = 0;
  while (stop_reason_.empty()) {
    ticker_.expires_after(std::chrono::seconds(1));
    const auto [ec] = co_await ticker_.async_wait(kAsTuple);
    if (ec) co_return;
    refusals_->flush(/*all=*/false);
    co_await keep_budgets();
    if (tls_files_ && tls_files_->changed()) co_await renew_certificate();
    if (!signer_->alive()) poisoned(Code::kUnavailable);
    if (config_.content.retention && ++seconds % kRetentionEveryS == 0) {
      const std::int64_t age = std::chrono::microseconds(*config_.content.retention).count();
      const auto removed = co_await gateway::off_thread(
          workers_, [this, age] { return store_->retain_content(age); });
      if (!removed) log_error("retention.failed", {{"code", removed.error().code()}});
    }
  }
}

// What could not be written is tried again in a second, and counted from the log at the next start.
Task<void> Monitor::keep_budgets() {
  const auto kept = co_await gateway::keep_budgets(*services_);
  if (!kept) log_error("budgets.not_kept", {{"code", kept.error().code()}});
}

Task<void> Monitor::shut_down() {
  log_info("monitor.draining", {{"inflight", metrics_.inflight}});
  co_await server_->drain(config_.limits.drain_timeout);
  if (supervisor_) co_await supervisor_->stop();
  co_await engines_->close_upstreams();
  if (services_->oidc) services_->oidc->close();
  if (services_->decision_point) services_->decision_point->close();
  refusals_->flush(/*all=*/true);
  co_await keep_budgets();
  co_await admin_server_->drain(std::chrono::milliseconds(100));
  const auto closed =
      co_await gateway::off_thread(workers_, [this] { return store_->close(stop_reason_); });
  if (!closed && ended_) ended_ = std::unexpected(closed.error());
  ticker_.cancel();
  boost::system::error_code ignored;
  signals_.cancel(ignored);
  io_.stop();  // nothing that is left needs to be waited for
}

Result<void> Monitor::run() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.add(SIGHUP);
  asio::co_spawn(io_, watch_signals(), asio::detached);
  asio::co_spawn(io_, tick(), asio::detached);
  notify_service_manager("READY=1");
  log_info("monitor.ready",
           {{"port", static_cast<int>(server_->port())}, {"pid", static_cast<int>(::getpid())}});
  for (const std::string& url : urls()) {
    std::fprintf(stderr, "candor: listening on %s and %s\n", url.c_str(),
                 config_.listen.unix_socket.c_str());
  }
  io_.run();
  workers_.join();
  return ended_;
}

}  // namespace

int run_serve(const config::Config& config, const ServeEnvironment& environment) {
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
  apply_log(config);
  Monitor monitor(config, environment);
  Result<void> result = monitor.open();
  if (result) result = monitor.run();
  if (result) return kExitDone;
  std::fprintf(stderr, "candor: %s\n", result.error().message().c_str());
  return exit_code(result.error().code());
}

}  // namespace candor::cli
