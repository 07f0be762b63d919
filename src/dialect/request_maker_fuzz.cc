// Structure-aware: bytes choose an API, field names of its own table and values of every shape, so
// that nearly every input gets past the outer parser. Property: testing/request_property.h.
#include <cstdint>

#include <fuzzer/FuzzedDataProvider.h>

#include "dialect/testing/request_property.h"

namespace candor::dialect {
namespace {

constexpr Api kApis[] = {
    Api::kOpenAiChat,       Api::kOpenAiCompletions, Api::kOpenAiResponses,
    Api::kOpenAiEmbeddings, Api::kAnthropicMessages, Api::kAnthropicCountTokens,
    Api::kOllamaChat,       Api::kOllamaGenerate,    Api::kOllamaEmbed};
constexpr std::string_view kWords[] = {"user",
                                       "assistant",
                                       "tool",
                                       "system",
                                       "text",
                                       "function",
                                       "message",
                                       "function_call",
                                       "function_call_output",
                                       "reasoning",
                                       "input_text",
                                       "output_text",
                                       "tool_use",
                                       "tool_result",
                                       "thinking",
                                       "auto",
                                       "none",
                                       "required",
                                       "any",
                                       "json_schema",
                                       "json_object",
                                       "json",
                                       "low",
                                       "float",
                                       "base64",
                                       "f",
                                       "c1",
                                       "object",
                                       "string",
                                       "array",
                                       "integer",
                                       "{}",
                                       "",
                                       "custom",
                                       "enabled",
                                       "disabled",
                                       "#/$defs/a"};
constexpr std::string_view kMembers[] = {"type",          "role",
                                         "content",       "text",
                                         "name",          "function",
                                         "arguments",     "id",
                                         "call_id",       "output",
                                         "tool_calls",    "tool_call_id",
                                         "tool_name",     "tool_use_id",
                                         "input",         "input_schema",
                                         "parameters",    "description",
                                         "strict",        "schema",
                                         "format",        "json_schema",
                                         "properties",    "required",
                                         "items",         "$defs",
                                         "$ref",          "anyOf",
                                         "enum",          "a",
                                         "minItems",      "maxLength",
                                         "effort",        "budget_tokens",
                                         "num_predict",   "stop",
                                         "include_usage", "additionalProperties",
                                         "image_url",     "thinking"};

class Maker {
 public:
  Maker(const std::uint8_t* data, std::size_t size) : data_(data, size) {}

  Api api() { return data_.PickValueInArray(kApis); }

  std::string body(Api chosen) {
    const auto fields = dialect_of(chosen).fields(chosen);
    std::string out = R"({"model":"m")";
    std::set<std::string_view> used = {"model"};
    const int count = data_.ConsumeIntegralInRange(1, 8);
    for (int i = 0; i < count; ++i) {
      const std::string_view name =
          fields[data_.ConsumeIntegralInRange<std::size_t>(0, fields.size() - 1)].name;
      if (name.find_first_of("[.") != std::string_view::npos || !used.insert(name).second) continue;
      out += ",\"" + std::string(name) + "\":";
      // Lists of objects are what conversations and tools are.
      const bool list = name == "messages" || name == "input" || name == "tools";
      if (list && data_.ConsumeBool()) {
        out += '[';
        const int items = data_.ConsumeIntegralInRange(0, 4);
        for (int k = 0; k < items; ++k) {
          if (k > 0) out += ',';
          object(out, 3);
        }
        out += ']';
      } else {
        value(out, 4);
      }
    }
    return out + "}";
  }

 private:
  void object(std::string& out, int depth) {
    out += '{';
    std::set<std::string_view> used;
    const int count = data_.ConsumeIntegralInRange(0, 5);
    for (int i = 0; i < count; ++i) {
      const std::string_view name = data_.PickValueInArray(kMembers);
      if (!used.insert(name).second) continue;
      if (out.back() != '{') out += ',';
      json::append_string(out, name);
      out += ':';
      value(out, depth - 1);
    }
    out += '}';
  }
  void value(std::string& out, int depth) {
    switch (data_.ConsumeIntegralInRange(0, depth > 0 ? 8 : 5)) {
      case 0: out += "null"; return;
      case 1: out += data_.ConsumeBool() ? "true" : "false"; return;
      case 2: out += std::to_string(data_.ConsumeIntegral<std::int64_t>()); return;
      case 3: out += std::to_string(data_.ConsumeIntegralInRange(0, 9)) + ".5"; return;
      case 4: json::append_string(out, data_.PickValueInArray(kWords)); return;
      case 5: json::append_string(out, data_.ConsumeRandomLengthString(12)); return;
      case 6:
      case 7: object(out, depth); return;
      default: {
        out += '[';
        const int items = data_.ConsumeIntegralInRange(0, 3);
        for (int i = 0; i < items; ++i) {
          if (i > 0) out += ',';
          value(out, depth - 1);
        }
        out += ']';
      }
    }
  }

  FuzzedDataProvider data_;
};

}  // namespace
}  // namespace candor::dialect

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  candor::dialect::Maker maker(data, size);
  const candor::dialect::Api api = maker.api();
  candor::dialect::testing::check_request(api, maker.body(api));
  return 0;
}
