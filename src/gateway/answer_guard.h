// Reads every text of an answer as it streams, asks the policy about what is found, and hands on
// what may go out (P4, C5, C6, L5). One for each answer; not thread-safe.
//
// The texts of a choice (content, reasoning, refusal, the arguments of each call) are read apart.
// When the answer turns from one to another, the first is read as if it ended there; if it goes on
// later, what was released of it is context. Content that follows reasoning is read as its
// continuation, too (L3).
// Tokens with their probabilities and alternatives go out with the text that they stand for, and
// not at all where any of it was replaced; alternatives are read by themselves, too.
// What the request's pseudonyms stand for is told again in prose to whoever sent it (L1), never in
// names, arguments or an answer with log probabilities.
// A rule that denies ends the whole answer: the explanation follows what was released, as content,
// and every choice that is not finished is finished as filtered.
// What was masked or replaced is told at the end of a text that people read; not in JSON, beside
// calls or log probabilities, which programs read.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialect/exchange.h"
#include "dlp/stream_guard.h"
#include "gateway/governance.h"
#include "gateway/pipeline.h"

namespace candor::gateway {

class AnswerGuard {
 public:
  struct Form {
    std::size_t choices = 1;
    bool json = false;         // the content is JSON, which a stand-in must not break
    bool whole_calls = false;  // a call is one event, and stays one
    bool logprobs = false;     // tokens come beside the text, and must agree with it
    bool chat = false;         // people read it: its text says at the end what was replaced (C14)
  };
  AnswerGuard(Governance& governance, Form form);
  AnswerGuard(AnswerGuard&&) = delete;
  ~AnswerGuard();

  // Replaces the events by what may go out now. False: a rule has ended the answer, and these are
  // the last of it.
  [[nodiscard]] bool pass(Events& events);
  // The engine has ended: the rest.
  [[nodiscard]] bool finish(Events& events);

 private:
  enum class FieldKind : std::uint8_t { kContent, kReasoning, kRefusal, kArguments };
  struct Field;
  struct Choice;
  struct Out;

  [[nodiscard]] bool begin(Rulebook::Desk& desk);
  [[nodiscard]] bool take(dialect::AnswerEvent& event, Out& out);
  [[nodiscard]] bool call(Choice& choice, dialect::ToolCallDelta& delta, Out& out);
  [[nodiscard]] bool text(Choice& choice, Field& field, std::string_view piece, Out& out);
  void withhold_alternatives(dialect::TokenLogprob& token, dlp::Scanner::Scratch& scratch) const;
  void begin_seam(Choice& choice, Field& field, Out& out);
  [[nodiscard]] bool cross_seam(Choice& choice, Field& field, std::vector<dlp::Part>& parts,
                                Out& out);
  [[nodiscard]] bool settle(Choice& choice, Field& field, Out& out);
  [[nodiscard]] bool close(Choice& choice, Out& out);
  [[nodiscard]] bool hand_on(Choice& choice, Field& field, std::vector<dlp::Part>& parts, Out& out);
  [[nodiscard]] bool turn_to(Choice& choice, Field& field, Out& out);
  [[nodiscard]] std::optional<policy::Effect> judge(const dlp::Finding& finding, const Field& field,
                                                    bool released, Rulebook::Desk& desk);
  void tell(Choice& choice, Out& out);
  void end_all(std::uint32_t at, Out& out);
  [[nodiscard]] Choice& choice(std::uint32_t index);
  [[nodiscard]] Field& field(Choice& of, FieldKind kind, std::uint32_t index,
                             std::string_view name);

  Governance& governance_;
  Form form_;
  bool began_ = false;
  std::map<std::uint32_t, Choice> choices_;
  // What the request's pseudonyms stand for; null where nothing is turned back.
  std::shared_ptr<const dlp::StandIns> stand_ins_;
};

}  // namespace candor::gateway
