#include "gateway/metrics.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace candor::gateway {
namespace {

void line(std::string& out, std::string_view name, std::string_view type, std::string_view help,
          std::uint64_t value) {
  fmt::format_to(std::back_inserter(out),
                 "# HELP candor_{0} {1}\n# TYPE candor_{0} {2}\ncandor_{0} {3}\n", name, help, type,
                 value);
}

// Label values are names of ours (causes, models), still escaped as the format asks.
void labelled(std::string& out, std::string_view name, std::string_view help,
              std::string_view label, const std::map<std::string, std::uint64_t>& values) {
  if (values.empty()) return;
  fmt::format_to(std::back_inserter(out), "# HELP candor_{0} {1}\n# TYPE candor_{0} counter\n",
                 name, help);
  for (const auto& [key, value] : values) {
    std::string escaped;
    for (const char c : key) {
      if (c == '\\' || c == '"') escaped.push_back('\\');
      escaped.push_back(c == '\n' ? ' ' : c);
    }
    fmt::format_to(std::back_inserter(out), "candor_{}{{{}=\"{}\"}} {}\n", name, label, escaped,
                   value);
  }
}

}  // namespace

void Histogram::add(std::int64_t us) {
  const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), us) - kBounds.begin();
  ++buckets_.at(static_cast<std::size_t>(at));
  ++count_;
  sum_s_ += static_cast<double>(us) / 1e6;
}

void Histogram::render(std::string& out, std::string_view name, std::string_view help) const {
  fmt::format_to(std::back_inserter(out), "# HELP candor_{0} {1}\n# TYPE candor_{0} histogram\n",
                 name, help);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    sum += buckets_.at(i);
    fmt::format_to(std::back_inserter(out), "candor_{}_bucket{{le=\"{}\"}} {}\n", name,
                   static_cast<double>(kBounds.at(i)) / 1e6, sum);
  }
  fmt::format_to(std::back_inserter(out),
                 "candor_{0}_bucket{{le=\"+Inf\"}} {1}\ncandor_{0}_sum {2}\ncandor_{0}_count {1}\n",
                 name, count_, sum_s_);
}

std::string render_metrics(const Metrics& metrics, const http::ServerCounters& server,
                           std::uint64_t ledger_size, bool ledger_ok, Labels labels) {
  std::string out;
  line(out, "exchanges_total", "counter", "Exchanges with an intent entry.", metrics.exchanges);
  line(out, "exchanges_completed_total", "counter", "Exchanges answered whole.", metrics.completed);
  line(out, "exchanges_cancelled_total", "counter", "Exchanges whose client left.",
       metrics.cancelled);
  line(out, "exchanges_failed_total", "counter", "Exchanges that failed after their intent.",
       metrics.failed);
  line(out, "refused_total", "counter", "Requests refused before an intent.", metrics.refused);
  line(out, "inflight", "gauge", "Exchanges now running.", metrics.inflight);
  line(out, "waiting", "gauge", "Exchanges that wait for a slot of an engine.", metrics.waiting);
  line(out, "prompt_tokens_total", "counter", "Tokens of prompts, as the engines count.",
       metrics.prompt_tokens);
  line(out, "completion_tokens_total", "counter", "Tokens of answers, as the engines count.",
       metrics.completion_tokens);
  line(out, "registered_hits_total", "counter", "Registered values found in requests.",
       metrics.registered_hits);
  line(out, "ignored_bearers_total", "counter", "Bearer tokens that are no key of ours.",
       metrics.ignored_bearers);
  line(out, "ledger_failures_total", "counter", "Entries that the ledger did not take.",
       metrics.ledger_failures);
  line(out, "ledger_size", "gauge", "Entries in the ledger.", ledger_size);
  line(out, "ledger_ok", "gauge", "1 if the ledger takes entries.", ledger_ok ? 1 : 0);
  line(out, "connections_accepted_total", "counter", "Connections accepted.", server.accepted);
  line(out, "connections_refused_total", "counter", "Connections refused as too many.",
       server.refused_full);
  line(out, "http_requests_total", "counter", "HTTP requests read whole.", server.requests);
  line(out, "http_refused_total", "counter", "HTTP requests malformed, too large or too slow.",
       server.refused_requests);
  line(out, "bugs_total", "counter", "Bugs of Candor met at run time.", bug_count());
  metrics.first_token.render(out, "first_byte_seconds", "Request to first released byte.");
  metrics.total.render(out, "exchange_seconds", "Request to last byte.");
  metrics.intent_wait.render(out, "intent_seconds", "Intent submitted to intent durable.");
  if (labels == Labels::kAll) {
    labelled(out, "refused_by_cause_total", "Refusals by cause.", "cause",
             metrics.refused_by_cause);
    labelled(out, "exchanges_by_model_total", "Exchanges by model.", "model",
             metrics.exchanges_by_model);
  }
  return out;
}

}  // namespace candor::gateway
