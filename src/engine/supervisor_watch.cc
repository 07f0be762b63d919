// What happens to an engine after its start: health, leases of its model file, its end, restarts.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "engine/internal/supervisor_impl.h"
#include "engine/sealed_start.h"

namespace candor::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kLeasePoll = 100ms;  // the writer waits meanwhile, the kernel sees to that
constexpr auto kThreadPoll = 1s;
constexpr int kMaxAutomaticRestarts = 5;
constexpr std::string_view kTemplateFailed =
    "the model's chat template went beyond its bounds: it ";
constexpr auto kHealthyAfter = 60s;  // an engine that lived so long starts with a clean record

std::uint64_t thread_count(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Threads:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

}  // namespace

void EngineSupervisor::Impl::spawn(asio::awaitable<void> task) {
  ++running_;
  // Posted, since co_spawn alone may run the beginning at once, under the caller's lock.
  asio::post(strand_, [self = shared_from_this(), task = std::move(task)]() mutable {
    asio::co_spawn(self->strand_, std::move(task), [self](std::exception_ptr error) {
      --self->running_;
      if (error) CANDOR_BUG("an engine supervisor coroutine threw");
    });
  });
}

asio::awaitable<void> EngineSupervisor::Impl::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(strand_, time);
  co_await timer.async_wait(kAsTuple);
}

std::chrono::milliseconds restart_delay(const SupervisorOptions& options, int failures_in_row) {
  const auto doubled = options.restart_delay_min * (1 << std::clamp(failures_in_row - 1, 0, 16));
  return std::min<std::chrono::milliseconds>(doubled, options.restart_delay_max);
}

void EngineSupervisor::Impl::kill_now(EngineInstance& instance, UnloadReason reason) {
  if (!instance.reason) instance.reason = reason;
  instance.alive = false;
  if (!instance.exited) (void)send_signal(instance.process.child, SIGKILL);
}

asio::awaitable<void> EngineSupervisor::Impl::stop_instance(
    std::shared_ptr<EngineInstance> instance, UnloadReason reason) {
  if (!instance->reason) instance->reason = reason;
  instance->alive = false;
  if (instance->probe_client) instance->probe_client->close();
  if (!instance->exited) (void)send_signal(instance->process.child, SIGTERM);
  const SteadyTime deadline = std::chrono::steady_clock::now() + options_.stop_deadline;
  while (!instance->exited) {
    if (std::chrono::steady_clock::now() > deadline) {
      (void)send_signal(instance->process.child, SIGKILL);
    }
    co_await pause(5ms);
  }
}

asio::awaitable<void> EngineSupervisor::Impl::unload(std::string name, UnloadReason reason,
                                                     std::chrono::milliseconds drain) {
  std::shared_ptr<EngineInstance> instance;
  {
    const std::lock_guard lock(mutex_);
    ModelEntry* entry = find(name);
    if (entry == nullptr) co_return;
    if (entry->state == ModelState::kBackoff) entry->state = ModelState::kUnloaded;
    if (entry->state != ModelState::kReady) co_return;
    entry->state = ModelState::kStopping;
    entry->detail = "finishing requests";
    instance = entry->instance;
  }
  const SteadyTime deadline = std::chrono::steady_clock::now() + drain;
  while (!instance->exited && std::chrono::steady_clock::now() < deadline) {
    {
      const std::lock_guard lock(mutex_);
      if (instance->used == 0) break;
    }
    co_await pause(5ms);
  }
  co_await stop_instance(instance, reason);
  // watch_exit has the last word on the entry.
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      const ModelEntry* entry = find(name);
      if (entry == nullptr || entry->instance != instance) co_return;
    }
    co_await pause(2ms);
  }
}

asio::awaitable<void> EngineSupervisor::Impl::watch_errors(
    std::shared_ptr<EngineInstance> instance) {
  std::array<char, 4'096> buffer;
  for (;;) {
    const auto [error, count] =
        co_await instance->errors.async_read_some(asio::buffer(buffer), kAsTuple);
    if (error) co_return;
    instance->error_ring.append({buffer.data(), count});
  }
}

// What the ended engine said last may still be in the pipe.
void EngineSupervisor::Impl::take_last_words(EngineInstance& instance) {
  std::array<char, 4'096> buffer;
  boost::system::error_code error;
  instance.errors.non_blocking(true, error);
  while (!error) {
    const std::size_t count = instance.errors.read_some(asio::buffer(buffer), error);
    instance.error_ring.append({buffer.data(), count});
  }
}

bool EngineSupervisor::Impl::is_idle(const EngineInstance& instance, SteadyTime now) {
  if (!options_.idle_unload || !instance.alive || !instance.observed) return false;
  const std::lock_guard lock(mutex_);
  const ModelEntry* entry = find(instance.model->name);
  return entry != nullptr && entry->state == ModelState::kReady &&
         entry->instance.get() == &instance && instance.used == 0 && entry->waiters.empty() &&
         !entry->config.pinned && now - instance.last_used > *options_.idle_unload;
}

asio::awaitable<void> EngineSupervisor::Impl::watch_health(
    std::shared_ptr<EngineInstance> instance) {
  SteadyTime next_probe = std::chrono::steady_clock::now() + options_.probe_every;
  SteadyTime next_count{};
  while (!instance->exited) {
    // S12: someone waits to write to the model file. The engine ends first, then the file is let go
    // (watch_exit), so no byte of changed weights is ever read.
    if (std::ranges::any_of(instance->files, &ModelFile::broken)) {
      log_warning("engine.model_file_opened_for_writing",
                  {{"model", Label(instance->model->name)}});
      kill_now(*instance, UnloadReason::kModelChanged);
      co_return;
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    // Where no user namespace counts its threads, nobody but us does.
    if (now >= next_count) {
      next_count = now + kThreadPoll;
      if (thread_count(instance->process.child.pid) > kMaxThreads) {
        log_error("engine.too_many_threads", {{"model", Label(instance->model->name)}});
        kill_now(*instance, UnloadReason::kExhausted);
        co_return;
      }
    }
    const bool due = now >= next_probe || instance->stalled.exchange(false);
    if (due && instance->alive && !instance->probing && instance->observed) {
      instance->probing = true;
      next_probe = now + options_.probe_every;
      spawn(probe_loop(instance));
    }
    if (is_idle(*instance, now)) spawn(unload(instance->model->name, UnloadReason::kIdle, 0ms));
    co_await pause(kLeasePoll);
  }
}

// Asks something that only the engine's main loop answers.
asio::awaitable<void> EngineSupervisor::Impl::probe_loop(std::shared_ptr<EngineInstance> instance) {
  EngineRequest request;
  request.method = "GET";
  request.path = "/lora-adapters";
  request.first_byte_deadline = options_.probe_deadline;
  request.idle_deadline = options_.probe_deadline;
  const auto reply = co_await instance->probe_client->fetch(std::move(request));
  instance->probing = false;
  if (reply && reply->status == 200) co_return;
  if (!instance->alive || instance->exited) co_return;
  if (!reply && reply.error().code() == Code::kDeadlineExceeded) {
    log_error("engine.hung", {{"model", Label(instance->model->name)}});
    kill_now(*instance, UnloadReason::kHung);
  }
}

asio::awaitable<void> EngineSupervisor::Impl::watch_exit(std::string name,
                                                         std::shared_ptr<EngineInstance> instance) {
  co_await instance->exit_watch.async_wait(asio::posix::stream_descriptor::wait_read, kAsTuple);
  instance->exit_code = wait_for_exit(instance->process.child, -1).value_or(-SIGKILL);
  take_last_words(*instance);
  instance->template_failed =
      explain_exit(instance->error_ring.text(), instance->exit_code).starts_with(kTemplateFailed);
  instance->alive = false;
  instance->exited = true;
  boost::system::error_code ignored;
  instance->exit_watch.close(ignored);
  if (instance->probe_client) instance->probe_client->close();
  const UnloadReason reason = instance->reason.value_or(UnloadReason::kExited);
  instance->reason = reason;
  if (!instance->process.socket_path.empty()) (void)unlink(instance->process.socket_path.c_str());
  // No process maps the file any more: whoever waits to write may go on.
  for (ModelFile& file : instance->files) file.release();
  if (!instance->observed) co_return;  // build() reports the failure

  log_info("engine.ended", {{"model", Label(name)},
                            {"reason", Label(to_string(reason))},
                            {"exit_code", instance->exit_code},
                            {"stderr_bytes", instance->error_ring.total_bytes()}});
  co_await observer_.on_unload(
      {.model = instance->model, .reason = reason, .exit_code = instance->exit_code});
  const std::lock_guard lock(mutex_);
  ModelEntry* entry = find(name);
  if (entry == nullptr || entry->instance != instance) co_return;
  entry->instance.reset();
  entry->reserved_bytes = 0;
  const bool planned = reason == UnloadReason::kRequested || reason == UnloadReason::kIdle ||
                       reason == UnloadReason::kEvicted || reason == UnloadReason::kShutdown;
  if (planned || closing_) {
    entry->state = ModelState::kUnloaded;
    entry->detail = reason == UnloadReason::kEvicted ? "evicted to make room"
                    : reason == UnloadReason::kIdle  ? "nobody used it"
                                                     : "";
    if (!closing_ && !entry->waiters.empty()) start_loading(name, *entry);
    co_return;
  }
  const SteadyTime now = std::chrono::steady_clock::now();
  ++entry->crashes;
  if (now - instance->ready_since > kHealthyAfter) entry->failures_in_row = 0;
  ++entry->failures_in_row;
  const auto delay = restart_delay(options_, entry->failures_in_row);
  entry->state = ModelState::kBackoff;
  entry->retry_at = now + delay;
  entry->last_code = Code::kUnavailable;
  entry->detail = reason == UnloadReason::kModelChanged
                      ? "its file was opened for writing; it will be verified again"
                  : reason == UnloadReason::kHung ? "the engine hung and was ended"
                  : reason == UnloadReason::kExhausted
                      ? "the engine started more threads than it may and was ended"
                      : explain_exit(instance->error_ring.text(), instance->exit_code);
  if (entry->failures_in_row <= kMaxAutomaticRestarts) {
    entry->restart_scheduled = true;
    spawn(restart_later(name, entry->retry_at));
  } else {
    fail_waiters(*entry,
                 Error(Code::kUnavailable, "model '" + name + "' keeps failing: " + entry->detail));
  }
}

asio::awaitable<void> EngineSupervisor::Impl::restart_later(std::string name, SteadyTime at) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      ModelEntry* entry = find(name);
      if (closing_ || entry == nullptr || !entry->restart_scheduled ||
          entry->state != ModelState::kBackoff) {
        co_return;
      }
      if (std::chrono::steady_clock::now() >= at) {
        start_loading(name, *entry);
        co_return;
      }
    }
    co_await pause(10ms);
  }
}

bool blames_template(const Error& error) { return error.message().contains(kTemplateFailed); }

std::string explain_exit(std::string_view last_words, int exit_code) {
  static constexpr std::pair<int, std::string_view> kTemplate[] = {
      {kTemplateTooSlow, "takes more processor time than engine.template_timeout"},
      {kTemplateTooLarge, "takes more memory than the engine may have"},
      {kTemplateCrashed, "crashes the engine (nests too deep or calls itself)"},
  };
  for (const auto& [code, what] : kTemplate) {
    if (exit_code == code) {
      return std::string(kTemplateFailed)
          .append(what)
          .append(
              "; give the model another one with "
              "model.chat_template");
    }
  }
  struct Known {
    std::string_view words, meaning;
  };
  static constexpr Known kKnown[] = {
      {"unknown model architecture", "this engine does not know the model's architecture"},
      {"bad_alloc", "the engine ran out of memory"},
      {"failed to allocate", "the engine ran out of memory"},
      {"unable to allocate", "the engine ran out of memory"},
      {"invalid argument", "the engine refuses one of the configured flags (model.flags)"},
      {"error while handling argument",
       "the engine refuses one of the configured flags (model.flags)"},
      {"chat template", "the engine cannot use the model's chat template"},
      {"failed to load model", "the engine cannot load the model file (damaged or not supported)"},
      {"error loading model", "the engine cannot load the model file (damaged or not supported)"},
  };
  for (const Known& known : kKnown) {
    if (last_words.find(known.words) != std::string_view::npos) return std::string(known.meaning);
  }
  if (exit_code < 0) return "the engine was ended by signal " + std::to_string(-exit_code);
  return std::string(kEndedWithCode) + std::to_string(exit_code);
}

}  // namespace candor::engine
