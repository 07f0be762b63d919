#include "engine/internal/child_report.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "model/gate_report.h"
#include "model/gguf_reader.h"

namespace candor::engine::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxReport =
    std::max(model::kMaxSummaryBytes, model::kMaxGateReportBytes) + 8'192;

}  // namespace

std::unexpected<Error> os_error(std::string_view doing) {
  return fail(Code::kInternal, fmt::format("{}: {}", doing, std::strerror(errno)));
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return os_error("no pipe");
  return Pipe{.reader = OwnedFd(ends[0]), .writer = OwnedFd(ends[1])};
}

Result<std::string> ReportReader::line() {
  for (;;) {
    if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
      std::string out = text_.substr(0, end);
      text_.erase(0, end + 1);
      return out;
    }
    if (text_.size() > kMaxReport) {
      return fail(Code::kResourceExhausted, "a sandboxed process reports too much");
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return fail(Code::kDeadlineExceeded, "a sandboxed process does not report");
    std::array<char, 16'384> buffer;
    const ssize_t got = read(fd_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(Code::kUnavailable, "a sandboxed process ended without a report");
    text_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

ChildGuard::~ChildGuard() {
  if (child_ == nullptr) return;
  (void)send_signal(*child_, SIGKILL);
  (void)wait_for_exit(*child_, -1);
}

SandboxGrants with_namespaces(SandboxGrants grants, const NamespaceGrants& namespaces) {
  grants.pid_namespace = namespaces.pid;
  grants.mount_namespace = namespaces.mount;
  grants.ipc_namespace = namespaces.ipc;
  grants.network_namespace = namespaces.network;
  grants.user_namespace = namespaces.user;
  return grants;
}

}  // namespace candor::engine::internal
