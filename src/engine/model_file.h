// A model file whose verified bytes are the bytes that the engine maps (S12).
//
// open() takes the file in place where this process may lease it (own file, or privilege), else
// through a copy in the store (0400, content-addressed), else as a sealed memory file. A read lease
// (F_SETLEASE, F_RDLCK) is taken before hashing and held until destruction: while it is held no one
// has the file open for writing. A would-be writer blocks until broken() has been seen and the
// lease released, so no byte that this descriptor gives can have changed before release().
//
// Errors: kNotFound, kPermissionDenied (message: whose file, and what to do), kInvalidArgument (not
// a regular file, empty), kFailedPrecondition (someone has it open for writing: close it, or copy),
// kResourceExhausted (no room for the copy). Blocking: hashing runs at 1-2 GB/s; call it off the
// I/O threads. Thread-safe as a value: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace candor::engine {

enum class Guard : std::uint8_t {
  kLease,         // in place, read lease held
  kStoreLease,    // a copy in the store, read lease held
  kSealedMemory,  // a memory file sealed against writing, growing and shrinking
};
[[nodiscard]] std::string_view to_string(Guard guard) noexcept;

// Digests of files hashed under a lease, by device, inode, size, mtime and ctime. Only files whose
// ctime was older than two seconds when hashing began are kept: a later change moves the ctime.
// In memory only, so that no file can lie about a digest. Thread-safe.
class DigestCache {
 public:
  struct Key {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    auto operator<=>(const Key&) const = default;
  };
  [[nodiscard]] std::optional<Digest> find(const Key& key) const;
  void put(const Key& key, const Digest& digest);

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Key, Digest>> entries_;
};

struct ModelFileOptions {
  Path store_folder = {};             // empty: no copies on disk
  std::uint64_t max_memory_copy = 0;  // bytes a sealed memory file may take; 0: none
  bool try_lease_in_place = true;     // false in tests of the other ways
};

class ModelFile {
 public:
  [[nodiscard]] static Result<ModelFile> open(const Path& path, const ModelFileOptions& options,
                                              DigestCache& cache);
  ModelFile(ModelFile&&) noexcept;
  ModelFile& operator=(ModelFile&&) noexcept;
  ~ModelFile();  // release()

  [[nodiscard]] int fd() const noexcept { return fd_; }  // O_RDONLY, close-on-exec
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_; }
  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }  // SHA-256 of the file
  [[nodiscard]] Guard guard() const noexcept { return guard_; }
  // True once someone waits to write. Cheap (one fcntl); poll it. The caller must then stop every
  // reader of the descriptor and call release(), within the kernel's lease-break-time (45 s).
  [[nodiscard]] bool broken() const;
  void release() noexcept;

 private:
  ModelFile() = default;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  Digest digest_{};
  Guard guard_ = Guard::kLease;
};

}  // namespace candor::engine
