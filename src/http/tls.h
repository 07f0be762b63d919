// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over a connected non-blocking socket, for both ends: the
// server's listener and the clients of upstream engines. This module owns libssl.
//
// A session does one attempt at a time and says what it waits for; waiting is the caller's. No
// compression, no renegotiation, no early data, no resumption: a changed certificate or client CA
// is in force for every handshake after it. Hostile input is expected on both ends.
//
// Threads: contexts are immutable and may be shared; a session belongs to one thread. Messages name
// files and what is wrong with them, never the peer's text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/sensitive.h"

namespace candor::http {

// One attempt to read or write without waiting.
struct Io {
  enum class State : std::uint8_t {
    kDone,       // `bytes` of them
    kWantRead,   // try again once the socket can be read
    kWantWrite,  // once it can be written
    kEnd,        // the peer said its end properly
    kBroken,     // anything else: reset, an end without the peer's word, a violation
  };
  State state = State::kBroken;
  std::size_t bytes = 0;
};

struct TlsServerMaterial {
  std::string certificate_pem;     // the server's, then its intermediates
  Sensitive<std::string> key_pem;  // not encrypted
  std::string client_ca_pem = {};  // empty: clients are not asked for a certificate
  bool client_required = false;    // no connection without a client certificate
};

struct TlsClientMaterial {
  std::string ca_pem = {};  // who is believed; empty: the system's certificate authorities
};

// What an operator wants to know about the certificate in force.
struct CertificateInfo {
  std::string sha256;            // hex, of the DER form
  std::int64_t not_after_s = 0;  // Unix time
};

class TlsContext {
 public:
  // kInvalidArgument says what is wrong: not PEM, no match of key and certificate, expired.
  // now_s: Unix time; a certificate that has expired is refused.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(
      const TlsServerMaterial& material, std::int64_t now_s);
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(
      const TlsClientMaterial& material);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] const CertificateInfo& certificate() const noexcept { return certificate_; }
  [[nodiscard]] void* native() const noexcept { return native_; }  // SSL_CTX*

 private:
  explicit TlsContext(void* native) : native_(native) {}
  void* native_;
  CertificateInfo certificate_;
};

class TlsSession {
 public:
  // fd stays the caller's and must outlive the session.
  [[nodiscard]] static Result<std::unique_ptr<TlsSession>> accept(
      std::shared_ptr<const TlsContext> context, int fd);
  // name: the host that must stand in the server's certificate, a DNS name or a numeric address.
  [[nodiscard]] static Result<std::unique_ptr<TlsSession>> connect(
      std::shared_ptr<const TlsContext> context, int fd, const std::string& name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Until kDone; before it nothing can be read or written.
  [[nodiscard]] Io handshake();
  [[nodiscard]] Io read(std::span<char> out);
  [[nodiscard]] Io write(std::string_view bytes);
  // Says the end, if it can be said without waiting.
  void close_notify() noexcept;
  // Nothing has arrived and the peer has not closed.
  [[nodiscard]] bool is_quiet();

  // After a handshake that failed on our side: the client spoke plain HTTP.
  [[nodiscard]] bool spoke_plain_http() const noexcept { return plain_http_; }
  // Client end, after a failed handshake: the certificate was not accepted, in OpenSSL's own words.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
  // Server end: the name in the client's verified certificate: its URI, else e-mail address, else
  // DNS name, else common name; where none is usable "sha256:" and the certificate's digest.
  [[nodiscard]] std::optional<std::string> client_name() const;

 private:
  TlsSession(void* native, std::shared_ptr<const TlsContext> context)
      : native_(native), context_(std::move(context)) {}
  [[nodiscard]] Io outcome(int result);
  void* native_;  // SSL*
  std::shared_ptr<const TlsContext> context_;
  std::string refusal_;
  bool plain_http_ = false;
  bool established_ = false;
  bool failed_ = false;
};

}  // namespace candor::http
