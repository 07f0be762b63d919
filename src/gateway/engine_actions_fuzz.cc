// Property: whatever an engine does (testing/engine_script.h), the exchange ends when it closes or
// a deadline passes; what is released is what was read, in the dialect's form, and reads back as
// the same transcript; names, ids and reasons are the monitor's; bounds and token caps hold; errors
// have the dialect's shape. A lawful engine is heard to its last word, also on a connection that an
// unlawful one had before.
#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/testing/fake_clock.h"
#include "dialect/engine_codec.h"
#include "engine/engine_client.h"
#include "gateway/testing/answer_property.h"
#include "gateway/testing/engine_script.h"
#include "gateway/testing/pair_dialer.h"

namespace candor::gateway {
namespace {

namespace asio = boost::asio;
using dialect::Api;
using dialect::Exchange;
using dialect::Text;

constexpr std::string_view kExchange = "00112233445566778899aabbccddeeff";
constexpr engine::SseLimits kSse{
    .max_line_bytes = 4'096, .max_event_bytes = 6'000, .max_total_bytes = 48'000};
constexpr std::size_t kMaxBody = 12'000;
constexpr std::size_t kMaxText = 3'000;
constexpr std::uint32_t kMaxTokens = 64;

Exchange exchange_of(FuzzedDataProvider& data) {
  Exchange out;
  out.api = data.PickValueInArray({Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kOpenAiResponses,
                                   Api::kAnthropicMessages, Api::kOllamaChat, Api::kOllamaGenerate,
                                   Api::kOpenAiEmbeddings, Api::kOllamaEmbed,
                                   Api::kAnthropicCountTokens});
  out.model = "m";
  auto& p = out.parameters;
  p.max_tokens = data.ConsumeBool() ? kMaxTokens : data.ConsumeIntegralInRange(20U, kMaxTokens);
  p.seed = 1;
  const auto bits = data.ConsumeIntegral<std::uint8_t>();
  if (task_of(out.api) == dialect::Task::kEmbed) {
    out.inputs.resize(1 + (bits & 1U), Text("a"));
    out.base64_embeddings = (bits & 2U) != 0;
    return out;
  }
  const bool generates = task_of(out.api) == dialect::Task::kGenerate;
  out.stream = generates && (bits & 1U) != 0;
  out.include_usage = (bits & 2U) != 0;
  const bool many = out.api == Api::kOpenAiChat || out.api == Api::kOpenAiCompletions;
  if (many && (bits & 4U) != 0) p.n = 2;
  if (out.api == Api::kOpenAiCompletions) {
    out.prompts.resize(1 + ((bits & 8U) >> 3U), Text("a"));
  } else {
    out.messages.emplace_back().parts.push_back({Text("hi")});
    if (out.api == Api::kOllamaGenerate && (bits & 8U) != 0) {
      out.raw_prompt = true;
      out.messages.clear();
      out.prompts.emplace_back("a");
    } else if (out.api != Api::kOllamaGenerate && (bits & 16U) != 0) {
      for (const char* name : {"f", "weather"}) out.tools.push_back({Text(name), {}, {}});
      using enum dialect::ToolChoice::Mode;
      if (out.api != Api::kOllamaChat) {
        out.tool_choice.mode = data.PickValueInArray({kAuto, kAuto, kRequired, kNamed, kNone});
      }
      if (out.tool_choice.mode == kNamed) out.tool_choice.name = Text("f");
      if ((bits & 32U) != 0) p.parallel_calls = (bits & 64U) != 0;
    }
  }
  p.logprobs = generates && out.api != Api::kAnthropicMessages && (bits & 128U) != 0 &&
               (out.tools.empty() || (!out.stream && !out.forces_call()));
  p.top_logprobs = p.logprobs ? 2 : 0;
  return out;
}

// The reading side of one exchange: what the gateway's pump and release do, without a ledger.
struct Reading {
  std::unique_ptr<engine::EngineStream> stream;
  std::optional<dialect::ErrorInfo> error;
  std::string out;
  bool started = false;  // a byte of out would have left
  bool done = false;
  dialect::AnswerBuilder released;
};

asio::awaitable<void> read(engine::EngineClient& client, const Exchange& asked, Reading& r) {
  using dialect::ErrorKind;
  const std::unique_ptr<dialect::AnswerWriter> writer =
      dialect_of(asked.api).make_writer(writer_options(asked, std::string(kExchange), "m", 1));
  const auto fail = [&](dialect::ErrorInfo error) {
    error.exchange = kExchange;
    r.error = std::move(error);
    if (r.started) {
      writer->fail(*r.error, r.out);
    } else {
      r.out.clear();
      dialect_of(asked.api).render_error(*r.error, r.out);
    }
    r.done = true;
  };
  auto opened = co_await client.open({.path = "/v1/x",
                                      .body = "{}",
                                      .stream = asked.stream,
                                      .first_byte_deadline = kScriptFirstByte,
                                      .idle_deadline = kScriptIdle,
                                      .total_deadline = kScriptTotal});
  if (!opened) co_return fail(dialect::make_error(opened.error().code(), "Not reached."));
  r.stream = *std::move(opened);
  if (r.stream->status() != 200) {
    std::string body;
    if (auto piece = co_await r.stream->next(); piece && *piece) body = **std::move(piece);
    CANDOR_CHECK(body.size() <= std::max(kMaxBody, kSse.max_event_bytes));
    co_return fail(error_info(dialect::engine_error(r.stream->status(), body)));
  }
  dialect::EngineLimits limits;
  limits.max_text_bytes = kMaxText;
  dialect::EngineReader reader(asked, limits);
  bool ended = false;
  std::vector<dialect::AnswerEvent> events;
  while (!ended) {
    events.clear();
    do {
      auto piece = co_await r.stream->next();
      if (!piece) co_return fail(dialect::make_error(piece.error().code(), "Broken."));
      std::expected<void, dialect::EngineError> read;
      if (!*piece) {
        read = reader.end(events);
        ended = true;
      } else if (r.stream->is_event_stream()) {
        CANDOR_CHECK((*piece)->size() <= kSse.max_event_bytes);
        read = reader.event(**piece, events);
      } else {
        CANDOR_CHECK((*piece)->size() <= kMaxBody);
        read = reader.body(**piece, events);
      }
      if (read && reader.done() && !ended) {
        ended = true;
        read = reader.end(events);
      }
      if (!read) co_return fail(error_info(read.error()));
    } while (!ended && r.stream->ready());
    for (const auto& event : events) {
      r.released.add(event);
      writer->write(event, r.out);
    }
    r.started = r.started || !r.out.empty();
  }
  writer->finish({.exchange = kExchange, .receipt = "r"}, r.out);
  r.done = true;
}

class Pair {
 public:
  Pair() : dialer_(std::make_shared<PairDialer>()) {
    engine::EngineClientOptions options;
    options.dialer = dialer_;
    options.max_header_bytes = 1'024;
    options.max_body_bytes = kMaxBody;
    options.sse = kSse;
    options.clock = &clock_;
    client_.emplace(io().get_executor(), options);
  }
  ~Pair() {
    client_.reset();
    dialer_->close();
    settle();
  }

  void exchange(FuzzedDataProvider& data) {
    const Exchange asked = exchange_of(data);
    const EngineScript script = make_engine_script(data, asked, asked.stream);
    Reading reading;
    reading.released = dialect::AnswerBuilder(asked.answer_bound());
    asio::co_spawn(io(), read(*client_, asked, reading), asio::detached);
    settle();
    for (const EngineAction& action : script.actions) act(action, reading);
    if (!reading.done) dialer_->close();  // else it may serve the next one
    settle();
    CANDOR_CHECK(reading.done);  // nothing waits for an engine that has gone
    reading.stream.reset();
    settle();
    check(asked, script, std::move(reading));
  }

 private:
  static asio::io_context& io() {
    static asio::io_context context(1);
    return context;
  }
  static void settle() {
    io().restart();
    io().poll();
  }
  void act(const EngineAction& action, Reading& reading) {
    switch (action.kind) {
      case EngineAction::Kind::kSend: {
        std::string_view rest = action.bytes;
        while (!rest.empty()) {
          const ssize_t sent = dialer_->send(rest);
          if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
          settle();
          if (sent <= 0) break;  // the reader has gone, or wants no more
        }
        return;
      }
      case EngineAction::Kind::kPause:
        clock_.advance_us(std::chrono::microseconds(action.pause).count());
        client_->sweep();
        break;
      case EngineAction::Kind::kCancel:
        if (reading.stream) reading.stream->cancel();
        break;
      case EngineAction::Kind::kClose: dialer_->close(); break;
    }
    settle();
  }
  static void check(const Exchange& asked, const EngineScript& script, Reading reading) {
    CANDOR_CHECK(reading.released.text_bytes() <= 3 * (kMaxText + 64));
    CANDOR_CHECK(reading.released.pieces() <= 2 * kMaxTokens * asked.choice_count() + 64 * 2);
    const AnswerForm form{.asked = asked, .exchange = kExchange, .model = "m"};
    const dialect::Answer answer = std::move(reading.released).take();
    check_names(form, reading.out);
    if (script.lawful) {
      CANDOR_CHECK(!reading.error);
      check_same(script.said, answer, reading.out);
    }
    if (!reading.error) {
      check_whole(form, reading.out, answer);
    } else if (reading.started) {
      check_broken_off(form, reading.out);
    } else {
      check_error(form, reading.out, reading.error->status);
    }
  }

  std::shared_ptr<PairDialer> dialer_;
  FakeClock clock_;
  std::optional<engine::EngineClient> client_;
};

}  // namespace
}  // namespace candor::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider provider(data, size);
  candor::gateway::Pair pair;
  pair.exchange(provider);
  if (provider.remaining_bytes() > 0) pair.exchange(provider);
  return 0;
}
