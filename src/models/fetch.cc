#include "models/fetch.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::models {
namespace {

using Range = Ranges::Range;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string label_of(const Plan& plan, std::size_t index) {
  return plan.inside.empty() ? part_label(index) : std::string(kWheelPart);
}

bool worth_trying(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded;
}

std::unexpected<Error> lies(std::string what) {
  return fail(Code::kDataLoss, std::move(what) + "; nothing of this answer was kept");
}

// One file. Threads share the part under mutex_; each has a client of its own.
class FileFetch {
 public:
  FileFetch(Part& part, const PlannedFile& file, const FetchOptions& options)
      : part_(part), file_(file), options_(options), checkpoint_at_(Clock::now()) {}

  Result<void> run() {
    TRY(begin());
    if (ranged_) {
      std::vector<std::thread> threads;
      const std::uint64_t missing = part_.fetched().size - part_.fetched().ranges.bytes();
      const std::uint64_t useful = missing / options_.chunk_bytes + 1;
      const int count = static_cast<int>(
          std::min<std::uint64_t>(useful, static_cast<std::uint64_t>(options_.connections)));
      for (int i = 1; i < count; ++i) threads.emplace_back([this] { work(nullptr); });
      work(client_.get());
      for (std::thread& thread : threads) thread.join();
    }
    const std::lock_guard lock(mutex_);
    // What is there stays there, whatever went wrong.
    const auto kept = part_.checkpoint();
    if (error_) return std::unexpected(*error_);
    TRY(kept);
    if (!part_.complete()) return fail(Code::kUnavailable, "the file did not come whole");
    return {};
  }

 private:
  // The first bytes that are missing: they say the size, and whether ranges are to be had.
  Result<void> begin() {
    client_ = TRY(options_.client());
    for (int attempt = 0;; ++attempt) {
      const bool sized = part_.fetched().size > 0;
      Range first{0, options_.chunk_bytes};
      if (sized) {
        const auto gap = part_.fetched().ranges.missing(part_.fetched().size, options_.chunk_bytes);
        if (!gap) return {};
        first = *gap;
      } else if (file_.size) {
        first.end = std::max<std::uint64_t>(1, std::min(first.end, *file_.size));
      }
      const std::uint64_t before = part_.fetched().ranges.bytes();
      const auto done = get(*client_, first, /*first=*/true);
      if (done) return {};
      if (part_.fetched().ranges.bytes() > before) attempt = 0;
      if (!worth_trying(done.error().code()) || attempt + 1 >= options_.tries) {
        (void)part_.checkpoint();
        return done;
      }
      pause(attempt);
    }
  }

  void work(HttpClient* client) {
    std::unique_ptr<HttpClient> own;
    if (client == nullptr) {
      auto made = options_.client();
      if (!made) return;  // the others go on
      own = *std::move(made);
      client = own.get();
    }
    for (int attempt = 0;;) {
      Range range;
      {
        const std::lock_guard lock(mutex_);
        if (error_) return;
        const auto gap =
            part_.fetched().ranges.missing(part_.fetched().size, options_.chunk_bytes, taken_);
        if (!gap) return;
        range = *gap;
        taken_.push_back(range);
      }
      const auto done = get(*client, range, /*first=*/false);
      const std::lock_guard lock(mutex_);
      std::erase(taken_, range);
      const std::uint64_t there = part_.fetched().ranges.bytes();
      if (done) {
        attempt = 0;
        continue;
      }
      if (there > seen_) attempt = 0;
      seen_ = there;
      ++attempt;
      if (!worth_trying(done.error().code()) || attempt >= options_.tries) {
        if (!error_) error_ = done.error();
        return;
      }
      const auto unlocked = [&] {
        mutex_.unlock();
        pause(attempt - 1);
        mutex_.lock();
      };
      unlocked();
    }
  }

  void pause(int attempt) const {
    const auto wait = std::min<std::chrono::milliseconds>(500ms * (1 << std::min(attempt, 5)), 8s);
    if (options_.pause) {
      options_.pause(wait);
    } else {
      std::this_thread::sleep_for(wait);
    }
  }

  Result<void> get(HttpClient& client, Range range, bool first) {
    std::uint64_t at = range.begin;
    std::uint64_t end = range.end;
    const auto on_head = [&](const HttpHead& head) -> Result<void> {
      const std::lock_guard lock(mutex_);
      TRY(check_head(head, range, first));
      if (!ranged_) {
        at = 0;
        end = part_.fetched().size;
      }
      end = std::min(end, part_.fetched().size);
      return {};
    };
    const auto on_body = [&](ByteView data) -> Result<void> {
      const std::lock_guard lock(mutex_);
      if (error_) return fail(Code::kCancelled, "another connection failed");
      if (data.size() > end - at) {
        return lies(fmt::format("{}: the server sent more than it was asked for", file_.path));
      }
      TRY(part_.write(at, data));
      at += data.size();
      if (options_.advance) options_.advance(data.size());
      unsaved_ += data.size();
      if (unsaved_ >= options_.checkpoint_bytes || Clock::now() - checkpoint_at_ > 1s) {
        TRY(part_.checkpoint());
        unsaved_ = 0;
        checkpoint_at_ = Clock::now();
      }
      return {};
    };
    TRY(client.get({.url = file_.url, .range = range}, on_head, on_body));
    if (at != end) {
      return fail(Code::kUnavailable,
                  fmt::format("{}: the answer ended {} bytes early", file_.path, end - at));
    }
    return {};
  }

  // Under mutex_.
  Result<void> check_head(const HttpHead& head, Range range, bool first) {
    std::uint64_t total = 0;
    if (head.status == 206) {
      if (!head.range || head.range->begin != range.begin || head.range->end > range.end ||
          (head.range->end != range.end && head.range->end != head.range->total)) {
        return lies(
            fmt::format("{}: the server answered another range than was asked for", file_.path));
      }
      total = head.range->total;
    } else {
      if (!first)
        return fail(Code::kUnavailable, file_.path + ": the server stopped giving ranges");
      if (!head.length && !file_.size) {
        return fail(Code::kFailedPrecondition,
                    file_.path + ": the server says neither size nor range");
      }
      total = head.length.value_or(file_.size.value_or(0));
    }
    if (total > kMaxFileBytes) return lies(file_.path + ": a size beyond any model's");
    if (file_.size && *file_.size != total) {
      return lies(fmt::format("{}: {} bytes were published, the server has {}", file_.path,
                              *file_.size, total));
    }
    if (file_.sha256 && !head.linked_etag.empty() && head.linked_etag.size() == 66 &&
        head.linked_etag.substr(1, 64) != to_hex(*file_.sha256)) {
      return lies(
          fmt::format("{}: the server's X-Linked-Etag is not the digest it published", file_.path));
    }
    const std::uint64_t before = part_.fetched().size;
    const bool other = before > 0 && (before != total || part_.fetched().etag != head.etag);
    if (!first && other) {
      return fail(Code::kFailedPrecondition,
                  file_.path + ": the server changed the file meanwhile; pull again");
    }
    if (first) {
      ranged_ = head.status == 206;
      if (!ranged_ && part_.fetched().ranges.bytes() > 0) TRY(part_.restart());
      TRY(part_.expect(total, head.etag));
      // Begun anew under a range from the middle: asked again from the start.
      if (other && range.begin > 0 && ranged_) {
        return fail(Code::kUnavailable, file_.path + ": the server has another file than before");
      }
    }
    return {};
  }

  Part& part_;
  const PlannedFile& file_;
  const FetchOptions& options_;
  std::unique_ptr<HttpClient> client_;
  std::mutex mutex_;
  std::vector<Range> taken_;
  std::optional<Error> error_;
  std::uint64_t unsaved_ = 0, seen_ = 0;
  Clock::time_point checkpoint_at_;
  bool ranged_ = true;
};

Result<void> copy_file(Part& part, const PlannedFile& file, const FetchOptions& options) {
  const auto from = TRY(real_file_system().open(file.url, OpenMode::kRead));
  const std::uint64_t size = TRY(from->size());
  if (file.size && *file.size != size) {
    return fail(Code::kFailedPrecondition, file.path + " changed meanwhile; pull it again");
  }
  TRY(part.restart());
  TRY(part.expect(size, ""));
  Bytes block(1U << 20U);
  for (std::uint64_t at = 0; at < size;) {
    const std::size_t count = std::min<std::uint64_t>(block.size(), size - at);
    TRY(from->read_at(at, std::span(block).first(count)));
    TRY(part.write(at, std::span(block).first(count)));
    at += count;
    if (options.advance) options.advance(count);
  }
  return part.checkpoint();
}

}  // namespace

Result<std::uint64_t> bytes_there(QuarantineEntry& entry, const Plan& plan) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    const Part part = TRY(entry.part(label_of(plan, i)));
    sum += part.fetched().ranges.bytes();
  }
  return sum;
}

Result<void> fetch(QuarantineEntry& entry, const Plan& plan, const FetchOptions& options) {
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    const PlannedFile& file = plan.files[i];
    Part part = TRY(entry.part(label_of(plan, i)));
    if (part.complete()) continue;
    if (file.url.starts_with('/')) {
      TRY(copy_file(part, file, options));
    } else if (file.size && *file.size == 0) {
      TRY(part.expect(0, ""));
      TRY(part.checkpoint());
    } else {
      FileFetch one(part, file, options);
      TRY(one.run());
    }
  }
  return {};
}

}  // namespace candor::models
