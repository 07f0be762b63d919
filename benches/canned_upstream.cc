// An upstream that answers at once with the same text: what stands behind a proxy when only the
// proxy is to be measured. Speaks enough of the OpenAI API for Candor and its rivals.
//
// usage: bench_canned_upstream --listen tcp:127.0.0.1:0 [--unix PATH] [--events 64] [--pace-us 0]
//          [--stamp]
//
// Prints "port N" once it listens. POST answers with one chat completion, or, when the body holds
// "stream":true, with a chunked event stream of --events pieces (all in one write, or one write
// every --pace-us). --stamp: the pieces are "NUMBER@TIME;", the time that of the write on the
// monotonic clock in nanoseconds, for bench_streams. GET answers /health and /v1/models. One
// thread, epoll, keep-alive.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include <sys/epoll.h>
#include <sys/prctl.h>

#include "http_message.h"
#include "net.h"

namespace candor::bench {
namespace {

constexpr std::string_view kText =
    "The capital of France is Paris, and this sentence is the same in every answer.";

std::string with_head(std::string_view type, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunk(const std::string& event) {
  const std::string data = "data: " + event + "\n\n";
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string event(const std::string& delta, const std::string& finish) {
  return R"({"choices":[{"finish_reason":)" + finish + R"(,"index":0,"delta":)" + delta +
         R"(}],"created":1700000000,"id":"chatcmpl-canned","model":"canned","system_fingerprint":"canned","object":"chat.completion.chunk"})";
}

struct Canned {
  std::string json;
  std::string stream_head;
  std::vector<std::string> stream;  // chunks, the last one with the terminator
  std::size_t texts;

  explicit Canned(int events) : texts(static_cast<std::size_t>(events)) {
    const std::string usage = R"("usage":{"completion_tokens":)" + std::to_string(events) +
                              R"(,"prompt_tokens":24,"total_tokens":)" +
                              std::to_string(events + 24) + "}";
    json = with_head(
        "application/json; charset=utf-8",
        R"({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":")" +
            std::string(kText) +
            R"("}}],"created":1700000000,"model":"canned","system_fingerprint":"canned","object":"chat.completion",)" +
            usage + R"(,"id":"chatcmpl-canned"})");
    stream_head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.push_back(chunk(event(R"({"role":"assistant","content":null})", "null")));
    for (int i = 0; i < events; ++i) {
      const auto begin =
          kText.size() * static_cast<std::size_t>(i) / static_cast<std::size_t>(events);
      const auto end =
          kText.size() * static_cast<std::size_t>(i + 1) / static_cast<std::size_t>(events);
      stream.push_back(chunk(event(
          R"({"content":")" + std::string(kText.substr(begin, end - begin)) + "\"}", "null")));
    }
    stream.push_back(chunk(event("{}", R"("stop")")));
    stream.push_back(chunk(
        R"({"choices":[],"created":1700000000,"id":"chatcmpl-canned","model":"canned","system_fingerprint":"canned","object":"chat.completion.chunk",)" +
        usage + "}"));
    stream.push_back(chunk("[DONE]") + "0\r\n\r\n");
  }
};

struct Connection {
  int fd = -1;
  HttpMessage request;
  std::string out;
  std::size_t piece = 0;        // next chunk of a paced stream
  bool waits_for_room = false;  // the socket's buffer is full
};

class Server {
 public:
  Server(int events, std::int64_t pace_ns, bool stamp)
      : canned_(events), pace_ns_(pace_ns), stamp_(stamp) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
  }

  void add_listener(int fd) {
    listeners_.push_back(fd);
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      timespec wait{.tv_sec = 1, .tv_nsec = 0};
      if (!due_.empty()) {
        const std::int64_t left =
            std::clamp<std::int64_t>(due_.top().first - now_ns(), 0, 999'999'999);
        wait = {.tv_sec = 0, .tv_nsec = left};
      }
      const int count = epoll_pwait2(epoll_, events, 256, &wait, nullptr);
      for (int i = 0; i < count; ++i) serve(events[i].data.fd, events[i].events);
      while (!due_.empty() && due_.top().first <= now_ns()) {
        const int fd = due_.top().second;
        const std::int64_t at = due_.top().first;
        due_.pop();
        const auto found = connections_.find(fd);
        if (found != connections_.end()) next_piece(*found->second, at);
      }
    }
  }

 private:
  void watch(int fd, std::uint32_t what, int operation) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    (void)epoll_ctl(epoll_, operation, fd, &event);
  }

  void serve(int fd, std::uint32_t what) {
    if (std::ranges::find(listeners_, fd) != listeners_.end()) {
      for (;;) {
        const int accepted = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) return;
        no_delay(accepted);
        auto connection = std::make_unique<Connection>();
        connection->fd = accepted;
        connections_[accepted] = std::move(connection);
        watch(accepted, EPOLLIN, EPOLL_CTL_ADD);
      }
    }
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    if ((what & EPOLLOUT) != 0 && !flush(connection)) return;
    if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    char buffer[64 << 10];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(fd);
    std::string_view bytes(buffer, static_cast<std::size_t>(got));
    while (!bytes.empty()) {
      bytes.remove_prefix(connection.request.feed(bytes));
      if (connection.request.state() == HttpMessage::State::kBroken) return drop(fd);
      if (connection.request.state() == HttpMessage::State::kDone) {
        answer(connection);
        connection.request.reset();
      }
    }
    (void)flush(connection);
  }

  void answer(Connection& connection) {
    const std::string_view head = connection.request.head();
    if (head.starts_with("GET /v1/models")) {
      connection.out += with_head("application/json",
                                  R"({"object":"list","data":[{"id":"canned","object":"model"}]})");
    } else if (head.starts_with("GET ")) {
      connection.out += with_head("application/json", R"({"status":"ok"})");
    } else if (connection.request.body().find(R"("stream":true)") == std::string::npos) {
      connection.out += canned_.json;
    } else {
      connection.out += canned_.stream_head;
      connection.piece = 0;
      if (pace_ns_ == 0) {
        for (std::size_t i = 0; i < canned_.stream.size(); ++i) connection.out += piece(i);
      } else {
        due_.emplace(now_ns(), connection.fd);
      }
    }
  }

  [[nodiscard]] std::string piece(std::size_t number) const {
    // Before the texts there is the role.
    if (!stamp_ || number == 0 || number > canned_.texts) return canned_.stream[number];
    return chunk(event(
        R"({"content":")" + std::to_string(number - 1) + "@" + std::to_string(now_ns()) + ";\"}",
        "null"));
  }

  void next_piece(Connection& connection, std::int64_t at) {
    connection.out += piece(connection.piece++);
    if (connection.piece < canned_.stream.size()) due_.emplace(at + pace_ns_, connection.fd);
    (void)flush(connection);
  }

  // False if the connection is gone.
  bool flush(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t sent =
          send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) {
        watch(connection.fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        connection.waits_for_room = true;
        return true;
      }
      if (sent < 0) {
        drop(connection.fd);
        return false;
      }
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.waits_for_room) watch(connection.fd, EPOLLIN, EPOLL_CTL_MOD);
    connection.waits_for_room = false;
    return true;
  }

  void drop(int fd) {
    connections_.erase(fd);
    (void)close(fd);
  }

  Canned canned_;
  std::int64_t pace_ns_;
  bool stamp_;
  int epoll_ = -1;
  std::vector<int> listeners_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::priority_queue<std::pair<std::int64_t, int>, std::vector<std::pair<std::int64_t, int>>,
                      std::greater<>>
      due_;
};

}  // namespace
}  // namespace candor::bench

int main(int argc, char** argv) {
  using namespace candor::bench;
  const Arguments arguments(argc, argv);
  (void)prctl(PR_SET_TIMERSLACK, 1);
  Server server(static_cast<int>(arguments.number("events", 64)),
                static_cast<std::int64_t>(arguments.number("pace-us", 0) * 1000),
                arguments.has("stamp"));
  const int fd = listen_on(Address(arguments.text("listen", "tcp:127.0.0.1:0")));
  server.add_listener(fd);
  if (arguments.has("unix"))
    server.add_listener(listen_on(Address("unix:" + arguments.text("unix"))));
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) die("getsockname");
  std::printf("port %d\n", ntohs(bound.sin_port));
  std::fflush(stdout);
  server.run();
}
