#include "engine/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace candor::engine {
namespace {

constexpr int kHighFd = 200;  // above every number asked for in the child
constexpr std::array<const char*, 5> kNamespaces = {"/proc/self/ns/pid", "/proc/self/ns/mnt",
                                                    "/proc/self/ns/ipc", "/proc/self/ns/net",
                                                    "/proc/self/ns/user"};

enum class Step : std::uint8_t { kReady, kDescriptors, kIdentity, kExec };

// What the child says through its status pipe: namespaces once, and the step that failed if any.
struct ChildStatus {
  Step step = Step::kReady;
  int error = 0;
  std::array<std::uint64_t, kNamespaces.size()> namespaces{};
};

std::array<std::uint64_t, kNamespaces.size()> namespace_inodes() {
  std::array<std::uint64_t, kNamespaces.size()> out{};
  for (std::size_t i = 0; i < kNamespaces.size(); ++i) {
    struct stat facts{};
    if (stat(kNamespaces[i], &facts) == 0) out[i] = facts.st_ino;
  }
  return out;
}

// Everything that the child needs, made before the fork.
struct Plan {
  int binary_fd = -1;
  std::vector<char*> argv;
  std::vector<std::pair<int, int>> descriptors;
  int status_fd = -1;
  int policy = SCHED_OTHER;
  bool user_namespace = false;
  std::array<char, 64> uid_map{};
  std::array<char, 64> gid_map{};
};

[[noreturn]] void child_fails(int fd, ChildStatus status, Step step) {
  status.step = step;
  status.error = errno;
  (void)!write(fd, &status, sizeof status);
  _exit(127);
}

bool write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool ok = write(fd, text, static_cast<std::size_t>(size)) == size;
  close(fd);
  return ok;
}

// Runs in the forked child. No allocation, no locks.
[[noreturn]] void run_child(const Plan& plan) {
  ChildStatus status;
  int status_fd = plan.status_fd;
  if (plan.user_namespace && (!write_file("/proc/self/setgroups", "deny") ||
                              !write_file("/proc/self/uid_map", plan.uid_map.data()) ||
                              !write_file("/proc/self/gid_map", plan.gid_map.data()))) {
    child_fails(status_fd, status, Step::kIdentity);
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // A group of its own, out of reach of the terminal's Ctrl-C; not a session, for which Linux would
  // make a scheduling group (autogroup): SCHED_IDLE would then yield to nobody outside of it.
  (void)setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) (void)signal(number, SIG_DFL);
  const sched_param parameter{};
  (void)sched_setscheduler(0, plan.policy, &parameter);
  (void)umask(077);
  status.namespaces = namespace_inodes();

  // First everything out of the way, then to its number.
  std::array<int, 32> high{};
  int next = kHighFd;
  const auto lift = [&](int fd, int flags) {
    const int lifted = fcntl(fd, flags, next);
    if (lifted < 0) child_fails(status_fd, status, Step::kDescriptors);
    next = lifted + 1;
    return lifted;
  };
  for (std::size_t i = 0; i < plan.descriptors.size(); ++i) {
    high[i] = lift(plan.descriptors[i].first, F_DUPFD);
  }
  const int binary = lift(plan.binary_fd, F_DUPFD_CLOEXEC);
  status_fd = lift(status_fd, F_DUPFD_CLOEXEC);
  int highest = 2;
  for (std::size_t i = 0; i < plan.descriptors.size(); ++i) {
    const int target = plan.descriptors[i].second;
    if (dup2(high[i], target) < 0) child_fails(status_fd, status, Step::kDescriptors);
    highest = std::max(highest, target);
  }
  const auto close_between = [](int first, int last) {
    if (first <= last) (void)syscall(SYS_close_range, first, last, 0);
  };
  close_between(highest + 1, binary - 1);
  (void)syscall(SYS_close_range, status_fd + 1, ~0U, 0);
  (void)!write(status_fd, &status, sizeof status);
  char* const environment[] = {nullptr};
  (void)syscall(SYS_execveat, binary, "", plan.argv.data(), environment, AT_EMPTY_PATH);
  child_fails(status_fd, status, Step::kExec);
}

pid_t clone_process(std::uint64_t flags, int* pidfd) {
  // Not clone3, which container runtimes refuse whole because a filter cannot see its flags.
  const std::uint64_t all = flags | CLONE_PIDFD | SIGCHLD;
  return static_cast<pid_t>(syscall(SYS_clone, all, nullptr, pidfd, nullptr, nullptr));
}

constexpr std::uint64_t kWantedNamespaces =
    CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS;

Result<Child> spawn_now(const SpawnRequest& request) {
  if (request.descriptors.size() > 30) return fail(Code::kInternal, "too many descriptors");
  std::vector<std::string> arguments = request.arguments;
  Plan plan;
  plan.binary_fd = request.binary_fd;
  for (std::string& argument : arguments) plan.argv.push_back(argument.data());
  plan.argv.push_back(nullptr);
  plan.descriptors = request.descriptors;
  plan.policy = request.scheduling == Scheduling::kIdle    ? SCHED_IDLE
                : request.scheduling == Scheduling::kBatch ? SCHED_BATCH
                                                           : SCHED_OTHER;
  std::snprintf(plan.uid_map.data(), plan.uid_map.size(), "%u %u 1", geteuid(), geteuid());
  std::snprintf(plan.gid_map.data(), plan.gid_map.size(), "%u %u 1", getegid(), getegid());
  int pipe_ends[2] = {-1, -1};
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(Code::kInternal, "no pipe for a child");
  const OwnedFd reader(pipe_ends[0]);
  OwnedFd writer(pipe_ends[1]);
  plan.status_fd = writer.get();

  // All namespaces; all with a user namespace, which an ordinary user may make; none.
  const std::array<std::uint64_t, 3> ladder = {kWantedNamespaces, kWantedNamespaces | CLONE_NEWUSER,
                                               0};
  int last_error = 0;
  Step last_step = Step::kReady;
  for (const std::uint64_t flags : ladder) {
    if (!request.use_namespaces && flags != 0) continue;
    plan.user_namespace = (flags & CLONE_NEWUSER) != 0;
    int pidfd = -1;
    const pid_t pid = clone_process(flags, &pidfd);
    if (pid == 0) run_child(plan);
    if (pid < 0) {
      last_error = errno;
      continue;
    }
    Child child{.pid = pid, .pidfd = OwnedFd(pidfd), .namespaces = {}};
    if (flags == ladder.back() || !plan.user_namespace) {
      // Only a failed user namespace is worth another try, so our end can go.
      writer.reset();
    }
    ChildStatus status;
    const auto read_status = [&] {
      ssize_t got = 0;
      do {
        got = read(reader.get(), &status, sizeof status);
      } while (got < 0 && errno == EINTR);
      return got == static_cast<ssize_t>(sizeof status);
    };
    bool started = read_status() && status.step == Step::kReady;
    if (started) {
      const auto own = namespace_inodes();
      const auto differs = [&](std::size_t i) {
        return status.namespaces[i] != 0 && own[i] != 0 && status.namespaces[i] != own[i];
      };
      child.namespaces = {.pid = differs(0),
                          .mount = differs(1),
                          .ipc = differs(2),
                          .network = differs(3),
                          .user = differs(4)};
      writer.reset();
      started = !read_status();  // end-of-file: exec has closed it
    }
    if (started) return child;
    last_error = status.error;
    last_step = status.step;
    (void)wait_for_exit(child, -1);
    if (last_step != Step::kIdentity) break;
  }
  return fail(Code::kInternal, fmt::format("cannot start a child process (step {}): {}",
                                           static_cast<int>(last_step), std::strerror(last_error)));
}

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void OwnedFd::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

struct Spawner::Impl {
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::packaged_task<Result<Child>()>> tasks;
  bool ending = false;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return ending || !tasks.empty(); });
      if (tasks.empty()) return;
      auto task = std::move(tasks.front());
      tasks.erase(tasks.begin());
      lock.unlock();
      task();
      lock.lock();
    }
  }
};

Spawner::Spawner() : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Spawner::~Spawner() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

Result<Child> Spawner::spawn(const SpawnRequest& request) {
  std::packaged_task<Result<Child>()> task([&request] { return spawn_now(request); });
  auto done = task.get_future();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->tasks.push_back(std::move(task));
  }
  impl_->wake.notify_all();
  return done.get();
}

bool send_signal(const Child& child, int signal) noexcept {
  return syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0) == 0;
}

Result<int> wait_for_exit(const Child& child, int timeout_ms) {
  pollfd wanted{.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = poll(&wanted, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return fail(Code::kDeadlineExceeded, "the process has not ended");
  siginfo_t info{};
  if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(child.pidfd.get()), &info,
             WEXITED) != 0) {
    return fail(Code::kInternal, "the process was reaped elsewhere");
  }
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

}  // namespace candor::engine
