// The pipeline of one exchange: stages in a fixed order, and what each return value obliges the
// caller (gateway/session.cc) to do.
//
//   identity -> admission -> policy -> placement -> intent -> engine
//            -> (answer) guard -> release -> (end) outcome
//
// Stages are immutable and shared by all exchanges; what belongs to one exchange is in its Session.
// A stage that cannot do its work returns kStop: nothing fails open (P8).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "dialect/exchange.h"
#include "http/task.h"

namespace candor::gateway {

using http::Task;
namespace asio = http::asio;

class Session;

enum class Verdict : std::uint8_t {
  // Nothing to say. The caller goes on with the next stage.
  kContinue,
  // The stage has taken what it was given (the events are gone from the list) and hands it out from
  // a later call. Answers only. The caller owes: what was taken is neither released nor counted as
  // released, and on_answer_end() is called before the answer is finished, whatever happened since.
  kHold,
  // The stage has changed the request or the events in place. The caller owes: later stages, the
  // engine, the client and the record of what was forwarded or released see the changed value only.
  kReplace,
  // The exchange ends here; the stage has called Session::refuse(). The caller owes: no later stage
  // is asked, no further byte of model output is released, the engine's work is cancelled, an
  // intent that was submitted gets its outcome or abort, a refusal without an intent gets an entry,
  // and the client gets the reply in its dialect's own shape.
  kStop,
};

// Which calls a stage wants; others are never made.
enum class Phase : std::uint8_t {
  kRequest = 1,  // on_request, once, before any output exists
  kAnswer = 2,   // on_answer for each batch of events, then on_answer_end once
  kEnd = 4,      // on_end, once, after the last on_answer_end, if an intent was submitted
};
[[nodiscard]] constexpr std::uint8_t operator|(Phase a, Phase b) noexcept {
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}

using Events = std::vector<dialect::AnswerEvent>;

class Stage {
 public:
  virtual ~Stage() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual std::uint8_t phases() const noexcept = 0;
  // Never kHold: a request is whole.
  [[nodiscard]] virtual Task<Verdict> on_request(Session& session);
  // Events in the order in which the engine gave them; pieces may be cut anywhere between code
  // points, so a stage decides on the logical text of each field.
  [[nodiscard]] virtual Task<Verdict> on_answer(Session& session, Events& events);
  // The engine has ended. Appends what was held and may still go out. Never kHold.
  [[nodiscard]] virtual Task<Verdict> on_answer_end(Session& session, Events& events);
  // Never stops anything; failures are in the session.
  [[nodiscard]] virtual Task<void> on_end(Session& session);
};

class Pipeline {
 public:
  explicit Pipeline(std::vector<std::unique_ptr<Stage>> stages);
  [[nodiscard]] const std::vector<Stage*>& request() const noexcept { return request_; }
  [[nodiscard]] const std::vector<Stage*>& answer() const noexcept { return answer_; }
  [[nodiscard]] const std::vector<Stage*>& end() const noexcept { return end_; }

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<Stage*> request_, answer_, end_;
};

// The stages of this version, in order.
[[nodiscard]] Pipeline standard_pipeline();

}  // namespace candor::gateway
