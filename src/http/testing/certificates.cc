#include "http/testing/certificates.h"

#include <memory>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"

namespace candor::http::testing {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

template <typename Write>
std::string pem_of(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  CANDOR_CHECK(write(bio) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CANDOR_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// issuer null: signs itself, as an authority.
Credentials make(const CertificateOptions& options, X509* issuer, EVP_PKEY* issuer_key) {
  const KeyPtr key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const CertificatePtr certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  constexpr long kDay = 86'400;
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(options.days) * kDay);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                             static_cast<int>(options.common_name.size()), -1, 0);
  X509_set_issuer_name(certificate.get(), issuer == nullptr ? name : X509_get_subject_name(issuer));
  if (issuer == nullptr)
    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (!options.alternative_names.empty()) {
    add_extension(certificate.get(), NID_subject_alt_name, options.alternative_names);
  }
  CANDOR_CHECK(X509_sign(certificate.get(), issuer_key == nullptr ? key.get() : issuer_key,
                         EVP_sha256()) > 0);
  return {pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); }),
          pem_of([&](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace

Authority::Authority()
    : own_(make({.common_name = "test authority", .alternative_names = {}}, nullptr, nullptr)) {}

Credentials Authority::issue(const CertificateOptions& options) const {
  BIO* bio =
      BIO_new_mem_buf(own_.certificate_pem.data(), static_cast<int>(own_.certificate_pem.size()));
  const CertificatePtr issuer(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free);
  BIO_free(bio);
  bio = BIO_new_mem_buf(own_.key_pem.data(), static_cast<int>(own_.key_pem.size()));
  const KeyPtr key(PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr), EVP_PKEY_free);
  BIO_free(bio);
  return make(options, issuer.get(), key.get());
}

}  // namespace candor::http::testing
