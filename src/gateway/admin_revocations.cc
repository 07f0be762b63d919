// Revocations of weights on the admin socket (D9): halts by digest (gateway/halts.h), of the
// operator's own and of issuers' signed lists.
#include <algorithm>

#include "base/log.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"
#include "passport/revocation.h"

namespace candor::gateway {
namespace {

// What runs has been told to end; its engine waits no longer than this for it.
constexpr std::chrono::milliseconds kDrain{1'000};

Result<std::string> digest_of(const json::Object& body) {
  const std::string_view text = TRY(json::get_string(body, "sha256"));
  if (!digest_from_hex(text)) {
    return fail(Code::kInvalidArgument, "sha256 must be 64 lower-case hex digits");
  }
  return std::string(text);
}

Result<std::string> reason_of(const json::Object& body) {
  const auto reason = json::get_string(body, "reason");
  if (!reason || reason->find_first_not_of(" \t\n") == std::string_view::npos) {
    return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  return std::string(*reason);
}

std::string issuer_of(const Halt& halt) {
  return halt.scope == store::kRevoked ? std::string()
                                       : halt.scope.substr(store::kRevoked.size() + 1);
}

// In force, kept, on record: what failed of the last two.
Result<std::uint64_t> settled(const Result<void>& kept, const Result<std::uint64_t>& index) {
  if (kept && index) return *index;
  std::string message = "revoked, but ";
  if (!kept) message += "only until the server ends (" + kept.error().message() + ")";
  if (!kept && !index) message += " and ";
  if (!index) message += "not on record: " + index.error().message();
  return fail(Code::kUnavailable, std::move(message));
}

}  // namespace

Task<Result<json::Value>> Admin::revocations(Request& /*request*/) {
  json::Array revoked;
  for (const Halt& halt : services_.halts.all()) {
    if (!by_weights(halt)) continue;
    json::Array names;
    for (const std::string& name : services_.halts.names_of(halt.object)) names.emplace_back(name);
    json::Object item;
    item["sha256"] = halt.object;
    item["reason"] = halt.reason;
    item["since"] = format_utc(halt.since_us);
    item["issuer"] = issuer_of(halt);
    item["models"] = std::move(names);
    revoked.emplace_back(std::move(item));
  }
  json::Array lists;
  for (const RevocationIssuer& one : services_.halts.issuers()) {
    const auto bundle = passport::parse_bundle(one.bundle);
    json::Object item;
    item["issuer"] = one.key;
    item["sequence"] = one.sequence;
    item["document"] = to_hex(one.document);
    // Checked when it was taken.
    if (const auto list = bundle
                              ? passport::parse_revocations(as_text(bundle->envelope.payload))
                              : Result<passport::RevocationList>(std::unexpected(bundle.error()))) {
      item["name"] = list->issuer;
      item["made"] = list->made;
      item["count"] = list->revocations.size();
    }
    lists.emplace_back(std::move(item));
  }
  json::Object out;
  out["revocations"] = std::move(revoked);
  out["lists"] = std::move(lists);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::revocation_list(Request& request) {
  constexpr std::string_view kName = "issuer=";
  const std::string_view query = request.http.query;
  const std::string_view issuer =
      query.starts_with(kName) ? query.substr(kName.size()) : std::string_view();
  for (const RevocationIssuer& one : services_.halts.issuers()) {
    if (one.key == issuer) co_return json::Value(one.bundle);
  }
  co_return fail(Code::kNotFound,
                 "there is no list of this issuer here; see 'candor model revocations list'");
}

// In force first, then kept and on record: what fails on the way leaves it revoked.
Task<Result<json::Value>> Admin::revoke(Request& request) {
  Halt wanted{.scope = std::string(store::kRevoked),
              .object = CO_TRY(digest_of(request.body)),
              .reason = CO_TRY(reason_of(request.body)),
              .since_us = services_.clock.wall_us()};
  const std::size_t ended = services_.halts.put(wanted);
  log_warning("admin.revoked", {{"ended", ended}});
  const Result<void> kept =
      co_await off_thread(services_.workers, [&] { return services_.state.put_halt(wanted); });
  const auto index = co_await record(request, "model.revoke", "sha256:" + wanted.object);
  co_await unload_revoked();
  json::Object out;
  out["index"] = number(CO_TRY(settled(kept, index)));
  out["ended"] = ended;
  co_return json::Value(std::move(out));
}

// On record first, as a resumption.
Task<Result<json::Value>> Admin::reinstate(Request& request) {
  const std::string digest = CO_TRY(digest_of(request.body));
  (void)CO_TRY(reason_of(request.body));
  const Halt* found = services_.halts.in_force(store::kRevoked, digest);
  if (found == nullptr) {
    co_return fail(
        Code::kNotFound,
        "these weights are not revoked by the operator; what an issuer revoked, its next "
        "list takes back (see 'candor model revocations list')");
  }
  const Halt halt = *found;
  const std::uint64_t index =
      CO_TRY(co_await record(request, "model.reinstate", "sha256:" + digest));
  const auto removed =
      co_await off_thread(services_.workers, [&] { return services_.state.remove_halt(halt); });
  if (!removed) co_return std::unexpected(removed.error());
  services_.halts.remove(halt);
  co_await unload_revoked();
  json::Object out;
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::import_revocations(Request& request) {
  const std::string bundle(CO_TRY(json::get_string(request.body, "bundle")));
  const std::string pem(CO_TRY(json::get_string(request.body, "key")));
  const auto read =
      co_await off_thread(services_.workers, [&]() -> Result<passport::SignedRevocations> {
        const crypto::VerifyingKey key = TRY(crypto::VerifyingKey::from_pem(pem));
        return passport::read_signed_revocations(bundle, key);
      });
  if (!read) co_return std::unexpected(read.error());
  const RevocationIssuer issuer{.key = to_hex(read->list.issuer_key),
                                .sequence = read->list.sequence,
                                .document = read->document,
                                .bundle = bundle};
  json::Object out;
  out["issuer"] = issuer.key;
  out["name"] = read->list.issuer;
  out["sequence"] = issuer.sequence;
  out["revoked"] = read->list.revocations.size();
  const auto& lists = services_.halts.issuers();
  const auto older = std::ranges::find(lists, issuer.key, &RevocationIssuer::key);
  if (older != lists.end() &&
      !CO_TRY(passport::replaces(*read, older->sequence, older->document))) {
    out["changed"] = false;
    co_return json::Value(std::move(out));
  }
  std::vector<Halt> halts;
  for (const passport::Revocation& one : read->list.revocations) {
    halts.push_back({.scope = {},
                     .object = to_hex(one.sha256),
                     .reason = one.reason,
                     .since_us = services_.clock.wall_us()});
  }
  const std::size_t ended = services_.halts.put_list(issuer, halts);
  log_warning("admin.revocations", {{"revoked", halts.size()}, {"ended", ended}});
  const Result<void> kept = co_await off_thread(
      services_.workers, [&] { return services_.state.put_revocations(issuer, halts); });
  const auto index =
      co_await record(request, "revocations.import", "sha256:" + to_hex(issuer.document));
  co_await unload_revoked();
  out["changed"] = true;
  out["index"] = number(CO_TRY(settled(kept, index)));
  out["ended"] = ended;
  co_return json::Value(std::move(out));
}

Task<void> Admin::unload_revoked() {
  if (supervisor_ == nullptr) co_return;
  for (const engine::ModelStatus& model : supervisor_->status()) {
    const bool revoked =
        model.loaded != nullptr &&
        services_.halts.find_files(files_of(provenance_of(*model.loaded))) != nullptr;
    const bool waits =
        model.state == engine::ModelState::kBackoff && services_.halts.refused(model.name);
    if (!revoked && !waits) continue;
    (void)co_await supervisor_->unload(model.name, kDrain);
  }
}

}  // namespace candor::gateway
