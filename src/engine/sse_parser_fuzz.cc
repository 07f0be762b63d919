// Events are the same however the bytes are split, and no bound is ever passed. The first byte
// seeds the split points.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "engine/sse_parser.h"

namespace {

constexpr candor::engine::SseLimits kLimits{
    .max_line_bytes = 256, .max_event_bytes = 512, .max_total_bytes = 4'096};

struct Outcome {
  std::vector<std::string> events;
  bool refused = false;
};

Outcome run(std::string_view bytes, std::uint32_t seed) {
  candor::engine::SseParser parser(kLimits);
  Outcome out;
  while (!bytes.empty() && !out.refused) {
    seed = seed * 1664525U + 1013904223U;
    const std::size_t count =
        seed == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + (seed >> 16U) % 17);
    out.refused = !parser.feed(bytes.substr(0, count));
    bytes.remove_prefix(count);
    candor::engine::SseEvent event;
    while (parser.next(event)) {
      CANDOR_CHECK(event.data.size() <= kLimits.max_event_bytes);
      out.events.push_back(event.type + '\0' + event.data);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  candor::engine::SseParser whole(kLimits);
  const bool refused = !whole.feed(bytes);
  std::vector<std::string> events;
  candor::engine::SseEvent event;
  while (whole.next(event)) events.push_back(event.type + '\0' + event.data);
  const Outcome split = run(bytes, data[0]);
  CANDOR_CHECK(refused == split.refused || split.refused);
  if (!refused) {
    CANDOR_CHECK(!split.refused);
    CANDOR_CHECK(events == split.events);
  }
  return 0;
}
