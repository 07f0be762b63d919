#include "dialect/internal/openai_writer.h"

#include <optional>
#include <vector>

#include "dialect/internal/json_parts.h"

namespace candor::dialect {
namespace {

void append_bytes(std::string& out, const Text& bytes) {
  out += '[';
  bool first = true;
  for (const char c : bytes.reveal()) {
    if (!first) out += ',';
    first = false;
    append_number(out, static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  out += ']';
}

template <typename T>
void append_token(std::string& out, const T& token) {
  out += R"({"token":)";
  append_text(out, token.token);
  out += R"(,"logprob":)";
  out += fraction_text(token.logprob);
  out += R"(,"bytes":)";
  append_bytes(out, token.bytes);
}

// {"content":[...],"refusal":null}
void append_chat_logprobs(std::string& out, const std::vector<TokenLogprob>& tokens) {
  out += R"({"content":[)";
  append_token_logprobs(out, tokens);
  out += R"(],"refusal":null})";
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
  return count;
}

// The older form: parallel lists. offset counts code points and is moved past the tokens.
void append_completion_logprobs(std::string& out, const std::vector<TokenLogprob>& tokens,
                                std::size_t& offset) {
  const auto list = [&](std::string_view name, auto&& one) {
    out += '"';
    out += name;
    out += R"(":[)";
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) out += ',';
      one(tokens[i]);
    }
    out += ']';
  };
  out += '{';
  list("tokens", [&](const TokenLogprob& t) { append_text(out, t.token); });
  out += ',';
  list("token_logprobs", [&](const TokenLogprob& t) { out += fraction_text(t.logprob); });
  out += ',';
  list("top_logprobs", [&](const TokenLogprob& t) {
    out += '{';
    for (std::size_t k = 0; k < t.top.size(); ++k) {
      // Two alternatives may have one spelling (pieces of a character): a key stands once.
      bool seen = false;
      for (std::size_t j = 0; j < k; ++j) {
        seen = seen || t.top[j].token.reveal() == t.top[k].token.reveal();
      }
      if (seen) continue;
      if (k > 0) out += ',';
      append_text(out, t.top[k].token);
      out += ':';
      out += fraction_text(t.top[k].logprob);
    }
    out += '}';
  });
  out += ',';
  list("text_offset", [&](const TokenLogprob& t) {
    append_number(out, offset);
    offset += code_points(t.token.reveal());
  });
  out += '}';
}

void append_usage(std::string& out, const Usage& usage) {
  out += R"({"prompt_tokens":)";
  append_number(out, usage.prompt_tokens);
  out += R"(,"completion_tokens":)";
  append_number(out, usage.completion_tokens);
  out += R"(,"total_tokens":)";
  append_number(out, usage.prompt_tokens + usage.completion_tokens);
  out += R"(,"prompt_tokens_details":{"cached_tokens":)";
  append_number(out, usage.cached_tokens);
  out += "}}";
}

void append_head(std::string& out, const WriterOptions& o, std::string_view object) {
  out += o.api == Api::kOpenAiCompletions ? R"({"id":"cmpl-)" : R"({"id":"chatcmpl-)";
  out += o.exchange;
  out += R"(","object":")";
  out += object;
  out += R"(","created":)";
  append_number(out, o.created_s);
  out += R"(,"model":)";
  json::append_string(out, o.model);
}

class Stream final : public AnswerWriter {
 public:
  explicit Stream(WriterOptions options)
      : o_(std::move(options)),
        chat_(o_.api == Api::kOpenAiChat),
        finish_(o_.choices, FinishReason::kError),
        offset_(o_.choices, 0) {
    prefix_ = "data: ";
    append_head(prefix_, o_, chat_ ? "chat.completion.chunk" : "text_completion");
    prefix_ += R"(,"choices":[)";
  }

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "text/event-stream";
  }

  void write(const AnswerEvent& event, std::string& out) override {
    std::visit(Overloaded{
                   [&](const AnswerStart&) { start(out); },
                   [&](const TextDelta& d) { text(d, out); },
                   [&](const ReasoningDelta& d) {
                     if (chat_) delta(d.choice, R"("reasoning_content":)", d.text, out);
                   },
                   [&](const RefusalDelta& d) {
                     if (chat_) delta(d.choice, R"("refusal":)", d.text, out);
                   },
                   [&](const ToolCallDelta& d) {
                     if (chat_) tool_call(d, out);
                   },
                   [&](const Finish& f) {
                     if (f.choice < finish_.size()) finish_[f.choice] = f.reason;
                   },
                   [&](const UsageReport& u) { usage_ = u.usage; },
                   [](const EmbeddingResult&) {},
                   [](const TokenCount&) {},
               },
               event);
  }

  void ping(std::string& out) override { out += ": ping\n\n"; }

  void finish(const FinalNote& note, std::string& out) override {
    start(out);
    for (std::uint32_t i = 0; i < o_.choices; ++i) {
      open(i, out);
      out += chat_ ? R"("delta":{})" : R"("text":"")";
      out += R"(,"logprobs":null,"finish_reason":")";
      out += to_string(finish_[i]);
      out += "\"}]";
      const bool last = i + 1 == o_.choices && !o_.include_usage;
      if (o_.include_usage) out += R"(,"usage":null)";
      if (last) append_candor(out, note.exchange, note.receipt, note.policy);
      out += "}\n\n";
    }
    if (o_.include_usage) {
      out += prefix_;
      out += R"(],"usage":)";
      append_usage(out, usage_);
      append_candor(out, note.exchange, note.receipt, note.policy);
      out += "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

  void fail(const ErrorInfo& error, std::string& out) override {
    out += "data: ";
    append_openai_error(error, out);
    out += "\n\n";
  }

 private:
  void open(std::uint32_t choice, std::string& out) {
    out += prefix_;
    out += R"({"index":)";
    append_number(out, choice);
    out += ',';
  }
  void close(std::string& out) {
    out += R"(,"finish_reason":null}])";
    if (o_.include_usage) out += R"(,"usage":null)";
    out += "}\n\n";
  }
  void start(std::string& out) {
    if (started_ || !chat_) return;
    started_ = true;
    for (std::uint32_t i = 0; i < o_.choices; ++i) {
      open(i, out);
      out += R"("delta":{"role":"assistant","content":""},"logprobs":null)";
      close(out);
    }
  }
  void delta(std::uint32_t choice, std::string_view key, const Text& piece, std::string& out) {
    if (piece.reveal().empty()) return;
    start(out);
    open(choice, out);
    out += R"("delta":{)";
    out += key;
    append_text(out, piece);
    out += R"(},"logprobs":null)";
    close(out);
  }
  void text(const TextDelta& d, std::string& out) {
    if (d.text.reveal().empty() && d.logprobs.empty()) return;
    start(out);
    open(d.choice, out);
    out += chat_ ? R"("delta":{"content":)" : R"("text":)";
    append_text(out, d.text);
    out += chat_ ? R"(},"logprobs":)" : R"(,"logprobs":)";
    if (!o_.logprobs || d.logprobs.empty()) {
      out += "null";
    } else if (chat_) {
      append_chat_logprobs(out, d.logprobs);
    } else {
      std::size_t unused = 0;
      append_completion_logprobs(out, d.logprobs,
                                 d.choice < offset_.size() ? offset_[d.choice] : unused);
    }
    close(out);
  }
  void tool_call(const ToolCallDelta& d, std::string& out) {
    start(out);
    open(d.choice, out);
    out += R"("delta":{"tool_calls":[{"index":)";
    append_number(out, d.index);
    const bool first = !d.name.reveal().empty();
    if (first) {
      out += R"(,"id":")";
      append_call_id(out, "call_", o_.exchange, d.choice, d.index);
      out += R"(","type":"function")";
    }
    out += R"(,"function":{)";
    if (first) {
      out += R"("name":)";
      append_text(out, d.name);
      out += ',';
    }
    out += R"("arguments":)";
    append_text(out, d.arguments);
    out += R"(}}]},"logprobs":null)";
    close(out);
  }

  WriterOptions o_;
  bool chat_;
  bool started_ = false;
  std::string prefix_;
  std::vector<FinishReason> finish_;
  std::vector<std::size_t> offset_;
  Usage usage_;
};

class Body final : public AnswerWriter {
 public:
  explicit Body(WriterOptions options) : o_(std::move(options)), builder_(o_.choices) {}

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "application/json";
  }
  void write(const AnswerEvent& event, std::string&) override { builder_.add(event); }
  void ping(std::string&) override {}

  void finish(const FinalNote& note, std::string& out) override {
    Answer answer = std::move(builder_).take();
    answer.choices.resize(o_.choices);
    const bool chat = o_.api == Api::kOpenAiChat;
    append_head(out, o_, chat ? "chat.completion" : "text_completion");
    out += R"(,"choices":[)";
    for (std::size_t i = 0; i < answer.choices.size(); ++i) {
      if (i > 0) out += ',';
      out += R"({"index":)";
      append_number(out, i);
      if (chat) {
        chat_message(answer.choices[i], i, out);
      } else {
        completion(answer.choices[i], out);
      }
      out += R"(,"finish_reason":")";
      out += to_string(answer.choices[i].finish);
      out += "\"}";
    }
    out += R"(],"usage":)";
    append_usage(out, answer.usage);
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += '}';
  }

  void fail(const ErrorInfo& error, std::string& out) override { append_openai_error(error, out); }

 private:
  void chat_message(const Choice& choice, std::size_t index, std::string& out) const {
    out += R"(,"message":{"role":"assistant","content":)";
    if (choice.content.reveal().empty() && !choice.tool_calls.empty()) {
      out += "null";
    } else {
      append_text(out, choice.content);
    }
    out += R"(,"refusal":)";
    if (choice.refusal.reveal().empty()) {
      out += "null";
    } else {
      append_text(out, choice.refusal);
    }
    if (!choice.reasoning.reveal().empty()) {
      out += R"(,"reasoning_content":)";
      append_text(out, choice.reasoning);
    }
    if (!choice.tool_calls.empty()) {
      out += R"(,"tool_calls":[)";
      for (std::size_t k = 0; k < choice.tool_calls.size(); ++k) {
        const ToolCall& call = choice.tool_calls[k];
        out += k > 0 ? R"(,{"id":")" : R"({"id":")";
        append_call_id(out, "call_", o_.exchange, index, k);
        out += R"(","type":"function","function":{"name":)";
        append_text(out, call.name);
        out += R"(,"arguments":)";
        append_text(out, call.arguments);
        out += "}}";
      }
      out += ']';
    }
    out += R"(},"logprobs":)";
    if (o_.logprobs) {
      append_chat_logprobs(out, choice.logprobs);
    } else {
      out += "null";
    }
  }
  void completion(const Choice& choice, std::string& out) const {
    out += R"(,"text":)";
    append_text(out, choice.content);
    out += R"(,"logprobs":)";
    std::size_t offset = 0;
    if (o_.logprobs) {
      append_completion_logprobs(out, choice.logprobs, offset);
    } else {
      out += "null";
    }
  }

  WriterOptions o_;
  AnswerBuilder builder_;
};

}  // namespace

void append_token_logprobs(std::string& out, const std::vector<TokenLogprob>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += ',';
    append_token(out, tokens[i]);
    out += R"(,"top_logprobs":[)";
    for (std::size_t k = 0; k < tokens[i].top.size(); ++k) {
      if (k > 0) out += ',';
      append_token(out, tokens[i].top[k]);
      out += '}';
    }
    out += "]}";
  }
}

std::unique_ptr<AnswerWriter> make_openai_writer(WriterOptions options) {
  if (options.stream) return std::make_unique<Stream>(std::move(options));
  return std::make_unique<Body>(std::move(options));
}

}  // namespace candor::dialect
