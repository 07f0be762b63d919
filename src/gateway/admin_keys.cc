// API keys (A9, C7).
#include <array>
#include <cstdio>
#include <ctime>

#include "base/text.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"

namespace candor::gateway {
namespace {

// "2027-01-31T12:00:00Z" (RFC 3339, UTC, whole seconds) to microseconds since the epoch.
Result<std::int64_t> parse_time(std::string_view text) {
  std::tm parts{};
  char zone = 0;
  int end = 0;
  const std::string copy(text);
  const int got =
      std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%c%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &zone, &end);
  if (got != 7 || zone != 'Z' || end != static_cast<int>(copy.size()) || parts.tm_year < 1970) {
    return fail(Code::kInvalidArgument, "a time is written like 2027-01-31T00:00:00Z");
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const std::tm given = parts;
  const std::time_t seconds = ::timegm(&parts);
  if (parts.tm_mday != given.tm_mday || parts.tm_hour != given.tm_hour) {
    return fail(Code::kInvalidArgument, "there is no such day or hour");
  }
  return static_cast<std::int64_t>(seconds) * 1'000'000;
}

bool is_plain_line(std::string_view text) {
  return is_utf8(text) && strip_controls(text) == text && text.find_first_of("\n\t") == text.npos;
}

// What a key's maker says of it; each may be left out.
Result<store::KeyFacts> key_facts(const json::Object& body) {
  store::KeyFacts facts;
  for (const auto& [name, into] : {std::pair{"owner", &facts.owner}, std::pair{"team", &facts.team},
                                   std::pair{"purpose", &facts.purpose}}) {
    const json::Value* value = json::find(body, name);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_string() || value->as_string().empty() || value->as_string().size() > 128 ||
        !is_plain_line(value->as_string())) {
      return fail(Code::kInvalidArgument,
                  std::string(name) + " is one line of UTF-8 text of 1 to 128 bytes");
    }
    *into = std::string(value->as_string());
  }
  return facts;
}

}  // namespace

Task<Result<json::Value>> Admin::list_keys(Request& /*request*/) {
  auto keys =
      co_await off_thread(services_.workers, [&] { return store_.state().list_api_keys(); });
  if (!keys) co_return std::unexpected(keys.error());
  json::Array list;
  for (const store::ApiKey& key : *keys) {
    json::Object item;
    item["id"] = key.id;
    item["name"] = key.name;
    item["prefix"] = key.prefix;
    item["created"] = format_utc(key.created_us);
    item["expires"] = key.expires_us ? json::Value(format_utc(*key.expires_us)) : json::Value();
    json::Array models;
    for (const std::string& model : key.models) models.emplace_back(model);
    item["models"] = std::move(models);
    item["owner"] = key.facts.owner;
    item["team"] = key.facts.team;
    item["purpose"] = key.facts.purpose;
    item["revoked"] = key.revoked;
    list.emplace_back(std::move(item));
  }
  json::Object out;
  out["keys"] = std::move(list);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::create_key(Request& request) {
  const auto name = json::get_string(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  if (name->empty() || name->size() > 128 || !is_utf8(*name)) {
    co_return fail(Code::kInvalidArgument, "a key's name is UTF-8 text of 1 to 128 bytes");
  }
  std::optional<std::int64_t> expires;
  if (const json::Value* value = json::find(request.body, "expires"); value != nullptr) {
    if (value->is_int64()) {
      expires = value->as_int64();
    } else if (value->is_string()) {
      expires = CO_TRY(parse_time(value->as_string()));
    } else if (!value->is_null()) {
      co_return fail(Code::kInvalidArgument, "expires is a time like 2027-01-31T00:00:00Z");
    }
  }
  std::vector<std::string> models;
  if (json::find(request.body, "models") != nullptr) {
    const auto list = json::get_array(request.body, "models");
    if (!list) co_return std::unexpected(list.error());
    for (const json::Value& model : **list) {
      if (!model.is_string() || !services_.engines.has(std::string_view(model.as_string()))) {
        co_return fail(Code::kInvalidArgument, "models lists names of configured models");
      }
      models.emplace_back(model.as_string());
    }
  }
  const store::KeyFacts facts = CO_TRY(key_facts(request.body));
  Transcript sealed = sealed_field("name", *name);
  for (const auto& [path, text] : {std::pair{"owner", &facts.owner}, std::pair{"team", &facts.team},
                                   std::pair{"purpose", &facts.purpose}}) {
    if (!text->empty()) sealed.push_back({path, Sensitive<std::string>(*text)});
  }
  // The entry first: a key that stands in no entry must not exist, one too many in the log may.
  const std::uint64_t index = CO_TRY(co_await record(request, "key.create", "", std::move(sealed)));
  auto created = co_await off_thread(
      services_.workers, [&, key_name = std::string(*name), expires, models]() mutable {
        return store_.state().create_api_key(key_name, expires, std::move(models), facts,
                                             services_.clock.wall_us(), services_.random);
      });
  if (!created) co_return std::unexpected(created.error());
  json::Object out;
  out["id"] = created->key.id;
  out["key"] = created->secret.reveal();
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::revoke_key(Request& request) {
  const auto id = json::get_string(request.body, "id");
  if (!id) co_return std::unexpected(id.error());
  const std::string key(*id);
  const auto revoked =
      co_await off_thread(services_.workers, [&] { return store_.state().revoke_api_key(key); });
  if (!revoked) co_return std::unexpected(revoked.error());
  const std::uint64_t index = CO_TRY(co_await record(request, "key.revoke", key));
  json::Object out;
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
