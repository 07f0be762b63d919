// What a sandboxed child says of itself: lines over a pipe, bounded in size and time, read as from
// a hostile peer.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "engine/child_process.h"
#include "engine/sandbox.h"

namespace candor::engine::internal {

// kInternal with errno's words.
[[nodiscard]] std::unexpected<Error> os_error(std::string_view doing);

struct Pipe {
  OwnedFd reader, writer;
};
[[nodiscard]] Result<Pipe> make_pipe();

// Lines of a child's report, one after the other, until a deadline.
class ReportReader {
 public:
  ReportReader(int fd, std::chrono::milliseconds patience)
      : fd_(fd), deadline_(std::chrono::steady_clock::now() + patience) {}

  // Without its line feed. kUnavailable at end-of-file, kDeadlineExceeded, kResourceExhausted.
  [[nodiscard]] Result<std::string> line();

 private:
  int fd_;
  std::chrono::steady_clock::time_point deadline_;
  std::string text_;
};

// Ends and reaps a short-lived child on every path.
class ChildGuard {
 public:
  explicit ChildGuard(Child& child) : child_(&child) {}
  ChildGuard(const ChildGuard&) = delete;
  ChildGuard& operator=(const ChildGuard&) = delete;
  ~ChildGuard();
  void dismiss() { child_ = nullptr; }

 private:
  Child* child_;
};

// What the child says of itself, and what its parent saw of its namespaces.
[[nodiscard]] SandboxGrants with_namespaces(SandboxGrants grants,
                                            const NamespaceGrants& namespaces);

}  // namespace candor::engine::internal
