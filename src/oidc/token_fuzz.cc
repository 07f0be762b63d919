// Properties: a token or a key set is refused or read; nothing that the one key has not signed is
// ever taken. Input: a token, or a key set if it begins with a brace.
#include <cstdint>

#include "base/check.h"
#include "oidc/token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("{")) {
    if (const auto keys = oidc::parse_key_set(text)) {
      CANDOR_CHECK(keys->keys.size() <= oidc::kMaxKeys);
    }
    return 0;
  }
  // RFC 8037's key; the one thing it is known to have signed is no claims.
  static const auto kKeys = oidc::parse_key_set(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})");
  static const oidc::Expected kExpected{
      .issuer = "joe", .audiences = {"a"}, .algorithms = {crypto::JwsAlgorithm::kEdDsa}};
  CANDOR_CHECK(!oidc::verify_token(text, *kKeys, kExpected, 1'300'000'000));
  return 0;
}
