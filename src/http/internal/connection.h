// One accepted connection: reads requests, runs the handler, writes replies. See http/server.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "http/internal/stream.h"
#include "http/server.h"

namespace candor::http {

// What a connection needs of its server. The server outlives its connections (drain, or the
// destructor, which closes them all).
struct ConnectionHost {
  const ServerOptions& options;
  Handler& handler;
  Clock& clock;
  ServerCounters& counters;
  virtual ~ConnectionHost() = default;
  ConnectionHost(const ServerOptions& o, Handler& h, Clock& c, ServerCounters& n)
      : options(o), handler(h), clock(c), counters(n) {}
  virtual void closed(Connection& connection) = 0;
  [[nodiscard]] virtual bool draining() const = 0;
  [[nodiscard]] virtual std::string_view date() = 0;  // IMF-fixdate of this second
  [[nodiscard]] virtual std::string next_request_id() = 0;
};

// shared_ptr: the coroutine, a pending wait for input and the server's list all hold it, and any of
// them may be the last.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // tls: null for plain connections.
  Connection(asio::io_context& io, int fd, std::unique_ptr<TlsSession> tls, ConnectionHost& host,
             PeerResolver* resolver);

  [[nodiscard]] Task<void> run();
  void sweep(std::int64_t now_us);
  void begin_drain();                 // close if idle, else after the running call
  void stop_call(StopReason reason);  // if one runs
  void close() noexcept;              // at once
  std::size_t list_index = 0;         // the server's place for it

 private:
  friend class Call;
  enum class Phase : std::uint8_t {
    kHandshake,
    kIdle,
    kHeader,
    kBody,
    kHandling,
    kLinger,
    kClosed
  };

  // Reading. Input is read only from on_readable, so that the end of the stream is seen while a
  // handler works.
  [[nodiscard]] Task<bool> handshake();
  void arm_read(Io want = {Io::State::kWantRead, 0});
  void on_readable();
  [[nodiscard]] Task<bool> wait_input();  // true: input_ has grown; false: it will not
  [[nodiscard]] Task<std::optional<Request>> read_request();
  [[nodiscard]] Task<void> refuse(int status, std::string_view reason);
  [[nodiscard]] Task<void> serve(Request request);
  [[nodiscard]] Task<void> linger();

  // Writing.
  [[nodiscard]] std::string head(int status, const Headers& headers, std::string_view request_id);
  [[nodiscard]] Task<Result<void>> send_all(std::string bytes);

  void set_phase(Phase phase);
  void set_deadline(std::chrono::milliseconds from_now);

  asio::posix::stream_descriptor descriptor_;
  Stream stream_;  // over descriptor_, which outlives it
  ConnectionHost& host_;
  Peer peer_;
  Event input_event_;
  std::string input_;
  std::size_t input_at_ = 0;            // consumed prefix of input_
  Call* call_ = nullptr;                // while a handler runs
  std::int64_t deadline_us_ = 0;        // 0: none
  std::int64_t write_deadline_us_ = 0;  // 0: no write waits
  std::uint64_t lingered_bytes_ = 0;
  Phase phase_ = Phase::kIdle;
  bool reading_armed_ = false;
  bool input_ended_ = false;
  bool timed_out_ = false;
  bool keep_alive_ = true;
  bool write_broken_ = false;
  bool refused_ = false;
};

}  // namespace candor::http
