// Time zones: fixed offsets, and the system's zone files (TZif, RFC 9636) with the rule that their
// footer gives for times beyond the last change. Leap seconds are not counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"

namespace candor::cel {

// "+05:30", "-02:00", "02:00": seconds east of UTC; nothing for any other text.
[[nodiscard]] std::optional<std::int32_t> fixed_offset(std::string_view text) noexcept;

class Zone {
 public:
  // kInvalidArgument: not a zone file that this reads. Safe on hostile input.
  [[nodiscard]] static Result<Zone> parse(ByteView tzif);
  [[nodiscard]] std::int32_t offset_at(std::int64_t utc_seconds) const noexcept;

 private:
  // When one kind of time ends and the other begins, in the footer's rule (POSIX TZ, form M only).
  struct Switch {
    std::int32_t month = 0, week = 0, day = 0, seconds = 0;
  };
  struct Footer {
    std::int32_t standard = 0;
    std::optional<std::int32_t> summer;  // unset: no switches
    Switch to_summer, to_standard;
  };
  [[nodiscard]] static std::optional<Footer> parse_footer(std::string_view text);
  [[nodiscard]] std::int32_t by_footer(std::int64_t utc_seconds) const noexcept;

  std::vector<std::int64_t> changes_;
  std::vector<std::int32_t> offsets_;  // after each change
  std::int32_t before_ = 0;
  std::optional<Footer> footer_;
};

// The zones of a folder, each read when it is first asked for. Thread-safe.
class Zones {
 public:
  explicit Zones(FileSystem& fs, Path folder = "/usr/share/zoneinfo");
  // nullptr: no such zone. The zone lives as long as this.
  [[nodiscard]] const Zone* find(std::string_view name);

 private:
  FileSystem& fs_;
  Path folder_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Zone>, std::less<>> known_;
};

}  // namespace candor::cel
