// The typed request and answer that every API dialect maps to: what the pipeline, the engine codec
// and the transcript see. Nothing of a client's or an engine's JSON survives in another form (S8).
//
// Plain values; texts that people or models wrote are Text (Sensitive), so they cannot be logged.
// Sizes are bounded by whoever made the value (RequestLimits, EngineLimits, saved.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/sensitive.h"

namespace candor::dialect {

using Text = Sensitive<std::string>;  // UTF-8

// Which of the wire APIs. Names are stable: they stand in entries and on command lines.
enum class Api : std::uint8_t {
  kOpenAiChat,            // "openai.chat"
  kOpenAiCompletions,     // "openai.completions"
  kOpenAiResponses,       // "openai.responses"
  kOpenAiEmbeddings,      // "openai.embeddings"
  kAnthropicMessages,     // "anthropic.messages"
  kAnthropicCountTokens,  // "anthropic.count_tokens"
  kOllamaChat,            // "ollama.chat"
  kOllamaGenerate,        // "ollama.generate"
  kOllamaEmbed,           // "ollama.embed"
};
[[nodiscard]] std::string_view to_string(Api api) noexcept;
[[nodiscard]] std::optional<Api> api_from_name(std::string_view name) noexcept;

// What is asked of a model.
enum class Task : std::uint8_t { kGenerate, kEmbed, kCountTokens };
[[nodiscard]] Task task_of(Api api) noexcept;

enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };
[[nodiscard]] std::string_view to_string(Role role) noexcept;

struct Part {  // text only in this version; images and audio are refused
  Text text;
};

// Within a request the arguments are a JSON object in canonical form (RFC 8785); within an answer
// they are as the model wrote them. Ids are the client's affair: a request's are resolved to
// positions when it is read (Message::answers), an answer's are made by its writer.
struct ToolCall {
  Text name;
  Text arguments;
};

struct Message {
  // Which call a message of role tool answers: a message before it, and which of that one's calls.
  struct CallPosition {
    std::uint32_t message = 0;
    std::uint32_t call = 0;
  };
  Role role = Role::kUser;
  std::vector<Part> parts;
  std::vector<ToolCall> tool_calls;     // role assistant
  std::optional<CallPosition> answers;  // role tool, always there
};

// A JSON Schema of the client's, in JSON whose members keep their order (json::normal_form). What
// an engine gets is never the client's text but what schema.h made of it.
struct Schema {
  Text text;      // as received; in a forwarded request the same as enforced
  Text enforced;  // the keywords that a grammar can hold, within bounds
};

struct Tool {
  Text name;  // [A-Za-z0-9_.-], 1 to 128
  std::optional<Text> description;
  std::optional<Schema> parameters;  // none: no parameters
};

struct ToolChoice {
  enum class Mode : std::uint8_t {
    kAuto,      // the model decides; what its template can say is what the engine understands
    kNone,      // tools are shown, calls are not read
    kRequired,  // a call of some tool, held by a grammar
    kNamed,     // a call of this tool, held by a grammar
  };
  Mode mode = Mode::kAuto;
  Text name;  // kNamed
};

struct ResponseFormat {
  enum class Kind : std::uint8_t { kText, kJsonObject, kJsonSchema };
  Kind kind = Kind::kText;
  Schema schema;  // kJsonSchema
};

// How much a reasoning model may think before it answers, where its template can say so.
enum class Effort : std::uint8_t { kNone, kMinimal, kLow, kMedium, kHigh };
[[nodiscard]] std::string_view to_string(Effort effort) noexcept;
[[nodiscard]] std::optional<Effort> effort_from_name(std::string_view name) noexcept;

// Sampling numbers are binary32, as the engine uses them; their one spelling is fraction_text().
struct Parameters {
  std::optional<std::uint32_t> max_tokens;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<std::uint32_t> top_k;
  std::optional<std::uint32_t> seed;  // 0 .. 2^32-2; the monitor sets one before forwarding (A7)
  std::vector<std::string> stop;
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::optional<float> min_p;
  std::optional<float> repeat_penalty;
  std::optional<Effort> effort;
  std::optional<std::uint32_t> reasoning_tokens;  // most tokens of reasoning
  bool logprobs = false;
  std::uint32_t top_logprobs = 0;  // alternatives per token; only with logprobs
  std::uint32_t n = 1;             // choices per prompt
  // More than one tool call in an answer. Unset: as the model does it; one when a call is forced.
  std::optional<bool> parallel_calls;
};

// Shortest fixed-notation decimal that reads back as the same binary32 ("0.7", "1", "0"), the one
// spelling in transcripts and in engine requests. Finite values only.
[[nodiscard]] std::string fraction_text(float value);

struct Exchange {
  Api api = Api::kOpenAiChat;
  std::string model;              // as asked for; the gateway resolves it
  std::vector<Message> messages;  // chat and messages
  std::vector<Text> prompts;      // /v1/completions, and Ollama's raw prompts
  bool raw_prompt = false;        // Ollama's request asks for that
  std::vector<Text> inputs;       // embeddings
  std::vector<Tool> tools;
  ToolChoice tool_choice;  // without tools always kAuto
  ResponseFormat response_format;
  Parameters parameters;
  // How the answer travels.
  bool stream = false;
  bool include_usage = false;      // a usage event at the end of an OpenAI stream
  bool base64_embeddings = false;  // OpenAI's encoding_format
  // Top-level field names that this dialect does not know or drops: at most kMaxDroppedNames, each
  // cut to 64 bytes; dropped_count counts all. Client text: for the client's header and the sealed
  // record only (S3).
  std::vector<std::string> dropped_fields;
  std::uint32_t dropped_count = 0;

  // How many choices an answer has at most: n for each prompt or for the conversation.
  [[nodiscard]] std::size_t choice_count() const noexcept {
    return (prompts.empty() ? 1 : prompts.size()) * parameters.n;
  }
  // How many choices, or embeddings, an AnswerBuilder for this request may hold.
  [[nodiscard]] std::size_t answer_bound() const noexcept {
    return inputs.empty() ? choice_count() : inputs.size();
  }
  // A call of the answer is one event, with its name and all of its arguments.
  [[nodiscard]] bool whole_calls() const noexcept {
    return api == Api::kOllamaChat || (api == Api::kAnthropicMessages && !stream);
  }
  // A tool call is forced: the answer is held to the calls' form by a grammar.
  [[nodiscard]] bool forces_call() const noexcept {
    return tool_choice.mode == ToolChoice::Mode::kRequired ||
           tool_choice.mode == ToolChoice::Mode::kNamed;
  }
};
inline constexpr std::size_t kMaxDroppedNames = 16;
// Value for the response header Candor-Dropped-Fields: "logit_bias, user; 3 more". Printable ASCII
// without CR, LF or comma tricks (other bytes become '?'); empty when nothing was dropped.
[[nodiscard]] std::string dropped_fields_header(const Exchange& exchange);

// --- Answers ---

enum class FinishReason : std::uint8_t { kStop, kLength, kToolCalls, kContentFilter, kError };
[[nodiscard]] std::string_view to_string(FinishReason reason) noexcept;  // stop|length|tool_calls|…

struct TokenLogprob {
  Text token;         // valid UTF-8; bytes that are not stand as U+FFFD here
  Text bytes;         // the token's true bytes
  float logprob = 0;  // natural logarithm, finite
  struct Alternative {
    Text token;
    Text bytes;
    float logprob = 0;
  };
  std::vector<Alternative> top;  // at most Parameters::top_logprobs
};

struct Usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cached_tokens = 0;  // of the prompt; S9: 0 outside a cache domain
};

struct Choice {
  Text reasoning;
  Text content;  // present even when empty
  Text refusal;
  std::vector<ToolCall> tool_calls;
  std::vector<TokenLogprob> logprobs;
  FinishReason finish = FinishReason::kError;  // until a Finish event says otherwise
  std::optional<std::string> stop_sequence;    // which one ended it, where the engine says so
};

using Embedding = Sensitive<std::vector<float>>;  // content, like its input (L7)

struct Answer {
  std::vector<Choice> choices;
  std::vector<Embedding> embeddings;          // Task::kEmbed: one for each input
  std::optional<std::uint64_t> input_tokens;  // Task::kCountTokens
  Usage usage;
};

// An answer in pieces. Any sequence that an Answer can be built from (AnswerBuilder) is lawful;
// pieces of one field may be cut anywhere between code points.
struct AnswerStart {};  // the engine has begun: role and stream headers may go out
struct TextDelta {
  std::uint32_t choice = 0;
  Text text;
  std::vector<TokenLogprob> logprobs;  // of the tokens in this piece, if asked for
};
struct ReasoningDelta {
  std::uint32_t choice = 0;
  Text text;
};
struct RefusalDelta {
  std::uint32_t choice = 0;
  Text text;
};
struct ToolCallDelta {
  std::uint32_t choice = 0;
  std::uint32_t index = 0;
  Text name;       // with the first piece
  Text arguments;  // a piece
};
struct Finish {  // once per choice, after all of its deltas
  std::uint32_t choice = 0;
  FinishReason reason = FinishReason::kStop;
  std::optional<std::string> stop_sequence;
};
struct UsageReport {  // totals; the last one counts
  Usage usage;
};
struct EmbeddingResult {  // whole, in the order of the inputs
  Embedding embedding;
};
struct TokenCount {
  std::uint64_t input_tokens = 0;
};
using AnswerEvent = std::variant<AnswerStart, TextDelta, ReasoningDelta, RefusalDelta,
                                 ToolCallDelta, Finish, UsageReport, EmbeddingResult, TokenCount>;

// Folds events into an Answer; the gateway keeps one for what the engine produced and one for what
// was released.
class AnswerBuilder {
 public:
  // Makes choices as events name them; an index at or above max_choices is ignored.
  explicit AnswerBuilder(std::size_t max_choices = 1) : max_choices_(max_choices) {}
  void add(const AnswerEvent& event);
  [[nodiscard]] const Answer& answer() const noexcept { return answer_; }
  // At least one choice exists in the result, also when nothing was produced, unless it is an
  // answer of another kind.
  [[nodiscard]] Answer take() &&;
  // Bytes of text so far over all fields (progress marks, S6).
  [[nodiscard]] std::uint64_t text_bytes() const noexcept { return text_bytes_; }
  // Pieces of text so far; llama-server sends at most one for a token and field.
  [[nodiscard]] std::uint64_t pieces() const noexcept { return pieces_; }

 private:
  [[nodiscard]] Choice* choice(std::uint32_t index);

  std::size_t max_choices_;
  Answer answer_;
  std::uint64_t text_bytes_ = 0;
  std::uint64_t pieces_ = 0;
};

}  // namespace candor::dialect
