#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "config/internal/collected.h"

namespace candor::config {
namespace {

// Variables that mean something to programs of this project without being configuration.
constexpr std::string_view kOtherVariables[] = {"CANDOR_CONFIG",       "CANDOR_API_KEY",
                                                "CANDOR_URL",          "CANDOR_DATA",
                                                "CANDOR_LLAMA_SERVER", "CANDOR_LLAMA_SOURCE"};

void set(const Key& key, std::string_view text, Origin origin, std::string where, Collected& into) {
  auto value = parse_value(key, text);
  if (!value) {
    into.problems.push_back(fmt::format("{}: {} {}", where, key.name, value.error().message()));
    return;
  }
  const auto index = static_cast<std::size_t>(&key - keys().data());
  into.values[index] = Slot{*std::move(value), origin, std::move(where)};
}

std::string name_from_file(std::string_view file) {
  std::string name = file.starts_with(kStorePrefix) ? std::string(file.substr(kStorePrefix.size()))
                                                    : Path(file).stem().string();
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    if (!allowed) c = '-';
  }
  return name;
}

// "NAME=FILE" or "FILE".
void add_model(std::string_view text, Origin origin, std::string where, Collected& into) {
  const std::size_t equals = text.find('=');
  const std::string_view file = equals == std::string_view::npos ? text : text.substr(equals + 1);
  const std::string name =
      equals == std::string_view::npos ? name_from_file(file) : std::string(text.substr(0, equals));
  if (name.empty() || file.empty() || !check_text(text)) {
    into.problems.push_back(fmt::format("{}: a model is written FILE or NAME=FILE", where));
    return;
  }
  Collected::TableSlots* target = nullptr;
  for (auto& model : into.models) {
    if (std::get<std::string>(model.values[0].value) == name) target = &model;
  }
  if (target == nullptr) {
    into.models.push_back({default_slots(model_keys()), where});
    target = &into.models.back();
    target->values[0] = Slot{name, origin, where};
  }
  target->where = where;
  target->values[1] = Slot{std::string(file), origin, std::move(where)};
}

}  // namespace

std::string shown(std::string_view name) {
  std::string text = strip_controls(name.substr(0, 64));
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string unknown_key(std::string_view name, std::span<const Key> table) {
  std::vector<std::string_view> names;
  for (const Key& key : table) names.push_back(key.name);
  std::string_view nearest = nearest_name(name, names);
  if (nearest.empty()) {  // the right name in the wrong section, or without one
    const std::string_view last = name.substr(name.rfind('.') + 1);
    for (const std::string_view candidate : names) {
      if (candidate.substr(candidate.rfind('.') + 1) == last) nearest = candidate;
    }
  }
  return nearest.empty()
             ? fmt::format("unknown key '{}'", shown(name))
             : fmt::format("unknown key '{}'; did you mean '{}'?", shown(name), nearest);
}

std::vector<Slot> default_slots(std::span<const Key> table) {
  std::vector<Slot> slots;
  for (const Key& key : table) {
    auto value = parse_value(key, key.fallback);
    CANDOR_CHECK(value.has_value());  // the table is ours
    slots.push_back({*std::move(value), Origin::kDefault, "default"});
  }
  return slots;
}

Collected collect_defaults() {
  Collected collected;
  collected.values = default_slots(keys());
  return collected;
}

void collect_environment(const std::vector<NameValue>& environment, Collected& into) {
  std::vector<std::string> names;
  for (const Key& key : keys()) names.push_back(environment_name(key.name));
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("CANDOR_")) continue;
    if (name == "CANDOR_MODEL") {
      add_model(value, Origin::kEnvironment, name, into);
      continue;
    }
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) {
      set(keys()[static_cast<std::size_t>(found - names.begin())], value, Origin::kEnvironment,
          name, into);
    } else if (std::ranges::find(kOtherVariables, name) == std::end(kOtherVariables)) {
      // Not an error: the environment is not ours alone.
      if (const auto nearest = nearest_name(name, known); !nearest.empty()) {
        into.warnings.push_back(fmt::format(
            "the environment variable {} means nothing; did you mean {}?", shown(name), nearest));
      }
    }
  }
}

void collect_flags(const std::vector<NameValue>& flags, Collected& into) {
  for (const auto& [name, value] : flags) {
    if (name == "model") {
      add_model(value, Origin::kFlag, "--model", into);
      continue;
    }
    const Key* key = find_key(name);
    if (key == nullptr || name.starts_with("model.")) {
      into.problems.push_back(fmt::format("command line: {}", unknown_key(name, keys())));
      continue;
    }
    set(*key, value, Origin::kFlag, "command line", into);
  }
}

}  // namespace candor::config
