// What one request of 1 KiB costs this module: parse, transcript, forward, read the engine's body,
// write. Each asserts its answer.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "dialect/dialect.h"
#include "dialect/engine_codec.h"
#include "dialect/transcript.h"

namespace candor::dialect {
namespace {

const std::string& request_body() {
  static const std::string kBody =
      R"({"model":"smollm2","messages":[{"role":"system","content":"You are brief."},{"role":"user",)"
      R"("content":")" +
      std::string(880, 'x') + R"("}],"temperature":0.7,"max_tokens":64})";
  return kBody;
}

Exchange parsed() {
  auto exchange = dialect_of(Api::kOpenAiChat).parse_request(Api::kOpenAiChat, request_body(), {});
  CANDOR_CHECK(exchange.has_value());
  return *std::move(exchange);
}

void parse_request(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parsed());
}
BENCHMARK(parse_request);

void forward(benchmark::State& state) {
  const Exchange exchange = parsed();
  for (auto _ : state) {
    const Exchange out = forwarded_exchange(exchange, 1, 100);
    benchmark::DoNotOptimize(request_transcript(exchange));
    benchmark::DoNotOptimize(request_transcript(out));
    benchmark::DoNotOptimize(build_engine_request(out, {}));
  }
}
BENCHMARK(forward);

// A stream of `pieces` tokens from the engine to the client's bytes.
void answer_stream(benchmark::State& state) {
  Exchange exchange = forwarded_exchange(parsed(), 1, 100'000);
  exchange.parameters.max_tokens = 1000;
  exchange.stream = true;
  const std::string piece =
      R"({"choices":[{"finish_reason":null,"index":0,"delta":{"content":" word"}}],"created":1,)"
      R"("id":"chatcmpl-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","model":"m","system_fingerprint":"b1-x",)"
      R"("object":"chat.completion.chunk"})";
  const std::string stop = R"({"choices":[{"finish_reason":"stop","index":0,"delta":{}}]})";
  const auto pieces = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    EngineReader reader(exchange);
    const auto writer = dialect_of(exchange.api)
                            .make_writer(writer_options(exchange, std::string(32, 'a'), "m", 1));
    std::vector<AnswerEvent> events;
    std::string out;
    for (std::size_t i = 0; i <= pieces; ++i) {
      events.clear();
      CANDOR_CHECK(reader.event(i == pieces ? stop : piece, events).has_value());
      for (const AnswerEvent& event : events) writer->write(event, out);
    }
    events.clear();
    CANDOR_CHECK(reader.end(events).has_value());
    writer->finish({"a", "r"}, out);
    benchmark::DoNotOptimize(out);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(answer_stream)->Arg(16)->Arg(256);

void answer_body(benchmark::State& state) {
  const Exchange exchange = forwarded_exchange(parsed(), 1, 1000);
  const std::string body =
      R"({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":")" +
      std::string(600, 'y') + R"("}}],"usage":{"completion_tokens":9,"prompt_tokens":9}})";
  for (auto _ : state) {
    EngineReader reader(exchange);
    const auto writer = dialect_of(exchange.api)
                            .make_writer(writer_options(exchange, std::string(32, 'a'), "m", 1));
    std::vector<AnswerEvent> events;
    std::string out;
    CANDOR_CHECK(reader.body(body, events).has_value());
    for (const AnswerEvent& event : events) writer->write(event, out);
    writer->finish({"a", "r"}, out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(answer_body);

}  // namespace
}  // namespace candor::dialect
