#pragma once

#include <openssl/x509v3.h>

#include "crypto/certificate.h"
#include "crypto/internal/openssl.h"

namespace candor::crypto {

struct Certificate::Handle {
  // OpenSSL counts references and caches inside; its functions take it as not const.
  Owned<X509, X509_free> value;
};

inline void free_stack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using Stack = Owned<STACK_OF(X509), free_stack>;
using Store = Owned<X509_STORE, X509_STORE_free>;

[[nodiscard]] Stack make_stack(std::span<const Certificate> certificates);
[[nodiscard]] Store make_store(std::span<const Certificate> roots, std::int64_t at_s);

}  // namespace candor::crypto
