#include "dialect/transcript.h"

#include <algorithm>
#include <bit>
#include <span>
#include <string>

#include "base/bytes.h"
#include "json/json.h"

namespace candor::dialect {
namespace {

void put(Transcript& out, std::string path, std::string_view text) {
  out.push_back({std::move(path), Sensitive<std::string>(std::string(text))});
}

std::string at(std::string_view list, std::size_t index) {
  std::string path(list);
  path += '/';
  path += std::to_string(index);
  return path;
}

}  // namespace

// Keys are appended in RFC 8785 order by hand; a test compares with json::canonical.
std::string parameters_text(const Exchange& exchange) {
  const Parameters& p = exchange.parameters;
  std::string out = "{";
  const auto key = [&out](std::string_view name) {
    if (out.size() > 1) out += ',';
    out += '"';
    out += name;
    out += "\":";
  };
  const auto text = [&](std::string_view name, std::string_view value) {
    key(name);
    json::append_string(out, value);
  };
  const auto fraction = [&](std::string_view name, const std::optional<float>& value) {
    if (value) text(name, fraction_text(*value));
  };
  const auto integer = [&](std::string_view name, const std::optional<std::uint32_t>& value) {
    if (!value) return;
    key(name);
    out += std::to_string(*value);
  };
  fraction("frequency_penalty", p.frequency_penalty);
  if (p.logprobs) {
    key("logprobs");
    out += "true";
  }
  integer("max_tokens", p.max_tokens);
  fraction("min_p", p.min_p);
  if (p.n != 1) integer("n", p.n);
  if (p.parallel_calls && !exchange.tools.empty()) {
    key("parallel_tool_calls");
    out += *p.parallel_calls ? "true" : "false";
  }
  fraction("presence_penalty", p.presence_penalty);
  if (p.effort) text("reasoning_effort", to_string(*p.effort));
  integer("reasoning_tokens", p.reasoning_tokens);
  fraction("repeat_penalty", p.repeat_penalty);
  if (exchange.response_format.kind == ResponseFormat::Kind::kJsonObject) {
    text("response_format", "json_object");
  } else if (exchange.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    text("response_format", "json_schema");
  }
  integer("seed", p.seed);
  if (!p.stop.empty()) {
    key("stop");
    out += '[';
    for (std::size_t i = 0; i < p.stop.size(); ++i) {
      if (i > 0) out += ',';
      json::append_string(out, p.stop[i]);
    }
    out += ']';
  }
  fraction("temperature", p.temperature);
  switch (exchange.tool_choice.mode) {
    case ToolChoice::Mode::kAuto: break;
    case ToolChoice::Mode::kNone: text("tool_choice", "none"); break;
    case ToolChoice::Mode::kRequired: text("tool_choice", "required"); break;
    case ToolChoice::Mode::kNamed:
      key("tool_choice");
      out += R"({"name":)";
      json::append_string(out, exchange.tool_choice.name.reveal());
      out += '}';
      break;
  }
  integer("top_k", p.top_k);
  if (p.logprobs) integer("top_logprobs", p.top_logprobs);
  fraction("top_p", p.top_p);
  out += '}';
  return out;
}

namespace {

void put_message(Transcript& out, const Message& message, const std::string& base) {
  put(out, base + "/role", to_string(message.role));
  for (std::size_t j = 0; j < message.parts.size(); ++j) {
    put(out, at(base + "/parts", j) + "/text", message.parts[j].text.reveal());
  }
  for (std::size_t k = 0; k < message.tool_calls.size(); ++k) {
    const std::string call = at(base + "/tool_calls", k);
    put(out, call + "/name", message.tool_calls[k].name.reveal());
    put(out, call + "/arguments", message.tool_calls[k].arguments.reveal());
  }
  if (message.answers) {
    put(out, base + "/answers",
        std::to_string(message.answers->message) + '/' + std::to_string(message.answers->call));
  }
}

void put_tool(Transcript& out, const Tool& tool, const std::string& base) {
  put(out, base + "/name", tool.name.reveal());
  if (tool.description) put(out, base + "/description", tool.description->reveal());
  if (tool.parameters) put(out, base + "/parameters", tool.parameters->text.reveal());
}

}  // namespace

Transcript request_transcript(const Exchange& exchange, std::string_view nonce) {
  Transcript out;
  out.reserve(4 + (exchange.messages.size() * 2) + exchange.prompts.size() +
              exchange.inputs.size() + (exchange.tools.size() * 3));
  put(out, "model", exchange.model);
  for (std::size_t i = 0; i < exchange.messages.size(); ++i) {
    put_message(out, exchange.messages[i], at("messages", i));
  }
  for (std::size_t i = 0; i < exchange.prompts.size(); ++i) {
    put(out, at("prompts", i), exchange.prompts[i].reveal());
  }
  for (std::size_t i = 0; i < exchange.inputs.size(); ++i) {
    put(out, at("inputs", i), exchange.inputs[i].reveal());
  }
  for (std::size_t i = 0; i < exchange.tools.size(); ++i) {
    put_tool(out, exchange.tools[i], at("tools", i));
  }
  if (exchange.response_format.kind == ResponseFormat::Kind::kJsonSchema) {
    put(out, "response_format/schema", exchange.response_format.schema.text.reveal());
  }
  put(out, "parameters", parameters_text(exchange));
  if (!nonce.empty()) put(out, "nonce", nonce);
  return out;
}

std::string canonical_arguments(std::string_view arguments) {
  if (arguments.find_first_not_of(" \t\r\n") == std::string_view::npos) return "{}";
  const auto value = json::parse(arguments);
  if (!value || !value->is_object()) return std::string(arguments);
  return json::normal_form(*value, json::Order::kSorted);
}

std::string embedding_text(const Embedding& embedding) {
  static_assert(std::endian::native == std::endian::little && sizeof(float) == 4);
  return to_base64(std::as_bytes(std::span(embedding.reveal())));
}

Transcript answer_transcript(const Answer& answer) {
  Transcript out;
  for (std::size_t i = 0; i < answer.choices.size(); ++i) {
    const Choice& choice = answer.choices[i];
    const std::string base = at("choices", i);
    if (!choice.reasoning.reveal().empty()) {
      put(out, base + "/reasoning", choice.reasoning.reveal());
    }
    put(out, base + "/content", choice.content.reveal());
    if (!choice.refusal.reveal().empty()) put(out, base + "/refusal", choice.refusal.reveal());
    for (std::size_t k = 0; k < choice.tool_calls.size(); ++k) {
      const std::string call = at(base + "/tool_calls", k);
      put(out, call + "/name", choice.tool_calls[k].name.reveal());
      put(out, call + "/arguments", canonical_arguments(choice.tool_calls[k].arguments.reveal()));
    }
    put(out, base + "/finish", to_string(choice.finish));
  }
  for (std::size_t i = 0; i < answer.embeddings.size(); ++i) {
    put(out, at("embeddings", i), embedding_text(answer.embeddings[i]));
  }
  if (answer.input_tokens) put(out, "input_tokens", std::to_string(*answer.input_tokens));
  return out;
}

bool is_nonce(std::string_view nonce) noexcept {
  return !nonce.empty() && nonce.size() <= 128 &&
         std::ranges::all_of(nonce, [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace candor::dialect
