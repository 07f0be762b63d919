#include "policy/internal/table_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::policy {

void TableReader::report(std::uint32_t line, std::string message, std::string suggestion) {
  Finding finding;
  finding.kind = "file";
  finding.file = file_;
  finding.line = line;
  finding.rule = rule;
  finding.message = std::move(message);
  finding.suggestion = std::move(suggestion);
  findings_.push_back(std::move(finding));
}

std::optional<config::TomlTable> read_table(std::string_view toml, const std::string& file,
                                            std::vector<Finding>& findings) {
  auto parsed = config::parse_toml(toml, file);
  if (parsed) return *std::move(parsed);
  Finding finding;
  finding.kind = "file";
  finding.message = parsed.error().message();
  findings.push_back(std::move(finding));
  return std::nullopt;
}

void TableReader::expect_format() {
  const config::TomlValue* format = take("format");
  if (format == nullptr || format->integer() == nullptr || *format->integer() != 1) {
    report(format == nullptr ? 1 : format->line, "format = 1 is needed");
  }
}

const config::TomlArray* TableReader::tables(const config::TomlValue& value,
                                             const std::string& otherwise) {
  const config::TomlArray* list = value.array();
  const bool good = list != nullptr && std::ranges::all_of(*list, [](const config::TomlValue& one) {
                      return one.table() != nullptr;
                    });
  if (!good) report(value.line, otherwise);
  return good ? list : nullptr;
}

const config::TomlValue* TableReader::take(std::string_view key) {
  known_.push_back(key);
  const auto found = std::ranges::find(table_, key, &config::TomlMember::name);
  return found == table_.end() ? nullptr : &found->value;
}

Placed TableReader::text(std::string_view key, bool needed) {
  const config::TomlValue* value = take(key);
  if (value == nullptr) {
    if (needed) report(line_, fmt::format("{} is missing", key));
    return {};
  }
  const std::string* text = value->text();
  if (text == nullptr || (needed && text->empty())) {
    report(value->line, fmt::format("{} is a text in quotes", key));
    return {};
  }
  return {*text, value->line};
}

std::vector<std::string> TableReader::texts(std::string_view key) {
  const config::TomlValue* value = take(key);
  if (value == nullptr) return {};
  if (const std::string* one = value->text()) return {*one};
  std::vector<std::string> out;
  if (const config::TomlArray* items = value->array()) {
    for (const config::TomlValue& item : *items) {
      if (const std::string* text = item.text()) out.push_back(*text);
    }
    if (out.size() == items->size()) return out;
  }
  report(value->line, fmt::format("{} is a list of texts, such as [\"a\", \"b\"]", key));
  return {};
}

Message TableReader::message(std::string_view key, bool needed) {
  const config::TomlValue* value = take(key);
  if (value == nullptr) {
    if (needed) report(line_, fmt::format("{} is missing: people are told why", key));
    return {};
  }
  if (const std::string* one = value->text()) return {*one, *one};
  if (const config::TomlTable* table = value->table()) {
    TableReader inner(*table, value->line, file_, findings_);
    inner.rule = rule;
    Message out{inner.text("en", true).text, inner.text("de", true).text};
    inner.finish();
    return out;
  }
  report(value->line, fmt::format("{} is a text, or {{ en = \"...\", de = \"...\" }}", key));
  return {};
}

void TableReader::finish() {
  for (const auto& [name, value] : table_) {
    if (std::ranges::find(known_, name) != known_.end()) continue;
    report(value.line, fmt::format("unknown key {}", strip_controls(name)),
           std::string(nearest_name(name, known_)));
  }
}

std::uint32_t first_line(std::string_view toml, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line; ++i) {
    const std::size_t end = toml.find('\n');
    if (end == std::string_view::npos) return line;
    toml.remove_prefix(end + 1);
  }
  std::string_view text = toml.substr(0, toml.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text.ends_with("'''") || text.ends_with("\"\"\"") ? line + 1 : line;
}

}  // namespace candor::policy
