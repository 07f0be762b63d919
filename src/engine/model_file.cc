#include "engine/model_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"

namespace candor::engine {
namespace {

constexpr std::size_t kBlock = 1U << 20U;
constexpr std::int64_t kSettledNs = 2'000'000'000;  // a ctime this old has left its clock tick
constexpr std::size_t kMaxCached = 1'024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Landlock grants the folders of models at the start, or, where the data folder lies below one, the
// files that are there then (apps/candor/folder_grants.h).
constexpr std::string_view kAccessAdvice =
    "; let the server's user read it, and restart the server if the file was replaced in a folder "
    "that holds the data folder";

std::unexpected<Error> os_error(const Path& path, std::string_view doing) {
  const int why = errno;
  const Code code = why == ENOENT || why == ENOTDIR  ? Code::kNotFound
                    : why == EACCES || why == EPERM  ? Code::kPermissionDenied
                    : why == ENOSPC || why == EDQUOT ? Code::kResourceExhausted
                                                     : Code::kUnavailable;
  return fail(code, fmt::format("{} {}: {}{}", doing, path.string(), std::strerror(why),
                                why == EACCES ? kAccessAdvice : ""));
}

Result<struct stat> facts_of(int fd, const Path& path) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return os_error(path, "looking at");
  if (!S_ISREG(facts.st_mode)) {
    return fail(Code::kInvalidArgument, path.string() + " is not a regular file");
  }
  if (facts.st_size == 0) return fail(Code::kInvalidArgument, path.string() + " is empty");
  return facts;
}

std::int64_t nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; }

DigestCache::Key key_of(const struct stat& facts) {
  return {.device = facts.st_dev,
          .inode = facts.st_ino,
          .size = static_cast<std::uint64_t>(facts.st_size),
          .mtime_ns = nanoseconds(facts.st_mtim),
          .ctime_ns = nanoseconds(facts.st_ctim)};
}

std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return nanoseconds(t);
}

// 0, or the errno of the refusal. On success no process has the file open for writing, and none can
// until the lease is given up. The signal that a break would send is switched off: its default ends
// the process, and broken() asks instead.
int take_lease(int fd) {
  if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) return errno;
  (void)fcntl(fd, F_SETOWN, 0);
  return 0;
}

// Hashes size bytes of fd; with copy >= 0 it writes what it hashed there too.
Result<Digest> hash(int fd, std::uint64_t size, const Path& path, int copy) {
  crypto::Sha256 state;
  Bytes block(kBlock);
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (std::uint64_t at = 0; at < size;) {
    const ssize_t got =
        pread(fd, block.data(), std::min<std::uint64_t>(kBlock, size - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(path, "reading");
    if (got == 0) return fail(Code::kFailedPrecondition, path.string() + " became shorter");
    const auto piece = ByteView(block).first(static_cast<std::size_t>(got));
    state.update(piece);
    for (std::size_t done = 0; copy >= 0 && done < piece.size();) {
      const ssize_t wrote = write(copy, piece.data() + done, piece.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return os_error(path, "copying");
      done += static_cast<std::size_t>(wrote);
    }
    at += piece.size();
  }
  return state.finish();
}

Result<Digest> hash_cached(int fd, const struct stat& facts, const Path& path, DigestCache& cache) {
  const DigestCache::Key key = key_of(facts);
  if (const auto known = cache.find(key)) return *known;
  const bool settled = now_ns() - key.ctime_ns > kSettledNs;
  const Digest digest = TRY(hash(fd, key.size, path, -1));
  if (settled) cache.put(key, digest);
  return digest;
}

std::string lease_advice(int why, const Path& path, const struct stat& facts) {
  if (why == EAGAIN) {
    return fmt::format(
        "{} is open for writing by another program; wait until it has finished (or end it) and "
        "load "
        "the model again",
        path.string());
  }
  if (why == EACCES || why == EPERM) {
    return fmt::format(
        "{} belongs to user {}, so its bytes cannot be held still while they are used; run "
        "'chown' on it, or configure model_store so that a copy is served",
        path.string(), facts.st_uid);
  }
  return fmt::format(
      "the file system of {} does not give leases ({}); configure model_store on a local disk so "
      "that "
      "a copy is served",
      path.string(), std::strerror(why));
}

}  // namespace

std::string_view to_string(Guard guard) noexcept {
  switch (guard) {
    case Guard::kLease: return "lease";
    case Guard::kStoreLease: return "store_lease";
    case Guard::kSealedMemory: return "sealed_memory";
  }
  return "lease";
}

std::optional<Digest> DigestCache::find(const Key& key) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, digest] : entries_) {
    if (known == key) return digest;
  }
  return std::nullopt;
}

void DigestCache::put(const Key& key, const Digest& digest) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.first.device == key.device && entry.first.inode == key.inode;
  });
  if (entries_.size() >= kMaxCached) entries_.erase(entries_.begin());
  entries_.emplace_back(key, digest);
}

namespace {

// A leased, hashed copy named by its digest. An existing one is hashed again, not believed.
Result<std::pair<Descriptor, Digest>> copy_to_store(int source, std::uint64_t size,
                                                    const Path& path, const Path& store) {
  std::string name = (store / ".copy-XXXXXX").string();
  Descriptor copy(mkostemp(name.data(), O_CLOEXEC));
  if (copy.get() < 0) return os_error(store, "making a copy in");
  struct Remove {
    const std::string& name;
    ~Remove() { (void)unlink(name.c_str()); }
  } const remove{name};
  const Digest digest = TRY(hash(source, size, path, copy.get()));
  if (fchmod(copy.get(), 0400) != 0 || fsync(copy.get()) != 0) return os_error(store, "syncing in");
  const Path stored = store / ("sha256-" + to_hex(digest) + ".gguf");
  if (rename(name.c_str(), stored.c_str()) != 0) return os_error(store, "naming a copy in");
  close(copy.release());  // a lease is refused while someone, we too, has it open for writing
  Descriptor reader(open(stored.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (reader.get() < 0) return os_error(stored, "opening");
  if (take_lease(reader.get()) != 0) return os_error(stored, "leasing");
  const struct stat facts = TRY(facts_of(reader.get(), stored));
  const Digest held =
      TRY(hash(reader.get(), static_cast<std::uint64_t>(facts.st_size), stored, -1));
  if (held != digest) {
    return fail(Code::kDataLoss, stored.string() + " does not hold what was copied");
  }
  return std::pair(std::move(reader), digest);
}

Result<std::pair<Descriptor, Digest>> copy_to_memory(int source, std::uint64_t size,
                                                     const Path& path) {
  Descriptor copy(memfd_create("candor-model", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (copy.get() < 0) return os_error(path, "making a memory copy of");
  (void)TRY(hash(source, size, path, copy.get()));
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
  if (fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0) return os_error(path, "sealing a copy of");
  const Digest digest = TRY(hash(copy.get(), size, path, -1));  // of the sealed bytes
  // A second description, so that the engine's is read-only.
  const std::string name = "/proc/self/fd/" + std::to_string(copy.get());
  Descriptor reader(open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (reader.get() < 0) return os_error(path, "reopening a copy of");
  return std::pair(std::move(reader), digest);
}

}  // namespace

Result<ModelFile> ModelFile::open(const Path& path, const ModelFileOptions& options,
                                  DigestCache& cache) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return os_error(path, "opening");
  struct stat facts = TRY(facts_of(file.get(), path));
  const auto size = static_cast<std::uint64_t>(facts.st_size);

  int refusal = EACCES;
  if (options.try_lease_in_place) refusal = take_lease(file.get());
  ModelFile out;
  out.size_ = size;
  if (refusal == 0) {
    facts = TRY(facts_of(file.get(), path));  // again: nothing can change from here
    out.size_ = static_cast<std::uint64_t>(facts.st_size);
    out.digest_ = TRY(hash_cached(file.get(), facts, path, cache));
    out.guard_ = Guard::kLease;
    out.fd_ = file.release();
    if (out.broken()) {
      return fail(Code::kFailedPrecondition,
                  path.string() + " was opened for writing while it was hashed");
    }
    return out;
  }
  if (refusal == EAGAIN) {
    return fail(Code::kFailedPrecondition, lease_advice(refusal, path, facts));
  }
  if (!options.store_folder.empty()) {
    auto copied = copy_to_store(file.get(), size, path, options.store_folder);
    if (copied) {
      out.fd_ = copied->first.release();
      out.digest_ = copied->second;
      out.guard_ = Guard::kStoreLease;
      return out;
    }
    if (size > options.max_memory_copy) {
      return std::unexpected(
          std::move(copied).error().with_context(lease_advice(refusal, path, facts)));
    }
  }
  if (size <= options.max_memory_copy) {
    auto copied = TRY(copy_to_memory(file.get(), size, path));
    out.fd_ = copied.first.release();
    out.digest_ = copied.second;
    out.guard_ = Guard::kSealedMemory;
    return out;
  }
  return fail(
      refusal == EACCES || refusal == EPERM ? Code::kPermissionDenied : Code::kFailedPrecondition,
      lease_advice(refusal, path, facts));
}

ModelFile::ModelFile(ModelFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      digest_(other.digest_),
      guard_(other.guard_) {}

ModelFile& ModelFile::operator=(ModelFile&& other) noexcept {
  if (this != &other) {
    release();
    fd_ = std::exchange(other.fd_, -1);
    size_ = other.size_;
    digest_ = other.digest_;
    guard_ = other.guard_;
  }
  return *this;
}

ModelFile::~ModelFile() { release(); }

bool ModelFile::broken() const {
  if (fd_ < 0) return true;
  if (guard_ == Guard::kSealedMemory) return false;
  // While a break is pending the kernel names the type that it will be lowered to.
  return fcntl(fd_, F_GETLEASE) != F_RDLCK;
}

void ModelFile::release() noexcept {
  if (fd_ < 0) return;
  // The engine inherited this very description, so closing our descriptor alone would keep the
  // lease.
  if (guard_ != Guard::kSealedMemory) (void)fcntl(fd_, F_SETLEASE, F_UNLCK);
  close(std::exchange(fd_, -1));
}

}  // namespace candor::engine
