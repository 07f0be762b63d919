// OpenAI: bodies and events of POST /v1/responses (responses/object, responses-streaming).
#include <optional>
#include <vector>

#include "dialect/internal/json_parts.h"
#include "dialect/internal/openai_writer.h"

namespace candor::dialect {
namespace {

// One item of `output`, in the order in which they began.
struct Item {
  enum class Kind : std::uint8_t { kReasoning, kMessage, kCall };
  Kind kind = Kind::kMessage;
  std::uint32_t call = 0;  // which tool call
  Text name;
  Text text;  // reasoning, content or arguments
  bool refusal = false;
  std::vector<TokenLogprob> logprobs;
};

class Writer final : public AnswerWriter {
 public:
  explicit Writer(WriterOptions options) : o_(std::move(options)) {}

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return o_.stream ? "text/event-stream" : "application/json";
  }

  void write(const AnswerEvent& event, std::string& out) override {
    std::visit(Overloaded{
                   [&](const AnswerStart&) { start(out); },
                   [&](const TextDelta& d) { text(d, out); },
                   [&](const ReasoningDelta& d) { reasoning(d, out); },
                   [&](const RefusalDelta& d) { refusal(d, out); },
                   [&](const ToolCallDelta& d) { call(d, out); },
                   [&](const Finish& f) {
                     if (f.choice == 0) finish_ = f.reason;
                   },
                   [&](const UsageReport& u) { usage_ = u.usage; },
                   [](const EmbeddingResult&) {},
                   [](const TokenCount&) {},
               },
               event);
  }

  void ping(std::string& out) override {
    if (o_.stream) out += ": ping\n\n";
  }

  void finish(const FinalNote& note, std::string& out) override {
    if (!o_.stream) {
      response(status(), &note, out);
      return;
    }
    start(out);
    close(out);
    event(finish_ == FinishReason::kLength || finish_ == FinishReason::kContentFilter
              ? "response.incomplete"
          : finish_ == FinishReason::kError ? "response.failed"
                                            : "response.completed",
          out);
    out += R"(,"response":)";
    response(status(), &note, out);
    end(out);
  }

  void fail(const ErrorInfo& error, std::string& out) override {
    if (!o_.stream) {
      append_openai_error(error, out);
      return;
    }
    event("error", out);
    out += R"(,"code":)";
    json::append_string(out, error.code.empty() ? "server_error" : error.code);
    out += R"(,"message":)";
    json::append_string(out, error.message);
    out += R"(,"param":null)";
    if (!error.exchange.empty()) append_candor(out, error.exchange, {});
    end(out);
  }

 private:
  [[nodiscard]] std::string_view status() const {
    switch (finish_) {
      case FinishReason::kStop:
      case FinishReason::kToolCalls: return "completed";
      case FinishReason::kLength:
      case FinishReason::kContentFilter: return "incomplete";
      case FinishReason::kError: return "failed";
    }
    return "failed";
  }

  // --- events ---

  void event(std::string_view type, std::string& out) {
    out += "event: ";
    out += type;
    out += "\ndata: {\"type\":\"";
    out += type;
    out += R"(","sequence_number":)";
    append_number(out, sequence_++);
  }
  static void end(std::string& out) { out += "}\n\n"; }

  void start(std::string& out) {
    if (started_ || !o_.stream) return;
    started_ = true;
    for (const std::string_view type : {"response.created", "response.in_progress"}) {
      event(type, out);
      out += R"(,"response":)";
      response("in_progress", nullptr, out);
      end(out);
    }
  }
  // An event of the item that is open.
  void item_event(std::string_view type, std::string& out) {
    event(type, out);
    out += R"(,"output_index":)";
    append_number(out, items_.size() - 1);
    out += R"(,"item_id":")";
    item_id(items_.size() - 1, out);
    out += '"';
    if (items_.back().kind != Item::Kind::kCall) out += R"(,"content_index":0)";
  }
  void part(const Item& item, std::string& out, bool whole) const {
    static const Text kNothing;
    const Text& text = whole ? item.text : kNothing;
    if (item.kind == Item::Kind::kReasoning) {
      out += R"({"type":"reasoning_text","text":)";
      append_text(out, text);
    } else if (item.refusal) {
      out += R"({"type":"refusal","refusal":)";
      append_text(out, text);
    } else {
      out += R"({"type":"output_text","annotations":[],"logprobs":[)";
      if (whole) append_token_logprobs(out, item.logprobs);
      out += R"(],"text":)";
      append_text(out, text);
    }
    out += '}';
  }
  void open(Item item, std::string& out) {
    start(out);
    close(out);
    items_.push_back(std::move(item));
    open_ = true;
    if (!o_.stream) return;
    event("response.output_item.added", out);
    out += R"(,"output_index":)";
    append_number(out, items_.size() - 1);
    out += R"(,"item":)";
    append_item(items_.size() - 1, /*done=*/false, out);
    end(out);
    if (items_.back().kind == Item::Kind::kCall) return;
    item_event("response.content_part.added", out);
    out += R"(,"part":)";
    part(items_.back(), out, /*whole=*/false);
    end(out);
  }
  void close(std::string& out) {
    if (!open_) return;
    open_ = false;
    if (!o_.stream) return;
    const Item& item = items_.back();
    item_event(event_name(item, /*done=*/true), out);
    out += item.kind == Item::Kind::kCall ? R"(,"arguments":)"
           : item.refusal                 ? R"(,"refusal":)"
                                          : R"(,"text":)";
    append_text(out, item.text);
    if (item.kind == Item::Kind::kCall) {
      out += R"(,"name":)";
      append_text(out, item.name);
    } else if (item.kind == Item::Kind::kMessage && !item.refusal) {
      out += R"(,"logprobs":[)";
      append_token_logprobs(out, item.logprobs);
      out += ']';
    }
    end(out);
    if (item.kind != Item::Kind::kCall) {
      item_event("response.content_part.done", out);
      out += R"(,"part":)";
      part(item, out, /*whole=*/true);
      end(out);
    }
    event("response.output_item.done", out);
    out += R"(,"output_index":)";
    append_number(out, items_.size() - 1);
    out += R"(,"item":)";
    append_item(items_.size() - 1, /*done=*/true, out);
    end(out);
  }
  static std::string_view event_name(const Item& item, bool done) {
    if (item.kind == Item::Kind::kReasoning) {
      return done ? "response.reasoning_text.done" : "response.reasoning_text.delta";
    }
    if (item.kind == Item::Kind::kCall) {
      return done ? "response.function_call_arguments.done"
                  : "response.function_call_arguments.delta";
    }
    if (item.refusal) return done ? "response.refusal.done" : "response.refusal.delta";
    return done ? "response.output_text.done" : "response.output_text.delta";
  }
  void delta(const Text& piece, const std::vector<TokenLogprob>* logprobs, std::string& out) {
    items_.back().text.reveal() += piece.reveal();
    if (!o_.stream) return;
    item_event(event_name(items_.back(), /*done=*/false), out);
    out += R"(,"delta":)";
    append_text(out, piece);
    if (logprobs != nullptr) {
      out += R"(,"logprobs":[)";
      if (o_.logprobs) append_token_logprobs(out, *logprobs);
      out += ']';
    }
    end(out);
  }

  void text(const TextDelta& d, std::string& out) {
    if (d.choice > 0 || (d.text.reveal().empty() && d.logprobs.empty())) return;
    if (!open_ || items_.back().kind != Item::Kind::kMessage || items_.back().refusal) {
      open({}, out);
    }
    if (o_.logprobs) {
      auto& all = items_.back().logprobs;
      all.insert(all.end(), d.logprobs.begin(), d.logprobs.end());
    }
    delta(d.text, &d.logprobs, out);
  }
  void reasoning(const ReasoningDelta& d, std::string& out) {
    if (d.choice > 0 || d.text.reveal().empty()) return;
    if (!open_ || items_.back().kind != Item::Kind::kReasoning) {
      Item item;
      item.kind = Item::Kind::kReasoning;
      open(std::move(item), out);
    }
    delta(d.text, nullptr, out);
  }
  void refusal(const RefusalDelta& d, std::string& out) {
    if (d.choice > 0 || d.text.reveal().empty()) return;
    if (!open_ || !items_.back().refusal) {
      Item item;
      item.refusal = true;
      open(std::move(item), out);
    }
    delta(d.text, nullptr, out);
  }
  void call(const ToolCallDelta& d, std::string& out) {
    if (d.choice > 0) return;
    if (!open_ || items_.back().kind != Item::Kind::kCall || items_.back().call != d.index) {
      Item item;
      item.kind = Item::Kind::kCall;
      item.call = d.index;
      item.name = d.name;
      open(std::move(item), out);
    }
    if (!d.arguments.reveal().empty()) delta(d.arguments, nullptr, out);
  }

  // --- objects ---

  void item_id(std::size_t index, std::string& out) const {
    const Item& item = items_[index];
    out += item.kind == Item::Kind::kReasoning ? "rs_"
           : item.kind == Item::Kind::kCall    ? "fc_"
                                               : "msg_";
    out += o_.exchange;
    out += '_';
    append_number(out, index);
  }
  void append_item(std::size_t index, bool done, std::string& out) const {
    const Item& item = items_[index];
    out += R"({"id":")";
    item_id(index, out);
    if (item.kind == Item::Kind::kCall) {
      out += R"(","type":"function_call","call_id":")";
      append_call_id(out, "call_", o_.exchange, 0, item.call);
      out += R"(","name":)";
      append_text(out, item.name);
      out += R"(,"arguments":)";
      append_text(out, item.text);
    } else if (item.kind == Item::Kind::kReasoning) {
      out += R"(","type":"reasoning","summary":[],"content":[)";
      if (done) part(item, out, /*whole=*/true);
      out += ']';
    } else {
      out += R"(","type":"message","role":"assistant","content":[)";
      if (done) part(item, out, /*whole=*/true);
      out += ']';
    }
    const bool last = index + 1 == items_.size();
    out += R"(,"status":")";
    out += !done ? "in_progress" : last && status() != "completed" ? "incomplete" : "completed";
    out += "\"}";
  }

  void response(std::string_view status, const FinalNote* note, std::string& out) const {
    out += R"({"id":"resp_)";
    out += o_.exchange;
    out += R"(","object":"response","created_at":)";
    append_number(out, o_.created_s);
    out += R"(,"status":")";
    out += status;
    out += R"(","error":)";
    out +=
        status == "failed"
            ? R"({"code":"server_error","message":"The model's engine gave no reason for its end."})"
            : "null";
    out += R"(,"incomplete_details":)";
    if (status != "incomplete") {
      out += "null";
    } else {
      out += finish_ == FinishReason::kLength ? R"({"reason":"max_output_tokens"})"
                                              : R"({"reason":"content_filter"})";
    }
    out += R"(,"model":)";
    json::append_string(out, o_.model);
    out += o_.echo;
    out += R"(,"output":[)";
    if (note != nullptr) {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (i > 0) out += ',';
        append_item(i, /*done=*/true, out);
      }
    }
    out += R"(],"usage":)";
    if (note == nullptr) {
      out += "null}";
      return;
    }
    out += R"({"input_tokens":)";
    append_number(out, usage_.prompt_tokens);
    out += R"(,"input_tokens_details":{"cached_tokens":)";
    append_number(out, usage_.cached_tokens);
    out += R"(},"output_tokens":)";
    append_number(out, usage_.completion_tokens);
    out += R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)";
    append_number(out, usage_.prompt_tokens + usage_.completion_tokens);
    out += '}';
    append_candor(out, note->exchange, note->receipt, note->policy);
    out += '}';
  }

  WriterOptions o_;
  bool started_ = false;
  bool open_ = false;
  std::uint64_t sequence_ = 0;
  std::vector<Item> items_;
  FinishReason finish_ = FinishReason::kError;
  Usage usage_;
};

void append_fraction(std::string& out, std::string_view key, const std::optional<float>& value) {
  out += key;
  out += value ? fraction_text(*value) : std::string("null");
}

}  // namespace

std::string responses_echo(const Exchange& request) {
  const Parameters& p = request.parameters;
  std::string out = R"(,"previous_response_id":null,"store":false,"background":false)";
  out += R"(,"truncation":"disabled","metadata":{},"instructions":null,"max_output_tokens":)";
  if (p.max_tokens) {
    append_number(out, *p.max_tokens);
  } else {
    out += "null";
  }
  append_fraction(out, R"(,"temperature":)", p.temperature);
  append_fraction(out, R"(,"top_p":)", p.top_p);
  out += R"(,"reasoning":{"effort":)";
  out += p.effort ? '"' + std::string(to_string(*p.effort)) + '"' : "null";
  out += R"(,"summary":null},"text":{"format":{"type":")";
  out += request.response_format.kind == ResponseFormat::Kind::kJsonObject ? "json_object" : "text";
  if (request.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    out.replace(out.size() - 4, 4, R"(json_schema","name":"answer","schema":)");
    out += request.response_format.schema.text.reveal();
    out += "}}";
  } else {
    out += "\"}}";
  }
  out += R"(,"parallel_tool_calls":)";
  out += p.parallel_calls.value_or(!request.forces_call()) ? "true" : "false";
  out += R"(,"tool_choice":)";
  switch (request.tool_choice.mode) {
    case ToolChoice::Mode::kAuto: out += R"("auto")"; break;
    case ToolChoice::Mode::kNone: out += R"("none")"; break;
    case ToolChoice::Mode::kRequired: out += R"("required")"; break;
    case ToolChoice::Mode::kNamed:
      out += R"({"type":"function","name":)";
      append_text(out, request.tool_choice.name);
      out += '}';
      break;
  }
  out += R"(,"tools":[)";
  for (std::size_t i = 0; i < request.tools.size(); ++i) {
    const Tool& tool = request.tools[i];
    out += i > 0 ? R"(,{"type":"function","name":)" : R"({"type":"function","name":)";
    append_text(out, tool.name);
    out += R"(,"description":)";
    if (tool.description) {
      append_text(out, *tool.description);
    } else {
      out += "null";
    }
    out += R"(,"parameters":)";
    out += tool.parameters ? tool.parameters->text.reveal() : std::string("null");
    out += R"(,"strict":false})";
  }
  out += ']';
  return out;
}

std::unique_ptr<AnswerWriter> make_responses_writer(WriterOptions options) {
  return std::make_unique<Writer>(std::move(options));
}

}  // namespace candor::dialect
