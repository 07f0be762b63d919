// Saved responses of Ollama: lines of JSON and bodies, also as client libraries write them.
#include "dialect/internal/dialects.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/saved_parts.h"

namespace candor::dialect {
namespace {

class Reader final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    candor_.add(object);
    if (const json::Value* error = present(object, "error"); error && error->is_string()) {
      failed_ = true;
      return true;
    }
    if (const json::Value* list = present(object, "embeddings")) return add_embeddings(*list);
    const json::Value* done = present(object, "done");
    if (done == nullptr || !done->is_bool()) return false;
    if (const auto text = text_of(object, "response")) {
      api_ = Api::kOllamaGenerate;
      add_texts(object, "response");
    } else if (const json::Value* message = present(object, "message")) {
      if (!message->is_object()) return false;
      add_texts(message->get_object(), "content");
      if (!add_calls(message->get_object())) return false;
    } else if (!done->get_bool()) {
      return false;
    }
    if (!done->get_bool()) return true;
    done_ = true;
    FinishReason reason = FinishReason::kError;
    const auto word = text_of(object, "done_reason");
    for (const FinishReason known :
         {FinishReason::kStop, FinishReason::kLength, FinishReason::kContentFilter}) {
      if (word == to_string(known)) reason = known;
    }
    if (reason == FinishReason::kStop && calls_ > 0) reason = FinishReason::kToolCalls;
    builder_.add(Finish{0, reason, std::nullopt});
    Usage usage;
    usage.prompt_tokens = count_of(object, "prompt_eval_count").value_or(0);
    usage.completion_tokens = count_of(object, "eval_count").value_or(0);
    builder_.add(UsageReport{usage});
    return true;
  }

  [[nodiscard]] SavedAnswer take() override {
    SavedAnswer saved;
    saved.api = api_;
    saved.complete = done_ && !failed_;
    saved.answer = api_ == Api::kOllamaEmbed ? std::move(vectors_) : std::move(builder_).take();
    candor_.take(saved);
    return saved;
  }

 private:
  void add_texts(const json::Object& from, std::string_view key) {
    builder_.add(ReasoningDelta{0, Text(std::string(text_of(from, "thinking").value_or("")))});
    builder_.add(TextDelta{0, Text(std::string(text_of(from, key).value_or(""))), {}});
  }

  bool add_calls(const json::Object& message) {
    const json::Value* calls = present(message, "tool_calls");
    if (calls == nullptr) return true;
    if (!calls->is_array()) return false;
    for (const json::Value& item : calls->get_array()) {
      const json::Value* function =
          item.is_object() ? present(item.get_object(), "function") : nullptr;
      if (function == nullptr || !function->is_object() || calls_ >= kMaxSavedChoices) return false;
      ToolCallDelta call;
      call.index = calls_++;
      call.name = Text(std::string(text_of(function->get_object(), "name").value_or("")));
      if (const json::Value* arguments = present(function->get_object(), "arguments")) {
        if (!arguments->is_object()) return false;
        call.arguments = Text(json::normal_form(*arguments, json::Order::kSorted));
      }
      builder_.add(std::move(call));
    }
    return true;
  }

  bool add_embeddings(const json::Value& list) {
    if (!list.is_array()) return false;
    api_ = Api::kOllamaEmbed;
    done_ = true;
    for (const json::Value& item : list.get_array()) {
      if (!item.is_array() || !read_saved_vector(item, vectors_)) return false;
    }
    return true;
  }

  Api api_ = Api::kOllamaChat;
  AnswerBuilder builder_{1};
  Answer vectors_;
  SavedCandor candor_;
  std::uint32_t calls_ = 0;
  bool done_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<SavedReader> ollama_saved_reader() { return std::make_unique<Reader>(); }

}  // namespace candor::dialect
