// What the disk allows: durable appends by group commit into a preallocated file, with nothing of
// Candor around them. Each exchange makes --appends appends in series (the second starts when the
// first is durable), as a governed exchange must; exchanges arrive at a constant rate.
//
// usage: bench_append_floor --dir FOLDER --rate PER_SECOND --seconds S [--first BYTES]
//          [--second BYTES] [--appends 2] [--method flush|dsync|direct] [--warmup S]
//
// A batch begins on a page boundary, as in the journal: a torn write cannot reach what was
// acknowledged. Methods: write and fdatasync; write with RWF_DSYNC; O_DIRECT with RWF_DSYNC.
// One thread makes exchanges and hears of them, one writes. Latency counts from the scheduled time.
// Prints one JSON object, microseconds.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "net.h"
#include "percentile.h"

namespace candor::bench {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kFileBytes = 64U << 20U;

struct Append {
  std::uint64_t exchange = 0;
  int step = 0;
  std::size_t bytes = 0;
};

class Floor {
 public:
  explicit Floor(const Arguments& arguments)
      : method_(arguments.text("method", "flush")),
        first_bytes_(static_cast<std::size_t>(arguments.number("first", 1500))),
        second_bytes_(static_cast<std::size_t>(arguments.number("second", 1000))),
        appends_(static_cast<int>(arguments.number("appends", 2))),
        rate_(arguments.number("rate", 2000)),
        warmup_ns_(static_cast<std::int64_t>(arguments.number("warmup", 0) * 1e9)),
        run_ns_(static_cast<std::int64_t>(arguments.number("seconds", 3) * 1e9)) {
    const std::string path = arguments.text("dir", ".") + "/append-floor.bin";
    fd_ = open(path.c_str(),
               O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | (method_ == "direct" ? O_DIRECT : 0), 0600);
    if (fd_ < 0) die("open " + path);
    (void)unlink(path.c_str());
    buffer_ = static_cast<char*>(std::aligned_alloc(kPage, kFileBytes / 4));
    std::memset(buffer_, 0, kFileBytes / 4);
    for (std::size_t at = 0; at < kFileBytes; at += kFileBytes / 4) {
      if (pwrite(fd_, buffer_, kFileBytes / 4, static_cast<off_t>(at)) < 0) die("pwrite");
    }
    if (fsync(fd_) != 0) die("fsync");
    for (std::size_t i = 0; i < kFileBytes / 4; ++i)
      buffer_[i] = static_cast<char>(i * 2654435761U >> 13U);
    wake_writer_ = eventfd(0, EFD_CLOEXEC);
    wake_maker_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  }

  int run() {
    std::thread writer([this] { write_loop(); });
    const std::int64_t begin = now_ns() + 1'000'000;
    const auto total =
        static_cast<std::uint64_t>(rate_ * static_cast<double>(warmup_ns_ + run_ns_) / 1e9);
    const double gap = 1e9 / rate_;
    const auto due = [&](std::uint64_t i) {
      return begin + static_cast<std::int64_t>(static_cast<double>(i) * gap);
    };
    std::uint64_t made = 0, finished = 0;
    std::vector<Append> done;
    while (finished < total) {
      while (made < total && due(made) <= now_ns()) submit({made++, 1, first_bytes_});
      {
        const std::lock_guard lock(mutex_);
        done.swap(done_);
      }
      for (const Append& append : done) {
        if (append.step < appends_) {
          submit({append.exchange, append.step + 1, second_bytes_});
          continue;
        }
        ++finished;
        if (due(append.exchange) >= begin + warmup_ns_)
          latency_.push_back(now_ns() - due(append.exchange));
      }
      done.clear();
      if (finished == total) break;
      const std::int64_t left =
          made < total ? std::max<std::int64_t>(due(made) - now_ns(), 0) : 100'000'000;
      const timespec wait{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
      pollfd one{.fd = wake_maker_, .events = POLLIN, .revents = 0};
      if (ppoll(&one, 1, &wait, nullptr) > 0) {
        std::uint64_t ignored = 0;
        (void)!read(wake_maker_, &ignored, sizeof ignored);
      }
    }
    stopping_ = true;
    poke(wake_writer_);
    writer.join();
    const auto flushes = flush_.size();
    const double mean =
        static_cast<double>(written_) / static_cast<double>(std::max<std::size_t>(flushes, 1));
    std::printf(
        "{\"exchanges\":%zu,\"per_s\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_"
        "us\":%.1f,"
        "\"max_us\":%.1f,\"flushes\":%zu,\"appends_per_flush\":%.2f,\"flush_p50_us\":%.1f,\"flush_"
        "p99_us\":%.1f,"
        "\"flush_p999_us\":%.1f,\"flush_max_us\":%.1f}\n",
        latency_.size(), rate_, percentile(latency_, .5), percentile(latency_, .9),
        percentile(latency_, .99), percentile(latency_, .999), percentile(latency_, 1), flushes,
        mean, percentile(flush_, .5), percentile(flush_, .99), percentile(flush_, .999),
        percentile(flush_, 1));
    return 0;
  }

 private:
  static void poke(int fd) {
    const std::uint64_t one = 1;
    (void)!write(fd, &one, sizeof one);
  }

  void submit(Append append) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = queue_.empty();
      queue_.push_back(append);
    }
    if (was_empty) poke(wake_writer_);
  }

  void write_loop() {
    std::vector<Append> batch;
    while (!stopping_) {
      std::uint64_t ignored = 0;
      (void)!read(wake_writer_, &ignored, sizeof ignored);
      for (;;) {
        {
          const std::lock_guard lock(mutex_);
          batch.swap(queue_);
        }
        if (batch.empty()) break;
        std::size_t bytes = 0;
        for (const Append& append : batch) bytes += append.bytes;
        flush_.push_back(commit(std::min(bytes, kFileBytes / 4)));
        written_ += batch.size();
        {
          const std::lock_guard lock(mutex_);
          done_.insert(done_.end(), batch.begin(), batch.end());
        }
        batch.clear();
        poke(wake_maker_);
      }
    }
  }

  std::int64_t commit(std::size_t bytes) {
    const std::size_t pages = (bytes + kPage - 1) / kPage * kPage;
    if (at_ + pages > kFileBytes) at_ = 0;
    const std::int64_t begin = now_ns();
    const iovec part{.iov_base = buffer_, .iov_len = method_ == "direct" ? pages : bytes};
    if (method_ == "flush") {
      if (pwritev(fd_, &part, 1, static_cast<off_t>(at_)) < 0 || fdatasync(fd_) != 0)
        die("write and flush");
    } else if (pwritev2(fd_, &part, 1, static_cast<off_t>(at_), RWF_DSYNC) < 0) {
      die("write");
    }
    at_ += pages;
    return now_ns() - begin;
  }

  std::string method_;
  std::size_t first_bytes_, second_bytes_;
  int appends_;
  double rate_;
  std::int64_t warmup_ns_, run_ns_;
  int fd_ = -1;
  char* buffer_ = nullptr;
  std::size_t at_ = 0;
  int wake_writer_ = -1, wake_maker_ = -1;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<Append> queue_, done_;
  std::vector<std::int64_t> latency_, flush_;
  std::uint64_t written_ = 0;
};

}  // namespace
}  // namespace candor::bench

int main(int argc, char** argv) {
  using namespace candor::bench;
  const Arguments arguments(argc, argv);
  (void)prctl(PR_SET_TIMERSLACK, 1);
  return Floor(arguments).run();
}
