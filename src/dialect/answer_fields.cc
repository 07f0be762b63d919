#include "dialect/answer_fields.h"

namespace candor::dialect {
namespace {

using enum Origin;

constexpr std::string_view kReceipt = "the exchange's id and its receipt";
constexpr std::string_view kIds = "made from the exchange's id";
constexpr std::string_view kName = "the name that was asked for";

constexpr AnswerField kChat[] = {
    {"id", kMonitor, kIds},
    {"object", kConstant, ""},
    {"created", kMonitor, "when the answer began, Unix time"},
    {"model", kRequest, kName},
    {"choices", kConstant, "empty on the usage event"},
    {"choices[].index", kMonitor, ""},
    {"choices[].delta", kConstant, "empty with the finish reason"},
    {"choices[].message.role", kConstant, "assistant"},
    {"choices[].message.content", kModel, "null beside tool calls when empty"},
    {"choices[].message.refusal", kModel, "null when empty"},
    {"choices[].message.reasoning_content", kModel, "where the template tells it apart"},
    {"choices[].message.tool_calls[].id", kMonitor, kIds},
    {"choices[].message.tool_calls[].type", kConstant, "function"},
    {"choices[].message.tool_calls[].function.name", kModel, "one of the request's tools"},
    {"choices[].message.tool_calls[].function.arguments", kModel, "as it wrote them"},
    {"choices[].delta.role", kConstant, "assistant"},
    {"choices[].delta.content", kModel, "a piece"},
    {"choices[].delta.refusal", kModel, "a piece"},
    {"choices[].delta.reasoning_content", kModel, "a piece"},
    {"choices[].delta.tool_calls[].index", kMonitor, ""},
    {"choices[].delta.tool_calls[].id", kMonitor, "with the first piece"},
    {"choices[].delta.tool_calls[].type", kConstant, "with the first piece"},
    {"choices[].delta.tool_calls[].function.name", kModel, "with the first piece"},
    {"choices[].delta.tool_calls[].function.arguments", kModel, "a piece"},
    {"choices[].logprobs.content[].token", kModel, "bytes that are no UTF-8 as U+FFFD"},
    {"choices[].logprobs.content[].logprob", kEngine, "at least -9999"},
    {"choices[].logprobs.content[].bytes[]", kModel, ""},
    {"choices[].logprobs.content[].top_logprobs[].token", kModel, ""},
    {"choices[].logprobs.content[].top_logprobs[].logprob", kEngine, ""},
    {"choices[].logprobs.content[].top_logprobs[].bytes[]", kModel, ""},
    {"choices[].logprobs.refusal", kConstant, "null"},
    {"choices[].logprobs", kConstant, "null when not asked for"},
    {"choices[].finish_reason", kEngine,
     "stop, length, tool_calls, content_filter, error; tool_calls for a forced call"},
    {"usage.prompt_tokens", kEngine, "counted by the engine"},
    {"usage.completion_tokens", kEngine, "counted by the engine"},
    {"usage.total_tokens", kMonitor, "their sum"},
    {"usage.prompt_tokens_details.cached_tokens", kEngine, ""},
    {"usage", kConstant, "null before the last event, when asked for"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kCompletions[] = {
    {"id", kMonitor, kIds},
    {"object", kConstant, ""},
    {"created", kMonitor, "when the answer began, Unix time"},
    {"model", kRequest, kName},
    {"choices", kConstant, "empty on the usage event"},
    {"choices[].index", kMonitor, ""},
    {"choices[].text", kModel, "in a stream a piece"},
    {"choices[].logprobs.tokens[]", kModel, ""},
    {"choices[].logprobs.token_logprobs[]", kEngine, "at least -9999"},
    {"choices[].logprobs.top_logprobs[].*", kEngine, "token and log probability"},
    {"choices[].logprobs.text_offset[]", kMonitor, "in code points"},
    {"choices[].logprobs", kConstant, "null when not asked for"},
    {"choices[].finish_reason", kEngine, "stop, length, content_filter, error"},
    {"usage.prompt_tokens", kEngine, "counted by the engine"},
    {"usage.completion_tokens", kEngine, "counted by the engine"},
    {"usage.total_tokens", kMonitor, "their sum"},
    {"usage.prompt_tokens_details.cached_tokens", kEngine, ""},
    {"usage", kConstant, "null before the last event, when asked for"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kResponses[] = {
    {"type", kConstant, "of an event"},
    {"sequence_number", kMonitor, "of an event"},
    {"output_index", kMonitor, "of an event"},
    {"content_index", kConstant, "of an event: 0"},
    {"item_id", kMonitor, "of an event"},
    {"delta", kModel, "of an event: a piece"},
    {"text", kModel, "of an event: the whole"},
    {"refusal", kModel, "of an event: the whole"},
    {"arguments", kModel, "of an event: the whole"},
    {"name", kModel, "of an event: the function's"},
    {"logprobs", kConstant, "of an event: empty when not asked for"},
    {"logprobs[].*", kEngine, "of an event: its tokens"},
    {"item.*", kModel, "of an event: an item of output as it is by then"},
    {"part.*", kModel, "of an event: a part of an item's content"},
    {"response.*", kMonitor, "of the first two events and the last: the body"},
    {"id", kMonitor, kIds},
    {"object", kConstant, "response"},
    {"created_at", kMonitor, "when the answer began, Unix time"},
    {"status", kEngine, "completed; incomplete for length and content_filter; failed"},
    {"error", kConstant, "null but for failed"},
    {"error.*", kConstant, ""},
    {"incomplete_details", kEngine, "null unless incomplete"},
    {"incomplete_details.reason", kEngine, "max_output_tokens or content_filter"},
    {"model", kRequest, kName},
    {"previous_response_id", kConstant, "null"},
    {"store", kConstant, "false"},
    {"background", kConstant, "false"},
    {"truncation", kConstant, "disabled"},
    {"metadata", kConstant, "empty"},
    {"instructions", kConstant, "null"},
    {"max_output_tokens", kRequest, ""},
    {"temperature", kRequest, ""},
    {"top_p", kRequest, ""},
    {"reasoning.effort", kRequest, ""},
    {"reasoning.summary", kConstant, "null"},
    {"text.format.*", kRequest, "its name is always answer"},
    {"parallel_tool_calls", kRequest, "or what is so when it is absent"},
    {"tool_choice", kRequest, ""},
    {"tool_choice.*", kRequest, ""},
    {"tools", kRequest, "empty when there are none"},
    {"tools[].*", kRequest, ""},
    {"output[].id", kMonitor, kIds},
    {"output[].type", kMonitor, "reasoning, message or function_call"},
    {"output[].status", kEngine, "incomplete for the last item of an incomplete answer"},
    {"output[].role", kConstant, "assistant"},
    {"output[].summary", kConstant, "empty"},
    {"output[].content[].type", kMonitor, "output_text, refusal or reasoning_text"},
    {"output[].content[].text", kModel, ""},
    {"output[].content[].refusal", kModel, ""},
    {"output[].content[].annotations", kConstant, "empty"},
    {"output[].content[].logprobs", kConstant, "empty when not asked for"},
    {"output[].content[].logprobs[].*", kEngine, "tokens, their bytes and alternatives"},
    {"output[].call_id", kMonitor, kIds},
    {"output[].name", kModel, "one of the request's tools"},
    {"output[].arguments", kModel, "as it wrote them"},
    {"usage.input_tokens", kEngine, "counted by the engine"},
    {"usage.input_tokens_details.cached_tokens", kEngine, ""},
    {"usage.output_tokens", kEngine, "counted by the engine"},
    {"usage.output_tokens_details.reasoning_tokens", kConstant, "0: the engine does not say"},
    {"usage.total_tokens", kMonitor, "their sum"},
    {"candor.*", kMonitor, "the exchange's id and its receipt; in a stream within response"},
};

constexpr AnswerField kEmbeddings[] = {
    {"object", kConstant, "list"},
    {"data[].object", kConstant, "embedding"},
    {"data[].index", kMonitor, ""},
    {"data[].embedding", kModel, "base64 of its binary32 values, little-endian"},
    {"data[].embedding[]", kModel, "each the exact value of a binary32"},
    {"model", kRequest, kName},
    {"usage.prompt_tokens", kEngine, "counted by the engine"},
    {"usage.total_tokens", kEngine, "the same"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kMessages[] = {
    {"id", kMonitor, kIds},
    {"type", kConstant, "message, or the event's"},
    {"role", kConstant, "assistant"},
    {"model", kRequest, kName},
    {"content[].type", kMonitor, "thinking, text or tool_use"},
    {"content[].text", kModel, ""},
    {"content[].thinking", kModel, "where the template tells it apart"},
    {"content[].signature", kConstant, "empty"},
    {"content[].id", kMonitor, kIds},
    {"content[].name", kModel, "one of the request's tools"},
    {"content[].input.*", kModel, "its arguments in canonical form"},
    {"content[].input", kModel, "empty when it has none"},
    {"stop_reason", kEngine,
     "end_turn, max_tokens, tool_use, refusal, error; tool_use for a forced call"},
    {"stop_sequence", kConstant, "null: llama-server does not say which one it was"},
    {"usage.input_tokens", kEngine, "counted by the engine"},
    {"usage.cache_creation_input_tokens", kConstant, "0"},
    {"usage.cache_read_input_tokens", kEngine, ""},
    {"usage.output_tokens", kEngine, "counted by the engine"},
    {"message.*", kMonitor, "of message_start: the body without content, counts 0"},
    {"index", kMonitor, "of an event"},
    {"content_block.type", kMonitor, "of an event"},
    {"content_block.text", kConstant, "of an event: empty"},
    {"content_block.thinking", kConstant, "of an event: empty"},
    {"content_block.signature", kConstant, "of an event: empty"},
    {"content_block.id", kMonitor, "of an event"},
    {"content_block.name", kModel, "of an event"},
    {"content_block.input", kConstant, "of an event: empty"},
    {"delta.type", kMonitor, "of an event"},
    {"delta.text", kModel, "of an event: a piece"},
    {"delta.thinking", kModel, "of an event: a piece"},
    {"delta.partial_json", kModel, "of an event: a piece of the arguments as it wrote them"},
    {"delta.stop_reason", kEngine, "of message_delta"},
    {"delta.stop_sequence", kConstant, "of message_delta: null"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kCount[] = {
    {"input_tokens", kEngine, "counted by the engine"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kOllamaChat[] = {
    {"model", kRequest, kName},
    {"created_at", kMonitor, "when the answer began"},
    {"message.role", kConstant, "assistant"},
    {"message.content", kModel, "in a stream a piece"},
    {"message.thinking", kModel, "where the template tells it apart"},
    {"message.tool_calls[].id", kMonitor, kIds},
    {"message.tool_calls[].function.index", kMonitor, ""},
    {"message.tool_calls[].function.name", kModel, "one of the request's tools"},
    {"message.tool_calls[].function.arguments.*", kModel, "in canonical form"},
    {"message.tool_calls[].function.arguments", kModel, "empty when it has none"},
    {"logprobs[].*", kEngine, "tokens, their bytes and alternatives, when asked for"},
    {"done", kMonitor, "true in the last object"},
    {"done_reason", kEngine, "stop (also for tool calls), length, content_filter, error"},
    {"total_duration", kMonitor, "nanoseconds from the request's last byte"},
    {"load_duration", kMonitor, "until a slot was free, the model loaded"},
    {"prompt_eval_count", kEngine, "counted by the engine"},
    {"prompt_eval_duration", kMonitor, "from then to the first byte; 0 when not streamed"},
    {"eval_count", kEngine, "counted by the engine"},
    {"eval_duration", kMonitor, "the rest"},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kOllamaGenerate[] = {
    {"model", kRequest, kName},
    {"created_at", kMonitor, "when the answer began"},
    {"response", kModel, "in a stream a piece"},
    {"thinking", kModel, "where the template tells it apart"},
    {"logprobs[].*", kEngine, "tokens, their bytes and alternatives, when asked for"},
    {"done", kMonitor, "true in the last object"},
    {"done_reason", kEngine, "stop, length, content_filter, error"},
    {"total_duration", kMonitor, "as in chat, like the others"},
    {"load_duration", kMonitor, ""},
    {"prompt_eval_count", kEngine, "counted by the engine"},
    {"prompt_eval_duration", kMonitor, ""},
    {"eval_count", kEngine, "counted by the engine"},
    {"eval_duration", kMonitor, ""},
    {"candor.*", kMonitor, kReceipt},
};

constexpr AnswerField kOllamaEmbed[] = {
    {"model", kRequest, kName},
    {"embeddings[][]", kModel, "each the exact value of a binary32"},
    {"total_duration", kMonitor, "nanoseconds from the request's last byte"},
    {"load_duration", kMonitor, "until a slot was free, the model loaded"},
    {"prompt_eval_count", kEngine, "counted by the engine"},
    {"candor.*", kMonitor, kReceipt},
};

}  // namespace

std::span<const AnswerField> answer_fields(Api api) noexcept {
  switch (api) {
    case Api::kOpenAiChat: return kChat;
    case Api::kOpenAiCompletions: return kCompletions;
    case Api::kOpenAiResponses: return kResponses;
    case Api::kOpenAiEmbeddings: return kEmbeddings;
    case Api::kAnthropicMessages: return kMessages;
    case Api::kAnthropicCountTokens: return kCount;
    case Api::kOllamaChat: return kOllamaChat;
    case Api::kOllamaGenerate: return kOllamaGenerate;
    case Api::kOllamaEmbed: return kOllamaEmbed;
  }
  return {};
}

}  // namespace candor::dialect
