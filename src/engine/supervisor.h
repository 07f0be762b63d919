// The engines of one monitor: models configured, loaded on demand, confined, probed, watched,
// evicted by least use within a memory budget, restarted with back-off (A5, A6, S9-S12).
//
// A load is: lease and hash the model (ModelFile), read its metadata in candor-inspect, start
// candor-engine by execveat on its hashed descriptor, refuse it if it is not confined (unless the
// configuration allows that in so many words), wait until it is ready, run the kernel probe (first
// load of this build on this boot) and the model probe, call LoadObserver::on_load, serve.
//
// Threads: construct with the executor of an io_context; all state lives on a strand of it. The
// public functions may be called from any thread or executor; awaitables resume on their caller's.
// Forking happens on a thread of the supervisor's own that lives as long as it (the kernel's
// parent-death signal follows the thread). Destroy only after stop() has finished.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "engine/child_process.h"
#include "engine/engine_client.h"
#include "engine/model_file.h"
#include "engine/sandbox.h"
#include "http/task.h"
#include "model/gguf_reader.h"

namespace candor::engine {

enum class Confinement : std::uint8_t {
  kRequired,           // an engine that is not confined() is stopped and the load refused
  kUnconfinedAllowed,  // configuration said engine.unconfined = "allow"
};

struct ModelConfig {
  std::string name;                 // what callers ask for
  Path path;                        // one GGUF file
  int context_tokens = 0;           // for each slot; 0: the model's, at most 8,192
  int slots = 4;                    // parallel sequences
  int threads = 0;                  // 0: as many as processors
  std::uint64_t memory_bytes = 0;   // for the budget; 0: file size and estimated context
  bool pinned = false;              // never evicted
  std::optional<Digest> weights{};  // refuse the file unless it has this SHA-256
  std::vector<Path> adapters{};     // LoRA adapters, GGUF files, at scale 1
  Path chat_template{};             // a file that replaces the model's own; empty: none
  // Ids of the gate's findings that do not keep this model from being served (docs/model-gate.md).
  std::vector<std::string> accepted_findings{};
  std::vector<std::string> extra_flags{};  // llama-server flags of a short list; recorded
  bool operator==(const ModelConfig&) const = default;
};

struct SupervisorOptions {
  std::vector<ModelConfig> models;
  Path engine_binary;                     // candor-engine, or a foreign llama-server
  bool foreign_engine = false;            // CANDOR_LLAMA_SERVER: binds a socket in runtime_folder
  Path engine_manifest;                   // candor-engine.json beside it; empty or absent: none
  Path inspect_binary;                    // candor-inspect
  Path runtime_folder;                    // 0700; sockets of foreign engines
  Path store_folder;                      // copies of models that cannot be leased; empty: none
  std::uint64_t memory_budget_bytes = 0;  // 0: three quarters of the machine's
  std::optional<std::chrono::milliseconds> idle_unload;  // a model that nobody used for so long
  Scheduling scheduling = Scheduling::kIdle;
  Confinement confinement = Confinement::kRequired;
  std::chrono::milliseconds load_deadline{600'000};
  std::chrono::milliseconds template_time{10'000};  // processor time to render a chat template
  std::chrono::milliseconds restart_delay_min{500};
  std::chrono::milliseconds restart_delay_max{60'000};
  std::chrono::milliseconds probe_every{10'000};  // is the engine's main loop alive?
  std::chrono::milliseconds probe_deadline{120'000};
  std::chrono::milliseconds stop_deadline{5'000};
  bool kernel_probe = true;
  int model_probe_tokens = 8;  // 0: none
};

enum class Provenance : std::uint8_t { kMeasured, kDeclared };  // S18

// The first greedy tokens of a fixed prompt on this model, engine and CPU (A6). The supervisor
// compares with the value that LoadObserver::earlier_probe gives.
struct ModelProbe {
  std::string prompt;
  std::vector<std::int32_t> tokens;
  std::optional<bool> matches_earlier;  // unset: none recorded for this model, engine and CPU
};

struct KernelProbe {
  struct Type {
    std::string name;  // "q4_1"
    bool ok = false;
    std::int64_t worst_error_ppm = 0;  // relative to the result's norm
  };
  bool run = false;
  std::vector<Type> types;
  [[nodiscard]] bool ok() const noexcept;
};

// Which engine: SHA-256 over the canonical JSON of the members here (docs/formats of entries).
struct EngineIdentity {
  Digest digest{};
  Digest binary{};                        // SHA-256 of the executable's bytes, as executed
  Digest manifest{};                      // of candor-engine.json: sources, patches, flags
  std::vector<std::string> cpu_features;  // sorted
  std::string version;                    // "llama.cpp v0.5.0", from the manifest
};

// Everything a load entry says. Immutable once serving.
struct LoadedModel {
  std::string name;
  std::string load_id;  // 32 hex digits, new for each start of an engine
  Provenance provenance = Provenance::kMeasured;
  Digest weights{};  // SHA-256 of the file
  std::uint64_t weights_bytes = 0;
  std::vector<Digest> adapters;
  std::optional<Digest> chat_template;  // SHA-256 of template_text
  std::string template_text;            // the file's own, or the one configured instead
  EngineIdentity engine;
  Guard guard = Guard::kLease;
  SandboxGrants grants;
  model::GgufSummary metadata;
  int slots = 0;
  int context_tokens = 0;  // for each slot
  int threads = 0;
  std::vector<std::string> flags;  // as given to the engine, without secrets and descriptors
  ModelProbe model_probe;
  KernelProbe kernel_probe;
  std::uint64_t memory_bytes = 0;  // counted against the budget
};

enum class UnloadReason : std::uint8_t {
  kRequested,
  kIdle,  // nobody used it for SupervisorOptions::idle_unload
  kEvicted,
  kShutdown,
  kExited,        // the engine ended by itself: crash or kill
  kHung,          // no answer from its main loop, or a stream stalled
  kModelChanged,  // someone opened the model file for writing (S12)
  kExhausted,     // more threads than an engine may have
};
[[nodiscard]] std::string_view to_string(UnloadReason reason) noexcept;

struct Unload {
  std::shared_ptr<const LoadedModel> model;
  UnloadReason reason = UnloadReason::kRequested;
  int exit_code = 0;  // of the process; -signal if a signal ended it
};

struct LoadFailure {
  std::string model;
  Error error;          // the operator's sentence, no request text in it
  std::string finding;  // the gate's worst one if that was the reason ("gguf.tensor-overlap")
};

// The gateway writes ledger entries here.
class LoadObserver {
 public:
  virtual ~LoadObserver() = default;
  // The files' digests are known (the weights' first, then the adapters'); nothing has read more
  // of them. An error, whose code and sentence the load keeps, fails it. As it is: all may load.
  [[nodiscard]] virtual asio::awaitable<Result<void>> may_load(std::string model,
                                                               std::vector<Digest> files);
  // The engine is ready and serves nobody yet. An error stops it and fails the load.
  [[nodiscard]] virtual asio::awaitable<Result<void>> on_load(
      std::shared_ptr<const LoadedModel> model) = 0;
  // The process has ended; leases still held fail. Once for each on_load that succeeded.
  [[nodiscard]] virtual asio::awaitable<void> on_unload(Unload unload) = 0;
  // A load that was refused or failed.
  [[nodiscard]] virtual asio::awaitable<void> on_load_failure(LoadFailure failure) = 0;
  // Probe tokens on record for these digests (model, engine with CPU), if any.
  [[nodiscard]] virtual std::optional<std::vector<std::int32_t>> earlier_probe(
      const Digest& weights, const Digest& engine) = 0;
};

enum class ModelState : std::uint8_t {
  kUnloaded,
  kLoading,
  kReady,
  kStopping,
  kBackoff,  // failed; the next acquire after retry_in starts it again
};
[[nodiscard]] std::string_view to_string(ModelState state) noexcept;

struct ModelStatus {
  std::string name;
  Path path;
  ModelState state = ModelState::kUnloaded;
  std::string detail;                         // why it failed, or what it is doing; for people
  std::shared_ptr<const LoadedModel> loaded;  // null unless ready
  int pid = 0;
  std::uint64_t resident_bytes = 0;
  int slots_used = 0;
  int waiting = 0;
  std::uint64_t starts = 0, crashes = 0;
  std::chrono::milliseconds retry_in{0};
};

// One slot of a loaded model for one request. Movable; gives the slot back when destroyed (after
// the request's stream has been destroyed, so that the engine has been told to stop).
class ModelLease {
 public:
  ModelLease() noexcept;  // defined in supervisor.cc: Held is incomplete here
  ModelLease(ModelLease&&) noexcept;
  ModelLease& operator=(ModelLease&&) noexcept;
  ~ModelLease();
  explicit operator bool() const noexcept { return held_ != nullptr; }

  [[nodiscard]] const LoadedModel& model() const noexcept;
  [[nodiscard]] std::shared_ptr<const LoadedModel> shared_model() const noexcept;
  [[nodiscard]] int slot() const noexcept;  // id_slot for the engine
  // A dialer to this engine. The gateway makes (and keeps) one EngineClient for each thread and
  // load_id; client_options has dialer and token filled in.
  [[nodiscard]] EngineClientOptions client_options() const;
  // False once the engine has ended or is being stopped for a cause; its streams then fail too.
  [[nodiscard]] bool alive() const noexcept;
  // It is not alive since the model's chat template took more than it may (blames_template).
  [[nodiscard]] bool template_failed() const noexcept;
  // A stream ran into its idle deadline: the engine is probed at once, and killed if it hangs.
  void report_stall();

 private:
  friend class EngineSupervisor;
  struct Held;
  std::unique_ptr<Held> held_;
};

// Of an error of acquire or load: the model's chat template takes too much time or memory, or
// crashes the engine. Asking again will not help.
[[nodiscard]] bool blames_template(const Error& error);

class EngineSupervisor {
 public:
  // Opens and hashes the engine's binary. kNotFound and others name the file and what to do.
  [[nodiscard]] static Result<std::unique_ptr<EngineSupervisor>> open(
      asio::any_io_executor executor, SupervisorOptions options, LoadObserver& observer);
  ~EngineSupervisor();

  // A slot of the model, loading it first if need be and waiting in order for a free slot. Errors:
  // kNotFound (no such model: the message lists the names), kDeadlineExceeded, kUnavailable (engine
  // failed, in back-off, or stopping), kResourceExhausted (does not fit the memory budget),
  // kFailedPrecondition (not confined, file being written, not a model that can be served),
  // kPermissionDenied (may_load said no), kCancelled (stop was requested, on the caller's executor;
  // null: nothing but the deadline ends the wait).
  [[nodiscard]] asio::awaitable<Result<ModelLease>> acquire(
      std::string model, std::chrono::steady_clock::time_point deadline,
      http::StopSource* stop = nullptr);

  // Administrative verbs (S15). load waits until ready; unload drains leases until the deadline.
  [[nodiscard]] asio::awaitable<Result<std::shared_ptr<const LoadedModel>>> load(std::string model);
  [[nodiscard]] asio::awaitable<Result<void>> unload(std::string model,
                                                     std::chrono::milliseconds drain);
  // Clears the engine's memory of prompts: restarts an idle engine, or after its leases end (S3).
  [[nodiscard]] asio::awaitable<void> forget();
  // Replaces the configured models (SIGHUP). Loaded models that changed or left are unloaded.
  [[nodiscard]] asio::awaitable<Result<void>> reconfigure(std::vector<ModelConfig> models);

  [[nodiscard]] std::vector<ModelStatus> status() const;  // a snapshot; any thread
  [[nodiscard]] std::vector<std::string> model_names() const;
  [[nodiscard]] const EngineIdentity& engine() const noexcept;

  // Stops every engine (SIGTERM, then SIGKILL after stop_deadline) and refuses new work.
  [[nodiscard]] asio::awaitable<void> stop();

  struct Impl;

 private:
  explicit EngineSupervisor(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its coroutines, which may outlive a call
};

}  // namespace candor::engine
