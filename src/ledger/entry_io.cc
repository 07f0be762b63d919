#include "ledger/internal/entry_io.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace candor::ledger::internal {
namespace {

enum CharClass : std::uint8_t { kInLabel = 1, kInToken = 2, kInHex = 4, kInDigit = 8 };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&](std::string_view chars, unsigned classes) {
    for (const char c : chars) {
      auto& entry = table[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | classes);
    }
  };
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ:/@+", kInLabel);
  add("ghijklmnopqrstuvwxyz._-", kInLabel | kInToken);
  add("abcdef", kInLabel | kInToken | kInHex);
  add("0123456789", kInLabel | kInToken | kInHex | kInDigit);
  return table;
}();

bool all_in(std::string_view text, unsigned classes) {
  return std::ranges::all_of(
      text, [&](char c) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; });
}

bool is_fraction(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  if (whole.empty() || whole.size() > 9 || !all_in(whole, kInDigit)) return false;
  if (whole.size() > 1 && whole.front() == '0') return false;
  if (point == std::string_view::npos) return true;
  const std::string_view part = text.substr(point + 1);
  return !part.empty() && part.size() <= 17 && all_in(part, kInDigit) && part.back() != '0';
}

constexpr std::string_view kBasisNames[] = {"measured", "declared"};

}  // namespace

bool matches(std::string_view text, Grammar grammar) noexcept {
  switch (grammar) {
    case Grammar::kLabelOrEmpty:
      if (text.empty()) return true;
      [[fallthrough]];
    case Grammar::kLabel: return !text.empty() && text.size() <= 128 && all_in(text, kInLabel);
    case Grammar::kTokenOrEmpty:
      if (text.empty()) return true;
      [[fallthrough]];
    case Grammar::kToken: return !text.empty() && text.size() <= 64 && all_in(text, kInToken);
    case Grammar::kPseudonymOrEmpty:
      if (text.empty()) return true;
      [[fallthrough]];
    case Grammar::kPseudonym: return text.size() == 32 && all_in(text, kInHex);
    case Grammar::kFraction: return is_fraction(text);
    case Grammar::kKey:
      return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, [](char c) {
        return c == '=' || (kClasses[static_cast<unsigned char>(c)] & kInLabel) != 0;
      });
  }
  return false;
}

// ---- EntryWriter ----

void EntryWriter::open() {
  out_ += '{';
  first_ = true;
}

void EntryWriter::close() {
  out_ += '}';
  first_ = false;
}

void EntryWriter::key(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += name;
  out_ += "\":";
  name_ = name;
}

void EntryWriter::put_quoted(std::string_view text) {
  out_ += '"';
  out_ += text;
  out_ += '"';
}

void EntryWriter::literal(std::string_view name, std::string_view value) {
  key(name);
  put_quoted(value);
}

void EntryWriter::version() {
  key("v");
  out_ += '1';
}

void EntryWriter::put_integer(std::int64_t value, bool too_large) {
  if (value < 0 || too_large) bad(name_, "is out of range");
  std::array<char, 24> text;
  const auto end = std::to_chars(text.begin(), text.end(), value).ptr;
  out_.append(text.begin(), end);
}

void EntryWriter::decimal(std::string_view name, std::uint64_t value) {
  key(name);
  std::array<char, 24> text;
  const auto end = std::to_chars(text.begin(), text.end(), value).ptr;
  put_quoted({text.begin(), end});
}

void EntryWriter::flag(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
}

void EntryWriter::text(std::string_view name, const std::string& value, Grammar grammar) {
  if (!matches(value, grammar)) bad(name, "has characters or a length that entries do not allow");
  key(name);
  put_quoted(value);
}

void EntryWriter::choice(std::string_view name, const std::string& value,
                         std::initializer_list<std::string_view> choices) {
  if (std::ranges::find(choices, value) == choices.end()) bad(name, "is none of its values");
  key(name);
  put_quoted(value);
}

void EntryWriter::basis(std::string_view name, Basis value) {
  literal(name, kBasisNames[static_cast<std::size_t>(value)]);
}

void EntryWriter::digest(std::string_view name, const Digest& value) {
  literal(name, to_base64(value));
}

void EntryWriter::id(std::string_view name, const Id128& value) { literal(name, to_hex(value)); }

void EntryWriter::digests(std::string_view name, const std::vector<Digest>& values,
                          std::size_t most) {
  if (values.size() > most) bad(name, "has too many items");
  key(name);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out_ += ',';
    put_quoted(to_base64(values[i]));
  }
  out_ += ']';
}

void EntryWriter::ids(std::string_view name, const std::vector<Id128>& values, std::size_t most) {
  if (values.size() > most) bad(name, "has too many items");
  key(name);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out_ += ',';
    put_quoted(to_hex(values[i]));
  }
  out_ += ']';
}

void EntryWriter::labels(std::string_view name, const std::vector<std::string>& values,
                         std::size_t most) {
  if (values.size() > most) bad(name, "has too many items");
  key(name);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!matches(values[i], Grammar::kLabel)) bad(name, "has an item that is no label");
    if (i != 0) out_ += ',';
    put_quoted(values[i]);
  }
  out_ += ']';
}

void EntryWriter::bad(std::string_view name, std::string_view what) {
  if (error_.empty()) error_ = "field '" + std::string(name) + "' " + std::string(what);
}

Result<void> EntryWriter::finish() const {
  if (!error_.empty()) return fail(Code::kInvalidArgument, error_);
  return {};
}

// ---- EntryReader ----

bool EntryReader::expect(char c) {
  if (failed_) return false;
  if (rest_.empty() || rest_.front() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

void EntryReader::bad(std::string_view name, std::string_view what) {
  if (failed_) return;
  failed_ = true;
  error_ = "field '" + std::string(name) + "' " + std::string(what);
}

void EntryReader::open() {
  if (!expect('{')) bad("{", "is missing");
  first_ = true;
}

void EntryReader::close() {
  if (!expect('}')) bad("}", "is missing: an unknown, doubled or misplaced key");
  first_ = false;
}

bool EntryReader::next_key_is(std::string_view name) const noexcept {
  if (failed_) return false;
  const std::size_t start = first_ ? 0 : 1;
  return rest_.size() >= start + name.size() + 3 && (first_ || rest_[0] == ',') &&
         rest_[start] == '"' && rest_.substr(start + 1, name.size()) == name &&
         rest_[start + 1 + name.size()] == '"' && rest_[start + 2 + name.size()] == ':';
}

void EntryReader::key(std::string_view name) {
  if (!next_key_is(name)) {
    bad(name, "is missing or out of order");
    return;
  }
  rest_.remove_prefix((first_ ? 0U : 1U) + name.size() + 3);
  first_ = false;
}

std::string_view EntryReader::take_quoted(std::string_view name) {
  if (expect('"')) {
    if (const void* end = std::memchr(rest_.data(), '"', rest_.size())) {
      const auto size = static_cast<std::size_t>(static_cast<const char*>(end) - rest_.data());
      const std::string_view text = rest_.substr(0, size);
      rest_.remove_prefix(size + 1);
      return text;
    }
  }
  bad(name, "must be a string");
  return {};
}

std::uint64_t EntryReader::take_integer(std::string_view name, std::uint64_t most) {
  if (failed_) return 0;
  std::size_t digits = 0;
  std::uint64_t value = 0;
  while (digits < rest_.size() && digits < 17 && rest_[digits] >= '0' && rest_[digits] <= '9') {
    value = (value * 10) + static_cast<std::uint64_t>(rest_[digits] - '0');
    ++digits;
  }
  if (digits == 0 || digits == 17 || (digits > 1 && rest_.front() == '0') || value > most) {
    bad(name, "must be an integer in its range");
    return 0;
  }
  rest_.remove_prefix(digits);
  return value;
}

void EntryReader::literal(std::string_view name, std::string_view value) {
  key(name);
  if (!failed_ && take_quoted(name) != value) bad(name, "has another value");
}

void EntryReader::version() {
  key("v");
  if (!failed_ && !(rest_.starts_with("1,") || rest_.starts_with("1}"))) {
    bad("v", "names a version that is not known here");
    return;
  }
  if (!failed_) rest_.remove_prefix(1);
}

void EntryReader::decimal(std::string_view name, std::uint64_t& value) {
  key(name);
  if (failed_) return;
  const std::string_view text = take_quoted(name);
  if (failed_) return;
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (text.empty() || text.front() == '-' || (text.size() > 1 && text.front() == '0') ||
      read.ec != std::errc() || read.ptr != end) {
    bad(name, "must be a decimal string");
  }
}

void EntryReader::flag(std::string_view name, bool& value) {
  key(name);
  if (failed_) return;
  if (rest_.starts_with("true")) {
    value = true;
    rest_.remove_prefix(4);
  } else if (rest_.starts_with("false")) {
    value = false;
    rest_.remove_prefix(5);
  } else {
    bad(name, "must be true or false");
  }
}

void EntryReader::text(std::string_view name, std::string& value, Grammar grammar) {
  key(name);
  if (failed_) return;
  const std::string_view text = take_quoted(name);
  if (failed_) return;
  if (!matches(text, grammar)) {
    bad(name, "has characters or a length that entries do not allow");
    return;
  }
  value = text;
}

void EntryReader::choice(std::string_view name, std::string& value,
                         std::initializer_list<std::string_view> choices) {
  key(name);
  if (failed_) return;
  const std::string_view text = take_quoted(name);
  if (failed_) return;
  if (std::ranges::find(choices, text) == choices.end()) {
    bad(name, "is none of its values");
    return;
  }
  value = text;
}

void EntryReader::basis(std::string_view name, Basis& value) {
  key(name);
  if (failed_) return;
  const std::string_view text = take_quoted(name);
  if (text == kBasisNames[0]) {
    value = Basis::kMeasured;
  } else if (text == kBasisNames[1]) {
    value = Basis::kDeclared;
  } else {
    bad(name, "must be measured or declared");
  }
}

namespace {

bool take_digest(std::string_view text, Digest& value) {
  if (text.size() != 44) return false;
  const auto read = digest_from_base64(text);
  if (!read) return false;
  value = *read;
  return true;
}

bool take_id(std::string_view text, Id128& value) {
  if (text.size() != 2 * value.size()) return false;
  const auto nibble = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
    return 16;
  };
  for (std::size_t i = 0; i < value.size(); ++i) {
    const unsigned high = nibble(text[2 * i]);
    const unsigned low = nibble(text[(2 * i) + 1]);
    if (high > 15 || low > 15) return false;
    value[i] = static_cast<std::byte>((high << 4U) | low);
  }
  return true;
}

}  // namespace

void EntryReader::digest(std::string_view name, Digest& value) {
  key(name);
  if (failed_) return;
  if (!take_digest(take_quoted(name), value)) bad(name, "must be a digest in base64");
}

void EntryReader::id(std::string_view name, Id128& value) {
  key(name);
  if (failed_) return;
  if (!take_id(take_quoted(name), value)) bad(name, "must be 32 hex digits");
}

void EntryReader::digests(std::string_view name, std::vector<Digest>& values, std::size_t most) {
  array(name, most, [&] { return take_digest(take_quoted(name), values.emplace_back()); });
}

void EntryReader::ids(std::string_view name, std::vector<Id128>& values, std::size_t most) {
  array(name, most, [&] { return take_id(take_quoted(name), values.emplace_back()); });
}

void EntryReader::labels(std::string_view name, std::vector<std::string>& values,
                         std::size_t most) {
  array(name, most, [&] {
    const std::string& value = values.emplace_back(take_quoted(name));
    return matches(value, Grammar::kLabel);
  });
}

Result<void> EntryReader::finish() const {
  if (failed_) return fail(Code::kInvalidArgument, "not a canonical entry: " + error_);
  if (!rest_.empty()) return fail(Code::kInvalidArgument, "not a canonical entry: more follows it");
  return {};
}

std::string_view find_type(std::string_view text) noexcept {
  constexpr std::string_view kKey = "\"type\":\"";
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth-- <= 1) return {};
    } else if (c == '"') {
      if (depth == 1 && text.substr(i).starts_with(kKey)) {
        const std::size_t start = i + kKey.size();
        const std::size_t end = text.find('"', start);
        return end == std::string_view::npos ? std::string_view() : text.substr(start, end - start);
      }
      const std::size_t end = text.find('"', i + 1);
      if (end == std::string_view::npos) return {};
      i = end;
    }
  }
  return {};
}

}  // namespace candor::ledger::internal
