#include "base/text.h"
#include "json/json.h"
#include "policy/facts.h"

namespace candor::policy {
namespace {

json::Array to_json(const Texts& texts) { return json::Array(texts.begin(), texts.end()); }

json::Value to_json(const FactRef& ref);

json::Array to_json(std::vector<FoundFact>& findings) {
  json::Array out;
  for (FoundFact& found : findings) {
    json::Object one;
    for (const FindingRow& row : finding_rows()) one[row.field] = to_json(row.in(found));
    out.push_back(std::move(one));
  }
  return out;
}

json::Value to_json(const FactRef& ref) {
  if (const auto* text = std::get_if<std::string*>(&ref)) return json::Value(**text);
  if (const auto* number = std::get_if<std::int64_t*>(&ref)) return json::Value(**number);
  if (const auto* flag = std::get_if<bool*>(&ref)) return json::Value(**flag);
  if (const auto* real = std::get_if<double*>(&ref)) return json::Value(**real);
  if (const auto* texts = std::get_if<Texts*>(&ref)) return to_json(**texts);
  return to_json(*std::get<std::vector<FoundFact>*>(ref));
}

}  // namespace

std::string facts_json(const Facts& facts) {
  Facts copy = facts;  // the rows hand out pointers for writing
  json::Object out;
  for (std::size_t i = 0; i < fact_rows().size(); ++i) {
    if (facts.unknown[i]) continue;
    const FactRow& row = fact_rows()[i];
    json::Object* into = &out;
    std::string_view path = row.path;
    for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.')) {
      json::Value& inner = (*into)[path.substr(0, dot)];
      if (!inner.is_object()) inner = json::Object();
      into = &inner.get_object();
      path.remove_prefix(dot + 1);
    }
    (*into)[path] =
        row.path == "time" ? json::Value(format_utc(facts.time_us)) : to_json(row.in(copy));
  }
  return json::to_text(json::Value(std::move(out)));
}

}  // namespace candor::policy
