// Reads the tool calls of an answer that a grammar held to forced_calls_schema(): text becomes
// calls as it comes, however it is cut. Hostile input: what is not of that form, and a name that is
// none of the request's tools, is an error. Internal to EngineReader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/exchange.h"

namespace candor::dialect {

class ForcedCallReader {
 public:
  // names: of the tools that may be called; list: several calls may come.
  ForcedCallReader(std::vector<std::string> names, bool list)
      : names_(std::move(names)), list_(list) {}

  // False: not of the form. Appends a delta with the name when a call begins, then its arguments.
  [[nodiscard]] bool feed(std::uint32_t choice, std::string_view text,
                          std::vector<AnswerEvent>& out);
  [[nodiscard]] bool complete() const noexcept { return state_ == State::kEnd; }

 private:
  enum class State : std::uint8_t {
    kBegin,      // [ or {
    kCall,       // {
    kFrame,      // "name": or ,"arguments": - the rest of expected_
    kName,       // within the name's quotes
    kArguments,  // from { to its }, depth_ 0 before it
    kCallEnd,    // }
    kNext,       // , or ]
    kEnd,
  };
  void expect(std::string_view text, State then);
  [[nodiscard]] bool frame(char c);
  void argument(char c);

  std::vector<std::string> names_;
  bool list_;
  State state_ = State::kBegin;
  std::string_view expected_;  // literals, white space may stand between its tokens
  bool in_token_ = false;      // within a quoted token of expected_
  State then_ = State::kBegin;
  std::string name_;
  std::uint32_t calls_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace candor::dialect
