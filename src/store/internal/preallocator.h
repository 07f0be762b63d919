// Makes journal segments ahead of need: zero-filled and synced by a thread of its own, so that the
// commit thread never waits for a file to grow (docs/formats/journal.md). Spares are named
// spare-<n>.zeros; the journal gives one its name and header when it takes it. A segment that the
// journal is done with is overwritten with zeros and becomes a spare: its blocks need no new
// allocation, and what stood in it is gone. Zeros are written in small pieces with rests between,
// so that a flush of the journal never waits behind a whole segment's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/file_system.h"
#include "base/result.h"

namespace candor::store {

struct Spare {
  std::unique_ptr<File> file;
  Path path;
};

class Preallocator {
 public:
  struct Options {
    Path folder;
    std::size_t segment_bytes = 64U << 20U;
    std::size_t spares = 1;
    std::uint64_t min_free_bytes = 0;  // kept free on the disk beside a new segment
    bool paced = true;                 // rests, and waits for a used segment while there is a spare
  };
  // Removes spares that an earlier run left.
  [[nodiscard]] static Result<std::unique_ptr<Preallocator>> open(FileSystem& files,
                                                                  const Options& options);
  Preallocator(const Preallocator&) = delete;
  Preallocator& operator=(const Preallocator&) = delete;
  ~Preallocator();

  // Waits for a spare; an error when none can be made now.
  [[nodiscard]] Result<Spare> take();
  // Takes over a segment's file, renamed but not yet durably so, if a spare is wanted; else false.
  [[nodiscard]] Result<bool> recycle(const Path& segment);
  // Waits until every segment that was taken over is overwritten, or was given up and deleted.
  void settle();
  // How many are ready.
  [[nodiscard]] std::size_t ready() const noexcept { return ready_.load(); }
  // kOk, or why no new segment can be made: then only the reserve is left (S6, S17).
  [[nodiscard]] Result<void> health() const;
  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(); }
  // Tries again now rather than within a second.
  void nudge();

 private:
  Preallocator(FileSystem& files, Options options);
  void run(const std::stop_token& stop);
  [[nodiscard]] Path next_path();
  [[nodiscard]] Result<Spare> make(std::optional<Path> used, const std::stop_token& stop);
  [[nodiscard]] Result<void> fill(File& file, const std::stop_token& stop);

  FileSystem& files_;
  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Spare> spares_;
  std::optional<Path> used_;  // a used segment to be filled with zeros
  bool making_ = false;
  std::atomic<bool> awaited_{false};  // take() or settle() waits: no rests
  std::optional<Error> failure_;
  std::uint64_t attempts_ = 0;  // finished ones
  bool nudged_ = false;
  std::uint64_t next_ = 0;
  std::atomic<std::size_t> ready_{0};
  std::atomic<bool> stopped_{false};
  std::jthread thread_;
};

}  // namespace candor::store
