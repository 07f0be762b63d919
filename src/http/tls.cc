#include "http/tls.h"

#include <algorithm>
#include <array>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/text.h"

namespace candor::http {
namespace {

constexpr std::string_view kAlpn("\x08http/1.1", 9);  // RFC 7301
constexpr std::size_t kMaxNameBytes = 200;
constexpr int kMaxChain = 16;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;

SSL_CTX* context_of(void* native) { return static_cast<SSL_CTX*>(native); }
SSL* session_of(void* native) { return static_cast<SSL*>(native); }

std::unexpected<Error> wrong(std::string_view what) {
  ERR_clear_error();
  return fail(Code::kInvalidArgument, std::string(what));
}

BioPtr bio_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a pass phrase is refused rather than asked for.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

// Every certificate of a PEM text, in order.
std::vector<X509Ptr> certificates(std::string_view pem) {
  std::vector<X509Ptr> out;
  const BioPtr bio = bio_of(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    out.emplace_back(next);
  }
  ERR_clear_error();  // the end of the text is an error too
  return out;
}

std::string digest_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return to_hex(std::as_bytes(std::span(digest).first(size)));
}

std::int64_t unix_time(const ASN1_TIME* time) {
  int days = 0;
  int seconds = 0;
  ASN1_TIME* epoch = ASN1_TIME_set(nullptr, 0);
  const bool ok = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  return ok ? std::int64_t{days} * 86'400 + seconds : 0;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_verify_depth(context, kMaxChain);
  return context;
}

// Cross-protocol attacks end here: a client that names protocols must name this one.
int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* /*data*/) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(kAlpn.data()),
                            kAlpn.size(), offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> trust(SSL_CTX* context, std::string_view pem, bool for_clients) {
  const std::vector<X509Ptr> authorities = certificates(pem);
  if (authorities.empty()) return wrong("the file of authorities holds no PEM certificate");
  for (const X509Ptr& authority : authorities) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
      return wrong("a certificate authority could not be used");
    }
    if (for_clients) SSL_CTX_add_client_CA(context, authority.get());
  }
  return {};
}

// The text of an ASN.1 string if it may stand in a record: no NUL, no control, not too long.
std::optional<std::string> usable(const ASN1_STRING* text) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  if (size < 0) {
    ERR_clear_error();
    return std::nullopt;
  }
  std::string out(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  if (out.empty() || out.size() > kMaxNameBytes || strip_controls(out) != out ||
      out.find_first_of("\n\t") != std::string::npos) {
    return std::nullopt;
  }
  return out;
}

std::optional<std::string> subject_name(X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (const int wanted : {GEN_URI, GEN_EMAIL, GEN_DNS}) {
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
      if (name->type != wanted) continue;
      if (auto text = usable(name->d.ia5)) return text;
    }
  }
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return std::nullopt;
  return usable(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerMaterial& material,
                                                             std::int64_t now_s) {
  std::shared_ptr<TlsContext> made(new TlsContext(new_context(TLS_server_method())));
  SSL_CTX* context = context_of(made->native_);
  if (context == nullptr) return fail(Code::kUnavailable, "OpenSSL made no context");

  const std::vector<X509Ptr> chain = certificates(material.certificate_pem);
  if (chain.empty()) return wrong("the certificate's file holds no PEM certificate");
  made->certificate_ = {.sha256 = digest_of(chain.front().get()),
                        .not_after_s = unix_time(X509_get0_notAfter(chain.front().get()))};
  if (made->certificate_.not_after_s <= now_s) return wrong("the certificate has expired");
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return wrong("the certificate cannot be used: its key may be too weak");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return wrong("an intermediate certificate cannot be used");
    }
  }
  const KeyPtr key(PEM_read_bio_PrivateKey(bio_of(material.key_pem.reveal()).get(), nullptr,
                                           no_pass_phrase, nullptr));
  if (!key) return wrong("the key's file holds no PEM private key without a pass phrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return wrong("the private key does not belong to the certificate");
  }
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (!material.client_ca_pem.empty()) {
    TRY(trust(context, material.client_ca_pem, /*for_clients=*/true));
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (material.client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  }
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientMaterial& material) {
  std::shared_ptr<TlsContext> made(new TlsContext(new_context(TLS_client_method())));
  SSL_CTX* context = context_of(made->native_);
  if (context == nullptr) return fail(Code::kUnavailable, "OpenSSL made no context");
  if (material.ca_pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
      return wrong("the system's certificate authorities cannot be read");
    }
  } else {
    TRY(trust(context, material.ca_pem, /*for_clients=*/false));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(kAlpn.data()),
                          kAlpn.size());
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_of(native_)); }

Result<std::unique_ptr<TlsSession>> TlsSession::accept(std::shared_ptr<const TlsContext> context,
                                                       int fd) {
  SSL* ssl = SSL_new(context_of(context->native()));
  std::unique_ptr<TlsSession> made(new TlsSession(ssl, std::move(context)));
  if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1) {
    return fail(Code::kResourceExhausted, "OpenSSL made no session");
  }
  SSL_set_accept_state(ssl);
  return made;
}

Result<std::unique_ptr<TlsSession>> TlsSession::connect(std::shared_ptr<const TlsContext> context,
                                                        int fd, const std::string& name) {
  SSL* ssl = SSL_new(context_of(context->native()));
  std::unique_ptr<TlsSession> made(new TlsSession(ssl, std::move(context)));
  if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1) {
    return fail(Code::kResourceExhausted, "OpenSSL made no session");
  }
  SSL_set_connect_state(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) != 1) {
    ERR_clear_error();  // no numeric address
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, name.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) {
      return wrong("the upstream's name cannot stand in a certificate");
    }
  }
  return made;
}

TlsSession::~TlsSession() { SSL_free(session_of(native_)); }

Io TlsSession::outcome(int result) {
  if (result > 0) return {Io::State::kDone, static_cast<std::size_t>(result)};
  SSL* ssl = session_of(native_);
  const int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_WANT_READ) return {Io::State::kWantRead, 0};
  if (error == SSL_ERROR_WANT_WRITE) return {Io::State::kWantWrite, 0};
  if (error == SSL_ERROR_ZERO_RETURN) return {Io::State::kEnd, 0};
  failed_ = true;
  if (!established_) {
    plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    if (const long verified = SSL_get_verify_result(ssl); verified != X509_V_OK) {
      refusal_ = X509_verify_cert_error_string(verified);
    }
  }
  ERR_clear_error();
  return {Io::State::kBroken, 0};
}

Io TlsSession::handshake() {
  ERR_clear_error();
  const Io io = outcome(SSL_do_handshake(session_of(native_)));
  established_ = io.state == Io::State::kDone;
  return io;
}

Io TlsSession::read(std::span<char> out) {
  ERR_clear_error();
  return outcome(SSL_read(session_of(native_), out.data(), static_cast<int>(out.size())));
}

Io TlsSession::write(std::string_view bytes) {
  ERR_clear_error();
  constexpr std::size_t kMost = 1U << 20U;
  return outcome(SSL_write(session_of(native_), bytes.data(),
                           static_cast<int>(std::min(bytes.size(), kMost))));
}

void TlsSession::close_notify() noexcept {
  if (!established_ || failed_) return;
  failed_ = true;  // once
  ERR_clear_error();
  (void)SSL_shutdown(session_of(native_));
  ERR_clear_error();
}

bool TlsSession::is_quiet() {
  char byte = 0;
  ERR_clear_error();
  return outcome(SSL_peek(session_of(native_), &byte, 1)).state == Io::State::kWantRead;
}

std::optional<std::string> TlsSession::client_name() const {
  SSL* ssl = session_of(native_);
  const X509Ptr certificate(SSL_get1_peer_certificate(ssl));
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return std::nullopt;
  if (auto name = subject_name(certificate.get())) return name;
  return "sha256:" + digest_of(certificate.get());
}

}  // namespace candor::http
