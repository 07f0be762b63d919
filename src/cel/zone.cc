#include "cel/zone.h"

#include <algorithm>

#include "base/text.h"
#include "cel/time.h"

namespace candor::cel {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::uint64_t kMaxFileBytes = 64U << 10U;

// POSIX TZ (IEEE Std 1003.1, section 8.3), read from the left.
class Posix {
 public:
  explicit Posix(std::string_view text) : rest_(text) {}
  bool name() {
    if (take('<')) {
      const std::size_t end = rest_.find('>');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
      return true;
    }
    std::size_t letters = 0;
    while (letters < rest_.size() &&
           ((rest_[letters] | 0x20) >= 'a' && (rest_[letters] | 0x20) <= 'z')) {
      ++letters;
    }
    rest_.remove_prefix(letters);
    return letters >= 3;
  }
  bool number(std::int32_t& out) {
    out = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && digits < 4 && rest_[digits] >= '0' && rest_[digits] <= '9') {
      out = out * 10 + (rest_[digits++] - '0');
    }
    rest_.remove_prefix(digits);
    return digits > 0;
  }
  // [+-]h[:m[:s]] in seconds.
  bool clock(std::int32_t& seconds) {
    const bool below = take('-');
    if (!below) take('+');
    std::int32_t part = 0;
    if (!number(part)) return false;
    seconds = part * 3600;
    for (const std::int32_t unit : {60, 1}) {
      if (!take(':')) break;
      if (!number(part)) return false;
      seconds += part * unit;
    }
    if (below) seconds = -seconds;
    return true;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Result<std::int64_t> signed64(ByteReader& in) { return static_cast<std::int64_t>(TRY(in.u64())); }

struct Header {
  std::uint32_t version = 0, utc_count = 0, std_count = 0, leaps = 0, times = 0, types = 0,
                chars = 0;
};

Result<Header> read_header(ByteReader& in) {
  const auto wrong = [] { return fail(Code::kInvalidArgument, "not a zone file"); };
  if (as_text(TRY(in.bytes(4))) != "TZif") return wrong();
  Header h;
  h.version = TRY(in.u8());
  TRY(in.bytes(15));
  h.utc_count = TRY(in.u32());
  h.std_count = TRY(in.u32());
  h.leaps = TRY(in.u32());
  h.times = TRY(in.u32());
  h.types = TRY(in.u32());
  h.chars = TRY(in.u32());
  constexpr std::uint32_t kMost = 1U << 16U;
  if (h.types == 0 ||
      std::max({h.utc_count, h.std_count, h.leaps, h.times, h.types, h.chars}) > kMost) {
    return wrong();
  }
  return h;
}

}  // namespace

std::optional<std::int32_t> fixed_offset(std::string_view text) noexcept {
  const bool below = text.starts_with('-');
  if (below || text.starts_with('+')) text.remove_prefix(1);
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) {
    return {};
  }
  const auto two = [&](std::size_t i) { return (text[i] - '0') * 10 + (text[i + 1] - '0'); };
  if (two(0) > 23 || two(3) > 59) return {};
  const std::int32_t seconds = two(0) * 3600 + two(3) * 60;
  return below ? -seconds : seconds;
}

Result<Zone> Zone::parse(ByteView tzif) {
  const auto wrong = [] { return fail(Code::kInvalidArgument, "not a zone file"); };
  ByteReader in(tzif);
  const Header first = TRY(read_header(in));
  if (first.version < '2') return wrong();  // nobody has written version 1 for decades
  TRY(in.bytes(std::size_t{first.times} * 5 + std::size_t{first.types} * 6 + first.chars +
               std::size_t{first.leaps} * 8 + first.std_count + first.utc_count));
  const Header h = TRY(read_header(in));
  Zone out;
  for (std::uint32_t i = 0; i < h.times; ++i) out.changes_.push_back(TRY(signed64(in)));
  if (!std::ranges::is_sorted(out.changes_)) return wrong();
  const ByteView indices = TRY(in.bytes(h.times));
  std::vector<std::int32_t> types;
  for (std::uint32_t i = 0; i < h.types; ++i) {
    types.push_back(static_cast<std::int32_t>(TRY(in.u32())));
    if (types.back() < -93'600 || types.back() > 93'600) return wrong();
    TRY(in.bytes(2));
  }
  for (const std::byte index : indices) {
    if (static_cast<std::size_t>(index) >= types.size()) return wrong();
    out.offsets_.push_back(types[static_cast<std::size_t>(index)]);
  }
  out.before_ = types[0];
  TRY(in.bytes(h.chars + std::size_t{h.leaps} * 12 + h.std_count + h.utc_count));
  const std::string_view footer = as_text(TRY(in.bytes(in.remaining())));
  if (footer.size() >= 2 && footer.front() == '\n' && footer.back() == '\n') {
    out.footer_ = parse_footer(footer.substr(1, footer.size() - 2));
  }
  return out;
}

std::optional<Zone::Footer> Zone::parse_footer(std::string_view text) {
  Posix in(text);
  Footer out;
  std::int32_t west = 0;
  if (!in.name() || !in.clock(west)) return {};
  out.standard = -west;
  if (in.done()) return out;
  if (!in.name()) return {};
  std::int32_t summer = out.standard + 3600;
  if (!in.take(',')) {
    if (!in.clock(west) || !in.take(',')) return {};
    summer = -west;
  }
  out.summer = summer;
  for (Switch* rule : {&out.to_summer, &out.to_standard}) {
    if (rule == &out.to_standard && !in.take(',')) return {};
    if (!in.take('M') || !in.number(rule->month) || !in.take('.') || !in.number(rule->week) ||
        !in.take('.') || !in.number(rule->day)) {
      return {};
    }
    rule->seconds = 7200;
    if (in.take('/') && !in.clock(rule->seconds)) return {};
    if (rule->month < 1 || rule->month > 12 || rule->week < 1 || rule->week > 5 || rule->day > 6) {
      return {};
    }
  }
  if (!in.done()) return {};
  return out;
}

std::int32_t Zone::by_footer(std::int64_t utc_seconds) const noexcept {
  if (!footer_->summer) return footer_->standard;
  const std::int64_t year = to_civil(utc_seconds + footer_->standard).year;
  const auto moment = [&](const Switch& rule, std::int32_t offset_before) {
    const std::int64_t first = days_from_civil(year, rule.month, 1);
    const auto weekday = static_cast<std::int32_t>(((first + 4) % 7 + 7) % 7);
    std::int64_t day = first + (rule.day - weekday + 7) % 7 + 7 * (rule.week - 1);
    const std::int64_t next = rule.month == 12 ? days_from_civil(year + 1, 1, 1)
                                               : days_from_civil(year, rule.month + 1, 1);
    if (day >= next) day -= 7;  // week 5 is the last one
    return day * kDay + rule.seconds - offset_before;
  };
  const std::int64_t begin = moment(footer_->to_summer, footer_->standard);
  const std::int64_t end = moment(footer_->to_standard, *footer_->summer);
  const bool summer = begin < end ? utc_seconds >= begin && utc_seconds < end
                                  : utc_seconds >= begin || utc_seconds < end;
  return summer ? *footer_->summer : footer_->standard;
}

std::int32_t Zone::offset_at(std::int64_t utc_seconds) const noexcept {
  const auto next = std::ranges::upper_bound(changes_, utc_seconds);
  if (next == changes_.end() && footer_) return by_footer(utc_seconds);
  if (next == changes_.begin()) return before_;
  return offsets_[static_cast<std::size_t>(next - changes_.begin()) - 1];
}

Zones::Zones(FileSystem& fs, Path folder) : fs_(fs), folder_(std::move(folder)) {}

const Zone* Zones::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(name); known != known_.end()) return known->second.get();
  // Names as the database has them; nothing that could leave the folder.
  const bool good = !name.empty() && name.size() <= 64 && name.front() != '/' &&
                    std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/';
                    });
  if (!good) return nullptr;
  // Older names are links to newer ones, which the file system seam does not follow.
  std::error_code failed;
  const Path file = std::filesystem::canonical(folder_ / name, failed);
  std::unique_ptr<Zone> zone;
  if (!failed) {
    if (const auto bytes = read_file(fs_, file, kMaxFileBytes)) {
      if (auto parsed = Zone::parse(*bytes)) zone = std::make_unique<Zone>(*std::move(parsed));
    }
  }
  const Zone* found = zone.get();
  constexpr std::size_t kMostKept = 2'000;
  if (found != nullptr || known_.size() < kMostKept) known_.emplace(name, std::move(zone));
  return found;
}

}  // namespace candor::cel
