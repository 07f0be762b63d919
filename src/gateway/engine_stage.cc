// Asks the engine. The request is built from typed fields only (S8); the answer is read by the pump
// in session.cc.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include "crypto/hash.h"
#include "gateway/internal/stages.h"
#include "gateway/session.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;

class EngineStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "engine"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    dialect::EngineRequestOptions options;
    options.id_slot = s.place.id_slot;
    options.cache_prompt = false;  // S9: no reuse across exchanges in this version
    options.stream = s.received.stream;
    options.extensions = s.place.kind == UpstreamKind::kLlamaCpp
                             ? dialect::EngineRequestOptions::Extensions::kLlama
                             : dialect::EngineRequestOptions::Extensions::kNone;
    if (s.place.kind == UpstreamKind::kVllm) options.cache_salt = cache_salt(s);
    engine::EngineRequest request;
    if (s.place.engine_model.empty()) {
      dialect::EngineCall call = dialect::build_engine_request(s.forwarded, options);
      request.path = call.path;
      request.body = std::move(call.body);
    } else {
      dialect::Exchange renamed = s.forwarded;
      renamed.model = s.place.engine_model;
      dialect::EngineCall call = dialect::build_engine_request(renamed, options);
      request.path = call.path;
      request.body = std::move(call.body);
    }
    request.stream = options.stream;
    const auto left = s.settings->request_timeout - std::chrono::microseconds(s.elapsed_us());
    request.total_deadline = std::chrono::duration_cast<std::chrono::milliseconds>(left);
    // A whole body comes only when it is finished.
    request.first_byte_deadline =
        options.stream ? std::min(s.settings->first_token_timeout, request.total_deadline)
                       : request.total_deadline;
    request.idle_deadline = s.settings->stall_timeout;

    Result<std::unique_ptr<engine::EngineStream>> opened =
        fail(Code::kCancelled, "the exchange was stopped");
    {
      // The client may leave, or the ledger fail, during a long prefill: both end the wait.
      const auto cancel = [&s] { s.open_cancel.emit(http::asio::cancellation_type::terminal); };
      const auto registration = s.call.stop().on_stop([cancel](http::StopReason) { cancel(); });
      if (s.stopped()) co_return Verdict::kStop;
      if (!s.intent->result) s.intent->on_failure = cancel;
      try {
        opened = co_await http::asio::co_spawn(
            s.services.io, s.place.open(std::move(request)),
            http::asio::bind_cancellation_slot(s.open_cancel.slot(), http::asio::use_awaitable));
      } catch (const boost::system::system_error& error) {
        // An awaitable that was cancelled throws operation_aborted at its next wait.
        if (error.code() != http::asio::error::operation_aborted) throw;
      }
      s.intent->on_failure = nullptr;
    }
    if (s.stopped()) co_return Verdict::kStop;
    if (s.intent->result && !*s.intent->result) {
      (void)co_await intent_durable(s);
      co_return Verdict::kStop;
    }
    if (!opened) {
      if (opened.error().code() != Code::kDeadlineExceeded) co_await see_its_end(s);
      refuse(s, opened.error().code());
      co_return Verdict::kStop;
    }
    s.stream = *std::move(opened);
    if (s.stream->status() != 200) {
      std::string body;
      const auto ends = s.call.stop().on_stop([&s](http::StopReason) { s.stream->cancel(); });
      if (auto piece = co_await s.stream->next(); piece && *piece) body = **std::move(piece);
      s.refuse(dialect::error_info(dialect::engine_error(s.stream->status(), body)), Cause::kEngine,
               "engine_error");
      co_return Verdict::kStop;
    }
    s.reader.emplace(s.forwarded);
    // From now on a ledger that fails ends the engine's work at once.
    if (!s.intent->result)
      s.intent->on_failure = [&s] {
        if (s.stream) s.stream->cancel();
      };
    co_return Verdict::kContinue;
  }

 private:
  // One for each caller and run, of which the upstream learns nothing about the caller (S9).
  static std::string cache_salt(const Session& s) {
    return to_hex(
        crypto::sha256({as_bytes("candor/v1/cache-salt"), as_bytes(s.place.cache_salt_key),
                        as_bytes(s.subject.pseudonym)}));
  }
  // An engine's connections break a moment before its end is known, and what it ended of.
  static Task<void> see_its_end(Session& s) {
    http::asio::steady_timer pause(s.services.io);
    for (int i = 0; i < 50 && s.place.alive() && !s.place.upstream && !s.stopped(); ++i) {
      pause.expires_after(std::chrono::milliseconds(10));
      co_await pause.async_wait(http::asio::as_tuple(http::asio::use_awaitable));
    }
  }
  static void refuse(Session& s, Code code) {
    if (s.place.lease.template_failed()) {
      return s.refuse(template_error(), Cause::kEngine, "", "engine_lost");
    }
    if (!s.place.alive()) {
      return s.refuse(make_error(ErrorKind::kUnavailable,
                                 "The engine ended before it answered. Ask again in a moment."),
                      Cause::kEngine, "", "engine_lost");
    }
    if (code == Code::kDeadlineExceeded) {
      if (s.place.lease) s.place.lease.report_stall();
      return s.refuse(
          make_error(ErrorKind::kTimeout, "The engine took too long. Ask again, or ask for less."),
          Cause::kEngine, "deadline");
    }
    s.refuse(make_error(ErrorKind::kUnavailable,
                        "The model's engine cannot be reached now. Ask again in a moment."),
             Cause::kEngine, "engine_error");
  }
};

}  // namespace

// No 5xx: SDKs would ask again, and it would burn again.
dialect::ErrorInfo template_error() {
  return make_error(ErrorKind::kInvalidRequest,
                    "This model's chat template took more time or memory than it may, so the "
                    "engine was ended. Ask the operator to set model.chat_template to another one.",
                    "model", "chat_template_failed");
}

std::unique_ptr<Stage> make_engine_stage() { return std::make_unique<EngineStage>(); }

}  // namespace candor::gateway
