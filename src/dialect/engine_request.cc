// The request towards llama-server v0.5.0: constants and typed values, in a fixed order (S8).
#include <fmt/format.h>

#include "base/check.h"
#include "dialect/engine_codec.h"
#include "dialect/internal/json_parts.h"
#include "dialect/schema.h"

namespace candor::dialect {
namespace {

void append_content(std::string& out, const Message& message) {
  if (message.parts.size() == 1) {
    append_text(out, message.parts.front().text);
    return;
  }
  // Kept as parts: the engine's template decides how they are joined.
  if (message.parts.empty()) {
    out += R"("")";
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < message.parts.size(); ++i) {
    if (i > 0) out += ',';
    out += R"({"type":"text","text":)";
    append_text(out, message.parts[i].text);
    out += '}';
  }
  out += ']';
}

// Ids of nine letters and digits, which the templates of all families take.
std::string call_id(std::size_t message, std::size_t call) {
  return fmt::format("c{:06d}{:02d}", message % 1'000'000, call % 100);
}

void append_calls(std::string& out, const Message& message, std::size_t index) {
  out += R"(,"tool_calls":[)";
  for (std::size_t k = 0; k < message.tool_calls.size(); ++k) {
    out += k > 0 ? R"(,{"type":"function","id":")" : R"({"type":"function","id":")";
    out += call_id(index, k);
    out += R"(","function":{"name":)";
    append_text(out, message.tool_calls[k].name);
    out += R"(,"arguments":)";
    append_text(out, message.tool_calls[k].arguments);
    out += "}}";
  }
  out += ']';
}

void append_conversation(std::string& out, const Exchange& exchange) {
  out += R"(,"messages":[)";
  for (std::size_t i = 0; i < exchange.messages.size(); ++i) {
    const Message& message = exchange.messages[i];
    out += i > 0 ? R"(,{"role":")" : R"({"role":")";
    out += to_string(message.role);
    out += R"(","content":)";
    append_content(out, message);
    if (!message.tool_calls.empty()) append_calls(out, message, i);
    if (message.answers) {
      const auto [m, k] = *message.answers;
      CANDOR_CHECK(m < i && k < exchange.messages[m].tool_calls.size());
      out += R"(,"tool_call_id":")";
      out += call_id(m, k);
      out += R"(","name":)";
      append_text(out, exchange.messages[m].tool_calls[k].name);
    }
    out += '}';
  }
  out += ']';
}

void append_tools(std::string& out, const Exchange& exchange) {
  if (exchange.tools.empty()) return;
  out += R"(,"tools":[)";
  for (std::size_t i = 0; i < exchange.tools.size(); ++i) {
    const Tool& tool = exchange.tools[i];
    out += i > 0 ? R"(,{"type":"function","function":{"name":)"
                 : R"({"type":"function","function":{"name":)";
    append_text(out, tool.name);
    if (tool.description) {
      out += R"(,"description":)";
      append_text(out, *tool.description);
    }
    out += R"(,"parameters":)";
    out += tool.parameters ? tool.parameters->enforced.reveal()
                           : std::string(R"({"type":"object","properties":{}})");
    out += "}}";
  }
  // A forced call is held by a schema of ours for the whole answer: the engine's own way depends on
  // the model's template and lets a model without one answer in prose.
  out += exchange.tool_choice.mode == ToolChoice::Mode::kAuto ? R"(],"tool_choice":"auto")"
                                                              : R"(],"tool_choice":"none")";
  if (exchange.parameters.parallel_calls && exchange.tool_choice.mode == ToolChoice::Mode::kAuto) {
    out += *exchange.parameters.parallel_calls ? R"(,"parallel_tool_calls":true)"
                                               : R"(,"parallel_tool_calls":false)";
  }
}

void append_format(std::string& out, const Exchange& exchange) {
  std::string schema;
  if (exchange.forces_call()) {
    schema = forced_calls_schema(exchange);
  } else if (exchange.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    schema = exchange.response_format.schema.enforced.reveal();
  } else if (exchange.response_format.kind == ResponseFormat::Kind::kJsonObject) {
    out += R"(,"response_format":{"type":"json_object"})";
    return;
  } else {
    return;
  }
  out +=
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":)";
  out += schema;
  out += "}}";
}

void append_inputs(std::string& out, const Exchange& exchange) {
  out += R"(,"input":[)";
  for (std::size_t i = 0; i < exchange.inputs.size(); ++i) {
    if (i > 0) out += ',';
    append_text(out, exchange.inputs[i]);
  }
  out += R"(],"encoding_format":"float"})";
}

void append_prompts(std::string& out, const Exchange& exchange) {
  out += R"(,"prompt":)";
  if (exchange.prompts.size() == 1) {
    append_text(out, exchange.prompts.front());
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < exchange.prompts.size(); ++i) {
    if (i > 0) out += ',';
    append_text(out, exchange.prompts[i]);
  }
  out += ']';
}

void append_sampling(std::string& out, const Parameters& p) {
  const auto fraction = [&out](std::string_view key, const std::optional<float>& value) {
    if (!value) return;
    out += key;
    out += fraction_text(*value);
  };
  fraction(R"(,"temperature":)", p.temperature);
  fraction(R"(,"top_p":)", p.top_p);
  if (p.top_k) {
    out += R"(,"top_k":)";
    append_number(out, *p.top_k);
  }
  fraction(R"(,"presence_penalty":)", p.presence_penalty);
  fraction(R"(,"frequency_penalty":)", p.frequency_penalty);
  fraction(R"(,"min_p":)", p.min_p);
  fraction(R"(,"repeat_penalty":)", p.repeat_penalty);
  if (p.effort) {
    out += R"(,"reasoning_effort":")";
    out += to_string(*p.effort);
    out += '"';
  }
  if (p.reasoning_tokens) {
    out += R"(,"reasoning_budget_tokens":)";
    append_number(out, *p.reasoning_tokens);
  }
  if (!p.stop.empty()) {
    out += R"(,"stop":[)";
    for (std::size_t i = 0; i < p.stop.size(); ++i) {
      if (i > 0) out += ',';
      json::append_string(out, p.stop[i]);
    }
    out += ']';
  }
}

}  // namespace

Exchange forwarded_exchange(const Exchange& received, std::uint32_t seed,
                            std::uint32_t max_tokens_cap) {
  Exchange forwarded = received;
  for (Tool& tool : forwarded.tools) {
    if (tool.parameters) tool.parameters->text = tool.parameters->enforced;
  }
  forwarded.response_format.schema.text = forwarded.response_format.schema.enforced;
  if (task_of(received.api) != Task::kGenerate) return forwarded;
  if (!forwarded.parameters.seed) forwarded.parameters.seed = seed;
  forwarded.parameters.max_tokens =
      std::min(received.parameters.max_tokens.value_or(max_tokens_cap), max_tokens_cap);
  return forwarded;
}

EngineCall build_engine_request(const Exchange& forwarded, const EngineRequestOptions& options) {
  const Parameters& p = forwarded.parameters;
  const Task task = task_of(forwarded.api);
  const bool chat = forwarded.prompts.empty();
  EngineCall call;
  std::string& out = call.body;
  std::size_t text = 0;
  for (const Message& message : forwarded.messages) {
    text += 64;
    for (const Part& part : message.parts) text += part.text.reveal().size() + 32;
  }
  for (const Text& prompt : forwarded.prompts) text += prompt.reveal().size() + 8;
  out.reserve(text + 512);

  out += R"({"model":)";
  json::append_string(out, forwarded.model);
  if (task == Task::kEmbed) {
    call.path = "/v1/embeddings";
    append_inputs(out, forwarded);
    return call;
  }
  if (chat) {
    append_conversation(out, forwarded);
    append_tools(out, forwarded);
  } else {
    append_prompts(out, forwarded);
  }
  if (task == Task::kCountTokens) {
    call.path = "/v1/chat/completions/input_tokens";
    out += '}';
    return call;
  }
  CANDOR_CHECK(p.seed.has_value() && p.max_tokens.has_value());
  call.path = chat ? "/v1/chat/completions" : "/v1/completions";
  append_format(out, forwarded);
  out += R"(,"max_tokens":)";
  append_number(out, *p.max_tokens);
  out += R"(,"seed":)";
  append_number(out, *p.seed);
  if (p.n != 1) {
    out += R"(,"n":)";
    append_number(out, p.n);
  }
  append_sampling(out, p);
  if (p.logprobs) {
    // The engine gives a token's own probability only beside at least one alternative; the reader
    // cuts to what was asked for.
    const std::uint32_t top = std::max(p.top_logprobs, 1U);
    out += chat ? R"(,"logprobs":true,"top_logprobs":)" : R"(,"logprobs":)";
    append_number(out, top);
  }
  out += options.stream ? R"(,"stream":true,"stream_options":{"include_usage":true})"
                        : R"(,"stream":false)";
  if (!options.cache_salt.empty()) {
    out += R"(,"cache_salt":)";
    json::append_string(out, options.cache_salt);
  }
  if (options.extensions == EngineRequestOptions::Extensions::kNone) {
    out += '}';
    return call;
  }
  if (options.id_slot >= 0) {
    out += R"(,"id_slot":)";
    append_number(out, options.id_slot);
  }
  out += options.cache_prompt ? R"(,"cache_prompt":true)" : R"(,"cache_prompt":false)";
  // The server's defaults may be changed by its command line: what must be off is said to be off.
  out += R"(,"return_progress":false,"timings_per_token":false,"return_tokens":false})";
  return call;
}

}  // namespace candor::dialect
