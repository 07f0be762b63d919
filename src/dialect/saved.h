// Reads what a client kept: a request body, and a response as JSON body or as SSE, in any dialect,
// also after a client library wrote it out again (white space, key order, escapes, null fields and
// fields of its own may differ). For candor-verify and for tests. Hostile input; O(n), bounded.
//
// Errors: kInvalidArgument, with what was looked for and not found; never with the file's text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dialect/exchange.h"

namespace candor::dialect {

// The dialect is api if given, otherwise told from the body's shape: "prompt" is completions,
// "messages" with a top-level "system", "stop_sequences" or "thinking" is Anthropic's, otherwise
// OpenAI chat; "input" is embeddings, or responses where it cannot be. A body that both chat
// dialects honour wholly has the same transcript in both; where the intent entry names the API,
// pass it.
[[nodiscard]] Result<Exchange> read_saved_request(std::string_view bytes,
                                                  std::optional<Api> api = std::nullopt);

struct SavedAnswer {
  Api api = Api::kOpenAiChat;
  Answer answer;
  std::string exchange;  // 32 hex digits, or empty if the file holds no `candor` object
  std::string receipt;   // the tlog-proof's text, or empty
  // False: the file says one text in two ways (an API that repeats what it streamed).
  bool consistent = true;
  bool complete = false;  // every choice has its finish reason; false also for an error reply
};
// One JSON object, an SSE stream as received ("data: ..." lines), or a JSON array (or one a line)
// of the events or chunks that a client library collected.
[[nodiscard]] Result<SavedAnswer> read_saved_response(std::string_view bytes);

}  // namespace candor::dialect
