// The stages that keep P1: the intent before the engine is asked, nothing released before it is
// durable, the outcome durable before the last byte.
#include "base/check.h"
#include "dialect/transcript.h"
#include "gateway/internal/stages.h"
#include "gateway/session.h"
#include "gateway/workers.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;

std::optional<std::string> fraction(const std::optional<float>& value) {
  if (!value) return std::nullopt;
  // Binary32 values with more digits than an entry holds stand in the transcript in full.
  auto text = ledger::decimal_text(static_cast<double>(*value));
  return text ? *std::move(text) : std::string("0");
}

ledger::Intent make_intent(const Session& s, std::uint64_t received_bytes) {
  const dialect::Parameters& p = s.forwarded.parameters;
  ledger::Intent entry;
  entry.at = s.services.stamp();
  entry.exchange = s.exchange;
  entry.caller = s.subject.pseudonym;
  entry.caller_known_by = s.caller.known_by;
  entry.api = dialect::to_string(s.api);
  entry.stream = s.received.stream;
  entry.load = s.place.load;
  entry.provenance = s.place.provenance;
  entry.parameters = {.seed = p.seed.value_or(0),
                      .seed_by_caller = s.seed_by_caller,
                      .max_tokens = p.max_tokens,
                      .temperature = fraction(p.temperature),
                      .top_p = fraction(p.top_p),
                      .top_k = p.top_k,
                      .stops = static_cast<std::uint32_t>(p.stop.size()),
                      .choices = p.n,
                      .logprobs = p.logprobs};
  entry.repeatable = s.place.repeatable ? "promised" : "best_effort";
  entry.dropped_fields = s.received.dropped_count;
  entry.content = store::to_string(s.services.keys.content_mode());
  entry.policy = s.decision;
  entry.received_bytes = received_bytes;
  return entry;
}

// What an entry costs counts once it stands in the log.
void charge(Session& s, PendingAck& ack, const Use& use, std::int64_t at_us) {
  if (!s.budget) return;
  ack.on_result = [&budgets = s.services.budgets,
                   charge = s.services.budgets.submitted(s.budget, use, at_us)](
                      const Result<store::Acknowledgement>& result) {
    budgets.settle(*charge, result ? std::optional(result->index) : std::nullopt);
  };
}

// Submits the intent; its flush runs beside the engine's prefill.
class IntentStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "intent"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    if (s.stopped()) co_return Verdict::kStop;
    if (s.caller.by_os_user) {  // S14: the second look, at the last moment
      if (const auto still = s.call.peer().confirm(); !still) {
        s.refuse(make_error(ErrorKind::kAuthentication,
                            "Which user of this machine asks could no longer be told. Keep the "
                            "connection open until the answer ends, or send an API key (made with "
                            "`candor key create`)."),
                 Cause::kNotAuthenticated, "cancelled");
        co_return Verdict::kStop;
      }
    }
    if (s.exchange_hex.empty()) {
      s.exchange = make_id(s.services.random);
      s.exchange_hex = to_hex(s.exchange);
    }
    s.record.emplace(store::ExchangeRecord::begin(s.services.keys, s.exchange, s.subject.id));
    const std::uint64_t bytes = s.call.request().body.reveal().size();
    s.call.request().body = {};
    std::int64_t at_us = 0;
    const auto build = [&s, &at_us, bytes] {
      ledger::Intent entry = make_intent(s, bytes);
      at_us = entry.at.time_us;
      s.intent_mono_us = entry.at.mono_us;
      return s.record->intent(std::move(entry), dialect::request_transcript(s.received, s.nonce),
                              dialect::request_transcript(s.forwarded),
                              s.nonce.empty() ? std::nullopt : std::optional(s.nonce));
    };
    Result<store::Submission> submission = fail(Code::kInternal, "");
    if (bytes > s.settings->inline_bytes) {
      submission = co_await off_thread(s.services.workers, build);
      if (s.stopped()) co_return Verdict::kStop;
    } else {
      submission = build();
    }
    if (!submission) {
      const bool bug = submission.error().code() == Code::kInvalidArgument;
      if (bug) CANDOR_BUG("an intent could not be encoded");
      s.refuse(make_error(bug ? ErrorKind::kInternal : ErrorKind::kUnavailable,
                          "The request could not be put on record, so it may not be answered."),
               Cause::kLedger, "cancelled");
      co_return Verdict::kStop;
    }
    s.intent_submitted_us = s.services.clock.mono_us();
    s.intent = s.services.acks.submit(*std::move(submission));
    charge(s, *s.intent, {.requests = 1}, at_us);
    co_return Verdict::kContinue;
  }
};

// Hands events to the client once the intent is durable, with the client's own back-pressure, and
// marks the progress of long streams.
class ReleaseStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "release"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kAnswer);
  }

  Task<Verdict> on_answer(Session& s, Events& events) override {
    if (events.empty()) co_return Verdict::kContinue;
    if (!s.writer && !co_await open_writer(s)) co_return Verdict::kStop;
    std::string out;
    out.reserve(512);  // an event of any dialect, unless its text is long
    for (const dialect::AnswerEvent& event : events) {
      s.released.add(event);
      s.writer->write(event, out);
    }
    if (out.empty()) co_return Verdict::kContinue;
    if (s.first_release_us == 0) {
      s.first_release_us = s.progress_us = s.services.clock.mono_us();
      if (!s.call.start(200, s.answer_headers())) co_return Verdict::kStop;
    }
    if (!co_await s.call.write(std::move(out))) {
      s.client_gone = true;
      (void)s.stopped();
      co_return Verdict::kStop;
    }
    mark_progress(s);
    co_return Verdict::kContinue;
  }

  Task<Verdict> on_answer_end(Session& s, Events& /*events*/) override {
    if (!s.writer && !co_await open_writer(s)) co_return Verdict::kStop;
    if (s.received.stream && !s.call.started()) {
      // An answer without a single piece still begins like a stream.
      if (!s.call.start(200, s.answer_headers())) co_return Verdict::kStop;
    }
    co_return Verdict::kContinue;
  }

 private:
  static Task<bool> open_writer(Session& s) {
    if (co_await intent_durable(s) == nullptr) co_return false;
    s.writer = s.dialect.make_writer(dialect::writer_options(
        s.received, s.exchange_hex, s.received.model, s.services.clock.wall_us() / 1'000'000));
    co_return true;
  }

  // Nobody waits for these: an abort names the last one that is durable (S6).
  static void mark_progress(Session& s) {
    const std::int64_t now = s.services.clock.mono_us();
    const std::uint64_t bytes = s.released.text_bytes();
    if (bytes - s.progress_bytes < s.settings->progress_bytes &&
        now - s.progress_us < std::chrono::microseconds(s.settings->progress_interval).count()) {
      return;
    }
    s.progress_bytes = bytes;
    s.progress_us = now;
    const store::Acknowledgement& intent = **s.intent->result;
    auto submission = s.record->progress({.at = s.services.stamp(),
                                          .exchange = s.exchange,
                                          .intent_index = intent.index,
                                          .released_bytes = bytes},
                                         intent);
    if (!submission) return CANDOR_BUG("a progress entry could not be encoded");
    (void)s.services.acks.submit(*std::move(submission));
  }
};

// Closes the record: one outcome or abort for each intent that the ledger took, and the receipt.
class OutcomeStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "outcome"; }
  std::uint8_t phases() const noexcept override { return static_cast<std::uint8_t>(Phase::kEnd); }

  Task<void> on_end(Session& s) override {
    const store::Acknowledgement* intent = co_await intent_durable(s);
    if (intent == nullptr) co_return;  // nothing stands in the log, nothing was released
    const bool as_abort = s.refused() && s.result().empty();
    record_decision(s, *intent);
    // A whole body that was never sent: nothing of it was released.
    if (s.refused() && !s.call.started()) s.released = dialect::AnswerBuilder();
    Result<store::Submission> submission = fail(Code::kInternal, "");
    Use use;
    std::int64_t at_us = 0;
    if (as_abort) {
      ledger::Abort entry{.at = s.services.stamp(),
                          .exchange = s.exchange,
                          .intent_index = intent->index,
                          .intent_leaf = intent->leaf,
                          .reason = std::string(s.abort_reason()),
                          .released_bytes = s.released.text_bytes()};
      use = use_of(entry, s.received_bytes, entry.at.mono_us - s.intent_mono_us);
      at_us = entry.at.time_us;
      submission = s.record->abort(std::move(entry), *intent);
    } else {
      const auto build = [&s, &use, &at_us, intent] {
        ledger::Outcome entry = make_outcome(s, *intent);
        use = use_of(entry, s.received_bytes);
        at_us = entry.at.time_us;
        return s.record->outcome(std::move(entry), *intent,
                                 dialect::answer_transcript(s.produced.answer()),
                                 dialect::answer_transcript(s.released.answer()));
      };
      if (s.produced.text_bytes() > s.settings->inline_bytes) {
        submission = co_await off_thread(s.services.workers, build);
      } else {
        submission = build();
      }
    }
    if (!submission) co_return fail_late(s, "an outcome could not be put on record");
    const auto ack = s.services.acks.submit(*std::move(submission));
    charge(s, *ack, use, at_us);
    co_await ack->done.wait();
    const auto& acknowledged = *ack->result;
    if (!acknowledged) co_return fail_late(s, {});
    s.outcome = *acknowledged;
    if (s.refused()) co_return;
    auto receipt = s.record->receipt(s.services.ledger, *intent, *s.outcome);
    if (!receipt) co_return fail_late(s, "a receipt could not be made");
    s.receipt = *std::move(receipt);
  }

 private:
  // What was decided about the answer stands before its outcome, in the same order of batches.
  static void record_decision(Session& s, const store::Acknowledgement& intent) {
    if (!s.governance || !s.governance->answering()) return;
    auto record = s.governance->record();
    if (!record) return;
    auto entry = ledger::encode(ledger::Decision{.at = s.services.stamp(),
                                                 .exchange = s.exchange,
                                                 .intent_index = intent.index,
                                                 .phase = "answer",
                                                 .caller = s.subject.pseudonym,
                                                 .caller_known_by = s.caller.known_by,
                                                 .api = std::string(dialect::to_string(s.api)),
                                                 .model = s.forwarded.model,
                                                 .stream = s.received.stream,
                                                 .policy = *std::move(record)});
    if (!entry) return CANDOR_BUG("a decision could not be encoded");
    (void)s.services.acks.submit_entry(*std::move(entry), store::Priority::kReserved);
  }

  static ledger::Outcome make_outcome(const Session& s, const store::Acknowledgement& intent) {
    const dialect::Answer& answer = s.released.answer();
    const dialect::Usage& usage = s.produced.answer().usage;
    ledger::Outcome entry;
    entry.at = s.services.stamp();
    entry.exchange = s.exchange;
    entry.intent_index = intent.index;
    entry.intent_leaf = intent.leaf;
    entry.result = s.result();
    if (!s.refused() && !answer.choices.empty()) {
      entry.finish = dialect::to_string(answer.choices.front().finish);
    }
    // What the client was told first: 200 once a stream has begun, whatever came after.
    const int status = s.call.started() || !s.refused() ? 200 : s.error()->status;
    entry.status = static_cast<std::uint16_t>(status);
    entry.prompt_tokens = usage.prompt_tokens;
    // The engine counts at the end; of what was cut short the pieces are known (docs/formats).
    entry.completion_tokens =
        s.refused() && usage.completion_tokens == 0 ? s.produced.pieces() : usage.completion_tokens;
    entry.cached_tokens = usage.cached_tokens;
    entry.queued_us = s.queued_us;
    entry.first_token_us = s.first_release_us == 0 ? 0 : s.first_release_us - s.began_us;
    entry.total_us = s.elapsed_us();
    entry.released_bytes = s.released.text_bytes();
    return entry;
  }

  // The answer may not end well without its outcome: the client gets an error, the next start an
  // abort.
  static void fail_late(Session& s, std::string_view bug) {
    if (!bug.empty()) CANDOR_BUG(bug);
    ++s.services.metrics.ledger_failures;
    s.refuse(make_error(ErrorKind::kUnavailable,
                        "The answer could not be put on record, so it may not be finished. Ask the "
                        "operator to run `candor doctor`."),
             Cause::kLedger, "", "ledger");
  }
};

}  // namespace

std::unique_ptr<Stage> make_intent_stage() { return std::make_unique<IntentStage>(); }
std::unique_ptr<Stage> make_release_stage() { return std::make_unique<ReleaseStage>(); }
std::unique_ptr<Stage> make_outcome_stage() { return std::make_unique<OutcomeStage>(); }

}  // namespace candor::gateway
