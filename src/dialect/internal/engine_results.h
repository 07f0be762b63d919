// Answers of the engine that are no text: embeddings and counts of tokens. Hostile input; internal
// to EngineReader.
#pragma once

#include <expected>
#include <string_view>
#include <vector>

#include "dialect/engine_codec.h"

namespace candor::dialect {

// Exactly `inputs` vectors of one length, finite values.
[[nodiscard]] std::expected<Usage, EngineError> read_embeddings(std::string_view body,
                                                                std::size_t inputs,
                                                                const EngineLimits& limits,
                                                                std::vector<AnswerEvent>& out);
[[nodiscard]] std::expected<Usage, EngineError> read_token_count(std::string_view body,
                                                                 const EngineLimits& limits,
                                                                 std::vector<AnswerEvent>& out);

}  // namespace candor::dialect
