#include "dialect/exchange.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"

namespace candor::dialect {

namespace {

struct ApiEntry {
  Api api;
  std::string_view name;
  Task task;
};
constexpr ApiEntry kApis[] = {
    {Api::kOpenAiChat, "openai.chat", Task::kGenerate},
    {Api::kOpenAiCompletions, "openai.completions", Task::kGenerate},
    {Api::kOpenAiResponses, "openai.responses", Task::kGenerate},
    {Api::kOpenAiEmbeddings, "openai.embeddings", Task::kEmbed},
    {Api::kAnthropicMessages, "anthropic.messages", Task::kGenerate},
    {Api::kAnthropicCountTokens, "anthropic.count_tokens", Task::kCountTokens},
    {Api::kOllamaChat, "ollama.chat", Task::kGenerate},
    {Api::kOllamaGenerate, "ollama.generate", Task::kGenerate},
    {Api::kOllamaEmbed, "ollama.embed", Task::kEmbed},
};
constexpr std::pair<Effort, std::string_view> kEfforts[] = {{Effort::kNone, "none"},
                                                            {Effort::kMinimal, "minimal"},
                                                            {Effort::kLow, "low"},
                                                            {Effort::kMedium, "medium"},
                                                            {Effort::kHigh, "high"}};

}  // namespace

std::string_view to_string(Api api) noexcept {
  const auto* entry = std::ranges::find(kApis, api, &ApiEntry::api);
  return entry == std::end(kApis) ? "" : entry->name;
}

std::optional<Api> api_from_name(std::string_view name) noexcept {
  const auto* entry = std::ranges::find(kApis, name, &ApiEntry::name);
  if (entry == std::end(kApis)) return std::nullopt;
  return entry->api;
}

Task task_of(Api api) noexcept {
  const auto* entry = std::ranges::find(kApis, api, &ApiEntry::api);
  return entry == std::end(kApis) ? Task::kGenerate : entry->task;
}

std::string_view to_string(Effort effort) noexcept {
  for (const auto& [value, name] : kEfforts) {
    if (value == effort) return name;
  }
  return "";
}

std::optional<Effort> effort_from_name(std::string_view name) noexcept {
  for (const auto& [value, known] : kEfforts) {
    if (known == name) return value;
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
                 [&](const EmbeddingResult& e) {
                   if (answer_.embeddings.size() >= max_choices_) return;
                   answer_.embeddings.push_back(e.embedding);
                   text_bytes_ += e.embedding.reveal().size() * sizeof(float);
                 },
                 [&](const TokenCount& t) { answer_.input_tokens = t.input_tokens; },
             },
             event);
}

Answer AnswerBuilder::take() && {
  if (answer_.choices.empty() && answer_.embeddings.empty() && !answer_.input_tokens) {
    answer_.choices.emplace_back();
  }
  return std::move(answer_);
}

}  // namespace candor::dialect
