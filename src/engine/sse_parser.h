// Incremental, bounded parser of Server-Sent Events (WHATWG HTML section 9.2.6) from an engine,
// which is a hostile peer (S16). Pure; the same events come out however the bytes are split.
//
// Only `data` matters here; `event` is kept for upstreams that use it; `id`, `retry` and comments
// are skipped but counted against the bounds. Lines end with LF, CRLF or CR; a leading BOM is
// skipped; an event without its blank line is never delivered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor::engine {

struct SseLimits {
  std::size_t max_line_bytes = 1U << 20U;
  std::size_t max_event_bytes = 4U << 20U;  // the joined data of one event
  std::uint64_t max_total_bytes = 256ULL << 20U;
};

struct SseEvent {
  std::string type;  // empty: "message"
  std::string data;
};

class SseParser {
 public:
  explicit SseParser(SseLimits limits = {}) : limits_(limits) {}
  // Appends bytes. kResourceExhausted once a bound is passed; the parser then stays failed.
  [[nodiscard]] Result<void> feed(std::string_view bytes);
  // The next complete event, or false. Call until false after each feed.
  [[nodiscard]] bool next(SseEvent& event);
  // True while next() would give an event.
  [[nodiscard]] bool ready() const noexcept { return read_ < events_.size(); }
  [[nodiscard]] std::uint64_t total_bytes() const noexcept { return total_; }

 private:
  [[nodiscard]] Result<void> end_line(std::string_view line);

  SseLimits limits_;
  std::string line_;  // the unfinished line
  SseEvent current_;  // the unfinished event
  bool has_data_ = false;
  bool after_cr_ = false;
  bool failed_ = false;
  std::size_t bom_seen_ = 0;  // bytes of a leading BOM matched so far; 4: start is over
  std::uint64_t total_ = 0;
  std::vector<SseEvent> events_;
  std::size_t read_ = 0;
};

}  // namespace candor::engine
