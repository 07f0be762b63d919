#include "engine/engine_client.h"

#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"

namespace candor::engine {
namespace {

using namespace std::chrono_literals;

// An engine that plays a script: each dial makes a socket pair and a thread that plays the next one
// on its end with plain blocking calls.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  // Everything up to the end of one request with a Content-Length.
  std::string request() {
    std::string text;
    std::size_t want = std::string::npos;
    while (text.size() < want) {
      char buffer[4096];
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
      const std::size_t end = text.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::size_t length = text.find("Content-Length: ");
      want = end + 4 + std::stoul(text.substr(length + 16));
    }
    return text;
  }
  void say(std::string_view text) { (void)send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Until the client closes.
  bool closed() {
    char byte = 0;
    return recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

class ScriptedEngine final : public Dialer {
 public:
  using Script = std::function<void(Peer&)>;
  explicit ScriptedEngine(std::vector<Script> scripts) : scripts_(std::move(scripts)) {}
  ~ScriptedEngine() override {
    for (auto& thread : threads_) thread.join();
  }
  asio::awaitable<Result<Channel>> dial(asio::any_io_executor executor) override {
    if (dials >= scripts_.size()) co_return fail(Code::kUnavailable, "no engine");
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    threads_.emplace_back([script = scripts_[dials++], fd = ends[1]] {
      Peer peer(fd);
      script(peer);
      close(fd);
    });
    asio::local::stream_protocol::socket socket(executor, asio::local::stream_protocol(), ends[0]);
    socket.non_blocking(true);
    co_return Channel{StreamSocket(std::move(socket)), nullptr};
  }
  std::size_t dials = 0;

 private:
  std::vector<Script> scripts_;
  std::vector<std::thread> threads_;
};

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
constexpr std::string_view kEvents =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(std::string_view text) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + std::string(text) + "\r\n";
}

struct Fixture {
  explicit Fixture(std::vector<ScriptedEngine::Script> scripts)
      : engine(std::make_shared<ScriptedEngine>(std::move(scripts))) {
    options.dialer = engine;
  }
  template <typename F>
  void run(F body) {
    std::exception_ptr error;
    asio::io_context io(1);
    EngineClient client(io.get_executor(), options);
    asio::co_spawn(io, body(client), [&](std::exception_ptr e) { error = e; });
    io.run();
    if (error) std::rethrow_exception(error);
  }
  std::shared_ptr<ScriptedEngine> engine;
  EngineClientOptions options;
};

EngineRequest streaming() { return {.path = "/v1/x", .body = "{\"a\":1}", .stream = true}; }

asio::awaitable<std::vector<std::string>> drain(EngineStream& stream, Result<void>& end) {
  std::vector<std::string> out;
  for (;;) {
    auto next = co_await stream.next();
    if (!next) end = std::unexpected(next.error());
    if (!next || !*next) co_return out;
    out.push_back(**next);
  }
}

TEST(EngineClientTest, SendsTheRequestAndDeliversEventsInOrder) {
  std::string seen;
  Fixture f({[&](Peer& p) {
    seen = p.request();
    p.say(kEvents);
    p.say(chunk("data: one\n\ndata: t"));
    p.say(chunk("wo\n\n"));
    p.say(chunk("data: [DONE]\n\n") + "0\r\n\r\n");
    p.closed();
  }});
  f.options.token = Sensitive<std::string>("secret-token");
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    auto stream = co_await client.open(streaming());
    EXPECT_OK(stream);
    EXPECT_EQ((*stream)->status(), 200);
    EXPECT_TRUE((*stream)->is_event_stream());
    Result<void> end;
    const auto events = co_await drain(**stream, end);
    EXPECT_EQ(events, (std::vector<std::string>{"one", "two", "[DONE]"}));
    EXPECT_OK(end);
    EXPECT_EQ(client.idle_connections(), 1U);
  });
  EXPECT_TRUE(seen.starts_with("POST /v1/x HTTP/1.1\r\nHost: engine\r\n")) << seen;
  EXPECT_NE(seen.find("Authorization: Bearer secret-token\r\n"), std::string::npos);
  EXPECT_TRUE(seen.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST(EngineClientTest, AConnectionServesManyRequests) {
  Fixture f({[](Peer& p) {
    for (int i = 0; i < 3; ++i) {
      p.request();
      p.say(kOk);
    }
    p.closed();
  }});
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      const auto reply = co_await client.fetch({.path = "/", .body = "{}"});
      EXPECT_OK(reply);
      EXPECT_EQ(reply->body, "{}");
    }
  });
  EXPECT_EQ(f.engine->dials, 1U);
}

TEST(EngineClientTest, ARequestOnAConnectionThatThePeerClosedGoesOutOnceMore) {
  Fixture f({[](Peer& p) {
               p.request();
               p.say(kOk);
               p.request();  // takes the second request and closes without a byte
             },
             [](Peer& p) {
               p.request();
               p.say(kOk);
               p.closed();
             }});
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    EXPECT_OK(co_await client.fetch({.path = "/"}));
    EXPECT_OK(co_await client.fetch({.path = "/"}));
  });
  EXPECT_EQ(f.engine->dials, 2U);
}

TEST(EngineClientTest, BytesBehindAnAnswerEndTheConnection) {
  const auto smuggler = [](Peer& p) {
    p.request();
    p.say(std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    p.closed();
  };
  Fixture f({smuggler, smuggler});
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    for (int i = 0; i < 2; ++i) {
      const auto reply = co_await client.fetch({.path = "/"});
      EXPECT_OK(reply);
      EXPECT_EQ(reply->body, "{}");
      EXPECT_EQ(client.idle_connections(), 0U);
    }
  });
}

TEST(EngineClientTest, AnErrorAnswerIsDeliveredWholeAlsoWhenAStreamWasAsked) {
  Fixture f({[](Peer& p) {
    p.request();
    p.say(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Type: application/json\r\n"
        "Connection: close\r\n\r\n{\"error\":1}");
  }});
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    auto stream = co_await client.open(streaming());
    EXPECT_OK(stream);
    EXPECT_EQ((*stream)->status(), 503);
    EXPECT_FALSE((*stream)->is_event_stream());
    Result<void> end;
    EXPECT_EQ(co_await drain(**stream, end), (std::vector<std::string>{"{\"error\":1}"}));
    EXPECT_OK(end);
  });
}

TEST(EngineClientTest, DestroyingAStreamClosesTheConnection) {
  bool closed = false;
  Fixture f({[&](Peer& p) {
    p.request();
    p.say(kEvents);
    p.say(chunk("data: one\n\n"));
    closed = p.closed();
  }});
  f.run([](EngineClient& client) -> asio::awaitable<void> {
    auto stream = co_await client.open(streaming());
    EXPECT_OK(stream);
    EXPECT_EQ(**co_await (*stream)->next(), "one");
    stream->reset();
    EXPECT_EQ(client.idle_connections(), 0U);
  });
  f.engine.reset();
  f.options.dialer.reset();
  EXPECT_TRUE(closed);
}

Result<void> failure_of(std::function<void(Peer&)> script, EngineClientOptions limits = {},
                        std::chrono::milliseconds idle = 10s, std::chrono::milliseconds first = 10s,
                        std::chrono::milliseconds total = 10s) {
  Fixture f({std::move(script)});
  limits.dialer = f.options.dialer;
  f.options = limits;
  Result<void> end;
  f.run([&](EngineClient& client) -> asio::awaitable<void> {
    EngineRequest request = streaming();
    request.idle_deadline = idle;
    request.first_byte_deadline = first;
    request.total_deadline = total;
    auto stream = co_await client.open(request);
    if (!stream) {
      end = std::unexpected(stream.error());
      co_return;
    }
    (void)co_await drain(**stream, end);
  });
  return end;
}

TEST(EngineClientTest, S16_PausesAreBounded) {
  const auto silent = [](Peer& p) {
    p.request();
    p.closed();
  };
  EXPECT_THAT(failure_of(silent, {}, 10s, 30ms), HasCode(Code::kDeadlineExceeded));
  const auto pausing = [](Peer& p) {
    p.request();
    p.say(std::string(kEvents) + chunk("data: x\n\n"));
    p.closed();
  };
  EXPECT_THAT(failure_of(pausing, {}, 30ms), HasCode(Code::kDeadlineExceeded));
  const auto dripping = [](Peer& p) {
    p.request();
    p.say(kEvents);
    pollfd forever{};
    while (true) {
      p.say(chunk(":\n"));
      forever.events = POLLIN;
      if (poll(nullptr, 0, 5) != 0) break;
      static thread_local int rounds = 0;
      if (++rounds > 400) break;
    }
  };
  EXPECT_THAT(failure_of(dripping, {}, 10s, 10s, 60ms), HasCode(Code::kDeadlineExceeded));
}

TEST(EngineClientTest, S16_DeadlinesAreThoseOfTheClockThatIsGiven) {
  FakeClock clock;
  Fixture f({[](Peer& p) {
    p.request();
    p.say(std::string(kEvents) + chunk("data: x\n\n"));
    p.closed();
  }});
  f.options.clock = &clock;
  f.run([&](EngineClient& client) -> asio::awaitable<void> {
    EngineRequest request = streaming();
    request.total_deadline = 1h;
    auto stream = co_await client.open(request);
    EXPECT_OK(stream);
    EXPECT_OK(co_await (*stream)->next());
    clock.advance_us(std::chrono::microseconds(1h).count());
    client.sweep();
    EXPECT_THAT(co_await (*stream)->next(), HasCode(Code::kDeadlineExceeded));
  });
}

TEST(EngineClientTest, S16_HeadersBodiesEventsAndTotalsAreBounded) {
  const auto say = [](std::string text) {
    return [text = std::move(text)](Peer& p) {
      p.request();
      p.say(text);
      p.closed();
    };
  };
  EngineClientOptions small;
  small.max_body_bytes = 100;
  small.sse = {.max_line_bytes = 100, .max_event_bytes = 200, .max_total_bytes = 400};
  const auto code = Code::kResourceExhausted;
  EXPECT_THAT(failure_of(say("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'))), HasCode(code));
  EXPECT_THAT(
      failure_of(say("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'x')),
                 small),
      HasCode(code));
  EXPECT_THAT(
      failure_of(say(std::string(kEvents) + chunk("data: " + std::string(200, 'x'))), small),
      HasCode(code));
  EXPECT_THAT(failure_of(say(std::string(kEvents) + chunk(std::string(600, '\n'))), small),
              HasCode(code));
  EXPECT_THAT(failure_of(say("NONSENSE\r\n\r\n")), HasCode(Code::kInternal));
  EXPECT_THAT(failure_of(say(std::string(kEvents) + "zz\r\n")), HasCode(Code::kInternal));
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 102 Wait\r\n\r\n";
  EXPECT_THAT(failure_of(say(interim)), HasCode(Code::kInternal));
}

TEST(EngineClientTest, AnEndInTheMiddleIsAnError) {
  EXPECT_THAT(failure_of([](Peer& p) {
                p.request();
                p.say(std::string(kEvents) + chunk("data: one\n\n"));
              }),
              HasCode(Code::kUnavailable));
  EXPECT_THAT(failure_of([](Peer& p) { p.request(); }), HasCode(Code::kUnavailable));
}

TEST(EngineClientTest, CancelAndCloseEndAPendingRead) {
  for (const bool whole_client : {false, true}) {
    Fixture f({[](Peer& p) {
      p.request();
      p.say(kEvents);
      p.closed();
    }});
    f.run([&](EngineClient& client) -> asio::awaitable<void> {
      auto stream = co_await client.open(streaming());
      EXPECT_OK(stream);
      asio::post(co_await asio::this_coro::executor, [&] {
        if (whole_client)
          client.close();
        else
          (*stream)->cancel();
      });
      const auto next = co_await (*stream)->next();
      EXPECT_THAT(next, HasCode(whole_client ? Code::kUnavailable : Code::kCancelled));
      if (whole_client) EXPECT_THAT(co_await client.open(streaming()), HasCode(Code::kUnavailable));
    });
  }
}

}  // namespace
}  // namespace candor::engine
