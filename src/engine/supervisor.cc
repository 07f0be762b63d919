#include "engine/supervisor.h"

#include <algorithm>
#include <fstream>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "engine/internal/supervisor_impl.h"

namespace candor::engine {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

std::uint64_t machine_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long size = sysconf(_SC_PAGESIZE);
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size);
}

std::uint64_t resident_bytes(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Result<void> check_models(const std::vector<ModelConfig>& models) {
  for (std::size_t i = 0; i < models.size(); ++i) {
    const ModelConfig& m = models[i];
    if (m.name.empty() || m.name.size() > 128) {
      return fail(Code::kInvalidArgument, "a model's name is empty or longer than 128 bytes");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (models[j].name == m.name) {
        return fail(Code::kInvalidArgument, "two models are called '" + m.name + "'");
      }
    }
    if (m.slots < 1 || m.slots > 256 || m.context_tokens < 0 || m.threads < 0) {
      return fail(Code::kInvalidArgument, "model '" + m.name + "': slots must be 1 to 256");
    }
    if (m.adapters.size() > 16) {
      return fail(Code::kInvalidArgument, "model '" + m.name + "': at most 16 adapters");
    }
    TRY(check_extra_flags(m.extra_flags));
  }
  return {};
}

}  // namespace

std::string_view to_string(UnloadReason reason) noexcept {
  switch (reason) {
    case UnloadReason::kRequested: return "requested";
    case UnloadReason::kIdle: return "idle";
    case UnloadReason::kEvicted: return "evicted";
    case UnloadReason::kShutdown: return "shutdown";
    case UnloadReason::kExited: return "exited";
    case UnloadReason::kHung: return "hung";
    case UnloadReason::kModelChanged: return "model_changed";
    case UnloadReason::kExhausted: return "exhausted";
  }
  return "exited";
}

std::string_view to_string(ModelState state) noexcept {
  switch (state) {
    case ModelState::kUnloaded: return "unloaded";
    case ModelState::kLoading: return "loading";
    case ModelState::kReady: return "ready";
    case ModelState::kStopping: return "stopping";
    case ModelState::kBackoff: return "backoff";
  }
  return "unloaded";
}

bool KernelProbe::ok() const noexcept {
  return std::ranges::all_of(types, [](const Type& t) { return t.ok; });
}

EngineSupervisor::Impl::Impl(asio::any_io_executor executor, SupervisorOptions o, LoadObserver& obs,
                             internal::Programs programs)
    : options_(std::move(o)),
      observer_(obs),
      strand_(asio::make_strand(executor)),
      launcher_(options_, std::move(programs)),
      budget_(options_.memory_budget_bytes != 0 ? options_.memory_budget_bytes
                                                : machine_memory() / 4 * 3) {
  for (const ModelConfig& model : options_.models) entries_[model.name].config = model;
}

ModelEntry* EngineSupervisor::Impl::find(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

namespace {

// Posted, so that a wait that is about to begin is ended too.
void wake(const std::shared_ptr<SlotWaiter>& waiter) {
  asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
}

}  // namespace

void EngineSupervisor::Impl::answer(const std::shared_ptr<SlotWaiter>& waiter,
                                    Result<LeaseGrant> result) {
  waiter->answer = std::move(result);
  wake(waiter);
}

void EngineSupervisor::Impl::hand_out(ModelEntry& entry) {
  EngineInstance& instance = *entry.instance;
  for (std::size_t slot = 0; slot < instance.slots.size() && !entry.waiters.empty(); ++slot) {
    if (instance.slots[slot]) continue;
    instance.slots[slot] = true;
    ++instance.used;
    answer(entry.waiters.front(), LeaseGrant{entry.instance, static_cast<int>(slot)});
    entry.waiters.pop_front();
  }
}

void EngineSupervisor::Impl::fail_waiters(ModelEntry& entry, const Error& error) {
  for (const auto& waiter : entry.waiters) answer(waiter, std::unexpected(error));
  entry.waiters.clear();
}

void EngineSupervisor::Impl::start_loading(const std::string& name, ModelEntry& entry) {
  entry.state = ModelState::kLoading;
  entry.detail = "starting";
  entry.restart_scheduled = false;
  spawn(load(name));
}

std::optional<Error> EngineSupervisor::Impl::refusal(const ModelEntry& entry,
                                                     SteadyTime now) const {
  if (entry.state != ModelState::kBackoff || entry.restart_scheduled || now >= entry.retry_at) {
    return std::nullopt;
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(entry.retry_at - now).count();
  return Error(
      entry.last_code,
      fmt::format("model '{}' could not be loaded: {} (next try in {}.{} s, or 'candor model "
                  "load {}')",
                  entry.config.name, entry.detail, left / 1000, left % 1000 / 100,
                  entry.config.name));
}

asio::awaitable<Result<LeaseGrant>> EngineSupervisor::Impl::acquire(std::string name,
                                                                    SteadyTime deadline,
                                                                    http::StopSource* stop) {
  std::shared_ptr<SlotWaiter> waiter;
  {
    const auto executor = co_await asio::this_coro::executor;
    const std::lock_guard lock(mutex_);
    if (closing_) co_return fail(Code::kUnavailable, "the server is stopping");
    ModelEntry* entry = find(name);
    if (entry == nullptr) {
      std::vector<std::string> names;
      for (const auto& [known, ignored] : entries_) names.push_back(known);
      co_return fail(Code::kNotFound,
                     fmt::format("no such model; configured are: {}", fmt::join(names, ", ")));
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    if (auto refused = refusal(*entry, now)) co_return std::unexpected(std::move(*refused));
    if (entry->state == ModelState::kReady && entry->waiters.empty() &&
        entry->instance->used < static_cast<int>(entry->instance->slots.size())) {
      EngineInstance& instance = *entry->instance;
      const auto free = std::ranges::find(instance.slots, false);
      *free = true;
      ++instance.used;
      co_return LeaseGrant{entry->instance, static_cast<int>(free - instance.slots.begin())};
    }
    waiter = std::make_shared<SlotWaiter>(executor);
    waiter->timer.expires_at(deadline);
    entry->waiters.push_back(waiter);
    if (entry->state == ModelState::kUnloaded ||
        (entry->state == ModelState::kBackoff && !entry->restart_scheduled)) {
      start_loading(name, *entry);
    }
  }
  http::StopSource::Registration stopped;
  if (stop != nullptr) stopped = stop->on_stop([waiter](http::StopReason) { wake(waiter); });
  co_await waiter->timer.async_wait(kAsTuple);
  const std::lock_guard lock(mutex_);
  if (waiter->answer) co_return std::move(*waiter->answer);
  if (ModelEntry* entry = find(name)) std::erase(entry->waiters, waiter);
  if (stop != nullptr && stop->requested()) co_return fail(Code::kCancelled, "stopped");
  co_return fail(Code::kDeadlineExceeded,
                 "model '" + name + "' had no free slot before the deadline; try again later");
}

void EngineSupervisor::Impl::release(const std::shared_ptr<EngineInstance>& instance, int slot) {
  const std::lock_guard lock(mutex_);
  instance->slots[static_cast<std::size_t>(slot)] = false;
  --instance->used;
  instance->last_used = std::chrono::steady_clock::now();
  ModelEntry* entry = find(instance->model->name);
  if (entry != nullptr && entry->instance == instance && entry->state == ModelState::kReady) {
    hand_out(*entry);
  }
}

// ModelLease

ModelLease::ModelLease() noexcept = default;
ModelLease::ModelLease(ModelLease&&) noexcept = default;
ModelLease& ModelLease::operator=(ModelLease&& other) noexcept {
  if (this != &other) {
    ModelLease old(std::move(*this));
    held_ = std::move(other.held_);
  }
  return *this;
}
ModelLease::~ModelLease() {
  if (held_) held_->supervisor->release(held_->grant.instance, held_->grant.slot);
}
const LoadedModel& ModelLease::model() const noexcept { return *held_->grant.instance->model; }
std::shared_ptr<const LoadedModel> ModelLease::shared_model() const noexcept {
  return held_->grant.instance->model;
}
int ModelLease::slot() const noexcept { return held_->grant.slot; }
EngineClientOptions ModelLease::client_options() const {
  EngineClientOptions out;
  out.dialer = held_->grant.instance->dialer;
  out.token = held_->grant.instance->process.token;
  return out;
}
bool ModelLease::alive() const noexcept { return held_ && held_->grant.instance->alive; }
bool ModelLease::template_failed() const noexcept {
  return held_ && held_->grant.instance->template_failed;
}
void ModelLease::report_stall() { held_->grant.instance->stalled = true; }

// EngineSupervisor

EngineSupervisor::EngineSupervisor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
EngineSupervisor::~EngineSupervisor() = default;

Result<std::unique_ptr<EngineSupervisor>> EngineSupervisor::open(asio::any_io_executor executor,
                                                                 SupervisorOptions options,
                                                                 LoadObserver& observer) {
  TRY(check_models(options.models));
  internal::Programs programs = TRY(internal::open_programs(options));
  std::ifstream cpuinfo("/proc/cpuinfo");
  EngineIdentity identity = TRY(internal::identify_engine(programs.engine, options.engine_manifest,
                                                          internal::cpu_features(cpuinfo)));
  auto impl = std::make_shared<Impl>(std::move(executor), std::move(options), observer,
                                     std::move(programs));
  impl->identity_ = std::move(identity);
  return std::unique_ptr<EngineSupervisor>(new EngineSupervisor(std::move(impl)));
}

asio::awaitable<Result<ModelLease>> EngineSupervisor::acquire(std::string model,
                                                              SteadyTime deadline,
                                                              http::StopSource* stop) {
  const std::shared_ptr<Impl> impl = impl_;
  LeaseGrant grant = CO_TRY(co_await impl->acquire(std::move(model), deadline, stop));
  ModelLease lease;
  lease.held_ = std::make_unique<ModelLease::Held>(ModelLease::Held{impl, std::move(grant)});
  co_return lease;
}

asio::awaitable<Result<std::shared_ptr<const LoadedModel>>> EngineSupervisor::load(
    std::string model) {
  {
    const std::lock_guard lock(impl_->mutex_);
    if (ModelEntry* entry = impl_->find(model)) {
      entry->retry_at = {};  // an administrator need not wait
      entry->failures_in_row = 0;
      if (entry->state == ModelState::kReady) co_return entry->instance->model;
    }
  }
  const ModelLease lease = CO_TRY(co_await acquire(
      std::move(model), std::chrono::steady_clock::now() + impl_->options_.load_deadline));
  co_return lease.shared_model();
}

asio::awaitable<Result<void>> EngineSupervisor::unload(std::string model,
                                                       std::chrono::milliseconds drain) {
  const std::shared_ptr<Impl> impl = impl_;
  {
    const std::lock_guard lock(impl->mutex_);
    const ModelEntry* entry = impl->find(model);
    if (entry == nullptr) co_return fail(Code::kNotFound, "no such model: '" + model + "'");
    if (entry->state == ModelState::kLoading) {
      co_return fail(Code::kFailedPrecondition, "model '" + model + "' is being loaded");
    }
  }
  co_await asio::co_spawn(impl->strand_,
                          impl->unload(std::move(model), UnloadReason::kRequested, drain),
                          asio::use_awaitable);
  co_return Result<void>();
}

asio::awaitable<void> EngineSupervisor::forget() {
  for (const std::string& name : model_names()) {
    (void)co_await unload(name, std::chrono::hours(24));
  }
}

asio::awaitable<Result<void>> EngineSupervisor::reconfigure(std::vector<ModelConfig> models) {
  const std::shared_ptr<Impl> impl = impl_;
  CO_TRY(check_models(models));
  std::vector<std::string> leaving;
  {
    const std::lock_guard lock(impl->mutex_);
    for (const auto& [name, entry] : impl->entries_) {
      const auto same =
          std::ranges::find_if(models, [&](const ModelConfig& m) { return m == entry.config; });
      if (same == models.end()) leaving.push_back(name);
    }
  }
  for (const std::string& name : leaving) {
    (void)co_await unload(name, std::chrono::seconds(30));
  }
  const std::lock_guard lock(impl->mutex_);
  for (const std::string& name : leaving) {
    ModelEntry* entry = impl->find(name);
    if (entry == nullptr || entry->instance || entry->state == ModelState::kLoading) continue;
    impl->fail_waiters(*entry, Error(Code::kNotFound, "model '" + name + "' was removed"));
    impl->entries_.erase(name);
  }
  for (ModelConfig& model : models) {
    ModelEntry& entry = impl->entries_[model.name];
    entry.config = std::move(model);
  }
  co_return Result<void>();
}

std::vector<ModelStatus> EngineSupervisor::status() const {
  const std::lock_guard lock(impl_->mutex_);
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<ModelStatus> out;
  for (const auto& [name, entry] : impl_->entries_) {
    ModelStatus s;
    s.name = name;
    s.path = entry.config.path;
    s.state = entry.state;
    s.detail = entry.detail;
    s.waiting = static_cast<int>(entry.waiters.size());
    s.starts = entry.starts;
    s.crashes = entry.crashes;
    if (entry.instance) {
      s.loaded = entry.instance->model;
      s.pid = entry.instance->process.child.pid;
      s.resident_bytes = resident_bytes(s.pid);
      s.slots_used = entry.instance->used;
    }
    if (entry.state == ModelState::kBackoff && entry.retry_at > now) {
      s.retry_in = std::chrono::duration_cast<std::chrono::milliseconds>(entry.retry_at - now);
    }
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<std::string> EngineSupervisor::model_names() const {
  const std::lock_guard lock(impl_->mutex_);
  std::vector<std::string> out;
  for (const auto& [name, entry] : impl_->entries_) out.push_back(name);
  return out;
}

const EngineIdentity& EngineSupervisor::engine() const noexcept { return impl_->identity_; }

asio::awaitable<void> EngineSupervisor::stop() {
  const std::shared_ptr<Impl> impl = impl_;
  std::vector<std::shared_ptr<EngineInstance>> instances;
  {
    const std::lock_guard lock(impl->mutex_);
    impl->closing_ = true;
    for (auto& [name, entry] : impl->entries_) {
      impl->fail_waiters(entry, Error(Code::kUnavailable, "the server is stopping"));
      if (entry.instance) instances.push_back(entry.instance);
    }
  }
  for (auto& instance : instances) {
    impl->spawn(impl->stop_instance(std::move(instance), UnloadReason::kShutdown));
  }
  // Loads that are under way see closing_ and end their engine themselves.
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (impl->running_ > 0) {
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(kAsTuple);
  }
}

}  // namespace candor::engine
