#include "policy/facts.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/check.h"

namespace candor::policy {
namespace {

constexpr std::array kFindingRows{
    FindingRow{"detector", "the detector's id, such as `iban`",
               [](FoundFact& f) -> FactRef { return &f.detector; }},
    FindingRow{"class", "such as `personal.contact`, `financial`, `secret`",
               [](FoundFact& f) -> FactRef { return &f.class_name; }},
    FindingRow{"severity", "`low`, `medium`, `high`, `critical`",
               [](FoundFact& f) -> FactRef { return &f.severity; }},
    FindingRow{"confidence", "0 to 100", [](FoundFact& f) -> FactRef { return &f.confidence; }},
    FindingRow{"field", "where, such as `messages/0/content`",
               [](FoundFact& f) -> FactRef { return &f.field; }},
    FindingRow{"direction", "`request` or `answer`",
               [](FoundFact& f) -> FactRef { return &f.direction; }},
    FindingRow{"countries", "of the detector, ISO 3166-1 alpha-2; empty: everywhere",
               [](FoundFact& f) -> FactRef { return &f.countries; }}};

// Rows of one record stand together.
constexpr std::array kRows{
    FactRow{"phase", "`request` before the model is asked, `answer` while it answers",
            [](Facts& f) -> FactRef { return &f.phase; }},
    FactRow{"caller.name", "the key's name, the user, the token's subject",
            [](Facts& f) -> FactRef { return &f.caller.name; }},
    FactRow{"caller.team", "the team that owns the key or that the identity provider names",
            [](Facts& f) -> FactRef { return &f.caller.team; }},
    FactRow{"caller.groups", "groups of the identity provider",
            [](Facts& f) -> FactRef { return &f.caller.groups; }},
    FactRow{"caller.method", "`key`, `os_user`, `oidc`, `mtls`, `none`",
            [](Facts& f) -> FactRef { return &f.caller.method; }},
    FactRow{"caller.purpose", "what the access was given for",
            [](Facts& f) -> FactRef { return &f.caller.purpose; }},
    FactRow{"model.name", "what the caller asked for",
            [](Facts& f) -> FactRef { return &f.model.name; }},
    FactRow{"model.digest", "SHA-256 of its weights, hex",
            [](Facts& f) -> FactRef { return &f.model.digest; }},
    FactRow{"model.measured", "whether Candor took the digest itself",
            [](Facts& f) -> FactRef { return &f.model.measured; }},
    FactRow{"model.local", "whether it runs on this machine",
            [](Facts& f) -> FactRef { return &f.model.local; }},
    FactRow{"model.passport.publisher", "who published the weights",
            [](Facts& f) -> FactRef { return &f.model.passport.publisher; }},
    FactRow{"model.passport.base", "the model that it derives from",
            [](Facts& f) -> FactRef { return &f.model.passport.base; }},
    FactRow{"model.passport.license", "SPDX identifier of its licence",
            [](Facts& f) -> FactRef { return &f.model.passport.license; }},
    FactRow{"model.passport.risk", "the risk class that its owner gave it",
            [](Facts& f) -> FactRef { return &f.model.passport.risk; }},
    FactRow{"model.passport.signed", "whether a signature over it was verified",
            [](Facts& f) -> FactRef { return &f.model.passport.is_signed; }},
    FactRow{"model.passport.tests", "suites that it passed",
            [](Facts& f) -> FactRef { return &f.model.passport.tests; }},
    FactRow{"request.dialect", "`openai.chat`, `anthropic.messages`, ...",
            [](Facts& f) -> FactRef { return &f.request.dialect; }},
    FactRow{"request.stream", "whether the answer is streamed",
            [](Facts& f) -> FactRef { return &f.request.stream; }},
    FactRow{"request.tools", "names of the tools offered",
            [](Facts& f) -> FactRef { return &f.request.tools; }},
    FactRow{"request.messages", "how many",
            [](Facts& f) -> FactRef { return &f.request.messages; }},
    FactRow{"request.characters", "of all its texts",
            [](Facts& f) -> FactRef { return &f.request.characters; }},
    FactRow{"request.max_tokens", "the longest answer asked for",
            [](Facts& f) -> FactRef { return &f.request.max_tokens; }},
    FactRow{"request.images", "how many, none of them scanned",
            [](Facts& f) -> FactRef { return &f.request.images; }},
    FactRow{"request.temperature", "as asked for",
            [](Facts& f) -> FactRef { return &f.request.temperature; }},
    FactRow{"request.justification", "the reason that the caller gave",
            [](Facts& f) -> FactRef { return &f.request.justification; }},
    FactRow{"request.approved_by", "who approved this request; never its caller",
            [](Facts& f) -> FactRef { return &f.request.approved_by; }},
    FactRow{"findings", "what the detectors found: a list of `finding`",
            [](Facts& f) -> FactRef { return &f.findings; }},
    FactRow{"place.country", "of the caller, ISO 3166-1 alpha-2",
            [](Facts& f) -> FactRef { return &f.place.country; }},
    FactRow{"place.network", "`loopback`, `unix`, `private`, `public`",
            [](Facts& f) -> FactRef { return &f.place.network; }},
    FactRow{"jurisdiction", "all that apply: `EU`, `UK`, `US`, ...",
            [](Facts& f) -> FactRef { return &f.jurisdiction; }},
    FactRow{"budget.requests_left", "in the period that ends first",
            [](Facts& f) -> FactRef { return &f.budget.requests_left; }},
    FactRow{"budget.tokens_left", "the same of tokens",
            [](Facts& f) -> FactRef { return &f.budget.tokens_left; }},
    FactRow{"budget.seconds_left", "the same of computing time",
            [](Facts& f) -> FactRef { return &f.budget.seconds_left; }},
    FactRow{"budget.used_percent", "of the budget that is nearest its end",
            [](Facts& f) -> FactRef { return &f.budget.used_percent; }},
    FactRow{"time", "now", [](Facts& f) -> FactRef { return &f.time_us; }}};

static_assert(kRows.size() <= kMaxFactRows);

constexpr std::string_view kTime = "time";

std::string_view head(std::string_view path) { return path.substr(0, path.find('.')); }

// A record's name is its path's last word, capitalised: caller is a Caller.
std::string record_name(std::string_view path) {
  std::string name(path.substr(path.rfind('.') + 1));
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

struct Made {
  cel::Environment environment;
  std::uint32_t finding = 0, findings = 0;
  cel::TypeId finding_type = 0;

  cel::TypeId type_of(const FactRef& ref) {
    using cel::TypeKind;
    if (std::holds_alternative<std::string*>(ref)) return cel::Types::simple(TypeKind::kString);
    if (std::holds_alternative<std::int64_t*>(ref)) return cel::Types::simple(TypeKind::kInt);
    if (std::holds_alternative<bool*>(ref)) return cel::Types::simple(TypeKind::kBool);
    if (std::holds_alternative<double*>(ref)) return cel::Types::simple(TypeKind::kDouble);
    if (std::holds_alternative<Texts*>(ref)) {
      return environment.types.list(cel::Types::simple(TypeKind::kString));
    }
    return environment.types.list(finding_type);
  }

  // All rows that begin with prefix, which ends in a dot, as one record.
  cel::TypeId record(std::string_view prefix, Facts& facts) {
    cel::Record made{record_name(prefix.substr(0, prefix.size() - 1)), {}};
    for (const FactRow& row : kRows) {
      if (!row.path.starts_with(prefix)) continue;
      const std::string_view rest = row.path.substr(prefix.size());
      const std::string name(head(rest));
      if (std::ranges::find(made.fields, name, &cel::Field::name) != made.fields.end()) continue;
      const bool nested = name.size() != rest.size();
      made.fields.push_back(
          {name, nested ? record(row.path.substr(0, prefix.size() + name.size() + 1), facts)
                        : type_of(row.in(facts))});
    }
    return environment.add_record(std::move(made));
  }

  Made() {
    Facts facts;
    FoundFact found;
    cel::Record one{"Finding", {}};
    for (const FindingRow& row : kFindingRows) {
      one.fields.push_back({std::string(row.field), type_of(row.in(found))});
    }
    finding_type = environment.add_record(std::move(one));
    for (const FactRow& row : kRows) {
      const std::string name(head(row.path));
      if (std::ranges::find(environment.variables(), name, &cel::Variable::name) !=
          environment.variables().end()) {
        continue;
      }
      const bool nested = name.size() != row.path.size();
      const cel::TypeId type = nested          ? record(row.path.substr(0, name.size() + 1), facts)
                               : name == kTime ? cel::Types::simple(cel::TypeKind::kTimestamp)
                                               : type_of(row.in(facts));
      const std::uint32_t slot = environment.add_variable(name, type);
      if (name == "findings") findings = slot;
    }
    finding = environment.add_variable("finding", finding_type);
  }
};

const Made& made() {
  static const Made kMade;
  return kMade;
}

cel::Value texts_value(const Texts& texts, cel::Arena& arena) {
  const auto items = arena.values(texts.size());
  std::ranges::transform(texts, items.begin(),
                         [](const std::string& text) { return cel::Value::of_text(text); });
  return cel::Value::list(items);
}

cel::Value finding_value(FoundFact& found, cel::Arena& arena);

cel::Value value_of(const FactRef& ref, cel::Arena& arena) {
  if (const auto* text = std::get_if<std::string*>(&ref)) return cel::Value::of_text(**text);
  if (const auto* number = std::get_if<std::int64_t*>(&ref)) return cel::Value::of_int(**number);
  if (const auto* flag = std::get_if<bool*>(&ref)) return cel::Value::boolean(**flag);
  if (const auto* real = std::get_if<double*>(&ref)) return cel::Value::of_double(**real);
  if (const auto* texts = std::get_if<Texts*>(&ref)) return texts_value(**texts, arena);
  auto& findings = *std::get<std::vector<FoundFact>*>(ref);
  const auto items = arena.values(findings.size());
  std::ranges::transform(findings, items.begin(),
                         [&](FoundFact& found) { return finding_value(found, arena); });
  return cel::Value::list(items);
}

cel::Value finding_value(FoundFact& found, cel::Arena& arena) {
  const auto fields = arena.values(kFindingRows.size());
  for (std::size_t i = 0; i < kFindingRows.size(); ++i) {
    fields[i] = value_of(kFindingRows[i].in(found), arena);
  }
  return cel::Value::record(fields);
}

// Where each row's value goes: the path of slots that Made gave it, flattened once.
struct Place {
  std::uint32_t slot;       // of the variable
  std::int32_t field = -1;  // of its record; -1: the variable itself
  std::int32_t inner = -1;  // of a record in it
};

std::vector<Place> make_places() {
  const cel::Environment& env = made().environment;
  std::vector<Place> places;
  for (const FactRow& row : kRows) {
    Place place{0, -1, -1};
    const std::string_view name = head(row.path);
    const auto variable = std::ranges::find(env.variables(), name, &cel::Variable::name);
    place.slot = static_cast<std::uint32_t>(variable - env.variables().begin());
    std::string_view rest = row.path.substr(name.size());
    cel::TypeId type = variable->type;
    for (std::int32_t* into : {&place.field, &place.inner}) {
      if (rest.empty()) break;
      rest.remove_prefix(1);
      const std::string_view part = head(rest);
      const auto& fields = env.record(env.types[type].a).fields;
      const auto field = std::ranges::find(fields, part, &cel::Field::name);
      *into = static_cast<std::int32_t>(field - fields.begin());
      type = field->type;
      rest.remove_prefix(part.size());
    }
    CANDOR_CHECK(rest.empty());
    places.push_back(place);
  }
  return places;
}

}  // namespace

std::span<const FactRow> fact_rows() noexcept { return kRows; }
std::span<const FindingRow> finding_rows() noexcept { return kFindingRows; }

void set_unknown(Facts& facts, std::string_view path) {
  const auto row = std::ranges::find(kRows, path, &FactRow::path);
  CANDOR_CHECK(row != kRows.end());
  facts.unknown.set(static_cast<std::size_t>(row - kRows.begin()));
}

const cel::Environment& environment() { return made().environment; }
std::uint32_t finding_slot() { return made().finding; }
std::uint32_t findings_slot() { return made().findings; }

std::span<cel::Value> bind(const Facts& facts, cel::Arena& arena) {
  static const std::vector<Place> kPlaces = make_places();
  // The rows hand out pointers for writing; here they are only read.
  auto& source = const_cast<Facts&>(facts);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const cel::Environment& env = environment();
  const auto slots = arena.values(env.variables().size());
  std::array<std::span<cel::Value>, 16> records{};
  std::array<std::span<cel::Value>, 16> inners{};
  CANDOR_DCHECK(slots.size() <= records.size());
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const Place& place = kPlaces[i];
    const cel::Value value = facts.unknown[i] ? cel::Value::error(cel::Fault::kNoName, 0)
                             : kRows[i].path == kTime
                                 ? cel::Value::of_time(cel::Kind::kTimestamp, 0, 0)
                                 : value_of(kRows[i].in(source), arena);
    if (place.field < 0) {
      slots[place.slot] = value;
      continue;
    }
    std::span<cel::Value>& record = records[place.slot];
    const cel::TypeId type = env.variables()[place.slot].type;
    if (record.empty()) {
      record = arena.values(env.record(env.types[type].a).fields.size());
      slots[place.slot] = cel::Value::record(record);
    }
    if (place.inner < 0) {
      record[static_cast<std::size_t>(place.field)] = value;
      continue;
    }
    std::span<cel::Value>& inner = inners[place.slot];  // one record in a record at most
    if (inner.empty()) {
      const auto& field =
          env.record(env.types[type].a).fields[static_cast<std::size_t>(place.field)];
      inner = arena.values(env.record(env.types[field.type].a).fields.size());
      record[static_cast<std::size_t>(place.field)] = cel::Value::record(inner);
    }
    inner[static_cast<std::size_t>(place.inner)] = value;
  }
  constexpr std::int64_t kMicros = 1'000'000;
  const std::int64_t below = facts.time_us % kMicros < 0 ? 1 : 0;
  const std::int64_t seconds = facts.time_us / kMicros - below;
  slots[kPlaces.back().slot] =
      cel::Value::of_time(cel::Kind::kTimestamp, seconds,
                          static_cast<std::uint32_t>((facts.time_us - seconds * kMicros) * 1'000));
  slots[made().finding] = cel::Value::error(cel::Fault::kNoName, 0);
  return slots;
}

std::string facts_markdown() {
  const cel::Environment& env = environment();
  Facts facts;
  FoundFact found;
  Made names;
  std::string out = "| value | type | what |\n| --- | --- | --- |\n";
  for (const FactRow& row : kRows) {
    const std::string type =
        row.path == kTime ? "timestamp" : env.type_text(names.type_of(row.in(facts)));
    out += fmt::format("| `{}` | {} | {} |\n", row.path, type, row.meaning);
  }
  for (const FindingRow& row : kFindingRows) {
    out += fmt::format("| `finding.{}` | {} | {} |\n", row.field,
                       env.type_text(names.type_of(row.in(found))), row.meaning);
  }
  return out;
}

}  // namespace candor::policy
