// Who is on the other end of a connection, as the kernel knows it (S14).
//
// Unix socket: SO_PEERCRED, fixed by the kernel when the peer connected. TCP on loopback: the owner
// of the client's socket, asked of the kernel by netlink sock_diag (INET_DIAG, exact 4-tuple). The
// owner of a TCP socket can change hands or be forged after the fact (/proc/net/tcp and sock_diag
// show uid 0 and inode 0 once the client has closed), so only a socket that is ESTABLISHED with a
// non-zero inode counts, it is resolved at accept, and again before the intent: both must name the
// same user and the same socket.
//
// A resolver belongs to one thread. One question is one send and one receive on a netlink socket
// (about 3 us); the answer comes from the kernel, at once.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace candor::http {

enum class PeerKind : std::uint8_t {
  kUnix,      // the user is known by SO_PEERCRED
  kLoopback,  // TCP within 127.0.0.0/8 or ::1: the user can be asked of the kernel
  kRemote,    // anything else: the user is not known
};

// An IP endpoint. IPv4-mapped IPv6 addresses are turned into IPv4.
struct IpEndpoint {
  bool v6 = false;
  std::array<std::uint8_t, 16> address{};  // network order; the first 4 bytes for IPv4
  std::uint16_t port = 0;                  // host order
  bool operator==(const IpEndpoint&) const = default;
};
[[nodiscard]] bool is_loopback(const IpEndpoint& endpoint) noexcept;
[[nodiscard]] std::string to_string(const IpEndpoint& endpoint);  // "127.0.0.1", "::1": no port

struct PeerUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;    // Unix sockets only
  std::int32_t pid = 0;     // Unix sockets only; for display, never for decisions
  std::uint32_t inode = 0;  // loopback only: the client's socket
  bool operator==(const PeerUser&) const = default;
};

class PeerResolver {
 public:
  // kUnavailable where the kernel offers no sock_diag: TCP clients then need a key.
  [[nodiscard]] static Result<PeerResolver> open();
  PeerResolver(PeerResolver&& other) noexcept;
  PeerResolver& operator=(PeerResolver&& other) noexcept;
  ~PeerResolver();

  // The owner of the socket whose own end is `client` and whose peer is `server`. kNotFound if
  // there is none, it is not ESTABLISHED or its inode is 0; kUnavailable if the kernel did not
  // answer.
  [[nodiscard]] Result<PeerUser> owner(const IpEndpoint& client, const IpEndpoint& server);

 private:
  explicit PeerResolver(int fd) : fd_(fd) {}
  int fd_ = -1;
  std::uint32_t sequence_ = 0;
};

// One connection's peer. Made at accept, which resolves for the first time.
class Peer {
 public:
  // fd: an accepted stream socket. resolver may be null (then loopback peers are unresolved).
  [[nodiscard]] static Peer at_accept(int fd, PeerResolver* resolver);

  [[nodiscard]] PeerKind kind() const noexcept { return kind_; }
  // For aggregation of refusals: the client's address without port, or "unix:UID".
  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  // The user at accept; kNotFound (with what to do) if it could not be told.
  [[nodiscard]] const Result<PeerUser>& at_accept_user() const noexcept { return first_; }
  // Asks again, and returns the user only if it is the same user and the same socket as at accept.
  // kPermissionDenied if it changed, else as PeerResolver::owner. Never skipped before an intent
  // that rests on the operating-system user. Free for Unix sockets.
  [[nodiscard]] Result<PeerUser> confirm() const;

  // After a TLS handshake; name: from a verified client certificate.
  void set_tls(std::optional<std::string> name) {
    over_tls_ = true;
    certificate_name_ = std::move(name);
  }
  [[nodiscard]] bool over_tls() const noexcept { return over_tls_; }
  [[nodiscard]] const std::optional<std::string>& certificate_name() const noexcept {
    return certificate_name_;
  }

 private:
  PeerKind kind_ = PeerKind::kRemote;
  std::string source_;
  IpEndpoint client_;
  IpEndpoint server_;
  PeerResolver* resolver_ = nullptr;  // owned by the server, which outlives its connections
  bool over_tls_ = false;
  std::optional<std::string> certificate_name_;
  Result<PeerUser> first_ = fail(Code::kNotFound, "the peer is not resolved");
};

}  // namespace candor::http
