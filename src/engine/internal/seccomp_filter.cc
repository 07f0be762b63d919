#include "engine/internal/seccomp_filter.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace candor::engine::internal {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows x86-64 and aarch64"
#endif

// (argument & mask) == value, in 64 bits.
struct ArgumentTest {
  int index = 0;
  std::uint64_t mask = ~0ULL;
  std::uint64_t value = 0;
};

class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
    verdict(SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
    load(offsetof(seccomp_data, nr));  // x32 numbers have bit 30 set
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000U, 0, 1));
    verdict(SECCOMP_RET_KILL_PROCESS);
#endif
  }
  void allow(long number) { rule(number, {}, SECCOMP_RET_ALLOW); }
  void allow_if(long number, const std::vector<ArgumentTest>& tests) {
    rule(number, tests, SECCOMP_RET_ALLOW);
  }
  void trap(long number) { rule(number, {}, SECCOMP_RET_TRAP); }
  void refuse(long number, int error) {
    rule(number, {}, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
  }
  std::vector<sock_filter> finish() {
    verdict(SECCOMP_RET_ERRNO | EPERM);
    return std::move(code_);
  }

 private:
  void load(std::size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void verdict(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }

  void rule(long number, const std::vector<ArgumentTest>& tests, std::uint32_t action) {
    // Each test takes six steps, low word then high word; a failed one jumps past the verdict.
    const auto length = static_cast<std::uint8_t>(tests.size() * 6 + 1);
    load(offsetof(seccomp_data, nr));
    code_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, length));
    std::size_t left = length;
    for (const ArgumentTest& test : tests) {
      const std::size_t at =
          offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(test.index);
      for (const unsigned shift : {0U, 32U}) {
        load(at + shift / 8);
        code_.push_back(
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, static_cast<std::uint32_t>(test.mask >> shift)));
        left -= 3;
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                 static_cast<std::uint32_t>(test.value >> shift), 0,
                                 static_cast<std::uint8_t>(left)));
      }
    }
    verdict(action);
  }

  std::vector<sock_filter> code_;
};

// Calls that tell facts of a file by its path, which no right of Landlock's covers.
constexpr long kFactsByPath[] = {
    SYS_statx, SYS_readlinkat, SYS_faccessat, SYS_faccessat2, SYS_statfs,
#if defined(__x86_64__)
    SYS_stat,  SYS_lstat,      SYS_access,    SYS_readlink,
#endif
};

// The C library's fstat() is newfstatat() with an empty path, and a filter cannot look at a path.
// So that call is trapped and answered here, for descriptors only. Whatever jumps here gets no
// more.
void answer_newfstatat(int /*signal*/, siginfo_t* info, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  auto& result = machine.gregs[REG_RAX];
  const auto argument = [&](int index) {
    constexpr int kRegisters[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10};
    return machine.gregs[kRegisters[index]];
  };
#else
  auto& result = machine.regs[0];
  const auto argument = [&](int index) { return machine.regs[index]; };
#endif
  const int before = errno;
  const auto* path = reinterpret_cast<const char*>(argument(1));
  long answer = -ENOENT;
  if (info->si_syscall == SYS_newfstatat && (argument(3) & AT_EMPTY_PATH) != 0 && *path == '\0') {
    answer = syscall(SYS_fstat, argument(0), argument(2)) == 0 ? 0 : -errno;
  }
  result = static_cast<std::remove_reference_t<decltype(result)>>(answer);
  errno = before;
}

constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

void allow_common(Program& p) {
  for (const long number : {
           // files: Landlock decides which
           SYS_read,
           SYS_write,
           SYS_readv,
           SYS_writev,
           SYS_pread64,
           SYS_pwrite64,
           SYS_preadv,
           SYS_close,
           SYS_fstat,
           SYS_lseek,
           SYS_getcwd,
           SYS_getdents64,
           SYS_fadvise64,
           SYS_dup,
           SYS_dup3,
           SYS_pipe2,
           SYS_eventfd2,
           SYS_fstatfs,
           SYS_readahead,
           // memory
           SYS_munmap,
           SYS_mremap,
           SYS_madvise,
           SYS_brk,
           SYS_mincore,
           SYS_mlock,
           SYS_munlock,
           SYS_membarrier,
           // threads, time, waiting
           SYS_futex,
           SYS_set_robust_list,
           SYS_get_robust_list,
           SYS_rseq,
           SYS_sched_yield,
           SYS_sched_getaffinity,
           SYS_sched_getscheduler,
           SYS_sched_getparam,
           SYS_sched_get_priority_max,
           SYS_sched_get_priority_min,
           SYS_nanosleep,
           SYS_clock_nanosleep,
           SYS_clock_gettime,
           SYS_clock_getres,
           SYS_gettimeofday,
           SYS_getcpu,
           SYS_gettid,
           SYS_getpid,
           SYS_getppid,
           SYS_getuid,
           SYS_geteuid,
           SYS_getgid,
           SYS_getegid,
           SYS_set_tid_address,
           SYS_exit,
           SYS_exit_group,
           SYS_restart_syscall,
           SYS_epoll_create1,
           SYS_epoll_ctl,
           SYS_epoll_pwait,
           SYS_ppoll,
           SYS_pselect6,
           SYS_getrusage,
           SYS_times,
           // own signals
           SYS_rt_sigaction,
           SYS_rt_sigprocmask,
           SYS_rt_sigreturn,
           SYS_rt_sigtimedwait,
           SYS_sigaltstack,
           // connected sockets that were given; no new ones, no addresses, no messages
           SYS_recvfrom,
           SYS_shutdown,
           SYS_getsockname,
           SYS_getpeername,
           // harmless facts
           SYS_uname,
           SYS_sysinfo,
           SYS_getrandom,
       }) {
    p.allow(number);
  }
#if defined(__x86_64__)
  for (const long number : {SYS_poll, SYS_select, SYS_epoll_wait, SYS_epoll_create, SYS_pipe,
                            SYS_dup2, SYS_time, SYS_getrlimit, SYS_getdents, SYS_arch_prctl}) {
    p.allow(number);
  }
#endif
  p.allow_if(SYS_sendto, {{.index = 4, .value = 0}});  // send(): no address
  for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC}) {
    p.allow_if(SYS_fcntl,
               {{.index = 1, .mask = 0xFFFFFFFFU, .value = static_cast<std::uint64_t>(command)}});
  }
  for (const int command : {FIONBIO, FIONREAD, TCGETS}) {
    p.allow_if(SYS_ioctl,
               {{.index = 1, .mask = 0xFFFFFFFFU, .value = static_cast<std::uint64_t>(command)}});
  }
  // Not, for one, a descriptor of the process at the other end (SO_PEERPIDFD).
  for (const int option : {SO_ERROR, SO_TYPE}) {
    p.allow_if(SYS_getsockopt,
               {{.index = 1, .mask = 0xFFFFFFFFU, .value = SOL_SOCKET},
                {.index = 2, .mask = 0xFFFFFFFFU, .value = static_cast<std::uint64_t>(option)}});
  }
  // Time limits of a connection; not, for one, a packet filter on it.
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    p.allow_if(SYS_setsockopt,
               {{.index = 1, .mask = 0xFFFFFFFFU, .value = SOL_SOCKET},
                {.index = 2, .mask = 0xFFFFFFFFU, .value = static_cast<std::uint64_t>(option)}});
  }
  // Reads of one's own limits; a new limit only ever lowers, but is not needed either.
  p.allow_if(SYS_prlimit64, {{.index = 0, .value = 0}, {.index = 2, .value = 0}});
  for (const std::uint64_t what : {std::uint64_t{PR_SET_NAME}, std::uint64_t{PR_GET_NAME},
                                   std::uint64_t{0x53564d41} /* PR_SET_VMA: names of mappings */}) {
    p.allow_if(SYS_prctl, {{.index = 0, .mask = 0xFFFFFFFFU, .value = what}});
  }
  // Opening for no use but to look (O_PATH) needs no right of Landlock's.
  p.allow_if(SYS_openat, {{.index = 2, .mask = O_PATH, .value = 0}});
#if defined(__x86_64__)
  p.allow_if(SYS_open, {{.index = 1, .mask = O_PATH, .value = 0}});
#endif
  p.refuse(SYS_clone3, ENOSYS);  // its flags lie in memory, where a filter cannot look
}

}  // namespace

std::vector<sock_filter> build_filter(const SealRequest& request, int own_pid) {
  Program p;
  allow_common(p);
  const auto pid = static_cast<std::uint64_t>(own_pid);
  // The number is compared as the 32 bits that the kernel uses.
  p.allow_if(SYS_tgkill, {{.index = 0, .mask = 0xFFFFFFFFU, .value = pid}});
  p.allow_if(SYS_kill, {{.index = 0, .mask = 0xFFFFFFFFU, .value = pid}});
  p.allow_if(SYS_sched_setaffinity, {{.index = 0, .mask = 0xFFFFFFFFU, .value = 0}});
  p.allow_if(SYS_clone,
             {{.index = 0, .mask = CLONE_THREAD | kNewNamespaces, .value = CLONE_THREAD}});
  if (request.control_fd >= 0) {
    p.allow_if(SYS_recvmsg, {{.index = 0,
                              .mask = 0xFFFFFFFFU,
                              .value = static_cast<std::uint64_t>(request.control_fd)}});
  }
  if (request.filter == FilterKind::kSealed) {
    p.trap(SYS_newfstatat);
    // "Not there" is what libraries expect to hear.
    for (const long number : kFactsByPath) p.refuse(number, ENOENT);
    // A file's pages, or private memory, which RLIMIT_DATA counts; shared memory it would not.
    p.allow_if(SYS_mmap, {{.index = 2, .mask = PROT_EXEC, .value = 0},
                          {.index = 3, .mask = MAP_ANONYMOUS, .value = 0}});
    p.allow_if(SYS_mmap, {{.index = 2, .mask = PROT_EXEC, .value = 0},
                          {.index = 3, .mask = MAP_TYPE, .value = MAP_PRIVATE}});
    p.allow_if(SYS_mprotect, {{.index = 2, .mask = PROT_EXEC, .value = 0}});
  } else {
    p.allow(SYS_newfstatat);
    for (const long number : kFactsByPath) p.allow(number);
    for (const long number :
         {SYS_mmap, SYS_mprotect, SYS_setsockopt, SYS_execve, SYS_execveat, SYS_bind, SYS_listen,
          SYS_accept, SYS_accept4, SYS_unlinkat, SYS_fchmod, SYS_set_tid_address}) {
      p.allow(number);
    }
#if defined(__x86_64__)
    p.allow(SYS_unlink);
    p.allow(SYS_chmod);
#endif
    // Unix stream sockets only, with or without close-on-exec and non-blocking.
    p.allow_if(SYS_socket,
               {{.index = 0, .value = AF_UNIX}, {.index = 1, .mask = 0xFU, .value = SOCK_STREAM}});
  }
  return p.finish();
}

Result<void> install_filter(const SealRequest& request) {
  if (request.filter == FilterKind::kSealed) {
    struct sigaction action{};
    action.sa_sigaction = answer_newfstatat;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSYS, &action, nullptr) != 0) {
      return fail(Code::kInternal, std::string("SIGSYS: ") + std::strerror(errno));
    }
  }
  std::vector<sock_filter> code = build_filter(request, getpid());
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0) {
    return {};
  }
  if (errno == ENOSYS || errno == EINVAL) return {};  // no seccomp here: measured as not granted
  return fail(Code::kInternal, std::string("seccomp: ") + std::strerror(errno));
}

}  // namespace candor::engine::internal
