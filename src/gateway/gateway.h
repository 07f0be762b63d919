// The inference listener's handler: /health, /metrics, the dialects' lists of models, and their
// routes through one pipeline. Nothing administrative is reachable here (S15). io thread only.
#pragma once

#include <memory>
#include <string>

#include "gateway/pipeline.h"
#include "gateway/services.h"
#include "http/server.h"

namespace candor::gateway {

class Gateway final : public http::Handler {
 public:
  // services must outlive the gateway's calls.
  Gateway(Services& services, Pipeline pipeline);

  [[nodiscard]] Task<void> handle(http::Call& call) override;
  [[nodiscard]] std::string refusal(const http::Peer& peer, int status,
                                    std::string_view reason) override;

  // For /metrics; null until the server exists.
  void set_server(const http::Server* server) { server_ = server; }
  [[nodiscard]] std::string metrics_text(Labels labels) const;
  [[nodiscard]] Services& services() noexcept { return services_; }

 private:
  [[nodiscard]] Task<void> reply_error(http::Call& call, const dialect::Dialect& dialect,
                                       dialect::ErrorInfo error);
  [[nodiscard]] Task<void> info(http::Call& call, const dialect::Dialect& dialect,
                                const dialect::InfoMatch& match);
  [[nodiscard]] Task<void> health(http::Call& call);
  // approvals.cc
  [[nodiscard]] Task<void> approve(http::Call& call, const dialect::Dialect& dialect);
  [[nodiscard]] Task<Result<RuleException>> approve_by(const Caller& approver,
                                                       const std::string& body);

  Services& services_;
  Pipeline pipeline_;
  const http::Server* server_ = nullptr;
};

}  // namespace candor::gateway
