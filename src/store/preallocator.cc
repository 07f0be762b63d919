#include "store/internal/preallocator.h"

#include <algorithm>

namespace candor::store {
namespace {

constexpr std::size_t kChunk = 1U << 20U;
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

Result<Spare> Preallocator::make(const std::stop_token& stop) {
  const std::uint64_t free = TRY(files_.free_bytes(options_.folder));
  if (free < options_.segment_bytes + options_.min_free_bytes) {
    return fail(Code::kResourceExhausted,
                "the disk is nearly full: " + std::to_string(free >> 20U) +
                    " MiB are free, a journal segment and what is to stay free need " +
                    std::to_string((options_.segment_bytes + options_.min_free_bytes) >> 20U));
  }
  Spare spare{.file = nullptr,
              .path = options_.folder / ("spare-" + std::to_string(next_++) + ".zeros")};
  const auto fill = [&]() -> Result<void> {
    spare.file = TRY(files_.open(spare.path, OpenMode::kCreateNew));
    const Bytes zeros(std::min(kChunk, options_.segment_bytes));
    for (std::size_t at = 0; at < options_.segment_bytes; at += zeros.size()) {
      if (stop.stop_requested()) return fail(Code::kCancelled, "stopping");
      const std::size_t size = std::min(zeros.size(), options_.segment_bytes - at);
      TRY(spare.file->write_at(at, ByteView(zeros).first(size)));
    }
    TRY(spare.file->sync());
    return files_.sync_folder(options_.folder);
  };
  if (auto filled = fill(); !filled) {
    if (spare.file != nullptr) (void)files_.remove(spare.path);
    return std::unexpected(std::move(filled.error()).with_context("making a journal segment"));
  }
  return spare;
}

void Preallocator::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (failure_ && !nudged_) {
      changed_.wait_for(lock, stop, kRetry, [this] { return nudged_; });
    } else {
      changed_.wait(lock, stop, [this] { return spares_.size() < options_.spares; });
    }
    nudged_ = false;
    if (stop.stop_requested()) return;
    if (spares_.size() >= options_.spares) continue;
    lock.unlock();
    auto spare = make(stop);
    lock.lock();
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
  changed_.wait(lock, [&] { return !spares_.empty() || (failure_ && attempts_ > before); });
  if (spares_.empty()) return std::unexpected(*failure_);
  Spare spare = std::move(spares_.front());
  spares_.pop_front();
  ready_ = spares_.size();
  changed_.notify_all();
  return spare;
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
