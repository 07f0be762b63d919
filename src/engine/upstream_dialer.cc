// Connections to upstreams: name look-up, HTTP CONNECT through a proxy, TLS.
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "engine/engine_client.h"
#include "engine/internal/http_answer.h"

namespace candor::engine {
namespace {

using asio::ip::tcp;
using http::Io;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxProxyHead = 8U << 10U;

std::unexpected<Error> unreachable(std::string why) {
  return fail(Code::kUnavailable, "cannot connect to the upstream: " + std::move(why));
}

// Closes what is being connected when the time is up. The timer's handler may be on its way when
// the dialling coroutine ends or is cancelled, so what it looks at is not in that frame.
class Deadline {
 public:
  Deadline(asio::any_io_executor executor, std::chrono::milliseconds after,
           std::function<void()> close)
      : timer_(std::move(executor), after), state_(std::make_shared<State>()) {
    timer_.async_wait([state = state_, close = std::move(close)](boost::system::error_code error) {
      if (error || state->ended) return;
      state->passed = true;
      close();
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { state_->ended = true; }
  [[nodiscard]] bool passed() const noexcept { return state_->passed; }

 private:
  struct State {
    bool passed = false;
    bool ended = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<State> state_;  // shared with the handler, which may outlive this
};

class UpstreamDialer final : public Dialer {
 public:
  explicit UpstreamDialer(UpstreamDialOptions options) : options_(std::move(options)) {}

  asio::awaitable<Result<Channel>> dial(asio::any_io_executor executor) override {
    tcp::resolver resolver(executor);
    tcp::socket socket(executor);
    Channel channel{StreamSocket(executor), nullptr};
    Deadline deadline(executor, options_.connect_timeout, [&] {
      boost::system::error_code ignored;
      resolver.cancel();
      socket.close(ignored);
      channel.socket.close(ignored);
    });
    Result<void> done = co_await reach(resolver, socket);
    if (done) {
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      socket.non_blocking(true, ignored);
      channel.socket = StreamSocket(std::move(socket));
      if (options_.endpoint.tls) done = co_await secure(channel);
    }
    if (deadline.passed()) {
      co_return unreachable("it took too long");
    }
    if (!done) co_return std::unexpected(std::move(done).error());
    co_return channel;
  }

 private:
  // A connected socket to the upstream, or through the proxy to it.
  asio::awaitable<Result<void>> reach(tcp::resolver& resolver, tcp::socket& socket) {
    const Endpoint& first = options_.proxy ? *options_.proxy : options_.endpoint;
    const auto [unknown, found] =
        co_await resolver.async_resolve(first.host, std::to_string(first.port), kAsTuple);
    if (unknown) co_return unreachable("its name is not known here");
    const auto [error, endpoint] = co_await asio::async_connect(socket, found, kAsTuple);
    if (error) co_return unreachable(error.message());
    if (options_.proxy) co_return co_await tunnel(socket);
    co_return Result<void>{};
  }

  // RFC 9110, section 9.3.6.
  asio::awaitable<Result<void>> tunnel(tcp::socket& socket) {
    const Endpoint& to = options_.endpoint;
    const std::string host = to.host.find(':') != std::string::npos ? "[" + to.host + "]" : to.host;
    const std::string target = host + ":" + std::to_string(to.port);
    const std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
    const auto [error, sent] = co_await asio::async_write(socket, asio::buffer(request), kAsTuple);
    if (error) co_return unreachable("the proxy closed the connection");
    // Byte by byte, since what follows the head is the upstream's.
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char byte = 0;
      const auto [failed, got] = co_await socket.async_read_some(asio::buffer(&byte, 1), kAsTuple);
      if (failed) co_return unreachable("the proxy closed the connection");
      head.push_back(byte);
      if (head.size() > kMaxProxyHead) co_return unreachable("the proxy's answer is too long");
    }
    head.resize(head.size() - 4);
    const auto answer = internal::parse_head(head);
    if (!answer) co_return unreachable("the proxy's answer is not HTTP");
    if (answer->status / 100 != 2) {
      co_return unreachable("the proxy answered " + std::to_string(answer->status));
    }
    co_return Result<void>{};
  }

  asio::awaitable<Result<void>> secure(Channel& channel) {
    channel.tls = CO_TRY(http::TlsSession::connect(options_.tls, channel.socket.native_handle(),
                                                   options_.endpoint.host));
    for (;;) {
      const Io io = channel.tls->handshake();
      if (io.state == Io::State::kDone) co_return Result<void>{};
      if (io.state != Io::State::kWantRead && io.state != Io::State::kWantWrite) {
        const std::string& why = channel.tls->refusal();
        co_return unreachable(why.empty() ? "the TLS handshake failed"
                                          : "its certificate is not accepted: " + why);
      }
      const auto [error] = co_await channel.socket.async_wait(
          io.state == Io::State::kWantRead ? StreamSocket::wait_read : StreamSocket::wait_write,
          kAsTuple);
      if (error) co_return unreachable("the connection was closed in the TLS handshake");
    }
  }

  UpstreamDialOptions options_;
};

}  // namespace

std::shared_ptr<Dialer> upstream_dialer(UpstreamDialOptions options) {
  if (!options.endpoint.socket_path.empty()) return unix_dialer(options.endpoint.socket_path);
  return std::make_shared<UpstreamDialer>(std::move(options));
}

}  // namespace candor::engine
