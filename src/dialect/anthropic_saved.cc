// Saved responses of Anthropic's messages: events and bodies, also as client libraries write them.
#include "dialect/internal/dialects.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/saved_parts.h"

namespace candor::dialect {
namespace {

FinishReason finish_of(std::string_view text) {
  if (text == "end_turn" || text == "stop_sequence") return FinishReason::kStop;
  if (text == "max_tokens") return FinishReason::kLength;
  if (text == "tool_use") return FinishReason::kToolCalls;
  if (text == "refusal") return FinishReason::kContentFilter;
  return FinishReason::kError;
}

class Reader final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    candor_.add(object);
    const auto type = text_of(object, "type");
    if (!type) return false;
    if (*type == "message") return add_body(object);
    if (*type == "message_start" || *type == "content_block_stop" || *type == "message_stop" ||
        *type == "ping") {
      return true;
    }
    if (*type == "content_block_start") return with(object, "content_block", &Reader::add_block);
    if (*type == "content_block_delta") return with(object, "delta", &Reader::add_delta);
    if (*type == "message_delta") return with(object, "delta", &Reader::add_stop);
    if (*type == "error") {
      failed_ = true;
      return true;
    }
    return false;
  }

  [[nodiscard]] SavedAnswer take() override {
    SavedAnswer saved;
    saved.api = Api::kAnthropicMessages;
    saved.complete = finished_ && !failed_;
    saved.answer = std::move(builder_).take();
    candor_.take(saved);
    return saved;
  }

 private:
  bool with(const json::Object& object, std::string_view key,
            bool (Reader::*use)(const json::Object&)) {
    const json::Value* value = present(object, key);
    return value != nullptr && value->is_object() && (this->*use)(value->get_object());
  }

  bool add_body(const json::Object& body) {
    const json::Value* content = present(body, "content");
    if (content == nullptr || !content->is_array()) return false;
    for (const json::Value& block : content->get_array()) {
      if (!block.is_object() || !add_block(block.get_object())) return false;
    }
    return add_stop(body);
  }

  bool add_block(const json::Object& block) {
    const auto type = text_of(block, "type");
    if (!type) return false;
    if (*type == "text") text(block, "text");
    if (*type == "thinking") reasoning(block);
    if (*type == "tool_use") {
      ToolCallDelta call;
      call.index = calls_++;
      if (calls_ > kMaxSavedChoices) return false;
      call.name = Text(std::string(text_of(block, "name").value_or("")));
      const json::Value* input = present(block, "input");
      if (input != nullptr && input->is_object() && !input->get_object().empty()) {
        call.arguments = Text(json::to_text(*input));
      }
      builder_.add(std::move(call));
    }
    return true;
  }

  bool add_delta(const json::Object& delta) {
    const auto type = text_of(delta, "type");
    if (!type) return false;
    if (*type == "text_delta") text(delta, "text");
    if (*type == "thinking_delta") reasoning(delta);
    if (*type == "input_json_delta" && calls_ > 0) {
      ToolCallDelta call;
      call.index = calls_ - 1;
      call.arguments = Text(std::string(text_of(delta, "partial_json").value_or("")));
      builder_.add(std::move(call));
    }
    return true;
  }

  bool add_stop(const json::Object& object) {
    const auto reason = text_of(object, "stop_reason");
    if (!reason) return true;
    finished_ = true;
    std::optional<std::string> which;
    if (const auto text = text_of(object, "stop_sequence")) which = std::string(*text);
    builder_.add(Finish{0, finish_of(*reason), std::move(which)});
    return true;
  }

  void text(const json::Object& from, std::string_view key) {
    builder_.add(TextDelta{0, Text(std::string(text_of(from, key).value_or(""))), {}});
  }
  void reasoning(const json::Object& from) {
    builder_.add(ReasoningDelta{0, Text(std::string(text_of(from, "thinking").value_or("")))});
  }

  AnswerBuilder builder_{1};
  SavedCandor candor_;
  std::uint32_t calls_ = 0;
  bool finished_ = false;
  bool failed_ = false;
};

// {"input_tokens":N}
class Count final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    candor_.add(object);
    answer_.input_tokens = count_of(object, "input_tokens");
    return answer_.input_tokens.has_value() && present(object, "type") == nullptr;
  }
  [[nodiscard]] SavedAnswer take() override {
    SavedAnswer saved;
    saved.api = Api::kAnthropicCountTokens;
    saved.complete = true;
    saved.answer = std::move(answer_);
    candor_.take(saved);
    return saved;
  }

 private:
  Answer answer_;
  SavedCandor candor_;
};

}  // namespace

std::unique_ptr<SavedReader> token_count_saved_reader() { return std::make_unique<Count>(); }
std::unique_ptr<SavedReader> anthropic_saved_reader() { return std::make_unique<Reader>(); }

}  // namespace candor::dialect
