#include "engine/sandbox_probe.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/sandbox.h"

namespace candor::engine {
namespace {

struct Targets {
  std::string unix_path, abstract_name, foreign_file, write_folder, allowed_file;
  int tcp_port = 0;
  pid_t signal_pid = 0;
};

class Report {
 public:
  // result as a system call gives it: -1 and errno is a refusal.
  void note(std::string_view attempt, long result) {
    const int error = result == -1 ? errno : 0;
    text_.append("\"").append(attempt).append("\":{\"errno\":").append(std::to_string(error));
    text_.append(",\"refused\":").append(result == -1 ? "true" : "false").append("},");
  }
  [[nodiscard]] std::string finish(const SandboxGrants& grants) const {
    return "{" + text_ + "\"grants\":" + to_json(grants) + "}\n";
  }

 private:
  std::string text_;
};

// A socket made before sealing shows whether connect itself is refused, not only socket().
struct Sockets {
  int unix_path = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int abstract_name = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

sockaddr_un unix_address(const std::string& name, bool abstract, socklen_t& size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t offset = abstract ? 1 : 0;
  std::memcpy(address.sun_path + offset, name.data(),
              std::min(name.size(), sizeof address.sun_path - 2));
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + offset + name.size() +
                                (abstract ? 0 : 1));
  return address;
}

void try_sockets(const Targets& targets, const Sockets& sockets, Report& report) {
  socklen_t size = 0;
  if (!targets.unix_path.empty()) {
    const sockaddr_un address = unix_address(targets.unix_path, false, size);
    report.note("connect_unix_path",
                connect(sockets.unix_path, reinterpret_cast<const sockaddr*>(&address), size));
    report.note("send_unix_datagram", sendto(sockets.datagram, "x", 1, 0,
                                             reinterpret_cast<const sockaddr*>(&address), size));
  }
  if (!targets.abstract_name.empty()) {
    const sockaddr_un address = unix_address(targets.abstract_name, true, size);
    report.note("connect_unix_abstract",
                connect(sockets.abstract_name, reinterpret_cast<const sockaddr*>(&address), size));
  }
  if (targets.tcp_port > 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(targets.tcp_port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    report.note("connect_tcp",
                connect(sockets.tcp, reinterpret_cast<const sockaddr*>(&address), sizeof address));
    address.sin_port = 0;
    report.note("bind_tcp",
                bind(sockets.tcp, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  report.note("socket_inet", socket(AF_INET, SOCK_STREAM, 0));
  report.note("socket_inet_datagram", socket(AF_INET, SOCK_DGRAM, 0));
  report.note("socket_unix_datagram", socket(AF_UNIX, SOCK_DGRAM, 0));
  report.note("socket_netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  report.note("socket_vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
}

void try_files(const Targets& targets, Report& report) {
  if (!targets.foreign_file.empty()) {
    report.note("open_foreign_file", open(targets.foreign_file.c_str(), O_RDONLY | O_CLOEXEC));
    report.note("truncate_foreign_file", truncate(targets.foreign_file.c_str(), 0));
  }
  if (!targets.write_folder.empty()) {
    const std::string file = targets.write_folder + "/made-by-probe";
    report.note("create_file", open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    report.note("make_folder", mkdir((file + "-folder").c_str(), 0700));
    report.note("make_link", symlink("/etc/passwd", (file + "-link").c_str()));
    report.note("list_folder",
                open(targets.write_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  report.note("open_proc_mem", open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  report.note("open_null_device", open("/dev/null", O_RDWR | O_CLOEXEC));
}

void try_processes(const Targets& targets, Report& report) {
  if (targets.signal_pid > 0) {
    report.note("signal_other", kill(targets.signal_pid, 0));
    report.note("ptrace_other", ptrace(PTRACE_SEIZE, targets.signal_pid, nullptr, nullptr));
    report.note("pidfd_open", syscall(SYS_pidfd_open, targets.signal_pid, 0));
    char byte = 0;
    iovec here{.iov_base = &byte, .iov_len = 1};
    iovec there{.iov_base = &byte, .iov_len = 1};
    report.note("process_vm_readv", process_vm_readv(targets.signal_pid, &here, 1, &there, 1, 0));
    report.note("process_vm_writev", process_vm_writev(targets.signal_pid, &here, 1, &there, 1, 0));
  }
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  // execve of a file that does not exist fails either way; the errno tells who refused.
  report.note("execve", execve("/nonexistent-for-probe", arguments, environment));
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  report.note("fork", child);
  struct {
    std::uint64_t flags, rest[10];
  } clone3{};
  const long third = syscall(SYS_clone3, &clone3, sizeof clone3);
  if (third == 0) _exit(0);
  report.note("clone3", third);
  report.note("unshare_user", unshare(CLONE_NEWUSER));
  report.note("unshare_net", unshare(CLONE_NEWNET));
  report.note("setns", setns(0, 0));
  report.note("mount", mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

void try_kernel(Report& report) {
  char space[256] = {};
  report.note("io_uring_setup", syscall(SYS_io_uring_setup, 4, space));
  report.note("bpf", syscall(SYS_bpf, 0, space, sizeof space));
  report.note("userfaultfd", syscall(SYS_userfaultfd, 1 /* user mode only */));
  report.note("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
  report.note("add_key", syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING));
  report.note("perf_event_open", syscall(SYS_perf_event_open, space, 0, -1, -1, 0));
  report.note("memfd_create", syscall(SYS_memfd_create, "probe", 0));
  sched_param none{};
  report.note("leave_idle_class", sched_setscheduler(0, SCHED_OTHER, &none));
  void* page =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  report.note("executable_memory", page == MAP_FAILED ? -1 : 0);
  report.note("set_dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

// What must go on working, with result -1 where it does not.
void try_allowed(int allowed_fd, Report& report) {
  if (allowed_fd >= 0) {
    const std::string path = "/proc/self/fd/" + std::to_string(allowed_fd);
    report.note("allowed_reopen", open(path.c_str(), O_RDONLY | O_CLOEXEC));
    report.note("allowed_reopen_for_writing", open(path.c_str(), O_RDWR | O_CLOEXEC));
  }
  int seen = 0;
  try {
    std::thread([&seen] { seen = 1; }).join();
  } catch (const std::exception&) {
    seen = -1;
  }
  report.note("allowed_thread", seen == 1 ? 0 : -1);
}

}  // namespace

int sandbox_probe_main(int argc, char** argv) {
  Targets targets;
  SealRequest request;
  for (int i = 0; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--without-seccomp") {
      request.use_seccomp = false;
      continue;
    }
    if (name == "--without-landlock") {
      request.use_landlock = false;
      continue;
    }
    if (i + 1 >= argc) return 64;
    const char* value = argv[++i];
    if (name == "--unix-path")
      targets.unix_path = value;
    else if (name == "--abstract")
      targets.abstract_name = value;
    else if (name == "--tcp-port")
      targets.tcp_port = std::atoi(value);
    else if (name == "--signal-pid")
      targets.signal_pid = std::atoi(value);
    else if (name == "--foreign-file")
      targets.foreign_file = value;
    else if (name == "--write-folder")
      targets.write_folder = value;
    else if (name == "--allowed-file")
      targets.allowed_file = value;
    else
      return 64;
  }
  const Sockets sockets;
  int allowed_fd = -1;
  if (!targets.allowed_file.empty()) {
    allowed_fd = open(targets.allowed_file.c_str(), O_RDONLY | O_CLOEXEC);
    request.readable_fds.push_back(allowed_fd);
  }
  const auto grants = seal(request);
  if (!grants) {
    std::fprintf(stderr, "cannot seal: %s\n", grants.error().message().c_str());
    return 70;
  }
  Report report;
  try_sockets(targets, sockets, report);
  try_files(targets, report);
  try_allowed(allowed_fd, report);
  try_kernel(report);
  try_processes(targets, report);
  const std::string text = report.finish(*grants);
  const ssize_t wrote = write(STDOUT_FILENO, text.data(), text.size());
  _exit(wrote == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

}  // namespace candor::engine
