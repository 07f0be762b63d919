// Somebody else's policy engine, asked about each request that Candor's own rules let pass (C12):
// Open Policy Agent's data API, `POST URL {"input": FACTS}` and `{"result": R}` back. R is true or
// false, or {"effect": "allow" | "warn" | "require justification" | "deny", "reason": "..."}. FACTS
// are what a condition may speak of (docs/formats/policy.md), by the same names: what was found and
// where, and no text of the request.
//
// Fails closed (P8): no answer within the deadline, a status other than 200, an undefined or
// unknown result, all deny. https, or http on this machine alone; redirects are not followed. io
// thread only.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/engine_client.h"
#include "http/task.h"
#include "policy/effect.h"
#include "policy/facts.h"

namespace candor::gateway {

struct DecisionPointOptions {
  std::string url;
  std::chrono::milliseconds timeout{500};
  std::string ca_pem = {};  // empty: the system's authorities
};

class DecisionPoint {
 public:
  struct Answer {
    policy::Effect effect = policy::Effect::kDeny;
    std::string reason;   // in its words, without controls; or why there is no answer
    bool failed = false;  // it gave no usable answer
  };

  [[nodiscard]] static Result<std::shared_ptr<DecisionPoint>> open(
      http::asio::any_io_executor executor, DecisionPointOptions options);
  [[nodiscard]] http::Task<Answer> ask(const policy::Facts& facts);
  void close() { client_.close(); }

 private:
  DecisionPoint(http::asio::any_io_executor executor, engine::EngineClientOptions client,
                std::string path, std::chrono::milliseconds timeout)
      : client_(std::move(executor), std::move(client)),
        path_(std::move(path)),
        timeout_(timeout) {}
  engine::EngineClient client_;
  std::string path_;
  std::chrono::milliseconds timeout_;
};

// What it answered, of a reply's body.
[[nodiscard]] DecisionPoint::Answer read_answer(std::string_view body);

}  // namespace candor::gateway
