#include "passport/internal/values.h"
#include "passport/oms_manifest.h"
#include "passport/passport.h"

namespace candor::passport {
namespace {

json::Object file_json(const PassportFile& file) {
  json::Array shards;
  for (const Digest& one : file.shards) shards.emplace_back(to_hex(one));
  return {{"name", file.name},
          {"role", to_string(file.role)},
          {"sha256", to_hex(file.sha256)},
          {"shards", std::move(shards)},
          {"size", file.bytes}};
}

json::Array list_json(const std::vector<std::string>& list) {
  json::Array out;
  for (const std::string& one : list) out.emplace_back(one);
  return out;
}

template <typename T>
json::Value value_json(const T& value) {
  if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return list_json(value);
  } else {
    return json::Value(value);
  }
}

template <typename T>
void put_stated(json::Object& out, std::string_view key, const std::optional<Stated<T>>& stated) {
  if (!stated) return;
  out[key] =
      json::Object{{"evidence", to_string(stated->evidence)}, {"value", value_json(stated->value)}};
}

json::Object about_json(const About& about) {
  json::Object out;
  put_stated(out, "architecture", about.architecture);
  put_stated(out, "licence", about.licence);
  put_stated(out, "quantisation", about.quantisation);
  put_stated(out, "parameters", about.parameters);
  put_stated(out, "context", about.context);
  put_stated(out, "languages", about.languages);
  put_stated(out, "modalities", about.modalities);
  return out;
}

json::Object evaluation_json(const Evaluation& one) {
  json::Object out{{"evidence", to_string(one.evidence)},
                   {"metric", one.metric},
                   {"name", one.name},
                   {"value", one.value}};
  put_text(out, "dataset", one.dataset);
  put_text(out, "slice", one.slice);
  put_text(out, "date", one.date);
  put_digest(out, "report_sha256", one.report_sha256);
  return out;
}

json::Object predicate_json(const Passport& passport) {
  json::Array files, adapters, descent, evaluations;
  for (const PassportFile& one : passport.files) files.push_back(file_json(one));
  for (const Artefact& one : passport.adapters) {
    adapters.push_back(json::Object{{"name", one.name}, {"sha256", to_hex(one.sha256)}});
  }
  for (const DescentStep& one : passport.descent) {
    json::Object step{{"statement", to_json(one.statement)}};
    if (!one.bundle.empty()) step["bundle"] = to_base64(one.bundle);
    descent.push_back(std::move(step));
  }
  for (const Evaluation& one : passport.evaluations) {
    evaluations.push_back(evaluation_json(one));
  }
  json::Object tokenizer, chat_template, origin;
  put_digest(tokenizer, "sha256", passport.tokenizer);
  put_digest(chat_template, "sha256", passport.chat_template);
  put_stated(origin, "organisation", passport.origin.organisation);
  put_stated(origin, "country", passport.origin.country);
  put_stated(origin, "jurisdiction", passport.origin.jurisdiction);
  put_stated(origin, "contact", passport.origin.contact);
  json::Object out{{"name", passport.name},
                   {"shard_bytes", kShardBytes},
                   {"files", std::move(files)},
                   {"tokenizer", std::move(tokenizer)},
                   {"template", std::move(chat_template)},
                   {"adapters", std::move(adapters)},
                   {"about", about_json(passport.about)},
                   {"descent", std::move(descent)},
                   {"evaluations", std::move(evaluations)},
                   {"use", json::Object{{"intended", list_json(passport.use.intended)},
                                        {"limits", list_json(passport.use.limits)},
                                        {"out_of_scope", list_json(passport.use.out_of_scope)}}},
                   {"origin", std::move(origin)},
                   {"made", json::Object{{"at", passport.made_at}, {"by", passport.made_by}}}};
  put_text(out, "version", passport.version);
  return out;
}

}  // namespace

Result<std::string> format_passport(const Passport& passport) {
  json::Array subject;
  for (const PassportFile& one : passport.files) {
    subject.push_back(artefact_json({.name = one.name, .sha256 = one.sha256}));
  }
  const json::Object document{{"_type", kStatementType},
                              {"subject", std::move(subject)},
                              {"predicateType", kPassportPredicate},
                              {"predicate", predicate_json(passport)}};
  std::string out = TRY(json::canonical(document));
  if (out.size() > kMaxPassportBytes) {
    return fail(Code::kResourceExhausted, "a passport has at most 16 MiB");
  }
  TRY(parse_passport(out));  // what cannot be read back is not written
  return out;
}

}  // namespace candor::passport
