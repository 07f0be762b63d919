#include "passport/claims.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/document.h"
#include "passport/internal/fields.h"
#include "passport/internal/values.h"

namespace candor::passport {
namespace {

using config::TomlMember;
using config::TomlTable;
using config::TomlValue;

class Reader {
 public:
  Reader(const std::string& file, const std::function<Result<Digest>(const std::string&)>& hash)
      : file_(file), hash_(hash) {}

  std::unexpected<Error> wrong(const TomlMember& at, std::string_view why) const {
    return fail(Code::kInvalidArgument,
                fmt::format("{}:{}: '{}' {}", file_, at.value.line, shown(at.name), why));
  }
  Result<std::string> text(const TomlMember& at) const {
    const std::string* out = at.value.text();
    if (out == nullptr) return wrong(at, "must be a string (amounts too)");
    if (auto good = check_text(*out, "the text"); !good) return wrong(at, good.error().message());
    return *out;
  }
  Result<std::vector<std::string>> list(const TomlMember& at) const {
    std::vector<std::string> out;
    if (at.value.array() == nullptr) return wrong(at, "must be a list of strings");
    for (const TomlValue& one : *at.value.array()) {
      out.push_back(TRY(text({.name = at.name, .value = one})));
    }
    return out;
  }
  Result<Digest> digest(const TomlMember& at) const {
    const std::string hex = TRY(text(at));
    const auto out = digest_from_hex(hex);
    if (!out) return wrong(at, "must be 64 lower-case hex digits");
    return *out;
  }
  // Calls take for each member; it answers false for a name that it does not know.
  Result<void> members(const TomlMember& at,
                       const std::function<Result<bool>(const TomlMember&)>& take) const {
    if (at.value.table() == nullptr) return wrong(at, "must be a table");
    for (const TomlMember& one : *at.value.table()) {
      if (!TRY(take(one))) return wrong(one, "is not known here");
    }
    return {};
  }
  Result<void> tables(const TomlMember& at,
                      const std::function<Result<void>(const TomlMember&)>& take) const {
    if (at.value.array() == nullptr) return wrong(at, "must be a list of tables");
    for (const TomlValue& one : *at.value.array()) {
      TRY(take({.name = at.name, .value = one}));
    }
    return {};
  }
  // sha256 or file; false: another member.
  Result<bool> digest_member(const TomlMember& one, std::optional<Digest>& out) const {
    if (one.name == "sha256") {
      out = TRY(digest(one));
    } else if (one.name == "file") {
      const std::string path = TRY(text(one));
      auto hashed = hash_(path);
      if (!hashed) return wrong(one, hashed.error().message());
      out = *hashed;
    } else {
      return false;
    }
    return true;
  }

 private:
  const std::string& file_;
  const std::function<Result<Digest>(const std::string&)>& hash_;
};

// A member that is one text of an object.
struct Field {
  std::string_view name;
  std::string* to;
};

Result<bool> take_text(const Reader& reader, const TomlMember& one,
                       std::initializer_list<Field> fields) {
  const auto field = std::ranges::find(fields, std::string_view(one.name), &Field::name);
  if (field == fields.end()) return false;
  *field->to = TRY(reader.text(one));
  return true;
}

Result<Artefact> parse_artefact(const Reader& reader, const TomlMember& at, std::string* role) {
  Artefact out;
  std::optional<Digest> digest;
  TRY(reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    if (TRY(reader.digest_member(one, digest))) return true;
    if (role != nullptr && one.name == "role") {
      *role = TRY(reader.text(one));
      return true;
    }
    return take_text(reader, one, {{"name", &out.name}});
  }));
  if (!digest) return reader.wrong(at, "needs a sha256, or a file to be hashed");
  if (out.name.empty()) return reader.wrong(at, "needs a name");
  out.sha256 = *digest;
  return out;
}

Result<void> parse_lists(const Reader& reader, const TomlMember& one, Derivation& step,
                         bool& known) {
  known = true;
  if (one.name == "inputs") {
    return reader.tables(one, [&](const TomlMember& at) -> Result<void> {
      std::string role = "base";
      Input input{.artefact = TRY(parse_artefact(reader, at, &role))};
      const auto parsed = input_role_of(role);
      if (!parsed) return reader.wrong(at, parsed.error().message());
      input.role = *parsed;
      step.inputs.push_back(std::move(input));
      return {};
    });
  }
  if (one.name == "outputs") {
    return reader.tables(one, [&](const TomlMember& at) -> Result<void> {
      step.outputs.push_back(TRY(parse_artefact(reader, at, nullptr)));
      return {};
    });
  }
  if (one.name == "tools") {
    return reader.tables(one, [&](const TomlMember& at) -> Result<void> {
      Tool tool;
      TRY(reader.members(at, [&](const TomlMember& m) -> Result<bool> {
        if (TRY(reader.digest_member(m, tool.sha256))) return true;
        return take_text(reader, m, {{"name", &tool.name}, {"version", &tool.version}});
      }));
      step.tools.push_back(std::move(tool));
      return {};
    });
  }
  if (one.name == "datasets") {
    return reader.tables(one, [&](const TomlMember& at) -> Result<void> {
      Dataset dataset;
      TRY(reader.members(at, [&](const TomlMember& m) -> Result<bool> {
        if (TRY(reader.digest_member(m, dataset.sha256))) return true;
        return take_text(
            reader, m,
            {{"name", &dataset.name}, {"uri", &dataset.uri}, {"licence", &dataset.licence}});
      }));
      step.datasets.push_back(std::move(dataset));
      return {};
    });
  }
  known = false;
  return {};
}

Result<void> parse_actor(const Reader& reader, const TomlMember& at, Actor& actor) {
  std::string role = "modifier";
  TRY(reader.members(at, [&](const TomlMember& m) {
    return take_text(reader, m,
                     {{"name", &actor.name},
                      {"role", &role},
                      {"country", &actor.country},
                      {"contact", &actor.contact}});
  }));
  const auto parsed = role_of(role);
  if (!parsed) return reader.wrong(at, parsed.error().message());
  actor.role = *parsed;
  return {};
}

Result<void> parse_step(const Reader& reader, const TomlMember& at, Passport& out) {
  Derivation step;
  std::string name;
  TRY(reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    bool known = false;
    TRY(parse_lists(reader, one, step, known));
    if (known) return true;
    if (one.name == "actor") {
      TRY(parse_actor(reader, one, step.actor));
      return true;
    }
    return take_text(reader, one,
                     {{"step", &name},
                      {"compute_flop", &step.compute_flop},
                      {"energy_kwh", &step.energy_kwh},
                      {"started", &step.started},
                      {"finished", &step.finished},
                      {"notes", &step.notes}});
  }));
  const auto parsed = step_of(name);
  if (!parsed) return reader.wrong(at, parsed.error().message());
  step.step = *parsed;
  step.evidence = Evidence::kClaimed;
  if (step.outputs.empty()) {
    for (const PassportFile& file : out.files) {
      if (file.role == FileRole::kWeights || out.files.size() == 1) {
        step.outputs.push_back({.name = file.name, .sha256 = file.sha256});
      }
    }
  }
  if (auto good = check_derivation(step); !good) return reader.wrong(at, good.error().message());
  out.descent.push_back({.statement = std::move(step)});
  return {};
}

Result<bool> take_stated(const Reader& reader, const TomlMember& one, std::string_view name,
                         StatedText& out) {
  if (one.name != name) return false;
  if (out && out->evidence == Evidence::kMeasuredHere) {
    return reader.wrong(one, "is measured here and is not claimed over");
  }
  out = {.value = TRY(reader.text(one)), .evidence = Evidence::kClaimed};
  return true;
}

Result<bool> take_list(const Reader& reader, const TomlMember& one, std::string_view name,
                       StatedList& out) {
  if (one.name != name) return false;
  out = {.value = TRY(reader.list(one)), .evidence = Evidence::kClaimed};
  return true;
}

Result<void> parse_about(const Reader& reader, const TomlMember& at, About& about) {
  return reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    return TRY(take_stated(reader, one, "architecture", about.architecture)) ||
           TRY(take_stated(reader, one, "licence", about.licence)) ||
           TRY(take_stated(reader, one, "quantisation", about.quantisation)) ||
           TRY(take_stated(reader, one, "parameters", about.parameters)) ||
           TRY(take_list(reader, one, "languages", about.languages)) ||
           TRY(take_list(reader, one, "modalities", about.modalities));
  });
}

Result<void> parse_evaluation(const Reader& reader, const TomlMember& at, Passport& out) {
  Evaluation evaluation;
  TRY(reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    if (one.name == "report_sha256") {
      evaluation.report_sha256 = TRY(reader.digest(one));
      return true;
    }
    return take_text(reader, one,
                     {{"name", &evaluation.name},
                      {"metric", &evaluation.metric},
                      {"value", &evaluation.value},
                      {"dataset", &evaluation.dataset},
                      {"slice", &evaluation.slice},
                      {"date", &evaluation.date}});
  }));
  out.evaluations.push_back(std::move(evaluation));
  return {};
}

Result<void> parse_use(const Reader& reader, const TomlMember& at, Use& use) {
  return reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    std::vector<std::string>* to = one.name == "intended"       ? &use.intended
                                   : one.name == "limits"       ? &use.limits
                                   : one.name == "out_of_scope" ? &use.out_of_scope
                                                                : nullptr;
    if (to == nullptr) return false;
    *to = TRY(reader.list(one));
    return true;
  });
}

Result<void> parse_origin(const Reader& reader, const TomlMember& at, Origin& origin) {
  return reader.members(at, [&](const TomlMember& one) -> Result<bool> {
    return TRY(take_stated(reader, one, "organisation", origin.organisation)) ||
           TRY(take_stated(reader, one, "country", origin.country)) ||
           TRY(take_stated(reader, one, "jurisdiction", origin.jurisdiction)) ||
           TRY(take_stated(reader, one, "contact", origin.contact));
  });
}

}  // namespace

Result<void> add_claims(std::string_view toml, const std::string& file_name,
                        const std::function<Result<Digest>(const std::string& path)>& hash,
                        Passport& out) {
  const TomlTable table = TRY(config::parse_toml(toml, file_name));
  const Reader reader(file_name, hash);
  for (const TomlMember& one : table) {
    if (one.name == "name") {
      out.name = TRY(reader.text(one));
    } else if (one.name == "version") {
      out.version = TRY(reader.text(one));
    } else if (one.name == "about") {
      TRY(parse_about(reader, one, out.about));
    } else if (one.name == "origin") {
      TRY(parse_origin(reader, one, out.origin));
    } else if (one.name == "use") {
      TRY(parse_use(reader, one, out.use));
    } else if (one.name == "evaluation") {
      TRY(reader.tables(one, [&](const TomlMember& at) -> Result<void> {
        return parse_evaluation(reader, at, out);
      }));
    } else if (one.name == "step") {
      TRY(reader.tables(
          one, [&](const TomlMember& at) -> Result<void> { return parse_step(reader, at, out); }));
    } else {
      return reader.wrong(one,
                          "is not known: name, version, about, origin, use, evaluation and "
                          "step are");
    }
  }
  return {};
}

}  // namespace candor::passport
