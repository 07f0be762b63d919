#include "engine/engine_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <sys/socket.h>

#include "engine/internal/http_answer.h"

namespace candor::engine {
namespace {

using Time = std::chrono::steady_clock::time_point;
using internal::AnswerHead;
using internal::BodyDecoder;

constexpr std::size_t kBufferBytes = 64U << 10U;
constexpr std::chrono::milliseconds kTick{100};  // each one wakes a processor that computes tokens
constexpr int kMaxInterimAnswers = 8;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Why a connection was closed under a pending read or write.
enum class Cause : std::uint8_t { kNone, kFirstByte, kIdle, kTotal, kCancelled, kClientClosed };

Error cause_error(Cause cause) {
  switch (cause) {
    case Cause::kFirstByte:
      return {Code::kDeadlineExceeded, "the engine did not begin to answer in time"};
    case Cause::kIdle: return {Code::kDeadlineExceeded, "the engine paused for too long"};
    case Cause::kTotal: return {Code::kDeadlineExceeded, "the answer took too long"};
    case Cause::kCancelled: return {Code::kCancelled, "cancelled"};
    case Cause::kClientClosed: return {Code::kUnavailable, "the engine is being stopped"};
    case Cause::kNone: break;
  }
  return {Code::kUnavailable, "the connection to the engine was lost"};
}

struct Connection {
  explicit Connection(Channel channel)
      : socket(std::move(channel.socket)),
        tls(std::move(channel.tls)),
        storage(std::make_unique_for_overwrite<char[]>(kBufferBytes)),
        buffer(storage.get(), kBufferBytes) {}

  void abort(Cause why) {
    if (cause == Cause::kNone) cause = why;
    boost::system::error_code ignored;
    socket.close(ignored);
  }
  [[nodiscard]] std::string_view unread() const { return {buffer.data() + begin, end - begin}; }
  // The next read's deadline and what to say when it passes.
  void expect(Time at, Cause why) {
    deadline = total_deadline < at ? total_deadline : at;
    deadline_cause = total_deadline < at ? Cause::kTotal : why;
  }
  void finished() { deadline = Time::max(); }

  // One read. False at end-of-file. kUnavailable or the cause of an abort.
  asio::awaitable<Result<bool>> read() {
    if (cause != Cause::kNone) co_return std::unexpected(cause_error(cause));
    if (begin == end) {
      begin = end = 0;
    } else if (end == buffer.size()) {
      std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin), buffer.end(), buffer.begin());
      end -= begin;
      begin = 0;
    }
    if (tls) co_return co_await read_tls();
    const auto [error, count] = co_await socket.async_read_some(
        asio::buffer(buffer.data() + end, buffer.size() - end), kAsTuple);
    if (cause != Cause::kNone) co_return std::unexpected(cause_error(cause));
    if (error == asio::error::eof || error == asio::error::connection_reset) co_return false;
    if (error) co_return std::unexpected(cause_error(Cause::kNone));
    end += count;
    co_return true;
  }
  asio::awaitable<Result<bool>> read_tls() {
    for (;;) {
      const http::Io io = tls->read(buffer.subspan(end));
      if (io.state == http::Io::State::kDone) {
        end += io.bytes;
        co_return true;
      }
      if (io.state == http::Io::State::kEnd) co_return false;
      // An end that the peer has not said may be somebody else's cut.
      if (io.state == http::Io::State::kBroken) co_return lost();
      if (const auto waited = co_await wait(io); !waited) co_return lost();
    }
  }
  // All of head and body, in order.
  asio::awaitable<Result<void>> write_tls(std::string_view head, std::string_view body) {
    for (std::string_view rest : {head, body}) {
      while (!rest.empty()) {
        const http::Io io = tls->write(rest);
        if (io.state == http::Io::State::kDone) {
          rest.remove_prefix(io.bytes);
          continue;
        }
        if (io.state == http::Io::State::kBroken || io.state == http::Io::State::kEnd) {
          co_return lost();
        }
        if (const auto waited = co_await wait(io); !waited) co_return lost();
      }
    }
    co_return Result<void>();
  }
  asio::awaitable<Result<void>> wait(http::Io io) {
    const auto [error] = co_await socket.async_wait(
        io.state == http::Io::State::kWantRead ? StreamSocket::wait_read : StreamSocket::wait_write,
        kAsTuple);
    if (error || cause != Cause::kNone) co_return lost();
    co_return Result<void>();
  }
  [[nodiscard]] std::unexpected<Error> lost() const { return std::unexpected(cause_error(cause)); }

  // Nothing to read, not closed: fit for another request.
  [[nodiscard]] bool is_quiet() {
    if (tls) return tls->is_quiet();
    char byte = 0;
    return recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  StreamSocket socket;
  std::unique_ptr<http::TlsSession> tls;  // over socket, which outlives it
  std::unique_ptr<char[]> storage;  // not initialised: memory that no answer fills is never touched
  std::span<char> buffer;
  std::size_t begin = 0, end = 0;
  Cause cause = Cause::kNone;
  Cause deadline_cause = Cause::kNone;
  Time deadline = Time::max();
  Time total_deadline = Time::max();
  Time idle_since{};
  bool reused = false;
};
using ConnectionPtr = std::unique_ptr<Connection>;

}  // namespace

struct EngineClient::Impl : std::enable_shared_from_this<EngineClient::Impl> {
  Impl(asio::any_io_executor e, EngineClientOptions o)
      : executor(std::move(e)), options(std::move(o)), timer(executor) {
    head_end = " HTTP/1.1\r\nHost: " + options.host +
               "\r\nContent-Type: application/json\r\nAccept: text/event-stream, application/json";
    if (!options.token.reveal().empty()) {
      head_end += "\r\nAuthorization: Bearer " + options.token.reveal();
    }
    head_end += "\r\nContent-Length: ";
  }

  ConnectionPtr take_idle(Time at) {
    while (!idle.empty()) {
      ConnectionPtr out = std::move(idle.back());
      idle.pop_back();
      if (at - out->idle_since <= options.max_idle_age && out->is_quiet()) {
        out->reused = true;
        return out;
      }
    }
    return nullptr;
  }
  void give_back(ConnectionPtr connection) {
    if (closed || idle.size() >= options.max_idle_connections) return;
    connection->idle_since = now();
    connection->finished();
    connection->total_deadline = Time::max();
    idle.push_back(std::move(connection));
  }

  // Deadlines are looked at every kTick while there is one, which costs a request nothing.
  void watch(Connection* connection) {
    active.push_back(connection);
    if (!ticking) tick();
  }
  void unwatch(Connection* connection) {
    const auto found = std::ranges::find(active, connection);
    if (found == active.end()) return;
    *found = active.back();
    active.pop_back();
  }
  [[nodiscard]] Time now() const {
    return Time(std::chrono::microseconds(options.clock->mono_us()));
  }
  void sweep() {
    for (Connection* connection : active) {
      if (connection->deadline <= now() && connection->cause == Cause::kNone) {
        connection->abort(connection->deadline_cause);
      }
    }
  }
  void tick() {
    ticking = true;
    timer.expires_after(kTick);
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (error || !self) return;
      self->sweep();
      self->ticking = false;
      if (!self->active.empty()) self->tick();
    });
  }

  asio::awaitable<Result<void>> send(Connection& connection, const EngineRequest& request) {
    std::string head;
    head.reserve(head_end.size() + request.method.size() + options.path_prefix.size() +
                 request.path.size() + 32);
    head.append(request.method).append(" ").append(options.path_prefix).append(request.path);
    head.append(head_end).append(std::to_string(request.body.size())).append("\r\n\r\n");
    if (connection.tls) co_return co_await connection.write_tls(head, request.body);
    std::array<asio::const_buffer, 2> parts = {asio::buffer(head), asio::buffer(request.body)};
    // Most requests fit the socket's buffer: one call, no wait.
    boost::system::error_code error;
    std::size_t sent = connection.socket.write_some(parts, error);
    if (error == asio::error::would_block) {
      error = {};
      sent = 0;
    }
    if (!error && sent < head.size() + request.body.size()) {
      const std::size_t of_head = std::min(sent, head.size());
      parts[0] += of_head;
      parts[1] += sent - of_head;
      const auto [late_error, more] =
          co_await asio::async_write(connection.socket, parts, kAsTuple);
      error = late_error;
    }
    if (connection.cause != Cause::kNone) co_return std::unexpected(cause_error(connection.cause));
    if (error) co_return std::unexpected(cause_error(Cause::kNone));
    co_return Result<void>();
  }

  // The final answer's head. `silent` is set while no byte of an answer has been seen.
  asio::awaitable<Result<AnswerHead>> read_head(Connection& connection, bool& silent) {
    for (int interim = 0; interim < kMaxInterimAnswers;) {
      const std::string_view unread = connection.unread();
      silent = silent && unread.empty();
      const std::size_t end = unread.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (unread.size() >= std::min(options.max_header_bytes, kBufferBytes)) {
          co_return fail(Code::kResourceExhausted, "the engine's headers are too long");
        }
        const bool more = CO_TRY(co_await connection.read());
        if (!more) co_return std::unexpected(cause_error(Cause::kNone));
        continue;
      }
      if (end > options.max_header_bytes) {
        co_return fail(Code::kResourceExhausted, "the engine's headers are too long");
      }
      const AnswerHead head = CO_TRY(internal::parse_head(unread.substr(0, end)));
      connection.begin += end + 4;
      if (head.status >= 200) co_return head;
      ++interim;
    }
    co_return fail(Code::kInternal, "the engine's answer is not HTTP: too many interim answers");
  }

  asio::any_io_executor executor;
  EngineClientOptions options;
  std::string head_end;
  asio::steady_timer timer;
  bool ticking = false;
  bool closed = false;
  std::vector<ConnectionPtr> idle;
  std::vector<Connection*> active;  // in flight; owned by their streams or open()
};

namespace {

template <typename Impl>
class Stream final : public EngineStream {
 public:
  Stream(std::shared_ptr<Impl> impl, ConnectionPtr connection, const AnswerHead& head,
         const EngineRequest& request)
      : impl_(std::move(impl)),
        connection_(std::move(connection)),
        status_(head.status),
        keep_alive_(head.keep_alive),
        events_(request.stream && head.event_stream),
        idle_deadline_(request.idle_deadline),
        decoder_(head),
        parser_(impl_->options.sse) {}
  ~Stream() override {
    if (connection_) impl_->unwatch(connection_.get());
  }

  int status() const noexcept override { return status_; }
  bool is_event_stream() const noexcept override { return events_; }
  bool ready() const noexcept override { return events_ ? parser_.ready() : decoder_.ended(); }
  void cancel() override {
    if (connection_) connection_->abort(Cause::kCancelled);
  }

  asio::awaitable<Result<std::optional<std::string>>> next() override {
    for (;;) {
      SseEvent event;
      if (events_ && parser_.next(event)) co_return std::optional(std::move(event.data));
      if (decoder_.ended() && !connection_) break;
      CO_TRY(decode());
      if (events_ && parser_.ready()) continue;
      if (decoder_.ended()) break;
      connection_->expect(impl_->now() + idle_deadline_, Cause::kIdle);
      const bool more = CO_TRY(co_await connection_->read());
      if (!more) CO_TRY(decoder_.closed());
    }
    if (connection_) release();
    if (!events_ && !std::exchange(delivered_, true)) co_return std::optional(std::move(body_));
    co_return std::optional<std::string>();
  }

 private:
  Result<void> decode() {
    std::string_view input = connection_->unread();
    while (!input.empty() && !decoder_.ended()) {
      const std::string_view piece = TRY(decoder_.decode(input));
      if (events_) {
        TRY(parser_.feed(piece));
      } else {
        if (body_.size() + piece.size() > impl_->options.max_body_bytes) {
          return fail(Code::kResourceExhausted, "the engine's answer is too long");
        }
        body_.append(piece);
      }
    }
    connection_->begin = connection_->end - input.size();
    return {};
  }
  // The answer has ended as framed: the connection may serve again if nothing came after it.
  void release() {
    impl_->unwatch(connection_.get());
    if (keep_alive_ && connection_->unread().empty() && connection_->cause == Cause::kNone) {
      impl_->give_back(std::move(connection_));
    }
    connection_.reset();
  }

  std::shared_ptr<Impl> impl_;  // outlives the client: its streams then fail
  ConnectionPtr connection_;
  int status_;
  bool keep_alive_;
  bool events_;
  bool delivered_ = false;
  std::chrono::milliseconds idle_deadline_;
  BodyDecoder decoder_;
  SseParser parser_;
  std::string body_;
};

}  // namespace

EngineClient::EngineClient(asio::any_io_executor executor, EngineClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

EngineClient::~EngineClient() { close(); }

void EngineClient::close() {
  impl_->closed = true;
  impl_->idle.clear();
  for (Connection* connection : impl_->active) connection->abort(Cause::kClientClosed);
}

void EngineClient::sweep() { impl_->sweep(); }

std::size_t EngineClient::idle_connections() const noexcept { return impl_->idle.size(); }

asio::awaitable<Result<std::unique_ptr<EngineStream>>> EngineClient::open(EngineRequest request) {
  const std::shared_ptr<Impl> impl = impl_;
  for (bool may_retry = true;; may_retry = false) {
    if (impl->closed) co_return std::unexpected(cause_error(Cause::kClientClosed));
    const Time now = impl->now();
    ConnectionPtr connection = may_retry ? impl->take_idle(now) : nullptr;
    if (!connection) {
      Channel channel = CO_TRY(co_await impl->options.dialer->dial(impl->executor));
      connection = std::make_unique<Connection>(std::move(channel));
      if (impl->closed) co_return std::unexpected(cause_error(Cause::kClientClosed));
    }
    connection->total_deadline = now + request.total_deadline;
    connection->expect(now + request.first_byte_deadline, Cause::kFirstByte);
    impl->watch(connection.get());
    bool silent = true;
    Result<void> sent = co_await impl->send(*connection, request);
    Result<AnswerHead> head = std::unexpected(cause_error(Cause::kNone));
    if (sent) {
      head = co_await impl->read_head(*connection, silent);
    } else {
      head = std::unexpected(std::move(sent).error());
    }
    if (!head) {
      impl->unwatch(connection.get());
      const bool stale = connection->reused && silent && connection->cause == Cause::kNone;
      if (stale && may_retry) continue;
      if (!silent && head.error().code() == Code::kUnavailable) {
        co_return fail(Code::kInternal, "the engine's answer broke off in its head");
      }
      co_return std::unexpected(std::move(head).error());
    }
    std::unique_ptr<EngineStream> stream =
        std::make_unique<Stream<Impl>>(impl, std::move(connection), *head, request);
    co_return stream;
  }
}

asio::awaitable<Result<EngineClient::Reply>> EngineClient::fetch(EngineRequest request) {
  request.stream = false;
  const auto stream = CO_TRY(co_await open(std::move(request)));
  auto body = CO_TRY(co_await stream->next());
  const auto end = CO_TRY(co_await stream->next());
  if (end) co_return fail(Code::kInternal, "the engine's answer did not end");
  co_return Reply{.status = stream->status(), .body = std::move(body).value_or("")};
}

}  // namespace candor::engine
