// The table of all configuration keys. A key that is not here does not exist; the reference in
// docs/configuration.md is made from here and a test holds the two together.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace candor::config {

enum class Kind : std::uint8_t {
  kText,      // any text; further rules in Key::description
  kPath,      // relative: to the configuration file's folder (sockets: to data_dir)
  kSize,      // bytes: an integer, or "512KiB", "4GiB", "1GB"
  kDuration,  // "250ms", "30s", "5m", "2h", "7d"; no plain numbers
  kInteger,
  kFlag,      // true or false
  kChoice,    // one of Key::words
  kTexts,     // a list of texts; in environment and flags separated by commas
  kIntegers,  // a list of integers, likewise
};

enum class Effect : std::uint8_t {
  kReload,   // SIGHUP or `candor reload` puts it in force
  kRestart,  // takes a restart; a reload keeps the old value and says so
};

struct Key {
  std::string_view name = {};  // "limits.max_tokens"; for a model's keys "model.context"
  Kind kind = Kind::kText;
  std::string_view fallback = {};  // the default as text; for lists separated by commas
  std::int64_t min = 0;            // kSize and kInteger, kDuration in milliseconds
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view words = {};  // kChoice: "idle|batch|other"; else a word beside the kind's values
  Effect effect = Effect::kRestart;
  std::string_view description = {};  // one sentence or two
};

[[nodiscard]] std::span<const Key> keys();           // scalars, by section
[[nodiscard]] std::span<const Key> model_keys();     // of each [[model]]
[[nodiscard]] std::span<const Key> budget_keys();    // of each [[budget]]
[[nodiscard]] std::span<const Key> priority_keys();  // of each [[priority]]
[[nodiscard]] const Key* find_key(std::string_view name);
// "limits.max_tokens" to "CANDOR_LIMITS_MAX_TOKENS".
[[nodiscard]] std::string environment_name(std::string_view key);

// The texts of kSize and kDuration. Bounds are the caller's.
[[nodiscard]] Result<std::int64_t> parse_size(std::string_view text);
[[nodiscard]] Result<std::int64_t> parse_duration_ms(std::string_view text);
// The largest unit that loses nothing: "4GiB", "1500ms".
[[nodiscard]] std::string format_size(std::int64_t bytes);
[[nodiscard]] std::string format_duration(std::int64_t milliseconds);

}  // namespace candor::config
