#include "dialect/exchange.h"

#include <array>
#include <charconv>

#include "base/check.h"

namespace candor::dialect {

std::string_view to_string(Api api) noexcept {
  switch (api) {
    case Api::kOpenAiChat: return "openai.chat";
    case Api::kOpenAiCompletions: return "openai.completions";
    case Api::kAnthropicMessages: return "anthropic.messages";
  }
  return "";
}

std::optional<Api> api_from_name(std::string_view name) noexcept {
  for (const Api api : {Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kAnthropicMessages}) {
    if (to_string(api) == name) return api;
  }
  return std::nullopt;
}

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kUser: return "user";
    case Role::kAssistant: return "assistant";
    case Role::kTool: return "tool";
  }
  return "";
}

std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kToolCalls: return "tool_calls";
    case FinishReason::kContentFilter: return "content_filter";
    case FinishReason::kError: return "error";
  }
  return "";
}

std::string fraction_text(float value) {
  if (value == 0) return "0";     // also -0
  std::array<char, 64> digits{};  // the longest binary32 in fixed notation has 53 characters
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  CANDOR_CHECK(error == std::errc{});
  return {digits.data(), end};
}

std::string dropped_fields_header(const Exchange& exchange) {
  std::string out;
  for (const std::string& name : exchange.dropped_fields) {
    if (!out.empty()) out += ", ";
    for (const char c : name) {
      const bool plain = c > 0x20 && c < 0x7F && c != ',' && c != ';' && c != '"';
      out += plain ? c : '?';
    }
  }
  if (exchange.dropped_count > exchange.dropped_fields.size()) {
    out += "; " + std::to_string(exchange.dropped_count - exchange.dropped_fields.size()) + " more";
  }
  return out;
}

namespace {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace

Choice* AnswerBuilder::choice(std::uint32_t index) {
  if (index >= max_choices_) return nullptr;
  if (index >= answer_.choices.size()) answer_.choices.resize(index + 1);
  return &answer_.choices[index];
}

void AnswerBuilder::add(const AnswerEvent& event) {
  const auto append = [this](Text& to, const Text& piece) {
    to.reveal() += piece.reveal();
    text_bytes_ += piece.reveal().size();
    pieces_ += piece.reveal().empty() ? 0 : 1;
  };
  std::visit(Overloaded{
                 [](const AnswerStart&) {},
                 [&](const TextDelta& d) {
                   if (Choice* c = choice(d.choice)) {
                     append(c->content, d.text);
                     c->logprobs.insert(c->logprobs.end(), d.logprobs.begin(), d.logprobs.end());
                   }
                 },
                 [&](const ReasoningDelta& d) {
                   if (Choice* c = choice(d.choice)) append(c->reasoning, d.text);
                 },
                 [&](const RefusalDelta& d) {
                   if (Choice* c = choice(d.choice)) append(c->refusal, d.text);
                 },
                 [&](const ToolCallDelta& d) {
                   Choice* c = choice(d.choice);
                   if (c == nullptr || d.index > c->tool_calls.size()) return;
                   if (d.index == c->tool_calls.size()) c->tool_calls.emplace_back();
                   ToolCall& call = c->tool_calls[d.index];
                   call.id += d.id;
                   append(call.name, d.name);
                   append(call.arguments, d.arguments);
                 },
                 [&](const Finish& f) {
                   if (Choice* c = choice(f.choice)) {
                     c->finish = f.reason;
                     c->stop_sequence = f.stop_sequence;
                   }
                 },
                 [&](const UsageReport& u) { answer_.usage = u.usage; },
             },
             event);
}

Answer AnswerBuilder::take() && {
  if (answer_.choices.empty()) answer_.choices.emplace_back();
  return std::move(answer_);
}

}  // namespace candor::dialect
