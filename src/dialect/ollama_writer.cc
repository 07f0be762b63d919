// Ollama: answers as newline-delimited JSON or as one object, errors, lists of models.
#include "dialect/internal/ollama_writer.h"

#include <array>

#include "base/clock.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/openai_writer.h"
#include "dialect/transcript.h"

namespace candor::dialect {
namespace {

// The version of Ollama's API that is spoken. Clients compare it with what they need.
constexpr std::string_view kVersion = "0.12.0";

// Texts and calls of one answer; its API has one choice.
class Texts final : public AnswerWriter {
 public:
  explicit Texts(WriterOptions options) : o_(std::move(options)) {
    head_ = R"({"model":)";
    json::append_string(head_, o_.model);
    head_ += R"(,"created_at":)";
    json::append_string(head_, format_utc(o_.created_s * 1'000'000));
  }

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return o_.stream ? "application/x-ndjson" : "application/json";
  }

  void write(const AnswerEvent& event, std::string& out) override {
    if (const auto* finish = std::get_if<Finish>(&event); finish && finish->choice == 0) {
      finish_ = finish->reason;
    } else if (const auto* usage = std::get_if<UsageReport>(&event)) {
      usage_ = usage->usage;
    } else if (!o_.stream) {
      whole_.add(event);
    } else {
      piece(event, out);
    }
  }

  void ping(std::string&) override {}  // clients read each line as JSON

  void finish(const FinalNote& note, std::string& out) override {
    const Answer answer = std::move(whole_).take();  // empty when streamed
    const Choice& choice = answer.choices.front();
    out += head_;
    message(choice.content, choice.reasoning, choice.tool_calls, 0, choice.logprobs, out);
    out += R"(,"done":true,"done_reason":")";
    // Ollama's own word for an answer that calls tools is stop.
    out += to_string(finish_ == FinishReason::kToolCalls ? FinishReason::kStop : finish_);
    out += R"(","total_duration":)";
    append_number(out, note.total_us * 1'000);
    out += R"(,"load_duration":)";
    append_number(out, note.queued_us * 1'000);
    const std::int64_t first =
        note.first_token_us > note.queued_us ? note.first_token_us - note.queued_us : 0;
    out += R"(,"prompt_eval_count":)";
    append_number(out, usage_.prompt_tokens);
    out += R"(,"prompt_eval_duration":)";
    append_number(out, first * 1'000);
    out += R"(,"eval_count":)";
    append_number(out, usage_.completion_tokens);
    out += R"(,"eval_duration":)";
    append_number(out, std::max<std::int64_t>(0, note.total_us - note.queued_us - first) * 1'000);
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += o_.stream ? "}\n" : "}";
  }

  void fail(const ErrorInfo& error, std::string& out) override {
    append_ollama_error(error, out);
    if (o_.stream) out += '\n';
  }

 private:
  void piece(const AnswerEvent& event, std::string& out) {
    static const Text kNothing;
    const auto line = [&](const Text& content, const Text& thinking,
                          std::span<const ToolCall> calls, std::uint32_t first_call,
                          const std::vector<TokenLogprob>& logprobs) {
      out += head_;
      message(content, thinking, calls, first_call, logprobs, out);
      out += ",\"done\":false}\n";
    };
    if (const auto* text = std::get_if<TextDelta>(&event)) {
      if (text->text.reveal().empty() && text->logprobs.empty()) return;
      line(text->text, kNothing, {}, 0, text->logprobs);
    } else if (const auto* reasoning = std::get_if<ReasoningDelta>(&event)) {
      line(kNothing, reasoning->text, {}, 0, {});
    } else if (const auto* refusal = std::get_if<RefusalDelta>(&event)) {
      line(refusal->text, kNothing, {}, 0, {});
    } else if (const auto* call = std::get_if<ToolCallDelta>(&event)) {
      const std::array<ToolCall, 1> one = {ToolCall{call->name, call->arguments}};
      line(kNothing, kNothing, one, call->index, {});  // whole: EngineReader holds them
    }
  }

  void message(const Text& content, const Text& thinking, std::span<const ToolCall> calls,
               std::uint32_t first_call, const std::vector<TokenLogprob>& logprobs,
               std::string& out) const {
    if (o_.api == Api::kOllamaGenerate) {
      out += R"(,"response":)";
      append_text(out, content);
      append_thinking(thinking, out);
    } else {
      out += R"(,"message":{"role":"assistant","content":)";
      append_text(out, content);
      append_thinking(thinking, out);
      append_calls(calls, first_call, out);
      out += '}';
    }
    if (!o_.logprobs || logprobs.empty()) return;
    out += R"(,"logprobs":[)";
    append_token_logprobs(out, logprobs);
    out += ']';
  }
  static void append_thinking(const Text& thinking, std::string& out) {
    if (thinking.reveal().empty()) return;
    out += R"(,"thinking":)";
    append_text(out, thinking);
  }
  void append_calls(std::span<const ToolCall> calls, std::uint32_t first_call,
                    std::string& out) const {
    if (calls.empty()) return;
    out += R"(,"tool_calls":[)";
    for (std::size_t k = 0; k < calls.size(); ++k) {
      out += k > 0 ? R"(,{"id":")" : R"({"id":")";
      append_call_id(out, "call_", o_.exchange, 0, first_call + k);
      out += R"(","function":{"index":)";
      append_number(out, first_call + k);
      out += R"(,"name":)";
      append_text(out, calls[k].name);
      out += R"(,"arguments":)";
      out += canonical_arguments(calls[k].arguments.reveal());
      out += "}}";
    }
    out += ']';
  }

  WriterOptions o_;
  std::string head_;
  AnswerBuilder whole_;
  FinishReason finish_ = FinishReason::kError;
  Usage usage_;
};

class Embeddings final : public AnswerWriter {
 public:
  explicit Embeddings(WriterOptions options) : o_(std::move(options)), builder_(o_.choices) {}
  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "application/json";
  }
  void write(const AnswerEvent& event, std::string&) override { builder_.add(event); }
  void ping(std::string&) override {}
  void finish(const FinalNote& note, std::string& out) override {
    const Answer answer = std::move(builder_).take();
    out += R"({"model":)";
    json::append_string(out, o_.model);
    out += R"(,"embeddings":[)";
    for (std::size_t i = 0; i < answer.embeddings.size(); ++i) {
      if (i > 0) out += ',';
      append_vector(out, answer.embeddings[i]);
    }
    out += R"(],"total_duration":)";
    append_number(out, note.total_us * 1'000);
    out += R"(,"load_duration":)";
    append_number(out, note.queued_us * 1'000);
    out += R"(,"prompt_eval_count":)";
    append_number(out, answer.usage.prompt_tokens);
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += '}';
  }
  void fail(const ErrorInfo& error, std::string& out) override { append_ollama_error(error, out); }

 private:
  WriterOptions o_;
  AnswerBuilder builder_;
};

void append_details(const ModelInfo& model, std::string& out) {
  out += R"("details":{"parent_model":"","format":"gguf","family":)";
  json::append_string(out, model.architecture);
  out += R"(,"families":[)";
  if (!model.architecture.empty()) json::append_string(out, model.architecture);
  out += R"(],"parameter_size":")";
  if (model.parameters > 0)
    out += fmt::format("{:.0f}M", static_cast<double>(model.parameters) / 1e6);
  out += R"(","quantization_level":)";
  json::append_string(out, model.quantisation);
  out += '}';
}

void append_listed(const ModelInfo& model, Info info, std::string& out) {
  out += R"({"name":)";
  json::append_string(out, model.name);
  out += R"(,"model":)";
  json::append_string(out, model.name);
  out += R"(,"size":)";
  append_number(out, model.size_bytes);
  out += R"(,"digest":)";
  json::append_string(out, model.digest);
  out += ',';
  append_details(model, out);
  if (info == Info::kLoaded) {
    // No time is set at which it is unloaded; clients want one.
    out += R"(,"expires_at":"9999-12-31T23:59:59Z","size_vram":)";
    append_number(out, model.memory_bytes);
    out += R"(,"context_length":)";
    append_number(out, model.context_tokens);
  } else {
    out += R"(,"modified_at":)";
    json::append_string(out, format_utc(model.created_s * 1'000'000));
  }
  out += '}';
}

void append_shown(const ModelInfo& model, std::string& out) {
  out += R"({"modelfile":"","parameters":"","template":"",)";
  append_details(model, out);
  out += R"(,"model_info":{"general.architecture":)";
  json::append_string(out, model.architecture);
  out += R"(,"general.parameter_count":)";
  append_number(out, model.parameters);
  if (!model.architecture.empty()) {
    out += ',';
    json::append_string(out, model.architecture + ".context_length");
    out += ':';
    append_number(out, model.context_tokens);
    out += ',';
    json::append_string(out, model.architecture + ".embedding_length");
    out += ':';
    append_number(out, model.embedding_length);
  }
  out += R"(},"capabilities":["completion")";
  if (model.has_tools) out += R"(,"tools")";
  if (model.thinks) out += R"(,"thinking")";
  if (model.embeds) out += R"(,"embedding")";
  out += R"(],"modified_at":)";
  json::append_string(out, format_utc(model.created_s * 1'000'000));
  if (!model.digest.empty()) {
    out += R"(,"candor":{"weights_sha256":)";
    json::append_string(out, model.digest);
    out += '}';
  }
  out += '}';
}

}  // namespace

void append_ollama_error(const ErrorInfo& error, std::string& out) {
  out += R"({"error":)";
  json::append_string(out, error.message);
  if (!error.exchange.empty()) append_candor(out, error.exchange, {});
  out += '}';
}

void append_ollama_info(Info info, std::span<const ModelInfo> models, std::string& out) {
  if (info == Info::kVersion) {
    out += R"({"version":")";
    out += kVersion;
    out += "\"}";
    return;
  }
  if (info == Info::kModel) return append_shown(models.front(), out);
  out += R"({"models":[)";
  bool first = true;
  for (const ModelInfo& model : models) {
    if (info == Info::kLoaded && !model.loaded) continue;
    if (!first) out += ',';
    first = false;
    append_listed(model, info, out);
  }
  out += "]}";
}

std::unique_ptr<AnswerWriter> make_ollama_writer(WriterOptions options) {
  if (options.api == Api::kOllamaEmbed) return std::make_unique<Embeddings>(std::move(options));
  return std::make_unique<Texts>(std::move(options));
}

}  // namespace candor::dialect
