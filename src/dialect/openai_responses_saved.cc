// Saved responses of POST /v1/responses: bodies and events. The API says everything several times
// (deltas, done events, the last event); a file in which these differ is refused, since a receipt
// can cover only one of them.
#include "dialect/internal/dialects.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/saved_parts.h"

namespace candor::dialect {
namespace {

struct Item {
  std::string type;
  std::string name;
  std::string text;
  std::string refusal;
  bool operator==(const Item&) const = default;
};

// The texts of an item's parts, joined.
bool read_parts(const json::Object& object, std::string_view key, Item& item) {
  const json::Value* list = present(object, key);
  if (list == nullptr) return true;
  if (!list->is_array()) return false;
  for (const json::Value& value : list->get_array()) {
    const json::Object* part = value.if_object();
    if (part == nullptr) return false;
    const auto type = text_of(*part, "type");
    if (type == "refusal") {
      item.refusal += text_of(*part, "refusal").value_or("");
    } else if (type == "output_text" || type == "reasoning_text") {
      item.text += text_of(*part, "text").value_or("");
    } else {
      return false;
    }
  }
  return true;
}

bool read_item(const json::Object& object, Item& item) {
  item.type = text_of(object, "type").value_or("");
  if (item.type == "function_call") {
    item.name = text_of(object, "name").value_or("");
    item.text = text_of(object, "arguments").value_or("");
    return true;
  }
  if (item.type != "message" && item.type != "reasoning") return false;
  return read_parts(object, "content", item);
}

class Reader final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    if (text_of(object, "object") == "response") return add_response(object);
    const auto type = text_of(object, "type");
    if (!type) {
      candor_.add(object);
      failed_ = true;
      return present(object, "error") != nullptr;
    }
    if (*type == "error") {
      candor_.add(object);
      failed_ = true;
      return true;
    }
    if (!type->starts_with("response.")) return false;
    const std::string_view event = type->substr(9);
    if (event == "created" || event == "in_progress" || event == "queued") return true;
    if (event == "completed" || event == "incomplete" || event == "failed") {
      const json::Value* response = present(object, "response");
      return response != nullptr && response->is_object() && add_response(response->get_object());
    }
    return add_event(event, object);
  }

  [[nodiscard]] SavedAnswer take() override {
    AnswerBuilder builder(1);
    builder.add(TextDelta{0, {}, {}});
    std::uint32_t calls = 0;
    for (Item& item : items_) {
      if (item.type == "function_call") {
        builder.add(
            ToolCallDelta{0, calls++, Text(std::move(item.name)), Text(std::move(item.text))});
      } else if (item.type == "reasoning") {
        builder.add(ReasoningDelta{0, Text(std::move(item.text))});
      } else {
        builder.add(TextDelta{0, Text(std::move(item.text)), {}});
        builder.add(RefusalDelta{0, Text(std::move(item.refusal))});
      }
    }
    if (finish_ == FinishReason::kStop && calls > 0) finish_ = FinishReason::kToolCalls;
    builder.add(Finish{0, finish_, std::nullopt});
    builder.add(UsageReport{usage_});
    SavedAnswer saved;
    saved.api = Api::kOpenAiResponses;
    saved.complete = ended_ && !failed_;
    saved.consistent = consistent_;
    saved.answer = std::move(builder).take();
    candor_.take(saved);
    return saved;
  }

 private:
  bool add_event(std::string_view event, const json::Object& object) {
    const auto index = count_of(object, "output_index");
    if (!index || *index >= kMaxSavedChoices) return false;
    if (event == "output_item.added") {
      const json::Value* item = present(object, "item");
      if (item == nullptr || !item->is_object() || *index != items_.size()) return false;
      return read_item(item->get_object(), items_.emplace_back());
    }
    if (*index >= items_.size()) return false;
    Item& item = items_[*index];
    if (event.ends_with(".delta")) {
      const auto delta = text_of(object, "delta");
      if (!delta) return false;
      (event == "refusal.delta" ? item.refusal : item.text) += *delta;
      return true;
    }
    if (event == "output_item.done") {
      const json::Value* done = present(object, "item");
      Item said;
      if (done == nullptr || !done->is_object() || !read_item(done->get_object(), said)) {
        return false;
      }
      consistent_ = consistent_ && said == item;
      return true;
    }
    for (const std::string_view key : {"text", "arguments"}) {
      if (const auto said = text_of(object, key)) consistent_ = consistent_ && *said == item.text;
    }
    if (const auto said = text_of(object, "refusal")) {
      consistent_ = consistent_ && *said == item.refusal;
    }
    if (event == "content_part.done") {
      const json::Value* part = present(object, "part");
      if (part == nullptr || !part->is_object()) return false;
      const auto said = text_of(part->get_object(), "text");
      const auto refused = text_of(part->get_object(), "refusal");
      consistent_ =
          consistent_ && (!said || *said == item.text) && (!refused || *refused == item.refusal);
    }
    return true;
  }

  bool add_response(const json::Object& response) {
    candor_.add(response);
    const auto status = text_of(response, "status");
    const json::Value* output = present(response, "output");
    if (!status || output == nullptr || !output->is_array()) return false;
    std::vector<Item> items;
    for (const json::Value& value : output->get_array()) {
      if (items.size() >= kMaxSavedChoices || !value.is_object() ||
          !read_item(value.get_object(), items.emplace_back())) {
        return false;
      }
    }
    if (!items_.empty()) consistent_ = consistent_ && items == items_;
    items_ = std::move(items);
    if (*status == "completed") {
      finish_ = FinishReason::kStop;
    } else if (*status == "incomplete") {
      const json::Value* details = present(response, "incomplete_details");
      const bool filtered = details != nullptr && details->is_object() &&
                            text_of(details->get_object(), "reason") == "content_filter";
      finish_ = filtered ? FinishReason::kContentFilter : FinishReason::kLength;
    }
    ended_ = *status != "in_progress" && *status != "queued";
    if (const json::Value* usage = present(response, "usage"); usage && usage->is_object()) {
      usage_.prompt_tokens = count_of(usage->get_object(), "input_tokens").value_or(0);
      usage_.completion_tokens = count_of(usage->get_object(), "output_tokens").value_or(0);
    }
    return true;
  }

  std::vector<Item> items_;
  SavedCandor candor_;
  FinishReason finish_ = FinishReason::kError;
  Usage usage_;
  bool consistent_ = true;
  bool ended_ = false;
  bool failed_ = false;
};

// {"object":"list","data":[{"embedding":[...] or base64}]}
class Embeddings final : public SavedReader {
 public:
  [[nodiscard]] bool add(const json::Object& object) override {
    candor_.add(object);
    const json::Value* data = present(object, "data");
    if (data == nullptr || !data->is_array() || data->get_array().empty()) return false;
    for (const json::Value& item : data->get_array()) {
      const json::Value* vector =
          item.is_object() ? present(item.get_object(), "embedding") : nullptr;
      if (vector == nullptr || !read_saved_vector(*vector, answer_)) return false;
    }
    return true;
  }
  [[nodiscard]] SavedAnswer take() override {
    SavedAnswer saved;
    saved.api = Api::kOpenAiEmbeddings;
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

std::unique_ptr<SavedReader> responses_saved_reader() { return std::make_unique<Reader>(); }
std::unique_ptr<SavedReader> embeddings_saved_reader() { return std::make_unique<Embeddings>(); }

}  // namespace candor::dialect
