// One pass: Boost.JSON's push parser feeds this handler, which builds the value and refuses a
// second occurrence of a key in the same object.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <system_error>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <fmt/format.h>

#include "json/json.h"

namespace candor::json {
namespace {

namespace bj = boost::json;
using ErrorCode = boost::system::error_code;

// Below this many keys comparing each pair is cheaper than sorting.
constexpr std::size_t kFewKeys = 8;

class Handler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1) / 2;
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  Handler() : stack_({}, values_.data(), values_.size()) { stack_.reset(); }

  Value release() { return stack_.release(); }
  // What on_* refused, if it was one of them that stopped the parser.
  [[nodiscard]] const char* refusal() const { return refusal_; }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_array_begin(ErrorCode&) { return true; }
  bool on_array_end(std::size_t n, ErrorCode&) {
    stack_.push_array(n);
    return true;
  }
  bool on_object_begin(ErrorCode&) {
    objects_.push_back(keys_.size());
    return true;
  }
  bool on_object_end(std::size_t n, ErrorCode& ec) {
    const std::size_t first = objects_.back();
    objects_.pop_back();
    if (has_duplicate(first)) return refuse("a key stands twice in one object", ec);
    if (first < keys_.size()) text_.resize(keys_[first].offset);
    keys_.resize(first);
    stack_.push_object(n);
    return true;
  }
  bool on_key_part(bj::string_view s, std::size_t, ErrorCode&) {
    stack_.push_chars(s);
    text_.append(s.data(), s.size());
    return true;
  }
  bool on_key(bj::string_view s, std::size_t n, ErrorCode&) {
    text_.append(s.data(), s.size());
    keys_.push_back({text_.size() - n, n});
    stack_.push_key(s);
    return true;
  }
  bool on_string_part(bj::string_view s, std::size_t, ErrorCode&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(bj::string_view s, std::size_t, ErrorCode&) {
    stack_.push_string(s);
    return true;
  }
  bool on_number_part(bj::string_view, ErrorCode&) { return true; }
  bool on_int64(std::int64_t value, bj::string_view, ErrorCode&) {
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, bj::string_view, ErrorCode&) {
    stack_.push_uint64(value);
    return true;
  }
  // Boost's own conversion is off by a unit in the last place for some texts. The whole text is
  // here, as the input is given to the parser in one piece.
  bool on_double(double value, bj::string_view s, ErrorCode& ec) {
    double exact = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), exact);
    if (error == std::errc{} && end == s.data() + s.size()) value = exact;
    if (!std::isfinite(value)) return refuse("a number is beyond a double's range", ec);
    stack_.push_double(value);
    return true;
  }
  bool on_bool(bool value, ErrorCode&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(ErrorCode&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(bj::string_view, ErrorCode&) { return true; }
  bool on_comment(bj::string_view, ErrorCode&) { return true; }

 private:
  struct Key {
    std::size_t offset;
    std::size_t size;
  };

  bool refuse(const char* why, ErrorCode& ec) {
    refusal_ = why;
    ec = make_error_code(boost::system::errc::invalid_argument);
    return false;
  }

  [[nodiscard]] std::string_view key(std::size_t i) const {
    return std::string_view(text_).substr(keys_[i].offset, keys_[i].size);
  }

  bool has_duplicate(std::size_t first) {
    if (keys_.size() - first <= kFewKeys) {
      for (std::size_t i = first; i < keys_.size(); ++i) {
        for (std::size_t k = first; k < i; ++k) {
          if (key(i) == key(k)) return true;
        }
      }
      return false;
    }
    sorted_.clear();
    for (std::size_t i = first; i < keys_.size(); ++i) sorted_.push_back(key(i));
    std::ranges::sort(sorted_);
    return std::ranges::adjacent_find(sorted_) != sorted_.end();
  }

  // Room for a document of the size of an engine's event, so that reading one allocates for its
  // value alone.
  alignas(Value) std::array<unsigned char, 1'024> values_;
  std::array<std::byte, 1'024> room_;
  std::pmr::monotonic_buffer_resource scratch_{room_.data(), room_.size()};
  bj::value_stack stack_;
  std::pmr::string text_{&scratch_};                  // the keys of all open objects, in a row
  std::pmr::vector<Key> keys_{&scratch_};             // where they stand in it
  std::pmr::vector<std::size_t> objects_{&scratch_};  // of each open object its first one in keys_
  std::vector<std::string_view> sorted_;              // scratch of has_duplicate
  const char* refusal_ = nullptr;
};

}  // namespace

Result<Value> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(Code::kInvalidArgument, fmt::format("JSON of {} bytes; at most {} are read",
                                                    text.size(), limits.max_bytes));
  }
  bj::parse_options options;
  options.max_depth = limits.max_depth;
  bj::basic_parser<Handler> parser(options);
  ErrorCode ec;
  const std::size_t used = parser.write_some(/*more=*/false, text.data(), text.size(), ec);
  if (ec) {
    const char* refusal = parser.handler().refusal();
    return fail(Code::kInvalidArgument,
                fmt::format("invalid JSON at offset {}: {}", used,
                            refusal != nullptr ? std::string(refusal) : ec.message()));
  }
  if (used != text.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("invalid JSON at offset {}: text after the value", used));
  }
  return parser.handler().release();
}

}  // namespace candor::json
