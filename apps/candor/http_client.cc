#include "http_client.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

namespace candor::cli {
namespace {

constexpr std::size_t kMaxHeadBytes = 64U << 10U;

std::atomic<bool> g_interrupted{false};

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Error connect_error(const Endpoint& endpoint, int error) {
  if (error == EACCES || error == EPERM) {
    return {Code::kPermissionDenied,
            endpoint.describe() + " does not admit this user; it admits its owner, group and root"};
  }
  if (error == ENOENT || error == ECONNREFUSED) {
    return {Code::kUnavailable,
            "no server answers at " + endpoint.describe() + "; start one with 'candor serve'"};
  }
  return {Code::kUnavailable,
          "cannot connect to " + endpoint.describe() + ": " + std::strerror(error)};
}

Result<Socket> dial(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (endpoint.unix_path.size() >= sizeof address.sun_path) {
      return fail(Code::kInvalidArgument,
                  "the socket's path is longer than the system allows: " + endpoint.unix_path);
    }
    std::memcpy(address.sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
    Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.fd() < 0) return std::unexpected(connect_error(endpoint, errno));
    if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return std::unexpected(connect_error(endpoint, errno));
    }
    return socket;
  }
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    size = sizeof *v6;
  } else {
    return fail(Code::kInvalidArgument, "not a numeric address: " + endpoint.host);
  }
  Socket socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return std::unexpected(connect_error(endpoint, errno));
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    return std::unexpected(connect_error(endpoint, errno));
  }
  return socket;
}

Result<void> send_all(int fd, std::string_view data) {
  while (!data.empty()) {
    if (g_interrupted) return fail(Code::kCancelled, "interrupted");
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      // The server may have answered before it read everything (a body above its limit).
      if (errno == EPIPE || errno == ECONNRESET) return {};
      return fail(Code::kUnavailable, std::string("the connection broke: ") + std::strerror(errno));
    }
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// Bytes from a socket with look-ahead.
class Reader {
 public:
  Reader(int fd, std::chrono::milliseconds idle) : fd_(fd), idle_(idle) {}

  // More bytes in buffer(); false at end of file.
  Result<bool> fill() {
    while (true) {
      if (g_interrupted) return fail(Code::kCancelled, "interrupted");
      pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&wait, 1, static_cast<int>(idle_.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) {
        return fail(Code::kDeadlineExceeded, "the server has been silent for " +
                                                 std::to_string(idle_.count() / 1000) + " s");
      }
      char piece[16384];
      const ssize_t got = ::recv(fd_, piece, sizeof piece, 0);
      if (got < 0) {
        if (errno == EINTR) continue;
        return fail(Code::kUnavailable, "the connection broke before the answer's end");
      }
      if (got == 0) return false;
      buffer_.append(piece, static_cast<std::size_t>(got));
      return true;
    }
  }
  Result<std::string> line() {  // without its CRLF
    while (true) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string text = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        if (!text.empty() && text.back() == '\r') text.pop_back();
        return text;
      }
      if (buffer_.size() > kMaxHeadBytes) {
        return fail(Code::kInvalidArgument, "the reply's head is too large");
      }
      if (!TRY(fill())) {
        return fail(Code::kUnavailable, "the server closed the connection without an answer");
      }
    }
  }
  std::string& buffer() { return buffer_; }

 private:
  int fd_;
  std::chrono::milliseconds idle_;
  std::string buffer_;
};

class Body {
 public:
  Body(HttpReply& reply, const HttpOptions& options) : reply_(reply), options_(options) {}
  Result<void> take(std::string_view piece) {
    total_ += piece.size();
    if (total_ > options_.max_body_bytes) {
      return fail(Code::kInvalidArgument,
                  "the reply is larger than " + std::to_string(options_.max_body_bytes) + " bytes");
    }
    if (options_.sink && reply_.status == 200) {
      options_.sink(piece);
    } else {
      reply_.body.append(piece);
    }
    return {};
  }
  // Exactly `count` bytes from the reader.
  Result<void> copy(Reader& reader, std::uint64_t count) {
    while (count > 0) {
      if (reader.buffer().empty() && !TRY(reader.fill())) {
        return fail(Code::kUnavailable, "the connection ended in the middle of the answer");
      }
      const auto n =
          static_cast<std::size_t>(std::min<std::uint64_t>(count, reader.buffer().size()));
      TRY(take(std::string_view(reader.buffer()).substr(0, n)));
      reader.buffer().erase(0, n);
      count -= n;
    }
    return {};
  }

 private:
  HttpReply& reply_;
  const HttpOptions& options_;
  std::size_t total_ = 0;
};

Result<void> read_chunked(Reader& reader, Body& body) {
  while (true) {
    const std::string head = TRY(reader.line());
    const std::string_view digits = trim(std::string_view(head).substr(0, head.find(';')));
    std::uint64_t count = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), count, 16);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return fail(Code::kInvalidArgument, "the reply's chunks are malformed");
    }
    if (count == 0) {
      while (!TRY(reader.line()).empty()) {
      }
      return {};
    }
    TRY(body.copy(reader, count));
    if (!TRY(reader.line()).empty()) {
      return fail(Code::kInvalidArgument, "the reply's chunks are malformed");
    }
  }
}

Result<void> read_head(Reader& reader, HttpReply& reply) {
  const std::string status = TRY(reader.line());
  if (!status.starts_with("HTTP/1.") || status.size() < 12) {
    return fail(Code::kInvalidArgument, "what answers there does not speak HTTP");
  }
  const auto [end, error] = std::from_chars(status.data() + 9, status.data() + 12, reply.status);
  if (error != std::errc() || end != status.data() + 12) {
    return fail(Code::kInvalidArgument, "the reply has no status");
  }
  std::size_t bytes = 0;
  while (true) {
    const std::string line = TRY(reader.line());
    if (line.empty()) return {};
    bytes += line.size();
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || bytes > kMaxHeadBytes) {
      return fail(Code::kInvalidArgument, "the reply's head is malformed");
    }
    reply.headers.emplace_back(lower(std::string_view(line).substr(0, colon)),
                               trim(std::string_view(line).substr(colon + 1)));
  }
}

}  // namespace

std::string Endpoint::describe() const {
  if (!unix_path.empty()) return unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string_view HttpReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<HttpReply> http_call(const Endpoint& endpoint, const HttpRequest& request,
                            const HttpOptions& options) {
  const Socket socket = TRY(dial(endpoint));
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " +
                     (endpoint.unix_path.empty() ? endpoint.describe() : "localhost") +
                     "\r\nConnection: close\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST") {
    head +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) +
        "\r\n";
  }
  TRY(send_all(socket.fd(), head + "\r\n" + request.body));

  Reader reader(socket.fd(), options.idle);
  HttpReply reply;
  do {
    reply = {};
    TRY(read_head(reader, reply));
  } while (reply.status >= 100 && reply.status < 200);

  Body body(reply, options);
  if (request.method == "HEAD" || reply.status == 204 || reply.status == 304) return reply;
  if (lower(reply.header("transfer-encoding")) == "chunked") {
    TRY(read_chunked(reader, body));
  } else if (const std::string_view length = reply.header("content-length"); !length.empty()) {
    const std::uint64_t count = TRY(parse_decimal(length));
    TRY(body.copy(reader, count));
  } else {
    do {
      TRY(body.take(reader.buffer()));
      reader.buffer().clear();
    } while (TRY(reader.fill()));
  }
  return reply;
}

std::atomic<bool>& interrupt_flag() noexcept { return g_interrupted; }

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_interrupted = true; };
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);  // without SA_RESTART: poll and read return
}

}  // namespace candor::cli
