// Fields that OpenAI's routes share, and their tables. Internal.
#pragma once

#include "dialect/internal/request_reader.h"

namespace candor::dialect {

inline constexpr std::string_view kNoImages =
    "only text parts are supported by this version of Candor; images, audio and files cannot be "
    "scanned and are refused";

bool read_model(RequestReader& r, const json::Value& v, Exchange& out);
bool read_max_tokens(RequestReader& r, const json::Value& v, std::string_view name, Exchange& out);
bool read_max_tokens_old(RequestReader& r, const json::Value& v, Exchange& out);
bool read_max_tokens_new(RequestReader& r, const json::Value& v, Exchange& out);
bool read_temperature(RequestReader& r, const json::Value& v, Exchange& out);
bool read_top_p(RequestReader& r, const json::Value& v, Exchange& out);
bool read_top_k(RequestReader& r, const json::Value& v, Exchange& out);
bool read_seed(RequestReader& r, const json::Value& v, Exchange& out);
bool read_stop(RequestReader& r, const json::Value& v, Exchange& out);
bool read_presence(RequestReader& r, const json::Value& v, Exchange& out);
bool read_frequency(RequestReader& r, const json::Value& v, Exchange& out);
bool read_stream(RequestReader& r, const json::Value& v, Exchange& out);
bool read_stream_options(RequestReader& r, const json::Value& v, Exchange& out);
bool read_n(RequestReader& r, const json::Value& v, Exchange& out);
bool read_top_logprobs(RequestReader& r, const json::Value& v, Exchange& out);
bool read_parallel(RequestReader& r, const json::Value& v, Exchange& out);
bool read_effort(RequestReader& r, const json::Value& v, Exchange& out);
bool read_effort_word(RequestReader& r, const json::Value& v, std::string_view name, Exchange& out);
// tool_choice as a word; v is a string.
bool read_choice_word(RequestReader& r, const json::Value& v, Exchange& out);
// A format of the type text or json_object; and the members of one that has a schema.
bool read_plain_format(RequestReader& r, const json::Object& format, std::string_view name,
                       Exchange& out);
bool read_schema_format(RequestReader& r, const json::Object& format, std::string_view name,
                        Exchange& out);

[[nodiscard]] ApiTable openai_chat_table() noexcept;         // openai_chat.cc
[[nodiscard]] ApiTable openai_completions_table() noexcept;  // openai_prompts.cc
[[nodiscard]] ApiTable openai_embeddings_table() noexcept;   // openai_prompts.cc
[[nodiscard]] ApiTable openai_responses_table() noexcept;    // openai_responses.cc

}  // namespace candor::dialect
