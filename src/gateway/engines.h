// Where a model's engine is: in a sandbox of ours (the supervisor) or an upstream that somebody
// else runs (declared, S18). io thread only.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dialect/dialect.h"
#include "engine/engine_client.h"
#include "engine/supervisor.h"
#include "gateway/acks.h"
#include "gateway/fair_queue.h"
#include "gateway/upstream_pool.h"
#include "ledger/entry.h"

namespace candor::gateway {

// One slot for one exchange. Destroyed after the exchange's engine stream.
struct Placement {
  ledger::Provenance provenance;
  Id128 load{};
  int id_slot = -1;         // -1: the engine chooses (upstreams)
  bool repeatable = false;  // one slot, no cache: equal re-execution is promised (A7)
  bool upstream = false;
  std::string engine_model;  // what the upstream calls it; empty: nothing is sent
  UpstreamKind kind = UpstreamKind::kLlamaCpp;
  std::string cache_salt_key;                    // kVllm; of this run
  std::shared_ptr<UpstreamPool> pool;            // upstreams
  std::shared_ptr<void> use;                     // upstreams: until it goes, the load stands
  std::shared_ptr<engine::EngineClient> client;  // others
  FairQueue::Turn turn;                          // set by whoever waited for it
  engine::ModelLease lease;                      // empty for upstreams
  std::vector<engine::ModelLease> more;          // of the same load: one for each further choice
  [[nodiscard]] bool alive() const noexcept { return upstream || lease.alive(); }
  [[nodiscard]] http::Task<Result<std::unique_ptr<engine::EngineStream>>> open(
      engine::EngineRequest request) const;
};

class EngineBackend {
 public:
  virtual ~EngineBackend() = default;
  // choices: slots that the exchange needs at once; kInvalidArgument: more than the model has.
  // kNotFound: no such model. Others as EngineSupervisor::acquire. stop ends a wait for a model
  // that loads, or for its slots.
  [[nodiscard]] virtual http::Task<Result<Placement>> acquire(
      std::string model, std::uint32_t choices, std::chrono::steady_clock::time_point deadline,
      http::StopSource& stop) = 0;
  [[nodiscard]] virtual bool has(std::string_view model) const = 0;
  [[nodiscard]] virtual std::vector<dialect::ModelInfo> models() const = 0;
  // Whether the model runs on this machine, in a sandbox of ours.
  [[nodiscard]] virtual bool local(std::string_view /*model*/) const { return true; }
  // SHA-256 of the weights that were last loaded in this run under this name, if any.
  [[nodiscard]] virtual std::optional<Digest> weights(std::string_view /*model*/) const {
    return std::nullopt;
  }
  // Exchanges that one model answers at once; 0: no bound.
  [[nodiscard]] virtual std::size_t slots(std::string_view model) const = 0;
};

[[nodiscard]] ledger::Provenance upstream_provenance(const UpstreamConfig& config);
[[nodiscard]] ledger::Provenance provenance_of(const engine::LoadedModel& loaded);

// The stamp of an entry made now.
using Stamper = std::function<ledger::Stamp()>;

// Both kinds by name. Upstreams get their load entry at first use in a run; all replicas of one are
// one load, since an intent names it before it is known which of them answers.
class Engines final : public EngineBackend {
 public:
  // supervisor may be null (upstreams only). All must outlive it.
  Engines(http::asio::io_context& io, engine::EngineSupervisor* supervisor, AckQueue& acks,
          Stamper stamp, Random& random);
  ~Engines() override;

  // All or nothing. What is no longer configured, or otherwise, takes no new exchange; those that
  // run go on, and its unload entry follows the last of them.
  [[nodiscard]] Result<void> set_upstreams(std::vector<UpstreamConfig> upstreams);
  // Whether set_upstreams would take them.
  [[nodiscard]] Result<void> check_upstreams(const std::vector<UpstreamConfig>& upstreams) const;
  struct UpstreamStatus {
    std::string name;
    std::vector<ReplicaStatus> replicas;
  };
  [[nodiscard]] std::vector<UpstreamStatus> upstream_status() const;
  // What the supervisor serves; its own list changes on another strand.
  void set_supervised(const std::vector<engine::ModelConfig>& models);
  [[nodiscard]] http::Task<Result<Placement>> acquire(
      std::string model, std::uint32_t choices, std::chrono::steady_clock::time_point deadline,
      http::StopSource& stop) override;
  [[nodiscard]] bool has(std::string_view model) const override;
  [[nodiscard]] std::vector<dialect::ModelInfo> models() const override;
  [[nodiscard]] bool local(std::string_view model) const override;
  [[nodiscard]] std::optional<Digest> weights(std::string_view model) const override;
  [[nodiscard]] std::size_t slots(std::string_view model) const override;
  // An `unload` entry for each upstream in use.
  [[nodiscard]] http::Task<void> close_upstreams();
  // Ends the connections to an engine that has ended.
  void forget_load(const std::string& load_id);

 private:
  struct Upstream;
  [[nodiscard]] http::Task<Result<Placement>> acquire_upstream(std::shared_ptr<Upstream> upstream);
  [[nodiscard]] http::Task<void> retire(std::shared_ptr<Upstream> upstream);
  [[nodiscard]] http::Task<void> unload(Upstream& upstream);
  [[nodiscard]] http::Task<Result<Placement>> acquire_one(
      std::string model, std::chrono::steady_clock::time_point deadline, http::StopSource& stop);
  [[nodiscard]] http::Task<Result<Placement>> acquire_several(
      std::string model, std::uint32_t choices, std::chrono::steady_clock::time_point deadline,
      http::StopSource& stop);

  http::asio::io_context& io_;
  engine::EngineSupervisor* supervisor_;
  AckQueue& acks_;
  Stamper stamp_;
  Random& random_;
  std::string cache_salt_key_;
  std::map<std::string, std::shared_ptr<Upstream>, std::less<>> upstreams_;
  std::map<std::string, std::size_t, std::less<>> supervised_;            // slots by name
  std::map<std::string, Digest, std::less<>> weights_;                    // by name, of this run
  std::map<std::string, std::shared_ptr<engine::EngineClient>> clients_;  // by load id
  // Only one exchange at a time holds a slot while it waits for another: two could wait for ever.
  bool collecting_ = false;
  std::deque<http::Event*> collectors_;
};

}  // namespace candor::gateway
