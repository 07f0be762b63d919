#include "oidc/key_set.h"

#include "base/bytes.h"
#include "json/json.h"

namespace candor::oidc {
namespace {

std::string_view text_of(const json::Object& object, std::string_view name) {
  const json::Value* value = json::find(object, name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                : std::string_view();
}

Result<Bytes> number_of(const json::Object& object, std::string_view name) {
  return from_base64url(TRY(json::get_string(object, name)));
}

// Nothing: a key that is not for verifying signatures here.
Result<std::optional<SetKey>> parse_key(const json::Object& object) {
  const std::string_view use = text_of(object, "use");
  if (!use.empty() && use != "sig") return std::optional<SetKey>();
  std::optional<crypto::JwsAlgorithm> algorithm;
  if (const std::string_view name = text_of(object, "alg"); !name.empty()) {
    algorithm = crypto::jws_algorithm(name);
    if (!algorithm) return std::optional<SetKey>();
  }
  const std::string_view kind = text_of(object, "kty");
  const std::string_view curve = text_of(object, "crv");
  std::optional<crypto::JwsKey> key;
  if (kind == "RSA") {
    const Bytes n = TRY(number_of(object, "n"));
    const Bytes e = TRY(number_of(object, "e"));
    key = TRY(crypto::JwsKey::rsa(n, e));
  } else if (kind == "EC" && (curve == "P-256" || curve == "P-384" || curve == "P-521")) {
    const Bytes x = TRY(number_of(object, "x"));
    const Bytes y = TRY(number_of(object, "y"));
    key = TRY(crypto::JwsKey::ec(curve, x, y));
  } else if (kind == "OKP" && curve == "Ed25519") {
    const Bytes x = TRY(number_of(object, "x"));
    key = TRY(crypto::JwsKey::ed25519(x));
  } else {
    return std::optional<SetKey>();
  }
  if (algorithm && !key->fits(*algorithm)) {
    return fail(Code::kInvalidArgument, "a key's alg is not one of its kind");
  }
  return std::optional<SetKey>(
      SetKey{.id = std::string(text_of(object, "kid")), .algorithm = algorithm, .key = *key});
}

}  // namespace

Result<KeySet> parse_key_set(std::string_view text) {
  const json::Value document =
      TRY(json::parse(text, {.max_bytes = kMaxKeySetBytes, .max_depth = 8}));
  const json::Object& object = *TRY(json::as_object(document, "a key set"));
  const json::Array& list = *TRY(json::get_array(object, "keys"));
  if (list.size() > kMaxKeys) return fail(Code::kInvalidArgument, "more than 64 keys");
  KeySet out;
  for (const json::Value& item : list) {
    const json::Object* const member = TRY(json::as_object(item, "a key"));
    // One that is weak or malformed verifies nothing; it must not keep the others in force.
    auto key = parse_key(*member);
    if (key && *key) out.keys.push_back(**std::move(key));
  }
  return out;
}

}  // namespace candor::oidc
