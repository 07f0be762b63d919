#include "base/clock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sensitive.h"

namespace candor {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  CANDOR_CHECK(::clock_gettime(id, &t) == 0);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
}

class SystemClock final : public Clock {
 public:
  std::int64_t wall_us() override { return read_clock(CLOCK_REALTIME); }
  std::int64_t mono_us() override { return read_clock(CLOCK_MONOTONIC); }
};

// Small requests are served from a buffer of this thread, since an exchange makes a dozen of them
// and each call costs the kernel more than the bytes. Bytes handed out are wiped. The buffer's page
// is emptied in a child (MADV_WIPEONFORK), so no two processes get the same bytes.
class RandomBuffer {
 public:
  RandomBuffer() {
    void* const page =
        ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CANDOR_CHECK(page != MAP_FAILED);
    CANDOR_CHECK(::madvise(page, sizeof(Page), MADV_WIPEONFORK) == 0);
    page_ = new (page) Page{};
  }
  RandomBuffer(const RandomBuffer&) = delete;
  RandomBuffer& operator=(const RandomBuffer&) = delete;
  ~RandomBuffer() {
    wipe(page_, sizeof(Page));
    ::munmap(page_, sizeof(Page));
  }

  void take(std::span<std::byte> out) {
    if (page_->left < out.size()) {
      fill_from_kernel(page_->bytes);
      page_->left = page_->bytes.size();
    }
    page_->left -= out.size();
    const std::span<std::byte> given = std::span(page_->bytes).subspan(page_->left, out.size());
    std::ranges::copy(given, out.begin());
    wipe(given.data(), given.size());
  }
  static void fill_from_kernel(std::span<std::byte> out) {
    while (!out.empty()) {
      const auto got = ::getrandom(out.data(), out.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      CANDOR_CHECK(got > 0);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

 private:
  struct Page {
    std::size_t left = 0;  // zero in a child too: the first thing it does is to ask the kernel
    std::array<std::byte, 2040> bytes{};
  };
  Page* page_ = nullptr;
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override {
    constexpr std::size_t kSmall = 64;
    thread_local RandomBuffer buffer;
    if (out.size() <= kSmall) {
      buffer.take(out);
    } else {
      RandomBuffer::fill_from_kernel(out);
    }
  }
};

struct Split {  // floor, so that instants before 1970 come out right
  time_t seconds;
  std::int64_t micros;
};
Split split(std::int64_t wall_us) {
  std::int64_t seconds = wall_us / 1'000'000;
  std::int64_t micros = wall_us % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  return {seconds, micros};
}

std::string format_fields(const tm& t, std::int64_t micros) {
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, micros);
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

Id128 make_id(Random& random) {
  Id128 id{};
  random.fill(id);
  return id;
}

Result<Id128> id_from_hex(std::string_view text) {
  const Bytes bytes = TRY(from_hex(text));
  Id128 id{};
  if (bytes.size() != id.size()) return fail(Code::kInvalidArgument, "an id has 32 hex digits");
  std::ranges::copy(bytes, id.begin());
  return id;
}

std::string format_utc(std::int64_t wall_us) {
  const auto [seconds, micros] = split(wall_us);
  tm t{};
  ::gmtime_r(&seconds, &t);
  return format_fields(t, micros) + "Z";
}

std::string format_local(std::int64_t wall_us) {
  const auto [seconds, micros] = split(wall_us);
  tm t{};
  ::localtime_r(&seconds, &t);
  const long offset = t.tm_gmtoff / 60;
  const long magnitude = offset < 0 ? -offset : offset;
  return fmt::format("{}{}{:02}:{:02}", format_fields(t, micros), offset < 0 ? '-' : '+',
                     magnitude / 60, magnitude % 60);
}

}  // namespace candor
