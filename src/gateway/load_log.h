// Loads and unloads of supervised engines as entries (A5, A6, A7), and the memory of model probes.
// The supervisor calls it from its own strand; it hops to the io thread for the ledger.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "engine/supervisor.h"
#include "gateway/engines.h"

namespace candor::gateway {

[[nodiscard]] Result<ledger::Load> load_entry(const engine::LoadedModel& model,
                                              const ledger::Stamp& at);
// The word of docs/formats/entries.md for why an engine ended.
[[nodiscard]] std::string_view unload_reason(engine::UnloadReason reason) noexcept;

class LoadLog final : public engine::LoadObserver {
 public:
  // probes: a small JSON file of ours, rewritten with each new probe. A file that does not read is
  // started anew: it only tells "same" from "first".
  LoadLog(http::asio::io_context& io, AckQueue& acks, Stamper stamp, FileSystem& files,
          Path probes);

  // Called on the io thread after an unload, with its load id.
  void on_ended(std::function<void(const std::string&)> function) { ended_ = std::move(function); }

  // Called on the io thread before files are loaded under a name (engine::LoadObserver::may_load).
  using Check = std::function<Result<void>(const std::string& model, std::vector<Digest> files)>;
  void on_check(Check function) { check_ = std::move(function); }

  http::Task<Result<void>> may_load(std::string model, std::vector<Digest> files) override;
  http::Task<Result<void>> on_load(std::shared_ptr<const engine::LoadedModel> model) override;
  http::Task<void> on_unload(engine::Unload unload) override;
  http::Task<void> on_load_failure(engine::LoadFailure failure) override;
  std::optional<std::vector<std::int32_t>> earlier_probe(const Digest& weights,
                                                         const Digest& engine) override;

 private:
  [[nodiscard]] http::Task<Result<store::Acknowledgement>> append(ledger::Entry entry,
                                                                  store::Priority priority);
  void read_probes();
  void write_probes();

  http::asio::io_context& io_;
  AckQueue& acks_;
  Stamper stamp_;
  FileSystem& files_;
  Path probes_file_;
  std::function<void(const std::string&)> ended_;
  Check check_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::int32_t>> probes_;  // "weights/engine" in hex
};

}  // namespace candor::gateway
