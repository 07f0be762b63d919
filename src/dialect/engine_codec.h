// What the monitor says to llama-server (v0.5.0) and what it believes of the answer.
//
// Requests are built from an Exchange's typed fields only (S8). Answers are those of a hostile peer
// (S16): everything is typed and bounded, unknown fields are ignored, and no text but the model's
// own output (content, reasoning, refusal, tool calls, tokens) comes through; errors become a
// closed set of kinds without the engine's words (S19).
//
// Pure; an EngineReader belongs to one exchange.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/dialect.h"
#include "dialect/exchange.h"

namespace candor::dialect {

struct EngineRequestOptions {
  int id_slot = -1;           // the monitor owns the slots (S9); -1 lets the server choose
  bool cache_prompt = false;  // true only within one cache domain
  // What of llama-server's own fields is sent. Other servers refuse what they do not know.
  enum class Extensions : std::uint8_t { kLlama, kNone } extensions = Extensions::kLlama;
  std::string cache_salt = {};  // vLLM's; hex, empty: none
  // Events instead of one body. The gateway may stream from the engine whatever its client asked
  // for, so that cancelling and bounds work alike.
  bool stream = true;
};

struct EngineCall {
  std::string_view path;  // "/v1/chat/completions", "/v1/completions", "/v1/embeddings", ...
  std::string body;       // JSON
};

// What is forwarded differs from what was received in the seed, the token cap (the smaller of the
// caller's and cap) and in schemas, which hold only what is enforced; the entry's request.forwarded
// is the transcript of this.
[[nodiscard]] Exchange forwarded_exchange(const Exchange& received, std::uint32_t seed,
                                          std::uint32_t max_tokens_cap);
// Texts need parameters.seed and parameters.max_tokens set (CANDOR_CHECK).
[[nodiscard]] EngineCall build_engine_request(const Exchange& forwarded,
                                              const EngineRequestOptions& options);

struct EngineError {
  enum class Kind : std::uint8_t {
    kRejected,     // the engine calls the request invalid: 400 (a bound of ours is missing)
    kContextFull,  // the prompt does not fit: 400; prompt_tokens and context_tokens where given
    kBusy,         // no slot, loading, shutting down: 503
    kFailed,       // the engine's own failure: 502 as 500 to the client
    kMalformed,    // not the protocol: the engine is to be distrusted
    kBound,        // more than the limits or than was asked for
    kTruncated,    // the stream ended without a finish reason
    kBadCall,      // a tool call that is not of the form that was asked for
    kNoSuchTask,   // this model's engine does not do this: embeddings, counting
  };
  Kind kind = Kind::kFailed;
  std::uint64_t prompt_tokens = 0;   // kContextFull
  std::uint64_t context_tokens = 0;  // kContextFull
};
[[nodiscard]] std::string_view to_string(EngineError::Kind kind) noexcept;
// The client's sentence for it.
[[nodiscard]] ErrorInfo error_info(const EngineError& error);
// A reply whose status is not 200.
[[nodiscard]] EngineError engine_error(int status, std::string_view body);

struct EngineLimits {
  std::size_t max_payload_bytes = 4U << 20U;      // one event's data, or a whole body
  std::size_t max_embeddings_bytes = 64U << 20U;  // a whole body of embeddings
  std::uint64_t max_text_bytes = 64ULL << 20U;    // over all fields of the answer
  std::uint32_t max_tool_calls = 64;              // per choice
  std::size_t max_dimensions = 65'536;            // of an embedding
  std::size_t max_token_bytes = 4096;             // one token of a log probability
  // The monitor's own cap is max_tokens of the request plus this many deltas (the engine sends at
  // most one piece per token, plus some to flush held text).
  std::uint64_t spare_pieces = 64;
};

// Turns the payloads of one answer into AnswerEvents. Bytes of a code point that an engine cut
// between two pieces of one field are held until it is whole; what cannot become one is U+FFFD.
// So the concatenated text is the same however the engine cuts its pieces.
//
// A forced call comes as text of a schema of ours and leaves as tool calls. Where a dialect shows
// arguments as objects, which cannot be cut (Ollama, Anthropic's whole bodies), a call is held
// until its choice has finished; one that the token limit cut is left out.
class EngineReader {
 public:
  explicit EngineReader(const Exchange& forwarded, EngineLimits limits = {});
  EngineReader(EngineReader&&) noexcept;
  EngineReader& operator=(EngineReader&&) noexcept;
  ~EngineReader();

  // One SSE event's data; appends events. "[DONE]" ends the stream. After an error the reader is
  // of no more use.
  [[nodiscard]] std::expected<void, EngineError> event(std::string_view data,
                                                       std::vector<AnswerEvent>& out);
  // A whole body with status 200.
  [[nodiscard]] std::expected<void, EngineError> body(std::string_view json,
                                                      std::vector<AnswerEvent>& out);
  // The stream has ended: kTruncated unless every choice has finished. Appends held text that was
  // never completed and the final UsageReport.
  [[nodiscard]] std::expected<void, EngineError> end(std::vector<AnswerEvent>& out);
  [[nodiscard]] bool done() const noexcept;  // "[DONE]" or a whole body was read

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace candor::dialect
