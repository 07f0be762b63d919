// One model, whose engine is at the other end of a socket pair.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/engines.h"
#include "gateway/testing/pair_dialer.h"

namespace candor::gateway {

class FakeEngines final : public EngineBackend {
 public:
  FakeEngines(http::asio::io_context& io, engine::EngineClientOptions options)
      : dialer(std::make_shared<PairDialer>()) {
    options.dialer = dialer;
    client = std::make_shared<engine::EngineClient>(io.get_executor(), std::move(options));
  }
  http::Task<Result<Placement>> acquire(std::string model, std::uint32_t,
                                        std::chrono::steady_clock::time_point,
                                        http::StopSource&) override {
    if (!has(model)) co_return fail(Code::kNotFound, "no such model");
    Placement place;
    place.provenance = upstream_provenance({.name = model, .replicas = {"unix:/none"}});
    place.upstream = true;
    place.kind = UpstreamKind::kLlamaCpp;
    place.client = client;
    co_return place;
  }
  bool has(std::string_view model) const override { return model == "m"; }
  std::vector<dialect::ModelInfo> models() const override {
    dialect::ModelInfo info;
    info.name = "m";
    return {info};
  }
  std::size_t slots(std::string_view) const override { return 0; }

  std::shared_ptr<PairDialer> dialer;
  std::shared_ptr<engine::EngineClient> client;
};

}  // namespace candor::gateway
