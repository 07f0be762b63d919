// The blocking steps of a load: candor-inspect, the kernel probe, the start of an engine. Run off
// the I/O threads. What the children say is bounded and parsed as from a hostile peer.
#pragma once

#include <chrono>
#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/sensitive.h"
#include "engine/child_process.h"
#include "engine/inspect.h"
#include "engine/sandbox.h"
#include "engine/supervisor.h"
#include "model/gguf_reader.h"

namespace candor::engine::internal {

// An executable opened and hashed once; what is executed is this descriptor.
struct Program {
  OwnedFd fd;
  Digest digest{};
};
[[nodiscard]] Result<Program> open_program(const Path& path);

// What every start needs, opened once: what stands under these names later counts for nothing, and
// the monitor's own sandbox might not let it be opened.
struct Programs {
  Program engine, inspect, launch;  // launch: only for an engine that is foreign
  OwnedFd null;
};
[[nodiscard]] Result<Programs> open_programs(const SupervisorOptions& options);

// Sorted names of the CPU's instruction sets that ggml's kernels choose by, out of /proc/cpuinfo.
[[nodiscard]] std::vector<std::string> cpu_features(std::istream& cpuinfo);
// digest over {"binary","cpu_features","manifest","type":"candor.engine/1"} as canonical JSON.
[[nodiscard]] Result<EngineIdentity> identify_engine(const Program& program, const Path& manifest,
                                                     std::vector<std::string> cpu_features);

struct StartedEngine {
  Child child;
  OwnedFd control;  // SEQPACKET: token, then connections (own engine)
  OwnedFd errors;   // the engine's standard error
  Sensitive<std::string> token;
  SandboxGrants grants;
  std::string socket_path;  // foreign engine
};

struct EngineStart {
  int model_fd = -1;
  std::vector<int> adapter_fds{};  // LoRA adapters, in order
  std::vector<std::string> flags{};
  std::uint64_t data_limit_bytes = 0;
  std::chrono::milliseconds template_time{10'000};  // own engine only
  std::chrono::milliseconds deadline{10'000};
};

class Launcher {
 public:
  // launcher program: candor-launch, for foreign engines only.
  Launcher(const SupervisorOptions& options, Programs programs)
      : scheduling_(options.scheduling),
        foreign_(options.foreign_engine),
        runtime_folder_(options.runtime_folder),
        engine_path_(options.engine_binary),
        programs_(std::move(programs)) {}

  [[nodiscard]] Result<Inspection> inspect(int model_fd, InspectDepth depth);
  [[nodiscard]] Result<KernelProbe> kernel_probe(const std::vector<model::TensorTypeUse>& types);
  [[nodiscard]] Result<StartedEngine> start(const EngineStart& start);
  [[nodiscard]] const Program& engine() const noexcept { return programs_.engine; }

 private:
  [[nodiscard]] Result<StartedEngine> start_own(const EngineStart& start);
  [[nodiscard]] Result<StartedEngine> start_foreign(const EngineStart& start);

  Scheduling scheduling_;
  bool foreign_;
  Path runtime_folder_;
  Path engine_path_;
  Programs programs_;
  Spawner spawner_;
};

}  // namespace candor::engine::internal
