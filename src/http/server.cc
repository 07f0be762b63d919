#include "http/server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <arpa/inet.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "http/internal/connection.h"

namespace candor::http {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kSweepEvery{250};
constexpr int kBacklog = 511;

Error system_error(std::string_view doing) {
  const int error = errno;
  Code code = Code::kUnavailable;
  if (error == EACCES || error == EPERM) code = Code::kPermissionDenied;
  if (error == EADDRINUSE) code = Code::kFailedPrecondition;
  if (error == EADDRNOTAVAIL || error == EINVAL) code = Code::kInvalidArgument;
  return Error(code, std::string(doing) + ": " + std::strerror(error));
}

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<int> listen_tcp(const TcpAddress& address) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, address.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    size = sizeof v4;
    std::memcpy(&storage, &v4, size);
  } else if (::inet_pton(AF_INET6, address.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    size = sizeof v6;
    std::memcpy(&storage, &v6, size);
  } else {
    return fail(Code::kInvalidArgument, "a listener needs a numeric IPv4 or IPv6 address");
  }
  OwnedFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return std::unexpected(system_error("making a listener"));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return std::unexpected(
        system_error("listening on " + address.address + " port " + std::to_string(address.port)));
  }
  return fd.release();
}

Result<int> listen_unix(const UnixAddress& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.path.empty() || address.path.size() >= sizeof name.sun_path) {
    return fail(Code::kInvalidArgument, "a Unix socket's path has 1 to 107 bytes");
  }
  std::memcpy(&name.sun_path[0], address.path.c_str(), address.path.size());
  const auto* as_sockaddr = reinterpret_cast<const sockaddr*>(&name);
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return std::unexpected(system_error("making a listener"));

  struct stat found{};
  if (::lstat(address.path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) {
      return fail(Code::kFailedPrecondition, address.path + " exists and is not a socket");
    }
    OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), as_sockaddr, sizeof name) == 0 || errno != ECONNREFUSED) {
      return fail(Code::kFailedPrecondition, "another process listens on " + address.path);
    }
    ::unlink(address.path.c_str());
  }
  // Nobody can connect before listen(), so the mode is in force from the first connection on.
  if (::bind(fd.get(), as_sockaddr, sizeof name) != 0) {
    return std::unexpected(system_error("listening on " + address.path));
  }
  if (address.group && ::chown(address.path.c_str(), static_cast<uid_t>(-1), *address.group) != 0) {
    return std::unexpected(system_error("giving " + address.path + " its group"));
  }
  if (::chmod(address.path.c_str(), address.mode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return std::unexpected(system_error("listening on " + address.path));
  }
  return fd.release();
}

}  // namespace

struct Server::State final : ConnectionHost {
  State(asio::io_context& context, ServerOptions o, Handler& h, Clock& c, PeerResolver* r)
      : ConnectionHost(owned_options, h, c, owned_counters),
        io(context),
        owned_options(std::move(o)),
        resolver(r),
        sweep_timer(context),
        all_closed(context.get_executor()) {
    const auto nonce = make_id(system_random());
    id_prefix = to_hex(std::span(nonce).first(8));
  }

  struct Listener {
    asio::posix::stream_descriptor descriptor;
    std::string unix_path;  // unlinked at the end
    ino_t inode = 0;        // only if it is still ours
    bool tcp = false;
    bool tls = false;
  };

  void closed(Connection& connection) override {
    const std::size_t at = connection.list_index;
    std::swap(connections[at], connections.back());
    connections[at]->list_index = at;
    connections.pop_back();
    if (connections.empty() && is_draining) all_closed.set();
  }
  bool draining() const override { return is_draining; }
  std::string_view date() override {
    const std::time_t now = static_cast<std::time_t>(clock.wall_us() / 1'000'000);
    if (now != date_second) {
      date_second = now;
      std::tm parts{};
      ::gmtime_r(&now, &parts);
      // IMF-fixdate by hand: strftime's names follow the locale.
      static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                        "Thu", "Fri", "Sat"};
      static constexpr std::array<const char*, 12> kMonths{
          "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
      std::array<char, 64> text{};
      const int size =
          std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                        kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                        kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                        parts.tm_hour, parts.tm_min, parts.tm_sec);
      date_text.assign(text.data(), static_cast<std::size_t>(size));
    }
    return date_text;
  }
  std::string next_request_id() override {
    Bytes number;
    put_u64(number, ++last_id);
    return id_prefix + to_hex(number);
  }

  Task<void> accept_loop(std::size_t index);
  Task<void> sweep_loop();
  void admit(int fd, const Listener& listener);
  void sweep() {
    const std::int64_t now = clock.mono_us();
    const auto all = connections;  // a sweep may close, and closing edits the list
    for (const auto& connection : all) connection->sweep(now);
  }
  void stop_listening() {
    for (Listener& listener : listeners) {
      boost::system::error_code ignored;
      listener.descriptor.close(ignored);
      struct stat found{};
      if (!listener.unix_path.empty() && ::lstat(listener.unix_path.c_str(), &found) == 0 &&
          found.st_ino == listener.inode) {
        ::unlink(listener.unix_path.c_str());
      }
      listener.unix_path.clear();
    }
  }

  asio::io_context& io;
  ServerOptions owned_options;
  ServerCounters owned_counters;
  PeerResolver* resolver;
  std::vector<Listener> listeners;
  std::vector<std::shared_ptr<Connection>> connections;
  asio::steady_timer sweep_timer;
  Event all_closed;
  std::string id_prefix;
  std::uint64_t last_id = 0;
  std::time_t date_second = -1;
  std::string date_text;
  std::uint16_t port = 0;
  std::uint16_t tls_port = 0;
  std::shared_ptr<const TlsContext> tls;
  bool is_draining = false;
};

void Server::State::admit(int fd, const Listener& listener) {
  ++owned_counters.accepted;
  if (listener.tcp) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (connections.size() >= owned_options.max_connections) {
    ++owned_counters.refused_full;
    const Peer peer = Peer::at_accept(fd, nullptr);
    const std::string body = handler.refusal(peer, 503, "Too many connections are open.");
    if (listener.tls) {  // a handshake for it would cost more than the connection
      ::close(fd);
      return;
    }
    std::string bytes =
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n"
        "content-type: application/json\r\ncontent-length: ";
    bytes += std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
    ::close(fd);
    return;
  }
  std::unique_ptr<TlsSession> session;
  if (listener.tls) {
    auto made = TlsSession::accept(tls, fd);
    if (!made) {  // out of memory
      ::close(fd);
      return;
    }
    session = *std::move(made);
  }
  auto connection = std::make_shared<Connection>(io, fd, std::move(session), *this, resolver);
  connection->list_index = connections.size();
  connections.push_back(connection);
  asio::co_spawn(io, connection->run(), asio::detached);
}

Task<void> Server::State::accept_loop(std::size_t index) {
  asio::steady_timer pause(io);
  while (!is_draining) {
    // By index: the list may grow while this waits.
    const auto [ec] = co_await listeners[index].descriptor.async_wait(
        asio::posix::stream_descriptor::wait_read, kAsTuple);
    if (ec) co_return;
    for (int i = 0; i < 64 && !is_draining; ++i) {
      const int fd = ::accept4(listeners[index].descriptor.native_handle(), nullptr, nullptr,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        admit(fd, listeners[index]);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause.expires_after(std::chrono::milliseconds(100));  // until others are closed
        (void)co_await pause.async_wait(kAsTuple);
      }
      break;  // EAGAIN, or a client that left the queue
    }
  }
}

Task<void> Server::State::sweep_loop() {
  while (!is_draining || !connections.empty()) {
    sweep_timer.expires_after(kSweepEvery);
    const auto [ec] = co_await sweep_timer.async_wait(kAsTuple);
    if (ec) co_return;
    sweep();
  }
}

Server::Server(asio::io_context& io, ServerOptions options, Handler& handler, Clock& clock,
               PeerResolver* resolver)
    : state_(std::make_unique<State>(io, std::move(options), handler, clock, resolver)) {
  CANDOR_CHECK(state_->options.limits.header_bytes <= state_->options.pipelined_bytes);
  asio::co_spawn(io, state_->sweep_loop(), asio::detached);
}

Server::~Server() {
  state_->is_draining = true;
  state_->sweep_timer.cancel();
  state_->stop_listening();
  for (const auto& connection : state_->connections) connection->close();
}

Result<void> Server::listen(const ListenAddress& address) {
  std::string unix_path;
  int fd = -1;
  bool tls = false;
  if (const auto* tcp = std::get_if<TcpAddress>(&address)) {
    tls = tcp->tls;
    CANDOR_CHECK(!tls || state_->tls != nullptr);
    fd = TRY(listen_tcp(*tcp));
  } else if (const auto* local = std::get_if<UnixAddress>(&address)) {
    fd = TRY(listen_unix(*local));
    unix_path = local->path;
  } else {
    fd = std::get<AdoptedListener>(address).fd;
  }
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return std::unexpected(system_error("adopting a listener"));
  }
  const bool tcp = name.ss_family != AF_UNIX;
  std::uint16_t& port = tls ? state_->tls_port : state_->port;
  if (tcp && port == 0) {
    sockaddr_in6 any{};  // the port is at the same place in both families
    std::memcpy(&any, &name, sizeof any);
    port = ntohs(any.sin6_port);
  }
  struct stat found{};
  if (!unix_path.empty()) (void)::lstat(unix_path.c_str(), &found);
  state_->listeners.push_back({asio::posix::stream_descriptor(state_->io, fd), std::move(unix_path),
                               found.st_ino, tcp, tls});
  asio::co_spawn(state_->io, state_->accept_loop(state_->listeners.size() - 1), asio::detached);
  return {};
}

std::uint16_t Server::port() const noexcept { return state_->port; }
std::uint16_t Server::tls_port() const noexcept { return state_->tls_port; }

void Server::set_tls(std::shared_ptr<const TlsContext> context) {
  state_->tls = std::move(context);
}

void Server::hasten() {
  const auto left = state_->connections;  // stopping one may end it
  for (const auto& connection : left) connection->stop_call(StopReason::kShutdown);
}

Task<void> Server::drain(std::chrono::milliseconds grace) {
  State& state = *state_;
  state.is_draining = true;
  state.stop_listening();
  const auto all = state.connections;
  for (const auto& connection : all) connection->begin_drain();
  if (state.connections.empty()) {
    state.sweep_timer.cancel();
    co_return;
  }
  asio::steady_timer timer(state.io, grace);
  timer.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) hasten();
  });
  co_await state.all_closed.wait();
  timer.cancel();
  state.sweep_timer.cancel();
}

std::size_t Server::open_connections() const noexcept { return state_->connections.size(); }
const ServerCounters& Server::counters() const noexcept { return state_->owned_counters; }
void Server::sweep() { state_->sweep(); }

}  // namespace candor::http
