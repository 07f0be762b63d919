// The other end of an engine's connection, with no process behind it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/local/stream_protocol.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "engine/engine_client.h"
#include "http/task.h"

namespace candor::gateway {

// Gives one end of a new pair away at each dial and keeps the other.
class PairDialer final : public engine::Dialer {
 public:
  ~PairDialer() override { close(); }
  http::Task<Result<engine::Channel>> dial(http::asio::any_io_executor executor) override {
    close();
    int ends[2];
    CANDOR_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    fd_ = ends[1];
    http::asio::local::stream_protocol::socket socket(
        executor, http::asio::local::stream_protocol(), ends[0]);
    socket.non_blocking(true);
    co_return engine::Channel{engine::StreamSocket(std::move(socket)), nullptr};
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // As much as the other end takes now; -1: it has gone, or there is none.
  [[nodiscard]] ssize_t send(std::string_view bytes) const {
    return fd_ < 0 ? -1 : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  // What has arrived by now.
  [[nodiscard]] std::string received() const {
    std::string out;
    char buffer[16'384];
    for (;;) {
      const ssize_t got = fd_ < 0 ? -1 : ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got <= 0) return out;
      out.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_ = -1;
};

}  // namespace candor::gateway
