#include "store/internal/preallocator.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace candor::store {
namespace {

constexpr std::size_t kPiece = 256U << 10U;
constexpr auto kAwaitUsed = std::chrono::milliseconds(2'500);
constexpr auto kRest = std::chrono::milliseconds(2);  // a 64 MiB segment in a second or so
constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

Preallocator::Preallocator(FileSystem& files, Options options)
    : files_(files), options_(std::move(options)) {}

Result<std::unique_ptr<Preallocator>> Preallocator::open(FileSystem& files,
                                                         const Options& options) {
  for (const std::string& name : TRY(files.list(options.folder))) {
    if (name.starts_with("spare-")) TRY(files.remove(options.folder / name));
  }
  std::unique_ptr<Preallocator> made(new Preallocator(files, options));
  made->thread_ = std::jthread([p = made.get()](const std::stop_token& stop) { p->run(stop); });
  return made;
}

Preallocator::~Preallocator() {
  thread_.request_stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// mutex_ is held.
Path Preallocator::next_path() {
  return options_.folder / ("spare-" + std::to_string(next_++) + ".zeros");
}

Result<void> Preallocator::fill(File& file, const std::stop_token& stop) {
  const Bytes zeros(std::min(kPiece, options_.segment_bytes));
  for (std::size_t at = 0; at < options_.segment_bytes; at += zeros.size()) {
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopping");
    const std::size_t size = std::min(zeros.size(), options_.segment_bytes - at);
    TRY(file.write_at(at, ByteView(zeros).first(size)));
    if (options_.paced && !awaited_.load()) std::this_thread::sleep_for(kRest);
  }
  return {};
}

// Of a used segment, or of a new file.
Result<Spare> Preallocator::make(std::optional<Path> used, const std::stop_token& stop) {
  Spare spare;
  if (used) {
    spare.path = *std::move(used);
  } else {
    const std::uint64_t free = TRY(files_.free_bytes(options_.folder));
    if (free < options_.segment_bytes + options_.min_free_bytes) {
      return fail(Code::kResourceExhausted,
                  "the disk is nearly full: " + std::to_string(free >> 20U) +
                      " MiB are free, a journal segment and what is to stay free need " +
                      std::to_string((options_.segment_bytes + options_.min_free_bytes) >> 20U));
    }
    const std::lock_guard lock(mutex_);
    spare.path = next_path();
  }
  const auto made = [&]() -> Result<void> {
    if (!TRY(files_.exists(spare.path))) {
      TRY(files_.open(spare.path, OpenMode::kCreateNew));
    }
    spare.file = TRY(files_.open(spare.path, OpenMode::kDurable));
    if (TRY(spare.file->size()) > options_.segment_bytes) {
      TRY(spare.file->truncate(options_.segment_bytes));
    }
    TRY(fill(*spare.file, stop));
    TRY(spare.file->sync());  // its size too
    return files_.sync_folder(options_.folder);
  };
  if (auto done = made(); !done) {
    (void)files_.remove(spare.path);
    return std::unexpected(std::move(done.error()).with_context("making a journal segment"));
  }
  return spare;
}

void Preallocator::run(const std::stop_token& stop) {
  name_thread("spares");
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (failure_ && !nudged_) {
      changed_.wait_for(lock, stop, kRetry, [this] { return nudged_ || used_; });
    } else {
      changed_.wait(lock, stop, [this] { return used_ || spares_.size() < options_.spares; });
    }
    nudged_ = false;
    if (stop.stop_requested()) return;
    if (!used_ && spares_.size() >= options_.spares) continue;
    if (options_.paced && !spares_.empty()) {
      // There is time: a used segment comes with the next publication.
      changed_.wait_for(lock, stop, kAwaitUsed, [this] { return used_ || spares_.empty(); });
      if (stop.stop_requested()) return;
    }
    std::optional<Path> used = std::exchange(used_, std::nullopt);
    making_ = true;
    lock.unlock();
    auto spare = make(std::move(used), stop);
    lock.lock();
    making_ = false;
    ++attempts_;
    if (spare) {
      spares_.push_back(*std::move(spare));
      ready_ = spares_.size();
      failure_.reset();
    } else {
      failure_ = std::move(spare.error());
    }
    stopped_ = failure_.has_value();
    changed_.notify_all();
  }
}

Result<Spare> Preallocator::take() {
  std::unique_lock lock(mutex_);
  const std::uint64_t before = attempts_;
  awaited_ = spares_.empty();
  changed_.wait(lock, [&] { return !spares_.empty() || (failure_ && attempts_ > before); });
  awaited_ = false;
  if (spares_.empty()) return std::unexpected(*failure_);
  Spare spare = std::move(spares_.front());
  spares_.pop_front();
  ready_ = spares_.size();
  changed_.notify_all();
  return spare;
}

Result<bool> Preallocator::recycle(const Path& segment) {
  Path path;
  {
    const std::lock_guard lock(mutex_);
    if (making_ || used_ || spares_.size() >= options_.spares) return false;
    path = next_path();
  }
  TRY(files_.rename(segment, path));
  const std::lock_guard lock(mutex_);
  used_ = std::move(path);
  changed_.notify_all();
  return true;
}

void Preallocator::settle() {
  std::unique_lock lock(mutex_);
  awaited_ = true;
  changed_.wait(lock, [&] { return !used_ && !making_; });
  awaited_ = false;
}

Result<void> Preallocator::health() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return std::unexpected(*failure_);
  return {};
}

void Preallocator::nudge() {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
}

}  // namespace candor::store
