#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include "config/document.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/text.h"
#include "config/internal/collected.h"
#include "config/internal/foreign_letter.h"

namespace candor::config {
namespace {

constexpr std::size_t kMaxBytes = 4U << 20U;
constexpr int kMaxDepth = 16;

Result<TomlValue> copy(const toml::node& node, int depth, const std::string& file) {
  TomlValue out;
  out.line = node.source().begin.line;
  if (depth > kMaxDepth) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}:{}: nested more than {} deep", file, out.line, kMaxDepth));
  }
  if (const auto* text = node.as_string()) {
    out.value = text->get();
  } else if (const auto* number = node.as_integer()) {
    out.value = number->get();
  } else if (const auto* flag = node.as_boolean()) {
    out.value = flag->get();
  } else if (const auto* list = node.as_array()) {
    TomlArray items;
    for (const toml::node& item : *list) items.push_back(TRY(copy(item, depth + 1, file)));
    out.value = std::move(items);
  } else if (const auto* table = node.as_table()) {
    TomlTable members;
    for (const auto& [name, member] : *table) {
      members.push_back({std::string(name.str()), TRY(copy(member, depth + 1, file))});
    }
    out.value = std::move(members);
  }
  return out;
}

}  // namespace

Result<TomlTable> parse_toml(std::string_view toml, const std::string& file_name) {
  if (toml.size() > kMaxBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: more than {} bytes", file_name, kMaxBytes));
  }
  // A byte order mark is not a letter; toml++ skips it.
  const std::string_view body = toml.starts_with("\xEF\xBB\xBF") ? toml.substr(3) : toml;
  if (const auto line = line_of_foreign_letter(body); line != 0) {
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "{}:{}: a text in quotes is not closed, or a character outside quotes is not ASCII",
            file_name, line));
  }
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}:{}: {}", file_name, parsed.error().source().begin.line,
                            shown(parsed.error().description())));
  }
  TomlValue root = TRY(copy(parsed.table(), 0, file_name));
  return std::get<TomlTable>(std::move(root.value));
}

}  // namespace candor::config
