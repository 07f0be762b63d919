// Asynchronous HTTP/1.1 client to one engine: our own candor-engine (connected descriptors handed
// over its control socket, S11), a foreign llama-server on a Unix path, or an upstream over TCP.
//
// The engine is a hostile peer (S16): status line, headers, chunk sizes, lines, events, whole
// bodies and pauses are bounded; the values of its headers are never passed on. Keep-alive
// connections are pooled. A request on a pooled connection that the peer had closed before sending
// a byte is sent once more on a fresh one.
//
// Threads: an EngineClient and its streams belong to one executor that runs one handler at a time
// (an io_context run by one thread, or a strand). A service with several threads makes one client
// for each. Errors: kDeadlineExceeded (which deadline is in the message), kUnavailable (cannot
// connect, connection lost before the end, client closed; from open(): no byte of an answer has
// come), kResourceExhausted (a bound was passed),
// kInternal (malformed HTTP or SSE), kCancelled. Messages never hold the engine's text.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "engine/endpoint.h"
#include "engine/sse_parser.h"
#include "http/tls.h"

namespace candor::engine {

namespace asio = boost::asio;
using StreamSocket = asio::generic::stream_protocol::socket;

// A connected stream socket, and the TLS session over it if there is one.
struct Channel {
  StreamSocket socket;
  std::unique_ptr<http::TlsSession> tls;
};

// How to get one connection to the engine.
class Dialer {
 public:
  virtual ~Dialer() = default;
  [[nodiscard]] virtual asio::awaitable<Result<Channel>> dial(asio::any_io_executor executor) = 0;
};
[[nodiscard]] std::shared_ptr<Dialer> unix_dialer(std::string path);
struct UpstreamDialOptions {
  Endpoint endpoint;
  std::shared_ptr<const http::TlsContext> tls = {};   // needed where endpoint.tls
  std::optional<Endpoint> proxy = {};                 // by HTTP CONNECT
  std::chrono::milliseconds connect_timeout{10'000};  // name, connection and handshake together
};
[[nodiscard]] std::shared_ptr<Dialer> upstream_dialer(UpstreamDialOptions options);
// Makes a socket pair and passes one end with SCM_RIGHTS over a duplicate of control_fd. No one
// else can connect: there is no address.
[[nodiscard]] std::shared_ptr<Dialer> passing_dialer(int control_fd);

struct EngineClientOptions {
  std::shared_ptr<Dialer> dialer;
  std::string host = "engine";   // Host header
  std::string path_prefix = {};  // before every request's path
  Sensitive<std::string> token;  // Authorization: Bearer; empty: none
  std::size_t max_idle_connections = 64;
  std::chrono::milliseconds max_idle_age{60'000};
  std::size_t max_header_bytes = 16U << 10U;
  std::uint64_t max_body_bytes = 64ULL << 20U;  // whole bodies, and errors' bodies
  SseLimits sse;
  Clock* clock = &system_clock();  // of the deadlines; outlives the client
};

struct EngineRequest {
  std::string method = "POST";
  std::string path;       // our own constant, "/v1/chat/completions"
  std::string body = {};  // JSON; empty with GET
  // True: an SSE answer is delivered event by event. An answer that is not text/event-stream is
  // delivered whole in either case (errors).
  bool stream = false;
  std::chrono::milliseconds first_byte_deadline{600'000};  // from sending to the status line
  std::chrono::milliseconds idle_deadline{60'000};         // between two reads after that
  std::chrono::milliseconds total_deadline{3'600'000};
};

class EngineStream {
 public:
  virtual ~EngineStream() = default;  // closes the connection if the answer has not ended: cancels
  [[nodiscard]] virtual int status() const noexcept = 0;  // 100..599, syntactically checked only
  [[nodiscard]] virtual bool is_event_stream() const noexcept = 0;
  // The next event's data, or the whole body (once, also when empty), or nullopt at the clean end:
  // the HTTP body has ended as framed. "[DONE]" is delivered as any event; what follows it is the
  // peer's to end. After an error or nullopt only destruction is allowed.
  [[nodiscard]] virtual asio::awaitable<Result<std::optional<std::string>>> next() = 0;
  // True while next() would complete without reading from the socket, so a gateway can gather
  // several events into one write.
  [[nodiscard]] virtual bool ready() const noexcept = 0;
  // Ends a pending next() with kCancelled and closes the connection; the engine notices at its next
  // token. From the client's executor only.
  virtual void cancel() = 0;
};

class EngineClient {
 public:
  EngineClient(asio::any_io_executor executor, EngineClientOptions options);
  ~EngineClient();  // streams may outlive it; they then end with kUnavailable
  EngineClient(const EngineClient&) = delete;
  EngineClient& operator=(const EngineClient&) = delete;

  // Sends the request and waits for the answer's status line and headers.
  [[nodiscard]] asio::awaitable<Result<std::unique_ptr<EngineStream>>> open(EngineRequest request);
  // open() and the whole body; status other than 200 is still a value.
  struct Reply {
    int status = 0;
    std::string body;
  };
  [[nodiscard]] asio::awaitable<Result<Reply>> fetch(EngineRequest request);
  // Refuses new requests and fails the pending ones with kUnavailable.
  void close();
  // Ends what is past its deadline; runs by itself ten times a second, tests call it.
  void sweep();
  [[nodiscard]] std::size_t idle_connections() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with streams, which return their connection to it
};

}  // namespace candor::engine
