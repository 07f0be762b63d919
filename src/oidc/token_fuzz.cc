// Properties: a token or a key set is refused or read; nothing that the test key has not signed is
// ever taken, whatever of a good token is replaced; of what it has signed only claims are taken
// that say what is expected, as read here a second time.
// Input, by its first byte:
//   {  a key set
//   !  a header, a line feed and claims, which the test key signs
//   ~  two numbers of two bytes, and what replaces so many bytes of a good token from there on
//   else a token
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "crypto/sign.h"
#include "json/json.h"
#include "oidc/token.h"

namespace candor::oidc {
namespace {

using crypto::JwsAlgorithm;

constexpr std::int64_t kNow = 1'800'000'000;

const crypto::SigningKey& key() {
  static const auto made = crypto::SigningKey::from_seed(Sensitive<Digest>(Digest{std::byte{7}}));
  return made;
}

// The test key, one of RSA that signed nothing here, and the test key's bytes as a symmetric one.
const KeySet& keys() {
  static const KeySet made = [] {
    const std::string x = to_base64url(key().public_key());
    auto set = parse_key_set(R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":")" + x +
                             R"("},{"kty":"oct","kid":"two","alg":"HS256","k":")" + x +
                             R"("},{"kty":"RSA","kid":"three","e":"AQAB","n":")" +
                             to_base64url(Bytes(256, std::byte{0xC5})) + R"("}]})");
    CANDOR_CHECK(set.has_value() && set->keys.size() == 2);  // no symmetric key is one
    return *std::move(set);
  }();
  return made;
}

const Expected& expected() {
  static const Expected made{
      .issuer = "https://id.example",
      .audiences = {"candor"},
      .algorithms = {JwsAlgorithm::kEdDsa, JwsAlgorithm::kRs256, JwsAlgorithm::kPs256}};
  return made;
}

std::string signed_token(std::string_view header, std::string_view claims) {
  std::string text = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(claims));
  text += "." + to_base64url(key().sign(as_bytes(text)));
  return text;
}

bool is_text(const json::Value* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->get_string() == text;
}

void check_taken(const Claims& taken, std::string_view header_text, std::string_view claims_text) {
  const auto header = json::parse(header_text);
  const auto claims = json::parse(claims_text);
  CANDOR_CHECK(header && header->is_object() && claims && claims->is_object());
  CANDOR_CHECK(is_text(json::find(header->get_object(), "alg"), "EdDSA"));
  CANDOR_CHECK(json::find(header->get_object(), "crit") == nullptr);
  const json::Object& said = claims->get_object();
  CANDOR_CHECK(is_text(json::find(said, "iss"), "https://id.example"));
  CANDOR_CHECK(is_text(json::find(said, "sub"), taken.user));
  CANDOR_CHECK(!taken.user.empty() && taken.user.size() <= 255);
  const json::Value* audience = json::find(said, "aud");
  CANDOR_CHECK(audience != nullptr);
  CANDOR_CHECK(is_text(audience, "candor") ||
               (audience->is_array() &&
                std::ranges::any_of(audience->get_array(), [](const json::Value& one) {
                  return is_text(&one, "candor");
                })));
  const json::Value* until = json::find(said, "exp");
  CANDOR_CHECK(until != nullptr && until->is_number());
  CANDOR_CHECK(until->to_number<double>() > static_cast<double>(kNow - 60));
  CANDOR_CHECK(taken.expires_s > kNow - 60);
  if (const json::Value* from = json::find(said, "nbf")) {
    CANDOR_CHECK(from->is_number());
    CANDOR_CHECK(from->to_number<double>() < static_cast<double>(kNow + 61));
  }
  CANDOR_CHECK(taken.groups.size() <= kMaxGroups);
}

void sign_and_check(std::string_view input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view header = input.substr(0, end);
  const std::string_view claims = input.substr(std::min(end + 1, input.size()));
  const std::string token = signed_token(header, claims);
  const auto taken = verify_token(token, keys(), expected(), kNow);
  if (!taken) return;
  check_taken(*taken, header, claims);
  // Without the signature, under another algorithm, with another key, on another day: nothing.
  const std::string body = token.substr(0, token.rfind('.'));
  const std::string other_header = to_base64url(as_bytes(std::string_view(R"({"alg":"none"})")));
  CANDOR_CHECK(!verify_token(body + ".", keys(), expected(), kNow));
  CANDOR_CHECK(
      !verify_token(other_header + body.substr(body.find('.')) + ".", keys(), expected(), kNow));
  CANDOR_CHECK(!verify_token(token, {}, expected(), kNow));
  CANDOR_CHECK(!verify_token(token, keys(), expected(), taken->expires_s + 60));
}

void splice(std::string_view input) {
  static const std::string good = signed_token(
      R"({"alg":"EdDSA","kid":"one","typ":"at+jwt"})",
      R"({"iss":"https://id.example","sub":"ada","aud":"candor","exp":1800000300,"groups":["ml"]})");
  if (input.size() < 4) return;
  const auto number = [&](std::size_t at) {
    return std::size_t{static_cast<unsigned char>(input[at])} * 256 +
           static_cast<unsigned char>(input[at + 1]);
  };
  const std::size_t begin = number(0) % (good.size() + 1);
  std::string changed = good;
  changed.replace(begin, number(2) % (good.size() - begin + 1), input.substr(4));
  CANDOR_CHECK(verify_token(changed, keys(), expected(), kNow).has_value() == (changed == good));
}

}  // namespace
}  // namespace candor::oidc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("{")) {
    if (const auto set = oidc::parse_key_set(text)) {
      CANDOR_CHECK(set->keys.size() <= oidc::kMaxKeys);
    }
  } else if (text.starts_with("!")) {
    oidc::sign_and_check(text.substr(1));
  } else if (text.starts_with("~")) {
    oidc::splice(text.substr(1));
  } else {
    CANDOR_CHECK(!oidc::verify_token(text, oidc::keys(), oidc::expected(), oidc::kNow));
  }
  return 0;
}
