// Property: however an engine cuts a text, the calls that are read of it are the same, and what is
// read to its end has arguments with balanced brackets and names of the request's tools only.
#include <cstdint>

#include "base/check.h"
#include "dialect/internal/forced_calls.h"

namespace {

using candor::dialect::AnswerBuilder;
using candor::dialect::AnswerEvent;
using candor::dialect::ForcedCallReader;

struct Read {
  bool good = true;
  bool complete = false;
  std::vector<std::pair<std::string, std::string>> calls;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view text, bool list, std::size_t step) {
  ForcedCallReader reader({"f", "weather"}, list);
  AnswerBuilder builder;
  Read out;
  while (!text.empty() && out.good) {
    const std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    std::vector<AnswerEvent> events;
    out.good = reader.feed(0, piece, events);
    for (const AnswerEvent& event : events) builder.add(event);
  }
  if (!out.good) return out;
  out.complete = reader.complete();
  const auto answer = std::move(builder).take();
  for (const auto& call : answer.choices.front().tool_calls) {
    out.calls.emplace_back(call.name.reveal(), call.arguments.reveal());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool list = (data[0] & 1U) != 0;
  const std::size_t step = 1 + (data[0] >> 1U);
  const Read whole = read(text, list, size);
  CANDOR_CHECK(read(text, list, 1) == whole && read(text, list, step) == whole);
  if (!whole.complete) return 0;
  CANDOR_CHECK(!whole.calls.empty());
  for (const auto& [name, arguments] : whole.calls) {
    CANDOR_CHECK(name == "f" || name == "weather");
    CANDOR_CHECK(arguments.starts_with('{') &&
                 (arguments.ends_with('}') || arguments.ends_with(']')));
  }
  return 0;
}
