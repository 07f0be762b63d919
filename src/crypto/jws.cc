#include "crypto/jws.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "crypto/internal/openssl.h"

namespace candor::crypto {
namespace {

using Number = Owned<BIGNUM, BN_free>;
using Builder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcdsaSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

constexpr std::array<std::pair<std::string_view, JwsAlgorithm>, 10> kNames{{
    {"RS256", JwsAlgorithm::kRs256},
    {"RS384", JwsAlgorithm::kRs384},
    {"RS512", JwsAlgorithm::kRs512},
    {"PS256", JwsAlgorithm::kPs256},
    {"PS384", JwsAlgorithm::kPs384},
    {"PS512", JwsAlgorithm::kPs512},
    {"ES256", JwsAlgorithm::kEs256},
    {"ES384", JwsAlgorithm::kEs384},
    {"ES512", JwsAlgorithm::kEs512},
    {"EdDSA", JwsAlgorithm::kEdDsa},
}};

Number number(ByteView bytes) {
  return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
}

const EVP_MD* hash_of(JwsAlgorithm algorithm) {
  using enum JwsAlgorithm;
  switch (algorithm) {
    case kRs256:
    case kPs256:
    case kEs256: return EVP_sha256();
    case kRs384:
    case kPs384:
    case kEs384: return EVP_sha384();
    case kRs512:
    case kPs512:
    case kEs512: return EVP_sha512();
    case kEdDsa: return nullptr;
  }
  return nullptr;
}

bool is_pss(JwsAlgorithm algorithm) {
  using enum JwsAlgorithm;
  return algorithm == kPs256 || algorithm == kPs384 || algorithm == kPs512;
}

EVP_PKEY* make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return key;
}

// RFC 7518 section 3.4: R and S side by side, each as long as the order. OpenSSL wants DER.
std::vector<unsigned char> ecdsa_der(ByteView signature) {
  const std::size_t half = signature.size() / 2;
  const EcdsaSignature both(ECDSA_SIG_new());
  Number r = number(signature.first(half));
  Number s = number(signature.subspan(half));
  if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();  // the signature's now
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  std::vector<unsigned char> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct JwsKey::Key {
  Owned<EVP_PKEY, EVP_PKEY_free> value;
  std::size_t coordinate_bytes = 0;  // of an elliptic curve
};

std::optional<JwsAlgorithm> jws_algorithm(std::string_view name) noexcept {
  const auto* const found =
      std::ranges::find(kNames, name, [](const auto& pair) { return pair.first; });
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

Result<JwsKey> JwsKey::rsa(ByteView modulus, ByteView exponent) {
  const Number n = number(modulus.first(std::min<std::size_t>(modulus.size(), 1'025)));
  const Number e = number(exponent.first(std::min<std::size_t>(exponent.size(), 5)));
  if (!n || !e || BN_num_bits(n.get()) < 2'048 || BN_num_bits(n.get()) > 8'192 ||
      modulus.size() > 1'025 || exponent.size() > 5 || BN_is_odd(n.get()) == 0 ||
      BN_is_odd(e.get()) == 0 || BN_num_bits(e.get()) < 2 || BN_num_bits(e.get()) > 32) {
    return fail(Code::kInvalidArgument, "an RSA key has 2,048 to 8,192 bits and an odd exponent");
  }
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fail(Code::kInternal, "OpenSSL takes no RSA key");
  }
  auto key = std::make_shared<Key>();
  key->value.reset(make_key("RSA", builder.get()));
  if (!key->value) return fail(Code::kInvalidArgument, "not an RSA key");
  return JwsKey(Kind::kRsa, std::move(key));
}

Result<JwsKey> JwsKey::ec(std::string_view curve, ByteView x, ByteView y) {
  struct Curve {
    std::string_view name;
    const char* group;
    Kind kind;
    std::size_t bytes;
  };
  static constexpr std::array<Curve, 3> kCurves{{{"P-256", "P-256", Kind::kP256, 32},
                                                 {"P-384", "P-384", Kind::kP384, 48},
                                                 {"P-521", "P-521", Kind::kP521, 66}}};
  const auto* const found = std::ranges::find(kCurves, curve, &Curve::name);
  if (found == kCurves.end() || x.size() != found->bytes || y.size() != found->bytes) {
    return fail(Code::kInvalidArgument, "not a point of P-256, P-384 or P-521");
  }
  std::vector<unsigned char> point{0x04};  // uncompressed, SEC 1 section 2.3.3
  point.insert(point.end(), raw(x), raw(x) + x.size());
  point.insert(point.end(), raw(y), raw(y) + y.size());
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, found->group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return fail(Code::kInternal, "OpenSSL takes no elliptic-curve key");
  }
  auto key = std::make_shared<Key>();
  key->value.reset(make_key("EC", builder.get()));
  key->coordinate_bytes = found->bytes;
  if (!key->value) return fail(Code::kInvalidArgument, "not a point on its curve");
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key->value.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) {
    return fail(Code::kInvalidArgument, "not a point on its curve");
  }
  return JwsKey(found->kind, std::move(key));
}

Result<JwsKey> JwsKey::ed25519(ByteView bytes) {
  auto key = std::make_shared<Key>();
  if (bytes.size() == 32) {
    key->value.reset(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(bytes), bytes.size()));
  }
  if (!key->value) return fail(Code::kInvalidArgument, "an Ed25519 key has 32 bytes");
  return JwsKey(Kind::kEd25519, std::move(key));
}

bool JwsKey::fits(JwsAlgorithm algorithm) const noexcept {
  using enum JwsAlgorithm;
  switch (algorithm) {
    case kRs256:
    case kRs384:
    case kRs512:
    case kPs256:
    case kPs384:
    case kPs512: return kind_ == Kind::kRsa;
    case kEs256: return kind_ == Kind::kP256;
    case kEs384: return kind_ == Kind::kP384;
    case kEs512: return kind_ == Kind::kP521;
    case kEdDsa: return kind_ == Kind::kEd25519;
  }
  return false;
}

bool JwsKey::verify(JwsAlgorithm algorithm, ByteView message, ByteView signature) const {
  if (!fits(algorithm)) return false;
  std::vector<unsigned char> given(raw(signature), raw(signature) + signature.size());
  if (key_->coordinate_bytes != 0) {
    if (signature.size() != 2 * key_->coordinate_bytes) return false;
    given = ecdsa_der(signature);
  }
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;  // the digest context's
  if (!context || EVP_DigestVerifyInit(context.get(), &key_context, hash_of(algorithm), nullptr,
                                       key_->value.get()) != 1) {
    return false;
  }
  if (is_pss(algorithm) &&
      (EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), given.data(), given.size(), raw(message),
                          message.size()) == 1;
}

}  // namespace candor::crypto
