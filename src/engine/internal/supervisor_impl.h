// The supervisor's state and coroutines. Lifecycle coroutines run on strand_; the state that other
// threads read (entries, slots) is guarded by mutex_, which is never held across co_await.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include "engine/internal/error_ring.h"
#include "engine/internal/launcher.h"
#include "engine/supervisor.h"

namespace candor::engine {

using SteadyTime = std::chrono::steady_clock::time_point;

// One engine process. Created on the strand; slots and used are guarded by the supervisor's mutex.
struct EngineInstance {
  // files: the model, then its adapters.
  EngineInstance(asio::any_io_executor executor, internal::StartedEngine started,
                 std::vector<ModelFile> f)
      : process(std::move(started)), files(std::move(f)), exit_watch(executor), errors(executor) {}

  std::shared_ptr<LoadedModel> model = std::make_shared<LoadedModel>();
  internal::StartedEngine process;
  std::vector<ModelFile> files;
  std::shared_ptr<Dialer> dialer;
  std::unique_ptr<EngineClient> probe_client;  // strand only
  asio::posix::stream_descriptor exit_watch;   // a duplicate of the pidfd
  asio::posix::stream_descriptor errors;
  internal::ErrorRing error_ring;

  std::atomic<bool> alive{true};
  std::atomic<bool> stalled{false};          // a stream reported a pause
  std::atomic<bool> template_failed{false};  // set before alive is cleared
  std::vector<bool> slots;
  int used = 0;
  SteadyTime last_used{};
  SteadyTime ready_since{};
  // Strand only.
  bool observed = false;  // on_load succeeded, so on_unload is owed
  bool probing = false;
  bool exited = false;
  int exit_code = 0;
  std::optional<UnloadReason> reason;  // unset: it ended by itself
};

struct LeaseGrant {
  std::shared_ptr<EngineInstance> instance;
  int slot = -1;
};

struct SlotWaiter {
  explicit SlotWaiter(asio::any_io_executor executor) : timer(std::move(executor)) {}
  asio::steady_timer timer;  // expires at the caller's deadline, cancelled when answered
  std::optional<Result<LeaseGrant>> answer;
};

struct ModelEntry {
  ModelConfig config;
  ModelState state = ModelState::kUnloaded;
  std::string detail;
  std::shared_ptr<EngineInstance> instance;
  std::deque<std::shared_ptr<SlotWaiter>> waiters;
  std::uint64_t starts = 0, crashes = 0;
  int failures_in_row = 0;
  SteadyTime retry_at{};
  bool restart_scheduled = false;
  std::uint64_t reserved_bytes = 0;  // of the budget
  Code last_code = Code::kUnavailable;
};

struct EngineSupervisor::Impl : std::enable_shared_from_this<EngineSupervisor::Impl> {
  Impl(asio::any_io_executor executor, SupervisorOptions o, LoadObserver& obs,
       internal::Programs programs);

  // supervisor.cc: slots
  ModelEntry* find(const std::string& name);  // with mutex_
  asio::awaitable<Result<LeaseGrant>> acquire(std::string name, SteadyTime deadline,
                                              http::StopSource* stop);
  void release(const std::shared_ptr<EngineInstance>& instance, int slot);
  void answer(const std::shared_ptr<SlotWaiter>& waiter, Result<LeaseGrant> result);  // with mutex_
  void hand_out(ModelEntry& entry);                                                   // with mutex_
  void fail_waiters(ModelEntry& entry, const Error& error);                           // with mutex_
  void start_loading(const std::string& name, ModelEntry& entry);                     // with mutex_
  std::optional<Error> refusal(const ModelEntry& entry, SteadyTime now) const;        // with mutex_

  // supervisor_load.cc
  asio::awaitable<void> load(std::string name);
  asio::awaitable<Result<std::shared_ptr<EngineInstance>>> build(std::string name,
                                                                 ModelConfig config,
                                                                 std::string& finding);
  asio::awaitable<Result<void>> make_room(std::string name, std::uint64_t bytes);
  asio::awaitable<Result<void>> check_kernels(const model::GgufSummary& summary, KernelProbe& out);
  asio::awaitable<Result<void>> wait_ready(std::shared_ptr<EngineInstance> instance);
  asio::awaitable<Result<void>> probe_model(std::shared_ptr<EngineInstance> instance);

  // supervisor_watch.cc
  void spawn(asio::awaitable<void> task);  // detached on the strand, counted
  asio::awaitable<void> watch_exit(std::string name, std::shared_ptr<EngineInstance> instance);
  asio::awaitable<void> watch_errors(std::shared_ptr<EngineInstance> instance);
  static void take_last_words(EngineInstance& instance);
  asio::awaitable<void> watch_health(std::shared_ptr<EngineInstance> instance);
  asio::awaitable<void> probe_loop(std::shared_ptr<EngineInstance> instance);
  // Nobody has used it for the configured time.
  [[nodiscard]] bool is_idle(const EngineInstance& instance, SteadyTime now);
  asio::awaitable<void> restart_later(std::string name, SteadyTime at);
  asio::awaitable<void> stop_instance(std::shared_ptr<EngineInstance> instance,
                                      UnloadReason reason);
  void kill_now(EngineInstance& instance, UnloadReason reason);
  asio::awaitable<void> unload(std::string name, UnloadReason reason,
                               std::chrono::milliseconds drain);
  asio::awaitable<void> pause(std::chrono::milliseconds time);

  // Runs a blocking step on the pool and comes back.
  template <typename F>
  asio::awaitable<std::invoke_result_t<F>> blocking(F function);

  const SupervisorOptions options_;
  LoadObserver& observer_;
  asio::any_io_executor strand_;
  internal::Launcher launcher_;
  EngineIdentity identity_;
  std::uint64_t budget_ = 0;
  DigestCache digests_;
  std::set<Digest> values_read_;  // models whose tensors are known to be finite; strand only
  std::map<std::string, KernelProbe> kernel_probes_;  // by list of types; strand only

  mutable std::mutex mutex_;
  std::map<std::string, ModelEntry, std::less<>> entries_;
  std::atomic<bool> closing_{false};
  std::atomic<int> running_{0};  // detached coroutines
  asio::thread_pool pool_{1};    // last: joined first
};

struct ModelLease::Held {
  std::shared_ptr<EngineSupervisor::Impl> supervisor;
  LeaseGrant grant;
};

// The wait after so many failures in a row: least, doubled with each, most.
[[nodiscard]] std::chrono::milliseconds restart_delay(const SupervisorOptions& options,
                                                      int failures_in_row);
// llama-server flags that a configuration may give; kInvalidArgument names the first other one.
[[nodiscard]] Result<void> check_extra_flags(const std::vector<std::string>& flags);
// What the engine's last words mean, from a closed set of sentences.
inline constexpr std::string_view kEndedWithCode = "the engine ended with code ";  // no known words
[[nodiscard]] std::string explain_exit(std::string_view last_words, int exit_code);

}  // namespace candor::engine
