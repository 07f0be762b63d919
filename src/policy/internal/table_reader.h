// Takes values out of a TOML table by name and kind, and reports what is wrong with each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "policy/rule.h"

namespace candor::policy {

class TableReader {
 public:
  TableReader(const config::TomlTable& table, std::uint32_t line, std::string file,
              std::vector<Finding>& findings)
      : table_(table), line_(line), file_(std::move(file)), findings_(findings) {}

  // The value, or nullptr if it is absent. Remembers that the key is known.
  [[nodiscard]] const config::TomlValue* take(std::string_view key);
  // The text; empty and reported if it is of another kind, or absent although needed.
  [[nodiscard]] Placed text(std::string_view key, bool needed);
  // A list of texts, or one text.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  // A text for both languages, or a table {en, de}.
  [[nodiscard]] Message message(std::string_view key, bool needed);
  // Reports if the file does not say format = 1.
  void expect_format();
  // The tables written [[key]], or nullptr and reported if the value is not a list of them.
  [[nodiscard]] const config::TomlArray* tables(const config::TomlValue& value,
                                                const std::string& otherwise);
  // Reports every key that was never taken, with the nearest that was.
  void finish();

  void report(std::uint32_t line, std::string message, std::string suggestion = {});
  std::string rule;  // named in what is reported from now on

 private:
  const config::TomlTable& table_;
  std::uint32_t line_;
  std::string file_;
  std::vector<Finding>& findings_;
  std::vector<std::string_view> known_;
};

// A file's table, or nothing and what is wrong with it.
[[nodiscard]] std::optional<config::TomlTable> read_table(std::string_view toml,
                                                          const std::string& file,
                                                          std::vector<Finding>& findings);

// Where the characters of a text begin whose value stands on this line: one further down if only
// opening quotes end the line, since TOML drops that line break.
[[nodiscard]] std::uint32_t first_line(std::string_view toml, std::uint32_t line);

}  // namespace candor::policy
