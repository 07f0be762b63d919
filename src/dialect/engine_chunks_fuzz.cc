// Property: payloads (one a line; the first byte picks the API) give events whose text is UTF-8
// and within bounds, however hostile; every writer turns them into valid output; and the same
// payloads read twice give the same transcript.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dialect/engine_codec.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"

namespace {

using namespace candor;
using namespace candor::dialect;

Transcript read(const Exchange& exchange, std::string_view input,
                std::vector<AnswerEvent>& events) {
  EngineLimits limits;
  limits.max_text_bytes = 4096;
  EngineReader reader(exchange, limits);
  bool good = true;
  while (good && !input.empty()) {
    const std::size_t end = input.find('\n');
    good = reader.event(input.substr(0, end), events).has_value();
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  }
  static_cast<void>(reader.end(events).has_value());
  AnswerBuilder builder(exchange.choice_count());
  for (const AnswerEvent& event : events) builder.add(event);
  // A held byte becomes three.
  CANDOR_CHECK(builder.text_bytes() <= 3 * (limits.max_text_bytes + 64));
  return answer_transcript(std::move(builder).take());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Exchange exchange;
  // The first byte: which API, and what was asked of it.
  constexpr Api kApis[] = {Api::kOpenAiChat,      Api::kOpenAiCompletions, Api::kAnthropicMessages,
                           Api::kOpenAiResponses, Api::kOllamaChat,        Api::kOllamaGenerate};
  exchange.api = kApis[(data[0] & 0x0FU) % std::size(kApis)];
  if (exchange.api == Api::kOpenAiCompletions) exchange.prompts.emplace_back();
  if (exchange.prompts.empty() && exchange.api != Api::kOllamaGenerate) {
    for (const char* name : {"f", "weather"}) exchange.tools.push_back({Text(name), {}, {}});
  }
  if (!exchange.tools.empty() && (data[0] & 0x10U) != 0) {
    exchange.tool_choice.mode = ToolChoice::Mode::kRequired;
    exchange.parameters.parallel_calls = (data[0] & 0x20U) != 0;
  }
  exchange.parameters.logprobs = (data[0] & 0x40U) != 0;
  exchange.parameters.top_logprobs = 2;
  exchange.parameters.max_tokens = 64;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const bool stream : {false, true}) {
    exchange.stream = stream;
    std::vector<AnswerEvent> events;
    const Transcript first = read(exchange, input, events);
    for (const TranscriptField& field : first) CANDOR_CHECK(is_utf8(field.text.reveal()));
    const auto writer =
        dialect_of(exchange.api)
            .make_writer(writer_options(exchange, "00112233445566778899aabbccddeeff", "m", 1));
    std::string out;
    for (const AnswerEvent& event : events) writer->write(event, out);
    writer->finish({.exchange = "00112233445566778899aabbccddeeff", .receipt = "r"}, out);
    const auto saved = read_saved_response(out);
    CANDOR_CHECK(saved.has_value());
    const Transcript again = answer_transcript(saved->answer);
    CANDOR_CHECK(again.size() == first.size());
    for (std::size_t i = 0; i < first.size(); ++i) {
      CANDOR_CHECK(again[i].path == first[i].path &&
                   again[i].text.reveal() == first[i].text.reveal());
    }
  }
  return 0;
}
