// The stage that reads every text of an answer before it is released (P4, C5).
#include "gateway/answer_guard.h"
#include "gateway/internal/stages.h"
#include "gateway/session.h"

namespace candor::gateway {
namespace {

bool is_chat(dialect::Api api) {
  return api == dialect::Api::kOpenAiChat || api == dialect::Api::kOpenAiResponses ||
         api == dialect::Api::kAnthropicMessages || api == dialect::Api::kOllamaChat;
}

class GuardStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "guard"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kAnswer);
  }

  Task<Verdict> on_answer(Session& s, Events& events) override {
    if (!s.governance || s.cut || events.empty()) co_return Verdict::kContinue;
    if (!s.guard) {
      s.guard = std::make_unique<AnswerGuard>(
          *s.governance, AnswerGuard::Form{.choices = s.forwarded.answer_bound(),
                                           .json = s.forwarded.response_format.kind !=
                                                   dialect::ResponseFormat::Kind::kText,
                                           .whole_calls = s.forwarded.whole_calls(),
                                           .logprobs = s.forwarded.parameters.logprobs,
                                           .chat = is_chat(s.api)});
    }
    s.cut = !s.guard->pass(events);
    s.count_registered();
    co_return events.empty() ? Verdict::kHold : Verdict::kReplace;
  }

  Task<Verdict> on_answer_end(Session& s, Events& events) override {
    if (!s.guard || s.cut) co_return Verdict::kContinue;
    s.cut = !s.guard->finish(events);
    s.count_registered();
    co_return Verdict::kReplace;
  }
};

}  // namespace

std::unique_ptr<Stage> make_guard_stage() { return std::make_unique<GuardStage>(); }

}  // namespace candor::gateway
