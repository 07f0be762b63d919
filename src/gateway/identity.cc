#include "gateway/identity.h"

#include <algorithm>

namespace candor::gateway {
namespace {

constexpr std::uint32_t kNobody = 65'534;  // also what the kernel shows for an unmapped user
constexpr std::string_view kUseKey =
    "Send an API key of this server (made with `candor key create`).";

std::unexpected<Stranger> stranger(std::string_view why) {
  return std::unexpected(Stranger{std::string(why) + " " + std::string(kUseKey)});
}

// Three base64url parts, the first a JSON object: RFC 7519 section 3 in the compact form.
bool looks_like_jwt(std::string_view token) {
  return token.starts_with("eyJ") && std::count(token.begin(), token.end(), '.') == 2;
}

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::expected<Caller, Stranger> identify(const http::Request& request, const http::Peer& peer,
                                         const Settings& settings, store::StateDb& keys,
                                         std::int64_t now_us) {
  std::string_view token;
  if (const auto value = request.headers.find("authorization")) {
    token = http::bearer_token(*value).value_or("");
  }
  const std::string_view api_key = request.headers.find("x-api-key").value_or("");
  // A key of ours counts wherever it stands.
  if (api_key.starts_with("cnd_") || token.empty()) token = api_key;

  Caller caller;
  if (token.starts_with("cnd_")) {
    const auto found = keys.find_api_key(token);
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
    caller.models = found->models;
    return caller;
  }
  if (looks_like_jwt(token)) return stranger("Sign-in tokens (OIDC) are not configured here.");
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

}  // namespace candor::gateway
