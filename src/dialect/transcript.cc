#include "dialect/transcript.h"

#include <algorithm>
#include <string>

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
  const auto fraction = [&](std::string_view name, const std::optional<float>& value) {
    if (!value) return;
    key(name);
    out += '"';
    out += fraction_text(*value);
    out += '"';
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
  if (p.n != 1) integer("n", p.n);
  fraction("presence_penalty", p.presence_penalty);
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
  integer("top_k", p.top_k);
  if (p.logprobs) integer("top_logprobs", p.top_logprobs);
  fraction("top_p", p.top_p);
  out += '}';
  return out;
}

Transcript request_transcript(const Exchange& exchange, std::string_view nonce) {
  Transcript out;
  out.reserve(4 + (exchange.messages.size() * 2) + exchange.prompts.size());
  put(out, "model", exchange.model);
  for (std::size_t i = 0; i < exchange.messages.size(); ++i) {
    const Message& message = exchange.messages[i];
    const std::string base = at("messages", i);
    put(out, base + "/role", to_string(message.role));
    for (std::size_t j = 0; j < message.parts.size(); ++j) {
      put(out, at(base + "/parts", j) + "/text", message.parts[j].text.reveal());
    }
    for (std::size_t k = 0; k < message.tool_calls.size(); ++k) {
      const std::string call = at(base + "/tool_calls", k);
      put(out, call + "/name", message.tool_calls[k].name.reveal());
      put(out, call + "/arguments", message.tool_calls[k].arguments.reveal());
    }
  }
  for (std::size_t i = 0; i < exchange.prompts.size(); ++i) {
    put(out, at("prompts", i), exchange.prompts[i].reveal());
  }
  put(out, "parameters", parameters_text(exchange));
  if (!nonce.empty()) put(out, "nonce", nonce);
  return out;
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
      put(out, call + "/arguments", choice.tool_calls[k].arguments.reveal());
    }
    put(out, base + "/finish", to_string(choice.finish));
  }
  return out;
}

bool is_nonce(std::string_view nonce) noexcept {
  return !nonce.empty() && nonce.size() <= 128 &&
         std::ranges::all_of(nonce, [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace candor::dialect
