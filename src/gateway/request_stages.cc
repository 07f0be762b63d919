// The stages before the ledger: who asks, what is asked, and which engine will answer.
#include <algorithm>
#include <array>

#include "dialect/transcript.h"
#include "gateway/internal/stages.h"
#include "gateway/session.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;

// Sets caller and subject, or stops with 401.
class IdentityStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "identity"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    auto caller = co_await who_asks(s.services, *s.settings, s.call);
    if (!caller) {
      s.refuse(std::move(caller.error().error), Cause::kNotAuthenticated, "cancelled");
      co_return Verdict::kStop;
    }
    s.caller = *std::move(caller);
    if (s.caller.ignored_bearer) ++s.services.metrics.ignored_bearers;
    auto subject = co_await subject_of(s.services, s.caller.name);
    if (!subject) {
      s.refuse(make_error(ErrorKind::kUnavailable,
                          "The store takes no writes now, so nothing may be answered. Ask the "
                          "operator to run `candor doctor`."),
               Cause::kLedger, "cancelled");
      co_return Verdict::kStop;
    }
    s.subject = *std::move(subject);
    if (const auto wait_s = s.services.quotas.refuse(s.subject.pseudonym, s.settings->quota,
                                                     s.services.clock.mono_us())) {
      s.retry_after_s = *wait_s;
      s.refuse(make_error(ErrorKind::kRateLimit,
                          "You have used what one caller may take for now. Retry-After says when "
                          "there is more; the operator sets it in the section quota."),
               Cause::kQuota, "cancelled");
      co_return Verdict::kStop;
    }
    co_return Verdict::kContinue;
  }
};

// Parses the request within its bounds, checks the model against the caller's list, chooses the
// seed if the caller gave none, and sets what will be forwarded.
class AdmissionStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "admission"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    if (s.services.draining) {
      s.refuse(make_error(ErrorKind::kUnavailable,
                          "The server is shutting down. Ask again in a moment."),
               Cause::kBusy, "cancelled");
      co_return Verdict::kStop;
    }
    if (const auto health = s.services.ledger.health(); !health) {
      s.refuse(make_error(ErrorKind::kUnavailable,
                          "The ledger takes no entries now, so nothing may be answered. Ask the "
                          "operator to run `candor doctor`."),
               Cause::kLedger, "cancelled");
      co_return Verdict::kStop;
    }
    const http::Request& request = s.call.request();
    s.received_bytes = request.body.reveal().size();
    auto parsed = s.dialect.parse_request(s.api, request.body.reveal(), s.settings->parse);
    if (!parsed) {
      const bool large = parsed.error().kind == ErrorKind::kTooLarge;
      s.refuse(std::move(parsed.error()), large ? Cause::kTooLarge : Cause::kMalformed,
               "cancelled");
      co_return Verdict::kStop;
    }
    s.received = *std::move(parsed);
    if (request.headers.find("idempotency-key")) {
      s.refuse(make_error(ErrorKind::kInvalidRequest,
                          "Idempotency-Key is not honoured here: every request that is sent is "
                          "answered and put on record once more, and no answer is kept to be given "
                          "again. Send the request without it."),
               Cause::kMalformed, "cancelled");
      co_return Verdict::kStop;
    }
    if (const auto nonce = request.headers.find("candor-nonce")) {
      if (!dialect::is_nonce(*nonce)) {
        s.refuse(make_error(ErrorKind::kInvalidRequest,
                            "Candor-Nonce must be 1 to 128 printable ASCII characters without "
                            "spaces."),
                 Cause::kMalformed, "cancelled");
        co_return Verdict::kStop;
      }
      s.nonce = *nonce;
    }
    if (!s.services.engines.has(s.received.model)) {
      s.refuse(make_error(ErrorKind::kNotFound,
                          "No model of this name is configured here. GET /v1/models lists those "
                          "that are.",
                          "model", "model_not_found"),
               Cause::kUnknownModel, "cancelled");
      co_return Verdict::kStop;
    }
    const auto& allowed = s.caller.models;
    if (!allowed.empty() &&
        std::find(allowed.begin(), allowed.end(), s.received.model) == allowed.end()) {
      s.refuse(make_error(ErrorKind::kPermission,
                          "Your API key does not allow this model. Ask the operator for one that "
                          "does.",
                          "model", "model_not_allowed"),
               Cause::kNotAllowed, "cancelled");
      co_return Verdict::kStop;
    }
    if (const Halt* halt = s.services.halts.find(s.received.model, s.caller.name)) {
      s.refuse(halted_error(*halt), Cause::kStopped, "cancelled");
      co_return Verdict::kStop;
    }
    s.running = s.services.halts.watch(s.received.model, s.caller.name, s.call.stop());
    s.seed_by_caller = s.received.parameters.seed.has_value();
    s.forwarded = dialect::forwarded_exchange(
        s.received, s.received.parameters.seed.value_or(choose_seed(s.services.random)),
        s.settings->max_tokens);
    s.produced = s.released = dialect::AnswerBuilder(s.received.answer_bound());
    co_return Verdict::kReplace;
  }

 private:
  static std::uint32_t choose_seed(Random& random) {
    std::array<std::byte, 4> bytes{};
    random.fill(bytes);
    std::uint32_t seed = 0;
    for (const std::byte byte : bytes) seed = (seed << 8U) | std::to_integer<std::uint32_t>(byte);
    return seed == 0xffff'ffffU ? 0 : seed;  // 2^32-1 means "choose one" to the engine
  }
};

// Waits for a slot of the model's engine, which may have to be loaded first.
class PlacementStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "placement"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    Metrics& metrics = s.services.metrics;
    const auto deadline = std::chrono::steady_clock::now() + s.settings->request_timeout;
    auto& queue = s.services.queues[s.forwarded.model];
    if (!queue) queue = std::make_shared<FairQueue>(s.services.io.get_executor());
    ++metrics.waiting;
    const std::int64_t before = s.services.clock.mono_us();
    auto turn = co_await queue->wait(
        s.subject.pseudonym, s.payer ? s.settings->priority_of(*s.payer) : TurnPriority::kNormal,
        s.services.engines.slots(s.forwarded.model), s.settings->max_waiting, deadline,
        s.call.stop());
    if (!turn) {
      --metrics.waiting;
      if (turn.error() == FairQueue::Refusal::kFull) {
        s.refuse(make_error(ErrorKind::kRateLimit,
                            "Too many requests wait for an engine. Ask again in a moment."),
                 Cause::kBusy, "cancelled");
      } else if (!s.stopped()) {
        refuse(s, Code::kDeadlineExceeded);
      }
      co_return Verdict::kStop;
    }
    auto place = co_await s.services.engines.acquire(
        s.forwarded.model, static_cast<std::uint32_t>(s.forwarded.choice_count()), deadline,
        s.call.stop());
    --metrics.waiting;
    s.queued_us = s.services.clock.mono_us() - before;
    if (!place) {
      if (s.stopped()) co_return Verdict::kStop;
      if (place.error().code() == Code::kInvalidArgument) {
        s.refuse(make_error(ErrorKind::kInvalidRequest,
                            "'n' may be at most " + place.error().message() +
                                " with this model: it has no more slots. Send the request again "
                                "for each further answer.",
                            "n", "out_of_range"),
                 Cause::kEngine, "cancelled");
      } else if (engine::blames_template(place.error())) {
        s.refuse(template_error(), Cause::kEngine, "cancelled");
      } else if (const Halt* halt = s.services.halts.refused_load(s.forwarded.model);
                 halt != nullptr && place.error().code() == Code::kPermissionDenied) {
        s.refuse(halted_error(*halt), Cause::kStopped, "cancelled");
      } else {
        refuse(s, place.error().code());
      }
      co_return Verdict::kStop;
    }
    s.place = *std::move(place);
    s.place.turn = *std::move(turn);
    if (!s.place.upstream) {
      std::vector<std::string> files = files_of(s.place.provenance);
      if (const Halt* halt = s.services.halts.find_files(files)) {
        s.refuse(halted_error(*halt), Cause::kStopped, "cancelled");
        co_return Verdict::kStop;
      }
      s.running.answers_with(std::move(files));
    }
    if (s.governance && !s.governance->facts().model.digest.empty() &&
        s.governance->facts().model.digest != to_hex(s.place.provenance.weights)) {
      s.refuse(make_error(ErrorKind::kUnavailable,
                          "The model was replaced while the policy looked at it. Ask again."),
               Cause::kEngine, "cancelled");
      co_return Verdict::kStop;
    }
    if (lacks_template(s)) {
      s.refuse(make_error(ErrorKind::kInvalidRequest,
                          "This model has no chat template, so it takes no messages. Use "
                          "/v1/completions, or ask the operator to set model.chat_template.",
                          "model", "no_chat_template"),
               Cause::kEngine, "cancelled");
      co_return Verdict::kStop;
    }
    co_return Verdict::kContinue;
  }

 private:
  // llama-server would take a template of its own then, which no digest in the log names (A7). Of
  // what is only declared nothing is known.
  static bool lacks_template(const Session& s) {
    const ledger::Provenance& p = s.place.provenance;
    return !s.forwarded.messages.empty() && !p.chat_template &&
           p.template_basis == ledger::Basis::kMeasured;
  }
  // The supervisor's sentences are for operators; the client gets one of these.
  static void refuse(Session& s, Code code) {
    if (code == Code::kNotFound) {
      return s.refuse(make_error(ErrorKind::kNotFound,
                                 "No model of this name is configured here. GET /v1/models lists "
                                 "those that are.",
                                 "model", "model_not_found"),
                      Cause::kUnknownModel, "cancelled");
    }
    if (code == Code::kDeadlineExceeded) {
      return s.refuse(make_error(ErrorKind::kTimeout,
                                 "No slot of the model's engine became free in time. Ask again."),
                      Cause::kBusy, "cancelled");
    }
    if (code == Code::kResourceExhausted) {
      return s.refuse(make_error(ErrorKind::kUnavailable,
                                 "There is not enough memory for this model now. Ask again later, "
                                 "or ask the operator to unload another."),
                      Cause::kEngine, "cancelled");
    }
    if (code == Code::kFailedPrecondition) {
      return s.refuse(make_error(ErrorKind::kUnavailable,
                                 "This model may not be served as it is. Ask the operator to run "
                                 "`candor doctor`."),
                      Cause::kEngine, "cancelled");
    }
    s.refuse(make_error(ErrorKind::kUnavailable,
                        "The model's engine is not available now. Ask again in a moment."),
             Cause::kEngine, "cancelled");
  }
};

}  // namespace

std::unique_ptr<Stage> make_identity_stage() { return std::make_unique<IdentityStage>(); }
std::unique_ptr<Stage> make_admission_stage() { return std::make_unique<AdmissionStage>(); }
std::unique_ptr<Stage> make_placement_stage() { return std::make_unique<PlacementStage>(); }

}  // namespace candor::gateway
