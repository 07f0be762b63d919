#include "base/file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"

namespace candor {
namespace {

std::unexpected<Error> from_errno(int error, std::string_view doing, const Path& path) {
  Code code = Code::kUnavailable;
  switch (error) {
    case ENOENT: code = Code::kNotFound; break;
    case EACCES:
    case EPERM:
    case EROFS: code = Code::kPermissionDenied; break;
    case ENOSPC:
    case EDQUOT: code = Code::kResourceExhausted; break;
    case EEXIST: code = Code::kFailedPrecondition; break;
    case ELOOP:
      return fail(Code::kUnavailable, fmt::format("{} {}: it is a symbolic link, which is refused",
                                                  doing, path.native()));
    default: break;
  }
  return fail(code, fmt::format("{} {}: {}", doing, path.native(), ::strerrordesc_np(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

constexpr std::size_t kDirectAlignment = 4096;  // at least any disk's logical block
constexpr std::size_t kDirectPiece = 1U << 20U;

struct FreeAligned {
  void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};

// Memory that O_DIRECT takes, grown as needed.
class AlignedBuffer {
 public:
  // A copy of data, valid until the next call.
  const std::byte* copy(ByteView data) {
    if (data.size() > size_) {
      size_ = (data.size() + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
      bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, size_)));
      CANDOR_CHECK(bytes_ != nullptr);
    }
    std::ranges::copy(data, bytes_.get());
    return bytes_.get();
  }

 private:
  std::unique_ptr<std::byte, FreeAligned> bytes_;
  std::size_t size_ = 0;
};

class RealFile : public File {
 public:
  RealFile(Descriptor fd, Path path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    while (!out.empty()) {
      const auto got = retry(
          [&] { return ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset)); });
      if (got < 0) return from_errno(errno, "reading", path_);
      if (got == 0) {
        return fail(Code::kInvalidArgument, fmt::format("reading {}: it ends before offset {}",
                                                        path_.native(), offset + out.size()));
      }
      out = out.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return {};
  }

  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    return write_all(fd_.get(), offset, data);
  }

  Result<void> sync() override {
    // Not retried on EINTR or anything else: a second fsync may report success for lost pages.
    if (::fdatasync(fd_.get()) != 0) return from_errno(errno, "syncing", path_);
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return from_errno(errno, "truncating", path_);
    }
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return from_errno(errno, "looking at", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

 protected:
  Result<void> write_all(int fd, std::uint64_t offset, ByteView data) {
    while (!data.empty()) {
      const auto put =
          retry([&] { return ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
      if (put < 0) return from_errno(errno, "writing", path_);
      if (put == 0) return from_errno(EIO, "writing", path_);
      data = data.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }

 private:
  Descriptor fd_;
  Path path_;
};

// OpenMode::kDurable: both descriptors are O_DSYNC, the second one O_DIRECT too.
class DurableFile final : public RealFile {
 public:
  DurableFile(Descriptor fd, Descriptor direct, Path path)
      : RealFile(std::move(fd), std::move(path)), direct_(std::move(direct)) {}

  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    if (!direct_ || offset % kDirectAlignment != 0 || data.size() % kDirectAlignment != 0) {
      return RealFile::write_at(offset, data);
    }
    while (!data.empty()) {
      const ByteView piece = data.first(std::min(data.size(), kDirectPiece));
      TRY(write_all(direct_.get(), offset, ByteView(buffer_.copy(piece), piece.size())));
      data = data.subspan(piece.size());
      offset += piece.size();
    }
    return {};
  }

 private:
  Descriptor direct_;
  AlignedBuffer buffer_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const Path& path, OpenMode mode) override {
    if (mode == OpenMode::kDurable) return open_durable(path);
    int flags = O_CLOEXEC | O_NOFOLLOW | O_RDWR;
    switch (mode) {
      case OpenMode::kRead: flags = O_CLOEXEC | O_NOFOLLOW | O_RDONLY; break;
      case OpenMode::kReadWrite:
      case OpenMode::kDurable: break;
      case OpenMode::kCreate: flags |= O_CREAT; break;
      case OpenMode::kCreateNew: flags |= O_CREAT | O_EXCL; break;
    }
    Descriptor fd(retry([&] { return ::open(path.c_str(), flags, 0600); }));
    if (!fd) return from_errno(errno, "opening", path);
    return std::make_unique<RealFile>(std::move(fd), path);
  }

  Result<void> sync_folder(const Path& folder) override {
    const Descriptor fd(
        retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd) return from_errno(errno, "opening", folder);
    if (::fsync(fd.get()) != 0) return from_errno(errno, "syncing", folder);
    return {};
  }

  Result<void> make_folders(const Path& folder) override {
    struct stat info{};
    if (::stat(folder.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return {};
      return fail(Code::kFailedPrecondition,
                  fmt::format("making folder {}: a file has that name", folder.native()));
    }
    const Path parent = folder.parent_path();
    if (!parent.empty() && parent != folder) TRY(make_folders(parent));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return from_errno(errno, "making folder", folder);
    }
    return {};
  }

  Result<void> rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return from_errno(errno, "renaming", from);
    return {};
  }

  Result<void> remove(const Path& path) override {
    if (::unlink(path.c_str()) != 0) return from_errno(errno, "removing", path);
    return {};
  }

  Result<std::vector<std::string>> list(const Path& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), &::closedir);
    if (stream == nullptr) return from_errno(errno, "listing", folder);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) return from_errno(errno, "listing", folder);
    std::ranges::sort(names);
    return names;
  }

  Result<bool> exists(const Path& path) override {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return from_errno(errno, "looking at", path);
  }

  Result<std::unique_ptr<FileLock>> lock(const Path& path) override {
    Descriptor fd(retry(
        [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); }));
    if (!fd) return from_errno(errno, "opening", path);
    if (retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return from_errno(errno, "locking", path);
      std::array<char, 32> text{};
      const auto got = ::pread(fd.get(), text.data(), text.size(), 0);
      std::string_view pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
      pid = pid.substr(0, pid.find_first_not_of("0123456789"));
      return fail(Code::kFailedPrecondition,
                  fmt::format("{} is locked by process {}", path.native(),
                              pid.empty() ? std::string_view("(unknown)") : pid));
    }
    // The pid is for people; the lock itself is the kernel's and ends with its holder.
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd.get(), 0) != 0 ||
        ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return from_errno(errno, "writing", path);
    }
    return std::make_unique<RealLock>(std::move(fd));
  }

  Result<std::uint64_t> free_bytes(const Path& folder) override {
    struct statvfs info{};
    if (::statvfs(folder.c_str(), &info) != 0) return from_errno(errno, "looking at", folder);
    return std::uint64_t{info.f_bavail} * info.f_frsize;
  }

  Result<void> make_read_only(const Path& path) override {
    const Descriptor fd(
        retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); }));
    if (!fd) return from_errno(errno, "opening", path);
    if (::fchmod(fd.get(), 0400) != 0) return from_errno(errno, "making read-only", path);
    return {};
  }

 private:
  static Result<std::unique_ptr<File>> open_durable(const Path& path) {
    constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_RDWR | O_DSYNC;
    Descriptor fd(retry([&] { return ::open(path.c_str(), kFlags); }));
    if (!fd) return from_errno(errno, "opening", path);
    // A file system without direct writes says so here, and the first descriptor serves for all.
    Descriptor direct(retry([&] { return ::open(path.c_str(), kFlags | O_DIRECT); }));
    return std::make_unique<DurableFile>(std::move(fd), std::move(direct), path);
  }
};

}  // namespace

FileSystem& real_file_system() {
  static RealFileSystem files;
  return files;
}

Result<Bytes> read_file(FileSystem& fs, const Path& path, std::uint64_t max_bytes) {
  const auto file = TRY(fs.open(path, OpenMode::kRead));
  const std::uint64_t size = TRY(file->size());
  if (size > max_bytes) {
    return fail(Code::kInvalidArgument, fmt::format("{} has {} bytes; at most {} are read",
                                                    path.native(), size, max_bytes));
  }
  Bytes bytes(size);
  TRY(file->read_at(0, bytes));
  return bytes;
}

Result<void> write_file_atomically(FileSystem& fs, const Path& path, ByteView data) {
  Path temporary = path;
  temporary += ".tmp";
  {
    const auto file = TRY(fs.open(temporary, OpenMode::kCreate));
    TRY(file->truncate(0));
    TRY(file->write_at(0, data));
    TRY(file->sync());
  }
  TRY(fs.rename(temporary, path));
  const Path parent = path.parent_path();
  return fs.sync_folder(parent.empty() ? Path(".") : parent);
}

}  // namespace candor
