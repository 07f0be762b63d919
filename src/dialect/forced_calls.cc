#include "dialect/internal/forced_calls.h"

#include <algorithm>

#include "dialect/schema.h"

namespace candor::dialect {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

void ForcedCallReader::expect(std::string_view text, State then) {
  state_ = State::kFrame;
  expected_ = text;
  in_token_ = false;
  then_ = then;
}

// One character of the fixed parts between the values.
bool ForcedCallReader::frame(char c) {
  if (!in_token_ && is_space(c)) return true;
  if (c != expected_.front()) return false;
  if (c == '"') in_token_ = !in_token_;
  expected_.remove_prefix(1);
  if (expected_.empty()) state_ = then_;
  return true;
}

// One character of the arguments: which brackets match is the grammar's affair; here only where
// they end.
void ForcedCallReader::argument(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return;
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    --depth_;
  }
}

bool ForcedCallReader::feed(std::uint32_t choice, std::string_view text,
                            std::vector<AnswerEvent>& out) {
  std::size_t begin = 0;  // of arguments that are not handed out yet
  const auto hand_out = [&](std::size_t end) {
    if (end == begin) return;
    out.emplace_back(
        ToolCallDelta{choice, calls_ - 1, {}, Text(std::string(text.substr(begin, end - begin)))});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (state_) {
      case State::kBegin:
      case State::kCall:
        if (is_space(c)) break;
        if (c == '[' && list_ && state_ == State::kBegin) {
          state_ = State::kCall;
          break;
        }
        if (c != '{' || (list_ && state_ == State::kBegin) || calls_ == kMaxForcedCalls) {
          return false;
        }
        name_.clear();
        expect("\"name\":\"", State::kName);
        break;
      case State::kFrame:
        if (!frame(c)) return false;
        break;
      case State::kName:
        if (c != '"') {
          if (name_.size() >= 256) return false;
          name_ += c;
          break;
        }
        if (std::ranges::find(names_, name_) == names_.end()) return false;
        out.emplace_back(ToolCallDelta{choice, calls_++, Text(name_), {}});
        expect(",\"arguments\":", State::kArguments);
        depth_ = 0;
        in_string_ = escaped_ = false;
        break;
      case State::kArguments:
        if (depth_ == 0) {
          if (is_space(c)) break;
          if (c != '{') return false;
          begin = i;
        }
        argument(c);
        if (depth_ > 0) break;
        hand_out(i + 1);
        state_ = State::kCallEnd;
        break;
      case State::kCallEnd:
        if (is_space(c)) break;
        if (c != '}') return false;
        state_ = list_ ? State::kNext : State::kEnd;
        break;
      case State::kNext:
        if (is_space(c)) break;
        if (c != ',' && c != ']') return false;
        state_ = c == ',' ? State::kCall : State::kEnd;
        break;
      case State::kEnd:
        if (!is_space(c)) return false;
        break;
    }
  }
  if (state_ == State::kArguments && depth_ > 0) hand_out(text.size());
  return true;
}

}  // namespace candor::dialect
