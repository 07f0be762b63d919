// A load generator for HTTP APIs that answer chats: open loop at a constant rate, or closed loop.
//
// usage: bench_load --connect tcp:127.0.0.1:PORT|unix:PATH
//          (--rate PER_SECOND --seconds S | --connections N (--seconds S | --requests N))
//          [--path /v1/chat/completions] [--model canned] [--stream] [--body-bytes N] [--key KEY]
//          [--max-tokens N] [--members '"seed":1,'] [--prompts ID] [--expect TEXT] [--receipt]
//          [--warmup S]
//
// Open loop: request i is due at start + i/rate whatever happened before, and its latency counts
// from then, so a stalled server cannot hide behind a waiting client (coordinated omission).
// A request takes an idle connection or opens one. Each answer is checked: status 200, --expect in
// the text (pieces of a stream are joined), --receipt: an exchange and a tlog-proof stand in it.
// Prints one JSON object; times in microseconds, exact percentiles over all requests after
// --warmup. "first" is the time to the first non-empty content. Exit code 1 if any answer was
// wrong.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/epoll.h>
#include <sys/prctl.h>

#include "content_scan.h"
#include "http_message.h"
#include "net.h"
#include "percentile.h"

namespace candor::bench {
namespace {

std::int64_t number_after(const std::string& body, std::string_view member) {
  const auto at = body.rfind(member);
  if (at == std::string::npos) return 0;
  return std::atoll(body.c_str() + at + member.size());
}

struct Connection {
  int fd = -1;
  HttpMessage response;
  ContentScan content;
  std::string request, out;
  std::int64_t due = 0, first = 0;
  std::uint64_t left = 0;  // closed loop: requests still to send on it
  bool busy = false;
  bool used = false;  // has carried an answer: the server may have closed it since
};

class Load {
 public:
  explicit Load(const Arguments& arguments)
      : arguments_(arguments),
        address_(arguments.text("connect")),
        rate_(arguments.number("rate", 0)),
        warmup_ns_(static_cast<std::int64_t>(arguments.number("warmup", 0) * 1e9)),
        expect_(arguments.text("expect")),
        receipt_(arguments.has("receipt")),
        stream_(arguments.has("stream")) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    head_ = "POST " + arguments.text("path", "/v1/chat/completions") +
            " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    if (arguments.has("key")) head_ += "Authorization: Bearer " + arguments.text("key") + "\r\n";
  }

  int run() {
    const double seconds = arguments_.number("seconds", 0);
    begin_ = now_ns() + 1'000'000;
    end_ = seconds > 0 ? begin_ + warmup_ns_ + static_cast<std::int64_t>(seconds * 1e9) : INT64_MAX;
    if (rate_ > 0) {
      for (int i = 0; i < 16; ++i) open();  // connections that a real client would hold already
      open_loop();
    } else {
      closed_loop();
    }
    return report();
  }

 private:
  std::string request() {
    const std::uint64_t number = sent_++;
    std::string body = R"({"model":")" + arguments_.text("model", "canned") + R"(",)";
    body += arguments_.text("members");
    if (stream_) body += R"("stream":true,"stream_options":{"include_usage":true},)";
    if (arguments_.has("max-tokens"))
      body += R"("max_tokens":)" + arguments_.text("max-tokens") + ",";
    body += R"("messages":[{"role":"user","content":")";
    if (arguments_.has("prompts")) {
      // Different from its first word on, so that no prefix of another prompt helps.
      body +=
          arguments_.text("prompts") + "-" + std::to_string(number * 7919 % 10007) +
          ": write a very long story about a lighthouse keeper who finds a map, with many details.";
    } else {
      body += "What is the capital of France? Answer in one sentence.";
    }
    const auto wanted = static_cast<std::size_t>(arguments_.number("body-bytes", 0));
    if (body.size() + 4 < wanted) body.append(wanted - body.size() - 4, 'x');
    body += "\"}]}";
    return head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  Connection& open() {
    auto connection = std::make_unique<Connection>();
    connection->fd = connect_to(address_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection.get();
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) die("epoll_ctl");
    idle_.push_back(connection.get());
    connections_.push_back(std::move(connection));
    return *connections_.back();
  }

  void start(Connection& connection, std::int64_t due) {
    connection.busy = true;
    connection.due = due;
    connection.first = 0;
    connection.response.reset();
    connection.content = {};
    connection.request = request();
    connection.out = connection.request;
    ++in_flight_;
    push(connection);
  }

  void push(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t sent = send(connection.fd, connection.out.data(), connection.out.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT;
        event.data.ptr = &connection;
        (void)epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
        return;
      }
      if (sent < 0) return lost(connection);
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
  }

  void redial(Connection& connection) {
    (void)close(connection.fd);
    connection.fd = connect_to(address_);
    connection.used = false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) die("epoll_ctl");
  }

  void lost(Connection& connection) {
    if (connection.used && connection.response.head().empty()) {
      // A kept-alive connection that the server had closed: any client sends again.
      redial(connection);
      if (connection.busy) {
        connection.out = connection.request;
        push(connection);
      }
      return;
    }
    if (connection.busy) {
      ++errors_;
      --in_flight_;
    }
    connection.busy = false;
    connection.left = 0;
    std::erase(idle_, &connection);
    (void)close(connection.fd);
    connection.fd = -1;
    if (errors_ > 1000) {
      std::fprintf(stderr, "more than 1,000 connections were lost; giving up\n");
      std::exit(1);
    }
  }

  // Returns true when the answer is complete.
  bool readable(Connection& connection) {
    char buffer[64 << 10];
    const ssize_t got = recv(connection.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      lost(connection);
      return false;
    }
    const std::int64_t at = now_ns();
    (void)connection.response.feed({buffer, static_cast<std::size_t>(got)});
    connection.content.scan(connection.response.body());
    if (connection.first == 0 && !connection.content.text.empty()) connection.first = at;
    if (connection.response.state() != HttpMessage::State::kDone) return false;
    finish(connection, at);
    return true;
  }

  void finish(Connection& connection, std::int64_t at) {
    --in_flight_;
    connection.busy = false;
    connection.used = true;
    if (connection.response.header("connection") == "close") redial(connection);
    const std::string& body = connection.response.body();
    std::string_view wrong;
    if (connection.response.status() != 200) {
      wrong = "status";
    } else if (!expect_.empty() && connection.content.text.find(expect_) == std::string::npos) {
      wrong = "text";
    } else if (receipt_ && (body.find("\"exchange\":\"") == std::string::npos ||
                            body.find("c2sp.org/tlog-proof@v1") == std::string::npos)) {
      wrong = "receipt";
    }
    if (!wrong.empty()) {
      if (wrong_++ == 0) {
        std::fprintf(stderr, "first wrong answer (%s): %.*s\n%.600s\n", std::string(wrong).c_str(),
                     static_cast<int>(connection.response.head().size()),
                     connection.response.head().data(), body.c_str());
      }
      if (connection.response.status() != 200) return;
    }
    if (connection.due < begin_ + warmup_ns_) return;
    last_ = at;
    latency_.push_back(at - connection.due);
    if (connection.first != 0) first_.push_back(connection.first - connection.due);
    tokens_ += number_after(body, "\"completion_tokens\":");
  }

  void poll(std::int64_t until) {
    const std::int64_t left = std::clamp<std::int64_t>(until - now_ns(), 0, 999'999'999);
    const timespec wait{.tv_sec = 0, .tv_nsec = left};
    epoll_event events[128];
    const int count = epoll_pwait2(epoll_, events, 128, &wait, nullptr);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (connection.fd < 0) continue;
      if ((events[i].events & EPOLLOUT) != 0) {
        push(connection);
        if (connection.fd >= 0 && connection.out.empty()) {
          epoll_event event{};
          event.events = EPOLLIN;
          event.data.ptr = &connection;
          (void)epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
        }
      }
      if (connection.fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
          readable(connection)) {
        if (rate_ > 0) {
          idle_.push_back(&connection);
        } else if (connection.left > 0 && now_ns() < end_) {
          --connection.left;
          start(connection, now_ns());
        }
      }
    }
  }

  void open_loop() {
    const double gap = 1e9 / rate_;
    std::int64_t due = begin_;
    for (std::uint64_t i = 0; due < end_;) {
      while (due <= now_ns() && due < end_) {
        if (idle_.empty() && connections_.size() < 512) open();
        if (idle_.empty()) break;
        Connection& connection = *idle_.back();
        idle_.pop_back();
        start(connection, due);
        due = begin_ + static_cast<std::int64_t>(static_cast<double>(++i) * gap);
      }
      poll(idle_.empty() && connections_.size() >= 512 ? now_ns() + 1'000'000 : due);
    }
    const std::int64_t patience = now_ns() + 30'000'000'000;
    while (in_flight_ > 0 && now_ns() < patience) poll(now_ns() + 1'000'000);
    errors_ += in_flight_;
  }

  void closed_loop() {
    const auto count = static_cast<std::size_t>(arguments_.number("connections", 1));
    const auto each = static_cast<std::uint64_t>(arguments_.number("requests", 1e18) /
                                                 static_cast<double>(count));
    for (std::size_t i = 0; i < count; ++i) open();
    begin_ = now_ns();
    for (const auto& connection : connections_) {
      connection->left = each - 1;
      start(*connection, now_ns());
    }
    while (in_flight_ > 0) poll(now_ns() + 100'000'000);
  }

  int report() {
    const double seconds = static_cast<double>(last_ - begin_ - warmup_ns_) / 1e9;
    const auto done = static_cast<double>(latency_.size());
    std::printf(
        "{\"requests\":%zu,\"errors\":%llu,\"wrong\":%llu,\"seconds\":%.3f,\"per_s\":%.1f,"
        "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
        "\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,\"tokens\":%lld,\"tokens_per_s\":%.2f,"
        "\"connections\":%zu}\n",
        latency_.size(), static_cast<unsigned long long>(errors_),
        static_cast<unsigned long long>(wrong_), seconds, seconds > 0 ? done / seconds : 0,
        percentile(latency_, .5), percentile(latency_, .9), percentile(latency_, .99),
        percentile(latency_, .999), percentile(latency_, 1), percentile(first_, .5),
        percentile(first_, .99), static_cast<long long>(tokens_),
        seconds > 0 ? static_cast<double>(tokens_) / seconds : 0, connections_.size());
    return errors_ + wrong_ == 0 && !latency_.empty() ? 0 : 1;
  }

  const Arguments& arguments_;
  Address address_;
  double rate_;
  std::int64_t warmup_ns_;
  std::string expect_;
  bool receipt_, stream_;
  std::string head_;
  int epoll_ = -1;
  std::int64_t begin_ = 0, end_ = 0, last_ = 0;
  std::uint64_t sent_ = 0, in_flight_ = 0, errors_ = 0, wrong_ = 0;
  std::int64_t tokens_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;
  std::vector<std::int64_t> latency_, first_;
};

}  // namespace
}  // namespace candor::bench

int main(int argc, char** argv) {
  using namespace candor::bench;
  const Arguments arguments(argc, argv);
  (void)prctl(PR_SET_TIMERSLACK, 1);
  return Load(arguments).run();
}
