#include "crypto/public_key.h"

#include <array>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/internal/openssl.h"

namespace candor::crypto {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using PublicOwner = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr std::size_t kMaxKeyText = 64U << 10U;

Result<KeyKind> kind_of(const EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "ED25519") == 1) return KeyKind::kEd25519;
  if (EVP_PKEY_is_a(&key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(&key);
    if (bits < 2'048 || bits > 8'192) {
      return fail(Code::kFailedPrecondition, "an RSA key must have 2,048 to 8,192 bits");
    }
    return KeyKind::kRsa;
  }
  std::array<char, 64> group{};
  if (EVP_PKEY_is_a(&key, "EC") == 1 &&
      EVP_PKEY_get_utf8_string_param(&key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(),
                                     nullptr) == 1) {
    const std::string_view name = group.data();
    if (name == "prime256v1" || name == "P-256") return KeyKind::kP256;
    if (name == "secp384r1" || name == "P-384") return KeyKind::kP384;
    if (name == "secp521r1" || name == "P-521") return KeyKind::kP521;
  }
  return fail(Code::kFailedPrecondition,
              "a key of this kind is not taken: P-256, P-384, P-521, RSA and Ed25519 are");
}

const EVP_MD* hash_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::kP256:
    case KeyKind::kRsa: return EVP_sha256();
    case KeyKind::kP384: return EVP_sha384();
    case KeyKind::kP521: return EVP_sha512();
    case KeyKind::kEd25519: return nullptr;
  }
  return nullptr;
}

Bytes spki_of(const EVP_PKEY& key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(&key, &der);
  if (size <= 0) return {};
  const auto* const begin = reinterpret_cast<const std::byte*>(der);
  Bytes out(begin, begin + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct VerifyingKey::Key {
  PublicOwner value;
};

std::string_view to_string(KeyKind kind) noexcept {
  switch (kind) {
    case KeyKind::kP256: return "P-256";
    case KeyKind::kP384: return "P-384";
    case KeyKind::kP521: return "P-521";
    case KeyKind::kRsa: return "RSA";
    case KeyKind::kEd25519: return "Ed25519";
  }
  return "";
}

Result<VerifyingKey> VerifyingKey::from_spki(ByteView der) {
  const unsigned char* at = raw(der);
  auto key = std::make_shared<Key>();
  if (der.size() <= kMaxKeyText) {
    key->value.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  }
  ERR_clear_error();
  if (!key->value || at != raw(der) + der.size()) {
    return fail(Code::kInvalidArgument, "not a public key (SubjectPublicKeyInfo)");
  }
  VerifyingKey out;
  out.kind_ = TRY(kind_of(*key->value));
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key->value.get(), nullptr));
  const bool sound =
      check && (out.kind_ == KeyKind::kEd25519 || EVP_PKEY_public_check(check.get()) == 1);
  ERR_clear_error();
  if (!sound) return fail(Code::kInvalidArgument, "the public key is not a sound one of its kind");
  out.spki_ = spki_of(*key->value);
  out.key_ = std::move(key);
  return out;
}

Result<VerifyingKey> VerifyingKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxKeyText)
    return fail(Code::kInvalidArgument, "a key file this large is none");
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const PublicOwner key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) return fail(Code::kInvalidArgument, "no PUBLIC KEY in PEM");
  return from_spki(spki_of(*key));
}

std::string to_pem(std::string_view label, ByteView der) {
  constexpr std::size_t kLine = 64;
  const std::string text = to_base64(der);
  std::string out = "-----BEGIN ";
  out.append(label).append("-----\n");
  for (std::size_t at = 0; at < text.size(); at += kLine) {
    out.append(text, at, kLine).push_back('\n');
  }
  return out.append("-----END ").append(label).append("-----\n");
}

std::string VerifyingKey::pem() const { return to_pem("PUBLIC KEY", spki_); }

bool VerifyingKey::verify(ByteView message, ByteView signature) const {
  const DigestContext context(EVP_MD_CTX_new());
  const bool good = context &&
                    EVP_DigestVerifyInit(context.get(), nullptr, hash_of(kind_), nullptr,
                                         key_->value.get()) == 1 &&
                    EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                                     message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<PemSigningKey> PemSigningKey::from_pem(const Sensitive<std::string>& pem) {
  const std::string& text = pem.reveal();
  if (text.size() > kMaxKeyText) {
    return fail(Code::kInvalidArgument, "a key file this large is none");
  }
  if (text.contains("ENCRYPTED")) {
    return fail(Code::kFailedPrecondition,
                "the private key is encrypted; openssl pkey -in KEY -out PLAIN writes it open "
                "(keep that file to yourself)");
  }
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  auto key = std::make_shared<VerifyingKey::Key>();
  key->value.reset(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  if (!key->value) {
    return fail(Code::kInvalidArgument,
                "no private key in PEM; openssl ecparam -name secp384r1 -genkey -noout makes one");
  }
  PemSigningKey out;
  out.public_ = TRY(VerifyingKey::from_spki(spki_of(*key->value)));
  if (out.public_.kind() == KeyKind::kRsa) {
    return fail(Code::kFailedPrecondition,
                "RSA keys sign nothing here; take one on P-256 or P-384");
  }
  out.key_ = std::move(key);
  return out;
}

Result<Bytes> PemSigningKey::sign(ByteView message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, hash_of(public_.kind()), nullptr,
                         key_->value.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, raw(message), message.size()) != 1) {
    return fail(Code::kInternal, "OpenSSL does not sign with this key");
  }
  Bytes out(size);
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     raw(message), message.size()) != 1) {
    return fail(Code::kInternal, "OpenSSL does not sign with this key");
  }
  out.resize(size);
  return out;
}

}  // namespace candor::crypto
