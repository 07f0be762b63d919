#include "http/internal/connection.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <sys/socket.h>

#include "base/check.h"

namespace candor::http {
namespace {

constexpr std::size_t kReadSize = 16U << 10U;
constexpr std::uint64_t kLingerBytes = 4U << 20U;
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

void append_hex(std::string& out, std::size_t value) {
  std::array<char, 16> digits{};
  std::size_t at = digits.size();
  do {
    digits.at(--at) = "0123456789abcdef"[value & 15U];
    value >>= 4U;
  } while (value != 0);
  out.append(digits.data() + at, digits.size() - at);
}

asio::posix::stream_descriptor::wait_type wait_for(Io io) {
  return io.state == Io::State::kWantWrite ? asio::posix::stream_descriptor::wait_write
                                           : asio::posix::stream_descriptor::wait_read;
}

// One piece of a chunked body (RFC 9112, 7.1).
void append_chunk(std::string& out, std::string_view piece) {
  out.reserve(out.size() + piece.size() + 24);
  append_hex(out, piece.size());
  out.append("\r\n").append(piece).append("\r\n");
}

}  // namespace

Connection::Connection(asio::io_context& io, int fd, std::unique_ptr<TlsSession> tls,
                       ConnectionHost& host, PeerResolver* resolver)
    : descriptor_(io, fd),
      stream_(fd, std::move(tls)),
      host_(host),
      peer_(Peer::at_accept(fd, resolver)),
      input_event_(io.get_executor()) {}

Task<void> Connection::run() {
  const auto self = shared_from_this();
  if (stream_.tls() != nullptr && !co_await handshake()) {
    close();
    host_.closed(*this);
    co_return;
  }
  set_phase(Phase::kIdle);
  arm_read();
  while (phase_ != Phase::kClosed) {
    std::optional<Request> request = co_await read_request();
    if (!request) break;
    co_await serve(std::move(*request));
    if (!keep_alive_ || write_broken_ || host_.draining()) break;
    set_phase(Phase::kIdle);
  }
  if ((refused_ || input_at_ < input_.size()) && phase_ != Phase::kClosed && !input_ended_ &&
      !write_broken_) {
    co_await linger();
  }
  close();
  host_.closed(*this);
}

// ---- TLS

Task<bool> Connection::handshake() {
  set_phase(Phase::kHandshake);
  while (phase_ != Phase::kClosed) {
    const Io io = stream_.tls()->handshake();
    if (io.state == Io::State::kDone) {
      peer_.set_tls(stream_.tls()->client_name());
      co_return true;
    }
    if (io.state != Io::State::kWantRead && io.state != Io::State::kWantWrite) break;
    const auto [ec] = co_await descriptor_.async_wait(wait_for(io), kAsTuple);
    if (ec) break;
  }
  ++host_.counters.failed_handshakes;
  if (stream_.tls()->spoke_plain_http()) {
    constexpr std::string_view kPlain =
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
        "content-length: 43\r\n\r\nThis port speaks TLS: the URL is https://.\n";
    const int fd = descriptor_.native_handle();
    (void)::send(fd, kPlain.data(), kPlain.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    // What is left unread would make the kernel reset the connection, and lose the sentence.
    std::array<char, 4'096> rest{};
    for (int i = 0; i < 16 && ::recv(fd, rest.data(), rest.size(), MSG_DONTWAIT) > 0; ++i) {
    }
  }
  co_return false;
}

// ---- reading

void Connection::arm_read(Io want) {
  if (reading_armed_ || input_ended_ || phase_ == Phase::kClosed) return;
  if (input_.size() - input_at_ >= host_.options.pipelined_bytes) return;  // back-pressure
  reading_armed_ = true;
  descriptor_.async_wait(wait_for(want),
                         [self = shared_from_this()](const boost::system::error_code& ec) {
                           self->reading_armed_ = false;
                           if (ec) {
                             self->input_ended_ = true;
                             self->input_event_.set();
                             return;
                           }
                           self->on_readable();
                         });
}

void Connection::on_readable() {
  if (phase_ == Phase::kClosed) return;
  // A TLS record holds at most kReadSize bytes, so none of it stays behind in the session.
  const std::size_t had = input_.size();
  Io got;
  input_.resize_and_overwrite(had + kReadSize, [&](char* data, std::size_t) {
    got = stream_.read({data + had, kReadSize});
    return had + got.bytes;
  });
  if (got.state == Io::State::kWantRead || got.state == Io::State::kWantWrite) return arm_read(got);
  if (got.state != Io::State::kDone) {
    input_ended_ = true;
    if (call_ != nullptr) {
      ++host_.counters.clients_gone;
      call_->stop_.request(StopReason::kClientGone);
    }
  } else {
    if (phase_ == Phase::kIdle) set_phase(Phase::kHeader);
    arm_read();
  }
  input_event_.set();
}

Task<bool> Connection::wait_input() {
  const std::size_t had = input_.size();
  while (input_.size() == had) {
    if (input_ended_ || phase_ == Phase::kClosed || timed_out_) co_return false;
    input_event_.reset();
    arm_read();
    co_await input_event_.wait();
  }
  co_return true;
}

Task<std::optional<Request>> Connection::read_request() {
  RequestReader reader(host_.options.limits);
  if (input_at_ < input_.size()) set_phase(Phase::kHeader);  // pipelined
  for (;;) {
    input_at_ += reader.feed(std::string_view(input_).substr(input_at_));
    if (input_at_ == input_.size()) {
      input_.clear();
      input_at_ = 0;
    } else if (input_at_ > kReadSize) {
      input_.erase(0, std::exchange(input_at_, 0));
    }
    if (reader.state() == RequestReader::State::kComplete) co_return reader.take();
    if (reader.state() == RequestReader::State::kRefused) {
      co_await refuse(reader.status(), reader.reason());
      co_return std::nullopt;
    }
    if (reader.state() == RequestReader::State::kBody && phase_ != Phase::kBody) {
      set_phase(Phase::kBody);
    }
    if (reader.take_expects_continue() && input_at_ == input_.size()) {
      if (!co_await send_all(std::string(kContinue))) co_return std::nullopt;
    }
    if (co_await wait_input()) continue;
    if (timed_out_ && (phase_ == Phase::kHeader || phase_ == Phase::kBody)) {
      co_await refuse(408, "The request took too long to arrive.");
    }
    co_return std::nullopt;
  }
}

Task<void> Connection::refuse(int status, std::string_view reason) {
  ++host_.counters.refused_requests;
  refused_ = true;
  keep_alive_ = false;
  std::string body = host_.handler.refusal(peer_, status, reason);
  Headers headers{{"content-type", "application/json"},
                  {"content-length", std::to_string(body.size())}};
  std::string bytes = head(status, headers, host_.next_request_id());
  bytes += body;
  (void)co_await send_all(std::move(bytes));  // the connection ends either way
}

Task<void> Connection::serve(Request request) {
  ++host_.counters.requests;
  keep_alive_ = request.keep_alive && !host_.draining();
  request.over_tls = stream_.tls() != nullptr;
  const auto given = request.headers.find("x-request-id");
  request.request_id =
      given && is_request_id(*given) ? std::string(*given) : host_.next_request_id();
  Call call(*this, std::move(request));
  set_phase(Phase::kHandling);
  call_ = &call;
  if (input_ended_) call.stop_.request(StopReason::kClientGone);
  arm_read();
  bool failed = false;
  try {
    co_await host_.handler.handle(call);
  } catch (const std::exception&) {
    CANDOR_BUG("an HTTP handler threw");
    failed = true;
  }
  if (call.state_ == Call::State::kFresh && !write_broken_) {
    if (!failed && !call.stop_.requested()) CANDOR_BUG("an HTTP handler did not answer");
    keep_alive_ = false;
    Reply reply;
    reply.status = 500;
    reply.headers.add("content-type", "application/json");
    reply.body = host_.handler.refusal(peer_, 500, "The server failed to answer this request.");
    (void)co_await call.reply(std::move(reply));  // the connection ends either way
  }
  call_ = nullptr;
  if (call.state_ != Call::State::kDone) {
    if (phase_ != Phase::kClosed && !write_broken_ && !failed) {
      CANDOR_BUG("an HTTP handler left its answer unfinished");
    }
    close();
  }
}

// A close() with unread input makes the kernel send a reset, which can destroy a reply on its way:
// say the end, then read until the client has said its own.
Task<void> Connection::linger() {
  stream_.end();
  set_phase(Phase::kLinger);
  timed_out_ = false;
  for (;;) {
    lingered_bytes_ += input_.size() - input_at_;
    input_.clear();
    input_at_ = 0;
    if (lingered_bytes_ > kLingerBytes) co_return;
    if (!co_await wait_input()) co_return;
  }
}

// ---- writing

std::string Connection::head(int status, const Headers& headers, std::string_view request_id) {
  std::string out;
  out.reserve(256);
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason_phrase(status));
  out.append("\r\ndate: ").append(host_.date());
  out.append("\r\nx-request-id: ").append(request_id);
  if (!keep_alive_ || host_.draining()) out.append("\r\nconnection: close");
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers.at(i);
    if (!is_token(name) || !is_field_value(value)) {
      CANDOR_BUG("a reply header that is not well formed was dropped");
      continue;
    }
    out.append("\r\n").append(name).append(": ").append(value);
  }
  out.append("\r\n\r\n");
  return out;
}

Task<Result<void>> Connection::send_all(std::string bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && phase_ != Phase::kClosed && !write_broken_) {
    const Io sent = stream_.write(std::string_view(bytes).substr(at));
    if (sent.state == Io::State::kDone) {
      at += sent.bytes;
      continue;
    }
    if (sent.state == Io::State::kWantWrite || sent.state == Io::State::kWantRead) {
      write_deadline_us_ =
          host_.clock.mono_us() + std::chrono::microseconds(host_.options.write_timeout).count();
      const auto [ec] = co_await descriptor_.async_wait(wait_for(sent), kAsTuple);
      write_deadline_us_ = 0;
      if (!ec) continue;
    }
    write_broken_ = true;
  }
  if (at == bytes.size()) co_return Result<void>{};
  write_broken_ = true;
  stop_call(StopReason::kClientGone);
  co_return fail(Code::kCancelled, "the client is gone");
}

// ---- life

void Connection::set_phase(Phase phase) {
  if (phase_ == Phase::kClosed) return;
  phase_ = phase;
  switch (phase) {
    case Phase::kIdle: return set_deadline(host_.options.idle_timeout);
    case Phase::kHandshake:
    case Phase::kHeader: return set_deadline(host_.options.header_timeout);
    case Phase::kBody: return set_deadline(host_.options.body_timeout);
    case Phase::kLinger: return set_deadline(kLingerTime);
    case Phase::kHandling:
    case Phase::kClosed: deadline_us_ = 0; return;
  }
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_us_ = host_.clock.mono_us() + std::chrono::microseconds(from_now).count();
}

void Connection::sweep(std::int64_t now_us) {
  if (write_deadline_us_ != 0 && now_us >= write_deadline_us_) {
    ++host_.counters.timeouts;
    write_broken_ = true;
    stop_call(StopReason::kClientGone);
    return close();
  }
  if (deadline_us_ != 0 && now_us >= deadline_us_) {
    if (phase_ == Phase::kHandshake || phase_ == Phase::kHeader || phase_ == Phase::kBody) {
      ++host_.counters.timeouts;
    }
    if (phase_ == Phase::kHandshake) return close();  // no reply could be read
    deadline_us_ = 0;
    timed_out_ = true;
    input_event_.set();
  }
}

void Connection::begin_drain() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kHandshake) close();
}

void Connection::stop_call(StopReason reason) {
  if (call_ != nullptr) call_->stop_.request(reason);
}

void Connection::close() noexcept {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  deadline_us_ = 0;
  // Without it a client must take the answer for cut short, which is meant where it is.
  if (stream_.tls() != nullptr && !write_broken_) stream_.tls()->close_notify();
  boost::system::error_code ignored;
  descriptor_.close(ignored);  // pending waits end with operation_aborted
  input_event_.set();
}

// ---- the handler's side

const Peer& Call::peer() const noexcept { return connection_.peer_; }

Task<Result<void>> Call::reply(Reply reply) {
  CANDOR_CHECK(state_ == State::kFresh);
  state_ = State::kDone;
  reply.headers.add("content-length", std::to_string(reply.body.size()));
  std::string bytes = connection_.head(reply.status, reply.headers, request_.request_id);
  if (request_.method != Method::kHead) bytes += reply.body;
  co_return co_await connection_.send_all(std::move(bytes));
}

Result<void> Call::start(int status, const Headers& headers) {
  CANDOR_CHECK(state_ == State::kFresh);
  state_ = State::kHeadHeld;
  chunked_ = request_.version == 11;
  Headers all = headers;
  if (chunked_) {
    all.add("transfer-encoding", "chunked");
  } else {
    connection_.keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the body
  }
  held_head_ = connection_.head(status, all, request_.request_id);
  return {};
}

// No coroutine of its own: it runs for each event of a stream.
Task<Result<void>> Call::write(std::string piece) {
  CANDOR_CHECK(state_ == State::kHeadHeld || state_ == State::kStreaming);
  if (piece.empty()) return connection_.send_all({});
  state_ = State::kStreaming;
  std::string bytes = std::exchange(held_head_, {});
  if (chunked_) {
    append_chunk(bytes, piece);
  } else {
    bytes += piece;
  }
  return connection_.send_all(std::move(bytes));
}

Task<Result<void>> Call::finish(std::string last) {
  CANDOR_CHECK(state_ == State::kHeadHeld || state_ == State::kStreaming);
  state_ = State::kDone;
  std::string bytes = std::exchange(held_head_, {});
  if (chunked_ && !last.empty()) append_chunk(bytes, last);
  bytes += chunked_ ? "0\r\n\r\n" : last;
  co_return co_await connection_.send_all(std::move(bytes));
}

void Call::abort() noexcept {
  state_ = State::kDone;
  connection_.keep_alive_ = false;
  connection_.write_broken_ = true;
  // A reset, since HTTP/1.0 would take a plain end for the end of the body.
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection_.descriptor_.native_handle(), SOL_SOCKET, SO_LINGER, &reset,
               sizeof reset);
}

}  // namespace candor::http
