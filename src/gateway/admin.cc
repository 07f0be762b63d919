#include "gateway/admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include <grp.h>
#include <pwd.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/acts.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"
#include "ledger/merkle.h"
#include "store/auditor_key.h"

namespace candor::gateway {
namespace {

constexpr std::size_t kMaxReason = 4'096;
constexpr std::int64_t kMaxEntries = 1'000;
// What is not JSON goes out as it is, under this type.
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// The value of a name in a query string; our own CLI writes it without escapes.
std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return std::string(pair.substr(equals + 1));
    }
  }
  return {};
}

Result<Id128> exchange_id(std::string_view hex) {
  auto id = id_from_hex(hex);
  if (!id) return fail(Code::kInvalidArgument, "an exchange is 32 lower-case hex digits");
  return id;
}

// What every act's body may hold.
Result<void> check_act(const json::Object& body) {
  if (const json::Value* reason = json::find(body, "reason");
      reason != nullptr && (!reason->is_string() || reason->as_string().size() > kMaxReason ||
                            !is_utf8(std::string_view(reason->as_string())))) {
    return fail(Code::kInvalidArgument, "a reason is UTF-8 text of at most 4,096 bytes");
  }
  // Entries have a place for it (docs/formats/entries.md); nobody checks one yet, so none may
  // believe that it was recorded.
  if (json::find(body, "approver") != nullptr) {
    return fail(Code::kInvalidArgument,
                "an approver is not taken yet: no act of this version needs a second person");
  }
  return {};
}

}  // namespace

std::string optional_text(const json::Object& object, std::string_view key) {
  const json::Value* value = json::find(object, key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

Transcript sealed_field(std::string path, std::string_view text) {
  Transcript fields;
  fields.push_back({std::move(path), Sensitive<std::string>(std::string(text))});
  return fields;
}

struct Admin::Route {
  http::Method method;
  std::string_view path;
  Verb verb;
};

const Admin::Route Admin::kRoutes[] = {
    {http::Method::kGet, "/v1/status", &Admin::status},
    {http::Method::kGet, "/v1/models", &Admin::models},
    {http::Method::kPost, "/v1/models/load", &Admin::load},
    {http::Method::kPost, "/v1/models/unload", &Admin::unload},
    {http::Method::kGet, "/v1/keys", &Admin::list_keys},
    {http::Method::kPost, "/v1/keys", &Admin::create_key},
    {http::Method::kPost, "/v1/keys/revoke", &Admin::revoke_key},
    {http::Method::kPost, "/v1/auditors", &Admin::add_auditor},
    {http::Method::kPost, "/v1/log/rotate", &Admin::rotate_log_key},
    {http::Method::kPost, "/v1/log/close", &Admin::close_log},
    {http::Method::kGet, "/v1/receipt", &Admin::receipt},
    {http::Method::kGet, "/v1/entries", &Admin::entries},
    {http::Method::kGet, "/v1/exchange", &Admin::exchange},
    {http::Method::kPost, "/v1/erase", &Admin::erase},
    {http::Method::kPost, "/v1/publish", &Admin::publish},
    {http::Method::kPost, "/v1/reload", &Admin::reload_verb},
    {http::Method::kGet, "/v1/stops", &Admin::halts},
    {http::Method::kPost, "/v1/stops", &Admin::halt},
    {http::Method::kPost, "/v1/stops/resume", &Admin::resume},
    {http::Method::kGet, "/v1/revocations", &Admin::revocations},
    {http::Method::kPost, "/v1/revocations", &Admin::revoke},
    {http::Method::kPost, "/v1/revocations/reinstate", &Admin::reinstate},
    {http::Method::kPost, "/v1/revocations/import", &Admin::import_revocations},
    {http::Method::kGet, "/v1/revocations/list", &Admin::revocation_list},
    {http::Method::kGet, "/v1/exceptions", &Admin::exceptions},
    {http::Method::kPost, "/v1/exceptions", &Admin::open_exception},
    {http::Method::kPost, "/v1/exceptions/close", &Admin::close_exception},
    {http::Method::kGet, "/v1/callers", &Admin::callers},
    {http::Method::kPost, "/v1/replays", &Admin::replay_note},
    {http::Method::kGet, "/v1/budgets", &Admin::budgets},
    {http::Method::kPost, "/v1/budgets/reconcile", &Admin::reconcile},
    {http::Method::kPost, "/v1/shutdown", &Admin::shutdown},
    {http::Method::kGet, "/v1/metrics", &Admin::metrics},
};

Admin::Admin(Gateway& gateway, store::Store& store, engine::EngineSupervisor* supervisor,
             AdminOptions options)
    : gateway_(gateway),
      services_(gateway.services()),
      store_(store),
      supervisor_(supervisor),
      options_(std::move(options)) {}

Admin::~Admin() = default;

bool Admin::admitted(const http::Peer& peer) const {
  const auto& user = peer.at_accept_user();
  if (peer.kind() != http::PeerKind::kUnix || !user) return false;
  if (user->uid == 0 || user->uid == options_.owner_uid) return true;
  if (user->gid == options_.owner_gid) return true;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4'096> buffer{};
  if (::getpwuid_r(user->uid, &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return false;
  }
  std::array<gid_t, 256> groups{};
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) return false;
  const auto listed = std::span(groups).first(static_cast<std::size_t>(count));
  return std::find(listed.begin(), listed.end(), options_.owner_gid) != listed.end();
}

std::string Admin::refusal(const http::Peer& /*peer*/, int status, std::string_view reason) {
  json::Object error;
  error["code"] = status == 503 ? "unavailable" : "invalid_argument";
  error["message"] = reason;
  json::Object body;
  body["error"] = std::move(error);
  return json::to_text(json::Value(std::move(body)));
}

Task<void> Admin::handle(http::Call& call) {
  const http::Request& http = call.request();
  Result<json::Value> result = fail(Code::kNotFound, "there is no such administrative verb");
  if (!admitted(call.peer())) {
    result = fail(Code::kPermissionDenied,
                  "only the server's own user, its group and root administrate it");
  } else {
    Request request{.http = http, .body = {}, .actor = {}, .actor_name = {}};
    request.actor_name = "uid:" + std::to_string(call.peer().at_accept_user()->uid);
    const auto route = std::find_if(std::begin(kRoutes), std::end(kRoutes), [&](const Route& r) {
      return r.method == http.method && r.path == http.path;
    });
    if (route != std::end(kRoutes)) {
      Result<void> ready;
      if (http.method == http::Method::kPost) {
        auto subject = co_await subject_of(services_, request.actor_name);
        if (subject) request.actor = *std::move(subject);
        const std::string& text = http.body.reveal();
        auto parsed =
            json::parse(text.empty() ? "{}" : text, {.max_bytes = 1U << 20U, .max_depth = 8});
        // A stop is in force first, whatever the disk says of who wants it.
        if (!subject && route->verb != &Admin::halt && route->verb != &Admin::revoke) {
          ready = std::unexpected(subject.error());
        } else if (!parsed || !parsed->is_object()) {
          ready = fail(Code::kInvalidArgument, "the body must be one JSON object");
        } else {
          request.body = std::move(parsed->as_object());
          ready = check_act(request.body);
        }
      }
      if (ready) {
        result = co_await (this->*route->verb)(request);
      } else {
        result = std::unexpected(ready.error());
      }
    }
  }
  http::Reply reply;
  if (result) {
    const bool plain = result->is_string();
    reply.headers.add("content-type", plain ? kPlain : std::string_view("application/json"));
    reply.body = plain ? std::string(result->as_string()) : json::to_text(*result);
  } else {
    reply.status = dialect::make_error(result.error().code(), "").status;
    reply.headers.add("content-type", "application/json");
    json::Object error;
    error["code"] = to_string(result.error().code());
    error["message"] = result.error().message();
    json::Object body;
    body["error"] = std::move(error);
    reply.body = json::to_text(json::Value(std::move(body)));
  }
  (void)co_await call.reply(std::move(reply));
}

Task<Result<std::uint64_t>> Admin::record(const Request& request, std::string verb,
                                          std::string object, Transcript more) {
  Act act{.verb = std::move(verb),
          .object = std::move(object),
          .reason = optional_text(request.body, "reason"),
          .more = std::move(more)};
  co_return co_await record_act(services_, request.actor, std::move(act));
}

Task<Result<std::uint64_t>> Admin::note(std::string verb, std::string object, std::string result) {
  const store::Subject nobody;
  Act act{.verb = std::move(verb), .object = std::move(object), .result = std::move(result)};
  co_return co_await record_act(services_, nobody, std::move(act));
}

// ---- models

Task<Result<json::Value>> Admin::load(Request& request) {
  const auto name = json::get_string(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  if (supervisor_ == nullptr)
    co_return fail(Code::kNotFound, "no model of this server is supervised");
  const std::string model(*name);
  const auto loaded = co_await supervisor_->load(model);
  if (!loaded) co_return std::unexpected(loaded.error());
  const std::uint64_t index = CO_TRY(co_await record(request, "model.load", model));
  json::Object out;
  out["load"] = (*loaded)->load_id;
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::unload(Request& request) {
  const auto name = json::get_string(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  if (supervisor_ == nullptr)
    co_return fail(Code::kNotFound, "no model of this server is supervised");
  const std::string model(*name);
  const auto done = co_await supervisor_->unload(model, std::chrono::milliseconds(30'000));
  if (!done) co_return std::unexpected(done.error());
  const std::uint64_t index = CO_TRY(co_await record(request, "model.unload", model));
  json::Object out;
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::add_auditor(Request& request) {
  const auto key = json::get_string(request.body, "public_key");
  if (!key) co_return std::unexpected(key.error());
  const auto parsed = store::parse_auditor_public(*key);
  if (!parsed) co_return std::unexpected(parsed.error());
  std::string name = optional_text(request.body, "label");
  if (name.empty()) name = "auditor";
  const auto added = co_await off_thread(services_.workers,
                                         [&] { return store_.keys().add_auditor(*parsed, name); });
  if (!added) co_return std::unexpected(added.error());
  const std::uint64_t index =
      CO_TRY(co_await record(request, "key.auditor", "", sealed_field("public_key", *key)));
  json::Object out;
  out["id"] = name;
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

// ---- the log itself (docs/formats/log-key.md)

Task<Result<json::Value>> Admin::rotate_log_key(Request& request) {
  std::uint64_t overlap = 0;
  if (const json::Value* value = json::find(request.body, "overlap");
      value != nullptr && value->is_int64() && value->as_int64() > 0) {
    overlap = static_cast<std::uint64_t>(value->as_int64());
  }
  co_return co_await wish(request, "key.rotate",
                          [this, overlap] { return store_.change_log_key(overlap); });
}

Task<Result<json::Value>> Admin::close_log(Request& request) {
  co_return co_await wish(request, "log.close", [this] { return store_.close_log(); });
}

// The wish first, since it may be refused; what no entry speaks of does not happen.
Task<Result<json::Value>> Admin::wish(Request& request, std::string verb,
                                      std::function<Result<void>()> make) {
  if (optional_text(request.body, "reason").empty()) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  const auto wished = co_await off_thread(services_.workers, [&] { return make(); });
  if (!wished) co_return std::unexpected(wished.error());
  const auto index = co_await record(request, std::move(verb), "");
  if (!index) {
    (void)co_await off_thread(services_.workers, [&] { return store_.withdraw_log_wishes(); });
    co_return std::unexpected(index.error());
  }
  json::Object out;
  out["index"] = number(*index);
  co_return json::Value(std::move(out));
}

// ---- the record

Task<Result<json::Value>> Admin::receipt(Request& request) {
  const Id128 id = CO_TRY(exchange_id(query_value(request.http.query, "exchange")));
  auto text = co_await off_thread(services_.workers, [&] { return store_.receipt(id); });
  if (!text) co_return std::unexpected(text.error());
  co_return json::Value(*text);
}

Task<Result<json::Value>> Admin::entries(Request& request) {
  const auto integer = [&](std::string_view name, std::int64_t otherwise) {
    const std::string text = query_value(request.http.query, name);
    std::int64_t value = otherwise;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : otherwise;
  };
  const auto head = store_.ledger().head();
  const auto size = static_cast<std::int64_t>(head ? head->size : 0);
  std::int64_t from = integer("from", -20);
  if (from < 0) from = std::max<std::int64_t>(0, size + from);
  const std::int64_t count = std::clamp<std::int64_t>(integer("count", 100), 0, kMaxEntries);
  const std::int64_t end = std::min(size, from + count);
  auto list = co_await off_thread(services_.workers, [&]() -> Result<json::Array> {
    json::Array out;
    for (std::int64_t index = from; index < end; ++index) {
      const std::string text = TRY(store_.ledger().read(static_cast<std::uint64_t>(index)));
      json::Object item;
      item["index"] = index;
      item["leaf"] = to_base64(ledger::hash_leaf(as_bytes(text)));
      item["entry"] = TRY(json::parse(text));
      out.emplace_back(std::move(item));
    }
    return out;
  });
  if (!list) co_return std::unexpected(list.error());
  json::Object out;
  out["size"] = size;
  out["entries"] = *std::move(list);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::exchange(Request& request) {
  const Id128 id = CO_TRY(exchange_id(query_value(request.http.query, "id")));
  auto out = co_await off_thread(services_.workers, [&]() -> Result<json::Object> {
    const store::StoredExchange found = TRY(store_.exchange(id));
    json::Object object;
    json::Object intent;
    intent["index"] = found.row.intent;
    intent["entry"] = TRY(json::parse(found.intent));
    object["intent"] = std::move(intent);
    object["outcome"] = nullptr;
    object["abort"] = nullptr;
    if (found.end) {
      json::Object end;
      end["index"] = found.row.end;
      end["entry"] = TRY(json::parse(*found.end));
      object[found.row.end_kind == store::End::kAbort ? "abort" : "outcome"] = std::move(end);
    }
    object["released_bytes"] = found.row.released_bytes;
    object["erased"] = found.row.erased;
    return object;
  });
  if (!out) co_return std::unexpected(out.error());
  co_return json::Value(*std::move(out));
}

Task<Result<json::Value>> Admin::erase(Request& request) {
  store::ErasureRequest erasure;
  erasure.actor = request.actor;
  erasure.reason = optional_text(request.body, "reason");
  if (erasure.reason.empty() || erasure.reason.size() > kMaxReason || !is_utf8(erasure.reason)) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  const std::string exchange_hex = optional_text(request.body, "exchange");
  const std::string caller = optional_text(request.body, "caller");
  if (exchange_hex.empty() == caller.empty()) {
    co_return fail(Code::kInvalidArgument, "name either one exchange or one caller");
  }
  if (!exchange_hex.empty()) erasure.exchange = CO_TRY(exchange_id(exchange_hex));
  if (json::find(request.body, "fields") != nullptr) {
    const auto list = json::get_array(request.body, "fields");
    if (!list) co_return std::unexpected(list.error());
    for (const json::Value& path : **list) {
      if (!path.is_string()) co_return fail(Code::kInvalidArgument, "fields lists paths");
      erasure.fields.emplace_back(path.as_string());
    }
    if (erasure.fields.empty()) co_return fail(Code::kInvalidArgument, "fields lists none");
  }
  if (const std::string secret = optional_text(request.body, "secret"); !secret.empty()) {
    erasure.secret = Sensitive<Digest>(CO_TRY(digest_from_base64(secret)));
  }
  if (!caller.empty()) {
    erasure.caller =
        CO_TRY(co_await off_thread(services_.workers, [&] { return subject_name(caller); }));
    if (services_.halts.in_force("user", *erasure.caller) != nullptr) {
      co_return fail(Code::kFailedPrecondition,
                     "this caller is stopped, and who is stopped and why is kept until it is "
                     "resumed: candor resume --user first");
    }
    CO_TRY(co_await drop_ended_exceptions());
    if (services_.exceptions.names(*erasure.caller)) {
      co_return fail(Code::kFailedPrecondition,
                     "an exception from a rule names this caller: candor exception close first");
    }
  }
  std::string pseudonym, team;
  if (erasure.caller) {
    const auto subject = co_await off_thread(
        services_.workers, [&] { return services_.keys.find_subject(*erasure.caller); });
    if (subject) pseudonym = subject->pseudonym;
    const auto member = services_.budgets.members().find(pseudonym);
    if (member != services_.budgets.members().end()) team = member->second.team;
  }
  auto report = co_await off_thread(services_.workers, [&]() -> Result<store::ErasureReport> {
    // What the team used stays, and after this nothing else says which team it was.
    if (!team.empty()) TRY(store_.state().keep_team(pseudonym, team));
    return store_.erase(erasure);
  });
  if (!report) co_return std::unexpected(report.error());
  services_.budgets.forget(pseudonym);
  services_.subjects.clear();
  if (supervisor_ != nullptr) co_await supervisor_->forget();  // the engines' own memory (S3)
  json::Object out;
  out["index"] = number(report->index);
  json::Array exchanges;
  for (const Id128& id : report->exchanges) exchanges.emplace_back(to_hex(id));
  out["exchanges"] = std::move(exchanges);
  out["destroyed"] = number(report->destroyed);
  json::Array unreachable;
  for (const std::string& what : report->unreachable) unreachable.emplace_back(what);
  out["unreachable"] = std::move(unreachable);
  log_info("admin.erased", {{"index", report->index}, {"destroyed", report->destroyed}});
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::publish(Request& /*request*/) {
  const auto done =
      co_await off_thread(services_.workers, [&] { return store_.ledger().publish(); });
  if (!done) co_return std::unexpected(done.error());
  json::Object out;
  out["size"] = number(store_.published_size());
  co_return json::Value(std::move(out));
}

// ---- the server itself

Task<Result<json::Object>> Admin::reload(std::string actor_name, std::string reason) {
  store::Subject actor;
  if (!actor_name.empty()) actor = CO_TRY(co_await subject_of(services_, actor_name));
  const ReloadReport report = CO_TRY(co_await options_.reload());
  (void)CO_TRY(
      co_await record_act(services_, actor, {.verb = "reload", .reason = std::move(reason)}));
  ledger::Configuration entry;
  entry.at = services_.stamp();
  entry.changed = report.changed;
  if (entry.changed.size() > 256) entry.changed.resize(256);
  entry.note = make_id(services_.random);
  auto note = co_await off_thread(services_.workers, [&] {
    Transcript fields;
    fields.push_back({"configuration", Sensitive<std::string>(report.text)});
    return store::seal_note(services_.keys, entry.note, actor.id, fields);
  });
  if (!note) co_return std::unexpected(note.error());
  entry.digest = note->commitment;  // never a bare hash: settings hold paths and names (S2, S3)
  auto text = CO_TRY(ledger::encode(entry));
  const auto acknowledged = co_await services_.acks.append({.entry = std::move(text),
                                                            .aux = std::move(note->aux),
                                                            .priority = store::Priority::kNormal,
                                                            .mark = {}});
  if (!acknowledged) co_return std::unexpected(acknowledged.error());
  log_info("configuration.reloaded", {{"index", acknowledged->index},
                                      {"changed", report.changed.size()},
                                      {"restart_needed", report.restart_needed.size()}});
  json::Object out;
  out["index"] = number(acknowledged->index);
  json::Array changed;
  for (const std::string& key : report.changed) changed.emplace_back(key);
  out["changed"] = std::move(changed);
  json::Array restart;
  for (const std::string& key : report.restart_needed) restart.emplace_back(key);
  out["restart_needed"] = std::move(restart);
  co_return out;
}

Task<Result<json::Value>> Admin::reload_verb(Request& request) {
  auto done = co_await reload(request.actor_name, optional_text(request.body, "reason"));
  if (!done) co_return std::unexpected(done.error());
  co_return json::Value(*std::move(done));
}

Task<Result<json::Value>> Admin::shutdown(Request& request) {
  (void)CO_TRY(co_await record(request, "shutdown", ""));
  options_.shut_down();
  co_return json::Value(json::Object());
}

Task<Result<json::Value>> Admin::metrics(Request& /*request*/) {
  co_return json::Value(gateway_.metrics_text(Labels::kAll));
}

}  // namespace candor::gateway
