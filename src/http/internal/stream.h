// A connection's bytes, in the clear or under TLS: one attempt at a time, never waiting.
#pragma once

#include <cerrno>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <sys/socket.h>

#include "http/tls.h"

namespace candor::http {

class Stream {
 public:
  // tls: null for plain connections. fd stays the caller's.
  Stream(int fd, std::unique_ptr<TlsSession> tls) : fd_(fd), tls_(std::move(tls)) {}

  [[nodiscard]] TlsSession* tls() const noexcept { return tls_.get(); }

  [[nodiscard]] Io read(std::span<char> out) {
    if (tls_) return tls_->read(out);
    const ssize_t got = ::recv(fd_, out.data(), out.size(), MSG_DONTWAIT);
    if (got > 0) return {Io::State::kDone, static_cast<std::size_t>(got)};
    return {got == 0 ? Io::State::kEnd : waits(Io::State::kWantRead), 0};
  }
  [[nodiscard]] Io write(std::string_view bytes) {
    if (tls_) return tls_->write(bytes);
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return {Io::State::kDone, static_cast<std::size_t>(sent)};
    return {waits(Io::State::kWantWrite), 0};
  }
  // Says the end of what we send: close_notify, then the socket's.
  void end() noexcept {
    if (tls_) tls_->close_notify();
    ::shutdown(fd_, SHUT_WR);
  }

 private:
  static Io::State waits(Io::State want) noexcept {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? want : Io::State::kBroken;
  }
  int fd_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace candor::http
