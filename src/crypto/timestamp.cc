#include "crypto/timestamp.h"

#include <array>
#include <ctime>
#include <vector>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ts.h>

#include "crypto/internal/certificate_handle.h"

namespace candor::crypto {
namespace {

using Response = Owned<TS_RESP, TS_RESP_free>;
using VerifyContext = Owned<TS_VERIFY_CTX, TS_VERIFY_CTX_free>;

constexpr std::size_t kMaxResponse = 64U << 10U;

// What the token says was hashed, against message.
Result<void> check_imprint(TS_TST_INFO* info, ByteView message) {
  TS_MSG_IMPRINT* imprint = TS_TST_INFO_get_msg_imprint(info);
  X509_ALGOR* algorithm = imprint == nullptr ? nullptr : TS_MSG_IMPRINT_get_algo(imprint);
  const ASN1_OCTET_STRING* hashed = imprint == nullptr ? nullptr : TS_MSG_IMPRINT_get_msg(imprint);
  if (algorithm == nullptr || hashed == nullptr) {
    return fail(Code::kInvalidArgument, "the timestamp names no hash");
  }
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const EVP_MD* hash = nullptr;
  switch (OBJ_obj2nid(object)) {
    case NID_sha256: hash = EVP_sha256(); break;
    case NID_sha384: hash = EVP_sha384(); break;
    case NID_sha512: hash = EVP_sha512(); break;
    default:
      return fail(Code::kFailedPrecondition,
                  "the timestamp's hash is not taken: SHA-256, SHA-384 and SHA-512 are");
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(message.data(), message.size(), digest.data(), &size, hash, nullptr) != 1) {
    return fail(Code::kInternal, "OpenSSL does not hash");
  }
  if (static_cast<int>(size) != ASN1_STRING_length(hashed) ||
      !std::equal(digest.begin(), digest.begin() + size, ASN1_STRING_get0_data(hashed))) {
    return fail(Code::kDataLoss, "the timestamp is for other bytes");
  }
  return {};
}

// Whether the one signer of the token is this certificate, not merely one under the same root.
bool is_signer(TS_RESP* response, const Certificate& authority) {
  PKCS7* token = TS_RESP_get_token(response);
  const Stack own = make_stack(std::span(&authority, 1));
  STACK_OF(X509)* const signers =
      token == nullptr || !own ? nullptr : PKCS7_get0_signers(token, own.get(), 0);
  const bool out = signers != nullptr && sk_X509_num(signers) == 1 &&
                   X509_cmp(sk_X509_value(signers, 0), authority.handle().value.get()) == 0;
  sk_X509_free(signers);
  ERR_clear_error();
  return out;
}

}  // namespace

Result<std::int64_t> verify_timestamp(ByteView response, ByteView message,
                                      std::span<const Certificate> chain) {
  if (chain.size() < 2) {
    return fail(Code::kInvalidArgument, "a timestamp authority needs its certificate and a root");
  }
  const unsigned char* at = raw(response);
  const Response parsed(response.size() <= kMaxResponse
                            ? d2i_TS_RESP(nullptr, &at, static_cast<long>(response.size()))
                            : nullptr);
  ERR_clear_error();
  TS_TST_INFO* info = parsed ? TS_RESP_get_tst_info(parsed.get()) : nullptr;
  std::tm parts{};
  if (info == nullptr || at != raw(response) + response.size() ||
      ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &parts) != 1) {
    return fail(Code::kInvalidArgument, "not a timestamp response (RFC 3161)");
  }
  const std::int64_t when = timegm(&parts);
  TRY(check_imprint(info, message));

  if (!is_signer(parsed.get(), chain.front())) {
    return fail(Code::kPermissionDenied, "the timestamp is signed by another authority");
  }
  const VerifyContext context(TS_VERIFY_CTX_new());
  Store store = make_store(chain.last(1), when);
  Stack others = make_stack(chain.first(chain.size() - 1));
  if (!context || !store || !others) return fail(Code::kInternal, "OpenSSL checks no timestamp");
  TS_VERIFY_CTX_set_flags(context.get(), TS_VFY_VERSION | TS_VFY_SIGNATURE);
  TS_VERIFY_CTX_set_store(context.get(), store.release());  // the context's now
  TS_VERIFY_CTX_set_certs(context.get(), others.release());
  const int good = TS_RESP_verify_response(context.get(), parsed.get());
  ERR_clear_error();
  if (good != 1) {
    return fail(Code::kPermissionDenied,
                "the timestamp is not this authority's, or its "
                "certificates do not hold at that time");
  }
  return when;
}

}  // namespace candor::crypto
