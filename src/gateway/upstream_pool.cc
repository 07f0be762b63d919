#include "gateway/upstream_pool.h"

#include <algorithm>
#include <tuple>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

namespace candor::gateway {
namespace {

constexpr std::chrono::milliseconds kHealthDeadline{5'000};

bool means_elsewhere(int status) { return status == 502 || status == 503 || status == 504; }

}  // namespace

bool UpstreamConfig::operator==(const UpstreamConfig& other) const {
  const auto all = [](const UpstreamConfig& c) {
    return std::tie(c.name, c.replicas, c.model, c.kind, c.slots, c.key.reveal(), c.ca_pem, c.proxy,
                    c.connect_timeout, c.retries, c.health_interval);
  };
  return all(*this) == all(other);
}

struct UpstreamPool::Replica {
  std::string endpoint;
  std::unique_ptr<engine::EngineClient> client;
  std::string detail;  // empty: healthy
  int running = 0;
  std::uint64_t answered = 0, failed = 0;
  std::uint64_t turn = 0;
};

// Counts the replica as loaded for as long as it lives.
class UpstreamPool::Stream final : public engine::EngineStream {
 public:
  Stream(std::unique_ptr<engine::EngineStream> stream, std::shared_ptr<Replica> replica)
      : stream_(std::move(stream)), replica_(std::move(replica)) {
    ++replica_->running;
  }
  ~Stream() override { --replica_->running; }
  int status() const noexcept override { return stream_->status(); }
  bool is_event_stream() const noexcept override { return stream_->is_event_stream(); }
  http::Task<Result<std::optional<std::string>>> next() override { return stream_->next(); }
  bool ready() const noexcept override { return stream_->ready(); }
  void cancel() override { stream_->cancel(); }

 private:
  std::unique_ptr<engine::EngineStream> stream_;
  std::shared_ptr<Replica> replica_;
};

Result<std::shared_ptr<UpstreamPool>> UpstreamPool::open(http::asio::any_io_executor executor,
                                                         const UpstreamConfig& config) {
  std::shared_ptr<UpstreamPool> pool(new UpstreamPool);
  pool->retries_ = config.retries;
  std::shared_ptr<const http::TlsContext> tls;
  for (const std::string& text : config.replicas) {
    engine::UpstreamDialOptions dial;
    dial.endpoint = TRY(engine::parse_endpoint(text));
    dial.connect_timeout = config.connect_timeout;
    if (dial.endpoint.tls && !tls) tls = TRY(http::TlsContext::client({.ca_pem = config.ca_pem}));
    dial.tls = tls;
    if (!config.proxy.empty()) dial.proxy = TRY(engine::parse_proxy(config.proxy));
    const bool in_clear = !dial.endpoint.tls && !(dial.endpoint.is_local() && !dial.proxy);
    if (in_clear && !config.key.reveal().empty()) {
      return fail(Code::kInvalidArgument,
                  "the upstream's key would cross the network in the clear; write https://");
    }
    engine::EngineClientOptions options;
    options.host = dial.endpoint.host_header();
    options.path_prefix = dial.endpoint.base;
    options.token = config.key;
    options.dialer = engine::upstream_dialer(std::move(dial));
    auto replica = std::make_shared<Replica>();
    replica->endpoint = text;
    replica->client = std::make_unique<engine::EngineClient>(executor, std::move(options));
    pool->replicas_.push_back(std::move(replica));
  }
  if (pool->replicas_.empty()) return fail(Code::kInvalidArgument, "an upstream needs an address");
  if (config.health_interval) {
    for (const auto& replica : pool->replicas_) {
      http::asio::co_spawn(executor, watch(pool, replica, executor, *config.health_interval),
                           http::asio::detached);
    }
  }
  return pool;
}

http::Task<void> UpstreamPool::watch(std::weak_ptr<UpstreamPool> pool,
                                     std::shared_ptr<Replica> replica,
                                     http::asio::any_io_executor executor,
                                     std::chrono::milliseconds interval) {
  http::asio::steady_timer timer(executor);
  while (!pool.expired()) {
    co_await check(*replica, std::min(interval, kHealthDeadline));
    timer.expires_after(interval);
    const auto [error] = co_await timer.async_wait(http::asio::as_tuple(http::asio::use_awaitable));
    if (error) co_return;
  }
}

http::Task<void> UpstreamPool::check(Replica& replica, std::chrono::milliseconds deadline) {
  engine::EngineRequest request;
  request.method = "GET";
  request.path = "/v1/models";
  request.first_byte_deadline = request.idle_deadline = request.total_deadline = deadline;
  const auto reply = co_await replica.client->fetch(std::move(request));
  if (!reply) {
    replica.detail = reply.error().message();
  } else if (reply->status == 401 || reply->status == 403) {
    replica.detail = "it does not take the key of upstream_key_file";
  } else if (reply->status >= 500) {
    replica.detail = "it answered " + std::to_string(reply->status);
  } else {
    replica.detail.clear();  // one without that route is well too
  }
}

std::shared_ptr<UpstreamPool::Replica> UpstreamPool::choose(const std::vector<Replica*>& tried) {
  const auto order = [&](const std::shared_ptr<Replica>& replica) {
    const bool again = std::ranges::find(tried, replica.get()) != tried.end();
    return std::tuple(again, !replica->detail.empty(), replica->running, replica->turn);
  };
  const auto best = std::ranges::min_element(
      replicas_, [&](const auto& a, const auto& b) { return order(a) < order(b); });
  (*best)->turn = ++turn_;
  return *best;
}

http::Task<Result<std::unique_ptr<engine::EngineStream>>> UpstreamPool::ask(
    engine::EngineRequest request) {
  const auto self = shared_from_this();
  const auto began = std::chrono::steady_clock::now();
  const auto total = request.total_deadline;
  std::vector<Replica*> tried;
  for (int left = retries_;; --left) {
    const std::shared_ptr<Replica> replica = choose(tried);
    const bool is_new = std::ranges::find(tried, replica.get()) == tried.end();
    if (is_new) tried.push_back(replica.get());
    const bool others = tried.size() < replicas_.size();
    request.total_deadline = total - std::chrono::duration_cast<std::chrono::milliseconds>(
                                         std::chrono::steady_clock::now() - began);
    ++replica->running;
    struct Done {
      Replica& replica;
      ~Done() { --replica.running; }
    };
    Result<std::unique_ptr<engine::EngineStream>> opened =
        fail(Code::kCancelled, "the exchange was stopped");
    {
      const Done done{*replica};  // also when this coroutine is cancelled
      opened = co_await replica->client->open(request);
    }
    if (opened && !(means_elsewhere((*opened)->status()) && others && left > 0)) {
      ++replica->answered;
      std::unique_ptr<engine::EngineStream> counted =
          std::make_unique<Stream>(*std::move(opened), replica);
      co_return counted;
    }
    ++replica->failed;
    if (opened) {
      replica->detail = "it answered " + std::to_string((*opened)->status());
      continue;
    }
    // kUnavailable: no connection, or one that ended before it answered a byte.
    if (opened.error().code() != Code::kUnavailable) co_return opened;
    replica->detail = opened.error().message();
    if (left <= 0 || request.total_deadline.count() <= 0) co_return opened;
  }
}

void UpstreamPool::close() {
  for (const auto& replica : replicas_) replica->client->close();
}

std::vector<ReplicaStatus> UpstreamPool::status() const {
  std::vector<ReplicaStatus> out;
  for (const auto& replica : replicas_) {
    out.push_back({.endpoint = replica->endpoint,
                   .healthy = replica->detail.empty(),
                   .detail = replica->detail,
                   .running = replica->running,
                   .answered = replica->answered,
                   .failed = replica->failed});
  }
  return out;
}

}  // namespace candor::gateway
