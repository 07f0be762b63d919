#include "engine/sandbox.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/internal/landlock.h"
#include "engine/internal/seccomp_filter.h"

extern "C" {
extern char** environ;
}

namespace candor::engine {
namespace {

Error system_error(const char* doing) {
  std::string text(doing);
  text.append(": ").append(std::strerror(errno));
  return Error(Code::kInternal, std::move(text));
}

// The value after "key:\t" in /proc/self/status, or empty.
std::string_view status_field(std::string_view status, std::string_view key) {
  for (std::size_t at = 0; at < status.size();) {
    const std::size_t end = std::min(status.find('\n', at), status.size());
    std::string_view line = status.substr(at, end - at);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      line.remove_prefix(key.size() + 1);
      while (!line.empty() && (line.front() == '\t' || line.front() == ' ')) line.remove_prefix(1);
      return line;
    }
    at = end + 1;
  }
  return {};
}

bool is_zero_mask(std::string_view text) {
  return !text.empty() && text.find_first_not_of('0') == std::string_view::npos;
}

// Leaves no capability in any set; the bounding set too where this process may shrink it.
void drop_capabilities() {
  for (int cap = 0; cap < 64; ++cap) (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  (void)syscall(SYS_capset, &header, data);
}

Result<void> lower_limit(__rlimit_resource what, rlim_t value, const char* name) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) return std::unexpected(system_error(name));
  value = std::min(value, limit.rlim_max);
  limit = {.rlim_cur = value, .rlim_max = value};
  if (setrlimit(what, &limit) != 0) return std::unexpected(system_error(name));
  return {};
}

// Whether this process's user namespace is not the first one, whose map is the identity on all ids.
bool in_user_namespace() {
  char buffer[128] = {};
  const int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, buffer, sizeof buffer - 1);
  close(fd);
  return got >= 0 && std::strstr(buffer, "4294967295") == nullptr;
}

Result<void> set_limits(const SealRequest& request) {
  TRY(lower_limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  TRY(lower_limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE"));
  TRY(lower_limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE"));
  TRY(lower_limit(RLIMIT_NOFILE, 1'024, "RLIMIT_NOFILE"));
  TRY(lower_limit(RLIMIT_STACK, 64U << 20U, "RLIMIT_STACK"));
  if (request.data_limit_bytes > 0) {
    TRY(lower_limit(RLIMIT_DATA, request.data_limit_bytes, "RLIMIT_DATA"));
  }
  // Elsewhere it would count all processes of this user.
  if (in_user_namespace()) TRY(lower_limit(RLIMIT_NPROC, kMaxThreads, "RLIMIT_NPROC"));
  return {};
}

std::string scheduling_name() {
  switch (sched_getscheduler(0)) {
    case SCHED_IDLE: return "idle";
    case SCHED_BATCH: return "batch";
    default: return "other";
  }
}

}  // namespace

Result<SandboxGrants> seal(const SealRequest& request) {
  SandboxGrants grants;
  grants.empty_environment = environ == nullptr || *environ == nullptr;
  grants.scheduling = scheduling_name();
  const int status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const bool counted_apart = in_user_namespace();
  const Mechanisms& use = request.mechanisms;
  if (use.limits) TRY(set_limits(request));
  if (use.privileges) {
    drop_capabilities();
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  // After every change of credentials, which would clear it.
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if ((use.privileges || use.seccomp || use.landlock) &&
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return std::unexpected(system_error("no_new_privs"));
  }
  if (use.landlock) TRY(internal::restrict_files(request, grants));

  int death_signal = 0;
  (void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  grants.parent_death_signal = death_signal == SIGKILL;
  grants.not_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
  rlimit limit{};
  grants.no_core = getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0;
  if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_max != RLIM_INFINITY) {
    grants.data_limit_bytes = limit.rlim_max;
  }
  if (counted_apart && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_max <= kMaxThreads) {
    grants.thread_limit = limit.rlim_max;
  }

  if (use.seccomp) TRY(internal::install_filter(request));
  // Measured after the filter stands: a call that would give EBADF gives the filter's EPERM.
  errno = 0;
  const bool refused = syscall(SYS_connect, -1, nullptr, 0) == -1 && errno == EPERM;
  char buffer[8192];
  const ssize_t got = status_fd < 0 ? -1 : pread(status_fd, buffer, sizeof buffer, 0);
  if (got > 0) {
    const std::string_view status(buffer, static_cast<std::size_t>(got));
    grants.no_new_privs = status_field(status, "NoNewPrivs") == "1";
    grants.seccomp_filter = refused && status_field(status, "Seccomp") == "2";
    grants.no_capabilities = is_zero_mask(status_field(status, "CapEff")) &&
                             is_zero_mask(status_field(status, "CapPrm")) &&
                             is_zero_mask(status_field(status, "CapInh"));
  }
  if (status_fd >= 0) close(status_fd);
  return grants;
}

std::string to_json(const SandboxGrants& g) {
  std::string out = "{";
  const auto flag = [&out](std::string_view name, bool value) {
    out.append("\"").append(name).append("\":").append(value ? "true" : "false").append(",");
  };
  const auto number = [&out](std::string_view name, std::uint64_t value) {
    out.append("\"").append(name).append("\":").append(std::to_string(value)).append(",");
  };
  // In the order of RFC 8785, so that the text is canonical as it stands.
  number("data_limit_bytes", g.data_limit_bytes);
  flag("empty_environment", g.empty_environment);
  flag("ipc_namespace", g.ipc_namespace);
  number("landlock_abi", static_cast<std::uint64_t>(g.landlock_abi));
  flag("landlock_net", g.landlock_net);
  flag("landlock_scope", g.landlock_scope);
  flag("mount_namespace", g.mount_namespace);
  flag("network_namespace", g.network_namespace);
  flag("no_capabilities", g.no_capabilities);
  flag("no_core", g.no_core);
  flag("no_new_privs", g.no_new_privs);
  flag("not_dumpable", g.not_dumpable);
  flag("parent_death_signal", g.parent_death_signal);
  flag("pid_namespace", g.pid_namespace);
  out.append("\"scheduling\":\"").append(g.scheduling).append("\",");
  flag("seccomp_filter", g.seccomp_filter);
  number("thread_limit", g.thread_limit);
  flag("user_namespace", g.user_namespace);
  out.back() = '}';
  return out;
}

std::string describe(const SandboxGrants& g) {
  std::string granted;
  std::string absent;
  const auto note = [&](bool value, std::string_view name) {
    std::string& list = value ? granted : absent;
    if (!list.empty()) list.append(", ");
    list.append(name);
  };
  note(g.no_new_privs, "no new privileges");
  note(g.seccomp_filter, "seccomp filter");
  note(g.landlock_abi > 0, g.landlock_abi > 0
                               ? "Landlock file rules (ABI " + std::to_string(g.landlock_abi) + ")"
                               : std::string("Landlock file rules"));
  note(g.landlock_net, "Landlock TCP rules");
  note(g.landlock_scope, "Landlock scopes");
  note(g.no_capabilities, "no capabilities");
  note(g.not_dumpable, "not dumpable");
  note(g.no_core, "no core files");
  note(g.empty_environment, "empty environment");
  note(g.network_namespace, "network namespace");
  note(g.pid_namespace, "PID namespace");
  note(g.mount_namespace, "mount namespace");
  note(g.ipc_namespace, "IPC namespace");
  note(g.parent_death_signal, "ends with its parent");
  note(g.data_limit_bytes > 0, "memory limit");
  note(g.thread_limit > 0, "thread limit");
  std::string out = g.confined() ? "confined: " : "NOT CONFINED: ";
  out.append(granted.empty() ? "nothing granted" : granted);
  if (!absent.empty()) out.append("; not granted: ").append(absent);
  return out;
}

}  // namespace candor::engine
