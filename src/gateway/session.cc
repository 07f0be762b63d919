#include "gateway/session.h"

#include <boost/asio/cancellation_signal.hpp>

#include "base/check.h"
#include "dialect/transcript.h"
#include "gateway/workers.h"

namespace candor::gateway {

using dialect::ErrorKind;
using http::StopReason;

Task<Result<store::Subject>> subject_of(Services& services, std::string name) {
  if (const auto found = services.subjects.find(name); found != services.subjects.end()) {
    co_return found->second;
  }
  auto subject = co_await off_thread(services.workers,
                                     [&keys = services.keys, name] { return keys.subject(name); });
  constexpr std::size_t kMaxCached = 100'000;
  if (services.subjects.size() >= kMaxCached) services.subjects.clear();
  if (subject) services.subjects.emplace(std::move(name), *subject);
  co_return subject;
}

Session::Session(Services& s, http::Call& c, const dialect::Dialect& d, dialect::Api a)
    : services(s), settings(s.settings), call(c), dialect(d), api(a), began_us(s.clock.mono_us()) {}

std::int64_t Session::elapsed_us() const { return services.clock.mono_us() - began_us; }

void Session::refuse(dialect::ErrorInfo error, Cause cause, std::string_view result,
                     std::string_view abort_reason) {
  if (error_) return;
  error_ = std::move(error);
  error_->exchange = exchange_hex;
  cause_ = cause;
  result_ = result;
  abort_reason_ = abort_reason;
}

bool Session::stopped() {
  if (call.stop().reason() == StopReason::kHalted) {
    // Resumed in the meantime: this exchange was stopped all the same.
    const Halt* halt = services.halts.find(received.model, caller.name);
    if (halt == nullptr) halt = services.halts.find_files(files_of(place.provenance));
    refuse(halt != nullptr ? halted_error(*halt)
                           : dialect::make_error(ErrorKind::kPermission,
                                                 "An operator has stopped this answer. Ask again.",
                                                 "", "stopped_by_operator"),
           Cause::kStopped, "stopped");
  } else if (client_gone || call.stop().reason() == StopReason::kClientGone) {
    refuse(dialect::make_error(Code::kCancelled, "The client closed the connection."), Cause::kBusy,
           "cancelled");
  } else if (call.stop().reason() == StopReason::kShutdown) {
    refuse(dialect::make_error(ErrorKind::kUnavailable,
                               "The server is shutting down. Ask again in a moment."),
           Cause::kBusy, "", "shutdown");
  } else if (call.stop().requested()) {
    refuse(dialect::make_error(ErrorKind::kTimeout, "The answer took longer than allowed."),
           Cause::kBusy, "deadline");
  }
  return refused();
}

Task<const store::Acknowledgement*> intent_durable(Session& session) {
  co_await session.intent->done.wait();
  const auto& result = *session.intent->result;
  if (result) co_return &*result;
  session.refuse(dialect::make_error(ErrorKind::kUnavailable,
                                     "The ledger takes no entries now, so nothing may be answered. "
                                     "Ask the operator to run `candor doctor`."),
                 Cause::kLedger, "", "ledger");
  co_return nullptr;
}

Task<bool> Session::pass(const Pipeline& pipeline, Events& events, bool at_end) {
  for (Stage* stage : pipeline.answer()) {
    if (at_end) {
      // Every stage hands out what it holds before the next one sees the end.
      if (co_await stage->on_answer(*this, events) == Verdict::kStop) co_return false;
      if (co_await stage->on_answer_end(*this, events) == Verdict::kStop) co_return false;
    } else {
      if (co_await stage->on_answer(*this, events) == Verdict::kStop) co_return false;
      if (events.empty()) break;  // held
    }
  }
  co_return true;
}

// Reads the engine's answer to its end, or until something stops it.
Task<void> Session::pump(const Pipeline& pipeline) {
  const auto registration = call.stop().on_stop([this](StopReason) {
    if (stream) stream->cancel();
  });
  Events events;
  bool ended = false;
  while (!ended && !stopped()) {
    events.clear();
    // What has already arrived goes out in one write.
    do {
      auto piece = co_await stream->next();
      if (!piece) {
        if (stopped()) co_return;
        if (intent->result && !*intent->result) {
          (void)co_await intent_durable(*this);
        } else if (!place.alive()) {
          refuse(dialect::make_error(ErrorKind::kUnavailable,
                                     "The engine ended while it answered. Ask again in a moment."),
                 Cause::kEngine, "", "engine_lost");
        } else if (piece.error().code() == Code::kDeadlineExceeded) {
          if (place.lease) place.lease.report_stall();
          refuse(dialect::make_error(ErrorKind::kTimeout,
                                     "The engine took too long. Ask again, or ask for less."),
                 Cause::kEngine, "deadline");
        } else {
          refuse(dialect::make_error(ErrorKind::kUnavailable,
                                     "The connection to the engine broke. Ask again in a moment."),
                 Cause::kEngine, "engine_error");
        }
        co_return;
      }
      std::expected<void, dialect::EngineError> read;
      if (!*piece) {
        read = reader->end(events);
        ended = true;
      } else if (stream->is_event_stream()) {
        read = reader->event(**piece, events);
      } else {
        read = reader->body(**piece, events);
      }
      if (!read) {
        refuse(dialect::error_info(read.error()), Cause::kEngine, "engine_error");
        co_return;
      }
      if (reader->done() && !ended) {
        ended = true;
        if (auto end = reader->end(events); !end) {
          refuse(dialect::error_info(end.error()), Cause::kEngine, "engine_error");
          co_return;
        }
      }
    } while (!ended && stream->ready());
    for (const auto& event : events) produced.add(event);
    if (!co_await pass(pipeline, events, ended)) co_return;
    if (cut) break;
  }
  (void)stopped();  // while the last piece waited for the client
}

Task<void> Session::run(const Pipeline& pipeline) {
  ++services.metrics.inflight;
  try {
    for (Stage* stage : pipeline.request()) {
      if (co_await stage->on_request(*this) == Verdict::kStop || stopped()) break;
    }
    if (!refused()) co_await pump(pipeline);
  } catch (const std::exception&) {
    CANDOR_BUG("a stage of the pipeline threw");
    refuse(dialect::make_error(ErrorKind::kInternal, "The server failed to answer this request."),
           Cause::kEngine, "engine_error");
  }
  stream.reset();  // ends the engine's work, if it still works
  if (intent) {
    for (Stage* stage : pipeline.end()) co_await stage->on_end(*this);
  }
  running = {};  // its end is on record
  budget = {};
  place = {};  // the slot is free
  if (refused()) {
    co_await answer_error();
  } else {
    co_await answer_whole();
  }
  count();
  --services.metrics.inflight;
}

http::Headers Session::answer_headers() const {
  http::Headers headers{{"content-type", writer->content_type()},
                        {"cache-control", "no-store"},
                        {"candor-exchange", exchange_hex}};
  if (received.dropped_count > 0) {
    headers.add("candor-dropped-fields", dialect::dropped_fields_header(received));
  }
  if (payer) services.budgets.add_headers(*payer, services.clock.wall_us(), headers);
  return headers;
}

void Session::count_registered() {
  const auto& findings = governance->facts().findings;  // it only grows
  std::uint32_t hits = 0;
  for (; counted_findings_ < findings.size(); ++counted_findings_) {
    hits += findings[counted_findings_].class_name == dlp::kRegisteredClass ? 1 : 0;
  }
  services.metrics.registered_hits += hits;
  services.registered_hits.add(subject.pseudonym, hits, services.clock.wall_us());
}

Task<void> Session::answer_whole() {
  std::string out;
  const std::string notice = governance ? governance->notice() : "";
  writer->finish({.exchange = exchange_hex,
                  .receipt = receipt,
                  .policy = notice,
                  .total_us = elapsed_us(),
                  .queued_us = queued_us,
                  .first_token_us = first_release_us == 0 ? 0 : first_release_us - began_us},
                 out);
  Result<void> sent;
  if (received.stream) {
    sent = co_await call.finish(std::move(out));
  } else {
    http::Reply reply;
    reply.headers = answer_headers();
    reply.body = std::move(out);
    sent = co_await call.reply(std::move(reply));
  }
  if (!sent) client_gone = true;  // the answer is complete and on record; `candor receipt` has it
}

Task<void> Session::answer_error() {
  std::string out;
  if (call.started()) {
    writer->fail(*error_, out);
    if (!co_await call.finish(std::move(out))) client_gone = true;
    co_return;
  }
  http::Reply reply;
  reply.status = error_->status;
  reply.headers.add("content-type", "application/json");
  if (!exchange_hex.empty()) reply.headers.add("candor-exchange", exchange_hex);
  if (error_->status == 503 || error_->status == 429) {
    reply.headers.add("retry-after", std::to_string(retry_after_s));
  }
  if (payer) services.budgets.add_headers(*payer, services.clock.wall_us(), reply.headers);
  if (error_->status == 401) reply.headers.add("www-authenticate", "Bearer");
  dialect.render_error(*error_, out);
  reply.body = std::move(out);
  if (!co_await call.reply(std::move(reply))) client_gone = true;
}

void Session::count() {
  Metrics& metrics = services.metrics;
  const bool intent_failed = intent && intent->result && !*intent->result;
  if (intent_failed) ++metrics.ledger_failures;
  if (!intent || intent_failed) {  // nothing stands in the log but this
    ++metrics.refused;
    ++metrics.refused_by_cause[std::string(to_string(cause_))];
    services.refusals.add(cause_, error_ ? error_->status : 500, call.peer().source(),
                          subject.pseudonym, dialect::to_string(api));
    return;
  }
  services.quotas.charge(subject.pseudonym, received_bytes + released.text_bytes(), settings->quota,
                         services.clock.mono_us());
  ++metrics.exchanges;
  ++metrics.exchanges_by_model[forwarded.model];
  metrics.total.add(elapsed_us());
  if (first_release_us != 0) metrics.first_token.add(first_release_us - began_us);
  if (intent->acknowledged_us != 0) {
    metrics.intent_wait.add(intent->acknowledged_us - intent_submitted_us);
  }
  const dialect::Usage& usage = produced.answer().usage;
  metrics.prompt_tokens += usage.prompt_tokens;
  metrics.completion_tokens += usage.completion_tokens;
  if (!refused()) {
    ++metrics.completed;
  } else if (result_ == "cancelled") {
    ++metrics.cancelled;
  } else {
    ++metrics.failed;
  }
}

}  // namespace candor::gateway
