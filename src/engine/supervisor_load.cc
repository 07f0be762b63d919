// How an engine comes to serve: verify, inspect, make room, probe, start, wait, record.
#include <algorithm>
#include <array>
#include <csignal>
#include <numeric>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "engine/internal/supervisor_impl.h"
#include "json/json.h"

namespace candor::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr int kDefaultContext = 8'192;
constexpr std::string_view kProbePrompt = "The quick brown fox";
constexpr auto kReadyPoll = 5ms;
constexpr std::uint64_t kMaxTemplate = 96U << 10U;  // one argument of a program has 128 KiB

// Keys and values for every slot, half precision, and the engine's own needs.
std::uint64_t estimate_memory(const model::GgufSummary& m, std::uint64_t file_bytes,
                              std::uint64_t context_tokens) {
  return file_bytes + model::context_bytes_per_token(m) * context_tokens + 256 * kMiB;
}

struct Shape {
  int context_tokens = 0;
  int threads = 0;
  std::vector<std::string> flags;
};

Shape shape_of(const ModelConfig& config, const model::GgufSummary& summary) {
  Shape out;
  out.context_tokens = config.context_tokens;
  if (out.context_tokens == 0) {
    out.context_tokens = static_cast<int>(std::min<std::uint64_t>(
        summary.context_length == 0 ? kDefaultContext : summary.context_length, kDefaultContext));
  }
  out.threads = config.threads != 0
                    ? config.threads
                    : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  // S9: the monitor owns the slots, nothing is kept for others; S8: no routes that nobody needs.
  out.flags = {"--alias",
               config.name,
               "-c",
               std::to_string(static_cast<std::int64_t>(out.context_tokens) * config.slots),
               "-np",
               std::to_string(config.slots),
               "-t",
               std::to_string(out.threads),
               "--slot-prompt-similarity",
               "0",
               "--cache-ram",
               "0",
               "--no-slots",
               "--no-cache-prompt",
               "--no-ui",
               "--offline",
               "--fit",
               "off",
               "-lv",
               "2"};
  out.flags.insert(out.flags.end(), config.extra_flags.begin(), config.extra_flags.end());
  return out;
}

// Of a file that is missing, damaged or no model: the operator's to mend, whatever its reader calls
// it. Callers tell by the code that no other request of theirs would do.
Error unservable(const Error& error, const Path& path) {
  std::string message = error.message();
  if (!message.contains(path.string())) message = path.string() + ": " + message;
  const Code code = error.code();
  if (code == Code::kInvalidArgument || code == Code::kNotFound ||
      code == Code::kResourceExhausted) {
    return {Code::kFailedPrecondition,
            message + "; put the right file there, or change its path in candor.toml"};
  }
  if (code == Code::kPermissionDenied) return {Code::kFailedPrecondition, std::move(message)};
  return {code, std::move(message)};
}

// The gate's worst finding that keeps the file from the engine; nullptr: none does. A finding that
// ended the reading can be accepted by nobody, since what stands behind it is unknown.
const model::GateFinding* refusing_finding(const model::GateReport& report,
                                           const ModelConfig& config) {
  for (const model::GateFinding& one : report.findings) {
    if (one.severity < model::GateSeverity::kError) continue;
    const bool replaced = !config.chat_template.empty() && one.id.starts_with("template.");
    const bool accepted =
        std::ranges::find(config.accepted_findings, one.id) != config.accepted_findings.end();
    if (one.severity == model::GateSeverity::kFatal || (!replaced && !accepted)) return &one;
  }
  return nullptr;
}

Error refused_by_gate(const model::GateFinding& finding, const Result<model::GgufSummary>& summary,
                      const Path& path) {
  std::string message = path.string() + ": the gate refuses it: " + model::describe(finding);
  // The reader's own words where it stumbled too: they say which bound.
  if (!summary) message += " (" + summary.error().message() + ")";
  const model::GateRule* rule = model::find_gate_rule(finding.id);
  if (rule != nullptr) message += fmt::format("; {}", rule->remedy);
  message += " (candor model inspect shows all findings)";
  return {Code::kFailedPrecondition, std::move(message)};
}

}  // namespace

template <typename F>
asio::awaitable<std::invoke_result_t<F>> EngineSupervisor::Impl::blocking(F function) {
  // An optional, since co_spawn wants a result that can be made from nothing.
  using Out = std::optional<std::invoke_result_t<F>>;
  auto run = [](F f) -> asio::awaitable<Out> { co_return Out(f()); };
  Out out = co_await asio::co_spawn(pool_, run(std::move(function)), asio::use_awaitable);
  co_return std::move(*out);
}

asio::awaitable<Result<void>> LoadObserver::may_load(std::string /*model*/,
                                                     std::vector<Digest> /*files*/) {
  co_return Result<void>();
}

asio::awaitable<void> EngineSupervisor::Impl::load(std::string name) {
  ModelConfig config;
  {
    const std::lock_guard lock(mutex_);
    ModelEntry* entry = find(name);
    if (entry == nullptr) co_return;
    config = entry->config;
    ++entry->starts;
  }
  std::string finding;
  auto built = co_await build(name, std::move(config), finding);
  if (!built) {
    log_warning("engine.load_failed", {{"model", Label(name)}, {"code", built.error().code()}});
    co_await observer_.on_load_failure(
        {.model = name, .error = built.error(), .finding = std::move(finding)});
  }
  const std::lock_guard lock(mutex_);
  ModelEntry* entry = find(name);
  if (entry == nullptr) co_return;
  if (!built) {
    entry->instance.reset();
    entry->reserved_bytes = 0;
    ++entry->failures_in_row;
    const auto delay = restart_delay(options_, entry->failures_in_row);
    entry->state = ModelState::kBackoff;
    entry->retry_at = std::chrono::steady_clock::now() + delay;
    entry->last_code = built.error().code();
    entry->detail = built.error().message();
    fail_waiters(*entry, built.error());
    co_return;
  }
  if ((*built)->exited) co_return;  // watch_exit has dealt with it
  entry->state = ModelState::kReady;
  entry->detail = describe((*built)->model->grants);
  (*built)->ready_since = std::chrono::steady_clock::now();
  (*built)->last_used = (*built)->ready_since;
  hand_out(*entry);
}

asio::awaitable<Result<std::shared_ptr<EngineInstance>>> EngineSupervisor::Impl::build(
    std::string name, ModelConfig config, std::string& finding) {
  const auto detail = [&](std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (ModelEntry* entry = find(name)) entry->detail = text;
  };
  detail("verifying the model file");
  const ModelFileOptions file_options{
      .store_folder = options_.store_folder,
      .max_memory_copy = options_.store_folder.empty() ? budget_ / 4 : 0};
  std::vector<Path> paths{config.path};
  paths.insert(paths.end(), config.adapters.begin(), config.adapters.end());
  std::vector<ModelFile> files;
  for (const Path& path : paths) {
    auto file = co_await blocking([&] { return ModelFile::open(path, file_options, digests_); });
    if (!file) {
      Error error = unservable(file.error(), path);
      if (!files.empty()) error = std::move(error).with_context("adapter");
      co_return std::unexpected(std::move(error));
    }
    files.push_back(*std::move(file));
  }
  const int model_fd = files.front().fd();
  if (config.weights && *config.weights != files.front().digest()) {
    co_return fail(Code::kFailedPrecondition,
                   "model '" + name + "' has the SHA-256 " + to_hex(files.front().digest()) +
                       ", not the one of its sha256 in candor.toml; nothing of it was loaded");
  }
  std::vector<Digest> digests;
  for (const ModelFile& file : files) digests.push_back(file.digest());
  CO_TRY(co_await observer_.may_load(name, std::move(digests)));
  std::optional<std::string> chat_template;
  if (!config.chat_template.empty()) {
    const auto read = co_await blocking(
        [&] { return read_file(real_file_system(), config.chat_template, kMaxTemplate); });
    if (!read) {
      co_return std::unexpected(unservable(
          Error(read.error()).with_context("reading the chat template"), config.chat_template));
    }
    chat_template = std::string(as_text(*read));
    if (chat_template->empty() || chat_template->find('\0') != std::string::npos) {
      co_return fail(Code::kFailedPrecondition, "the chat template is empty or no text");
    }
  }

  detail("reading its metadata");
  std::optional<Inspection> first;
  for (std::size_t i = 0; i < files.size(); ++i) {
    // Values are read once: a file of the same digest holds the same ones.
    const InspectDepth depth =
        values_read_.contains(files[i].digest()) ? InspectDepth::kMetadata : InspectDepth::kValues;
    auto inspected = co_await blocking([&] { return launcher_.inspect(files[i].fd(), depth); });
    if (!inspected) co_return std::unexpected(unservable(inspected.error(), paths[i]));
    if (!inspected->grants.confined() && options_.confinement == Confinement::kRequired) {
      co_return fail(Code::kFailedPrecondition,
                     "the model file cannot be read in a sandbox here (" +
                         describe(inspected->grants) +
                         "); engine.unconfined = \"allow\" in candor.toml would read it without");
    }
    if (const auto* refusing = refusing_finding(inspected->report, config)) {
      finding = refusing->id;
      Error error = refused_by_gate(*refusing, inspected->summary, paths[i]);
      if (i > 0) error = std::move(error).with_context("adapter");
      co_return std::unexpected(std::move(error));
    }
    if (!inspected->summary) {
      co_return std::unexpected(unservable(inspected->summary.error(), paths[i]));
    }
    if (inspected->report.passes()) values_read_.insert(files[i].digest());
    if (i == 0) first = *std::move(inspected);
  }
  const Inspection& inspection = *first;
  const model::GgufSummary& summary = *inspection.summary;
  Shape shape = shape_of(config, summary);
  if (chat_template) {
    shape.flags.insert(shape.flags.end(), {"--jinja", "--chat-template", *chat_template});
  }
  const std::uint64_t file_bytes = std::accumulate(
      files.begin(), files.end(), std::uint64_t{0},
      [](std::uint64_t sum, const ModelFile& one) { return sum + one.size_bytes(); });
  const std::uint64_t memory =
      config.memory_bytes != 0 ? config.memory_bytes
                               : estimate_memory(summary, file_bytes,
                                                 static_cast<std::uint64_t>(shape.context_tokens) *
                                                     static_cast<std::uint64_t>(config.slots));
  detail("waiting for memory");
  CO_TRY(co_await make_room(name, memory));
  KernelProbe kernels;
  if (options_.kernel_probe) {
    detail("probing the engine's kernels");
    CO_TRY(co_await check_kernels(summary, kernels));
  }

  detail("starting the engine");
  // Repacked weights and activations come on top of what the budget counts; threads' stacks too.
  internal::EngineStart start{.model_fd = model_fd,
                              .flags = shape.flags,
                              .data_limit_bytes = 2 * file_bytes + memory + 6'144 * kMiB,
                              .template_time = options_.template_time,
                              .deadline = 10s};
  for (std::size_t i = 1; i < files.size(); ++i) start.adapter_fds.push_back(files[i].fd());
  internal::StartedEngine started =
      CO_TRY(co_await blocking([&] { return launcher_.start(start); }));
  const SandboxGrants grants = started.grants;
  auto instance = std::make_shared<EngineInstance>(strand_, std::move(started), std::move(files));
  instance->exit_watch.assign(fcntl(instance->process.child.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  instance->errors.assign(instance->process.errors.release());
  spawn(watch_exit(name, instance));
  spawn(watch_errors(instance));
  spawn(watch_health(instance));
  // From here every way out ends the process.
  const auto give_up = [&](Error error) {
    kill_now(*instance, UnloadReason::kRequested);
    return std::unexpected(std::move(error));
  };
  if (!grants.confined() && options_.confinement == Confinement::kRequired) {
    co_return give_up(Error(Code::kFailedPrecondition,
                            "the engine cannot be confined here (" + describe(grants) +
                                "); engine.unconfined = \"allow\" in candor.toml would run it so"));
  }
  instance->dialer = instance->process.socket_path.empty()
                         ? passing_dialer(instance->process.control.get())
                         : unix_dialer(instance->process.socket_path);
  EngineClientOptions client;
  client.dialer = instance->dialer;
  client.token = instance->process.token;
  client.max_idle_connections = 1;
  instance->probe_client = std::make_unique<EngineClient>(strand_, std::move(client));
  instance->slots.assign(static_cast<std::size_t>(config.slots), false);

  LoadedModel& facts = *instance->model;
  facts.name = name;
  facts.load_id = to_hex(make_id(system_random()));
  facts.weights = instance->files.front().digest();
  facts.weights_bytes = instance->files.front().size_bytes();
  for (std::size_t i = 1; i < instance->files.size(); ++i) {
    facts.adapters.push_back(instance->files[i].digest());
  }
  facts.chat_template =
      chat_template ? crypto::sha256(as_bytes(*chat_template)) : summary.chat_template_digest;
  facts.template_text = chat_template.value_or(summary.chat_template.value_or(""));
  facts.engine = identity_;
  facts.guard = instance->files.front().guard();
  facts.grants = grants;
  facts.metadata = summary;
  facts.slots = config.slots;
  facts.context_tokens = shape.context_tokens;
  facts.threads = shape.threads;
  facts.flags = shape.flags;
  facts.kernel_probe = std::move(kernels);
  facts.memory_bytes = memory;
  facts.provenance = options_.foreign_engine ? Provenance::kDeclared : Provenance::kMeasured;

  detail("loading the model");
  if (auto ready = co_await wait_ready(instance); !ready) {
    co_return give_up(unservable(ready.error(), config.path));
  }
  detail("probing the model");
  if (auto probed = co_await probe_model(instance); !probed) {
    co_return give_up(std::move(probed).error());
  }
  detail("recording the load");
  auto recorded = co_await observer_.on_load(instance->model);
  if (!recorded) {
    co_return give_up(std::move(recorded).error().with_context("recording the load"));
  }
  {
    // In one step with the owed on_unload: from here watch_exit finds the entry.
    const std::lock_guard lock(mutex_);
    instance->observed = true;
    if (ModelEntry* entry = find(name)) entry->instance = instance;
  }
  if (closing_) kill_now(*instance, UnloadReason::kShutdown);
  if (instance->exited) {  // between ready and here
    const UnloadReason reason = *instance->reason;
    co_await observer_.on_unload(
        {.model = instance->model, .reason = reason, .exit_code = instance->exit_code});
    co_return fail(Code::kUnavailable,
                   explain_exit(instance->error_ring.text(), instance->exit_code));
  }
  log_info("engine.ready", {{"model", Label(name)},
                            {"pid", static_cast<std::int64_t>(instance->process.child.pid)},
                            {"confined", grants.confined()}});
  co_return instance;
}

asio::awaitable<Result<void>> EngineSupervisor::Impl::make_room(std::string name,
                                                                std::uint64_t bytes) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options_.load_deadline;
  for (;;) {
    std::string victim;
    {
      const std::lock_guard lock(mutex_);
      if (closing_) co_return fail(Code::kUnavailable, "the server is stopping");
      std::uint64_t reserved = 0;
      std::uint64_t pinned = 0;
      SteadyTime oldest = SteadyTime::max();
      for (auto& [other, entry] : entries_) {
        if (other == name) continue;
        reserved += entry.reserved_bytes;
        if (entry.config.pinned) pinned += entry.reserved_bytes;
        const bool idle = entry.state == ModelState::kReady && entry.instance->used == 0 &&
                          entry.waiters.empty() && !entry.config.pinned;
        if (idle && entry.instance->last_used < oldest) {
          oldest = entry.instance->last_used;
          victim = other;
        }
      }
      if (bytes + pinned > budget_) {
        co_return fail(
            Code::kResourceExhausted,
            fmt::format("model '{}' needs about {} MiB; the memory budget leaves {} MiB "
                        "(engine.memory_budget in candor.toml, or fewer slots or context)",
                        name, bytes / kMiB, (budget_ - std::min(budget_, pinned)) / kMiB));
      }
      if (bytes + reserved <= budget_) {
        if (ModelEntry* entry = find(name)) entry->reserved_bytes = bytes;
        co_return Result<void>();
      }
    }
    if (std::chrono::steady_clock::now() > deadline) {
      co_return fail(Code::kResourceExhausted, "no memory became free for model '" + name + "'");
    }
    if (victim.empty()) {
      co_await pause(20ms);
    } else {
      co_await unload(victim, UnloadReason::kEvicted, 0ms);
    }
  }
}

asio::awaitable<Result<void>> EngineSupervisor::Impl::check_kernels(
    const model::GgufSummary& summary, KernelProbe& out) {
  std::string key;
  for (const auto& use : summary.tensor_types) key += std::to_string(use.type) + ",";
  if (const auto known = kernel_probes_.find(key); known != kernel_probes_.end()) {
    out = known->second;
  } else {
    auto probe = co_await blocking([&] { return launcher_.kernel_probe(summary.tensor_types); });
    if (!probe) co_return std::unexpected(std::move(probe).error().with_context("kernel probe"));
    out = std::move(*probe);
    kernel_probes_[key] = out;
  }
  if (out.ok()) co_return Result<void>();
  std::string wrong;
  for (const auto& type : out.types) {
    if (!type.ok) wrong.append(wrong.empty() ? "" : ", ").append(type.name);
  }
  co_return fail(Code::kFailedPrecondition,
                 "this build of the engine computes wrong results on this processor for " + wrong +
                     "; build it on this machine (engine/build.sh)");
}

asio::awaitable<Result<void>> EngineSupervisor::Impl::wait_ready(
    std::shared_ptr<EngineInstance> instance) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + options_.load_deadline;
  for (;;) {
    if (instance->exited) {
      if (instance->reason == UnloadReason::kExhausted) {
        co_return fail(Code::kFailedPrecondition,
                       "the engine started more threads than it may and was ended");
      }
      // llama.cpp logs from a thread of its own, so its reason can be lost with the process.
      std::string why = explain_exit(instance->error_ring.text(), instance->exit_code);
      if (why.starts_with(kEndedWithCode)) {
        why += " while it loaded the model file (damaged or not supported)";
      }
      co_return fail(
          why.contains("model file") ? Code::kInvalidArgument : Code::kFailedPrecondition, why);
    }
    if (closing_) co_return fail(Code::kUnavailable, "the server is stopping");
    if (std::chrono::steady_clock::now() > deadline) {
      co_return fail(Code::kDeadlineExceeded, "the engine did not load the model in time");
    }
    EngineRequest request;
    request.method = "GET";
    request.path = "/health";
    request.first_byte_deadline = 5s;
    request.idle_deadline = 5s;
    const auto reply = co_await instance->probe_client->fetch(std::move(request));
    if (reply && reply->status == 200) co_return Result<void>();
    co_await pause(kReadyPoll);
  }
}

asio::awaitable<Result<void>> EngineSupervisor::Impl::probe_model(
    std::shared_ptr<EngineInstance> instance) {
  if (options_.model_probe_tokens <= 0) co_return Result<void>();
  ModelProbe& probe = instance->model->model_probe;
  probe.prompt = kProbePrompt;
  EngineRequest request;
  request.path = "/completion";
  request.body = json::to_text(json::Object{{"prompt", kProbePrompt},
                                            {"n_predict", options_.model_probe_tokens},
                                            {"temperature", 0},
                                            {"seed", 1},
                                            {"id_slot", 0},
                                            {"cache_prompt", false},
                                            {"ignore_eos", true},
                                            {"return_tokens", true}});
  request.first_byte_deadline = options_.probe_deadline;
  request.idle_deadline = options_.probe_deadline;
  const auto reply = co_await instance->probe_client->fetch(std::move(request));
  if (!reply) co_return std::unexpected(Error(reply.error()).with_context("model probe"));
  if (reply->status != 200) {
    co_return fail(Code::kFailedPrecondition, "the model does not complete text in this engine");
  }
  const json::Value value =
      CO_TRY(json::parse(reply->body, {.max_bytes = 1U << 20U, .max_depth = 16}));
  const json::Object& object = *CO_TRY(json::as_object(value, "model probe"));
  for (const json::Value& token : *CO_TRY(json::get_array(object, "tokens"))) {
    const std::int64_t* number = token.if_int64();
    if (number == nullptr || *number < 0 || *number > INT32_MAX || probe.tokens.size() >= 1'024) {
      co_return fail(Code::kFailedPrecondition,
                     "the engine's answer to the model probe is malformed");
    }
    probe.tokens.push_back(static_cast<std::int32_t>(*number));
  }
  const auto earlier = observer_.earlier_probe(instance->model->weights, identity_.digest);
  if (earlier) {
    probe.matches_earlier = *earlier == probe.tokens;
    if (!*probe.matches_earlier) {
      log_warning("engine.model_probe_differs", {{"model", Label(instance->model->name)}});
    }
  }
  co_return Result<void>();
}

Result<void> check_extra_flags(const std::vector<std::string>& flags) {
  static constexpr std::string_view kWithValue[] = {"--override-kv",
                                                    "-fa",
                                                    "--flash-attn",
                                                    "-ctk",
                                                    "--cache-type-k",
                                                    "-ctv",
                                                    "--cache-type-v",
                                                    "-b",
                                                    "--batch-size",
                                                    "-ub",
                                                    "--ubatch-size",
                                                    "-tb",
                                                    "--threads-batch",
                                                    "--threads-http",
                                                    "--rope-scaling",
                                                    "--rope-scale",
                                                    "--rope-freq-base",
                                                    "--rope-freq-scale",
                                                    "--yarn-orig-ctx",
                                                    "--reasoning-format",
                                                    "--reasoning-budget",
                                                    "-ngl",
                                                    "--gpu-layers",
                                                    "--n-gpu-layers",
                                                    "--ctx-checkpoints",
                                                    "-ctxcp",
                                                    "--keep",
                                                    "--pooling"};
  static constexpr std::string_view kAlone[] = {"--mlock",
                                                "--no-mmap",
                                                "--jinja",
                                                "--no-jinja",
                                                "-kvu",
                                                "--kv-unified",
                                                "--no-kv-unified",
                                                "--swa-full",
                                                "--no-warmup",
                                                "--no-repack",
                                                "-nr",
                                                "--context-shift",
                                                "--no-context-shift",
                                                "--embeddings",
                                                "--reranking"};
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (std::ranges::find(kAlone, flags[i]) != std::end(kAlone)) continue;
    if (std::ranges::find(kWithValue, flags[i]) != std::end(kWithValue) && i + 1 < flags.size()) {
      ++i;
      continue;
    }
    return fail(Code::kInvalidArgument,
                "engine flag '" + flags[i] +
                    "' is not one that a configuration may give; see docs/configuration.md");
  }
  return {};
}

}  // namespace candor::engine
