#include "gateway/testing/engine_script.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "dialect/schema.h"
#include "json/json.h"

namespace candor::gateway {
namespace {

using dialect::Choice;
using dialect::Exchange;
using dialect::Text;

constexpr std::string_view kWords[] = {
    "Hel",     "lo.", " caf\xC3\xA9", "\xF0\x9F\x98\x80", "\n\n", "\"\\\x01",
    "data: x", "",    "\xE2\x80\xA8"};
constexpr std::string_view kLies[] = {
    R"({"choices":[{"index":99,"delta":{"content":"x"}}]})",
    R"({"choices":[{"index":-1,"delta":{"content":"x"}}]})",
    R"({"choices":[{"index":"0","delta":{"content":7}}]})",
    R"({"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]})",
    R"({"choices":[{"index":0,"delta":{},"finish_reason":"QQengineQQ"}]})",
    R"({"choices":[{"index":0,"delta":{},"message":{}}]})",
    R"({"choices":[{"index":0,"text":"x","delta":{"content":"y"}}]})",
    R"({"choices":[],"usage":{"prompt_tokens":99999999999999999999,"completion_tokens":1}})",
    R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":4294967295}})",
    R"({"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":-5}})",
    R"({"choices":[],"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}})",
    R"({"choices":{}})",
    R"({"error":{"code":400,"message":"QQengineQQ","type":"QQengineQQ"}})",
    R"({"error":{"code":500,"message":"QQengineQQ"}})",
    R"({"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}})",
    R"({"error":null,"choices":[]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"QQengineQQ","arguments":"{}"}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":7,"function":{"name":"f","arguments":"{}"}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":"}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"content":"\ud83d"}}]})",
    R"({"choices":[{"index":0,"delta":{"content":"x","content":"y"}}]})",
    R"({"choices":[{"index":0,"logprobs":{"content":[{"token":"a","logprob":1e400}]},"delta":{"content":"a"}}]})",
    R"({"choices":[{"index":0,"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[256]}]},"delta":{"content":"a"}}]})",
    R"({"choices":[{"index":0,"logprobs":{"content":[{"token":"b","logprob":5,"bytes":[99,0,255],"top_logprobs":[{"token":"","logprob":0},{"token":"x","logprob":-9e99}]}]},"delta":{"content":"a"}}]})",
    R"({"choices":[{"index":0,"logprobs":{"content":{}},"text":"a"}]})",
    R"({"choices":[{"index":0,"delta":{"refusal":"no","reasoning":"r","reasoning_content":"q"}}]})",
    R"({"object":"list","data":[{"index":0,"embedding":[1e31]}]})",
    R"({"data":[{"index":0,"embedding":[]},{"index":0,"embedding":[1]}]})",
    R"({"input_tokens":-1})",
    R"([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]])",
    "[DONE]",
    "{",
    "null",
    "",
};
constexpr std::string_view kBadHeads[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "
    "18446744073709551616\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\n\r\n",
    "HTTP/1.1 999 QQengineQQ\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
    "\r\n\r\n",
    "SSH-2.0-QQengineQQ\r\n",
    "HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\n",
};

constexpr int kMaxPauses = 16;  // of kScriptIdle / 2, below kScriptFirstByte in all

// Pieces may end within a code point.
std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

class Engine {
 public:
  Engine(FuzzedDataProvider& data, const Exchange& asked, bool events)
      : data_(data), asked_(asked), events_(events) {}

  EngineScript play() {
    if (task_of(asked_.api) == dialect::Task::kGenerate) {
      plan();
    } else {
      plan_numbers();
    }
    std::string body = events_ ? event_stream() : whole_body();
    if (chance(24)) flood(body);
    if (chance(12)) mutate(body);
    send(body);
    return std::move(script_);
  }

 private:
  bool chance(std::uint32_t n) { return data_.ConsumeIntegralInRange<std::uint32_t>(1, n) == n; }
  std::size_t pick(std::size_t least, std::size_t most) {
    return data_.ConsumeIntegralInRange<std::size_t>(least, most);
  }
  void lie() { script_.lawful = false; }
  [[nodiscard]] bool raw() const { return !asked_.prompts.empty(); }

  std::string text() {
    std::string out;
    const std::size_t count = pick(0, 4);
    for (std::size_t i = 0; i < count; ++i) {
      out += chance(4) ? data_.ConsumeRandomLengthString(8)
                       : std::string(data_.PickValueInArray(kWords));
    }
    std::ranges::replace(out, 'Q', 'q');  // never the canary
    for (std::size_t i = 0; i < out.size();) {
      const std::size_t length = utf8_sequence(std::string_view(out).substr(i, 4));
      if (length == 0) out[i] = '?';
      i += std::max<std::size_t>(length, 1);
    }
    return out;
  }

  // --- what is said ---

  // One event of one choice, by its fields; pieces of one choice stay in order.
  struct Piece {
    std::string delta;     // members of the delta, of the message or of the choice
    std::string logprobs;  // JSON, or empty
    std::string finish;    // a reason, or empty
  };

  // At most so many pieces, so that no bound of tokens is met.
  std::vector<std::string> cut(std::string_view whole) {
    std::vector<std::string> out;
    while (!whole.empty() && out.size() < 3 && !chance(3)) {
      const std::size_t length = pick(1, whole.size());
      out.emplace_back(whole.substr(0, length));
      whole.remove_prefix(length);
    }
    if (!whole.empty()) out.emplace_back(whole);
    return out;
  }

  void say(std::vector<Piece>& pieces, std::string_view field, std::string_view whole) {
    for (const std::string& piece : cut(whole)) {
      Piece made{
          .delta = fmt::format(R"("{}":{})", field, quoted(piece)), .logprobs = {}, .finish = {}};
      if (asked_.parameters.logprobs && (field == "content" || field == "text")) {
        made.logprobs = logprobs();
      }
      pieces.push_back(std::move(made));
    }
  }
  std::string logprobs() {
    std::string out =
        R"({"content":[{"token":"t","bytes":[116,233],"logprob":-0.5,"top_logprobs":[)";
    const std::size_t count = pick(0, 3);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      out += fmt::format(R"({{"token":"\u00e9","logprob":{},"id":5}})", chance(3) ? "-1e99" : "-2");
    }
    return out + "]}]}";
  }

  std::vector<Piece> choice(Choice& said) {
    std::vector<Piece> pieces;
    if (!raw() && chance(2)) {
      pieces.push_back(
          {.delta = R"("role":"assistant","content":null)", .logprobs = {}, .finish = {}});
    }
    if (!raw() && chance(4)) {
      said.reasoning = Text(text());
      say(pieces, chance(2) ? "reasoning_content" : "reasoning", said.reasoning.reveal());
    }
    std::string finish = chance(3) ? "length" : "stop";
    if (asked_.forces_call()) {
      forced_calls(said, pieces);
    } else {
      said.content = Text(text());
      say(pieces, raw() ? "text" : "content", said.content.reveal());
      if (asked_.api == dialect::Api::kOpenAiChat && chance(8)) {
        said.refusal = Text(text());
        say(pieces, "refusal", said.refusal.reveal());
      }
      const bool may_call =
          !asked_.tools.empty() && asked_.tool_choice.mode == dialect::ToolChoice::Mode::kAuto;
      if (may_call && chance(2)) calls(said, pieces);
    }
    if (!said.tool_calls.empty() && finish == "stop" && chance(2)) finish = "tool_calls";
    said.finish =
        finish == "length" ? dialect::FinishReason::kLength : dialect::FinishReason::kStop;
    const bool forced = asked_.forces_call();
    if (!said.tool_calls.empty() && (forced || finish != "length")) {
      said.finish = dialect::FinishReason::kToolCalls;
    }
    pieces.push_back({.delta = {}, .logprobs = {}, .finish = finish});
    return pieces;
  }

  std::string arguments() {
    return chance(2) ? "{}" : fmt::format(R"({{"a":{}}})", json_text(text()));
  }
  static std::string json_text(const std::string& text) {
    std::string out;
    json::append_string(out, text);
    return out;
  }
  void forced_calls(Choice& said, std::vector<Piece>& pieces) {
    const bool list = dialect::forced_calls_are_list(asked_);
    const std::size_t count = list ? pick(1, 2) : 1;
    const bool named = asked_.tool_choice.mode == dialect::ToolChoice::Mode::kNamed;
    std::string whole = list ? "[" : "";
    for (std::size_t i = 0; i < count; ++i) {
      const Text& name =
          named ? asked_.tool_choice.name : asked_.tools[pick(0, asked_.tools.size() - 1)].name;
      const std::string inner = arguments();
      if (i > 0) whole += ", ";
      whole += fmt::format(R"({{"name": "{}", "arguments": {}}})", name.reveal(), inner);
      said.tool_calls.push_back({name, Text(inner)});
    }
    say(pieces, raw() ? "text" : "content", whole + (list ? "]" : ""));
  }
  void calls(Choice& said, std::vector<Piece>& pieces) {
    const std::size_t count = pick(1, 2);
    for (std::size_t i = 0; i < count; ++i) {
      const Text& name = asked_.tools[pick(0, asked_.tools.size() - 1)].name;
      const std::string inner = arguments();
      said.tool_calls.push_back({name, Text(inner)});
      pieces.push_back(
          {.delta = fmt::format(
               R"("tool_calls":[{{"index":{},"id":"{}","type":"function","function":{{"name":"{}","arguments":""}}}}])",
               i, kEngineCanary, name.reveal()),
           .logprobs = {},
           .finish = {}});
      for (const std::string& piece : cut(inner)) {
        pieces.push_back(
            {.delta = fmt::format(R"("tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}])",
                                  i, quoted(piece)),
             .logprobs = {},
             .finish = {}});
      }
    }
  }

  void plan() {
    script_.said.choices.resize(asked_.choice_count());
    for (Choice& said : script_.said.choices) choices_.push_back(choice(said));
  }
  void plan_numbers() {
    if (asked_.inputs.empty()) {
      script_.said.input_tokens = pick(0, 1000);
      return;
    }
    for (std::size_t i = 0; i < asked_.inputs.size(); ++i) {
      script_.said.embeddings.emplace_back(std::vector<float>{0.5F, static_cast<float>(i), -1e-9F});
    }
  }

  // --- payloads ---

  std::string own_fields() {
    std::string out =
        fmt::format(R"("created":1,"id":"{0}","model":"{0}","object":"{0}")", kEngineCanary);
    if (chance(4))
      out += fmt::format(R"(,"system_fingerprint":"{0}","timings":{{"x":"{0}"}})", kEngineCanary);
    if (chance(6)) out += fmt::format(R"(,"{0}":["{0}",1e300])", kEngineCanary);
    return out;
  }
  std::string usage() {
    return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":3}})",
                       pick(0, 99), pick(0, *asked_.parameters.max_tokens));
  }
  std::string event_of(std::size_t index, const Piece& piece) {
    std::string out = R"({"choices":[{"finish_reason":)";
    out += piece.finish.empty() ? "null" : "\"" + piece.finish + "\"";
    out += fmt::format(R"(,"index":{})", index);
    if (!piece.logprobs.empty()) out += R"(,"logprobs":)" + piece.logprobs;
    if (raw()) {
      out += ",";
      out += piece.delta.empty() ? std::string(R"("text":"")") : piece.delta;
    } else {
      out += R"(,"delta":{)" + piece.delta + "}";
    }
    return out + "}]," + own_fields() + "}";
  }

  void put_event(std::string& out, std::string_view payload) {
    const std::string_view line = data_.PickValueInArray<std::string_view>({"\n", "\r\n", "\n"});
    if (chance(8)) out.append(": ").append(kEngineCanary).append(line).append(line);
    if (chance(8)) out.append("event: ").append(kEngineCanary).append(line);
    if (chance(8)) out.append("id: 7").append(line).append("retry: 1").append(line);
    out.append(chance(6) ? "data:" : "data: ").append(payload).append(line).append(line);
  }

  std::string event_stream() {
    std::string out = chance(12) ? "\xEF\xBB\xBF" : "";
    std::vector<std::size_t> next(choices_.size(), 0);
    for (;;) {
      std::vector<std::size_t> open;
      for (std::size_t i = 0; i < choices_.size(); ++i) {
        if (next[i] < choices_[i].size()) open.push_back(i);
      }
      if (open.empty()) break;
      const std::size_t i = open[pick(0, open.size() - 1)];
      std::string payload = event_of(i, choices_[i][next[i]++]);
      if (chance(16)) lie_about(payload);
      put_event(out, payload);
      if (chance(24)) {
        put_event(out, data_.PickValueInArray(kLies));
        lie();
      }
    }
    if (chance(2))
      put_event(out, R"({"choices":[],)" + own_fields() + R"(,"usage":)" + usage() + "}");
    if (!chance(8)) {
      put_event(out, "[DONE]");
    } else if (chance(2)) {
      out += "data: [DONE]";  // without the blank line there is no such event, and none is needed
    }
    return out;
  }

  // One event, changed in one place, without the canary: what is cut may let it slip into the text.
  void lie_about(std::string& payload) {
    lie();
    for (std::size_t at = 0; (at = payload.find(kEngineCanary, at)) != std::string::npos;) {
      payload.replace(at, kEngineCanary.size(), "x");
    }
    mutate(payload);
    if (chance(4)) payload = std::string(pick(1, 9000), '[') + payload;
  }
  void mutate(std::string& bytes) {
    if (bytes.empty()) return;
    lie();
    for (std::size_t at = 0; (at = bytes.find(kEngineCanary, at)) != std::string::npos;) {
      bytes.replace(at, kEngineCanary.size(), "x");
    }
    const std::size_t at = pick(0, bytes.size() - 1);
    switch (pick(0, 3)) {
      case 0: bytes[at] = static_cast<char>(data_.ConsumeIntegral<std::uint8_t>()); break;
      case 1: bytes.erase(at, pick(1, 8)); break;
      case 2: bytes.insert(at, data_.ConsumeRandomLengthString(8)); break;
      default: bytes.insert(at, bytes.substr(pick(0, at), pick(1, 64)));
    }
    std::ranges::replace(bytes, 'Q', 'q');
  }
  void flood(std::string& body) {
    lie();
    switch (pick(0, 3)) {
      case 0: body = std::string(pick(1, 20'000), 'x') + body; break;
      case 1: body = "data: " + std::string(pick(1, 20'000), 'y') + "\n\n" + body; break;
      case 2: {  // more pieces than tokens
        const std::string one = raw() ? R"({"choices":[{"index":0,"text":"z"}]})"
                                      : R"({"choices":[{"index":0,"delta":{"content":"z"}}]})";
        std::string many;
        const std::size_t count = pick(100, 400);
        for (std::size_t i = 0; i < count; ++i) many += "data: " + one + "\n\n";
        body = many + body;
        break;
      }
      default:
        for (int i = 0; i < 200; ++i) body += ": ping\n\n";
    }
  }

  std::string whole_body() {
    std::string out;
    if (!asked_.inputs.empty()) {
      out = R"({"data":[)";
      for (std::size_t i = 0; i < script_.said.embeddings.size(); ++i) {
        if (i > 0) out += ',';
        out +=
            fmt::format(R"({{"embedding":[0.5,{},-1e-9],"index":{},"object":"embedding"}})", i, i);
      }
      out += "]," + own_fields() + R"(,"usage":{"prompt_tokens":3,"total_tokens":3}})";
    } else if (task_of(asked_.api) == dialect::Task::kCountTokens) {
      out = fmt::format(R"({{"input_tokens":{},"x":"{}"}})", *script_.said.input_tokens,
                        kEngineCanary);
    } else {
      out = R"({"choices":[)";
      for (std::size_t i = 0; i < choices_.size(); ++i) {
        if (i > 0) out += ',';
        out += message(i);
      }
      out += "]," + own_fields();
      if (choices_.size() == 1 || chance(2)) out += R"(,"usage":)" + usage();
      out += "}";
    }
    if (chance(16)) {
      out = data_.PickValueInArray(kLies);
      lie();
    }
    return out;
  }
  // A whole choice, from what was said.
  std::string message(std::size_t index) {
    const Choice& said = script_.said.choices[index];
    std::string content = said.content.reveal();
    std::string finish = choices_[index].back().finish;
    if (asked_.forces_call()) {
      content.clear();
      for (std::size_t k = 0; k < said.tool_calls.size(); ++k) {
        content +=
            fmt::format(R"({}{{"name": "{}", "arguments": {}}})", k > 0 ? "," : "",
                        said.tool_calls[k].name.reveal(), said.tool_calls[k].arguments.reveal());
      }
      if (dialect::forced_calls_are_list(asked_)) content = "[" + content + "]";
    }
    std::string out = fmt::format(R"({{"finish_reason":"{}","index":{},)", finish, index);
    if (asked_.parameters.logprobs && !asked_.forces_call())
      out += R"("logprobs":)" + logprobs() + ",";
    if (raw()) return out + R"("text":)" + quoted(content) + "}";
    out += R"("message":{"role":"assistant","content":)" + quoted(content);
    if (!said.reasoning.reveal().empty()) {
      out += R"(,"reasoning_content":)" + quoted(said.reasoning.reveal());
    }
    if (!said.refusal.reveal().empty()) out += R"(,"refusal":)" + quoted(said.refusal.reveal());
    if (!said.tool_calls.empty() && !asked_.forces_call()) {
      out += R"(,"tool_calls":[)";
      for (std::size_t k = 0; k < said.tool_calls.size(); ++k) {
        if (k > 0) out += ',';
        out += fmt::format(R"({{"id":"{}","function":{{"name":"{}","arguments":{}}}}})",
                           kEngineCanary, said.tool_calls[k].name.reveal(),
                           quoted(said.tool_calls[k].arguments.reveal()));
      }
      out += ']';
    }
    return out + "}}";
  }

  // --- HTTP ---

  std::string chunked(std::string_view body) {
    std::string out;
    while (!body.empty()) {
      const std::size_t length =
          chance(3) || data_.remaining_bytes() == 0 ? body.size() : pick(1, body.size());
      out += chance(4) ? fmt::format("{:04X}", length) : fmt::format("{:x}", length);
      if (chance(8)) out.append(";x=").append(kEngineCanary);
      out.append("\r\n").append(body.substr(0, length));
      body.remove_prefix(length);
      if (chance(64)) {
        lie();
        continue;  // a chunk without its end
      }
      out += "\r\n";
    }
    if (chance(64)) {
      lie();
      return out + data_.PickValueInArray<const char*>(
                       {"", "fffffffffffffffff\r\n", "-1\r\n", "0x1\r\na\r\n0\r\n\r\n", "0\n\n"});
    }
    out += "0\r\n";
    if (chance(8)) out.append("X-Trailer: ").append(kEngineCanary).append("\r\n");
    return out + "\r\n";
  }

  std::string wire(const std::string& body) {
    std::string out;
    const std::size_t interims = chance(8) ? pick(1, 3) : 0;
    for (std::size_t i = 0; i < interims; ++i) {
      out.append("HTTP/1.1 10")
          .append(chance(2) ? "0" : "3")
          .append(" ")
          .append(kEngineCanary)
          .append("\r\n\r\n");
    }
    if (chance(48)) {
      lie();
      return out + std::string(data_.PickValueInArray(kBadHeads)) + body;
    }
    int status = 200;
    if (chance(24)) {
      lie();
      status =
          data_.PickValueInArray({400, 401, 404, 413, 429, 500, 501, 503, 201, 299, 100, 302, 599});
    }
    out += fmt::format("HTTP/1.1 {} {}\r\n", status, kEngineCanary);
    const bool sse = events_ != chance(48);
    if (sse != events_) lie();
    out += chance(4) ? "content-TYPE:  " : "Content-Type: ";
    out += sse ? "text/event-stream" : "application/json";
    out += chance(3) ? "; charset=utf-8\r\n" : "\r\n";
    out.append("Server: ").append(kEngineCanary).append("\r\n");
    if (chance(48)) {
      lie();
      out += "X: " + std::string(pick(1, 20'000), 'h') + "\r\n";
    }
    if (chance(6)) out += "Connection: close\r\n";
    switch (pick(0, 2)) {
      case 0: return out + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body);
      case 1: {
        std::size_t length = body.size();
        if (chance(32)) {
          lie();
          length = pick(0, 2 * length + 1);
        }
        return out + fmt::format("Content-Length: {}\r\n\r\n", length) + body;
      }
      default: return out + "\r\n" + body;
    }
  }

  void send(const std::string& body) {
    const std::string bytes = wire(body);
    std::string_view rest = bytes;
    using Kind = EngineAction::Kind;
    auto& actions = script_.actions;
    int pauses = 0;
    while (!rest.empty()) {
      const std::size_t length =
          chance(3) || data_.remaining_bytes() == 0 ? rest.size() : pick(1, rest.size());
      actions.push_back({.kind = Kind::kSend, .bytes = std::string(rest.substr(0, length))});
      rest.remove_prefix(length);
      if (pauses < kMaxPauses && chance(8)) {
        ++pauses;
        const bool long_one = chance(6);
        if (long_one) lie();
        actions.push_back({.kind = Kind::kPause,
                           .bytes = {},
                           .pause = long_one ? kScriptTotal : kScriptIdle / 2});
      }
      if (chance(48)) {
        lie();
        actions.push_back({.kind = chance(2) ? Kind::kCancel : Kind::kClose});
        if (actions.back().kind == Kind::kClose) return;
      }
    }
    if (chance(24)) {  // more than was announced
      lie();
      actions.push_back({.kind = Kind::kSend, .bytes = bytes.substr(0, pick(1, bytes.size()))});
    }
  }

  FuzzedDataProvider& data_;
  const Exchange& asked_;
  bool events_;
  EngineScript script_;
  std::vector<std::vector<Piece>> choices_;
};

}  // namespace

EngineScript make_engine_script(FuzzedDataProvider& data, const Exchange& forwarded, bool events) {
  return Engine(data, forwarded, events).play();
}

}  // namespace candor::gateway
