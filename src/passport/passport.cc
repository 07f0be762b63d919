#include "passport/passport.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "passport/internal/fields.h"
#include "passport/internal/values.h"
#include "passport/oms_manifest.h"

namespace candor::passport {
namespace {

constexpr std::size_t kMaxShards = 65'536;
constexpr std::size_t kMaxSteps = 256;

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

constexpr std::array<std::pair<FileRole, std::string_view>, 8> kFileRoles{
    {{FileRole::kWeights, "weights"},
     {FileRole::kTokenizer, "tokenizer"},
     {FileRole::kConfiguration, "configuration"},
     {FileRole::kTemplate, "template"},
     {FileRole::kAdapter, "adapter"},
     {FileRole::kProjector, "projector"},
     {FileRole::kDocumentation, "documentation"},
     {FileRole::kOther, "other"}}};

Result<FileRole> file_role_of(std::string_view text) {
  for (const auto& [role, name] : kFileRoles) {
    if (name == text) return role;
  }
  return malformed(fmt::format("'{}' is no role of a file", shown(text)));
}

Result<Evidence> parse_evidence(const json::Object& object) {
  const std::string text = TRY(text_member(object, "evidence"));
  return evidence_of(text);
}

Result<PassportFile> parse_file(const json::Object& object) {
  TRY(json::only_keys(object, {"name", "role", "sha256", "shards", "size"}));
  PassportFile out;
  out.name = TRY(text_member(object, "name"));
  if (!is_model_path(out.name)) {
    return malformed(fmt::format("'{}' is no path inside a model", shown(out.name)));
  }
  const std::string role = TRY(text_member(object, "role"));
  out.role = TRY(file_role_of(role));
  const std::int64_t size = TRY(json::get_int(object, "size"));
  if (size < 0) return malformed("a file's size must not be negative");
  out.bytes = static_cast<std::uint64_t>(size);
  out.sha256 = TRY(hex_member(object, "sha256"));
  const json::Array& shards = *TRY(array_member(object, "shards"));
  if (shards.size() != (out.bytes + kShardBytes - 1) / kShardBytes) {
    return malformed(
        fmt::format("'{}' has another number of shards than its size asks for", shown(out.name)));
  }
  for (const json::Value& one : shards) {
    const auto digest = digest_from_hex(one.is_string() ? one.get_string() : "");
    if (!digest) return malformed("a shard must be 64 lower-case hex digits");
    out.shards.push_back(*digest);
  }
  return out;
}

Result<void> parse_files(const json::Object& object, Passport& out) {
  std::size_t shards = 0;
  TRY(each(object, "files", kMaxFiles, [&](const json::Object& one) -> Result<void> {
    PassportFile file = TRY(parse_file(one));
    shards += file.shards.size();
    if (shards > kMaxShards) return malformed("a passport has at most 65,536 shards");
    if (!out.files.empty() && out.files.back().name >= file.name) {
      return malformed("files must be sorted by name, none twice");
    }
    out.files.push_back(std::move(file));
    return {};
  }));
  if (out.files.empty()) return malformed("a passport needs a file");
  return {};
}

Result<StatedText> stated_text(const json::Object& object, std::string_view key) {
  if (json::find(object, key) == nullptr) return StatedText();
  const json::Object& stated = *TRY(object_member(object, key));
  TRY(json::only_keys(stated, {"evidence", "value"}));
  Stated<std::string> out;
  out.evidence = TRY(parse_evidence(stated));
  out.value = TRY(checked_text(stated, "value"));
  return StatedText(std::move(out));
}

Result<StatedList> stated_list(const json::Object& object, std::string_view key) {
  if (json::find(object, key) == nullptr) return StatedList();
  const json::Object& stated = *TRY(object_member(object, key));
  TRY(json::only_keys(stated, {"evidence", "value"}));
  Stated<std::vector<std::string>> out;
  out.evidence = TRY(parse_evidence(stated));
  out.value = TRY(texts(stated, "value"));
  return StatedList(std::move(out));
}

Result<About> parse_about(const json::Object& object) {
  TRY(json::only_keys(object, {"architecture", "context", "languages", "licence", "modalities",
                               "parameters", "quantisation"}));
  About out;
  out.architecture = TRY(stated_text(object, "architecture"));
  out.licence = TRY(stated_text(object, "licence"));
  out.quantisation = TRY(stated_text(object, "quantisation"));
  out.parameters = TRY(stated_text(object, "parameters"));
  if (out.parameters) TRY(check_amount(out.parameters->value, "parameters"));
  if (json::find(object, "context") != nullptr) {
    const json::Object& stated = *TRY(object_member(object, "context"));
    TRY(json::only_keys(stated, {"evidence", "value"}));
    Stated<std::uint64_t> context;
    context.evidence = TRY(parse_evidence(stated));
    const std::int64_t value = TRY(json::get_int(stated, "value"));
    if (value < 0) return malformed("a context must not be negative");
    context.value = static_cast<std::uint64_t>(value);
    out.context = context;
  }
  out.languages = TRY(stated_list(object, "languages"));
  out.modalities = TRY(stated_list(object, "modalities"));
  return out;
}

Result<Evaluation> parse_evaluation(const json::Object& object) {
  TRY(json::only_keys(object, {"evidence", "metric", "name", "value", "dataset", "date",
                               "report_sha256", "slice"}));
  Evaluation out;
  out.name = TRY(checked_text(object, "name"));
  out.metric = TRY(checked_text(object, "metric"));
  out.value = TRY(checked_text(object, "value"));
  std::string_view number = out.value;
  if (number.starts_with('-')) number.remove_prefix(1);
  if (!is_decimal(number)) return malformed("an evaluation's value must be a decimal number");
  out.evidence = TRY(parse_evidence(object));
  out.dataset = TRY(text_or_none(object, "dataset"));
  out.slice = TRY(text_or_none(object, "slice"));
  out.date = TRY(text_or_none(object, "date"));
  TRY(check_time(out.date, "date"));
  out.report_sha256 = TRY(hex_or_none(object, "report_sha256"));
  return out;
}

Result<DescentStep> parse_step(const json::Object& object) {
  TRY(json::only_keys(object, {"statement", "bundle"}));
  DescentStep out;
  const json::Object& statement = *TRY(object_member(object, "statement"));
  out.statement = TRY(parse_derivation(statement));
  if (json::find(object, "bundle") != nullptr) {
    out.bundle = TRY(bytes_member(object, "bundle"));
    if (out.bundle.empty()) return malformed("a statement's bundle must not be empty");
  }
  return out;
}

Result<void> parse_story(const json::Object& object, Passport& out) {
  TRY(each(object, "descent", kMaxSteps, [&out](const json::Object& one) -> Result<void> {
    out.descent.push_back(TRY(parse_step(one)));
    return {};
  }));
  TRY(each(object, "evaluations", kMaxList, [&out](const json::Object& one) -> Result<void> {
    out.evaluations.push_back(TRY(parse_evaluation(one)));
    return {};
  }));
  const json::Object& use = *TRY(object_member(object, "use"));
  TRY(json::only_keys(use, {"intended", "limits", "out_of_scope"}));
  out.use.intended = TRY(texts(use, "intended"));
  out.use.limits = TRY(texts(use, "limits"));
  out.use.out_of_scope = TRY(texts(use, "out_of_scope"));
  const json::Object& origin = *TRY(object_member(object, "origin"));
  TRY(json::only_keys(origin, {"organisation", "country", "jurisdiction", "contact"}));
  out.origin.organisation = TRY(stated_text(origin, "organisation"));
  out.origin.country = TRY(stated_text(origin, "country"));
  if (out.origin.country) TRY(check_country(out.origin.country->value));
  out.origin.jurisdiction = TRY(stated_text(origin, "jurisdiction"));
  out.origin.contact = TRY(stated_text(origin, "contact"));
  const json::Object& made = *TRY(object_member(object, "made"));
  TRY(json::only_keys(made, {"at", "by"}));
  out.made_at = TRY(checked_text(made, "at"));
  TRY(check_time(out.made_at, "at"));
  out.made_by = TRY(checked_text(made, "by"));
  return {};
}

Result<void> parse_predicate(const json::Object& object, Passport& out) {
  TRY(json::only_keys(
      object, {"name", "version", "shard_bytes", "files", "tokenizer", "template", "adapters",
               "about", "descent", "evaluations", "use", "origin", "made"}));
  out.name = TRY(checked_text(object, "name"));
  if (out.name.size() > 255) return malformed("a model's name has at most 255 bytes");
  out.version = TRY(text_or_none(object, "version"));
  if (TRY(json::get_int(object, "shard_bytes")) != static_cast<std::int64_t>(kShardBytes)) {
    return malformed("shard_bytes must be 67108864");
  }
  TRY(parse_files(object, out));
  const json::Object& tokenizer = *TRY(object_member(object, "tokenizer"));
  TRY(json::only_keys(tokenizer, {"sha256"}));
  out.tokenizer = TRY(hex_or_none(tokenizer, "sha256"));
  const json::Object& chat_template = *TRY(object_member(object, "template"));
  TRY(json::only_keys(chat_template, {"sha256"}));
  out.chat_template = TRY(hex_or_none(chat_template, "sha256"));
  TRY(each(object, "adapters", kMaxList, [&out](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "sha256"}));
    Artefact adapter{.name = TRY(checked_text(one, "name"))};
    adapter.sha256 = TRY(hex_member(one, "sha256"));
    out.adapters.push_back(std::move(adapter));
    return {};
  }));
  const json::Object& about = *TRY(object_member(object, "about"));
  out.about = TRY(parse_about(about));
  return parse_story(object, out);
}

}  // namespace

std::string_view to_string(FileRole role) noexcept {
  for (const auto& [value, name] : kFileRoles) {
    if (value == role) return name;
  }
  return "other";
}

Result<Passport> parse_passport(std::string_view document) {
  const json::Value value =
      TRY(json::parse_canonical(document, {.max_bytes = kMaxPassportBytes, .max_depth = 16}));
  const json::Object& object = *TRY(json::as_object(value, "a passport"));
  const std::string type = TRY(text_member(object, "_type"));
  const std::string predicate_type = TRY(text_member(object, "predicateType"));
  if (type != kStatementType || predicate_type != kPassportPredicate) {
    return malformed(fmt::format("'{}' is no passport: its predicate is {}", shown(predicate_type),
                                 kPassportPredicate));
  }
  TRY(json::only_keys(object, {"_type", "subject", "predicateType", "predicate"}));
  const json::Object& predicate = *TRY(object_member(object, "predicate"));
  Passport out;
  TRY(parse_predicate(predicate, out));
  std::size_t at = 0;
  TRY(each(object, "subject", kMaxFiles, [&](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "digest"}));
    const Artefact subject = TRY(parse_artefact(one));
    if (at == out.files.size() || out.files[at].name != subject.name ||
        out.files[at].sha256 != subject.sha256) {
      return malformed("must list the files of the predicate, in their order");
    }
    ++at;
    return {};
  }));
  if (at != out.files.size()) return malformed("subject must list every file of the predicate");
  return out;
}

std::vector<std::string> chain_gaps(const Passport& passport) {
  std::vector<std::string> out;
  if (passport.descent.empty()) {
    out.emplace_back("no statement says where this model comes from");
    return out;
  }
  const auto holds = [](const std::vector<Artefact>& list, const Digest& digest) {
    return std::ranges::find(list, digest, &Artefact::sha256) != list.end();
  };
  const Derivation& last = passport.descent.back().statement;
  const bool tied = std::ranges::any_of(
      passport.files, [&](const PassportFile& file) { return holds(last.outputs, file.sha256); });
  if (!tied) {
    out.push_back(fmt::format("the last step ({}) came to another file than this model",
                              to_string(last.step)));
  }
  bool pretrained = false;
  for (std::size_t i = 0; i < passport.descent.size(); ++i) {
    const Derivation& step = passport.descent[i].statement;
    pretrained = pretrained || step.step == Step::kPretrained;
    for (const Input& input : step.inputs) {
      if (input.role != InputRole::kBase && input.role != InputRole::kParent) continue;
      const bool known = std::ranges::any_of(
          passport.descent.begin(), passport.descent.begin() + static_cast<std::ptrdiff_t>(i),
          [&](const DescentStep& one) {
            return holds(one.statement.outputs, input.artefact.sha256);
          });
      if (!known) {
        out.push_back(fmt::format("step {} ({}): nothing says where its {} {} ({}...) comes from",
                                  i + 1, to_string(step.step), to_string(input.role),
                                  shown(input.artefact.name),
                                  to_hex(input.artefact.sha256).substr(0, 12)));
      }
    }
  }
  if (!pretrained) out.emplace_back("no step says who trained the original model");
  return out;
}

}  // namespace candor::passport
