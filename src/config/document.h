// A TOML document as typed values with their lines, for data files of other modules (detector
// packs): they check names and kinds, this module owns toml++.
//
// kInvalidArgument names file and line, never more of the text than a key. The file is read as if
// hostile: at most 4 MiB, at most 16 levels deep.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace candor::config {

struct TomlValue;
struct TomlMember;
using TomlArray = std::vector<TomlValue>;
using TomlTable = std::vector<TomlMember>;  // names differ; sorted by name

struct TomlValue {
  // std::monostate: a kind that no data file of ours uses (a date, a fraction).
  std::variant<std::monostate, std::string, std::int64_t, bool, TomlArray, TomlTable> value;
  std::uint32_t line = 0;

  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value); }
  [[nodiscard]] const bool* flag() const { return std::get_if<bool>(&value); }
  [[nodiscard]] const TomlArray* array() const { return std::get_if<TomlArray>(&value); }
  [[nodiscard]] const TomlTable* table() const { return std::get_if<TomlTable>(&value); }
};

struct TomlMember {
  std::string name;
  TomlValue value;
};

[[nodiscard]] Result<TomlTable> parse_toml(std::string_view toml, const std::string& file_name);

}  // namespace candor::config
