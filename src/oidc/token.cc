#include "oidc/token.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "base/text.h"
#include "json/json.h"

namespace candor::oidc {
namespace {

using Outcome = std::expected<Claims, Refusal>;

std::unexpected<Refusal> refused(Refusal refusal) { return std::unexpected(refusal); }

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::ranges::find(list, value) != list.end();
}

std::optional<json::Object> object_in(std::string_view part) {
  const auto bytes = from_base64url(part);
  if (!bytes) return std::nullopt;
  auto value = json::parse(as_text(*bytes), {.max_bytes = kMaxTokenBytes, .max_depth = 8});
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->as_object());
}

std::optional<std::string_view> text_in(const json::Object& object, std::string_view name) {
  const json::Value* value = json::find(object, name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

// NumericDate (RFC 7519 section 2): whole or broken seconds. Nothing: absent; an error: no number.
std::expected<std::optional<std::int64_t>, Refusal> time_in(const json::Object& object,
                                                            std::string_view name) {
  constexpr double kLatest = 253'402'300'799;  // the year 9999
  const json::Value* value = json::find(object, name);
  if (value == nullptr) return std::optional<std::int64_t>();
  double seconds = -1;
  if (value->is_int64()) seconds = static_cast<double>(value->get_int64());
  if (value->is_double()) seconds = value->get_double();
  if (!(seconds >= 0 && seconds <= kLatest)) return refused(Refusal::kMalformed);
  return static_cast<std::int64_t>(std::floor(seconds));
}

// The texts of a claim that is one or a list of them.
std::optional<std::vector<std::string>> texts_in(const json::Object& object, std::string_view name,
                                                 std::size_t most) {
  std::vector<std::string> out;
  const json::Value* value = json::find(object, name);
  if (value == nullptr) return out;
  if (value->is_string()) {
    out.emplace_back(value->get_string());
    return out;
  }
  if (!value->is_array() || value->get_array().size() > most) return std::nullopt;
  for (const json::Value& item : value->get_array()) {
    if (!item.is_string()) return std::nullopt;
    out.emplace_back(item.get_string());
  }
  return out;
}

std::optional<Refusal> check_signature(const json::Object& header, std::string_view signed_part,
                                       ByteView signature, const KeySet& keys,
                                       const Expected& expected) {
  // A token whose header must be understood in ways that are not known here (RFC 7515, 4.1.11).
  if (json::find(header, "crit") != nullptr) return Refusal::kMalformed;
  const auto named = text_in(header, "alg");
  if (!named) return Refusal::kMalformed;
  const auto algorithm = crypto::jws_algorithm(*named);
  if (!algorithm || !contains(expected.algorithms, *algorithm)) {
    return Refusal::kAlgorithm;
  }
  // RFC 8725 section 3.11: a token of another kind (a logout token, say) is no access token.
  if (json::find(header, "typ") != nullptr) {
    std::string type(text_in(header, "typ").value_or("?"));
    std::ranges::transform(type, type.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    if (type != "jwt" && type != "at+jwt" && type != "application/at+jwt") {
      return Refusal::kMalformed;
    }
  }
  const auto id = text_in(header, "kid");
  if (!id && json::find(header, "kid") != nullptr) return Refusal::kMalformed;
  Refusal why = Refusal::kUnknownKey;
  for (const SetKey& key : keys.keys) {
    if (id && key.id != *id) continue;
    if (!key.key.fits(*algorithm) || (key.algorithm && *key.algorithm != *algorithm)) {
      if (id) why = Refusal::kAlgorithm;
      continue;
    }
    if (key.key.verify(*algorithm, as_bytes(signed_part), signature)) return std::nullopt;
    why = Refusal::kSignature;
  }
  return why;
}

}  // namespace

std::string_view explain(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::kMalformed:
      return "The sign-in token is not a JWT that can be read here. Sign in again.";
    case Refusal::kAlgorithm:
      return "The sign-in token is signed in a way that is not taken here. Ask the operator about "
             "oidc.algorithms.";
    case Refusal::kUnknownKey:
      return "The sign-in token is signed by a key that the identity provider does not name. Sign "
             "in again.";
    case Refusal::kSignature: return "The sign-in token's signature is wrong. Sign in again.";
    case Refusal::kIssuer:
      return "The sign-in token is from another identity provider than the one of this server.";
    case Refusal::kAudience:
      return "The sign-in token was made for another service. Ask the identity provider for one "
             "whose audience is this server.";
    case Refusal::kExpired: return "The sign-in token has expired. Sign in again.";
    case Refusal::kNotYet:
      return "The sign-in token is not valid yet. If this stays so, the clocks differ: tell the "
             "operator.";
    case Refusal::kNoUser:
      return "The sign-in token does not say who you are. Ask the operator about oidc.user_claim.";
  }
  return "";
}

Outcome verify_token(std::string_view token, const KeySet& keys, const Expected& expected,
                     std::int64_t now_s) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (token.size() > kMaxTokenBytes || second == std::string_view::npos) {
    return refused(Refusal::kMalformed);
  }
  const auto header = object_in(token.substr(0, first));
  const auto signature = from_base64url(token.substr(second + 1));
  if (!header || !signature) return refused(Refusal::kMalformed);
  if (const auto why =
          check_signature(*header, token.substr(0, second), *signature, keys, expected)) {
    return refused(*why);
  }
  // Only what a known key has signed is looked at from here.
  const auto claims = object_in(token.substr(first + 1, second - first - 1));
  if (!claims) return refused(Refusal::kMalformed);
  const auto issuer = text_in(*claims, "iss");
  if (!issuer || *issuer != expected.issuer) return refused(Refusal::kIssuer);
  const auto audiences = texts_in(*claims, "aud", kMaxGroups);
  if (!audiences) return refused(Refusal::kMalformed);
  if (!std::ranges::any_of(*audiences, [&](const std::string& audience) {
        return contains(expected.audiences, audience);
      })) {
    return refused(Refusal::kAudience);
  }
  const auto expires = time_in(*claims, "exp");
  const auto begins = time_in(*claims, "nbf");
  if (!expires || !*expires || !begins) return refused(Refusal::kMalformed);
  if (**expires + expected.skew_s <= now_s) return refused(Refusal::kExpired);
  if (*begins && **begins - expected.skew_s > now_s) return refused(Refusal::kNotYet);
  const auto user = text_in(*claims, expected.user_claim);
  if (!user || user->empty() || user->size() > 255 || strip_controls(*user) != *user) {
    return refused(Refusal::kNoUser);
  }
  auto groups = texts_in(*claims, expected.groups_claim, kMaxGroups);
  if (!groups) return refused(Refusal::kMalformed);
  return Claims{.user = std::string(*user), .groups = *std::move(groups), .expires_s = **expires};
}

}  // namespace candor::oidc
