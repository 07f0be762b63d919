#include "store/restrict.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace candor::store {
namespace {

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
// Rights that came with ABI 2 (refer), 3 (truncate) and 5 (ioctl on devices); headers may be older.
constexpr std::uint64_t kRefer = 1ULL << 13U;
constexpr std::uint64_t kTruncate = 1ULL << 14U;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;
constexpr std::uint64_t kOtherWrites = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_EXECUTE | kTruncate;

class Ruleset {
 public:
  // abi 0: the kernel has no Landlock.
  static Result<Ruleset> make() {
    const long abi =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi <= 0) return Ruleset(-1, 0, 0);
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = kRead | kExecute | kWrite | kOtherWrites;
    if (abi >= 2) attributes.handled_access_fs |= kRefer;
    if (abi >= 3) attributes.handled_access_fs |= kTruncate;
    const long fd = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (fd < 0) return fail(Code::kInternal, "the kernel refuses a Landlock ruleset");
    return Ruleset(static_cast<int>(fd), static_cast<int>(abi), attributes.handled_access_fs);
  }
  Ruleset(Ruleset&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), abi_(other.abi_), handled_(other.handled_) {}
  Ruleset& operator=(Ruleset&&) = delete;
  ~Ruleset() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int abi() const noexcept { return abi_; }

  Result<void> grant(const Path& path, std::uint64_t rights) const {
    if (abi_ == 0) return {};
    const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) {
      if (errno == ENOENT || errno == EACCES) return {};  // nothing to grant
      return fail(Code::kUnavailable, "a folder to grant cannot be opened: " + path.native());
    }
    struct stat info{};
    const bool folder = ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights & handled_ & (folder ? ~0ULL : kOfFiles);
    rule.parent_fd = fd;
    const long done = ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    ::close(fd);
    if (done != 0) return fail(Code::kInternal, "the kernel refuses a grant on " + path.native());
    return {};
  }

  Result<void> enforce() const {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
      return fail(Code::kInternal, "no_new_privs was refused");
    }
    if (abi_ == 0) return {};
    if (::syscall(SYS_landlock_restrict_self, fd_, 0) != 0) {
      return fail(Code::kInternal, "the kernel refuses to restrict this process");
    }
    return {};
  }

 private:
  Ruleset(int fd, int abi, std::uint64_t handled) : fd_(fd), abi_(abi), handled_(handled) {}
  int fd_;
  int abi_;
  std::uint64_t handled_;
};

constexpr std::uint64_t kReadWrite = kRead | kWrite | kRefer | kTruncate;

}  // namespace

Result<RestrictReport> restrict_monitor(const DataPaths& paths,
                                        const std::vector<FolderGrant>& extra) {
  RestrictReport report;
  const Ruleset rules = TRY(Ruleset::make());
  for (const Path& folder : {paths.run(), paths.journal(), paths.ledger(), paths.sealed(),
                             paths.keys(), paths.state(), paths.models(), paths.closed()}) {
    TRY(real_file_system().make_folders(folder));
    TRY(rules.grant(folder, kReadWrite));
  }
  TRY(real_file_system().sync_folder(paths.root()));
  TRY(rules.grant("/proc/sys/kernel/random", kRead));  // the machine's boot id
  for (const FolderGrant& grant : extra) {
    switch (grant.rights) {
      case FolderGrant::Rights::kRead: TRY(rules.grant(grant.path, kRead)); break;
      case FolderGrant::Rights::kReadExecute: TRY(rules.grant(grant.path, kRead | kExecute)); break;
      case FolderGrant::Rights::kReadWrite: TRY(rules.grant(grant.path, kReadWrite)); break;
    }
  }
  TRY(rules.enforce());
  report.landlock_abi = rules.abi();
  report.not_dumpable = ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  const int tried = ::open(paths.signer().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // Absent: it is another user's, somewhere else.
  report.signer_closed = tried < 0 && (errno == EACCES || errno == ENOENT);
  if (tried >= 0) ::close(tried);
  return report;
}

Result<bool> restrict_signer(const Path& folder) {
  const Ruleset rules = TRY(Ruleset::make());
  TRY(rules.grant(folder, kReadWrite));
  TRY(rules.enforce());
  return rules.abi() > 0;
}

}  // namespace candor::store
