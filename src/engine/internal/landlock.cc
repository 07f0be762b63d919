#include "engine/internal/landlock.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace candor::engine::internal {
namespace {

// Our own copies: Debian 12's headers know ABI 2 only. Values from the kernel's
// include/uapi/linux/landlock.h.
struct RulesetAttr {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;  // ABI 4
  std::uint64_t scoped = 0;              // ABI 6
};
struct [[gnu::packed]] PathBeneathAttr {
  std::uint64_t allowed_access = 0;
  std::int32_t parent_fd = -1;
};
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kVersionFlag = 1U;
constexpr unsigned kRulePathBeneath = 1U;

constexpr std::uint64_t kExecute = 1U << 0U;
constexpr std::uint64_t kWriteFile = 1U << 1U;
constexpr std::uint64_t kReadFile = 1U << 2U;
constexpr std::uint64_t kRemoveFile = 1U << 5U;
constexpr std::uint64_t kMakeSock = 1U << 9U;

std::uint64_t file_rights(int abi) {
  if (abi >= 5) return (1U << 16U) - 1;  // ... and ioctl on devices
  if (abi >= 3) return (1U << 15U) - 1;  // ... and truncate
  if (abi >= 2) return (1U << 14U) - 1;  // ... and refer
  return (1U << 13U) - 1;
}
std::size_t attr_size(int abi) {
  if (abi >= 6) return sizeof(RulesetAttr);
  return abi >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

Result<void> allow(int ruleset, int fd, std::uint64_t rights) {
  const PathBeneathAttr rule{.allowed_access = rights, .parent_fd = fd};
  if (syscall(kAddRule, ruleset, kRulePathBeneath, &rule, 0) == 0) return {};
  // A memory file is not in any tree: Landlock has no rule for it and does not refuse it either.
  if (errno == EBADFD) return {};
  return fail(Code::kInternal, std::string("Landlock rule: ") + std::strerror(errno));
}

}  // namespace

Result<void> restrict_files(const SealRequest& request, SandboxGrants& grants) {
  const long version = syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
  if (version < 1) return {};  // ENOSYS or switched off at boot: not granted
  const int abi = static_cast<int>(std::min<long>(version, 1'000));
  RulesetAttr attr{.handled_access_fs = file_rights(abi)};
  if (abi >= 4) attr.handled_access_net = 3;  // bind and connect
  if (abi >= 6) attr.scoped = 3;              // abstract Unix sockets and signals
  const long ruleset = syscall(kCreateRuleset, &attr, attr_size(abi), 0);
  if (ruleset < 0) {
    return fail(Code::kInternal, std::string("Landlock ruleset: ") + std::strerror(errno));
  }
  const int fd = static_cast<int>(ruleset);
  for (const int file : request.readable_fds) TRY(allow(fd, file, kReadFile));
  for (const int file : request.executable_fds) TRY(allow(fd, file, kReadFile | kExecute));
  if (request.writable_folder_fd >= 0) {
    TRY(allow(fd, request.writable_folder_fd, kMakeSock | kRemoveFile | kWriteFile));
  }
  const long restricted = syscall(kRestrictSelf, fd, 0);
  const int why = errno;
  close(fd);
  if (restricted != 0) {
    return fail(Code::kInternal, std::string("Landlock: ") + std::strerror(why));
  }
  // Measured: a file that anyone may read is refused.
  const int probe = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (probe >= 0) {
    close(probe);
    return {};  // not in force: stays 0
  }
  if (errno == EACCES) {
    grants.landlock_abi = abi;
    grants.landlock_net = abi >= 4;
    grants.landlock_scope = abi >= 6;
  }
  return {};
}

}  // namespace candor::engine::internal
