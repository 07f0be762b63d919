#include "dialect/internal/anthropic_writer.h"

#include <optional>

#include "dialect/internal/json_parts.h"
#include "dialect/transcript.h"

namespace candor::dialect {
namespace {

// One to one, so that a saved response gives the finish reason back.
void append_stop(std::string& out, FinishReason reason, const std::optional<std::string>& which) {
  out += R"("stop_reason":")";
  switch (reason) {
    case FinishReason::kStop: out += which ? "stop_sequence" : "end_turn"; break;
    case FinishReason::kLength: out += "max_tokens"; break;
    case FinishReason::kToolCalls: out += "tool_use"; break;
    case FinishReason::kContentFilter: out += "refusal"; break;
    case FinishReason::kError: out += "error"; break;
  }
  out += R"(","stop_sequence":)";
  if (which) {
    json::append_string(out, *which);
  } else {
    out += "null";
  }
}

void append_usage(std::string& out, const Usage& usage) {
  const std::uint64_t cached = std::min(usage.cached_tokens, usage.prompt_tokens);
  out += R"("usage":{"input_tokens":)";
  append_number(out, usage.prompt_tokens - cached);
  out += R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)";
  append_number(out, cached);
  out += R"(,"output_tokens":)";
  append_number(out, usage.completion_tokens);
  out += '}';
}

void append_head(std::string& out, const WriterOptions& o) {
  out += R"("id":"msg_)";
  out += o.exchange;
  out += R"(","type":"message","role":"assistant","model":)";
  json::append_string(out, o.model);
}

// This API has one answer without log probabilities or refusal texts: a refusal's text is written
// as text (EngineReader makes none for it), alternatives are left out.
class Stream final : public AnswerWriter {
 public:
  explicit Stream(WriterOptions options) : o_(std::move(options)) {}

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "text/event-stream";
  }

  void write(const AnswerEvent& event, std::string& out) override {
    std::visit(Overloaded{
                   [&](const AnswerStart&) { start(out); },
                   [&](const TextDelta& d) { text(d.choice, d.text, out); },
                   [&](const ReasoningDelta& d) {
                     if (d.choice > 0 || d.text.reveal().empty()) return;
                     open(Block::kThinking, out);
                     delta(R"({"type":"thinking_delta","thinking":)", d.text, out);
                   },
                   [&](const RefusalDelta& d) { text(d.choice, d.text, out); },
                   [&](const ToolCallDelta& d) { tool_call(d, out); },
                   [&](const Finish& f) {
                     if (f.choice > 0) return;
                     finish_ = f.reason;
                     stop_sequence_ = f.stop_sequence;
                   },
                   [&](const UsageReport& u) { usage_ = u.usage; },
                   [](const EmbeddingResult&) {},
                   [](const TokenCount&) {},
               },
               event);
  }

  void ping(std::string& out) override {
    start(out);
    out += "event: ping\ndata: {\"type\":\"ping\"}\n\n";
  }

  void finish(const FinalNote& note, std::string& out) override {
    start(out);
    close(out);
    out += "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{";
    append_stop(out, finish_, stop_sequence_);
    out += "},";
    append_usage(out, usage_);
    out += "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"";
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += "}\n\n";
  }

  void fail(const ErrorInfo& error, std::string& out) override {
    out += "event: error\ndata: ";
    append_anthropic_error(error, out);
    out += "\n\n";
  }

 private:
  enum class Block : unsigned char { kNone, kText, kThinking, kTool };

  void start(std::string& out) {
    if (started_) return;
    started_ = true;
    out += "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{";
    append_head(out, o_);
    // The prompt's size is known with the end only; message_delta repeats the usage in full.
    out += R"(,"content":[],"stop_reason":null,"stop_sequence":null,)";
    append_usage(out, {});
    out += "}}\n\n";
  }
  void open(Block kind, std::string& out) {
    start(out);
    if (block_ == kind && kind != Block::kTool) return;
    close(out);
    block_ = kind;
    out += "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":";
    append_number(out, index_);
    out += R"(,"content_block":)";
    if (kind == Block::kText) out += R"({"type":"text","text":""}})";
    if (kind == Block::kThinking) out += R"({"type":"thinking","thinking":"","signature":""}})";
    if (kind == Block::kTool) return;  // the caller goes on
    out += "\n\n";
    after_open(out);
  }
  void after_open(std::string& out) {
    if (pinged_) return;
    pinged_ = true;
    out += "event: ping\ndata: {\"type\":\"ping\"}\n\n";
  }
  void close(std::string& out) {
    if (block_ == Block::kNone) return;
    block_ = Block::kNone;
    out += "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":";
    append_number(out, index_);
    out += "}\n\n";
    ++index_;
  }
  void delta(std::string_view head, const Text& piece, std::string& out) {
    out += "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
    append_number(out, index_);
    out += R"(,"delta":)";
    out += head;
    append_text(out, piece);
    out += "}}\n\n";
  }
  void text(std::uint32_t choice, const Text& piece, std::string& out) {
    if (choice > 0 || piece.reveal().empty()) return;
    open(Block::kText, out);
    delta(R"({"type":"text_delta","text":)", piece, out);
  }
  void tool_call(const ToolCallDelta& d, std::string& out) {
    if (d.choice > 0) return;
    if (block_ != Block::kTool || d.index != tool_index_) {
      open(Block::kTool, out);
      tool_index_ = d.index;
      out += R"({"type":"tool_use","id":")";
      append_call_id(out, "toolu_", o_.exchange, 0, d.index);
      out += R"(","name":)";
      append_text(out, d.name);
      out += ",\"input\":{}}}\n\n";
      after_open(out);
    }
    if (!d.arguments.reveal().empty()) {
      delta(R"({"type":"input_json_delta","partial_json":)", d.arguments, out);
    }
  }

  WriterOptions o_;
  bool started_ = false;
  bool pinged_ = false;
  Block block_ = Block::kNone;
  std::size_t index_ = 0;
  std::uint32_t tool_index_ = 0;
  FinishReason finish_ = FinishReason::kError;
  std::optional<std::string> stop_sequence_;
  Usage usage_;
};

class Body final : public AnswerWriter {
 public:
  explicit Body(WriterOptions options) : o_(std::move(options)), builder_(1) {}

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "application/json";
  }
  void write(const AnswerEvent& event, std::string&) override { builder_.add(event); }
  void ping(std::string&) override {}

  void finish(const FinalNote& note, std::string& out) override {
    const Answer answer = std::move(builder_).take();
    const Choice& choice = answer.choices.front();
    out += '{';
    append_head(out, o_);
    out += R"(,"content":[)";
    bool first = true;
    const auto block = [&](std::string_view head, const Text& text, std::string_view tail) {
      if (text.reveal().empty()) return;
      if (!first) out += ',';
      first = false;
      out += head;
      append_text(out, text);
      out += tail;
    };
    block(R"({"type":"thinking","thinking":)", choice.reasoning, R"(,"signature":""})");
    block(R"({"type":"text","text":)", choice.content, "}");
    block(R"({"type":"text","text":)", choice.refusal, "}");
    for (std::size_t k = 0; k < choice.tool_calls.size(); ++k) {
      const ToolCall& call = choice.tool_calls[k];
      if (!first) out += ',';
      first = false;
      out += R"({"type":"tool_use","id":")";
      append_call_id(out, "toolu_", o_.exchange, 0, k);
      out += R"(","name":)";
      append_text(out, call.name);
      out += R"(,"input":)";
      // An object: EngineReader hands out no other call here.
      out += canonical_arguments(call.arguments.reveal());
      out += '}';
    }
    out += "],";
    append_stop(out, choice.finish, choice.stop_sequence);
    out += ',';
    append_usage(out, answer.usage);
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += '}';
  }

  void fail(const ErrorInfo& error, std::string& out) override {
    append_anthropic_error(error, out);
  }

 private:
  WriterOptions o_;
  AnswerBuilder builder_;
};

class Count final : public AnswerWriter {
 public:
  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "application/json";
  }
  void write(const AnswerEvent& event, std::string&) override {
    if (const auto* count = std::get_if<TokenCount>(&event)) tokens_ = count->input_tokens;
  }
  void ping(std::string&) override {}
  void finish(const FinalNote& note, std::string& out) override {
    out += R"({"input_tokens":)";
    append_number(out, tokens_);
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += '}';
  }
  void fail(const ErrorInfo& error, std::string& out) override {
    append_anthropic_error(error, out);
  }

 private:
  std::uint64_t tokens_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> make_count_writer(WriterOptions) { return std::make_unique<Count>(); }

std::unique_ptr<AnswerWriter> make_anthropic_writer(WriterOptions options) {
  if (options.stream) return std::make_unique<Stream>(std::move(options));
  return std::make_unique<Body>(std::move(options));
}

}  // namespace candor::dialect
