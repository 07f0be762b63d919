// A file of rules as values (docs/formats/policy.md), before anything is compiled.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/effect.h"

namespace candor::policy {

enum class Language : std::uint8_t { kEnglish, kGerman };

struct Message {  // for people
  std::string english, german;
  [[nodiscard]] const std::string& in(Language language) const {
    return language == Language::kGerman ? german : english;
  }
  bool operator==(const Message&) const = default;
};

// A text of a rule file, and where it stands.
struct Placed {
  std::string text;
  std::uint32_t line = 0;  // of its first character
};

// Whether somebody can be excepted from a rule for a time (docs/governance.md).
enum class BreakGlass : std::uint8_t { kApproved, kAlone, kNever };

[[nodiscard]] std::string_view to_string(BreakGlass who) noexcept;
[[nodiscard]] std::optional<BreakGlass> break_glass_from(std::string_view text) noexcept;

struct Rule {
  std::string id;
  Effect effect = Effect::kAllow;
  BreakGlass break_glass = BreakGlass::kApproved;  // by default a second person approves
  Placed when;                                     // empty: always
  Placed select;                                   // which findings; empty: all
  std::string to;                                  // the model of `route`
  Message message, instead;
  std::vector<std::string> references;
  std::uint32_t line = 0;
};

// Whether an exception from it counts only once a second person has approved it.
[[nodiscard]] inline bool needs_approval(const Rule& rule) noexcept {
  return rule.break_glass != BreakGlass::kAlone || rule.effect == Effect::kRequireApproval;
}

struct RuleFile {
  std::string name;                   // `policy`
  std::string origin;                 // the file, for messages
  std::string jurisdiction;           // its rules count only where this applies; empty: everywhere
  Effect otherwise = Effect::kAllow;  // `default`: kAllow, or kDeny unless an allow rule fires
  std::vector<Rule> rules;
};

// The rule of that id, or null.
[[nodiscard]] const Rule* find_rule(std::span<const RuleFile> files, std::string_view id) noexcept;

// Something wrong with rules, with its place.
struct Finding {
  enum class Severity : std::uint8_t {
    kError,    // the files cannot be used
    kWarning,  // they can, but a rule cannot do what it says
  };
  Severity severity = Severity::kError;
  std::string kind;  // "type", "unknown_name", "constant", "duplicate", "unreachable", "file" ...
  std::string file;
  std::uint32_t line = 0;    // 0: the file as a whole
  std::uint32_t column = 0;  // in the expression; 0: no expression
  std::string rule;          // its id
  std::string message, suggestion;
  std::string excerpt;  // the expression's line with a caret below it
};

// Adds what is wrong to findings. The file is what could be read; use it only if nothing was wrong.
[[nodiscard]] RuleFile read_rule_file(std::string_view toml, const std::string& origin,
                                      std::vector<Finding>& findings);

// packs/policies/*.toml as they were when this program was built: "base.toml", "eu.toml", ...
struct RuleText {
  std::string_view name, text;
};
[[nodiscard]] std::vector<RuleText> builtin_rule_texts();

// "candor.toml:3" and the rest: what people and logs see of a finding, excerpt included.
[[nodiscard]] std::string to_text(const Finding& finding);

// RFC 8785 JSON of everything that decides or is shown, in the order of the files: what the digest
// is taken over (docs/formats/policy.md).
[[nodiscard]] std::string canonical_form(std::span<const RuleFile> files);
// The way back, for rules that are kept by their digest; places are not kept. kDataLoss: it is no
// such text.
[[nodiscard]] Result<std::vector<RuleFile>> read_canonical_form(std::string_view json);

}  // namespace candor::policy
