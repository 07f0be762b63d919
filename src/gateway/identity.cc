#include "gateway/identity.h"

#include <algorithm>

#include "gateway/services.h"

namespace candor::gateway {
namespace {

constexpr std::uint32_t kNobody = 65'534;  // also what the kernel shows for an unmapped user
constexpr std::string_view kUseKey =
    "Send an API key of this server (made with `candor key create`).";

std::unexpected<Stranger> nobody(std::string message) {
  return std::unexpected(
      Stranger{.error = dialect::make_error(dialect::ErrorKind::kAuthentication, std::move(message),
                                            "", "invalid_api_key")});
}
std::unexpected<Stranger> stranger(std::string_view why) {
  return nobody(std::string(why) + " " + std::string(kUseKey));
}

// Three base64url parts, the first a JSON object: RFC 7519 section 3 in the compact form.
bool looks_like_jwt(std::string_view token) {
  return token.starts_with("eyJ") && std::count(token.begin(), token.end(), '.') == 2;
}

// Two of them may name two callers, and which one counts must not hang on their order (RFC 6750,
// sections 2 and 3.1). The same key in both fields is one.
bool has_two_credentials(const http::Headers& headers) {
  if (headers.count("authorization") > 1 || headers.count("x-api-key") > 1) return true;
  const std::string_view value = headers.find("authorization").value_or("");
  const std::string_view api_key = headers.find("x-api-key").value_or("");
  return !value.empty() && !api_key.empty() && http::bearer_token(value) != api_key;
}

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// The first group that is a team.
std::string team_of(const Caller& caller, const Settings& settings) {
  for (const std::string& team : settings.teams) {
    if (std::ranges::find(caller.groups, team) != caller.groups.end()) return team;
  }
  return {};
}

}  // namespace

std::expected<Caller, Stranger> identify(const http::Request& request, const http::Peer& peer,
                                         const Settings& settings, store::StateDb& keys,
                                         const OidcKeys* oidc, std::int64_t now_us) {
  if (has_two_credentials(request.headers)) {
    return std::unexpected(
        Stranger{.error = dialect::make_error(
                     dialect::ErrorKind::kInvalidRequest,
                     "The request holds two credentials. Send one, either in Authorization or in "
                     "x-api-key.",
                     "", "two_credentials")});
  }
  std::string_view token;
  if (const auto value = request.headers.find("authorization")) {
    const auto given = http::bearer_token(*value);
    // Where tokens count, what cannot be read is no reason to ask who else it might be.
    if (!given && oidc != nullptr) {
      return stranger("The Authorization header is not \"Bearer\" and one token.");
    }
    token = given.value_or("");
  }
  const std::string_view api_key = request.headers.find("x-api-key").value_or("");
  if (token.empty()) token = api_key;

  Caller caller;
  if (token.starts_with("cnd_")) {
    auto found = keys.find_api_key(token);
    if (!found) {
      if (found.error().code() != Code::kNotFound) {
        return stranger("The API key could not be checked now.");
      }
      return stranger("The API key is not known here.");
    }
    if (found->revoked) return stranger("The API key is revoked.");
    if (found->expires_us && *found->expires_us <= now_us) {
      return stranger("The API key has expired.");
    }
    caller.name = "key:" + found->id;
    caller.known_by = "api_key";
    caller.models = std::move(found->models);
    caller.owner = std::move(found->facts.owner);
    caller.team = std::move(found->facts.team);
    caller.purpose = std::move(found->facts.purpose);
    return caller;
  }
  if (oidc != nullptr ? token.contains('.') : looks_like_jwt(token)) {
    if (oidc == nullptr) return stranger("Sign-in tokens (OIDC) are not configured here.");
    auto claims = oidc->verify(token, now_us / 1'000'000);
    if (!claims) {
      std::string message(claims.error().message);
      auto why = nobody(message);
      if (claims.error().unavailable) {
        why.error().error =
            dialect::make_error(dialect::ErrorKind::kUnavailable, std::move(message));
      }
      why.error().newer_keys_may_help = claims.error().newer_keys_may_help;
      return why;
    }
    caller.name = "oidc:" + claims->user;
    caller.known_by = "oidc";
    caller.groups = std::move(claims->groups);
    return caller;
  }
  if (peer.certificate_name()) {
    caller.name = "cert:" + *peer.certificate_name();
    caller.known_by = "mtls";
    caller.ignored_bearer = !token.empty();
    return caller;
  }
  if (peer.kind() == http::PeerKind::kRemote || peer.over_tls()) {
    return stranger(token.empty() ? "An API key is needed." : "The API key is not known here.");
  }
  if (settings.require_key) return stranger("This server takes API keys only.");
  caller.ignored_bearer = !token.empty();

  const auto& user = peer.at_accept_user();
  if (!user) {
    return stranger("Which user of this machine asks could not be told from the connection.");
  }
  if (user->uid == kNobody || contains(settings.forwarder_uids, user->uid)) {
    return stranger("The process on the other end speaks for others.");
  }
  if (!settings.all_os_users && !contains(settings.os_uids, user->uid)) {
    return stranger("Your user of this machine is not on this server's list.");
  }
  caller.name = "uid:" + std::to_string(user->uid);
  caller.known_by = peer.kind() == http::PeerKind::kUnix ? "unix_socket" : "loopback";
  caller.by_os_user = true;
  return caller;
}

http::Task<std::expected<Caller, Stranger>> who_asks(Services& services, const Settings& settings,
                                                     http::Call& call) {
  const auto ask = [&] {
    return identify(call.request(), call.peer(), settings, services.state, services.oidc.get(),
                    services.clock.wall_us());
  };
  auto caller = ask();
  if (!caller && caller.error().newer_keys_may_help && co_await services.oidc->refresh()) {
    caller = ask();
  }
  if (caller && caller->by_os_user) {
    caller->groups = co_await services.os_groups.of(call.peer().at_accept_user()->uid,
                                                    services.clock, services.workers);
  }
  if (caller && caller->team.empty()) caller->team = team_of(*caller, settings);
  co_return caller;
}

}  // namespace candor::gateway
