#include "http/peer.h"

#include <cstring>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"

namespace candor::http {
namespace {

constexpr uid_t kOtherUser = 54'321;

struct Fd {
  explicit Fd(int f) : fd(f) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int fd;
};

int listener(int family, std::uint16_t* port) {
  const int fd = ::socket(family, SOCK_STREAM, 0);
  sockaddr_storage storage{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    const int off = 0;  // dual stack: IPv4 clients arrive as mapped addresses
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 || ::listen(fd, 8) != 0) {
    ::close(fd);
    return -1;
  }
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  *port = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
  return fd;
}

int connect_v4(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  return fd;
}

int connect_v6(std::uint16_t port, const char* address) {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(port);
  ::inet_pton(AF_INET6, address, &name.sin6_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

class PeerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = PeerResolver::open();
    if (!opened) GTEST_SKIP() << "no sock_diag here: " << opened.error().message();
    resolver_.emplace(*std::move(opened));
  }
  std::optional<PeerResolver> resolver_;
};

TEST_F(PeerTest, S14_TheOwnerOfALoopbackClientIsTheUserWhoMadeItsSocket) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  const Fd client(connect_v4(port));
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  EXPECT_EQ(peer.kind(), PeerKind::kLoopback);
  EXPECT_EQ(peer.source(), "127.0.0.1");
  ASSERT_OK(peer.at_accept_user());
  EXPECT_EQ(peer.at_accept_user()->uid, ::getuid());
  EXPECT_NE(peer.at_accept_user()->inode, 0U);
  ASSERT_OK(peer.confirm());
  EXPECT_EQ(*peer.confirm(), *peer.at_accept_user());
}

TEST_F(PeerTest, S14_AnotherUsersSocketIsTold) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can become another user";
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate[1]);
    if (::setuid(kOtherUser) != 0) ::_exit(1);
    const int fd = connect_v4(port);
    char byte = 0;
    (void)!::read(gate[0], &byte, 1);  // until the test is done
    ::close(fd);
    ::_exit(0);
  }
  ::close(gate[0]);
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  ::close(gate[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_OK(peer.at_accept_user());
  EXPECT_EQ(peer.at_accept_user()->uid, kOtherUser);
  // The process is gone, and with it its claim.
  EXPECT_THAT(peer.confirm(), HasCode(Code::kNotFound));
}

TEST_F(PeerTest, S14_SendAndCloseDoesNotBecomeRoot) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  Fd client(connect_v4(port));
  ASSERT_EQ(::send(client.fd, "GET", 3, 0), 3);
  client.reset();  // now the kernel shows this socket with uid 0 and inode 0, or not at all
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  ASSERT_GE(accepted.fd, 0);
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  EXPECT_THAT(peer.at_accept_user(), HasCode(Code::kNotFound));
  EXPECT_THAT(peer.confirm(), HasCode(Code::kNotFound));
}

TEST_F(PeerTest, S14_SendAndCloseAfterAcceptIsFoundBeforeTheIntent) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  Fd client(connect_v4(port));
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  ASSERT_OK(peer.at_accept_user());
  client.reset();
  EXPECT_THAT(peer.confirm(), HasCode(Code::kNotFound));
}

TEST_F(PeerTest, S14_AHalfClosedClientDoesNotCount) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  const Fd client(connect_v4(port));
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  ::shutdown(client.fd, SHUT_WR);
  EXPECT_THAT(peer.confirm(), HasCode(Code::kNotFound));
}

TEST_F(PeerTest, S14_Ipv4MappedClientsAreAskedForAsIpv4) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET6, &port));
  if (server.fd < 0) GTEST_SKIP() << "no IPv6 here";
  for (const bool mapped_client : {false, true}) {
    const Fd client(mapped_client ? connect_v6(port, "::ffff:127.0.0.1") : connect_v4(port));
    ASSERT_GE(client.fd, 0);
    const Fd accepted(::accept(server.fd, nullptr, nullptr));
    const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
    EXPECT_EQ(peer.kind(), PeerKind::kLoopback);
    EXPECT_EQ(peer.source(), "127.0.0.1");
    ASSERT_OK(peer.confirm());
    EXPECT_EQ(peer.confirm()->uid, ::getuid());
  }
}

TEST_F(PeerTest, S14_Ipv6LoopbackIsResolved) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET6, &port));
  const Fd client(server.fd < 0 ? -1 : connect_v6(port, "::1"));
  if (client.fd < 0) GTEST_SKIP() << "no IPv6 loopback here";
  const Fd accepted(::accept(server.fd, nullptr, nullptr));
  const Peer peer = Peer::at_accept(accepted.fd, &*resolver_);
  EXPECT_EQ(peer.source(), "::1");
  ASSERT_OK(peer.confirm());
  EXPECT_EQ(peer.confirm()->uid, ::getuid());
}

TEST_F(PeerTest, S14_AListenerOnTheClientsPortIsNotItsOwner) {
  std::uint16_t port = 0;
  const Fd server(listener(AF_INET, &port));
  IpEndpoint client{.address = {127, 0, 0, 1}, .port = port};
  const IpEndpoint other{.address = {127, 0, 0, 1}, .port = 1};
  EXPECT_THAT(resolver_->owner(client, other), HasCode(Code::kNotFound));
}

TEST(PeerUnixTest, SocketPairsCarryCredentials) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const Fd a(pair[0]);
  const Fd b(pair[1]);
  const Peer peer = Peer::at_accept(a.fd, nullptr);
  EXPECT_EQ(peer.kind(), PeerKind::kUnix);
  ASSERT_OK(peer.confirm());
  EXPECT_EQ(peer.confirm()->uid, ::getuid());
  EXPECT_EQ(peer.confirm()->pid, ::getpid());
}

}  // namespace
}  // namespace candor::http
