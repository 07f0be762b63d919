#include "dialect/exchange_texts.h"

namespace candor::dialect {
namespace {

using Kind = ExchangeText::Kind;

class Lister {
 public:
  void add(std::string path, std::string& value, Kind kind, bool goes_on = false) {
    if (!value.empty()) texts_.push_back({std::move(path), &value, kind, goes_on});
  }
  void schema(const std::string& path, Schema& schema) {
    add(path, schema.text.reveal(), Kind::kFixed);
    add(path + "/enforced", schema.enforced.reveal(), Kind::kFixed);
  }
  void message(const std::string& base, Message& message) {
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      add(base + "/parts/" + std::to_string(i) + "/text", message.parts[i].text.reveal(),
          Kind::kProse, /*goes_on=*/true);
    }
    for (std::size_t i = 0; i < message.tool_calls.size(); ++i) {
      const std::string call = base + "/tool_calls/" + std::to_string(i);
      add(call + "/name", message.tool_calls[i].name.reveal(), Kind::kFixed);
      add(call + "/arguments", message.tool_calls[i].arguments.reveal(), Kind::kJson);
    }
  }
  void tool(const std::string& base, Tool& tool) {
    add(base + "/name", tool.name.reveal(), Kind::kFixed);
    if (tool.description) add(base + "/description", tool.description->reveal(), Kind::kProse);
    if (tool.parameters) schema(base + "/parameters", *tool.parameters);
  }
  std::vector<ExchangeText> take() {
    // A part goes on in the next text where that is a part too.
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      texts_[i].goes_on = texts_[i].goes_on && i + 1 < texts_.size() && texts_[i + 1].goes_on;
    }
    return std::move(texts_);
  }

 private:
  std::vector<ExchangeText> texts_;
};

std::string at(std::string_view list, std::size_t index) {
  return std::string(list) + "/" + std::to_string(index);
}

}  // namespace

std::vector<ExchangeText> texts_of(Exchange& exchange) {
  Lister list;
  for (std::size_t i = 0; i < exchange.messages.size(); ++i) {
    list.message(at("messages", i), exchange.messages[i]);
  }
  for (std::size_t i = 0; i < exchange.prompts.size(); ++i) {
    list.add(at("prompts", i), exchange.prompts[i].reveal(), Kind::kProse);
  }
  for (std::size_t i = 0; i < exchange.inputs.size(); ++i) {
    list.add(at("inputs", i), exchange.inputs[i].reveal(), Kind::kProse);
  }
  for (std::size_t i = 0; i < exchange.tools.size(); ++i) {
    list.tool(at("tools", i), exchange.tools[i]);
  }
  if (exchange.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    list.schema("response_format/schema", exchange.response_format.schema);
  }
  for (std::size_t i = 0; i < exchange.parameters.stop.size(); ++i) {
    list.add(at("parameters/stop", i), exchange.parameters.stop[i], Kind::kFixed);
  }
  return list.take();
}

}  // namespace candor::dialect
