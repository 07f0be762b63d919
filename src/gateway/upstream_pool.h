// The replicas of one upstream model: which of them is asked, what is done when one fails, and
// whether each is well. Least load first; a request is tried again, on another replica where there
// is one, only while no byte of an answer has come. io thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sensitive.h"
#include "engine/engine_client.h"
#include "http/task.h"

namespace candor::gateway {

// What a server takes beyond the API's own fields (docs/configuration.md, upstream_kind).
enum class UpstreamKind : std::uint8_t { kOpenAi, kLlamaCpp, kVllm };

// OpenAI-compatible servers that Candor did not start: vLLM, Ollama, a llama-server elsewhere.
// Their weights, template and engine are declared, not measured (S18).
struct UpstreamConfig {
  std::string name = {};                   // what callers ask for
  std::vector<std::string> replicas = {};  // engine/endpoint.h
  std::string model = {};                  // its own name for the model; empty: the same
  UpstreamKind kind = UpstreamKind::kOpenAi;
  int slots = 0;                    // exchanges at once, over all replicas; 0: no bound
  Sensitive<std::string> key = {};  // Authorization: Bearer; empty: none
  std::string ca_pem = {};          // empty: the system's authorities
  std::string proxy = {};           // empty: none
  std::chrono::milliseconds connect_timeout{10'000};
  int retries = 2;
  std::optional<std::chrono::milliseconds> health_interval = {};  // unset: never
  [[nodiscard]] bool operator==(const UpstreamConfig& other) const;
};

struct ReplicaStatus {
  std::string endpoint;
  bool healthy = true;
  std::string detail;  // why not; a sentence of ours
  int running = 0;
  std::uint64_t answered = 0, failed = 0;
};

// shared_ptr: its health checks and streams hold it.
class UpstreamPool : public std::enable_shared_from_this<UpstreamPool> {
 public:
  // kInvalidArgument: an endpoint, a proxy, the authorities, or a key that would leave the machine
  // in the clear. Health checks begin at once.
  [[nodiscard]] static Result<std::shared_ptr<UpstreamPool>> open(
      http::asio::any_io_executor executor, const UpstreamConfig& config);

  // As EngineClient::open; the replica counts as loaded until the stream is destroyed.
  [[nodiscard]] http::Task<Result<std::unique_ptr<engine::EngineStream>>> ask(
      engine::EngineRequest request);
  // Ends all connections.
  void close();
  [[nodiscard]] std::vector<ReplicaStatus> status() const;

 private:
  struct Replica;
  class Stream;
  UpstreamPool() = default;
  // The replica to try next, preferring those not in `tried`.
  [[nodiscard]] std::shared_ptr<Replica> choose(const std::vector<Replica*>& tried);
  static http::Task<void> watch(std::weak_ptr<UpstreamPool> pool, std::shared_ptr<Replica> replica,
                                http::asio::any_io_executor executor,
                                std::chrono::milliseconds interval);
  static http::Task<void> check(Replica& replica, std::chrono::milliseconds deadline);

  std::vector<std::shared_ptr<Replica>> replicas_;
  int retries_ = 0;
  std::uint64_t turn_ = 0;  // among equals, the one that was asked longest ago
};

}  // namespace candor::gateway
