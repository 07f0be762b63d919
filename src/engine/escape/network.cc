// Reaching out: networks of every family, Unix sockets by path and by abstract name.
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/escape/attempts.h"

namespace candor::engine::escape {
namespace {

sockaddr_in loopback4(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}
sockaddr_in6 loopback6(int port) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(static_cast<std::uint16_t>(port));
  out.sin6_addr = in6addr_loopback;
  return out;
}

struct UnixAddress {
  sockaddr_un address{};
  socklen_t size = 0;
};
UnixAddress by_path(const std::string& path) {
  UnixAddress out;
  out.address.sun_family = AF_UNIX;
  path.copy(out.address.sun_path, sizeof out.address.sun_path - 1);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}
UnixAddress by_name(const std::string& name) {
  UnixAddress out;
  out.address.sun_family = AF_UNIX;
  name.copy(out.address.sun_path + 1, sizeof out.address.sun_path - 2);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return out;
}

template <typename Address>
long connect_to(int socket, const Address& to) {
  return socket < 0 ? -1 : connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}
long connect_to(int socket, const UnixAddress& to) {
  return socket < 0 ? -1 : connect(socket, reinterpret_cast<const sockaddr*>(&to.address), to.size);
}
template <typename Address>
long send_to(int socket, const Address& to) {
  return socket < 0 ? -1
                    : sendto(socket, "x", 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
                             sizeof to);
}
long send_to(int socket, const UnixAddress& to) {
  return socket < 0 ? -1
                    : sendto(socket, "x", 1, MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&to.address), to.size);
}

long listen_on_tcp(const Targets&) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in any = loopback4(0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return -1;
  return listen(fd, 1);
}

long socket_of_any_family(const Targets&) {
  for (int family = 0; family < 64; ++family) {
    for (int type = 1; type <= 6; ++type) {
      if (const int fd = socket(family, type, 0); fd >= 0) return fd;
    }
  }
  return -1;
}

long read_routes(const Targets&) {
  const int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) return -1;
  struct {
    nlmsghdr header;
    rtgenmsg body;
  } ask{};
  ask.header.nlmsg_len = sizeof ask;
  ask.header.nlmsg_type = RTM_GETLINK;
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  return send(fd, &ask, sizeof ask, 0);
}

long give_a_descriptor_away(const Targets& t) {
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &t.model_fd, sizeof t.model_fd);
  return sendmsg(t.control_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

template <typename Make>
long listen_as(Make address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address.address), address.size) != 0) {
    return -1;
  }
  return listen(fd, 1);
}

constexpr unsigned kEvery = kSeccomp | kLandlock | kNamespaces;

constexpr Attempt kNetwork[] = {
    {"tcp4", "connect to 127.0.0.1 by TCP", kEvery, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_INET, SOCK_STREAM, 0), loopback4(t.tcp_port));
     }},
    {"tcp6", "connect to ::1 by TCP", kEvery, Control::kIfThere,
     [](const Targets& t) {
       return connect_to(socket(AF_INET6, SOCK_STREAM, 0), loopback6(t.tcp_port));
     }},
    {"tcp_on_a_given_socket", "the same on a socket that was there before", kEvery, Control::kUser,
     [](const Targets& t) { return connect_to(t.given_tcp, loopback4(t.tcp_port)); }},
    {"tcp_listen", "wait for TCP connections", kSeccomp | kLandlock, Control::kUser, listen_on_tcp},
    {"udp4", "send to 127.0.0.1 by UDP", kSeccomp | kNamespaces, Control::kUser,
     [](const Targets& t) {
       return send_to(socket(AF_INET, SOCK_DGRAM, 0), loopback4(t.tcp_port));
     }},
    {"udp6", "send to ::1 by UDP", kSeccomp | kNamespaces, Control::kIfThere,
     [](const Targets& t) {
       return send_to(socket(AF_INET6, SOCK_DGRAM, 0), loopback6(t.tcp_port));
     }},
    {"mptcp", "multipath TCP", kSeccomp, Control::kIfThere,
     [](const Targets&) -> long { return socket(AF_INET, SOCK_STREAM, 262); }},
    {"icmp", "a raw ICMP socket", kSeccomp | kPrivileges, Control::kRoot,
     [](const Targets&) -> long { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
    {"packets", "read packets off the wire (AF_PACKET)", kSeccomp | kPrivileges, Control::kRoot,
     [](const Targets&) -> long { return socket(AF_PACKET, SOCK_RAW, 0); }},
    {"netlink", "list interfaces by netlink", kSeccomp, Control::kUser, read_routes},
    {"vsock", "a socket to the hypervisor", kSeccomp, Control::kIfThere,
     [](const Targets&) -> long { return socket(AF_VSOCK, SOCK_STREAM, 0); }},
    {"kernel_crypto", "a socket to the kernel's ciphers (AF_ALG)", kSeccomp, Control::kIfThere,
     [](const Targets&) -> long { return socket(AF_ALG, SOCK_SEQPACKET, 0); }},
    {"any_family", "a socket of any of 64 families and 6 types", kSeccomp, Control::kUser,
     socket_of_any_family},
};

constexpr Attempt kUnixSockets[] = {
    {"unix_path", "connect to a Unix socket by path", kSeccomp, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_path(t.in("listener.sock")));
     }},
    {"unix_path_on_a_given_socket", "the same on a socket that was there before", kSeccomp,
     Control::kUser,
     [](const Targets& t) { return connect_to(t.given_unix, by_path(t.in("listener.sock"))); }},
    {"unix_path_datagram", "send to a Unix socket by path", kSeccomp, Control::kUser,
     [](const Targets& t) {
       return send_to(socket(AF_UNIX, SOCK_DGRAM, 0), by_path(t.in("datagram.sock")));
     }},
    {"unix_datagram_on_a_given_socket", "the same on a socket that was there before", kSeccomp,
     Control::kUser,
     [](const Targets& t) { return send_to(t.given_datagram, by_path(t.in("datagram.sock"))); }},
    {"unix_abstract", "connect to a Unix socket by abstract name", kEvery, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_name(t.abstract_name));
     }},
    {"unix_abstract_datagram", "send to a Unix socket by abstract name", kEvery, Control::kUser,
     [](const Targets& t) {
       return send_to(socket(AF_UNIX, SOCK_DGRAM, 0), by_name(t.abstract_name + ".dgram"));
     }},
    {"dbus_system", "the system's D-Bus", kSeccomp, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_path(t.in("system_bus_socket")));
     }},
    {"dbus_session", "a session's D-Bus (abstract name)", kEvery, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_name(t.abstract_name + ".dbus"));
     }},
    {"other_engine", "another engine's socket", kSeccomp, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_path(t.in("engine.sock")));
     }},
    {"admin_socket", "the monitor's administration", kSeccomp, Control::kUser,
     [](const Targets& t) {
       return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), by_path(t.in("admin.sock")));
     }},
    {"unix_listen", "wait for connections at a path", kSeccomp | kLandlock, Control::kUser,
     [](const Targets& t) { return listen_as(by_path(t.in("made.sock"))); }},
    {"unix_listen_abstract", "wait for connections at an abstract name", kSeccomp, Control::kUser,
     [](const Targets& t) { return listen_as(by_name(t.abstract_name + ".made")); }},
    {"give_a_descriptor_away", "pass the model's descriptor on over the control socket", kSeccomp,
     Control::kUser, give_a_descriptor_away},
};

}  // namespace

std::span<const Attempt> network_attempts() { return kNetwork; }
std::span<const Attempt> unix_socket_attempts() { return kUnixSockets; }

}  // namespace candor::engine::escape
