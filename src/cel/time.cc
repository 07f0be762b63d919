#include "cel/time.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace candor::cel {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::uint32_t kNanos = 1'000'000'000;

bool is_leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in(std::int64_t year, int month) {
  static constexpr std::array kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

// Reads RFC 3339 from the left.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool digits(std::size_t count, int& out) {
    if (rest_.size() < count) return false;
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      out = out * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  bool one_of(std::string_view characters, char* which = nullptr) {
    if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos) return false;
    if (which != nullptr) *which = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  // 1 to 9 digits after the point, as nanoseconds.
  bool fraction(std::uint32_t& nanos) {
    std::uint32_t unit = kNanos;
    nanos = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      unit /= 10;
      if (unit == 0) return false;
      nanos += static_cast<std::uint32_t>(rest_[0] - '0') * unit;
      rest_.remove_prefix(1);
    }
    return unit != kNanos;
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// Nanoseconds of one unit; 0 if there is none so named.
std::int64_t unit_nanos(std::string_view unit) {
  if (unit == "h") return 3'600'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "us" || unit == "\xC2\xB5s" || unit == "\xCE\xBCs") return 1'000;
  return unit == "ns" ? 1 : 0;
}

std::string fraction_text(std::uint32_t nanos) {
  if (nanos == 0) return {};
  std::string text = fmt::format(".{:09}", nanos);
  while (text.ends_with('0')) text.pop_back();
  return text;
}

}  // namespace

// Howard Hinnant's algorithms for the proleptic Gregorian calendar.
std::int64_t days_from_civil(std::int64_t year, int month, int day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Civil to_civil(std::int64_t seconds) noexcept {
  const std::int64_t days = (seconds >= 0 ? seconds : seconds - (kDay - 1)) / kDay;
  const auto of_day = static_cast<int>(seconds - days * kDay);
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_of_year = (5 * day_of_year + 2) / 153;
  Civil out;
  out.day = static_cast<int>(day_of_year - (153 * month_of_year + 2) / 5 + 1);
  out.month = static_cast<int>(month_of_year < 10 ? month_of_year + 3 : month_of_year - 9);
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  out.hour = of_day / 3600;
  out.minute = of_day / 60 % 60;
  out.second = of_day % 60;
  out.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  out.year_day = static_cast<int>(days - days_from_civil(out.year, 1, 1));
  return out;
}

bool in_range(Kind kind, Instant time) noexcept {
  if (kind == Kind::kTimestamp) {
    return time.seconds >= kMinTimestamp && time.seconds <= kMaxTimestamp;
  }
  if (time.seconds < -kMaxDuration || time.seconds > kMaxDuration) return false;
  return time.seconds != kMaxDuration || time.nanos == 0;
}

std::optional<Instant> parse_timestamp(std::string_view text) noexcept {
  Reader in(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::uint32_t nanos = 0;
  if (!in.digits(4, year) || !in.one_of("-") || !in.digits(2, month) || !in.one_of("-") ||
      !in.digits(2, day) || !in.one_of("Tt") || !in.digits(2, hour) || !in.one_of(":") ||
      !in.digits(2, minute) || !in.one_of(":") || !in.digits(2, second)) {
    return {};
  }
  if (in.one_of(".") && !in.fraction(nanos)) return {};
  char zone = 'Z';
  int zone_hours = 0, zone_minutes = 0;
  if (!in.one_of("Zz+-", &zone)) return {};
  if (zone == '+' || zone == '-') {
    if (!in.digits(2, zone_hours) || !in.one_of(":") || !in.digits(2, zone_minutes)) return {};
  }
  if (!in.done() || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
      minute > 59 || second > 59 || zone_hours > 23 || zone_minutes > 59) {
    return {};
  }
  const std::int64_t offset = (zone == '-' ? -1 : 1) * (zone_hours * 3600 + zone_minutes * 60);
  const Instant out{
      days_from_civil(year, month, day) * kDay + hour * 3600 + minute * 60 + second - offset,
      nanos};
  if (!in_range(Kind::kTimestamp, out)) return {};
  return out;
}

std::string format_timestamp(Instant time) {
  const Civil c = to_civil(time.seconds);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", c.year, c.month, c.day, c.hour,
                     c.minute, c.second, fraction_text(time.nanos));
}

std::optional<Instant> parse_duration(std::string_view text) noexcept {
  __extension__ using Wide = __int128;
  constexpr Wide kLimit = Wide{kMaxDuration} * kNanos;
  const bool below = text.starts_with('-');
  if (below || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return {};
  Wide sum = 0;
  if (text == "0") text = {};
  while (!text.empty()) {
    const auto digit = [&] { return !text.empty() && text[0] >= '0' && text[0] <= '9'; };
    Wide whole = 0;
    Wide fraction = 0;
    Wide scale = 1;
    bool any = false;
    for (; digit(); text.remove_prefix(1), any = true) {
      whole = whole * 10 + (text[0] - '0');
      if (whole > kLimit) return {};
    }
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      for (; digit(); text.remove_prefix(1), any = true) {
        if (scale > kNanos * Wide{1'000'000}) continue;  // digits below a nanosecond of any unit
        fraction = fraction * 10 + (text[0] - '0');
        scale *= 10;
      }
    }
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] != '.' &&
           !(text[letters] >= '0' && text[letters] <= '9')) {
      ++letters;
    }
    const std::int64_t unit = unit_nanos(text.substr(0, letters));
    if (!any || unit == 0) return {};
    text.remove_prefix(letters);
    sum += whole * unit + fraction * unit / scale;
    if (sum > kLimit) return {};
  }
  if (below) sum = -sum;
  Wide seconds = sum / kNanos;
  Wide nanos = sum % kNanos;
  if (nanos < 0) {
    nanos += kNanos;
    --seconds;
  }
  return Instant{static_cast<std::int64_t>(seconds), static_cast<std::uint32_t>(nanos)};
}

std::string format_duration(Instant length) {
  if (length.seconds >= 0 || length.nanos == 0) {
    return fmt::format("{}{}s", length.seconds, fraction_text(length.nanos));
  }
  return fmt::format("-{}{}s", -(length.seconds + 1), fraction_text(kNanos - length.nanos));
}

}  // namespace candor::cel
