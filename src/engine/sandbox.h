// The sandbox that candor-engine and candor-inspect put on themselves before they read a byte of
// the model (S10), and the measured grants that the monitor records and `candor doctor` shows.
//
// "Confined" means at least no_new_privs, the seccomp filter and Landlock's file rules; namespaces
// and the other limits are added where the kernel grants them, and their absence is shown.
// seal() runs in the child, single-threaded, and is inherited by every later thread. Linux x86-64
// and aarch64. No allocation after the filter is set matters: the filter allows memory calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor::engine {

// What was measured in the child after sealing, not what was asked for. Zero or false: not granted.
struct SandboxGrants {
  bool no_new_privs = false;     // /proc/self/status NoNewPrivs: 1
  bool seccomp_filter = false;   // /proc/self/status Seccomp: 2, and a refused call was refused
  int landlock_abi = 0;          // 0: no Landlock; else file rules in force, tried on a file
  bool landlock_net = false;     // TCP bind and connect refused by Landlock too (ABI 4)
  bool landlock_scope = false;   // abstract sockets and signals refused by Landlock too (ABI 6)
  bool no_capabilities = false;  // CapEff, CapPrm and CapBnd empty
  bool not_dumpable = false;
  bool no_core = false;  // RLIMIT_CORE 0
  bool empty_environment = false;
  bool pid_namespace = false;  // the four namespaces, compared with the monitor's by inode
  bool mount_namespace = false;
  bool ipc_namespace = false;
  bool network_namespace = false;
  bool user_namespace = false;
  bool parent_death_signal = false;
  std::uint64_t data_limit_bytes = 0;  // RLIMIT_DATA; 0: none
  std::uint64_t thread_limit = 0;      // RLIMIT_NPROC, counted in a user namespace; 0: none
  std::string scheduling;              // "idle", "batch" or "other", as sched_getscheduler says

  [[nodiscard]] bool confined() const noexcept {
    return no_new_privs && seccomp_filter && landlock_abi > 0;
  }
};

// {"no_new_privs":true,...} in a fixed order, integers and booleans only (canonical after sorting);
// what stands in a load entry and what the child reports. parse refuses unknown or missing keys.
[[nodiscard]] std::string to_json(const SandboxGrants& grants);
[[nodiscard]] Result<SandboxGrants> grants_from_json(std::string_view text);
// One line for a person: "confined (no new privileges, seccomp, Landlock 7, ...); not granted:
// ...".
[[nodiscard]] std::string describe(const SandboxGrants& grants);

// Threads of one engine. The limit holds where a user namespace counts them apart; elsewhere the
// monitor ends an engine that has more.
inline constexpr std::uint64_t kMaxThreads = 2'048;

// Each can be left out, so that the escape tests see every mechanism alone. All on in production.
// no_new_privs goes with whichever of seccomp and Landlock is on: they need it.
struct Mechanisms {
  bool seccomp = true;
  bool landlock = true;
  bool limits = true;      // resource limits
  bool privileges = true;  // no capabilities, not dumpable, no_new_privs
};

enum class FilterKind : std::uint8_t {
  kSealed,   // the program is already running: no execve, no new sockets, no executable mappings
  kForeign,  // set before execve of a foreign llama-server: execve, and Unix listeners, are allowed
};

struct SealRequest {
  FilterKind filter = FilterKind::kSealed;
  // Files that stay readable (and, for kForeign, executable), by open descriptor.
  std::vector<int> readable_fds;
  std::vector<int> executable_fds;
  int writable_folder_fd = -1;  // kForeign only: the private folder of its socket
  int control_fd = -1;          // the one descriptor on which recvmsg may take connections
  std::uint64_t data_limit_bytes = 0;
  Mechanisms mechanisms{};
};

// Seals this process and measures. Fails only where a mechanism that the kernel has could not be
// set; a mechanism that the kernel lacks is reported as not granted, for the monitor to judge.
[[nodiscard]] Result<SandboxGrants> seal(const SealRequest& request);

}  // namespace candor::engine
