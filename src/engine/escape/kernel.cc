// Parts of the kernel that a model does not need, and using the machine up.
#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/escape/attempts.h"
#include "engine/sandbox.h"

namespace candor::engine::escape {
namespace {

constexpr std::size_t kPage = 4'096;

long made_by(void* mapping) { return mapping == MAP_FAILED ? -1 : 0; }

long make_map(const Targets&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}
long count_events(const Targets&) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}
long io_uring(const Targets&) {
  char parameters[256] = {};
  return syscall(SYS_io_uring_setup, 4, parameters);
}
long filter_packets(const Targets& t) {
  sock_filter all{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0xFFFFU};
  const sock_fprog program{.len = 1, .filter = &all};
  return setsockopt(t.control_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}
long executable_later(const Targets&) {
  void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? -1 : mprotect(page, kPage, PROT_READ | PROT_EXEC);
}
long executable_model(const Targets& t) {
  return made_by(mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, t.model_fd, 0));
}
long shared_segment(const Targets&) {
  const int id = shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600);
  if (id >= 0) (void)shmctl(id, IPC_RMID, nullptr);
  return id;
}
long message_queue(const Targets&) {
  const int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (id >= 0) (void)msgctl(id, IPC_RMID, nullptr);
  return id;
}
long move_pages_into_a_pipe(const Targets&) {
  int ends[2];
  char byte = 'x';
  const iovec part{.iov_base = &byte, .iov_len = 1};
  return pipe(ends) != 0 ? -1 : vmsplice(ends[1], &part, 1, 0);
}
#if defined(__x86_64__)
// The filter knows one architecture's numbers; this asks by another's (getpid).
long other_architecture(const Targets&) {
  long result = 20;
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result > 0 ? result : -1;
}
long segment(const Targets&) {
  char none[16] = {};
  return syscall(SYS_modify_ldt, 0, none, sizeof none) < 0 ? -1 : 0;
}
#endif

constexpr Attempt kKernel[] = {
    {"io_uring", "io_uring", kSeccomp, Control::kIfThere, io_uring},
    {"bpf", "a BPF map", kSeccomp, Control::kRoot, make_map},
    {"userfaultfd", "handle page faults itself", kSeccomp, Control::kIfThere,
     [](const Targets&) { return syscall(SYS_userfaultfd, 1 /* user mode only */); }},
    {"session_keyring", "a session keyring", kSeccomp, Control::kIfThere,
     [](const Targets&) { return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0); }},
    {"add_key", "a key in the kernel's keyring", kSeccomp, Control::kIfThere,
     [](const Targets&) {
       return syscall(SYS_add_key, "user", "candor", "x", 1, KEY_SPEC_PROCESS_KEYRING);
     }},
    {"perf_events", "performance counters", kSeccomp, Control::kRoot, count_events},
    {"packet_filter", "a packet filter on a socket that it was given", kSeccomp, Control::kUser,
     filter_packets},
    {"executable_memory", "memory that it may write and run", kSeccomp, Control::kUser,
     [](const Targets&) {
       return made_by(mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
     }},
    {"executable_later", "run what it wrote before", kSeccomp, Control::kUser, executable_later},
    {"executable_model", "run bytes of the model file", kSeccomp, Control::kUser, executable_model},
    {"executable_all", "run all that it may read (personality)", kSeccomp, Control::kUser,
     [](const Targets&) -> long { return personality(READ_IMPLIES_EXEC); }},
    {"memory_file", "a file in memory", kSeccomp, Control::kUser,
     [](const Targets&) { return syscall(SYS_memfd_create, "candor", 0); }},
    {"shared_segment", "System V shared memory", kSeccomp, Control::kIfThere, shared_segment},
    {"message_queue", "a System V message queue", kSeccomp, Control::kIfThere, message_queue},
    {"splice", "move pages into a pipe", kSeccomp, Control::kUser, move_pages_into_a_pipe},
    {"kernel_log", "read the kernel's log", kSeccomp, Control::kRoot,
     [](const Targets&) -> long { return klogctl(10 /* its size */, nullptr, 0); }},
    {"clock", "ask to adjust the clock", kSeccomp, Control::kUser,
     [](const Targets&) -> long {
       timex ask{};
       return adjtimex(&ask);
     }},
#if defined(__x86_64__)
    {"segment", "segments of its own (modify_ldt)", kSeccomp, Control::kIfThere, segment},
    {"other_architecture", "calls by the numbers of 32-bit programs", kSeccomp, Control::kIfThere,
     other_architecture},
#endif
};

// Until it is refused or all of it was had.
template <typename Take>
long take_all(int times, Take take) {
  for (int i = 0; i < times; ++i) {
    if (take() == -1) return -1;
  }
  return 0;
}
constexpr std::size_t kChunk = 64U << 20U;
constexpr int kChunks = 64;  // 4 GiB, of which nothing is touched

long map_memory(int kind) {
  return take_all(kChunks, [kind] {
    return made_by(
        mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  });
}
long break_memory(const Targets&) {
  return take_all(kChunks, [] {
    return sbrk(static_cast<intptr_t>(kChunk)) == reinterpret_cast<void*>(-1) ? -1L : 0L;
  });
}
long raise_limit(__rlimit_resource what) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) return -1;
  limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
  return setrlimit(what, &limit);
}
long start_threads(const Targets&) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::size_t{32} << 10U);
  return take_all(static_cast<int>(2 * kMaxThreads), [&]() -> long {
    pthread_t thread{};
    errno = pthread_create(
        &thread, &attributes,
        [](void*) -> void* {
          for (;;) sleep(1'000);
        },
        nullptr);
    return errno == 0 ? 0 : -1;
  });
}

long start_process() {
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child;
}

constexpr Attempt kExhaustion[] = {
    {"memory_private", "4 GiB of private memory", kLimits, Control::kUser,
     [](const Targets&) { return map_memory(MAP_PRIVATE); }},
    {"memory_shared", "4 GiB of shared memory, which no limit counts", kSeccomp, Control::kUser,
     [](const Targets&) { return map_memory(MAP_SHARED); }},
    {"memory_break", "4 GiB by the program break", kLimits, Control::kUser, break_memory},
    {"threads", "4,096 threads", kLimits, Control::kUser, start_threads},
    {"processes", "100 processes at once (fork bomb)", kSeccomp, Control::kUser,
     [](const Targets&) { return take_all(100, start_process); }},
    {"descriptors", "2,000 descriptors", kLimits, Control::kUser,
     [](const Targets& t) -> long {
       return take_all(2'000, [&] { return long(dup(t.model_fd)); });
     }},
    {"pipe_size", "a larger pipe", kSeccomp, Control::kUser,
     [](const Targets&) -> long {
       int ends[2];
       return pipe(ends) != 0 ? -1 : fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
     }},
    {"raise_core_limit", "allow core files", kSeccomp | kLimits, Control::kUser,
     [](const Targets&) { return raise_limit(RLIMIT_CORE); }},
    {"raise_memory_limit", "raise its memory limit", kSeccomp | kLimits, Control::kUser,
     [](const Targets&) { return raise_limit(RLIMIT_DATA); }},
};

}  // namespace

std::span<const Attempt> kernel_attempts() { return kKernel; }
std::span<const Attempt> exhaustion_attempts() { return kExhaustion; }

}  // namespace candor::engine::escape
