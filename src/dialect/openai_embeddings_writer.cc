// OpenAI: bodies of POST /v1/embeddings (embeddings/object).
#include <fmt/format.h>

#include "dialect/internal/json_parts.h"
#include "dialect/internal/openai_writer.h"
#include "dialect/transcript.h"

namespace candor::dialect {
namespace {

class Writer final : public AnswerWriter {
 public:
  explicit Writer(WriterOptions options) : o_(std::move(options)), builder_(o_.choices) {}

  [[nodiscard]] std::string_view content_type() const noexcept override {
    return "application/json";
  }
  void write(const AnswerEvent& event, std::string&) override { builder_.add(event); }
  void ping(std::string&) override {}

  void finish(const FinalNote& note, std::string& out) override {
    const Answer answer = std::move(builder_).take();
    out += R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < answer.embeddings.size(); ++i) {
      out += i > 0 ? R"(,{"object":"embedding","index":)" : R"({"object":"embedding","index":)";
      append_number(out, i);
      out += R"(,"embedding":)";
      if (o_.base64) {
        json::append_string(out, embedding_text(answer.embeddings[i]));
      } else {
        append_vector(out, answer.embeddings[i]);
      }
      out += '}';
    }
    out += R"(],"model":)";
    json::append_string(out, o_.model);
    out += R"(,"usage":{"prompt_tokens":)";
    append_number(out, answer.usage.prompt_tokens);
    out += R"(,"total_tokens":)";
    append_number(out, answer.usage.prompt_tokens);
    out += '}';
    append_candor(out, note.exchange, note.receipt, note.policy);
    out += '}';
  }
  void fail(const ErrorInfo& error, std::string& out) override { append_openai_error(error, out); }

 private:
  WriterOptions o_;
  AnswerBuilder builder_;
};

}  // namespace

void append_vector(std::string& out, const Embedding& embedding) {
  out += '[';
  bool first = true;
  for (const float value : embedding.reveal()) {
    if (!first) out += ',';
    first = false;
    // The binary64 of the same value: what every JSON library gives back to the last bit.
    out += fmt::format("{}", static_cast<double>(value));
  }
  out += ']';
}

std::unique_ptr<AnswerWriter> make_embeddings_writer(WriterOptions options) {
  return std::make_unique<Writer>(std::move(options));
}

}  // namespace candor::dialect
