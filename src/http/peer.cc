#include "http/peer.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace candor::http {
namespace {

constexpr std::uint8_t kTcpEstablished = 1;  // TCP_ESTABLISHED of the kernel's tcp_states.h
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<IpEndpoint> endpoint_of(const sockaddr_storage& storage) {
  IpEndpoint endpoint;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    std::memcpy(endpoint.address.data(), &v4.sin_addr, 4);
    endpoint.port = ntohs(v4.sin_port);
    return endpoint;
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    endpoint.port = ntohs(v6.sin6_port);
    const std::uint8_t* bytes = v6.sin6_addr.s6_addr;
    if (std::memcmp(bytes, kMappedPrefix.data(), kMappedPrefix.size()) == 0) {
      std::memcpy(endpoint.address.data(), bytes + kMappedPrefix.size(), 4);
    } else {
      endpoint.v6 = true;
      std::memcpy(endpoint.address.data(), bytes, 16);
    }
    return endpoint;
  }
  return std::nullopt;
}

struct DiagRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

void put_address(__be32 (&out)[4], const IpEndpoint& endpoint) {
  std::memcpy(&out[0], endpoint.address.data(), endpoint.v6 ? 16 : 4);
}

}  // namespace

bool is_loopback(const IpEndpoint& endpoint) noexcept {
  if (!endpoint.v6) return endpoint.address[0] == 127;
  for (std::size_t i = 0; i < 15; ++i) {
    if (endpoint.address.at(i) != 0) return false;
  }
  return endpoint.address[15] == 1;
}

std::string to_string(const IpEndpoint& endpoint) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(endpoint.v6 ? AF_INET6 : AF_INET, endpoint.address.data(), text.data(),
                static_cast<socklen_t>(text.size())) == nullptr) {
    return "unknown";
  }
  return text.data();
}

Result<PeerResolver> PeerResolver::open() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return fail(Code::kUnavailable, "the kernel offers no sock_diag");
  // The kernel answers within the send; the timeout is only against a kernel that does not.
  const timeval timeout{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0) {
    ::close(fd);
    return fail(Code::kUnavailable, "the kernel offers no sock_diag");
  }
  return PeerResolver(fd);
}

PeerResolver::PeerResolver(PeerResolver&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), sequence_(other.sequence_) {}

PeerResolver& PeerResolver::operator=(PeerResolver&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(sequence_, other.sequence_);
  return *this;
}

PeerResolver::~PeerResolver() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PeerUser> PeerResolver::owner(const IpEndpoint& client, const IpEndpoint& server) {
  if (client.v6 != server.v6)
    return fail(Code::kNotFound, "the two ends are of different families");
  DiagRequest request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = ++sequence_;
  request.body.sdiag_family = client.v6 ? AF_INET6 : AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = 1U << kTcpEstablished;
  request.body.id.idiag_sport = htons(client.port);
  request.body.id.idiag_dport = htons(server.port);
  put_address(request.body.id.idiag_src, client);
  put_address(request.body.id.idiag_dst, server);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(fd_, &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request)) {
    return fail(Code::kUnavailable, "the kernel refused a sock_diag question");
  }

  alignas(nlmsghdr) std::array<char, 1024> answer;
  for (int i = 0; i < 8; ++i) {  // at most a few stale answers, after an interrupted question
    const ssize_t size = ::recv(fd_, answer.data(), answer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) break;
    nlmsghdr header{};
    std::memcpy(&header, answer.data(), sizeof header);
    if (header.nlmsg_seq != sequence_) continue;
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        static_cast<std::size_t>(size) < NLMSG_LENGTH(sizeof(inet_diag_msg))) {
      return fail(Code::kNotFound, "the client's socket is gone");  // NLMSG_ERROR, mostly ENOENT
    }
    inet_diag_msg found{};
    std::memcpy(&found, answer.data() + NLMSG_HDRLEN, sizeof found);
    // The kernel also answers with a listening socket on the client's port: state and both ports
    // tell it apart.
    if (found.idiag_state != kTcpEstablished || found.idiag_inode == 0 ||
        found.id.idiag_sport != request.body.id.idiag_sport ||
        found.id.idiag_dport != request.body.id.idiag_dport) {
      return fail(Code::kNotFound, "the client's socket is closed or closing");
    }
    return PeerUser{.uid = found.idiag_uid, .inode = found.idiag_inode};
  }
  return fail(Code::kUnavailable, "the kernel did not answer a sock_diag question");
}

Peer Peer::at_accept(int fd, PeerResolver* resolver) {
  Peer peer;
  sockaddr_storage local{};
  sockaddr_storage remote{};
  socklen_t local_size = sizeof local;
  socklen_t remote_size = sizeof remote;
  const bool has_local = ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) == 0;
  if (has_local && local.ss_family == AF_UNIX) {
    peer.kind_ = PeerKind::kUnix;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
      peer.first_ =
          PeerUser{.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid};
      peer.source_ = "unix:" + std::to_string(credentials.uid);
    } else {
      peer.first_ = fail(Code::kUnavailable, "the kernel gave no peer credentials");
      peer.source_ = "unix:unknown";
    }
    return peer;
  }
  const bool has_remote =
      ::getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &remote_size) == 0;
  const auto server = has_local ? endpoint_of(local) : std::nullopt;
  const auto client = has_remote ? endpoint_of(remote) : std::nullopt;
  if (!server || !client) {  // the client is gone already
    peer.source_ = "unknown";
    return peer;
  }
  peer.client_ = *client;
  peer.server_ = *server;
  peer.source_ = to_string(*client);
  if (!is_loopback(*client)) {
    peer.first_ = fail(Code::kNotFound, "the client is not on this machine");
    return peer;
  }
  peer.kind_ = PeerKind::kLoopback;
  peer.resolver_ = resolver;
  if (resolver != nullptr) {
    peer.first_ = resolver->owner(*client, *server);
  } else {
    peer.first_ = fail(Code::kUnavailable, "the kernel offers no sock_diag");
  }
  return peer;
}

Result<PeerUser> Peer::confirm() const {
  if (kind_ == PeerKind::kUnix || !first_) return first_;
  auto now = resolver_->owner(client_, server_);
  if (now && *now != *first_) {
    return fail(Code::kPermissionDenied, "the connection changed hands after it was accepted");
  }
  return now;
}

}  // namespace candor::http
