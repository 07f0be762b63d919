// What the sources said, checked value by value, before it becomes a Config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/internal/value.h"

namespace candor::config {

struct Slot {
  Typed value;
  Origin origin = Origin::kDefault;
  std::string where = "default";
};

struct Collected {
  std::vector<Slot> values;  // as keys()
  struct TableSlots {
    std::vector<Slot> values;  // as the table's keys
    std::string where;
  };
  std::vector<TableSlots> models, budgets, priorities;
  std::vector<std::string> problems;  // whole sentences with their place
  std::vector<std::string> warnings;
};

// Starts with every default.
[[nodiscard]] Collected collect_defaults();
[[nodiscard]] std::vector<Slot> default_slots(std::span<const Key> table);
// A name from a file or the environment as it may stand in a message.
[[nodiscard]] std::string shown(std::string_view name);
// "unknown key 'limits.max_token'; did you mean 'limits.max_tokens'?"
[[nodiscard]] std::string unknown_key(std::string_view name, std::span<const Key> table);

void collect_toml(std::string_view toml, const std::string& file_name, Collected& into);
void collect_environment(const std::vector<NameValue>& environment, Collected& into);
void collect_flags(const std::vector<NameValue>& flags, Collected& into);

// Typed members and the rules that need more than one value. Adds to problems.
[[nodiscard]] Config build(Collected& collected, const Path& file, const Sources& sources);

// Whether `flags` of a model hold only what an engine may be given.
[[nodiscard]] Result<void> check_engine_flags(const std::vector<std::string>& flags);

}  // namespace candor::config
