#include "gateway/upstream_pool.h"

#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "http/server.h"
#include "http/testing/certificates.h"

namespace candor::gateway {
namespace {

namespace asio = http::asio;
using ::testing::HasSubstr;

void send_all(int fd, std::string_view text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string answer(std::string_view body, int status = 200) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         std::string(body);
}

// A server of raw sockets that does to each request what the test says; its health is its own.
class Fake {
 public:
  using Act = std::function<void(int fd, const std::string& request)>;
  explicit Fake(Act act) : listener_(::socket(AF_INET, SOCK_STREAM, 0)), act_(std::move(act)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size);
    port = ntohs(name.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~Fake() {
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (std::thread& thread : serving_) thread.join();
    ::close(listener_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

  std::uint16_t port = 0;
  std::atomic<int> posts = 0;
  std::atomic<bool> healthy = true;

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      serving_.emplace_back([this, fd] {
        std::string request;
        char byte = 0;
        while (!request.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) request += byte;
        if (request.starts_with("GET")) {
          send_all(fd, healthy ? answer("{}") : answer("{}", 503));
        } else if (!request.empty()) {
          ++posts;
          act_(fd, request);
        }
        ::close(fd);
      });
    }
  }
  int listener_;
  Act act_;
  std::thread accepting_;
  std::vector<std::thread> serving_;
};

Fake::Act says(std::string body, int status = 200) {
  return [=](int fd, const std::string&) { send_all(fd, answer(body, status)); };
}
Fake::Act hangs_up() {
  return [](int, const std::string&) {};
}

class UpstreamPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    work_.reset();
    on_io([this] { pools_.clear(); });
    io_.stop();
    thread_.join();
  }
  UpstreamPool& open(UpstreamConfig config) {
    config.name = "m";
    on_io([&] {
      auto made = UpstreamPool::open(io_.get_executor(), config);
      EXPECT_OK(made);
      pools_.push_back(*std::move(made));
    });
    return *pools_.back();
  }
  void on_io(std::function<void()> work) {
    std::promise<void> done;
    asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Status and body, or the error.
  Result<std::pair<int, std::string>> ask(UpstreamPool& pool,
                                          std::chrono::milliseconds first_byte = kLong) {
    return asio::co_spawn(io_, whole(pool, first_byte), asio::use_future).get();
  }
  static asio::awaitable<Result<std::pair<int, std::string>>> whole(
      UpstreamPool& pool, std::chrono::milliseconds first_byte) {
    auto stream = CO_TRY(co_await pool.ask(request(first_byte)));
    const auto body = CO_TRY(co_await stream->next());
    co_return std::pair(stream->status(), body.value_or(""));
  }
  static engine::EngineRequest request(std::chrono::milliseconds first_byte = kLong) {
    engine::EngineRequest out;
    out.path = "/v1/chat/completions";
    out.body = "{}";
    out.first_byte_deadline = first_byte;
    return out;
  }
  std::vector<ReplicaStatus> status(UpstreamPool& pool) {
    std::vector<ReplicaStatus> out;
    on_io([&] { out = pool.status(); });
    return out;
  }
  static constexpr std::chrono::milliseconds kLong{20'000};

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::shared_ptr<UpstreamPool>> pools_;
  std::thread thread_;
};

TEST_F(UpstreamPoolTest, B5_AReplicaThatHangsUpIsNotAskedAgainWhileAnotherAnswers) {
  Fake bad(hangs_up());
  Fake good(says("yes"));
  UpstreamPool& pool = open({.replicas = {bad.url(), good.url()}});
  for (int i = 0; i < 4; ++i) {
    const auto got = ask(pool);
    ASSERT_OK(got);
    EXPECT_EQ(got->second, "yes");
  }
  EXPECT_EQ(bad.posts, 1);
  EXPECT_EQ(good.posts, 4);
  EXPECT_FALSE(status(pool)[0].healthy);
  EXPECT_THAT(status(pool)[0].detail, HasSubstr("lost"));
}

TEST_F(UpstreamPoolTest, B5_OneReplicaIsTriedAgainAsOftenAsConfigured) {
  std::atomic<int> seen = 0;
  Fake flaky([&](int fd, const std::string&) {
    if (++seen == 3) send_all(fd, answer("at last"));
  });
  UpstreamPool& pool = open({.replicas = {flaky.url()}, .retries = 2});
  EXPECT_EQ(ask(pool)->second, "at last");
  Fake dead(hangs_up());
  UpstreamPool& none = open({.replicas = {dead.url()}, .retries = 2});
  EXPECT_THAT(ask(none), HasCode(Code::kUnavailable));
  EXPECT_EQ(dead.posts, 3);
}

TEST_F(UpstreamPoolTest, B5_NothingIsTriedAgainOnceAByteHasCome) {
  Fake half_a_head([](int fd, const std::string&) { send_all(fd, "HTTP/1.1 200 OK\r\nConte"); });
  Fake half_a_body([](int fd, const std::string&) {
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  Fake no_http([](int fd, const std::string&) { send_all(fd, "220 smtp.example ready\r\n\r\n"); });
  for (Fake* first : {&half_a_head, &half_a_body, &no_http}) {
    Fake other(says("never"));
    UpstreamPool& pool = open({.replicas = {first->url(), other.url()}});
    EXPECT_FALSE(ask(pool));
    EXPECT_EQ(first->posts, 1);
    EXPECT_EQ(other.posts, 0);
  }
}

TEST_F(UpstreamPoolTest, B5_AReplicaThatStallsRunsIntoTheDeadlineAndIsNotRepeated) {
  std::promise<void> over;
  const auto waits = over.get_future().share();
  Fake stalls([waits](int, const std::string&) { waits.wait(); });
  Fake other(says("never"));
  UpstreamPool& pool = open({.replicas = {stalls.url(), other.url()}});
  EXPECT_THAT(ask(pool, std::chrono::milliseconds(200)), HasCode(Code::kDeadlineExceeded));
  EXPECT_EQ(other.posts, 0);
  over.set_value();
}

TEST_F(UpstreamPoolTest, B5_OneThatIsBusyIsLeftForAnotherAndElseItsAnswerCounts) {
  Fake loading(says("{}", 503));
  Fake good(says("yes"));
  UpstreamPool& pool = open({.replicas = {loading.url(), good.url()}});
  EXPECT_EQ(ask(pool)->second, "yes");
  UpstreamPool& alone = open({.replicas = {loading.url()}});
  EXPECT_EQ(ask(alone)->first, 503);
  Fake wrong(says("{}", 400));  // the request's own fault: asked once
  UpstreamPool& refused = open({.replicas = {wrong.url(), good.url()}});
  EXPECT_EQ(ask(refused)->first, 400);
  EXPECT_EQ(good.posts, 1);
}

TEST_F(UpstreamPoolTest, B5_TheLeastLoadedReplicaIsAsked) {
  Fake one(says("one"));
  Fake two(says("two"));
  UpstreamPool& pool = open({.replicas = {one.url(), two.url()}});
  // A stream that is held keeps its replica loaded.
  auto held = asio::co_spawn(io_, pool.ask(request()), asio::use_future).get();
  ASSERT_OK(held);
  const std::string busy = status(pool)[0].running == 1 ? "one" : "two";
  for (int i = 0; i < 3; ++i) EXPECT_NE(ask(pool)->second, busy);
  on_io([&] { held->reset(); });
  EXPECT_EQ(status(pool)[0].running + status(pool)[1].running, 0);
  (void)ask(pool);
  (void)ask(pool);
  EXPECT_EQ(one.posts + two.posts, 6);
  EXPECT_GE(std::min(one.posts, two.posts), 2);  // equals take turns
}

TEST_F(UpstreamPoolTest, B5_HealthChecksTakeAReplicaOutAndBackIn) {
  Fake sick(says("sick"));
  Fake well(says("well"));
  sick.healthy = false;
  UpstreamPool& pool = open(
      {.replicas = {sick.url(), well.url()}, .health_interval = std::chrono::milliseconds(20)});
  const auto wait_for = [&](bool healthy) {
    for (int i = 0; i < 1'000 && status(pool)[0].healthy != healthy; ++i) {
      std::this_thread::yield();
      (void)status(pool);
    }
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (status(pool)[0].healthy != healthy && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_EQ(status(pool)[0].healthy, healthy);
  };
  wait_for(false);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(pool)->second, "well");
  sick.healthy = true;
  wait_for(true);
  (void)ask(pool);
  (void)ask(pool);
  EXPECT_GE(sick.posts, 1);
}

TEST_F(UpstreamPoolTest, B5_AllOfThemUnwellOneIsStillAsked) {
  Fake sick(says("it works"));
  sick.healthy = false;
  UpstreamPool& pool =
      open({.replicas = {sick.url()}, .health_interval = std::chrono::milliseconds(20)});
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (status(pool)[0].healthy && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(ask(pool)->second, "it works");
}

// What an https upstream saw.
class Seen final : public http::Handler {
 public:
  http::Task<void> handle(http::Call& call) override {
    path = call.request().path;
    host = call.request().headers.find("host").value_or("");
    authorization = call.request().headers.find("authorization").value_or("");
    http::Reply reply;
    reply.body = "secured";
    (void)co_await call.reply(std::move(reply));
  }
  std::string refusal(const http::Peer&, int, std::string_view) override { return {}; }
  std::string path, host, authorization;
};

class TlsUpstreamTest : public UpstreamPoolTest {
 protected:
  void SetUp() override {
    server_.emplace(io_, http::ServerOptions{}, seen_, system_clock(), nullptr);
    const http::testing::Credentials credentials =
        authority_.issue({.alternative_names = "DNS:localhost"});
    server_->set_tls(
        *http::TlsContext::server({.certificate_pem = credentials.certificate_pem,
                                   .key_pem = Sensitive<std::string>(credentials.key_pem)},
                                  0));
    ASSERT_OK(server_->listen(http::TcpAddress{.tls = true}));
    UpstreamPoolTest::SetUp();
  }
  std::string url() const {
    return "https://localhost:" + std::to_string(server_->tls_port()) + "/openai/v1";
  }
  Seen seen_;
  http::testing::Authority authority_;
  std::optional<http::Server> server_;
};

TEST_F(TlsUpstreamTest, B5_KeyPathAndHostGoOverTlsToAnAuthorityOfOnesOwn) {
  UpstreamPool& pool = open({.replicas = {url()},
                             .key = Sensitive<std::string>("sk-upstream"),
                             .ca_pem = authority_.certificate_pem()});
  for (int i = 0; i < 3; ++i) {  // the second on a pooled connection
    const auto got = ask(pool);
    ASSERT_OK(got);
    EXPECT_EQ(got->second, "secured");
  }
  EXPECT_EQ(seen_.path, "/openai/v1/chat/completions");
  EXPECT_EQ(seen_.host, "localhost:" + std::to_string(server_->tls_port()));
  EXPECT_EQ(seen_.authorization, "Bearer sk-upstream");
  EXPECT_EQ(server_->counters().accepted, 1U);
}

TEST_F(TlsUpstreamTest, B5_AnotherAuthorityOrNameGetsNoRequest) {
  const http::testing::Authority other;
  UpstreamPool& foreign = open({.replicas = {url()}, .ca_pem = other.certificate_pem()});
  EXPECT_THAT(ask(foreign), HasCode(Code::kUnavailable));
  EXPECT_THAT(status(foreign)[0].detail, HasSubstr("certificate is not accepted"));
  std::string numeric = url();
  numeric.replace(numeric.find("localhost"), 9, "127.0.0.1");  // not in the certificate
  UpstreamPool& renamed = open({.replicas = {numeric}, .ca_pem = authority_.certificate_pem()});
  EXPECT_THAT(ask(renamed), HasCode(Code::kUnavailable));
  EXPECT_EQ(seen_.path, "");
}

TEST_F(TlsUpstreamTest, B5_AProxyIsAskedToConnectAndSeesNothingElse) {
  std::string asked;
  const std::uint16_t to = server_->tls_port();
  Fake proxy([&](int fd, const std::string& request) {
    asked = request;
    const int onward = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(to);
    EXPECT_EQ(::connect(onward, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    send_all(fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    const auto copy = [](int from, int into) {
      std::array<char, 4'096> buffer{};
      for (ssize_t n = 0; (n = ::recv(from, buffer.data(), buffer.size(), 0)) > 0;) {
        send_all(into, {buffer.data(), static_cast<std::size_t>(n)});
      }
      ::shutdown(into, SHUT_WR);
    };
    std::thread back([&] { copy(onward, fd); });
    copy(fd, onward);
    back.join();
    ::close(onward);
  });
  UpstreamPool& pool = open({.replicas = {url()},
                             .key = Sensitive<std::string>("sk-upstream"),
                             .ca_pem = authority_.certificate_pem(),
                             .proxy = proxy.url()});
  EXPECT_EQ(ask(pool)->second, "secured");
  on_io([&] { pool.close(); });
  EXPECT_THAT(asked, HasSubstr("CONNECT localhost:" + std::to_string(to) + " HTTP/1.1\r\n"));
  EXPECT_THAT(asked, ::testing::Not(HasSubstr("sk-upstream")));

  Fake refuses([](int fd, const std::string&) { send_all(fd, answer("no", 407)); });
  UpstreamPool& barred =
      open({.replicas = {url()}, .ca_pem = authority_.certificate_pem(), .proxy = refuses.url()});
  EXPECT_THAT(ask(barred), HasCode(Code::kUnavailable));
  EXPECT_THAT(status(barred)[0].detail, HasSubstr("the proxy answered 407"));
}

TEST(UpstreamConfigTest, B5_AKeyNeverCrossesTheNetworkInTheClear) {
  asio::io_context io;
  const auto code = [&](std::string replica, std::string proxy = {}) {
    const auto made = UpstreamPool::open(io.get_executor(), {.name = "m",
                                                             .replicas = {std::move(replica)},
                                                             .key = Sensitive<std::string>("k"),
                                                             .proxy = std::move(proxy)});
    return made ? Code::kInternal : made.error().code();  // kInternal: it was taken
  };
  EXPECT_EQ(code("http://models.example"), Code::kInvalidArgument);
  EXPECT_EQ(code("tcp:10.0.0.1:8000"), Code::kInvalidArgument);
  EXPECT_EQ(code("http://127.0.0.1:8000", "http://proxy.example:3128"), Code::kInvalidArgument);
  EXPECT_EQ(code("https://models.example"), Code::kInternal);
  EXPECT_EQ(code("http://127.0.0.1:8000"), Code::kInternal);
  EXPECT_EQ(code("unix:/run/engine.sock"), Code::kInternal);
}

TEST_F(UpstreamPoolTest, B5_ANameThatNobodyKnowsIsUnavailable) {
  UpstreamPool& pool = open({.replicas = {"http://does-not-exist.invalid:1"}, .retries = 0});
  EXPECT_THAT(ask(pool), HasCode(Code::kUnavailable));
}

}  // namespace
}  // namespace candor::gateway
