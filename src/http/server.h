// An HTTP/1.1 server core on one io thread: keep-alive, bounds on everything a client can make
// large or slow, streamed replies with back-pressure, notice of a client that goes away while the
// handler works, and a graceful drain. Requests on one connection are answered one after the other,
// in order; up to pipelined_bytes of later requests are read ahead and no more.
//
// io thread only, except the constructor and listen(), which come before the io_context runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/peer.h"
#include "http/request.h"
#include "http/request_reader.h"
#include "http/task.h"
#include "http/tls.h"

namespace candor::http {

class Connection;

struct ServerOptions {
  ReaderLimits limits;
  std::chrono::milliseconds header_timeout{
      10'000};                                      // from a request's first byte to its last field
  std::chrono::milliseconds body_timeout{60'000};   // from there to the body's last byte
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // one write that the client does not read
  std::size_t max_connections = 1024;               // more get 503 and are closed
  std::size_t pipelined_bytes = 64U << 10U;
};

struct TcpAddress {
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6
  std::uint16_t port = 0;             // 0: the kernel chooses, see Server::port
  bool tls = false;                   // with the context of Server::set_tls
};
struct UnixAddress {
  std::string path;
  unsigned mode = 0600;
  std::optional<std::uint32_t> group;  // the socket's group, if not the process's
};
struct AdoptedListener {  // a listening socket that another process made (socket activation)
  int fd = -1;            // owned from now on
};
using ListenAddress = std::variant<TcpAddress, UnixAddress, AdoptedListener>;

struct Reply {
  int status = 200;
  Headers headers;  // content-length, date, connection and x-request-id are added
  std::string body;
};

// One request and the way to answer it. Lives until the handler's coroutine ends. Every method that
// sends returns kCancelled once the client is gone; nothing more can be sent then, and the handler
// should finish its records and return.
class Call {
 public:
  explicit Call(Connection& connection, Request request)
      : connection_(connection), request_(std::move(request)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] Request& request() noexcept { return request_; }
  [[nodiscard]] const Peer& peer() const noexcept;
  // Requested when the client goes away, or by the server at the end of a drain's grace.
  [[nodiscard]] StopSource& stop() noexcept { return stop_; }

  // The whole answer at once. Ends the call.
  [[nodiscard]] Task<Result<void>> reply(Reply reply);
  // The head of a streamed answer. It is held back and sent with the first write.
  [[nodiscard]] Result<void> start(int status, const Headers& headers);
  // One piece (for SSE: one whole event), handed to the kernel before the task ends. Waits while
  // the client does not read.
  [[nodiscard]] Task<Result<void>> write(std::string piece);
  // Ends a streamed answer, with a last piece if not empty.
  [[nodiscard]] Task<Result<void>> finish(std::string last = {});
  // Ends the connection without a proper end, so that the client cannot take a broken answer for a
  // whole one.
  void abort() noexcept;

  [[nodiscard]] bool started() const noexcept { return state_ != State::kFresh; }

 private:
  friend class Connection;
  enum class State : std::uint8_t { kFresh, kHeadHeld, kStreaming, kDone };
  Connection& connection_;
  Request request_;
  StopSource stop_;
  std::string held_head_;
  State state_ = State::kFresh;
  bool chunked_ = true;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Owes an answer: reply(), or start() to finish(), or abort(). A handler that returns without
  // one, or throws, is a bug: the client gets 500 or a cut connection.
  [[nodiscard]] virtual Task<void> handle(Call& call) = 0;
  // A request that never became one: malformed, too large, too slow, or one connection too many
  // (503). Returns the reply's body as JSON; reason is a sentence of ours.
  [[nodiscard]] virtual std::string refusal(const Peer& peer, int status,
                                            std::string_view reason) = 0;
};

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_full = 0;      // over max_connections
  std::uint64_t requests = 0;          // handed to the handler
  std::uint64_t refused_requests = 0;  // malformed, too large or too slow
  std::uint64_t timeouts = 0;
  std::uint64_t clients_gone = 0;  // while a handler worked
  std::uint64_t failed_handshakes = 0;
};

class Server {
 public:
  // resolver may be null; handler, clock and resolver must outlive the server.
  Server(asio::io_context& io, ServerOptions options, Handler& handler, Clock& clock,
         PeerResolver* resolver);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Undrained: only if the io_context does not run again.
  ~Server();

  // kInvalidArgument: not a numeric address, or a path too long. kFailedPrecondition: another
  // process listens there. kPermissionDenied: the address or path may not be used. A stale socket
  // file is replaced. Accepting begins when the io_context runs.
  [[nodiscard]] Result<void> listen(const ListenAddress& address);
  // The port of the first TCP listener without TLS and of the first with it, 0 if there is none.
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::uint16_t tls_port() const noexcept;

  // For connections accepted from now on; before the first listener with TLS.
  void set_tls(std::shared_ptr<const TlsContext> context);

  // Refuses new connections, closes idle ones, lets running calls finish and closes theirs. After
  // `grace` every call left is asked to stop (StopReason::kShutdown) and the task waits for its
  // handlers to end. A call that cannot write then loses its connection after write_timeout.
  // Call it once.
  [[nodiscard]] Task<void> drain(std::chrono::milliseconds grace);
  // Ends the grace of a drain: asks every call that is left to stop now.
  void hasten();

  [[nodiscard]] std::size_t open_connections() const noexcept;
  [[nodiscard]] const ServerCounters& counters() const noexcept;
  // Closes what is past its deadline; runs by itself four times a second, tests call it.
  void sweep();

 private:
  friend class Connection;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace candor::http
