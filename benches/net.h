// Sockets, time and arguments for the benchmark programs: Linux, one thread, non-blocking.
// Fails by printing a sentence and ending the process; these are tools, not services.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace candor::bench {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

[[noreturn]] inline void die(std::string_view what) {
  std::perror(std::string(what).c_str());
  std::exit(1);
}

inline std::int64_t now_ns() {
  return std::chrono::duration_cast<nanoseconds>(Clock::now().time_since_epoch()).count();
}

// "--name value" and "--switch" (the next argument starts with "--" or is absent).
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      std::string_view name = argv[i];
      if (!name.starts_with("--")) {
        std::fprintf(stderr, "unexpected argument '%s'\n", argv[i]);
        std::exit(2);
      }
      const bool has_value = i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--");
      values_[std::string(name.substr(2))] = has_value ? argv[++i] : "yes";
    }
  }
  [[nodiscard]] std::string text(const std::string& name, std::string fallback = "") const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : found->second;
  }
  [[nodiscard]] double number(const std::string& name, double fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : std::strtod(found->second.c_str(), nullptr);
  }
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

 private:
  std::map<std::string, std::string> values_;
};

// "tcp:127.0.0.1:8080" or "unix:/path".
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_INET;

  explicit Address(std::string_view text) {
    if (text.starts_with("unix:")) {
      auto* unix_address = reinterpret_cast<sockaddr_un*>(&storage);
      const std::string path(text.substr(5));
      if (path.size() >= sizeof unix_address->sun_path) {
        std::fprintf(stderr, "the socket path '%s' is too long\n", path.c_str());
        std::exit(2);
      }
      unix_address->sun_family = AF_UNIX;
      path.copy(unix_address->sun_path, path.size());
      size = sizeof(sockaddr_un);
      family = AF_UNIX;
      return;
    }
    if (text.starts_with("tcp:")) text.remove_prefix(4);
    const auto colon = text.rfind(':');
    auto* inet = reinterpret_cast<sockaddr_in*>(&storage);
    inet->sin_family = AF_INET;
    const std::string host(text.substr(0, colon));
    if (colon == std::string_view::npos || inet_pton(AF_INET, host.c_str(), &inet->sin_addr) != 1) {
      std::fprintf(stderr, "need tcp:ADDRESS:PORT or unix:PATH\n");
      std::exit(2);
    }
    inet->sin_port =
        htons(static_cast<std::uint16_t>(std::atoi(std::string(text.substr(colon + 1)).c_str())));
    size = sizeof(sockaddr_in);
  }
};

inline void no_delay(int fd) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, rightly
}

inline int listen_on(const Address& address) {
  const int fd = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family == AF_UNIX) {
    (void)unlink(reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path);
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) die("bind");
  if (listen(fd, 1024) != 0) die("listen");
  return fd;
}

// A connected socket; its users read and write with MSG_DONTWAIT.
inline int connect_to(const Address& address) {
  const int fd = socket(address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    die("connect");
  }
  no_delay(fd);
  return fd;
}

}  // namespace candor::bench
