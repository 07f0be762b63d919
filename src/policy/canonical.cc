// The one spelling of rules that their digest is taken over, and the way back.
#include <algorithm>
#include <array>

#include "json/json.h"
#include "policy/rule.h"

namespace candor::policy {
namespace {

// In BreakGlass's order.
constexpr std::array<std::string_view, 3> kBreakGlass{"approved", "alone", "never"};

json::Object message_object(const Message& message) {
  return json::Object{{"de", message.german}, {"en", message.english}};
}

Error broken() { return {Code::kDataLoss, "this is no canonical text of rules"}; }

// Takes members out of an object; what is not there makes the whole text broken.
class Members {
 public:
  explicit Members(const json::Value& value)
      : object_(value.is_object() ? &value.get_object() : nullptr) {}

  [[nodiscard]] std::string text(std::string_view name) {
    const json::Value* value = object_ == nullptr ? nullptr : json::find(*object_, name);
    if (value == nullptr || !value->is_string()) {
      ok_ = false;
      return {};
    }
    return std::string(value->as_string());
  }
  [[nodiscard]] Message message(std::string_view name) {
    static const json::Value kNothing;
    const json::Value* value = object_ == nullptr ? nullptr : json::find(*object_, name);
    Members inner(value == nullptr ? kNothing : *value);
    Message out;
    out.german = inner.text("de");
    out.english = inner.text("en");
    ok_ = ok_ && inner.ok();
    return out;
  }
  [[nodiscard]] json::Array array(std::string_view name) {
    const json::Value* value = object_ == nullptr ? nullptr : json::find(*object_, name);
    if (value == nullptr || !value->is_array()) {
      ok_ = false;
      return {};
    }
    return value->get_array();
  }
  template <typename T>
  [[nodiscard]] T known(const std::optional<T>& value) {
    if (!value) ok_ = false;
    return value.value_or(T{});
  }
  [[nodiscard]] bool ok() const noexcept { return ok_ && object_ != nullptr; }

 private:
  const json::Object* object_;
  bool ok_ = true;
};

Result<Rule> read_rule(const json::Value& value) {
  Members in(value);
  Rule rule;
  rule.id = in.text("id");
  rule.effect = in.known(effect_from(in.text("effect")));
  rule.break_glass = in.known(break_glass_from(in.text("break_glass")));
  rule.when.text = in.text("when");
  rule.select.text = in.text("select");
  rule.to = in.text("to");
  rule.message = in.message("message");
  rule.instead = in.message("instead");
  for (const json::Value& reference : in.array("references")) {
    if (!reference.is_string()) return std::unexpected(broken());
    rule.references.emplace_back(reference.as_string());
  }
  if (!in.ok()) return std::unexpected(broken());
  return rule;
}

}  // namespace

std::string_view to_string(BreakGlass who) noexcept {
  return kBreakGlass[static_cast<std::size_t>(who)];
}

std::optional<BreakGlass> break_glass_from(std::string_view text) noexcept {
  const auto* const found = std::ranges::find(kBreakGlass, text);
  if (found == kBreakGlass.end()) return std::nullopt;
  return static_cast<BreakGlass>(found - kBreakGlass.begin());
}

std::string canonical_form(std::span<const RuleFile> files) {
  json::Array policies;
  for (const RuleFile& file : files) {
    json::Array rules;
    for (const Rule& rule : file.rules) {
      json::Object one;
      one["id"] = rule.id;
      one["effect"] = to_string(rule.effect);
      one["break_glass"] = to_string(rule.break_glass);
      one["when"] = rule.when.text;
      one["select"] = rule.select.text;
      one["to"] = rule.to;
      one["message"] = message_object(rule.message);
      one["instead"] = message_object(rule.instead);
      one["references"] = json::Array(rule.references.begin(), rule.references.end());
      rules.push_back(std::move(one));
    }
    policies.push_back(json::Object{{"policy", file.name},
                                    {"jurisdiction", file.jurisdiction},
                                    {"default", to_string(file.otherwise)},
                                    {"rules", std::move(rules)}});
  }
  const json::Object all{{"format", 1}, {"policies", std::move(policies)}};
  // Cannot fail: no fractions, and TOML's texts are UTF-8.
  return json::canonical(all).value();
}

Result<std::vector<RuleFile>> read_canonical_form(std::string_view json) {
  const auto parsed = json::parse(json);
  if (!parsed) return std::unexpected(broken());
  Members all(*parsed);
  std::vector<RuleFile> files;
  for (const json::Value& value : all.array("policies")) {
    Members in(value);
    RuleFile file;
    file.name = in.text("policy");
    file.origin = file.name;
    file.jurisdiction = in.text("jurisdiction");
    file.otherwise = in.known(effect_from(in.text("default")));
    for (const json::Value& rule : in.array("rules")) file.rules.push_back(TRY(read_rule(rule)));
    if (!in.ok()) return std::unexpected(broken());
    files.push_back(std::move(file));
  }
  if (!all.ok() || canonical_form(files) != json) return std::unexpected(broken());
  return files;
}

}  // namespace candor::policy
