// One step of a model's descent (docs/formats/passport.md): an in-toto Statement v1 with a
// predicate of our own, that whoever did the step can sign alone. Pure; hostile input is expected;
// every error is kInvalidArgument and names the member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"

namespace candor::passport {

inline constexpr std::string_view kDerivationPredicate = "https://candor/derivation/v1";

enum class Evidence : std::uint8_t {
  kClaimed,       // somebody said so: it proves nothing but that
  kMeasuredHere,  // Candor took it from the bytes in use, or did the step
};
enum class Step : std::uint8_t {
  kPretrained,
  kFineTuned,
  kAdapterApplied,
  kMerged,
  kQuantised,
  kConverted,
  kTemplateEdited,
  kPruned,
};
enum class Role : std::uint8_t { kOriginalDeveloper, kModifier, kDistributor, kDeployer };
enum class InputRole : std::uint8_t { kBase, kAdapter, kParent, kCalibration, kOther };

[[nodiscard]] std::string_view to_string(Evidence value) noexcept;
[[nodiscard]] std::string_view to_string(Step value) noexcept;
[[nodiscard]] std::string_view to_string(Role value) noexcept;
[[nodiscard]] std::string_view to_string(InputRole value) noexcept;
[[nodiscard]] Result<Evidence> evidence_of(std::string_view text);
[[nodiscard]] Result<Step> step_of(std::string_view text);
[[nodiscard]] Result<Role> role_of(std::string_view text);
[[nodiscard]] Result<InputRole> input_role_of(std::string_view text);

struct Artefact {
  std::string name;
  Digest sha256{};
  bool operator==(const Artefact&) const = default;
};
struct Input {
  Artefact artefact;
  InputRole role = InputRole::kBase;
  bool operator==(const Input&) const = default;
};
struct Actor {
  std::string name;
  Role role = Role::kModifier;
  std::string country{}, contact{};  // empty: not said
  bool operator==(const Actor&) const = default;
};
struct Tool {
  std::string name, version{};
  std::optional<Digest> sha256{};
  bool operator==(const Tool&) const = default;
};
struct Dataset {
  std::string name;
  std::optional<Digest> sha256{};
  std::string uri{}, licence{};
  bool operator==(const Dataset&) const = default;
};

struct Derivation {
  Step step = Step::kFineTuned;
  Evidence evidence = Evidence::kClaimed;
  std::vector<Artefact> outputs;
  std::vector<Input> inputs;
  Actor actor;
  std::vector<Tool> tools;
  std::vector<Dataset> datasets;
  std::string compute_flop, energy_kwh;  // decimal; empty: not said
  std::string started, finished;         // RFC 3339; empty: not said
  std::string notes;
  bool operator==(const Derivation&) const = default;
};

// Statement to JSON and back. What parses is written back to the same RFC 8785 bytes.
[[nodiscard]] json::Object to_json(const Derivation& derivation);
[[nodiscard]] Result<Derivation> parse_derivation(const json::Object& statement);
// Everything that the format asks of the values; also for those that people wrote.
[[nodiscard]] Result<void> check_derivation(const Derivation& derivation);

// "123", "0.5": digits, at most one point, at most 40 characters.
[[nodiscard]] bool is_decimal(std::string_view text) noexcept;

}  // namespace candor::passport
