// What an engine's failures mean, and how callers are told.
#include "dialect/internal/engine_errors.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/internal/request_reader.h"

namespace candor::dialect {

using Kind = EngineError::Kind;

std::string_view to_string(Kind kind) noexcept {
  switch (kind) {
    case Kind::kRejected: return "rejected";
    case Kind::kContextFull: return "context_full";
    case Kind::kBusy: return "busy";
    case Kind::kFailed: return "failed";
    case Kind::kMalformed: return "malformed";
    case Kind::kBound: return "bound";
    case Kind::kTruncated: return "truncated";
    case Kind::kBadCall: return "bad_call";
    case Kind::kNoSuchTask: return "no_such_task";
  }
  return "";
}

ErrorInfo error_info(const EngineError& error) {
  switch (error.kind) {
    case Kind::kRejected:
      return make_error(ErrorKind::kInvalidRequest,
                        "The model's engine cannot take this request: its chat template may need "
                        "other roles or another order of messages, or it cannot hold a schema. "
                        "Check messages, tools and format and try again.",
                        {}, "engine_rejected");
    case Kind::kContextFull: {
      std::string message = "The prompt does not fit into the model's context. Shorten it.";
      if (error.prompt_tokens > 0 && error.context_tokens > 0) {
        message = fmt::format("The prompt has {} tokens, the model's context {}. Shorten it.",
                              error.prompt_tokens, error.context_tokens);
      }
      return make_error(ErrorKind::kInvalidRequest, std::move(message), {},
                        "context_length_exceeded");
    }
    case Kind::kBusy:
      return make_error(ErrorKind::kUnavailable,
                        "The model's engine is busy or still loading. Try again in a few seconds.",
                        {}, "engine_busy");
    case Kind::kFailed:
      return make_error(ErrorKind::kInternal,
                        "The model's engine failed on this request. Try again; if it happens "
                        "again, tell the operator.",
                        {}, "engine_failed");
    case Kind::kMalformed:
    case Kind::kBound:
      return make_error(ErrorKind::kInternal,
                        "The model's engine gave an answer that is not lawful, so it was stopped. "
                        "Tell the operator.",
                        {}, "engine_distrusted");
    case Kind::kTruncated:
      return make_error(ErrorKind::kInternal,
                        "The model's engine stopped in the middle of its answer. Try again.", {},
                        "engine_stopped");
    case Kind::kBadCall:
      return make_error(ErrorKind::kInternal,
                        "The model wrote a tool call that is not of the form that was asked for. "
                        "Try again, with more tokens or a simpler schema.",
                        {}, "bad_tool_call");
    case Kind::kNoSuchTask:
      return make_error(ErrorKind::kInvalidRequest,
                        "This model is not served for that. For embeddings the operator gives it "
                        "the engine flags --embeddings and --pooling mean.",
                        "model", "model_not_capable");
  }
  return make_error(ErrorKind::kInternal, "The model's engine failed on this request.");
}

EngineError error_of(int status, const json::Object* error) {
  EngineError out;
  const std::string_view type = error != nullptr ? text_of(*error, "type").value_or("") : "";
  if (error != nullptr && status == 0) {
    status = static_cast<int>(std::min<std::uint64_t>(count_of(*error, "code").value_or(500), 599));
  }
  if (type == "exceed_context_size_error") {
    out.kind = Kind::kContextFull;
    out.prompt_tokens = count_of(*error, "n_prompt_tokens").value_or(0);
    out.context_tokens = count_of(*error, "n_ctx").value_or(0);
  } else if (status == 501) {
    out.kind = Kind::kNoSuchTask;
  } else if (status == 503 || status == 429) {
    out.kind = Kind::kBusy;
  } else if (status >= 400 && status < 500 && status != 401 && status != 403 && status != 404) {
    out.kind = Kind::kRejected;
  } else {
    out.kind = Kind::kFailed;
  }
  return out;
}

EngineError engine_error(int status, std::string_view body) {
  json::Limits limits;
  limits.max_bytes = 1U << 20U;
  limits.max_depth = 16;
  const auto value = json::parse(body, limits);
  const json::Object* object = value ? value->if_object() : nullptr;
  const json::Value* inner = object != nullptr ? present(*object, "error") : nullptr;
  return error_of(status, inner != nullptr ? inner->if_object() : nullptr);
}

std::unexpected<EngineError> bad(Kind kind) {
  EngineError error;
  error.kind = kind;
  return std::unexpected(error);
}

}  // namespace candor::dialect
