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
  kOpenAiChat,         // "openai.chat"
  kOpenAiCompletions,  // "openai.completions"
  kAnthropicMessages,  // "anthropic.messages"
};
[[nodiscard]] std::string_view to_string(Api api) noexcept;
[[nodiscard]] std::optional<Api> api_from_name(std::string_view name) noexcept;

enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };
[[nodiscard]] std::string_view to_string(Role role) noexcept;

struct Part {  // text only in this version; images and audio are refused
  Text text;
};

struct ToolCall {
  std::string id;  // the caller's or ours; not part of a transcript
  Text name;
  Text arguments;  // JSON text as the model wrote it
};

struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts;
  std::vector<ToolCall> tool_calls;  // always empty in this version: refused
  std::string tool_call_id;          // likewise
};

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
  bool logprobs = false;
  std::uint32_t top_logprobs = 0;  // alternatives per token; only with logprobs
  std::uint32_t n = 1;             // choices per prompt
};

// Shortest fixed-notation decimal that reads back as the same binary32 ("0.7", "1", "0"), the one
// spelling in transcripts and in engine requests. Finite values only.
[[nodiscard]] std::string fraction_text(float value);

struct Exchange {
  Api api = Api::kOpenAiChat;
  std::string model;              // as asked for; the gateway resolves it
  std::vector<Message> messages;  // chat and messages
  std::vector<Text> prompts;      // /v1/completions
  Parameters parameters;
  bool stream = false;
  bool include_usage = false;  // a usage event at the end of an OpenAI stream
  // Top-level field names that this dialect does not know or drops: at most kMaxDroppedNames, each
  // cut to 64 bytes; dropped_count counts all. Client text: for the client's header and the sealed
  // record only (S3).
  std::vector<std::string> dropped_fields;
  std::uint32_t dropped_count = 0;

  // How many choices an answer has at most: n for each prompt or for the conversation.
  [[nodiscard]] std::size_t choice_count() const noexcept {
    return (prompts.empty() ? 1 : prompts.size()) * parameters.n;
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

struct Answer {
  std::vector<Choice> choices;
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
  std::string id;  // with the first piece
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
using AnswerEvent = std::variant<AnswerStart, TextDelta, ReasoningDelta, RefusalDelta,
                                 ToolCallDelta, Finish, UsageReport>;

// Folds events into an Answer; the gateway keeps one for what the engine produced and one for what
// was released.
class AnswerBuilder {
 public:
  // Makes choices as events name them; an index at or above max_choices is ignored.
  explicit AnswerBuilder(std::size_t max_choices = 1) : max_choices_(max_choices) {}
  void add(const AnswerEvent& event);
  [[nodiscard]] const Answer& answer() const noexcept { return answer_; }
  // At least one choice exists in the result, also when nothing was produced.
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
