// The file system as a seam: everything durable goes through it, so that a crash test can drop what
// was not synced, tear a write, or return EIO and ENOSPC at every point (A18).
//
// Errors: kNotFound (ENOENT), kPermissionDenied (EACCES, EPERM, EROFS), kResourceExhausted (ENOSPC,
// EDQUOT), kFailedPrecondition (exists, or locked by another: the message names the holder's pid),
// kUnavailable (EIO and the rest). After a failed or short write or sync nothing is known about the
// bytes: the caller must treat the file as poisoned (S6). Paths are passed to the kernel as they
// are; symbolic links in the last component are refused (O_NOFOLLOW). A File is used by one thread
// at a time except for read_at, which is safe beside one writer. FileSystem is thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor {

using Path = std::filesystem::path;

enum class OpenMode : std::uint8_t {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read-write, created 0600 if absent
  kCreateNew,  // read-write, must not exist
  // Read-write, must exist; write_at is durable when it returns, as if sync() followed: one call
  // instead of two. Pieces of whole pages at page offsets go past the page cache where the file
  // system can (O_DIRECT, O_DSYNC), so that they wait neither for other writers' dirty pages nor
  // for a copy.
  kDurable,
};

class File {
 public:
  virtual ~File() = default;
  // Exactly out.size() bytes or kUnavailable/kInvalidArgument when the file ends before.
  [[nodiscard]] virtual Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
  // All of it or an error.
  [[nodiscard]] virtual Result<void> write_at(std::uint64_t offset, ByteView data) = 0;
  // fdatasync: data and the size needed to read it are durable.
  [[nodiscard]] virtual Result<void> sync() = 0;
  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

class FileLock {  // held until destroyed
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const Path& path, OpenMode mode) = 0;
  // Makes the names in a folder durable (fsync of the folder).
  [[nodiscard]] virtual Result<void> sync_folder(const Path& folder) = 0;
  [[nodiscard]] virtual Result<void> make_folders(const Path& folder) = 0;  // 0700, parents too
  [[nodiscard]] virtual Result<void> rename(const Path& from, const Path& to) = 0;  // replaces
  [[nodiscard]] virtual Result<void> remove(const Path& path) = 0;                  // one file
  // Names (no folders' contents), sorted; an absent folder is kNotFound.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const Path& folder) = 0;
  [[nodiscard]] virtual Result<bool> exists(const Path& path) = 0;
  // Exclusive advisory lock; kFailedPrecondition names the holder's pid if held.
  [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> lock(const Path& path) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const Path& folder) = 0;
  // Mode 0400. A file system without permissions does nothing.
  [[nodiscard]] virtual Result<void> make_read_only(const Path& /*path*/) { return {}; }
};

[[nodiscard]] FileSystem& real_file_system();

// Whole-file helpers on the seam. read_file refuses files above max_bytes with kInvalidArgument.
[[nodiscard]] Result<Bytes> read_file(FileSystem& fs, const Path& path, std::uint64_t max_bytes);
// Writes path.tmp, syncs it, renames it over path, syncs the folder: readers see old or new, whole.
[[nodiscard]] Result<void> write_file_atomically(FileSystem& fs, const Path& path, ByteView data);

}  // namespace candor
