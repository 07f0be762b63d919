// candor.toml by toml++; data files of other modules: document.cc.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <algorithm>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/text.h"
#include "config/internal/collected.h"
#include "config/internal/foreign_letter.h"

namespace candor::config {
namespace {

class Reader {
 public:
  Reader(const std::string& file_name, Collected& into) : file_(file_name), into_(into) {}

  void read(const toml::table& root) {
    for (const auto& [name, node] : root) {
      if (name.str() == "model") {
        read_tables("model", model_keys(), node, into_.models);
      } else if (name.str() == "budget") {
        read_tables("budget", budget_keys(), node, into_.budgets);
      } else if (name.str() == "priority") {
        read_tables("priority", priority_keys(), node, into_.priorities);
      } else if (const toml::table* section = node.as_table()) {
        for (const auto& [inner, value] : *section) {
          set(fmt::format("{}.{}", name.str(), inner.str()), value);
        }
      } else {
        set(std::string(name.str()), node);
      }
    }
  }

  void problem(const toml::source_region& place, std::string_view what) {
    into_.problems.push_back(fmt::format("{}: {}", at(place), what));
  }

 private:
  [[nodiscard]] std::string at(const toml::source_region& place) const {
    return fmt::format("{}:{}", file_, place.begin.line);
  }

  static Result<Typed> typed(const Key& key, const toml::node& node) {
    if (const auto* text = node.as_string()) return check_value(key, std::string(text->get()));
    if (const auto* number = node.as_integer()) return check_value(key, number->get());
    if (const auto* flag = node.as_boolean()) return check_value(key, flag->get());
    if (const auto* list = node.as_array()) {
      std::vector<std::string> texts;
      std::vector<std::int64_t> numbers;
      for (const toml::node& item : *list) {
        if (const auto* text = item.as_string()) texts.push_back(text->get());
        if (const auto* number = item.as_integer()) numbers.push_back(number->get());
      }
      if (texts.size() == list->size()) return check_value(key, std::move(texts));
      if (numbers.size() == list->size()) return check_value(key, std::move(numbers));
    }
    // A table, a date, a fraction, a mixed list: no kind takes it, so a list of the other type
    // makes the message.
    if (key.kind == Kind::kTexts) return check_value(key, std::vector<std::int64_t>{1});
    return check_value(key, std::vector<std::string>{"?"});
  }

  void set(const std::string& name, const toml::node& node) {
    const auto table = keys();
    const auto key = std::ranges::find(table, name, &Key::name);
    if (key == table.end()) {
      unknown(name, table, node);
      return;
    }
    auto value = typed(*key, node);
    if (!value) {
      problem(node.source(), fmt::format("{} {}", name, value.error().message()));
      return;
    }
    into_.values[static_cast<std::size_t>(key - table.begin())] =
        Slot{*std::move(value), Origin::kFile, at(node.source())};
  }

  void unknown(const std::string& name, std::span<const Key> table, const toml::node& node) {
    problem(node.source(), unknown_key(name, table));
  }

  void read_tables(std::string_view kind, std::span<const Key> table, const toml::node& node,
                   std::vector<Collected::TableSlots>& into) {
    const toml::array* tables = node.as_array();
    if (tables == nullptr ||
        !std::ranges::all_of(*tables, [](const toml::node& one) { return one.is_table(); })) {
      problem(node.source(),
              fmt::format("{} tables are written [[{}]], with two brackets", kind, kind));
      return;
    }
    for (const toml::node& entry : *tables) {
      Collected::TableSlots slots{default_slots(table), at(entry.source())};
      for (const auto& [name, value_node] : *entry.as_table()) {
        const std::string full = fmt::format("{}.{}", kind, name.str());
        const auto key = std::ranges::find(table, full, &Key::name);
        if (key == table.end()) {
          unknown(full, table, value_node);
          continue;
        }
        auto value = typed(*key, value_node);
        if (!value) {
          problem(value_node.source(), fmt::format("{} {}", full, value.error().message()));
          continue;
        }
        slots.values[static_cast<std::size_t>(key - table.begin())] =
            Slot{*std::move(value), Origin::kFile, at(value_node.source())};
      }
      into.push_back(std::move(slots));
    }
  }

  const std::string& file_;
  Collected& into_;
};

}  // namespace

void collect_toml(std::string_view toml, const std::string& file_name, Collected& into) {
  Reader reader(file_name, into);
  // A byte order mark is not a letter; toml++ skips it.
  const std::string_view body = toml.starts_with("\xEF\xBB\xBF") ? toml.substr(3) : toml;
  if (const auto line = line_of_foreign_letter(body); line != 0) {
    into.problems.push_back(fmt::format(
        "{}:{}: a text in quotes is not closed, or a character outside quotes is not ASCII",
        file_name, line));
    return;
  }
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    reader.problem(parsed.error().source(), shown(parsed.error().description()));
    return;
  }
  reader.read(parsed.table());
}

}  // namespace candor::config
