// What is believed of llama-server's answers (v0.5.0: tools/server/server-task.cpp, the OpenAI
// forms).
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "dialect/engine_codec.h"
#include "dialect/internal/engine_errors.h"
#include "dialect/internal/engine_results.h"
#include "dialect/internal/forced_calls.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/split_text.h"
#include "dialect/schema.h"
#include "dialect/transcript.h"

namespace candor::dialect {

using Kind = EngineError::Kind;
using Outcome = std::expected<void, EngineError>;

namespace {

constexpr float kLeastLogprob = -9999.0F;  // OpenAI's value for "as good as never"

// A closed set; anything else is an error of the engine's that the answer then carries.
FinishReason finish_of(std::string_view text) {
  if (text == "stop") return FinishReason::kStop;
  if (text == "length") return FinishReason::kLength;
  if (text == "tool_calls" || text == "function_call") return FinishReason::kToolCalls;
  if (text == "content_filter") return FinishReason::kContentFilter;
  return FinishReason::kError;
}

}  // namespace

struct EngineReader::State {
  struct ChoiceState {
    TextAssembler content;
    TextAssembler reasoning;
    TextAssembler refusal;
    std::size_t calls = 0;
    bool call_open = false;   // more of the last call's arguments may come
    TextAssembler arguments;  // of that one
    std::optional<ForcedCallReader> forced;
    std::vector<ToolCall> held;  // whole_calls
    bool called = false;
    bool finished = false;
  };

  Api api;
  Task task;
  bool raw;  // completions: the text of a prompt's continuation
  bool whole_calls;
  bool may_call;  // the engine reads tool calls itself
  std::vector<std::string> tools;
  std::size_t inputs;
  Parameters parameters;
  EngineLimits limits;
  std::vector<ChoiceState> choices;
  std::vector<Usage> usage_of_choice;  // completions: each choice's last event carries its own
  Usage usage_of_all;                  // chat: events without choices
  bool started = false;
  bool done = false;
  std::uint64_t pieces = 0;
  std::uint64_t max_pieces = 0;
  std::uint64_t text_bytes = 0;

  Outcome object(const json::Object& object, std::vector<AnswerEvent>& out);
  Outcome choice(const json::Object& object, std::uint32_t index, std::vector<AnswerEvent>& out);
  Outcome fields(const json::Object& object, std::uint32_t index,
                 std::vector<TokenLogprob> logprobs, std::vector<AnswerEvent>& out);
  Outcome put_text(std::string text, std::uint32_t index, std::vector<TokenLogprob> logprobs,
                   std::vector<AnswerEvent>& out);
  Outcome finish(std::uint32_t index, FinishReason reason, std::vector<AnswerEvent>& out);
  void put_call(ToolCallDelta delta, std::vector<AnswerEvent>& out);
  Outcome tool_calls(const json::Array& list, std::uint32_t index, std::vector<AnswerEvent>& out);
  std::expected<std::vector<TokenLogprob>, EngineError> logprobs(const json::Value& value) const;
  std::expected<std::optional<std::string>, EngineError> piece(const json::Object& object,
                                                               std::string_view key,
                                                               TextAssembler& assembler);
  Outcome other_follows(std::uint32_t index, std::vector<AnswerEvent>& out);
  void end_call(std::uint32_t index, std::vector<AnswerEvent>& out);
  void flush(std::uint32_t index, std::vector<AnswerEvent>& out);
  Outcome usage(const json::Object& object, std::optional<std::uint32_t> choice);
  [[nodiscard]] Usage total() const;
};

EngineReader::EngineReader(const Exchange& forwarded, EngineLimits limits)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.api = forwarded.api;
  s.task = task_of(forwarded.api);
  s.raw = !forwarded.prompts.empty();
  s.whole_calls = forwarded.whole_calls();
  s.may_call = !forwarded.tools.empty() && forwarded.tool_choice.mode == ToolChoice::Mode::kAuto;
  for (const Tool& tool : forwarded.tools) {
    if (forwarded.tool_choice.mode != ToolChoice::Mode::kNamed ||
        tool.name.reveal() == forwarded.tool_choice.name.reveal()) {
      s.tools.push_back(tool.name.reveal());
    }
  }
  s.inputs = forwarded.inputs.size();
  s.parameters = forwarded.parameters;
  s.limits = limits;
  s.choices.resize(forwarded.choice_count());
  if (forwarded.forces_call()) {
    for (State::ChoiceState& choice : s.choices) {
      choice.forced.emplace(s.tools, forced_calls_are_list(forwarded));
    }
  }
  s.usage_of_choice.resize(forwarded.choice_count());
  // A token may give a piece to two fields (the end of reasoning and the begin of content).
  const std::uint64_t tokens = forwarded.parameters.max_tokens.value_or(1U << 20U);
  s.max_pieces = (2 * tokens * forwarded.choice_count()) + limits.spare_pieces;
}
EngineReader::EngineReader(EngineReader&&) noexcept = default;
EngineReader& EngineReader::operator=(EngineReader&&) noexcept = default;
EngineReader::~EngineReader() = default;

bool EngineReader::done() const noexcept { return state_->done; }

Outcome EngineReader::event(std::string_view data, std::vector<AnswerEvent>& out) {
  State& s = *state_;
  if (s.done) return bad(Kind::kMalformed);
  if (data == "[DONE]") {
    s.done = true;
    return {};
  }
  json::Limits limits;
  limits.max_bytes = s.limits.max_payload_bytes;
  limits.max_depth = 32;
  if (data.size() > limits.max_bytes) return bad(Kind::kBound);
  const auto value = parse_pieces(data, limits);
  if (!value) return bad(Kind::kMalformed);
  const json::Object* object = value->if_object();
  if (object == nullptr) return bad(Kind::kMalformed);
  return s.object(*object, out);
}

Outcome EngineReader::body(std::string_view json, std::vector<AnswerEvent>& out) {
  State& s = *state_;
  if (s.task == Task::kGenerate) {
    if (Outcome read = event(json, out); !read) return read;
  } else if (s.done) {
    return bad(Kind::kMalformed);
  } else {
    auto usage = s.task == Task::kEmbed ? read_embeddings(json, s.inputs, s.limits, out)
                                        : read_token_count(json, s.limits, out);
    if (!usage) return std::unexpected(usage.error());
    s.usage_of_all = *usage;
    for (State::ChoiceState& choice : s.choices) choice.finished = true;
  }
  s.done = true;
  return {};
}

Outcome EngineReader::end(std::vector<AnswerEvent>& out) {
  State& s = *state_;
  bool finished = true;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    if (s.choices[i].finished) continue;
    s.flush(i, out);
    finished = false;
  }
  out.emplace_back(UsageReport{s.total()});
  if (!finished) return bad(Kind::kTruncated);
  return {};
}

Outcome EngineReader::State::object(const json::Object& object, std::vector<AnswerEvent>& out) {
  if (const json::Value* error = present(object, "error")) {
    return std::unexpected(error_of(0, error->if_object()));
  }
  const json::Value* list = present(object, "choices");
  if (list == nullptr || !list->is_array() || list->get_array().size() > choices.size()) {
    return bad(Kind::kMalformed);
  }
  if (!started) {
    started = true;
    out.emplace_back(AnswerStart{});
  }
  std::optional<std::uint32_t> only;
  for (const json::Value& item : list->get_array()) {
    const json::Object* choice_object = item.if_object();
    if (choice_object == nullptr) return bad(Kind::kMalformed);
    const std::uint64_t index = count_of(*choice_object, "index").value_or(0);
    if (index >= choices.size()) return bad(Kind::kBound);
    only = static_cast<std::uint32_t>(index);
    if (Outcome read = choice(*choice_object, *only, out); !read) return read;
  }
  if (list->get_array().size() != 1) only.reset();
  if (const json::Value* counts = present(object, "usage")) {
    if (!counts->is_object()) return bad(Kind::kMalformed);
    return usage(counts->get_object(), only);
  }
  return {};
}

Outcome EngineReader::State::choice(const json::Object& object, std::uint32_t index,
                                    std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  const std::size_t before = out.size();
  std::vector<TokenLogprob> tokens;
  if (const json::Value* value = present(object, "logprobs"); value && parameters.logprobs) {
    auto read = logprobs(*value);
    if (!read) return std::unexpected(read.error());
    tokens = *std::move(read);
  }
  // Prompts and conversations have their own places for text; what stands in the other's could not
  // be shown by the writer.
  const json::Object* inner = raw ? &object : nullptr;
  for (const std::string_view key : {"delta", "message"}) {
    const json::Value* value = present(object, key);
    if (value == nullptr) continue;
    if (raw || inner != nullptr || !value->is_object()) return bad(Kind::kMalformed);
    inner = &value->get_object();
  }
  static const json::Object kNothing;
  if (inner == nullptr) inner = &kNothing;
  if (Outcome read = fields(*inner, index, std::move(tokens), out); !read) return read;
  if (state.finished && out.size() > before) return bad(Kind::kMalformed);  // text after its end
  const json::Value* reason = present(object, "finish_reason");
  if (reason == nullptr) return {};
  if (!reason->is_string() || state.finished) return bad(Kind::kMalformed);
  return finish(index, finish_of(view(reason->get_string())), out);
}

Outcome EngineReader::State::finish(std::uint32_t index, FinishReason reason,
                                    std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  flush(index, out);
  state.finished = true;
  const bool cut = reason == FinishReason::kLength;
  if (state.forced) {
    if (!state.forced->complete() && !cut) return bad(Kind::kBadCall);
    if (state.forced->complete()) reason = FinishReason::kToolCalls;
  }
  // So that it can be told from the answer alone, as some dialects do.
  if (reason == FinishReason::kStop && state.called) reason = FinishReason::kToolCalls;
  if (reason == FinishReason::kToolCalls && !state.called) reason = FinishReason::kStop;
  for (ToolCall& call : state.held) {
    if (canonical_arguments(call.arguments.reveal()).front() != '{' ||
        !json::parse(canonical_arguments(call.arguments.reveal()))) {
      if (cut) break;  // the last one
      return bad(Kind::kBadCall);
    }
    const auto at = static_cast<std::uint32_t>(&call - state.held.data());
    out.emplace_back(ToolCallDelta{index, at, std::move(call.name), std::move(call.arguments)});
  }
  out.emplace_back(Finish{index, reason, std::nullopt});
  return {};
}

void EngineReader::State::put_call(ToolCallDelta delta, std::vector<AnswerEvent>& out) {
  choices[delta.choice].called = true;
  if (!whole_calls) {
    out.emplace_back(std::move(delta));
    return;
  }
  std::vector<ToolCall>& held = choices[delta.choice].held;
  if (delta.index >= held.size()) held.emplace_back();
  held[delta.index].name.reveal() += delta.name.reveal();
  held[delta.index].arguments.reveal() += delta.arguments.reveal();
}

// Text, or the calls that it is when calls are forced.
Outcome EngineReader::State::put_text(std::string text, std::uint32_t index,
                                      std::vector<TokenLogprob> tokens,
                                      std::vector<AnswerEvent>& out) {
  if (auto& forced = choices[index].forced) {
    std::vector<AnswerEvent> calls;
    if (!forced->feed(index, text, calls)) return bad(Kind::kBadCall);
    for (AnswerEvent& call : calls) put_call(std::get<ToolCallDelta>(std::move(call)), out);
    return {};
  }
  if (text.empty() && tokens.empty()) return {};
  if (Outcome may = other_follows(index, out); !may) return may;
  out.emplace_back(TextDelta{index, Text(std::move(text)), std::move(tokens)});
  return {};
}

std::expected<std::optional<std::string>, EngineError> EngineReader::State::piece(
    const json::Object& object, std::string_view key, TextAssembler& assembler) {
  const json::Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return bad(Kind::kMalformed);
  const std::string_view text = view(value->get_string());
  if (text.empty()) return std::nullopt;
  text_bytes += text.size();
  if (++pieces > max_pieces || text_bytes > limits.max_text_bytes) return bad(Kind::kBound);
  return assembler.feed(text);
}

Outcome EngineReader::State::fields(const json::Object& object, std::uint32_t index,
                                    std::vector<TokenLogprob> tokens,
                                    std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  if (!raw) {
    for (const std::string_view key : {"reasoning_content", "reasoning"}) {
      auto text = piece(object, key, state.reasoning);
      if (!text) return std::unexpected(text.error());
      if (!*text) continue;
      if (!(*text)->empty()) {
        if (Outcome may = other_follows(index, out); !may) return may;
        out.emplace_back(ReasoningDelta{index, Text(*std::move(*text))});
      }
      break;  // two names of one field: the first counts
    }
  }
  auto text = piece(object, raw ? "text" : "content", state.content);
  if (!text) return std::unexpected(text.error());
  if (Outcome read = put_text(std::move(*text).value_or(""), index, std::move(tokens), out);
      !read) {
    return read;
  }
  if (raw) return {};
  auto refusal = piece(object, "refusal", api == Api::kOpenAiChat ? state.refusal : state.content);
  if (!refusal) return std::unexpected(refusal.error());
  if (*refusal && !(*refusal)->empty()) {
    if (Outcome may = other_follows(index, out); !may) return may;
    if (api == Api::kOpenAiChat) {
      out.emplace_back(RefusalDelta{index, Text(*std::move(*refusal))});
    } else {  // the other APIs have no such field
      out.emplace_back(TextDelta{index, Text(*std::move(*refusal)), {}});
    }
  }
  if (const json::Value* calls = present(object, "tool_calls")) {
    if (calls->is_array() && calls->get_array().empty()) return {};
    if (!calls->is_array() || !may_call) return bad(Kind::kMalformed);
    return tool_calls(calls->get_array(), index, out);
  }
  return {};
}

Outcome EngineReader::State::tool_calls(const json::Array& list, std::uint32_t index,
                                        std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  std::uint64_t position = 0;
  for (const json::Value& item : list) {
    const json::Object* call = item.if_object();
    if (call == nullptr) return bad(Kind::kMalformed);
    const std::uint64_t at = count_of(*call, "index").value_or(position++);
    if (at > state.calls) return bad(Kind::kMalformed);
    if (at >= limits.max_tool_calls) return bad(Kind::kBound);
    ToolCallDelta delta{index, static_cast<std::uint32_t>(at), {}, {}};
    const bool first = at == state.calls;
    if (first) {
      if (Outcome may = other_follows(index, out); !may) return may;
      ++state.calls;
      state.call_open = true;
    } else if (at + 1 != state.calls || !state.call_open) {
      // Streams whose calls are blocks (Anthropic, responses) cannot go back to one.
      return bad(Kind::kMalformed);
    }
    if (const json::Value* function = present(*call, "function")) {
      if (!function->is_object()) return bad(Kind::kMalformed);
      const json::Object& inner = function->get_object();
      TextAssembler whole;
      auto name = piece(inner, "name", whole);
      if (!name) return std::unexpected(name.error());
      delta.name = Text(std::move(*name).value_or("") + whole.flush());
      const bool named = !delta.name.reveal().empty();
      if (named && !first) return bad(Kind::kMalformed);
      if (named && std::ranges::find(tools, delta.name.reveal()) == tools.end()) {
        return bad(Kind::kBadCall);
      }
      auto arguments = piece(inner, "arguments", state.arguments);
      if (!arguments) return std::unexpected(arguments.error());
      delta.arguments = Text(std::move(*arguments).value_or(""));
    }
    if (first && delta.name.reveal().empty()) return bad(Kind::kMalformed);
    put_call(std::move(delta), out);
  }
  return {};
}

// Something other than more of the last call. A forced call is read from the text, so that nobody
// says where it ends: nothing follows it.
Outcome EngineReader::State::other_follows(std::uint32_t index, std::vector<AnswerEvent>& out) {
  const ChoiceState& state = choices[index];
  if (state.forced && state.called) return bad(Kind::kMalformed);
  end_call(index, out);
  return {};
}

// What is held of the last call's arguments is all there will be.
void EngineReader::State::end_call(std::uint32_t index, std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  if (!std::exchange(state.call_open, false)) return;
  if (std::string rest = state.arguments.flush(); !rest.empty()) {
    put_call({index, static_cast<std::uint32_t>(state.calls - 1), {}, Text(std::move(rest))}, out);
  }
}

void EngineReader::State::flush(std::uint32_t index, std::vector<AnswerEvent>& out) {
  ChoiceState& state = choices[index];
  end_call(index, out);
  if (std::string rest = state.reasoning.flush(); !rest.empty()) {
    out.emplace_back(ReasoningDelta{index, Text(std::move(rest))});
  }
  if (std::string rest = state.content.flush(); !rest.empty() && !state.forced) {
    out.emplace_back(TextDelta{index, Text(std::move(rest)), {}});
  }
  if (std::string rest = state.refusal.flush(); !rest.empty()) {
    out.emplace_back(RefusalDelta{index, Text(std::move(rest))});
  }
}

std::expected<std::vector<TokenLogprob>, EngineError> EngineReader::State::logprobs(
    const json::Value& value) const {
  std::vector<TokenLogprob> out;
  const json::Object* object = value.if_object();
  const json::Value* content = object != nullptr ? present(*object, "content") : nullptr;
  if (content == nullptr) return out;  // another form: not ours to guess
  if (!content->is_array()) return bad(Kind::kMalformed);

  const auto token = [this](const json::Object& from, auto& to) {
    const auto text = text_of(from, "token");
    const json::Value* number = present(from, "logprob");
    if (!text || number == nullptr || text->size() > limits.max_token_bytes) return false;
    TextAssembler assembler;
    std::string shown = assembler.feed(*text);
    shown += assembler.flush();
    to.token = Text(std::move(shown));
    double logprob = 0;
    if (const auto* real = number->if_double()) {
      logprob = *real;
    } else if (const auto* integer = number->if_int64()) {
      logprob = static_cast<double>(*integer);
    } else {
      return false;
    }
    to.logprob = std::clamp(static_cast<float>(logprob), kLeastLogprob, 0.0F);
    const json::Value* bytes = present(from, "bytes");
    if (bytes == nullptr) {
      to.bytes = to.token;
      return true;
    }
    if (!bytes->is_array() || bytes->get_array().size() > limits.max_token_bytes) return false;
    std::string true_bytes;
    for (const json::Value& byte : bytes->get_array()) {
      const auto* small = byte.if_int64();
      if (small == nullptr || *small < 0 || *small > 255) return false;
      true_bytes += static_cast<char>(static_cast<unsigned char>(*small));
    }
    to.bytes = Text(std::move(true_bytes));
    return true;
  };

  for (const json::Value& item : content->get_array()) {
    const json::Object* from = item.if_object();
    TokenLogprob one;
    if (from == nullptr || !token(*from, one)) return bad(Kind::kMalformed);
    if (const json::Value* top = present(*from, "top_logprobs")) {
      if (!top->is_array()) return bad(Kind::kMalformed);
      for (const json::Value& alternative : top->get_array()) {
        if (one.top.size() >= parameters.top_logprobs) break;
        const json::Object* other = alternative.if_object();
        one.top.emplace_back();
        if (other == nullptr || !token(*other, one.top.back())) return bad(Kind::kMalformed);
      }
    }
    out.push_back(std::move(one));
  }
  return out;
}

Outcome EngineReader::State::usage(const json::Object& object,
                                   std::optional<std::uint32_t> choice) {
  Usage usage;
  usage.prompt_tokens = count_of(object, "prompt_tokens").value_or(0);
  usage.completion_tokens = count_of(object, "completion_tokens").value_or(0);
  if (const json::Value* details = present(object, "prompt_tokens_details")) {
    if (!details->is_object()) return bad(Kind::kMalformed);
    usage.cached_tokens = count_of(details->get_object(), "cached_tokens").value_or(0);
  }
  const std::uint64_t cap = parameters.max_tokens.value_or(1U << 20U);
  constexpr std::uint64_t kMostPrompt = 1ULL << 32U;
  if (usage.completion_tokens > cap * choices.size() || usage.prompt_tokens > kMostPrompt ||
      usage.cached_tokens > usage.prompt_tokens) {
    return bad(Kind::kBound);
  }
  if (choices.size() == 1) {
    usage_of_all = usage;  // the last one counts
  } else if (choice) {
    usage_of_choice[*choice] = usage;
  } else {
    // llama-server sends one such event for each choice of one prompt.
    usage_of_all.prompt_tokens = std::max(usage_of_all.prompt_tokens, usage.prompt_tokens);
    usage_of_all.cached_tokens = std::max(usage_of_all.cached_tokens, usage.cached_tokens);
    usage_of_all.completion_tokens += usage.completion_tokens;
    if (usage_of_all.completion_tokens > cap * choices.size()) return bad(Kind::kBound);
  }
  return {};
}

Usage EngineReader::State::total() const {
  Usage sum = usage_of_all;
  for (std::size_t i = 0; i < usage_of_choice.size(); ++i) {
    sum.completion_tokens += usage_of_choice[i].completion_tokens;
    if (i % parameters.n != 0) continue;  // further answers to the same prompt
    sum.prompt_tokens += usage_of_choice[i].prompt_tokens;
    sum.cached_tokens += usage_of_choice[i].cached_tokens;
  }
  return sum;
}

}  // namespace candor::dialect
