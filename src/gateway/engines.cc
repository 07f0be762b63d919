#include "gateway/engines.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/text.h"
#include "crypto/hash.h"

namespace candor::gateway {
namespace {

// Declared: no bytes were seen. The digest names the declaration, so that another one differs.
Digest declared(std::string_view what, std::string_view name) {
  return crypto::sha256({as_bytes("candor/v1/declared"), as_bytes(std::string_view("\0", 1)),
                         as_bytes(what), as_bytes(std::string_view("\0", 1)), as_bytes(name)});
}

void describe(const engine::LoadedModel& loaded, dialect::ModelInfo& info) {
  info.loaded = true;
  info.digest = to_hex(loaded.weights);
  info.size_bytes = loaded.weights_bytes;
  info.memory_bytes = loaded.memory_bytes;
  info.parameters = loaded.metadata.parameters;
  info.context_tokens = static_cast<std::uint64_t>(loaded.context_tokens);
  info.embedding_length = loaded.metadata.embedding_length;
  info.architecture = loaded.metadata.architecture;
  const auto most =
      std::ranges::max_element(loaded.metadata.tensor_types, {}, &model::TensorTypeUse::elements);
  if (most != loaded.metadata.tensor_types.end()) info.quantisation = most->name;
  const auto names = [&loaded](std::string_view word) {
    return loaded.template_text.find(word) != std::string::npos;
  };
  info.embeds = std::ranges::find(loaded.flags, "--embeddings") != loaded.flags.end();
  info.has_tools = names("tools");
  info.thinks = names("enable_thinking") || names("reasoning_content") || names("<think>");
}

}  // namespace

http::Task<Result<std::unique_ptr<engine::EngineStream>>> Placement::open(
    engine::EngineRequest request) const {
  return pool ? pool->ask(std::move(request)) : client->open(std::move(request));
}

ledger::Provenance upstream_provenance(const UpstreamConfig& config) {
  const std::string& model = config.model.empty() ? config.name : config.model;
  ledger::Provenance provenance;
  provenance.model = config.name;
  provenance.weights = declared("weights", model);
  std::string replicas;
  for (const std::string& replica : config.replicas) {
    if (!replicas.empty()) replicas += ' ';
    replicas += replica;
  }
  provenance.engine = declared("engine", replicas);
  return provenance;  // every basis is kDeclared by default
}

struct Engines::Upstream {
  explicit Upstream(http::asio::any_io_executor executor) : unused(std::move(executor)) {}
  UpstreamConfig config;
  std::shared_ptr<UpstreamPool> pool;
  ledger::Provenance provenance;
  Id128 load{};
  bool loaded = false;  // its load entry is submitted
  std::size_t uses = 0;
  bool retired = false;
  http::Event unused;  // retired, and the last use is over
};

Engines::Engines(http::asio::io_context& io, engine::EngineSupervisor* supervisor, AckQueue& acks,
                 Stamper stamp, Random& random)
    : io_(io), supervisor_(supervisor), acks_(acks), stamp_(std::move(stamp)), random_(random) {
  Digest key{};
  random_.fill(key);
  cache_salt_key_ = to_hex(key);
}

Engines::~Engines() = default;

Result<void> Engines::check_upstreams(const std::vector<UpstreamConfig>& upstreams) const {
  for (UpstreamConfig config : upstreams) {
    config.health_interval.reset();
    if (auto pool = UpstreamPool::open(io_.get_executor(), config); !pool) {
      return std::unexpected(Error(pool.error()).with_context("model '" + config.name + "'"));
    }
  }
  return {};
}

Result<void> Engines::set_upstreams(std::vector<UpstreamConfig> upstreams) {
  TRY(check_upstreams(upstreams));
  std::map<std::string, std::shared_ptr<Upstream>, std::less<>> next;
  for (UpstreamConfig& config : upstreams) {
    const auto old = upstreams_.find(config.name);
    if (old != upstreams_.end() && old->second->config == config) {
      next[config.name] = old->second;
      continue;
    }
    auto upstream = std::make_shared<Upstream>(io_.get_executor());
    upstream->pool = TRY(UpstreamPool::open(io_.get_executor(), config));
    upstream->provenance = upstream_provenance(config);
    upstream->config = std::move(config);
    next[upstream->config.name] = upstream;
  }
  for (const auto& [name, upstream] : upstreams_) {
    const auto kept = next.find(name);
    if (kept != next.end() && kept->second == upstream) continue;
    http::asio::co_spawn(io_, retire(upstream), http::asio::detached);
  }
  upstreams_ = std::move(next);
  return {};
}

http::Task<void> Engines::retire(std::shared_ptr<Upstream> upstream) {
  upstream->retired = true;
  if (upstream->uses > 0) co_await upstream->unused.wait();
  upstream->pool->close();
  co_await unload(*upstream);
}

http::Task<Result<Placement>> Engines::acquire_upstream(std::shared_ptr<Upstream> upstream) {
  ++upstream->uses;
  const std::shared_ptr<void> use(nullptr, [upstream](void*) {
    if (--upstream->uses == 0 && upstream->retired) upstream->unused.set();
  });
  if (!upstream->loaded) {
    // Entries keep the order of their submission, so a load that is on its way stands before the
    // intents that name it; if it fails, so do they.
    upstream->load = make_id(random_);
    ledger::Load entry;
    entry.at = stamp_();
    entry.load = upstream->load;
    entry.provenance = upstream->provenance;
    entry.engine_build = "upstream";
    entry.kernel_probe = "skipped";
    entry.model_probe_result = "skipped";
    entry.cache = upstream->config.kind == UpstreamKind::kOpenAi ? "not_assured" : "asked";
    auto text = CO_TRY(ledger::encode(entry));
    upstream->loaded = true;
    const auto acknowledged =
        co_await acks_.append_entry(std::move(text), store::Priority::kNormal);
    if (!acknowledged) {
      upstream->loaded = false;
      co_return fail(Code::kUnavailable, "the load entry could not be written");
    }
  }
  Placement place;
  place.provenance = upstream->provenance;
  place.load = upstream->load;
  place.upstream = true;
  place.engine_model = upstream->config.model;
  place.kind = upstream->config.kind;
  place.cache_salt_key = cache_salt_key_;
  place.pool = upstream->pool;
  place.use = use;
  co_return place;
}

http::Task<Result<Placement>> Engines::acquire(std::string model, std::uint32_t choices,
                                               std::chrono::steady_clock::time_point deadline,
                                               http::StopSource& stop) {
  if (const auto found = upstreams_.find(model); found != upstreams_.end()) {
    co_return co_await acquire_upstream(found->second);
  }
  if (supervisor_ == nullptr) co_return fail(Code::kNotFound, "no such model");
  if (choices <= 1) co_return co_await acquire_one(std::move(model), deadline, stop);
  if (collecting_) {
    http::Event turn(io_.get_executor());
    collectors_.push_back(&turn);
    co_await turn.wait();
  }
  collecting_ = true;
  auto place = co_await acquire_several(std::move(model), choices, deadline, stop);
  collecting_ = !collectors_.empty();
  if (collecting_) {
    http::Event* next = collectors_.front();
    collectors_.pop_front();
    next->set();
  }
  co_return place;
}

http::Task<Result<Placement>> Engines::acquire_several(
    std::string model, std::uint32_t choices, std::chrono::steady_clock::time_point deadline,
    http::StopSource& stop) {
  Placement place = CO_TRY(co_await acquire_one(model, deadline, stop));
  const auto slots = static_cast<std::uint32_t>(place.lease.model().slots);
  if (choices > slots) {
    co_return fail(Code::kInvalidArgument, std::to_string(slots));
  }
  while (place.more.size() + 1 < choices) {
    engine::ModelLease lease = CO_TRY(co_await supervisor_->acquire(model, deadline, &stop));
    if (lease.model().load_id != place.lease.model().load_id) {
      co_return fail(Code::kUnavailable, "the engine was restarted meanwhile");
    }
    place.more.push_back(std::move(lease));
  }
  place.repeatable = false;  // the engine decodes the choices together
  co_return place;
}

http::Task<Result<Placement>> Engines::acquire_one(std::string model,
                                                   std::chrono::steady_clock::time_point deadline,
                                                   http::StopSource& stop) {
  Placement place;
  place.lease = CO_TRY(co_await supervisor_->acquire(std::move(model), deadline, &stop));
  const engine::LoadedModel& loaded = place.lease.model();
  place.load = CO_TRY(id_from_hex(loaded.load_id));
  place.provenance = provenance_of(loaded);
  weights_[loaded.name] = loaded.weights;
  place.id_slot = place.lease.slot();
  place.repeatable = loaded.slots == 1 && loaded.provenance == engine::Provenance::kMeasured;
  auto& client = clients_[loaded.load_id];
  if (!client) {
    client =
        std::make_shared<engine::EngineClient>(io_.get_executor(), place.lease.client_options());
  }
  place.client = client;
  co_return place;
}

ledger::Provenance provenance_of(const engine::LoadedModel& loaded) {
  const auto basis = loaded.provenance == engine::Provenance::kMeasured ? ledger::Basis::kMeasured
                                                                        : ledger::Basis::kDeclared;
  return {.model = loaded.name,
          .weights = loaded.weights,
          .adapters = loaded.adapters,
          .chat_template = loaded.chat_template,
          .engine = loaded.engine.digest,
          .weights_basis = basis,
          .template_basis = basis,
          .engine_basis = basis,
          .usage_basis = basis};
}

bool Engines::has(std::string_view model) const {
  if (upstreams_.find(model) != upstreams_.end()) return true;
  return supervised_.find(model) != supervised_.end();
}

bool Engines::local(std::string_view model) const {
  return upstreams_.find(model) == upstreams_.end();
}

std::optional<Digest> Engines::weights(std::string_view model) const {
  const auto found = weights_.find(model);
  return found == weights_.end() ? std::nullopt : std::optional(found->second);
}

void Engines::set_supervised(const std::vector<engine::ModelConfig>& models) {
  supervised_.clear();
  for (const engine::ModelConfig& model : models) {
    supervised_[model.name] = static_cast<std::size_t>(model.slots);
  }
}

std::size_t Engines::slots(std::string_view model) const {
  if (const auto found = upstreams_.find(model); found != upstreams_.end()) {
    return static_cast<std::size_t>(found->second->config.slots);
  }
  const auto found = supervised_.find(model);
  return found == supervised_.end() ? 0 : found->second;
}

std::vector<dialect::ModelInfo> Engines::models() const {
  std::map<std::string, dialect::ModelInfo> all;
  for (const auto& [name, upstream] : upstreams_) {
    all[name].name = name;
    all[name].has_tools = true;
  }
  for (const auto& [name, slots] : supervised_) all[name].name = name;
  if (supervisor_ != nullptr) {
    for (const engine::ModelStatus& status : supervisor_->status()) {
      const auto found = all.find(status.name);
      if (found != all.end() && status.loaded) describe(*status.loaded, found->second);
    }
  }
  std::vector<dialect::ModelInfo> out;
  for (auto& [name, info] : all) out.push_back(std::move(info));
  return out;
}

std::vector<Engines::UpstreamStatus> Engines::upstream_status() const {
  std::vector<UpstreamStatus> out;
  for (const auto& [name, upstream] : upstreams_) out.push_back({name, upstream->pool->status()});
  return out;
}

http::Task<void> Engines::close_upstreams() {
  for (const auto& [name, upstream] : upstreams_) {
    upstream->pool->close();
    co_await unload(*upstream);
  }
}

http::Task<void> Engines::unload(Upstream& upstream) {
  if (!upstream.loaded) co_return;
  upstream.loaded = false;
  auto text =
      ledger::encode(ledger::Unload{.at = stamp_(), .load = upstream.load, .reason = "stop"});
  if (text) {
    (void)co_await acks_.append_entry(*std::move(text), store::Priority::kReserved);
  }
}

void Engines::forget_load(const std::string& load_id) {
  const auto found = clients_.find(load_id);
  if (found == clients_.end()) return;
  found->second->close();
  clients_.erase(found);
}

}  // namespace candor::gateway
