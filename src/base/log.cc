#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

namespace candor {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};
std::atomic<LogFormat> log_format{LogFormat::kJson};

constexpr std::size_t kMaxLabelBytes = 128;

constexpr bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._:/@+-").find(c) != std::string_view::npos;
}

constexpr std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

void append_value(std::string& out, const LogField& field, LogFormat format) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Literal> || std::is_same_v<T, Label>) {
          if (format == LogFormat::kJson) {
            append_quoted(out, value.text());
          } else {
            out += value.text();
          }
        } else if constexpr (std::is_same_v<T, Code>) {
          if (format == LogFormat::kJson) {
            append_quoted(out, to_string(value));
          } else {
            out += to_string(value);
          }
        } else {
          out += fmt::format("{}", value);
        }
      },
      field.value);
}

}  // namespace

Label::Label(std::string_view text) {
  for (const char c : text.substr(0, kMaxLabelBytes)) {
    if (is_label_char(c)) text_ += c;
  }
}

void log(LogLevel level, Literal event, std::initializer_list<LogField> fields) {
  if (level < lowest_level.load(std::memory_order_relaxed)) return;
  const LogFormat format = log_format.load(std::memory_order_relaxed);
  const std::int64_t now = system_clock().wall_us();
  std::string line;
  if (format == LogFormat::kJson) {
    line =
        fmt::format(R"({{"time":"{}","level":"{}","event":)", format_utc(now), level_name(level));
    append_quoted(line, event.text());
    for (const LogField& field : fields) {
      line += ',';
      append_quoted(line, field.name.text());
      line += ':';
      append_value(line, field, format);
    }
    line += "}\n";
  } else {
    line = fmt::format("{} {:<7} {}", format_local(now), level_name(level), event.text());
    for (const LogField& field : fields) {
      line += ' ';
      line += field.name.text();
      line += '=';
      append_value(line, field, format);
    }
    line += '\n';
  }
  // One write for each line: lines of several threads do not mix, and a reader that is gone or slow
  // costs one call.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

void set_log(LogLevel lowest, LogFormat format) {
  lowest_level.store(lowest, std::memory_order_relaxed);
  log_format.store(format, std::memory_order_relaxed);
}

}  // namespace candor
