// Errors of an engine as its readers make them. Internal to EngineReader and what it reads with.
#pragma once

#include <expected>

#include "dialect/engine_codec.h"
#include "json/json.h"

namespace candor::dialect {

// The meaning of an error object, by its HTTP status; 0: within a stream, where the object's code
// counts. error: null for none.
[[nodiscard]] EngineError error_of(int status, const json::Object* error);
[[nodiscard]] std::unexpected<EngineError> bad(EngineError::Kind kind);

}  // namespace candor::dialect
