// A file system in memory for crash tests (A18). It keeps, as a disk with a volatile cache would,
// what is durable apart from what was only written:
//   - bytes of a file are durable after File::sync() returned, not before;
//   - a name (made, renamed, removed; a folder too) is durable after sync_folder() of the folder it
//     stands in returned. A rename within or between folders happens whole or not at all and is
//     durable with the folder of its new name.
//
// Every changing call (write, truncate, sync, a name made, renamed or removed, sync_folder) is a
// point, numbered from 1. The whole history is kept, so a test runs its schedule once, notes
// points() whenever something is acknowledged, and then asks for crash(p, ...) at every p:
//     FaultyFileSystem fs;  run(fs);
//     for (p = 0; p <= fs.points(); ++p) { auto after = fs.crash(p, CrashPolicy::kRandom, seed);
//       reopen(*after) must hold everything acknowledged when points() was <= p. }
// A crash is deterministic in (history, point, policy, seed); asking in rising order is cheapest.
// Thread-safe.
//
// Not modelled: links, permissions, renaming or removing folders (kUnavailable).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace candor {

enum class CrashPolicy : std::uint8_t {
  kDropUnsynced,  // only what was made durable is there
  kKeepAll,       // the process died, the machine did not
  kPrefix,        // unsynced changes up to one of them in order; that one torn
  kRandom,        // each unsynced change there, absent or torn, by itself
};

enum class Fault : std::uint8_t {
  kEio,     // kUnavailable. A failed write may have written some sectors. After a failed sync the
            // bytes it should have flushed are never made durable, though later syncs succeed.
  kEnospc,  // kResourceExhausted. A failed write may have written some sectors.
};
enum class FaultSpan : std::uint8_t { kOnce, kFromThenOn };

class FaultyFileSystem final : public FileSystem {
 public:
  static constexpr std::size_t kSectorBytes = 512;  // written whole or not at all

  FaultyFileSystem();  // holds "/" alone; relative paths start there
  ~FaultyFileSystem() override;

  // Points so far, failed ones too.
  [[nodiscard]] std::uint64_t points() const;
  // What a point was, for a test's message: "write /d/journal 0+512".
  [[nodiscard]] std::string describe(std::uint64_t point) const;

  // A disk as it may be found after power was lost when `point` points had returned; its own
  // history is empty and its locks are free. point must not exceed points().
  [[nodiscard]] std::unique_ptr<FaultyFileSystem> crash(std::uint64_t point, CrashPolicy policy,
                                                        std::uint64_t seed) const;

  // The call that becomes this point (so greater than points()) fails; with kFromThenOn all later
  // ones do too, until heal(). One fault at a time: a second call replaces the first.
  void fail_at(std::uint64_t point, Fault fault, FaultSpan span = FaultSpan::kOnce);
  void fail_reads(bool failing);  // read_at returns kUnavailable
  void heal();

  // Total size of all files; a write or truncate that would pass it is kResourceExhausted. Also
  // what free_bytes() answers from. Unlimited at first.
  void set_capacity(std::uint64_t bytes);

  // Makes everything durable and forgets the history: the starting position of a schedule.
  void settle();

  // Changes a byte behind everybody's back, on the disk and in the cache.
  [[nodiscard]] Result<void> corrupt(const Path& path, std::uint64_t offset, std::byte mask);

  Result<std::unique_ptr<File>> open(const Path& path, OpenMode mode) override;
  Result<void> sync_folder(const Path& folder) override;
  Result<void> make_folders(const Path& folder) override;
  Result<void> rename(const Path& from, const Path& to) override;
  Result<void> remove(const Path& path) override;
  Result<std::vector<std::string>> list(const Path& folder) override;
  Result<bool> exists(const Path& path) override;
  Result<std::unique_ptr<FileLock>> lock(const Path& path) override;
  Result<std::uint64_t> free_bytes(const Path& folder) override;

 private:
  friend class FaultyFile;
  struct Change;
  struct Disk;

  // Both with mutex_ held. begin() counts a point and says whether it fails.
  [[nodiscard]] Result<void> begin(Change change);
  void commit(Change change);

  mutable std::mutex mutex_;
  std::unique_ptr<Disk> start_;  // before the first point
  std::unique_ptr<Disk> now_;
  std::vector<Change> history_;
  // start_ with the first replayed_ changes, so that asking for points in rising order is cheap.
  mutable std::unique_ptr<Disk> replay_;
  mutable std::uint64_t replayed_ = 0;
  // Outlives the file system, so that a lock may be released after it.
  std::shared_ptr<std::set<std::string>> locks_;
  std::uint64_t fault_point_ = 0;  // 0: none
  Fault fault_ = Fault::kEio;
  FaultSpan fault_span_ = FaultSpan::kOnce;
  bool reads_fail_ = false;
  std::uint64_t capacity_;
};

}  // namespace candor
