#include "disk_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/journal_format.h"

namespace candor::verify {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSegmentBytes = 4ULL << 30U;
constexpr std::size_t kReadStep = 1U << 20U;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > 2) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

template <typename Buffer>
Result<Buffer> read_all(const std::string& name, std::size_t max_bytes) {
  const Descriptor file(name == "-" ? 0 : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    const int error = errno;
    const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kUnavailable;
    return fail(code, name + ": " + std::generic_category().message(error));
  }
  struct stat info{};
  Buffer out;
  // One byte more than the file has, so that its end is seen by the first read.
  std::size_t room = kReadStep;
  if (::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode)) {
    room = static_cast<std::size_t>(info.st_size) + 1;
  }
  std::size_t used = 0;
  while (true) {
    if (used > max_bytes) return fail(Code::kInvalidArgument, name + " is too large");
    if (used == out.size()) {
      out.resize(used + std::min(room, max_bytes + 1));
      room = kReadStep;
    }
    const ssize_t got = ::read(file.get(), out.data() + used, out.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(Code::kUnavailable, name + ": " + std::generic_category().message(errno));
    }
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  out.resize(used);
  return out;
}

}  // namespace

Result<DiskFolder> DiskFolder::open(const fs::path& folder, std::optional<fs::path> journal) {
  std::error_code ignored;
  DiskFolder out;
  if (fs::is_directory(folder / "ledger", ignored) ||
      fs::is_directory(folder / "journal", ignored)) {
    out.published_ = folder / "ledger";
    out.journal_ = folder / "journal";
    if (!fs::is_directory(*out.journal_, ignored)) out.journal_.reset();
  } else if (fs::is_directory(folder, ignored)) {
    out.published_ = folder;
  } else {
    return fail(Code::kNotFound, folder.string() + " is no folder");
  }
  if (journal) out.journal_ = std::move(journal);
  return out;
}

Result<Bytes> DiskFolder::read(const std::string& path) {
  return read_all<Bytes>((published_ / path).string(), ledger::kMaxBundleBytes);
}

Result<std::vector<std::string>> DiskFolder::segments() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(*journal_, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (ledger::parse_segment_name(name)) names.push_back(std::move(name));
  }
  if (error) return fail(Code::kUnavailable, journal_->string() + ": " + error.message());
  std::ranges::sort(names);
  return names;
}

Result<Bytes> DiskFolder::read_segment(const std::string& name) {
  return read_all<Bytes>((*journal_ / name).string(), kMaxSegmentBytes);
}

Result<std::string> read_input(const std::string& path, std::size_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

}  // namespace candor::verify
