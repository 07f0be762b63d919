// OpenAI: POST /v1/completions and POST /v1/embeddings. After OpenAI's API reference
// (completions/create, embeddings/create).
#include <array>

#include <fmt/format.h>

#include "dialect/internal/openai_fields.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

// --- completions ---

bool accept_no_echo(Reader& r, const Value& v, Exchange&) {
  bool echo = false;
  if (!r.flag(v, "echo", echo)) return false;
  return !echo || r.refuse("echo", "'echo' may only be false.", "unsupported_field");
}
bool accept_one_best(Reader& r, const Value& v, Exchange&) {
  std::uint32_t best = 0;
  return r.integer(v, "best_of", 1, 1, best);
}

bool read_prompt(Reader& reader, const Value& value, Exchange& out) {
  if (value.is_string()) {
    out.prompts.emplace_back();
    return reader.text(value, "prompt", out.prompts.back());
  }
  if (!value.is_array()) return reader.wrong_type("prompt", "a string");
  const json::Array& list = value.get_array();
  if (list.empty() || list.size() > reader.limits().max_prompts) {
    return reader.refuse("prompt",
                         fmt::format("'prompt' may be a string or a list of 1 to {} strings; lists "
                                     "of token numbers are refused.",
                                     reader.limits().max_prompts),
                         "out_of_range");
  }
  for (const Value& item : list) {
    if (!item.is_string()) {
      return reader.refuse("prompt",
                           "'prompt' must be text: lists of token numbers cannot be recorded as "
                           "what they mean and are refused.",
                           "unsupported_prompt");
    }
    out.prompts.emplace_back();
    if (!reader.text(item, "prompt", out.prompts.back())) return false;
  }
  return true;
}
bool read_logprob_count(Reader& r, const Value& v, Exchange& out) {
  out.parameters.logprobs = true;
  return r.integer(v, "logprobs", 0, 20, out.parameters.top_logprobs);
}

constexpr FieldSpec kCompletionFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"prompt", kHonour, "a string, or a list of one; token numbers are refused; required"},
     read_prompt},
    {{"max_tokens", kHonour, "1 to 1048576, and at most the server's cap"}, read_max_tokens_old},
    {{"temperature", kHonour, "0 to 2"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"top_k", kHonour, "0 to 1048576; an extension"}, read_top_k},
    {{"seed", kHonour, "0 to 4294967294; chosen and recorded by the server if absent"}, read_seed},
    {{"stop", kHonour, "a text or up to 16, each 1 to 256 bytes"}, read_stop},
    {{"presence_penalty", kHonour, "-2 to 2"}, read_presence},
    {{"frequency_penalty", kHonour, "-2 to 2"}, read_frequency},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"stream_options", kHonour, "include_usage; its other fields are dropped"},
     read_stream_options},
    {{"n", kHonour, "1 to 16, and at most the model's slots"}, read_n},
    {{"logprobs", kHonour, "0 to 20"}, read_logprob_count},
    {{"echo", kAccept, "false only"}, accept_no_echo},
    {{"best_of", kAccept, "1 only"}, accept_one_best},
    {{"suffix", kRefuse, "filling in the middle is not supported by this version of Candor"}},
    {{"logit_bias", kRefuse, "token biases are not supported by this version of Candor"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
};

bool check_prompts(Reader& reader, Exchange& out) {
  return !out.prompts.empty() || reader.refuse("prompt", "'prompt' is missing.", "missing_field");
}

// --- embeddings ---

bool read_input(Reader& r, const Value& v, Exchange& out) { return read_inputs(r, v, out); }
bool read_encoding(Reader& r, const Value& v, Exchange& out) {
  if (v.is_string() && view(v.get_string()) == "float") return true;
  if (v.is_string() && view(v.get_string()) == "base64") {
    out.base64_embeddings = true;
    return true;
  }
  return r.refuse("encoding_format", "'encoding_format' must be float or base64.", "out_of_range");
}

constexpr FieldSpec kEmbeddingFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"input", kHonour, "a string or up to 512, none empty; token numbers are refused; required"},
     read_input},
    {{"encoding_format", kHonour, "float or base64"}, read_encoding},
    {{"dimensions", kRefuse, "a vector has the dimensions that the model gives it"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
};

bool check_inputs(Reader& reader, Exchange& out) {
  return !out.inputs.empty() || reader.refuse("input", "'input' is missing.", "missing_field");
}

constexpr auto kCompletionRules = rules_of(kCompletionFields);
constexpr auto kEmbeddingRules = rules_of(kEmbeddingFields);

}  // namespace

ApiTable openai_completions_table() noexcept {
  return {kCompletionFields, kCompletionRules, check_prompts};
}
ApiTable openai_embeddings_table() noexcept {
  return {kEmbeddingFields, kEmbeddingRules, check_inputs};
}

}  // namespace candor::dialect
