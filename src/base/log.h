// Structured logs to standard error: one JSON object a line (or text on a terminal), UTC, a level,
// an event name that is a literal, and typed fields. A value can only be one of Field's types:
// there is no way to pass free text that came from a request (Sensitive<T> does not convert), so
// logs cannot hold a prompt, an answer or a secret (A10). Thread-safe; never blocks on a slow
// reader for more than one write.
//   log_info("engine.started", {{"model", Label("smollm2")}, {"pid", 123}});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace candor {

// A literal known when the program was built: consteval refuses anything made at run time.
class Literal {
 public:
  consteval Literal(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// A name from our own configuration or an id we made. Stripped to [A-Za-z0-9._:/@+-], 128 bytes.
class Label {
 public:
  explicit Label(std::string_view text);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct LogField {
  Literal name;
  std::variant<Literal, Label, std::int64_t, std::uint64_t, int, bool, Code> value;
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kJson, kText };

void log(LogLevel level, Literal event, std::initializer_list<LogField> fields = {});
inline void log_debug(Literal event, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kDebug, event, f);
}
inline void log_info(Literal event, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kInfo, event, f);
}
inline void log_warning(Literal event, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kWarning, event, f);
}
inline void log_error(Literal event, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kError, event, f);
}
// Process-wide, set once in main before threads start.
void set_log(LogLevel lowest, LogFormat format);

}  // namespace candor
