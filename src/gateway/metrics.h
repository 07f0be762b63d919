// Counters of the gateway, and their Prometheus text (exposition format 0.0.4). io thread only.
// Without labels on the inference listener; labels (models, causes) only on the admin socket (S15).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "http/server.h"

namespace candor::gateway {

class Histogram {  // of microseconds
 public:
  static constexpr std::array<std::int64_t, 14> kBounds{
      100,    250,     500,     1'000,     2'500,      5'000,      10'000,
      25'000, 100'000, 500'000, 2'000'000, 10'000'000, 60'000'000, 600'000'000};
  void add(std::int64_t us);
  void render(std::string& out, std::string_view name, std::string_view help) const;

 private:
  std::array<std::uint64_t, kBounds.size() + 1> buckets_{};
  std::uint64_t count_ = 0;
  double sum_s_ = 0;
};

struct Metrics {
  std::uint64_t exchanges = 0;  // intents submitted
  std::uint64_t completed = 0;  // outcome "complete"
  std::uint64_t cancelled = 0;  // the client left
  std::uint64_t failed = 0;     // after an intent, for any other reason
  std::uint64_t refused = 0;    // without an intent
  std::uint64_t inflight = 0;
  std::uint64_t waiting = 0;  // for a slot
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t ignored_bearers = 0;  // S14: neither cnd_ nor a JWT, on this machine
  std::uint64_t registered_hits = 0;  // L2: registered values found in requests
  std::uint64_t ledger_failures = 0;
  Histogram first_token;  // request to first released byte
  Histogram total;        // request to last byte
  Histogram intent_wait;  // submission to acknowledgement
  std::map<std::string, std::uint64_t> refused_by_cause;
  std::map<std::string, std::uint64_t> exchanges_by_model;
};

enum class Labels : std::uint8_t { kNone, kAll };
// ledger_size: entries acknowledged; ledger_ok: it takes more.
[[nodiscard]] std::string render_metrics(const Metrics& metrics, const http::ServerCounters& server,
                                         std::uint64_t ledger_size, bool ledger_ok, Labels labels);

}  // namespace candor::gateway
