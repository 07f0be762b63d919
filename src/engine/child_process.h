// Starts the sandboxed children: fork from a thread that lives as long as the Spawner (the kernel's
// parent-death signal follows the thread), namespaces where granted, the scheduling class, and
// execveat on an already hashed descriptor with an empty environment (S10, S12).
//
// Between fork and exec only async-signal-safe calls are made. Thread-safe; spawn() blocks for a
// few milliseconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace candor::engine {

// An owned descriptor, closed when destroyed.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) noexcept : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

enum class Scheduling : std::uint8_t { kIdle, kBatch, kOther };

struct SpawnRequest {
  int binary_fd = -1;
  std::vector<std::string> arguments;  // argv, with argv[0]
  std::vector<std::pair<int, int>>
      descriptors{};  // (ours, number in the child); all else is closed
  Scheduling scheduling = Scheduling::kOther;
  bool use_namespaces = true;
};

// Namespaces of the child that differ from ours, compared by inode in the child.
struct NamespaceGrants {
  bool pid = false, mount = false, ipc = false, network = false, user = false;
};

struct Child {
  pid_t pid = -1;
  OwnedFd pidfd;
  NamespaceGrants namespaces;
};

class Spawner {
 public:
  Spawner();
  ~Spawner();  // its children get SIGKILL from the kernel when the thread ends
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  // Errors: kInternal with the step that failed (no fork, no exec).
  [[nodiscard]] Result<Child> spawn(const SpawnRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Sends a signal by pidfd; false if the process has ended.
bool send_signal(const Child& child, int signal) noexcept;
// Waits up to timeout_ms (-1: for ever) and reaps. Exit code, or -signal; kDeadlineExceeded.
[[nodiscard]] Result<int> wait_for_exit(const Child& child, int timeout_ms);

}  // namespace candor::engine
