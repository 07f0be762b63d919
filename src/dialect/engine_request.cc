// The request towards llama-server v0.5.0: constants and typed values, in a fixed order (S8).
#include "base/check.h"
#include "dialect/engine_codec.h"
#include "dialect/internal/json_parts.h"

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

void append_conversation(std::string& out, const Exchange& exchange) {
  out += R"(,"messages":[)";
  for (std::size_t i = 0; i < exchange.messages.size(); ++i) {
    const Message& message = exchange.messages[i];
    CANDOR_CHECK(message.tool_calls.empty());  // refused by every parser of this version
    out += i > 0 ? R"(,{"role":")" : R"({"role":")";
    out += to_string(message.role);
    out += R"(","content":)";
    append_content(out, message);
    out += '}';
  }
  out += ']';
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
  if (!forwarded.parameters.seed) forwarded.parameters.seed = seed;
  forwarded.parameters.max_tokens =
      std::min(received.parameters.max_tokens.value_or(max_tokens_cap), max_tokens_cap);
  return forwarded;
}

EngineCall build_engine_request(const Exchange& forwarded, const EngineRequestOptions& options) {
  const Parameters& p = forwarded.parameters;
  CANDOR_CHECK(p.seed.has_value() && p.max_tokens.has_value());
  const bool chat = forwarded.prompts.empty();
  EngineCall call;
  call.path = chat ? "/v1/chat/completions" : "/v1/completions";
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
  if (chat) {
    append_conversation(out, forwarded);
  } else {
    append_prompts(out, forwarded);
  }
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
