#include "dialect/testing/request_maker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace candor::dialect::testing {
namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr std::string_view kTexts[] = {"hi", "", "a\nb \"c\" \\", "caf\xC3\xA9 \xF0\x9F\x98\x80",
                                       "{\"name\":\"f0\",\"arguments\":{}}"};
constexpr std::string_view kTypes[] = {"string", "integer", "number", "boolean", "null"};

bool is_generate(Api api) { return task_of(api) == Task::kGenerate; }
bool has_messages(Api api) {
  return api != Api::kOpenAiCompletions && api != Api::kOllamaGenerate &&
         (is_generate(api) || api == Api::kAnthropicCountTokens);
}
bool is_anthropic(Api api) {
  return api == Api::kAnthropicMessages || api == Api::kAnthropicCountTokens;
}
Value str(std::string_view text) { return Value(boost::json::string(text)); }

}  // namespace

// --- values ---

std::string RequestMaker::text() {
  std::string out =
      chance(3) ? data_.ConsumeRandomLengthString(24) : std::string(data_.PickValueInArray(kTexts));
  std::ranges::replace(out, 'Q', 'q');  // never the canary
  std::string valid;
  json::append_string(valid, out);
  const auto back = json::parse(valid);
  return std::string(back->get_string());
}
std::string RequestMaker::filled_text() {
  std::string out = text();
  return out.empty() ? "x" : out;
}

Value RequestMaker::fraction(int least, int most) {
  switch (data_.ConsumeIntegralInRange(0, 3)) {
    case 0: return data_.ConsumeIntegralInRange(least, most);
    case 1: return data_.ConsumeIntegralInRange(least * 100, most * 100) / 100.0;
    case 2: return 1e-7 * data_.ConsumeIntegralInRange(0, 9);
    default: return data_.ConsumeFloatingPointInRange<double>(least, most);
  }
}

// Of a field that has no effect.
Value RequestMaker::any(int depth) {
  switch (data_.ConsumeIntegralInRange(0, depth > 0 ? 5 : 3)) {
    case 0: return str(kCanary);
    case 1: return data_.ConsumeIntegral<std::int64_t>();
    case 2: return data_.ConsumeBool();
    case 3: return 1e300;
    case 4: return Object{{kCanary, any(depth - 1)}, {"content", str(kCanary)}};
    default: return Array{any(depth - 1), str(kCanary)};
  }
}

Value RequestMaker::schema(int depth, bool object) {
  Object out;
  if (object) {
    out["type"] = "object";
    Object properties;
    Array required;
    const int count = data_.ConsumeIntegralInRange(0, depth > 0 ? 3 : 1);
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("p{}", i);
      properties[name] = schema(depth - 1, depth > 1 && chance(3));
      if (chance(2)) required.push_back(str(name));
    }
    out["properties"] = std::move(properties);
    if (!required.empty()) out["required"] = std::move(required);
    if (chance(3)) out["additionalProperties"] = false;
  } else if (depth > 0 && chance(4)) {
    out["type"] = "array";
    out["items"] = schema(depth - 1, false);
    if (chance(2)) out["minItems"] = data_.ConsumeIntegralInRange(0, 3);
  } else if (chance(4)) {
    out["enum"] = Array{str(filled_text()), str("b")};
  } else {
    out["type"] = str(data_.PickValueInArray(kTypes));
  }
  if (chance(4)) out["description"] = str(text());
  if (chance(4)) out["x-unknown"] = any(1);
  return out;
}

Object RequestMaker::function(std::size_t index, std::string_view key) {
  Object out;
  out["name"] = fmt::format("f{}", index);
  if (chance(2)) out["description"] = str(text());
  if (key == "input_schema" || chance(2)) out[key] = schema(2, true);
  if (chance(4)) out["strict"] = false;
  return out;
}

Value RequestMaker::tools(Api api) {
  if (plan_.tools == 0) return chance(4) ? Value(Array{}) : Value();
  Array out;
  for (std::size_t i = 0; i < plan_.tools; ++i) {
    Object tool;
    if (is_anthropic(api)) {
      tool = function(i, "input_schema");
      if (chance(2)) tool["type"] = "custom";
    } else if (api == Api::kOpenAiResponses) {
      tool = function(i, "parameters");
      tool["type"] = "function";
    } else {
      if (chance(2)) tool["type"] = "function";
      tool["function"] = function(i, "parameters");
    }
    if (chance(4)) tool["x_unknown"] = any(1);
    out.push_back(std::move(tool));
  }
  return out;
}

Value RequestMaker::tool_choice(Api api) {
  using enum ToolChoice::Mode;
  if (is_anthropic(api)) {
    Object out;
    switch (plan_.choice) {
      case kAuto: out["type"] = "auto"; break;
      case kNone: out["type"] = "none"; break;
      case kRequired: out["type"] = "any"; break;
      case kNamed:
        out["type"] = "tool";
        out["name"] = "f0";
        break;
    }
    if (chance(3)) out["disable_parallel_tool_use"] = data_.ConsumeBool();
    return out;
  }
  switch (plan_.choice) {
    case kAuto: return str("auto");
    case kNone: return str("none");
    case kRequired: return str("required");
    case kNamed: break;
  }
  if (api == Api::kOpenAiResponses) return Object{{"type", "function"}, {"name", "f0"}};
  return Object{{"type", "function"}, {"function", Object{{"name", "f0"}}}};
}

Value RequestMaker::response_format(Api api) {
  using enum ResponseFormat::Kind;
  if (api == Api::kOllamaChat || api == Api::kOllamaGenerate) {
    if (plan_.format == kText) return str("");
    return plan_.format == kJsonObject ? str("json") : schema(2, true);
  }
  Object out;
  if (plan_.format == kText) return Object{{"type", "text"}};
  if (plan_.format == kJsonObject) return Object{{"type", "json_object"}};
  out["type"] = "json_schema";
  Object named{{"name", "s"}, {"schema", schema(2, true)}};
  if (chance(3)) named["strict"] = false;
  if (api == Api::kOpenAiChat) {
    out["json_schema"] = std::move(named);
  } else {
    for (auto& member : named) out[member.key()] = std::move(member.value());
  }
  return out;
}

Value RequestMaker::stops(bool as_list) {
  if (!as_list && chance(2)) return str(filled_text());
  Array out;
  const int count = data_.ConsumeIntegralInRange(1, 4);
  for (int i = 0; i < count; ++i) out.push_back(str(filled_text()));
  return out;
}

Value RequestMaker::texts(std::size_t most) {
  if (chance(2)) return str(filled_text());
  Array out;
  const auto count = data_.ConsumeIntegralInRange<std::size_t>(1, most);
  for (std::size_t i = 0; i < count; ++i) out.push_back(str(filled_text()));
  return out;
}

Value RequestMaker::options() {
  Object out;
  if (chance(2)) out["num_predict"] = data_.ConsumeIntegralInRange(-2, 64);
  if (chance(2)) out["seed"] = data_.ConsumeIntegralInRange<std::int64_t>(-1, 4'294'967'294);
  if (chance(2)) out["temperature"] = fraction(0, 2);
  if (chance(4)) out["top_k"] = data_.ConsumeIntegralInRange(0, 1 << 20);
  if (chance(4)) out["top_p"] = fraction(0, 1);
  if (chance(4)) out["min_p"] = fraction(0, 1);
  if (chance(4)) out["repeat_penalty"] = fraction(0, 2);
  if (chance(4)) out["presence_penalty"] = fraction(-2, 2);
  if (chance(4)) out["frequency_penalty"] = fraction(-2, 2);
  if (chance(4)) out["stop"] = stops(false);
  if (chance(4)) out["mirostat"] = any(1);
  return out;
}

Value RequestMaker::thinking() {
  switch (data_.ConsumeIntegralInRange(0, 2)) {
    case 0: return Object{{"type", "disabled"}};
    case 1: return Object{{"type", "adaptive"}, {"x_unknown", str(kCanary)}};
    default:
      return Object{{"type", "enabled"}, {"budget_tokens", data_.ConsumeIntegralInRange(0, 4096)}};
  }
}

// --- conversations ---

std::vector<RequestMaker::Turn> RequestMaker::conversation() {
  std::vector<Turn> out;
  int ids = 0;
  const int rounds = data_.ConsumeIntegralInRange(0, 3);
  for (int i = 0; i < rounds; ++i) {
    out.push_back({.role = Role::kUser, .text = text()});
    Turn answer{.role = Role::kAssistant, .text = text()};
    const int calls = chance(2) ? data_.ConsumeIntegralInRange(1, 3) : 0;
    for (int k = 0; k < calls; ++k) {
      Object arguments;
      if (chance(2)) arguments["b"] = str(text());
      if (chance(2)) arguments["a"] = fraction(0, 2);
      answer.calls.push_back({.id = fmt::format("c{}", ids++),
                              .name = fmt::format("f{}", data_.ConsumeIntegralInRange(0, 2)),
                              .arguments = std::move(arguments)});
    }
    std::vector<Call> open = answer.calls;
    if (chance(2)) std::ranges::reverse(open);
    out.push_back(std::move(answer));
    for (const Call& call : open) {
      out.push_back(
          {.role = Role::kTool, .text = text(), .answers = call.id, .answers_name = call.name});
    }
  }
  out.push_back({.role = Role::kUser, .text = text()});
  const bool held = plan_.choice == ToolChoice::Mode::kRequired ||
                    plan_.choice == ToolChoice::Mode::kNamed ||
                    plan_.format != ResponseFormat::Kind::kText;
  if (!held && chance(6)) out.push_back({.role = Role::kAssistant, .text = text()});
  return out;
}

Value RequestMaker::parts(const std::string& text, std::string_view type) {
  if (!chance(2)) return str(text);
  Array out;
  Object part{{"type", str(type)}, {"text", str(text)}};
  if (chance(4)) part["x_unknown"] = any(0);
  out.push_back(std::move(part));
  if (chance(3)) out.push_back(Object{{"type", str(type)}, {"text", "more"}});
  return out;
}

Array RequestMaker::openai_messages() {
  Array out;
  if (chance(3)) out.push_back(Object{{"role", "system"}, {"content", str(text())}});
  for (const Turn& turn : conversation()) {
    Object message{{"role", str(to_string(turn.role))}};
    if (turn.calls.empty() || chance(2)) message["content"] = parts(turn.text, "text");
    Array calls;
    for (const Call& call : turn.calls) {
      calls.push_back(Object{{"id", str(call.id)},
                             {"type", "function"},
                             {"function", Object{{"name", str(call.name)},
                                                 {"arguments", json::to_text(call.arguments)}}}});
    }
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    if (turn.role == Role::kTool) message["tool_call_id"] = str(turn.answers);
    if (chance(6)) message["x_unknown"] = any(1);
    out.push_back(std::move(message));
  }
  return out;
}

Array RequestMaker::response_items() {
  Array out;
  for (const Turn& turn : conversation()) {
    if (turn.role == Role::kTool) {
      out.push_back(Object{{"type", "function_call_output"},
                           {"call_id", str(turn.answers)},
                           {"output", parts(turn.text, "input_text")}});
      continue;
    }
    Object message{
        {"role", str(to_string(turn.role))},
        {"content", parts(turn.text, turn.role == Role::kUser ? "input_text" : "output_text")}};
    if (chance(3)) message["type"] = "message";
    if (chance(6)) message["x_unknown"] = any(1);
    out.push_back(std::move(message));
    for (const Call& call : turn.calls) {
      out.push_back(Object{{"type", "function_call"},
                           {"call_id", str(call.id)},
                           {"name", str(call.name)},
                           {"arguments", json::to_text(call.arguments)}});
    }
  }
  return out;
}

Array RequestMaker::anthropic_messages() {
  Array out;
  Array results;  // of the message that comes next
  for (const Turn& turn : conversation()) {
    if (turn.role == Role::kTool) {
      Object block{{"type", "tool_result"}, {"tool_use_id", str(turn.answers)}};
      if (chance(2)) block["content"] = parts(turn.text, "text");
      if (chance(6)) block["cache_control"] = any(1);
      results.push_back(std::move(block));
      continue;
    }
    Object message{{"role", str(to_string(turn.role))}};
    if (results.empty() && turn.calls.empty()) {
      message["content"] = parts(turn.text, "text");
    } else {
      Array blocks = std::move(results);
      results = {};
      if (chance(4) && turn.role == Role::kAssistant) {
        blocks.push_back(Object{{"type", "thinking"}, {"thinking", str(kCanary)}});
      }
      blocks.push_back(Object{{"type", "text"}, {"text", str(turn.text)}});
      for (const Call& call : turn.calls) {
        blocks.push_back(Object{{"type", "tool_use"},
                                {"id", str(call.id)},
                                {"name", str(call.name)},
                                {"input", call.arguments}});
      }
      message["content"] = std::move(blocks);
    }
    if (chance(6)) message["x_unknown"] = any(1);
    out.push_back(std::move(message));
  }
  return out;
}

Array RequestMaker::ollama_messages() {
  Array out;
  for (const Turn& turn : conversation()) {
    Object message{{"role", str(to_string(turn.role))}};
    if (turn.calls.empty() || chance(2)) message["content"] = str(turn.text);
    Array calls;
    for (const Call& call : turn.calls) {
      Object made{{"function", Object{{"name", str(call.name)}, {"arguments", call.arguments}}}};
      made["id"] = str(call.id);
      calls.push_back(std::move(made));
    }
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    if (turn.role == Role::kTool) {
      // All of one message are answered, so names alone find them too.
      if (chance(2)) message["tool_call_id"] = str(turn.answers);
      message["tool_name"] = str(turn.answers_name);
    }
    if (chance(6)) message["x_unknown"] = any(1);
    out.push_back(std::move(message));
  }
  return out;
}

// --- fields ---

Value RequestMaker::value_of(Api api, std::string_view name) {
  if (name == "model") return str("m");
  if (name == "messages") {
    return is_anthropic(api)         ? anthropic_messages()
           : api == Api::kOllamaChat ? ollama_messages()
                                     : openai_messages();
  }
  if (name == "prompt") return api == Api::kOllamaGenerate ? str(filled_text()) : texts(2);
  if (name == "input") {
    if (api != Api::kOpenAiResponses) return texts(3);
    return chance(4) ? str(text()) : Value(response_items());
  }
  if (name == "max_tokens" && is_anthropic(api)) return data_.ConsumeIntegralInRange(1, 64);
  // What the plan says, whether absent would mean the same or not.
  if (name == "stream") {
    const bool absent = api == Api::kOllamaChat || api == Api::kOllamaGenerate;
    return plan_.stream == absent && chance(2) ? Value() : Value(plan_.stream);
  }
  if (name == "tools") return tools(api);
  if (name == "tool_choice") {
    return plan_.choice == ToolChoice::Mode::kAuto && chance(2) ? Value() : tool_choice(api);
  }
  if (name == "raw") return plan_.raw ? Value(true) : chance(4) ? Value(false) : Value();
  if (name == "logprobs" && api != Api::kOpenAiCompletions) {
    return plan_.logprobs ? Value(true) : chance(4) ? Value(false) : Value();
  }
  const bool formats = plan_.format != ResponseFormat::Kind::kText || chance(4);
  if (name == "response_format" || name == "format" || name == "output_config") {
    if (!formats) return {};
    if (name != "output_config") return response_format(api);
    Object out;
    if (plan_.format != ResponseFormat::Kind::kText) out["format"] = response_format(api);
    if (chance(3)) out["effort"] = any(0);
    return out;
  }
  if (name == "text") {
    if (!formats) return {};
    return Object{{"format", response_format(api)}, {"verbosity", str(kCanary)}};
  }
  if (name == "top_logprobs") {
    if (api == Api::kOpenAiResponses ? plan_.tools > 0 : !plan_.logprobs) return {};
    return chance(2) ? Value(data_.ConsumeIntegralInRange(0, 20)) : Value();
  }
  if (name == "include") {
    Array out;
    if (plan_.logprobs) out.push_back("message.output_text.logprobs");
    if (chance(4)) out.push_back(str(kCanary));
    return out.empty() ? Value() : Value(std::move(out));
  }
  // Two names of one thing: only one of them at a time.
  if (name == "max_tokens" || name == "output_format") return {};

  if (!chance(4)) return {};
  if (name == "max_completion_tokens" || name == "max_output_tokens") {
    return data_.ConsumeIntegralInRange(1, 64);
  }
  if (name == "temperature") return fraction(0, is_anthropic(api) ? 1 : 2);
  if (name == "top_p") return fraction(0, 1);
  if (name == "top_k") return data_.ConsumeIntegralInRange(0, 1 << 20);
  if (name == "seed") return data_.ConsumeIntegralInRange<std::int64_t>(0, 4'294'967'294);
  if (name == "stop" || name == "stop_sequences") return stops(name == "stop_sequences");
  if (name == "presence_penalty" || name == "frequency_penalty") return fraction(-2, 2);
  if (name == "stream_options") {
    return Object{{"include_usage", data_.ConsumeBool()}, {"x_unknown", any(0)}};
  }
  if (name == "n") return data_.ConsumeIntegralInRange(1, 4);
  if (name == "logprobs") return data_.ConsumeIntegralInRange(0, 20);
  if (name == "parallel_tool_calls" || name == "truncate") return data_.ConsumeBool();
  if (name == "reasoning_effort") return str("low");
  if (name == "reasoning") return Object{{"effort", "high"}, {"summary", str(kCanary)}};
  if (name == "think") return chance(2) ? str("medium") : Value(data_.ConsumeBool());
  if (name == "thinking") return thinking();
  if (name == "modalities") return Array{"text"};
  if (name == "echo" || name == "background") return false;
  if (name == "best_of") return 1;
  if (name == "truncation") return str("disabled");
  if (name == "instructions") return str(text());
  if (name == "system") {
    if (api == Api::kOllamaGenerate) return plan_.raw ? Value() : str(text());
    return parts(text(), "text");
  }
  if (name == "template" || name == "suffix") return str("");
  if (name == "encoding_format") return str(data_.ConsumeBool() ? "base64" : "float");
  if (name == "options") return options();
  CANDOR_CHECK(false);  // a field of the table that this maker does not know: add it
  return {};
}

Object RequestMaker::lawful(Api api) {
  using enum ToolChoice::Mode;
  plan_ = {};
  plan_.stream = is_generate(api) && data_.ConsumeBool();
  plan_.logprobs = is_generate(api) && !is_anthropic(api) && chance(3);
  plan_.raw = api == Api::kOllamaGenerate && chance(3);
  if (has_messages(api) && chance(3)) {
    plan_.tools = data_.ConsumeIntegralInRange<std::size_t>(1, 3);
    constexpr ToolChoice::Mode kModes[] = {kAuto, kNone, kRequired, kNamed};
    if (api != Api::kOllamaChat) plan_.choice = data_.PickValueInArray(kModes);
    const bool forced = plan_.choice == kRequired || plan_.choice == kNamed;
    if (forced || plan_.stream) plan_.logprobs = false;
  }
  const bool may_format = (plan_.tools == 0 || plan_.choice == kNone) && !plan_.raw &&
                          api != Api::kOpenAiCompletions &&
                          (is_generate(api) || api == Api::kAnthropicCountTokens);
  if (may_format && chance(3)) {
    plan_.format = is_anthropic(api) || chance(2) ? ResponseFormat::Kind::kJsonSchema
                                                  : ResponseFormat::Kind::kJsonObject;
  }
  Object out;
  for (const FieldRule& rule : dialect_of(api).fields(api)) {
    if (rule.name.find_first_of("[.") != std::string_view::npos) continue;
    Value value;
    if (rule.action == FieldAction::kHonour || rule.action == FieldAction::kAccept) {
      value = value_of(api, rule.name);
    } else if (rule.action == FieldAction::kDrop && chance(6)) {
      value = any(1);
    }
    if (!value.is_null()) out[rule.name] = std::move(value);
  }
  if (chance(3)) out["x_unknown"] = any(2);
  return out;
}

}  // namespace candor::dialect::testing
