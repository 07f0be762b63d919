#include "gateway/load_log.h"

#include <boost/asio/co_spawn.hpp>

#include "base/log.h"
#include "crypto/hash.h"
#include "json/json.h"

namespace candor::gateway {
namespace {

constexpr std::uint64_t kMaxProbesFile = 4U << 20U;

Digest digest_of_lines(const std::vector<std::string>& lines) {
  Bytes bytes;
  for (const std::string& line : lines) {
    put_bytes(bytes, as_bytes(line));
    bytes.push_back(std::byte{0});
  }
  return crypto::sha256(bytes);
}

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 128)) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    std::string_view("._:/@+-").find(c) != std::string_view::npos;
    out.push_back(ok ? c : '-');
  }
  return out.empty() ? "unknown" : out;
}

std::string probe_name(const Digest& weights, const Digest& engine) {
  return to_hex(weights) + "/" + to_hex(engine);
}

}  // namespace

Result<ledger::Load> load_entry(const engine::LoadedModel& model, const ledger::Stamp& at) {
  ledger::Load entry;
  entry.at = at;
  entry.load = TRY(id_from_hex(model.load_id));
  entry.provenance = provenance_of(model);
  entry.weights_bytes = model.weights_bytes;
  entry.engine_build = label(model.engine.version);
  entry.cpu = digest_of_lines(model.engine.cpu_features);
  entry.parameters = digest_of_lines(model.flags);
  entry.context = static_cast<std::uint32_t>(std::max(0, model.context_tokens));
  entry.slots = static_cast<std::uint32_t>(std::max(0, model.slots));
  entry.threads = static_cast<std::uint32_t>(std::max(0, model.threads));
  const engine::SandboxGrants& grants = model.grants;
  entry.confinement = {.no_new_privs = grants.no_new_privs,
                       .seccomp = grants.seccomp_filter,
                       .landlock_abi = static_cast<std::uint32_t>(std::max(0, grants.landlock_abi)),
                       .network_namespace = grants.network_namespace,
                       .pid_namespace = grants.pid_namespace,
                       .mount_namespace = grants.mount_namespace,
                       .memory_limit = grants.data_limit_bytes != 0,
                       .confined = grants.confined()};
  entry.kernel_probe = !model.kernel_probe.run   ? "skipped"
                       : model.kernel_probe.ok() ? "passed"
                                                 : "failed";
  if (model.model_probe.tokens.empty()) {
    entry.model_probe_result = "skipped";
  } else {
    Bytes tokens;
    for (const std::int32_t token : model.model_probe.tokens) {
      put_u32(tokens, static_cast<std::uint32_t>(token));
    }
    entry.model_probe = crypto::sha256(tokens);
    entry.model_probe_result = !model.model_probe.matches_earlier   ? "first"
                               : *model.model_probe.matches_earlier ? "same"
                                                                    : "changed";
  }
  return entry;
}

std::string_view unload_reason(engine::UnloadReason reason) noexcept {
  switch (reason) {
    case engine::UnloadReason::kRequested: return "stop";
    case engine::UnloadReason::kIdle: return "idle";
    case engine::UnloadReason::kEvicted: return "evicted";
    case engine::UnloadReason::kShutdown: return "stop";
    case engine::UnloadReason::kExited: return "crash";
    case engine::UnloadReason::kHung: return "hang";
    case engine::UnloadReason::kModelChanged: return "lease_broken";
    case engine::UnloadReason::kExhausted: return "memory";
  }
  return "stop";
}

LoadLog::LoadLog(http::asio::io_context& io, AckQueue& acks, Stamper stamp, FileSystem& files,
                 Path probes)
    : io_(io),
      acks_(acks),
      stamp_(std::move(stamp)),
      files_(files),
      probes_file_(std::move(probes)) {
  read_probes();
}

http::Task<Result<store::Acknowledgement>> LoadLog::append(ledger::Entry entry,
                                                           store::Priority priority) {
  auto text = CO_TRY(ledger::encode(entry));
  // To the io thread and back: the ack queue is that thread's.
  co_return co_await http::asio::co_spawn(io_, acks_.append_entry(std::move(text), priority),
                                          http::asio::use_awaitable);
}

http::Task<Result<void>> LoadLog::may_load(std::string model, std::vector<Digest> files) {
  if (!check_) co_return Result<void>{};
  auto ask = [](const Check& check, std::string name,
                std::vector<Digest> digests) -> http::Task<Result<void>> {
    co_return check(name, std::move(digests));
  };
  co_return co_await http::asio::co_spawn(io_, ask(check_, std::move(model), std::move(files)),
                                          http::asio::use_awaitable);
}

http::Task<Result<void>> LoadLog::on_load(std::shared_ptr<const engine::LoadedModel> model) {
  // Once more: a revocation may have come while it loaded.
  std::vector<Digest> files{model->weights};
  files.insert(files.end(), model->adapters.begin(), model->adapters.end());
  CO_TRY(co_await may_load(model->name, std::move(files)));
  auto entry = CO_TRY(load_entry(*model, stamp_()));
  const auto acknowledged = co_await append(std::move(entry), store::Priority::kNormal);
  if (!acknowledged) co_return std::unexpected(acknowledged.error());
  log_info("model.loaded", {{"model", Label(model->name)},
                            {"index", acknowledged->index},
                            {"confined", model->grants.confined()}});
  if (!model->model_probe.tokens.empty()) {
    const std::scoped_lock lock(mutex_);
    probes_[probe_name(model->weights, model->engine.digest)] = model->model_probe.tokens;
    write_probes();
  }
  co_return Result<void>{};
}

http::Task<void> LoadLog::on_unload(engine::Unload unload) {
  const std::string load_id = unload.model->load_id;
  if (ended_) {
    http::asio::post(io_, [this, load_id] { ended_(load_id); });
  }
  ledger::Unload entry;
  entry.at = stamp_();
  if (const auto id = id_from_hex(load_id)) entry.load = *id;
  entry.reason = unload_reason(unload.reason);
  const auto acknowledged = co_await append(std::move(entry), store::Priority::kReserved);
  if (!acknowledged) log_error("ledger.unload_lost", {{"code", acknowledged.error().code()}});
  log_info("model.unloaded",
           {{"model", Label(unload.model->name)}, {"exit_code", unload.exit_code}});
}

http::Task<void> LoadLog::on_load_failure(engine::LoadFailure failure) {
  log_error("model.load_failed", {{"model", Label(failure.model)}, {"code", failure.error.code()}});
  ledger::Admin entry;
  entry.at = stamp_();
  entry.act = make_id(system_random());
  entry.verb = "model.load";
  if (!failure.finding.empty()) entry.finding = label(failure.finding);
  entry.object = label(failure.model);
  entry.result = to_string(failure.error.code());
  (void)co_await append(std::move(entry), store::Priority::kNormal);
}

std::optional<std::vector<std::int32_t>> LoadLog::earlier_probe(const Digest& weights,
                                                                const Digest& engine) {
  const std::scoped_lock lock(mutex_);
  const auto found = probes_.find(probe_name(weights, engine));
  if (found == probes_.end()) return std::nullopt;
  return found->second;
}

void LoadLog::read_probes() {
  const auto bytes = read_file(files_, probes_file_, kMaxProbesFile);
  if (!bytes) return;
  const auto value = json::parse(as_text(*bytes));
  if (!value || !value->is_object()) return;
  for (const auto& [name, tokens] : value->as_object()) {
    if (!tokens.is_array()) continue;
    std::vector<std::int32_t> list;
    for (const json::Value& token : tokens.as_array()) {
      if (token.is_int64()) list.push_back(static_cast<std::int32_t>(token.as_int64()));
    }
    probes_.emplace(std::string(name), std::move(list));
  }
}

void LoadLog::write_probes() {
  json::Object object;
  for (const auto& [name, tokens] : probes_) {
    json::Array list;
    for (const std::int32_t token : tokens) list.emplace_back(token);
    object[name] = std::move(list);
  }
  const std::string text = json::to_text(json::Value(std::move(object)));
  if (!write_file_atomically(files_, probes_file_, as_bytes(text))) {
    log_warning("probes.not_written");
  }
}

}  // namespace candor::gateway
