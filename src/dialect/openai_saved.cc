// Saved responses of OpenAI's two routes: chunks and bodies, also as client libraries write them.
#include "dialect/internal/dialects.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/saved_parts.h"

namespace candor::dialect {
namespace {

FinishReason finish_of(std::string_view text) {
  for (const FinishReason reason : {FinishReason::kStop, FinishReason::kLength,
                                    FinishReason::kToolCalls, FinishReason::kContentFilter}) {
    if (to_string(reason) == text) return reason;
  }
  return FinishReason::kError;
}

class Reader final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    if (text_of(object, "object") == "response") return false;  // that of /v1/responses
    candor_.add(object);
    if (present(object, "error") != nullptr) {
      failed_ = true;
      return true;
    }
    const json::Value* list = present(object, "choices");
    if (list == nullptr || !list->is_array()) return false;
    for (const json::Value& item : list->get_array()) {
      const json::Object* choice = item.if_object();
      if (choice == nullptr) return false;
      const std::uint64_t index = count_of(*choice, "index").value_or(0);
      if (index >= kMaxSavedChoices || !add_choice(*choice, static_cast<std::uint32_t>(index))) {
        return false;
      }
    }
    if (const json::Value* usage = present(object, "usage"); usage && usage->is_object()) {
      Usage counts;
      counts.prompt_tokens = count_of(usage->get_object(), "prompt_tokens").value_or(0);
      counts.completion_tokens = count_of(usage->get_object(), "completion_tokens").value_or(0);
      builder_.add(UsageReport{counts});
    }
    return true;
  }

  [[nodiscard]] SavedAnswer take() override {
    SavedAnswer saved;
    saved.api = completions_ ? Api::kOpenAiCompletions : Api::kOpenAiChat;
    saved.complete = !failed_ && choices_ > 0 && finished_ == choices_;
    saved.answer = std::move(builder_).take();
    candor_.take(saved);
    return saved;
  }

 private:
  bool add_choice(const json::Object& choice, std::uint32_t index) {
    choices_ = std::max<std::size_t>(choices_, index + 1);
    builder_.add(TextDelta{index, {}, {}});  // the choice exists
    if (const auto text = text_of(choice, "text")) {
      completions_ = true;
      builder_.add(TextDelta{index, Text(std::string(*text)), {}});
    }
    for (const std::string_view key : {"delta", "message"}) {
      const json::Value* value = present(choice, key);
      if (value == nullptr) continue;
      if (!value->is_object() || !add_message(value->get_object(), index)) return false;
    }
    if (const auto reason = text_of(choice, "finish_reason")) {
      builder_.add(Finish{index, finish_of(*reason), std::nullopt});
      ++finished_;
    }
    return true;
  }

  bool add_message(const json::Object& message, std::uint32_t index) {
    if (const auto text = text_of(message, "reasoning_content")) {
      builder_.add(ReasoningDelta{index, Text(std::string(*text))});
    }
    if (const auto text = text_of(message, "content")) {
      builder_.add(TextDelta{index, Text(std::string(*text)), {}});
    }
    if (const auto text = text_of(message, "refusal")) {
      builder_.add(RefusalDelta{index, Text(std::string(*text))});
    }
    const json::Value* calls = present(message, "tool_calls");
    if (calls == nullptr) return true;
    if (!calls->is_array()) return false;
    std::uint64_t position = 0;
    for (const json::Value& item : calls->get_array()) {
      const json::Object* call = item.if_object();
      if (call == nullptr) return false;
      ToolCallDelta delta;
      delta.choice = index;
      const std::uint64_t at = count_of(*call, "index").value_or(position++);
      if (at >= kMaxSavedChoices) return false;
      delta.index = static_cast<std::uint32_t>(at);
      if (const json::Value* function = present(*call, "function")) {
        if (!function->is_object()) return false;
        delta.name = Text(std::string(text_of(function->get_object(), "name").value_or("")));
        delta.arguments =
            Text(std::string(text_of(function->get_object(), "arguments").value_or("")));
      }
      builder_.add(std::move(delta));
    }
    return true;
  }

  AnswerBuilder builder_{kMaxSavedChoices};
  SavedCandor candor_;
  std::size_t choices_ = 0;
  std::size_t finished_ = 0;
  bool completions_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<SavedReader> openai_saved_reader() { return std::make_unique<Reader>(); }

}  // namespace candor::dialect
