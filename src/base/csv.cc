#include "base/csv.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace candor {
namespace {

// The records of a text, one by one.
class Records {
 public:
  Records(std::string_view text, char separator) : text_(text), separator_(separator) {}

  [[nodiscard]] std::size_t line() const { return line_; }
  // False: there is none left. Fails where a quote does not close.
  [[nodiscard]] Result<bool> next(std::vector<std::string>& record) {
    record.clear();
    if (at_ >= text_.size()) return false;
    line_ = ahead_;
    std::string field;
    bool in_quotes = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      const char behind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\n';
      if (c == '\n') ++ahead_;
      if (in_quotes) {
        if (c != '"') {
          field += c;
        } else if (behind == '"') {
          field += c;
          ++at_;
        } else {
          in_quotes = false;
        }
      } else if (c == '"' && field.empty()) {
        in_quotes = true;
      } else if (c == separator_) {
        record.push_back(std::move(field));
        field.clear();
      } else if (c == '\n') {
        break;
      } else if (c != '\r' || behind != '\n') {
        field += c;
      }
    }
    ++at_;
    if (in_quotes) {
      return fail(Code::kInvalidArgument, fmt::format("line {}: a quote does not close", line_));
    }
    record.push_back(std::move(field));
    return true;
  }

 private:
  std::string_view text_;
  char separator_;
  std::size_t at_ = 0, line_ = 1, ahead_ = 1;
};

}  // namespace

Result<std::vector<std::string>> csv_column(std::string_view text, std::string_view column,
                                            char separator) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Records records(text, separator);
  std::vector<std::string> record;
  (void)TRY(records.next(record));
  const auto found = std::ranges::find(record, column);
  if (found == record.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("there is no column '{}'; there are: {}", column,
                            strip_controls(fmt::format("{}", fmt::join(record, ", ")))));
  }
  const auto wanted = static_cast<std::size_t>(found - record.begin());
  std::vector<std::string> out;
  while (TRY(records.next(record))) {
    if (record.size() == 1 && record[0].empty()) continue;  // an empty line
    if (record.size() <= wanted) {
      return fail(Code::kInvalidArgument, fmt::format("line {}: the record ends before column '{}'",
                                                      records.line(), column));
    }
    out.push_back(std::move(record[wanted]));
  }
  return out;
}

}  // namespace candor
