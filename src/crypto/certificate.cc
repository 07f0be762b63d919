#include "crypto/certificate.h"

#include <ctime>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "crypto/internal/certificate_handle.h"

namespace candor::crypto {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using StoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using Object = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using Names = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using X509Owner = Owned<X509, X509_free>;

constexpr std::size_t kMaxCertificate = 64U << 10U;
constexpr std::size_t kMaxPem = 16U << 20U;
constexpr std::size_t kMaxCertificates = 1'024;
constexpr int kMaxDepth = 8;
constexpr int kAuthLevel = 2;  // 112 bits: no SHA-1, no RSA below 2,048
constexpr std::string_view kFulcioUserName = "1.3.6.1.4.1.57264.1.7";

std::int64_t seconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

std::string dotted(const ASN1_OBJECT* object) {
  std::string out(128, '\0');
  const int size = OBJ_obj2txt(out.data(), static_cast<int>(out.size()), object, 1);
  out.resize(size > 0 && size < static_cast<int>(out.size()) ? static_cast<std::size_t>(size) : 0);
  return out;
}

std::string text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

Bytes der_of(const X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(&certificate, &der);
  if (size <= 0) return {};
  const auto* const begin = reinterpret_cast<const std::byte*>(der);
  Bytes out(begin, begin + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
  auto handle = std::make_shared<Handle>();
  const unsigned char* at = raw(der);
  if (der.size() <= kMaxCertificate) {
    handle->value.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  }
  ERR_clear_error();
  if (!handle->value || at != raw(der) + der.size()) {
    return fail(Code::kInvalidArgument, "not an X.509 certificate in DER");
  }
  // Fills the caches now, so that later calls only read (and are thread-safe).
  (void)X509_check_purpose(handle->value.get(), -1, 0);
  ERR_clear_error();
  Certificate out;
  out.der_ = to_bytes(der);
  out.handle_ = std::move(handle);
  return out;
}

Result<std::vector<Certificate>> Certificate::list_from_pem(std::string_view pem) {
  std::vector<Certificate> out;
  if (pem.size() > kMaxPem) return fail(Code::kInvalidArgument, "a file this large is no chain");
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (bio && out.size() < kMaxCertificates) {
    const X509Owner next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    out.push_back(TRY(from_der(der_of(*next))));
  }
  const unsigned long why = ERR_peek_last_error();
  ERR_clear_error();
  if (out.empty()) return fail(Code::kInvalidArgument, "no CERTIFICATE in PEM");
  if (out.size() < kMaxCertificates && ERR_GET_REASON(why) != PEM_R_NO_START_LINE) {
    return fail(Code::kInvalidArgument, "a CERTIFICATE in the file is not one");
  }
  return out;
}

Result<VerifyingKey> Certificate::key() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(handle_->value.get()), &der);
  if (size <= 0) return fail(Code::kInvalidArgument, "the certificate holds no key");
  const auto* const begin = reinterpret_cast<const std::byte*>(der);
  const Bytes spki(begin, begin + size);
  OPENSSL_free(der);
  return VerifyingKey::from_spki(spki);
}

std::string Certificate::subject() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), X509_get_subject_name(handle_->value.get()), 0,
                                 XN_FLAG_RFC2253) < 0) {
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::int64_t Certificate::not_before_s() const {
  return seconds(X509_get0_notBefore(handle_->value.get()));
}

std::int64_t Certificate::not_after_s() const {
  return seconds(X509_get0_notAfter(handle_->value.get()));
}

bool Certificate::is_authority() const {
  return (X509_get_extension_flags(handle_->value.get()) & EXFLAG_CA) != 0;
}

bool Certificate::for_digital_signature() const {
  return (X509_get_extension_flags(handle_->value.get()) & EXFLAG_KUSAGE) != 0 &&
         (X509_get_key_usage(handle_->value.get()) & KU_DIGITAL_SIGNATURE) != 0;
}

bool Certificate::for_code_signing() const {
  return (X509_get_extension_flags(handle_->value.get()) & EXFLAG_XKUSAGE) != 0 &&
         (X509_get_extended_key_usage(handle_->value.get()) & XKU_CODE_SIGN) != 0;
}

std::vector<std::string> Certificate::alternative_names() const {
  std::vector<std::string> out;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(handle_->value.get(), NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_EMAIL) out.push_back(text_of(name->d.rfc822Name));
    if (name->type == GEN_URI) out.push_back(text_of(name->d.uniformResourceIdentifier));
    if (name->type == GEN_OTHERNAME && dotted(name->d.otherName->type_id) == kFulcioUserName &&
        name->d.otherName->value->type == V_ASN1_UTF8STRING) {
      out.push_back(text_of(name->d.otherName->value->value.utf8string));
    }
  }
  return out;
}

std::optional<Bytes> Certificate::extension(const std::string& number) const {
  const Object wanted(OBJ_txt2obj(number.c_str(), 1));
  const int at = wanted ? X509_get_ext_by_OBJ(handle_->value.get(), wanted.get(), -1) : -1;
  if (at < 0) return std::nullopt;
  const ASN1_OCTET_STRING* content =
      X509_EXTENSION_get_data(X509_get_ext(handle_->value.get(), at));
  const auto* const begin = reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(content));
  return Bytes(begin, begin + ASN1_STRING_length(content));
}

Result<Bytes> Certificate::precertificate() const {
  const X509Owner copy(X509_dup(handle_->value.get()));
  if (!copy) return fail(Code::kInternal, "OpenSSL does not copy the certificate");
  const int at = X509_get_ext_by_NID(copy.get(), NID_ct_precert_scts, -1);
  if (at < 0) {
    return fail(Code::kInvalidArgument, "the certificate holds no signed certificate timestamp");
  }
  X509_EXTENSION_free(X509_delete_ext(copy.get(), at));
  unsigned char* der = nullptr;
  const int size = i2d_re_X509_tbs(copy.get(), &der);
  if (size <= 0) return fail(Code::kInternal, "OpenSSL does not write the certificate");
  const auto* const begin = reinterpret_cast<const std::byte*>(der);
  Bytes out(begin, begin + size);
  OPENSSL_free(der);
  return out;
}

Stack make_stack(std::span<const Certificate> certificates) {
  Stack stack(sk_X509_new_null());
  for (const Certificate& one : certificates) {
    X509* value = one.handle().value.get();
    if (stack && X509_up_ref(value) == 1 && sk_X509_push(stack.get(), value) <= 0) X509_free(value);
  }
  return stack;
}

Store make_store(std::span<const Certificate> roots, std::int64_t at_s) {
  Store store(X509_STORE_new());
  if (!store) return store;
  for (const Certificate& root : roots) X509_STORE_add_cert(store.get(), root.handle().value.get());
  X509_VERIFY_PARAM* param = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<std::time_t>(at_s));
  X509_VERIFY_PARAM_set_depth(param, kMaxDepth);
  X509_VERIFY_PARAM_set_auth_level(param, kAuthLevel);
  return store;
}

Result<std::vector<Certificate>> verify_chain(const Certificate& leaf,
                                              std::span<const Certificate> intermediates,
                                              std::span<const Certificate> roots,
                                              std::int64_t at_s) {
  const Store store = make_store(roots, at_s);
  const Stack untrusted = make_stack(intermediates);
  const StoreContext context(X509_STORE_CTX_new());
  if (!store || !untrusted || !context ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf.handle().value.get(), untrusted.get()) !=
          1) {
    return fail(Code::kInternal, "OpenSSL cannot check a chain of certificates");
  }
  const int good = X509_verify_cert(context.get());
  ERR_clear_error();
  if (good != 1) {
    std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    return fail(Code::kPermissionDenied,
                "the certificate does not lead to a trusted root: " + std::move(why));
  }
  std::vector<Certificate> out;
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    out.push_back(TRY(Certificate::from_der(der_of(*sk_X509_value(chain, i)))));
  }
  return out;
}

}  // namespace candor::crypto
