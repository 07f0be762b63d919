#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dialect/dialect.h"

namespace candor::dialect {

[[nodiscard]] std::unique_ptr<AnswerWriter> make_openai_writer(WriterOptions options);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_responses_writer(WriterOptions options);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_embeddings_writer(WriterOptions options);
void append_openai_error(const ErrorInfo& error, std::string& out);

// {"token":..,"logprob":..,"bytes":[..],"top_logprobs":[..]}, one after another.
void append_token_logprobs(std::string& out, const std::vector<TokenLogprob>& tokens);
// What a response of /v1/responses repeats of its request: `,"instructions":...` and so on.
[[nodiscard]] std::string responses_echo(const Exchange& request);

}  // namespace candor::dialect
