// One exchange from request to receipt. run() drives the pipeline and keeps what its verdicts
// oblige the caller to do (gateway/pipeline.h); the stages do the work on the public state.
//
// Order that run() guarantees (P1, S6): no byte of model output before the intent is acknowledged;
// the last event or the whole body only after the outcome is, carrying the receipt; whatever
// happens after an intent, exactly one outcome or abort follows it; a refusal without an intent is
// counted for an entry. Lives in one coroutine on the io thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dialect/dialect.h"
#include "dialect/engine_codec.h"
#include "gateway/answer_guard.h"
#include "gateway/governance.h"
#include "gateway/identity.h"
#include "gateway/pipeline.h"
#include "gateway/services.h"
#include "http/server.h"
#include "store/exchange_record.h"

namespace candor::gateway {

class Session {
 public:
  Session(Services& services, http::Call& call, const dialect::Dialect& dialect, dialect::Api api);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] Task<void> run(const Pipeline& pipeline);

  // How the exchange ended, if not whole. The first call counts.
  //   cause   for the refusal entry, if there is no intent
  //   result  for the outcome entry, if there is one: "cancelled" | "stopped" | "engine_error" |
  //           "deadline"; or empty: then abort_reason says why no outcome can be given
  void refuse(dialect::ErrorInfo error, Cause cause, std::string_view result,
              std::string_view abort_reason = {});
  [[nodiscard]] bool refused() const noexcept { return error_.has_value(); }
  [[nodiscard]] const std::optional<dialect::ErrorInfo>& error() const noexcept { return error_; }
  [[nodiscard]] std::string_view result() const noexcept {
    return cut && !refused() ? "policy" : result_;
  }
  [[nodiscard]] std::string_view abort_reason() const noexcept { return abort_reason_; }
  // Refuses if the client left or the server stops; true if so. Stages ask after each wait.
  [[nodiscard]] bool stopped();
  // Of an answer that began well; `writer` stands.
  [[nodiscard]] http::Headers answer_headers() const;
  // Registered values that were found since the last call (L2).
  void count_registered();
  [[nodiscard]] std::int64_t elapsed_us() const;  // since the request was read

  // --- state of the exchange; each says which stage sets it ---
  Services& services;
  std::shared_ptr<const Settings> settings;  // the constructor
  http::Call& call;
  const dialect::Dialect& dialect;
  dialect::Api api;
  std::int64_t began_us;  // monotonic

  Caller caller;                                   // identity
  store::Subject subject;                          // identity
  std::int64_t retry_after_s = 1;                  // identity: of a refusal
  dialect::Exchange received;                      // admission
  dialect::Exchange forwarded;                     // admission; dlp and policy may change it
  std::uint64_t received_bytes = 0;                // admission
  std::string nonce;                               // admission; the client's, may be empty
  bool seed_by_caller = false;                     // admission
  Halts::Running running;                          // admission
  std::optional<Governance> governance;            // policy; absent: none is in force
  std::optional<ledger::PolicyDecision> decision;  // policy: about the request
  Placement place;                                 // placement
  std::optional<Payer> payer;                      // budget
  Budgets::Ticket budget;                          // budget
  std::int64_t queued_us = 0;                      // placement

  Id128 exchange{};                             // policy or intent
  std::string exchange_hex;                     // likewise; empty: none yet
  std::optional<store::ExchangeRecord> record;  // intent
  std::shared_ptr<PendingAck> intent;           // intent; null: no intent was submitted
  std::int64_t intent_submitted_us = 0;
  std::int64_t intent_mono_us = 0;  // intent: its entry's

  std::unique_ptr<engine::EngineStream> stream;  // engine
  std::optional<dialect::EngineReader> reader;   // engine
  http::asio::cancellation_signal open_cancel;   // while the engine is asked

  std::unique_ptr<AnswerGuard> guard;             // guard
  std::unique_ptr<dialect::AnswerWriter> writer;  // release
  dialect::AnswerBuilder produced;                // the pump: what the engine said
  dialect::AnswerBuilder released;                // release: what the client gets
  std::int64_t first_release_us = 0;              // release; 0: nothing yet
  std::uint64_t progress_bytes = 0;               // release: at the last mark
  std::int64_t progress_us = 0;
  bool client_gone = false;  // a write failed
  // A rule ended the answer: what the guard left in the events is the last of it. The pump reads no
  // more of the engine, and the answer ends as answers do.
  bool cut = false;  // guard

  std::optional<store::Acknowledgement> outcome;  // outcome
  std::string receipt;                            // outcome

 private:
  [[nodiscard]] Task<void> pump(const Pipeline& pipeline);
  // One batch of events through the answer stages. False: stopped.
  [[nodiscard]] Task<bool> pass(const Pipeline& pipeline, Events& events, bool at_end);
  [[nodiscard]] Task<void> answer_whole();
  [[nodiscard]] Task<void> answer_error();
  void count();

  std::size_t counted_findings_ = 0;  // count_registered()

  std::optional<dialect::ErrorInfo> error_;
  Cause cause_ = Cause::kMalformed;
  std::string_view result_ = "complete";  // literals
  std::string_view abort_reason_;
};

// Who pays for an exchange of this caller; policy may ask services.budgets.summary() of it.
[[nodiscard]] Payer payer_of(const Caller& caller, const store::Subject& subject,
                             std::string model);

// The intent's acknowledgement, or nothing when the ledger did not take it (then refused).
[[nodiscard]] Task<const store::Acknowledgement*> intent_durable(Session& session);

}  // namespace candor::gateway
