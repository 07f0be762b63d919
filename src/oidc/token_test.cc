#include "oidc/token.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "crypto/sign.h"
#include "json/json.h"

namespace candor::oidc {
namespace {

using crypto::JwsAlgorithm;

constexpr std::int64_t kNow = 1'800'000'000;

class TokenTest : public testing::Test {
 protected:
  static std::string part(const json::Object& object) {
    return to_base64url(as_bytes(json::to_text(json::Value(object))));
  }
  std::string token(const json::Object& header, const json::Object& claims) const {
    const std::string text = part(header) + "." + part(claims);
    return text + "." + to_base64url(key_.sign(as_bytes(text)));
  }
  std::string token(const json::Object& claims) const { return token(header_, claims); }
  // The claims with one changed; null takes it away.
  json::Object with(std::string_view name, const json::Value& value) const {
    json::Object changed = claims_;
    if (value.is_null()) {
      changed.erase(name);
    } else {
      changed[name] = value;
    }
    return changed;
  }
  json::Object header_with(std::string_view name, const json::Value& value) const {
    json::Object changed = header_;
    changed[name] = value;
    return changed;
  }
  std::expected<Claims, Refusal> verify(const std::string& token) const {
    return verify_token(token, keys_, expected_, kNow);
  }
  Refusal refusal(const std::string& token) const {
    const auto outcome = verify(token);
    EXPECT_FALSE(outcome) << token;
    return outcome ? Refusal{} : outcome.error();
  }
  std::string key_json(std::string_view kid, std::string_view more = "") const {
    return R"({"kty":"OKP","crv":"Ed25519","kid":")" + std::string(kid) + R"(","x":")" +
           to_base64url(key_.public_key()) + "\"" + std::string(more) + "}";
  }
  KeySet set_of(const std::string& list) const {
    auto keys = parse_key_set("{\"keys\":[" + list + "]}");
    EXPECT_OK(keys);
    return *std::move(keys);
  }

  crypto::SigningKey key_ = crypto::SigningKey::generate(system_random());
  KeySet keys_ = set_of(key_json("one"));
  Expected expected_{.issuer = "https://id.example",
                     .audiences = {"candor"},
                     .algorithms = {JwsAlgorithm::kEdDsa, JwsAlgorithm::kRs256}};
  json::Object header_{{"alg", "EdDSA"}, {"kid", "one"}, {"typ", "at+jwt"}};
  json::Object claims_{{"iss", "https://id.example"}, {"sub", "ada"}, {"aud", "candor"},
                       {"exp", kNow + 300},           {"nbf", kNow},  {"iat", kNow},
                       {"groups", {"ml", "staff"}},   {"jti", "some"}};
};

TEST_F(TokenTest, C7_a_token_says_who_and_in_which_groups) {
  const auto claims = verify(token(claims_));
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->user, "ada");
  EXPECT_EQ(claims->groups, (std::vector<std::string>{"ml", "staff"}));
  EXPECT_EQ(claims->expires_s, kNow + 300);
  EXPECT_TRUE(verify(token(with("aud", {"other", "candor"}))));
  EXPECT_EQ(verify(token(with("groups", "ml")))->groups, std::vector<std::string>{"ml"});
  EXPECT_TRUE(verify(token(with("groups", nullptr)))->groups.empty());
}

TEST_F(TokenTest, C7_each_claim_is_checked) {
  EXPECT_EQ(refusal(token(with("iss", "https://id.example/"))), Refusal::kIssuer);
  EXPECT_EQ(refusal(token(with("iss", nullptr))), Refusal::kIssuer);
  EXPECT_EQ(refusal(token(with("aud", "candor2"))), Refusal::kAudience);
  EXPECT_EQ(refusal(token(with("aud", nullptr))), Refusal::kAudience);
  EXPECT_EQ(refusal(token(with("aud", {"candor", 1}))), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(with("exp", nullptr))), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(with("exp", "1800000300"))), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(with("exp", 1e300))), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(with("exp", -1))), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(with("sub", nullptr))), Refusal::kNoUser);
  EXPECT_EQ(refusal(token(with("sub", ""))), Refusal::kNoUser);
  EXPECT_EQ(refusal(token(with("sub", json::Value(std::string(256, 'a').c_str())))),
            Refusal::kNoUser);
  EXPECT_EQ(refusal(token(with("sub", "ada\x1b[31m"))), Refusal::kNoUser);
  EXPECT_EQ(refusal(token(with("groups", {1}))), Refusal::kMalformed);
}

TEST_F(TokenTest, C7_clocks_may_differ_by_the_skew_and_no_more) {
  EXPECT_TRUE(verify(token(with("exp", kNow - 59))));
  EXPECT_EQ(refusal(token(with("exp", kNow - 60))), Refusal::kExpired);
  EXPECT_TRUE(verify(token(with("nbf", kNow + 60))));
  EXPECT_EQ(refusal(token(with("nbf", kNow + 61))), Refusal::kNotYet);
  EXPECT_TRUE(verify(token(with("nbf", nullptr))));
}

TEST_F(TokenTest, C7_an_algorithm_is_never_chosen_by_the_token) {
  for (const char* name : {"none", "HS256", "ES256", "eddsa", ""}) {
    EXPECT_EQ(refusal(token(header_with("alg", name), claims_)), Refusal::kAlgorithm) << name;
  }
  // Allowed, but not this key's.
  EXPECT_EQ(refusal(token(header_with("alg", "RS256"), claims_)), Refusal::kAlgorithm);
  EXPECT_EQ(refusal(token(header_with("alg", 5), claims_)), Refusal::kMalformed);
  // Without a signature at all.
  const std::string bare = part(header_with("alg", "none")) + "." + part(claims_) + ".";
  EXPECT_EQ(refusal(bare), Refusal::kAlgorithm);
  expected_.algorithms = {JwsAlgorithm::kRs256};
  EXPECT_EQ(refusal(token(claims_)), Refusal::kAlgorithm);
}

TEST_F(TokenTest, C7_a_key_comes_from_the_provider_alone) {
  EXPECT_EQ(refusal(token(header_with("kid", "two"), claims_)), Refusal::kUnknownKey);
  EXPECT_EQ(refusal(token(header_with("crit", {"b64"}), claims_)), Refusal::kMalformed);
  const auto other = crypto::SigningKey::generate(system_random());
  json::Object header = header_;
  header["jwk"] =
      json::Object{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", to_base64url(other.public_key())}};
  header["jku"] = "https://evil.example/keys";
  const std::string text = part(header) + "." + part(claims_);
  EXPECT_EQ(refusal(text + "." + to_base64url(other.sign(as_bytes(text)))), Refusal::kSignature);
}

TEST_F(TokenTest, C7_a_token_without_kid_may_be_of_any_key_and_keys_rotate) {
  json::Object header = header_;
  header.erase("kid");
  EXPECT_TRUE(verify(token(header, claims_)));
  const auto old = crypto::SigningKey::generate(system_random());
  keys_ = set_of(R"({"kty":"OKP","crv":"Ed25519","kid":"old","x":")" +
                 to_base64url(old.public_key()) + "\"}," + key_json("one"));
  EXPECT_TRUE(verify(token(header, claims_)));
  EXPECT_TRUE(verify(token(claims_)));
  EXPECT_EQ(refusal(token(header_with("kid", "old"), claims_)), Refusal::kSignature);
}

TEST_F(TokenTest, C7_what_is_no_token_is_malformed) {
  const std::string whole = token(claims_);
  const std::vector<std::string> bad = {"",
                                        ".",
                                        "..",
                                        whole + ".x",
                                        whole.substr(0, whole.rfind('.')),
                                        "a" + whole,
                                        whole + "=",
                                        std::string(20'000, 'a') + "..",
                                        "e30.e30.e30"};
  for (const std::string& text : bad) {
    EXPECT_EQ(refusal(text), Refusal::kMalformed) << text.substr(0, 40);
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify(changed)) << i;
  }
}

TEST_F(TokenTest, C7_key_sets_leave_out_what_signs_nothing) {
  const KeySet set =
      set_of(R"({"kty":"oct","k":"AAAA"},{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"},)"
             R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"},)" +
             key_json("one", R"(,"alg":"EdDSA","use":"sig")"));
  ASSERT_EQ(set.keys.size(), 1U);
  EXPECT_EQ(set.keys[0].algorithm, JwsAlgorithm::kEdDsa);
  // Weak and malformed ones too; none may be left, which takes all back.
  const std::vector<std::string> none = {
      "", R"({"kty":"oct","k":"AAAA"})", R"({"kty":"RSA","n":"AQAB","e":"AQAB"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})", key_json("one", R"(,"alg":"RS256")")};
  for (const std::string& list : none) EXPECT_TRUE(set_of(list).keys.empty()) << list;
  keys_ = set_of("");
  EXPECT_EQ(refusal(token(claims_)), Refusal::kUnknownKey);
  EXPECT_EQ(set_of(R"({"kty":"RSA","n":"AQAB","e":"AQAB"},)" + key_json("one")).keys.size(), 1U);
  for (const char* bad : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[1]})"}) {
    EXPECT_THAT(parse_key_set(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

TEST_F(TokenTest, C7_a_token_of_another_kind_is_no_access_token) {
  for (const char* type : {"logout+jwt", "secevent+jwt", "dpop+jwt", "", "jwt2"}) {
    EXPECT_EQ(refusal(token(header_with("typ", type), claims_)), Refusal::kMalformed) << type;
  }
  for (const char* type : {"JWT", "jwt", "at+jwt", "application/at+JWT"}) {
    EXPECT_TRUE(verify(token(header_with("typ", type), claims_))) << type;
  }
  EXPECT_EQ(refusal(token(header_with("typ", 1), claims_)), Refusal::kMalformed);
  EXPECT_EQ(refusal(token(header_with("kid", 1), claims_)), Refusal::kMalformed);
}

TEST_F(TokenTest, C7_every_refusal_says_what_to_do) {
  for (int i = 0; i <= static_cast<int>(Refusal::kNoUser); ++i) {
    EXPECT_TRUE(explain(static_cast<Refusal>(i)).ends_with(".")) << i;
  }
}

}  // namespace
}  // namespace candor::oidc
