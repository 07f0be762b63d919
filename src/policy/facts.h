// What a policy may speak of: one exchange as typed values. The table in facts.cc names each of
// them once; the environment of conditions, the inputs of test cases and docs/formats/policy.md
// follow it.
//
// Facts hold no text of a request or an answer, only what was found in it: a condition cannot leak
// what it cannot see.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "cel/environment.h"
#include "cel/value.h"

namespace candor::policy {

using Texts = std::vector<std::string>;

struct Caller {
  std::string name, team;
  Texts groups;
  std::string method;   // key, os_user, oidc, mtls, none
  std::string purpose;  // of the key, or as the caller states it
};

struct Passport {  // of the model: what was declared about it, and what was tested
  std::string publisher, base, license, risk;
  bool is_signed = false;
  Texts tests;  // that it passed
};

struct ModelFacts {
  std::string name, digest;
  bool measured = false;  // Candor took the digest itself
  bool local = false;     // runs here, not upstream
  Passport passport;
};

struct FoundFact {
  std::string detector, class_name, severity, field, direction;  // direction: request, answer
  std::int64_t confidence = 0;                                   // 0 to 100
  Texts countries;
};

struct RequestFacts {
  std::string dialect;
  bool stream = false;
  Texts tools;
  std::int64_t messages = 0, characters = 0, max_tokens = 0, images = 0;
  double temperature = 0;
  std::string justification;  // what the caller gave as a reason
  std::string approved_by;    // who approved this request; never the caller
};

struct PlaceFacts {
  std::string country;  // ISO 3166-1 alpha-2, of the caller
  std::string network;  // loopback, unix, private, public
};

struct BudgetFacts {
  std::int64_t requests_left = 0, tokens_left = 0, seconds_left = 0;
  std::int64_t used_percent = 0;  // of the budget that is nearest its end
};

// That a rule does not count for this caller now (break-glass, L9); no condition sees it.
struct ExceptionFact {
  Id128 id{};
  std::string rule;
  std::string approved_by;  // or ""; never who asked for it
};

inline constexpr std::size_t kMaxFactRows = 64;

struct Facts {
  std::string phase;  // request, answer
  Caller caller;
  ModelFacts model;
  RequestFacts request;
  std::vector<FoundFact> findings;
  PlaceFacts place;
  Texts jurisdiction;  // all that apply: EU, UK, US, ...
  BudgetFacts budget;
  std::int64_t time_us = 0;  // wall time, microseconds since 1970
  std::vector<ExceptionFact> exceptions;
  // Rows of fact_rows() whose value nobody knows, as of an exchange that is long over. What needs
  // one of them has no result, and Policy::decide() lists it as undecided.
  std::bitset<kMaxFactRows> unknown;
};

// One value of Facts or of a finding.
using FactRef =
    std::variant<std::string*, Texts*, std::int64_t*, bool*, double*, std::vector<FoundFact>*>;
struct FactRow {
  std::string_view path;  // "caller.team", "model.passport.signed", "time"
  std::string_view meaning;
  FactRef (*in)(Facts& facts);
};
[[nodiscard]] std::span<const FactRow> fact_rows() noexcept;
// path must be a row's.
void set_unknown(Facts& facts, std::string_view path);
struct FindingRow {
  std::string_view field;
  std::string_view meaning;
  FactRef (*in)(FoundFact& finding);
};
[[nodiscard]] std::span<const FindingRow> finding_rows() noexcept;

// The types of all of it, and of `finding`, the one that `select` looks at.
[[nodiscard]] const cel::Environment& environment();
[[nodiscard]] std::uint32_t finding_slot();
[[nodiscard]] std::uint32_t findings_slot();

// Values for environment()'s variables. They point into facts, which must outlive them and not
// change, and into the arena.
[[nodiscard]] std::span<cel::Value> bind(const Facts& facts, cel::Arena& arena);

// All of it but exceptions as JSON, by the names that conditions use, time as RFC 3339; what is not
// known is left out.
[[nodiscard]] std::string facts_json(const Facts& facts);

// The tables of docs/formats/policy.md.
[[nodiscard]] std::string facts_markdown();

}  // namespace candor::policy
