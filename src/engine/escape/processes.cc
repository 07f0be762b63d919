// Starting programs, reaching into other processes, leaving its own place.
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/escape/attempts.h"

namespace candor::engine::escape {
namespace {

// What replaces this process says itself that it got there.
constexpr char kSucceeded[] = "echo '{\"errno\":0,\"refused\":false}'";

long run_shell(const Targets&) {
  char shell[] = "/bin/sh";
  char option[] = "-c";
  char script[sizeof kSucceeded];
  __builtin_memcpy(script, kSucceeded, sizeof kSucceeded);
  char* const arguments[] = {shell, option, script, nullptr};
  char* const environment[] = {nullptr};
  return execve(shell, arguments, environment);
}
long run_itself(const Targets&) {
  char name[] = "/proc/self/exe";
  char word[] = "--succeeded";
  char* const arguments[] = {name, word, nullptr};
  char* const environment[] = {nullptr};
  return execve(name, arguments, environment);
}

// The number of a child, which ends at once.
long clone_with(unsigned long flags) {
  const long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child;
}
long clone3(const Targets&) {
  struct {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, rest[6];
  } arguments{};
  arguments.exit_signal = SIGCHLD;
  const long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  return child;
}

long pidfd_of(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }
long take_descriptor(const Targets& t) {
  const long pidfd = pidfd_of(t.victim);
  return pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}
long signal_by_pidfd(const Targets& t) {
  const long pidfd = pidfd_of(t.victim);
  return pidfd < 0 ? -1 : syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, nullptr, 0);
}
long queue_signal(const Targets& t) {
  siginfo_t info{};
  info.si_signo = SIGCONT;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  return syscall(SYS_rt_sigqueueinfo, t.victim, SIGCONT, &info);
}
long signal_by_file(const Targets& t) {
  int ends[2];
  return pipe(ends) != 0 ? -1 : fcntl(ends[0], F_SETOWN, t.victim);
}
long read_memory(const Targets& t) {
  char bytes[8];
  iovec here{.iov_base = bytes, .iov_len = sizeof bytes};
  iovec there{.iov_base = reinterpret_cast<void*>(t.victim_address), .iov_len = sizeof bytes};
  return process_vm_readv(t.victim, &here, 1, &there, 1, 0);
}
long write_memory(const Targets& t) {
  char bytes[8] = {};
  iovec here{.iov_base = bytes, .iov_len = sizeof bytes};
  iovec there{.iov_base = reinterpret_cast<void*>(t.victim_address), .iov_len = sizeof bytes};
  return process_vm_writev(t.victim, &here, 1, &there, 1, 0);
}
long pidfd_of_the_monitor(const Targets& t) {
  constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  return getsockopt(t.control_fd, SOL_SOCKET, kPeerPidfd, &pidfd, &size);
}
long its_class(pid_t pid) {
  const sched_param none{};
  return sched_setscheduler(pid, SCHED_BATCH, &none);
}
long its_processors(const Targets& t) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return sched_setaffinity(t.victim, sizeof set, &set);
}
long its_limits(const Targets& t) {
  rlimit old{};
  return prlimit(t.victim, RLIMIT_NOFILE, nullptr, &old);
}

constexpr unsigned kEvery = kSeccomp | kLandlock | kNamespaces;

constexpr Attempt kProcesses[] = {
    {"shell", "run a shell", kSeccomp | kLandlock, Control::kUser, run_shell},
    {"run_itself", "run its own program again", kSeccomp | kLandlock, Control::kUser, run_itself},
    {"fork", "start a process (fork)", kSeccomp, Control::kUser,
     [](const Targets&) { return clone_with(0); }},
    {"vfork", "start a process (vfork)", kSeccomp, Control::kUser,
     [](const Targets&) { return clone_with(CLONE_VM | CLONE_VFORK); }},
    {"clone3", "start a process (clone3)", kSeccomp, Control::kUser, clone3},
    {"signal_other", "signal another process", kEvery, Control::kUser,
     [](const Targets& t) -> long { return kill(t.victim, SIGCONT); }},
    {"signal_all", "signal all processes of this user", kSeccomp | kNamespaces, Control::kUser,
     [](const Targets&) -> long { return kill(-1, SIGCONT); }},
    {"signal_thread", "signal another process's thread", kEvery, Control::kUser,
     [](const Targets& t) { return syscall(SYS_tgkill, t.victim, t.victim, SIGCONT); }},
    {"queue_signal", "queue a signal with data", kEvery, Control::kUser, queue_signal},
    {"signal_by_pidfd", "signal by a process descriptor", kEvery, Control::kUser, signal_by_pidfd},
    {"signal_by_file", "have the kernel signal when a file is ready", kSeccomp | kNamespaces,
     Control::kUser, signal_by_file},
    {"ptrace", "trace another process", kEvery, Control::kUser,
     [](const Targets& t) { return ptrace(PTRACE_SEIZE, t.victim, nullptr, nullptr); }},
    {"read_memory", "read another process's memory", kEvery, Control::kUser, read_memory},
    {"write_memory", "write another process's memory", kEvery, Control::kUser, write_memory},
    {"take_descriptor", "take another process's descriptor", kEvery, Control::kUser,
     take_descriptor},
    {"pidfd_of_the_monitor", "a descriptor of the monitor by its socket", kSeccomp,
     Control::kIfThere, pidfd_of_the_monitor},
    {"compare_processes", "compare with another process (kcmp)", kEvery, Control::kIfThere,
     [](const Targets& t) {
       return syscall(SYS_kcmp, getpid(), t.victim, KCMP_VM, 0, 0) < 0 ? -1L : 0L;
     }},
    {"others_class", "another process's scheduling class", kSeccomp | kNamespaces, Control::kUser,
     [](const Targets& t) { return its_class(t.victim); }},
    {"others_priority", "another process's priority", kSeccomp | kNamespaces, Control::kUser,
     [](const Targets& t) -> long { return setpriority(PRIO_PROCESS, id_t(t.victim), 5); }},
    {"others_processors", "another process's processors", kSeccomp | kNamespaces, Control::kUser,
     its_processors},
    {"others_limits", "another process's limits", kSeccomp | kNamespaces, Control::kUser,
     its_limits},
    {"own_class", "leave its own scheduling class", kSeccomp, Control::kUser,
     [](const Targets&) { return its_class(0); }},
    {"outlive_the_monitor", "give up the parent-death signal", kSeccomp, Control::kUser,
     [](const Targets&) -> long { return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); }},
    {"be_dumpable", "become dumpable, so that its memory may be read", kSeccomp, Control::kUser,
     [](const Targets&) -> long { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }},
    {"become_other", "become another user", kSeccomp | kPrivileges, Control::kRoot,
     [](const Targets&) { return syscall(SYS_setresuid, 1, 1, 1); }},
    {"inherited_descriptors", "find a descriptor that it was not given", kLaunch, Control::kUser,
     [](const Targets& t) -> long {
       for (int fd = 3; fd < 1'024; ++fd) {
         const bool given = fd == t.control_fd || fd == t.model_fd || fd == t.report_fd ||
                            fd == t.given_tcp || fd == t.given_unix || fd == t.given_datagram;
         if (!given && fcntl(fd, F_GETFD) >= 0) return fd;
       }
       errno = ENOENT;
       return -1;
     }},
    {"inherited_environment", "find an environment variable", kLaunch, Control::kUser,
     [](const Targets&) -> long {
       if (environ != nullptr && *environ != nullptr) return 0;
       errno = ENOENT;
       return -1;
     }},
};

long in_namespaces(int flags, long (*then)()) { return unshare(flags) != 0 ? -1 : then(); }
long others_namespace(const Targets& t) {
  const std::string path = "/proc/" + std::to_string(t.victim) + "/ns/uts";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : setns(fd, 0);
}
long same_host_name(const Targets&) {
  char name[65] = {};
  return gethostname(name, sizeof name - 1) != 0 ? -1 : sethostname(name, std::strlen(name));
}

constexpr Attempt kNamespacesAndMounts[] = {
    {"user_namespace", "a user namespace, where it would be root", kSeccomp, Control::kUser,
     [](const Targets&) -> long { return unshare(CLONE_NEWUSER); }},
    {"user_namespace_by_clone", "the same in a new process", kSeccomp, Control::kUser,
     [](const Targets&) { return clone_with(CLONE_NEWUSER); }},
    {"network_namespace", "a network namespace of its own", kSeccomp, Control::kUser,
     [](const Targets&) -> long { return unshare(CLONE_NEWUSER | CLONE_NEWNET); }},
    {"others_namespace", "another process's namespace", kSeccomp | kLandlock | kPrivileges,
     Control::kRoot, others_namespace},
    {"mount", "mount a file system", kSeccomp | kLandlock, Control::kUser,
     [](const Targets&) {
       return in_namespaces(CLONE_NEWUSER | CLONE_NEWNS,
                            []() -> long { return mount("none", "/proc", "tmpfs", 0, nullptr); });
     }},
    {"mount_by_descriptor", "mount by the newer calls (fsopen)", kSeccomp, Control::kUser,
     [](const Targets&) {
       return in_namespaces(CLONE_NEWUSER | CLONE_NEWNS,
                            [] { return syscall(SYS_fsopen, "tmpfs", 0); });
     }},
    {"open_tree", "take a detached copy of a folder's tree", kSeccomp, Control::kUser,
     [](const Targets&) {
       return in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, [] {
         return syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | AT_RECURSIVE);
       });
     }},
    {"change_root", "change its root folder", kSeccomp | kPrivileges, Control::kRoot,
     [](const Targets&) -> long { return chroot("/proc"); }},
    {"host_name", "set the machine's name", kSeccomp | kPrivileges, Control::kRoot, same_host_name},
};

}  // namespace

std::span<const Attempt> process_attempts() { return kProcesses; }
std::span<const Attempt> namespace_attempts() { return kNamespacesAndMounts; }

}  // namespace candor::engine::escape
