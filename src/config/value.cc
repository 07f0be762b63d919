#include "config/internal/value.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::config {
namespace {

constexpr std::size_t kMaxTextBytes = 4'096;
constexpr std::size_t kMaxListItems = 1'024;

bool is_word(const Key& key, std::string_view text) {
  std::string_view words = key.words;
  while (!words.empty()) {
    const std::size_t bar = std::min(words.find('|'), words.size());
    if (words.substr(0, bar) == text) return true;
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
  return false;
}

std::string alternatives(std::string_view words) {
  std::string out;
  while (!words.empty()) {
    const std::size_t bar = std::min(words.find('|'), words.size());
    if (!out.empty()) out += bar == words.size() ? " or " : ", ";
    out.append(words.substr(0, bar));
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
  return out;
}

std::string number_text(Kind kind, std::int64_t number) {
  if (kind == Kind::kSize) return format_size(number);
  if (kind == Kind::kDuration) return format_duration(number);
  return std::to_string(number);
}

Result<std::int64_t> in_bounds(const Key& key, std::int64_t number) {
  if (number >= key.min && number <= key.max) return number;
  return fail(Code::kInvalidArgument,
              fmt::format("must be between {} and {}", number_text(key.kind, key.min),
                          number_text(key.kind, key.max)));
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Code::kInvalidArgument, "must be an integer");
  }
  return number;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

std::string_view wanted(Kind kind) {
  switch (kind) {
    case Kind::kText:
    case Kind::kPath:
    case Kind::kChoice: return "must be a text in quotes";
    case Kind::kSize: return "must be a size like \"64MiB\"";
    case Kind::kDuration: return "must be a duration with its unit, like \"30s\"";
    case Kind::kInteger: return "must be an integer";
    case Kind::kFlag: return "must be true or false";
    case Kind::kTexts: return "must be a text or a list of texts like [\"a\", \"b\"]";
    case Kind::kIntegers: return "must be a list of integers like [1, 2]";
  }
  return "has the wrong type";
}

}  // namespace

Result<void> check_text(std::string_view text) {
  if (text.size() > kMaxTextBytes) return fail(Code::kInvalidArgument, "is too long");
  if (strip_controls(text) != text || text.find('\n') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "holds a control character");
  }
  return {};
}

Result<Typed> check_value(const Key& key, Typed value) {
  const auto wrong = [&] { return fail(Code::kInvalidArgument, std::string(wanted(key.kind))); };
  switch (key.kind) {
    case Kind::kText:
    case Kind::kPath:
      if (!std::holds_alternative<std::string>(value)) return wrong();
      TRY(check_text(std::get<std::string>(value)));
      return value;
    case Kind::kChoice:
      if (!std::holds_alternative<std::string>(value)) return wrong();
      if (!is_word(key, std::get<std::string>(value))) {
        return fail(Code::kInvalidArgument, "must be " + alternatives(key.words));
      }
      return value;
    case Kind::kSize:
    case Kind::kDuration:
      if (const auto* text = std::get_if<std::string>(&value)) {
        if (!text->empty() && is_word(key, *text)) return value;
        auto number = key.kind == Kind::kSize ? parse_size(*text) : parse_duration_ms(*text);
        if (!number && !key.words.empty()) {
          return fail(Code::kInvalidArgument,
                      fmt::format("{}, or {}", number.error().message(), alternatives(key.words)));
        }
        if (!number) return std::unexpected(std::move(number).error());
        return TRY(in_bounds(key, *number));
      }
      if (key.kind == Kind::kDuration || !std::holds_alternative<std::int64_t>(value))
        return wrong();
      return TRY(in_bounds(key, std::get<std::int64_t>(value)));
    case Kind::kInteger:
      if (!std::holds_alternative<std::int64_t>(value)) return wrong();
      return TRY(in_bounds(key, std::get<std::int64_t>(value)));
    case Kind::kFlag:
      if (!std::holds_alternative<bool>(value)) return wrong();
      return value;
    case Kind::kTexts: {
      if (const auto* one = std::get_if<std::string>(&value)) value = std::vector{*one};
      // An empty TOML list has no type; it arrives as a list of texts.
      const auto* items = std::get_if<std::vector<std::string>>(&value);
      if (items == nullptr || items->size() > kMaxListItems) return wrong();
      for (const std::string& item : *items) TRY(check_text(item));
      return value;
    }
    case Kind::kIntegers: {
      if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
        if (texts->empty()) return Typed(std::vector<std::int64_t>{});
      }
      const auto* items = std::get_if<std::vector<std::int64_t>>(&value);
      if (items == nullptr || items->size() > kMaxListItems) return wrong();
      for (const std::int64_t item : *items) TRY(in_bounds(key, item));
      return value;
    }
  }
  return wrong();
}

Result<Typed> parse_value(const Key& key, std::string_view text) {
  switch (key.kind) {
    case Kind::kInteger: {
      const std::int64_t number = TRY(parse_integer(text));
      return check_value(key, number);
    }
    case Kind::kFlag:
      if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
      if (text == "false" || text == "0" || text == "no" || text == "off") return false;
      return fail(Code::kInvalidArgument, std::string(wanted(key.kind)));
    case Kind::kTexts: return check_value(key, split_list(text));
    case Kind::kIntegers: {
      std::vector<std::int64_t> numbers;
      for (const std::string& item : split_list(text)) numbers.push_back(TRY(parse_integer(item)));
      return check_value(key, std::move(numbers));
    }
    case Kind::kText:
    case Kind::kPath:
    case Kind::kSize:
    case Kind::kDuration:
    case Kind::kChoice: break;
  }
  return check_value(key, std::string(text));
}

std::string value_text(const Key& key, const Typed& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return number_text(key.kind, *number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    return fmt::format("{}", fmt::join(*texts, ", "));
  }
  return fmt::format("{}", fmt::join(std::get<std::vector<std::int64_t>>(value), ", "));
}

}  // namespace candor::config
