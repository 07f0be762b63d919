// The seam between an API dialect and the pipeline. A dialect is one file pair (openai.cc,
// anthropic.cc, ...): its routes, its table of fields, its request parser, its writer and its error
// shape. The gateway knows only this header. docs/dialects.md shows every table; a test compares.
//
// Pure: bytes in, values out. Dialect objects are immutable and thread-safe; an AnswerWriter
// belongs to one exchange.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dialect/exchange.h"

namespace candor::dialect {

// --- Errors towards the client ---

// A closed set, so that each dialect maps each kind to its own type string.
enum class ErrorKind : std::uint8_t {
  kInvalidRequest,  // malformed, out of bounds, or refused field: 400
  kAuthentication,  // 401
  kPermission,      // 403
  kNotFound,        // unknown model or route: 404
  kMethod,          // 405
  kTooLarge,        // body or context too large: 413 (400 for a prompt beyond the context)
  kMediaType,       // 415
  kMisdirected,     // 421, S13
  kRateLimit,       // 429
  kInternal,        // 500
  kUnavailable,     // 503: try again later
  kTimeout,         // 504
};

// What a client is told. message is one or two sentences from our own closed templates: what is
// wrong and what to do; any argument in it is capped and stripped of controls (S19).
struct ErrorInfo {
  ErrorKind kind = ErrorKind::kInternal;
  int status = 500;  // HTTP
  std::string message;
  std::string param;     // name of the field at fault, or empty; printable ASCII, at most 64 bytes
  std::string code;      // short stable word for programs ("model_not_found"), or empty
  std::string exchange;  // 32 hex digits, or empty before an exchange exists
};
[[nodiscard]] ErrorInfo make_error(ErrorKind kind, std::string message, std::string param = {},
                                   std::string code = {});
// For an Error of another module: its code decides kind and status; its message (for operators) is
// NOT shown, `message` is.
[[nodiscard]] ErrorInfo make_error(Code code, std::string message);

// --- Requests ---

struct RequestLimits {
  std::size_t max_body_bytes = 8U << 20U;
  std::size_t max_messages = 4096;
  std::size_t max_parts = 1024;            // per message
  std::size_t max_text_bytes = 8U << 20U;  // per request, over all text fields
  std::size_t max_model_name = 256;
  std::uint32_t max_tokens = 1U << 20U;
  std::size_t max_stops = 16;
  std::size_t max_stop_bytes = 256;  // each
  std::uint32_t max_choices = 16;    // n; the model's slots bound it further
  std::size_t max_prompts = 1;       // in /v1/completions
  std::size_t max_inputs = 512;      // texts to embed
};

struct ParseOptions {
  bool strict_fields = false;  // refuse unknown and droppable fields instead of dropping them
  RequestLimits limits;
};

// What happens to a field of the request body. Fields within messages have rules of the form
// "messages[].name".
enum class FieldAction : std::uint8_t {
  kHonour,  // has its effect, within stated bounds
  kAccept,  // the one value without effect is accepted, any other is refused (note says which)
  kRefuse,  // 400 with the note
  kDrop,    // ignored, counted and named in a response header; 400 under strict_fields
};
struct FieldRule {
  std::string_view name;
  FieldAction action;
  std::string_view note;  // bounds, or what the refusal says
};

struct Route {
  std::string_view method;  // "POST"
  std::string_view path;    // exact, "/v1/chat/completions"
  Api api;
};

// --- Answers ---

struct WriterOptions {
  Api api = Api::kOpenAiChat;
  std::string exchange;        // 32 hex digits; ids in the body are made from it ("chatcmpl-<hex>")
  std::string model;           // the monitor's name for it
  std::int64_t created_s = 0;  // Unix time
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  bool base64 = false;        // embeddings
  std::uint32_t choices = 1;  // or embeddings
  std::string echo;           // what the API repeats of its request, as JSON members
};
[[nodiscard]] WriterOptions writer_options(const Exchange& request, std::string exchange,
                                           std::string model, std::int64_t created_s);

// What the ledger has to say at the end; both stand in the `candor` object.
struct FinalNote {
  std::string_view exchange;     // 32 hex digits
  std::string_view receipt;      // the tlog-proof's text
  std::string_view policy = {};  // what rules did to the exchange, a JSON object; empty: nothing
  // How long it took, from the request's last byte; shown where a dialect has a place for it.
  std::int64_t total_us = 0;
  std::int64_t queued_us = 0;
  std::int64_t first_token_us = 0;  // 0: not known
};

// Turns events into the dialect's bytes. All calls append to out; nothing else is kept for later
// but what finish() needs.
//
// Streaming: write() appends whole SSE events as soon as they may go; Finish and UsageReport are
// kept, and finish() appends everything that ends the stream, the `candor` object on the last
// regular event. So the last event exists only once the receipt does (P1, S1).
// Not streaming: write() appends nothing; finish() appends the one JSON body.
// Exactly one of finish() and fail() is called, once, last.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  [[nodiscard]] virtual std::string_view content_type() const noexcept = 0;
  virtual void write(const AnswerEvent& event, std::string& out) = 0;
  // A keep-alive that every client of this dialect ignores; nothing when not streaming. Allowed
  // only after the intent is durable, like any byte.
  virtual void ping(std::string& out) = 0;
  virtual void finish(const FinalNote& note, std::string& out) = 0;
  // Streaming: the dialect's error event, which ends the stream. Not streaming: the error body (the
  // caller has not sent a status yet and uses error.status).
  virtual void fail(const ErrorInfo& error, std::string& out) = 0;
};

// Lists that are no exchanges: nothing of a model's output stands in them.
enum class Info : std::uint8_t {
  kModels,   // those that the caller may use
  kModel,    // one of them
  kLoaded,   // those that are in memory
  kVersion,  // of Candor
};
struct InfoRoute {
  std::string_view method;
  std::string_view path;  // exact, or the model's name follows where it ends with '/'
  Info info;
};

struct ModelInfo {
  std::string name;
  std::int64_t created_s = 0;
  std::string digest;  // hex SHA-256 of the weights, or empty while unknown
  // Known while it is loaded; zero or empty otherwise.
  bool loaded = false;
  std::uint64_t size_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t parameters = 0;
  std::uint64_t context_tokens = 0;
  std::uint64_t embedding_length = 0;
  std::string architecture;
  std::string quantisation;  // of most of its weights: "q4_1"
  bool embeds = false;
  bool has_tools = false;  // its template names them; of an upstream, which is not known, true
  bool thinks = false;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;  // "openai"
  [[nodiscard]] virtual std::span<const Route> routes() const noexcept = 0;
  [[nodiscard]] virtual std::span<const FieldRule> fields(Api api) const noexcept = 0;
  // Hostile input. Everything is bounded, duplicate keys are refused, every known field follows
  // fields(api). The error is ready for render_error(). Cost O(body).
  [[nodiscard]] virtual std::expected<Exchange, ErrorInfo> parse_request(
      Api api, std::string_view body, const ParseOptions& options) const = 0;
  [[nodiscard]] virtual std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const = 0;
  // A whole reply body; application/json in every dialect.
  virtual void render_error(const ErrorInfo& error, std::string& out) const = 0;
  [[nodiscard]] virtual std::span<const InfoRoute> info_routes() const noexcept = 0;
  // kModel: exactly one; kVersion: none.
  virtual void render_info(Info info, std::span<const ModelInfo> models,
                           std::string& out) const = 0;
};

[[nodiscard]] std::span<const Dialect* const> dialects() noexcept;
[[nodiscard]] const Dialect& dialect_of(Api api) noexcept;

// The route of an inference request; path without query. nullptr route: no dialect serves it.
struct RouteMatch {
  const Dialect* dialect = nullptr;
  const Route* route = nullptr;
  bool wrong_method = false;  // the path exists under another method: 405
};
[[nodiscard]] RouteMatch find_route(std::string_view method, std::string_view path) noexcept;
// In whose shape errors before routing are told, and lists where two dialects have the same path:
// Anthropic's when the request carries anthropic-version or x-api-key (has_anthropic_headers) or
// asks a path of its own, Ollama's below /api/, else OpenAI's.
[[nodiscard]] const Dialect& shape_for(std::string_view path, bool has_anthropic_headers) noexcept;

// The list that is asked for, in that shape. name: of kModel, from the path or from a body
// {"model":...}; empty if there is none.
struct InfoMatch {
  const InfoRoute* route = nullptr;
  std::string name;
};
[[nodiscard]] InfoMatch find_info(const Dialect& shape, std::string_view method,
                                  std::string_view path, std::string_view body);

}  // namespace candor::dialect
