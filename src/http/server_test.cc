#include "http/server.h"

#include <atomic>
#include <cstdlib>
#include <future>
#include <thread>

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"

namespace candor::http {
namespace {

class FakeClock final : public Clock {
 public:
  std::int64_t wall_us() override { return 1'700'000'000'000'000; }
  std::int64_t mono_us() override { return now_; }
  void advance(std::chrono::milliseconds by) { now_ += std::chrono::microseconds(by).count(); }

 private:
  std::atomic<std::int64_t> now_ = 1;
};

// Routes: /echo answers the body; /stream writes three events; /flood writes until told to stop;
// /hang waits until stopped; /silent and /throw misbehave.
class TestHandler final : public Handler {
 public:
  explicit TestHandler(asio::io_context& io) : io_(io) {}

  Task<void> handle(Call& call) override {
    const std::string path = call.request().path;
    if (path == "/echo") {
      Reply reply;
      reply.headers.add("content-type", "text/plain");
      reply.body = call.request().body.reveal();
      (void)co_await call.reply(std::move(reply));
    } else if (path == "/stream") {
      EXPECT_OK(call.start(200, {{"content-type", "text/event-stream"}}));
      EXPECT_OK(co_await call.write("data: 1\n\n"));
      EXPECT_OK(co_await call.write("data: 2\n\n"));
      EXPECT_OK(co_await call.finish("data: [DONE]\n\n"));
    } else if (path == "/flood") {
      EXPECT_OK(call.start(200, {}));
      const std::string piece(100'000, 'x');
      for (;;) {
        if (!co_await call.write(piece)) break;
        written += piece.size();
      }
      stopped.set_value(call.stop().reason());
    } else if (path == "/hang") {
      Event event(io_.get_executor());
      const auto registration = call.stop().on_stop([&](StopReason) { event.set(); });
      hanging.set_value();
      co_await event.wait();
      stopped.set_value(call.stop().reason());
    } else if (path == "/throw") {
      throw std::runtime_error("a test");
    } else if (path == "/inject") {
      Reply reply;
      reply.headers.add("x-bad", "a\r\nset-cookie: b");
      (void)co_await call.reply(std::move(reply));
    } else if (path == "/cut") {
      EXPECT_OK(call.start(200, {}));
      EXPECT_OK(co_await call.write("half"));
      call.abort();
    }
  }
  std::string refusal(const Peer& /*peer*/, int /*status*/, std::string_view reason) override {
    return "{\"error\":\"" + std::string(reason) + "\"}";
  }

  std::atomic<std::size_t> written = 0;
  std::promise<StopReason> stopped;
  std::promise<void> hanging;

 private:
  asio::io_context& io_;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(&name.sun_path[0], sizeof name.sun_path - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void send(std::string_view text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Until the text ends with `end`, or the connection does.
  std::string read_until(std::string_view end) const {
    std::string out;
    char byte = 0;
    while (!(out.size() >= end.size() && !end.empty() && out.ends_with(end)) &&
           ::recv(fd_, &byte, 1, 0) == 1) {
      out.push_back(byte);
    }
    return out;
  }
  std::string read_all() const { return read_until(""); }
  std::string ask(std::string_view request, std::string_view end) const {
    send(request);
    return read_until(end);
  }

 private:
  int fd_;
};

class ServerTest : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    server_.emplace(io_, options, handler_, clock_, nullptr);
    ASSERT_OK(server_->listen(TcpAddress{}));
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    asio::co_spawn(io_, server_->drain(std::chrono::milliseconds(0)), asio::detached);
    thread_.join();
    EXPECT_EQ(server_->open_connections(), 0U);
  }
  // Runs on the io thread and waits for it.
  void on_io(std::function<void()> work) {
    std::promise<void> done;
    asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::uint16_t port() const { return server_->port(); }

  asio::io_context io_{1};
  FakeClock clock_;
  TestHandler handler_{io_};
  std::optional<Server> server_;
  std::thread thread_;
};

constexpr std::string_view kEcho =
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Request-Id: mine-1\r\n\r\nhello";

TEST_F(ServerTest, KeepAliveAnswersManyRequestsAndEchoesTheirIds) {
  start();
  const Client client(port());
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.ask(kEcho, "hello");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("x-request-id: mine-1\r\n"), std::string::npos);
    EXPECT_NE(answer.find("date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"), std::string::npos) << answer;
  }
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const Client client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree");
  const std::string all = client.read_all();
  const std::size_t one = all.find("\r\n\r\none");
  const std::size_t two = all.find("\r\n\r\ntwo");
  const std::size_t three = all.find("\r\n\r\nthree");
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_NE(three, std::string::npos);
}

TEST_F(ServerTest, StreamsAreChunkedEventByEvent) {
  start();
  const Client client(port());
  const std::string answer = client.ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n");
  EXPECT_NE(answer.find("transfer-encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with(
      "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"))
      << answer;
}

TEST_F(ServerTest, Http10StreamsEndWithTheConnection) {
  start();
  const Client client(port());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\ndata: [DONE]\n\n")) << answer;
}

TEST_F(ServerTest, AClientThatLeavesStopsTheHandler) {
  start();
  Client client(port());
  client.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  handler_.hanging.get_future().wait();
  client.close();
  EXPECT_EQ(handler_.stopped.get_future().get(), StopReason::kClientGone);
}

TEST_F(ServerTest, AClientThatDoesNotReadIsWaitedForThenCut) {
  start();
  Client client(port());
  client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  auto stopped = handler_.stopped.get_future();
  // The writer stalls once the socket's buffers are full, however long we look.
  std::size_t last = 0;
  for (int same = 0; same < 200; std::this_thread::yield()) {
    std::size_t now = 0;
    on_io([&] { now = handler_.written; });
    same = now == last && now > 0 ? same + 1 : 0;
    last = now;
  }
  EXPECT_LT(last, 64U << 20U);
  clock_.advance(std::chrono::milliseconds(30'001));
  on_io([&] { server_->sweep(); });
  EXPECT_EQ(stopped.get(), StopReason::kClientGone);
}

TEST_F(ServerTest, SlowHeadersAndBodiesAreRefusedAndIdleConnectionsClosed) {
  start();
  const Client slow_header(port());
  slow_header.send("GET / HT");
  const Client slow_body(port());
  slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
  const Client idle(port());
  EXPECT_TRUE(idle.ask(kEcho, "hello").ends_with("hello"));
  while (server_->counters().accepted < 3) on_io([] {});
  on_io([] {});
  on_io([] {});
  for (int i = 0; i < 8; ++i) {  // a sweep before the bytes were read changes nothing
    clock_.advance(std::chrono::milliseconds(20'000));
    on_io([&] { server_->sweep(); });
  }
  EXPECT_TRUE(slow_header.read_all().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(slow_body.read_all().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(idle.read_all(), "");
}

TEST_F(ServerTest, RefusalsReachAClientThatStillSends) {
  ServerOptions options;
  options.limits.body_bytes = 1000;
  start(options);
  const Client client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" +
              std::string(50'000, 'x'));
  const std::string answer = client.read_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find("connection: close"), std::string::npos);
}

TEST_F(ServerTest, OneConnectionTooManyGets503) {
  ServerOptions options;
  options.max_connections = 1;
  start(options);
  const Client first(port());
  EXPECT_TRUE(first.ask(kEcho, "hello").ends_with("hello"));
  const Client second(port());
  EXPECT_TRUE(second.read_all().starts_with("HTTP/1.1 503 "));
}

TEST_F(ServerTest, ExpectContinueIsAnswered) {
  start();
  const Client client(port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_TRUE(client.read_until("ok").starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, AHandlerThatFailsGives500) {
  start();
  for (const char* path : {"/throw", "/silent"}) {
    const Client client(port());
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 500 ")) << path;
  }
}

TEST_F(ServerTest, AReplyHeaderCannotBreakTheLine) {
  start();
  const Client client(port());
  const std::string answer = client.ask("GET /inject HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
  EXPECT_EQ(answer.find("set-cookie"), std::string::npos);
}

TEST_F(ServerTest, ACutAnswerHasNoProperEnd) {
  start();
  const Client client(port());
  client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_all().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(ServerTest, ADrainClosesIdleConnectionsAndStopsCallsAfterItsGrace) {
  start();
  const Client idle(port());
  EXPECT_TRUE(idle.ask(kEcho, "hello").ends_with("hello"));
  const Client busy(port());
  busy.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  handler_.hanging.get_future().wait();
  std::promise<void> drained;
  asio::co_spawn(io_, server_->drain(std::chrono::milliseconds(1)),
                 [&](std::exception_ptr) { drained.set_value(); });
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_EQ(handler_.stopped.get_future().get(), StopReason::kShutdown);
  drained.get_future().wait();
  thread_.join();
  EXPECT_EQ(server_->open_connections(), 0U);
}

TEST_F(ServerTest, AHastenedDrainDoesNotWaitForItsGrace) {
  start();
  const Client busy(port());
  busy.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  handler_.hanging.get_future().wait();
  std::promise<void> drained;
  asio::co_spawn(io_, server_->drain(std::chrono::hours(1)),
                 [&](std::exception_ptr) { drained.set_value(); });
  asio::post(io_, [this] { server_->hasten(); });
  EXPECT_EQ(handler_.stopped.get_future().get(), StopReason::kShutdown);
  drained.get_future().wait();
  thread_.join();
  EXPECT_EQ(server_->open_connections(), 0U);
}

TEST_F(ServerTest, UnixListenersHaveTheirModeAndReplaceStaleSockets) {
  std::string folder = "/tmp/candor_http_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/s";
  server_.emplace(io_, ServerOptions{}, handler_, clock_, nullptr);
  ASSERT_OK(server_->listen(UnixAddress{.path = path, .mode = 0600, .group = {}}));
  struct stat found{};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  {
    asio::io_context never_run;
    Server second(never_run, ServerOptions{}, handler_, clock_, nullptr);
    EXPECT_THAT(second.listen(UnixAddress{.path = path, .mode = 0600, .group = {}}),
                HasCode(Code::kFailedPrecondition));
  }
  thread_ = std::thread([this] { io_.run(); });
  {
    const Client client(path);
    EXPECT_TRUE(client.ask(kEcho, "hello").ends_with("hello"));
  }
  TearDown();
  EXPECT_NE(::stat(path.c_str(), &found), 0) << "the socket is removed at the end";
  ::rmdir(folder.c_str());
}

TEST_F(ServerTest, AddressesMustBeNumeric) {
  server_.emplace(io_, ServerOptions{}, handler_, clock_, nullptr);
  EXPECT_THAT(server_->listen(TcpAddress{.address = "localhost"}), HasCode(Code::kInvalidArgument));
  server_.reset();
}

TEST(StopSourceTest, TheFirstReasonWinsAndDroppedFunctionsDoNotRun) {
  StopSource stop;
  int first = 0;
  int second = 0;
  StopSource::Registration b;
  const auto a = stop.on_stop([&](StopReason) {
    ++first;
    b = {};  // drops the other before its turn
  });
  b = stop.on_stop([&](StopReason) { ++second; });
  stop.request(StopReason::kDeadline);
  stop.request(StopReason::kClientGone);
  EXPECT_EQ(stop.reason(), StopReason::kDeadline);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

}  // namespace
}  // namespace candor::http
