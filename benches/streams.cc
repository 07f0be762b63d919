// Many streams at once, event by event: how long each was under way, and that none is missing.
//
// usage: bench_streams --connect tcp:127.0.0.1:PORT --connections N --events EACH
//          (--seconds S [--warmup S] | --once) [--spread-us U] [--model canned] [--receipt]
//        bench_streams --connect tcp:127.0.0.1:PORT --connections N --idle
//
// The upstream is bench_canned_upstream --stamp: the text of each event is its number in its stream
// and the moment it was written, on the monotonic clock that we share. Each connection begins one
// stream after the other; the first ones begin --spread-us apart, so that their events do not
// coincide. Checked of every stream: status 200, every event once and in order, its proper end, and
// with --receipt an exchange and a tlog-proof.
//
// Prints "all\n" once every connection has an event (--idle: an answer) and is under way: whoever
// measures the server's memory does it then. --idle holds the connections until its standard input
// ends. Otherwise one JSON object follows; times in microseconds, exact percentiles over the events
// after --warmup. Exit code 1 if any stream was wrong.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
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

struct Stream {
  int fd = -1;
  HttpMessage response;
  ContentScan content;
  std::size_t read = 0;      // of content.text
  std::uint64_t events = 0;  // of this stream
  bool in_order = true;
  bool open = false;  // a stream is under way
};

class Streams {
 public:
  explicit Streams(const Arguments& arguments)
      : address_(arguments.text("connect")),
        count_(static_cast<std::size_t>(arguments.number("connections", 32))),
        expected_(static_cast<std::uint64_t>(arguments.number("events", 64))),
        warmup_ns_(static_cast<std::int64_t>(arguments.number("warmup", 0) * 1e9)),
        seconds_ns_(static_cast<std::int64_t>(arguments.number("seconds", 0) * 1e9)),
        spread_ns_(static_cast<std::int64_t>(arguments.number("spread-us", 0) * 1e3)),
        once_(arguments.has("once")),
        idle_(arguments.has("idle")),
        receipt_(arguments.has("receipt")) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    const std::string body = R"({"model":")" + arguments.text("model", "canned") +
                             R"(","stream":true,"messages":[{"role":"user","content":"Count."}]})";
    request_ = idle_ ? "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                     : "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                       "Content-Type: application/json\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  int run() {
    for (std::size_t i = 0; i < count_; ++i) {
      streams_.push_back(std::make_unique<Stream>());
      Stream& stream = *streams_.back();
      stream.fd = connect_to(address_);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &stream;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, stream.fd, &event) != 0) die("epoll_ctl");
    }
    begin_ = now_ns();
    for (std::size_t i = 0; i < count_; ++i) {
      const std::int64_t due = begin_ + (static_cast<std::int64_t>(i) * spread_ns_);
      while (now_ns() < due) poll(due);
      start(*streams_[i]);
    }
    while (open_ > 0) poll(now_ns() + 100'000'000);
    if (!idle_) return report();
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return wrong_ == 0 ? 0 : 1;
  }

 private:
  void start(Stream& stream) {
    stream.response.reset();
    stream.content = {};
    stream.read = 0;
    stream.events = 0;
    stream.in_order = true;
    stream.open = true;
    ++open_;
    // A request of this size always fits into an empty socket.
    if (send(stream.fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      die("send");
    }
  }

  void poll(std::int64_t until) {
    const std::int64_t left = std::clamp<std::int64_t>(until - now_ns(), 0, 999'999'999);
    const timespec wait{.tv_sec = 0, .tv_nsec = left};
    epoll_event events[256];
    const int count = epoll_pwait2(epoll_, events, 256, &wait, nullptr);
    for (int i = 0; i < count; ++i) readable(*static_cast<Stream*>(events[i].data.ptr));
  }

  void readable(Stream& stream) {
    if (stream.fd < 0) return;
    char buffer[64 << 10];
    const ssize_t got = recv(stream.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    const std::int64_t at = now_ns();
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      (void)close(stream.fd);
      stream.fd = -1;
      if (stream.open) end(stream, "the connection broke");
      return;
    }
    (void)stream.response.feed({buffer, static_cast<std::size_t>(got)});
    stream.content.scan(stream.response.body());
    take_events(stream, at);
    if (stream.response.state() != HttpMessage::State::kDone) return;
    finish(stream);
    if (!idle_ && !once_ && at < begin_ + warmup_ns_ + seconds_ns_) start(stream);
  }

  void take_events(Stream& stream, std::int64_t at) {
    const std::string& text = stream.content.text;
    for (auto end = text.find(';', stream.read); end != std::string::npos;
         end = text.find(';', stream.read)) {
      std::uint64_t number = 0;
      std::int64_t sent = 0;
      const char* last = text.data() + end;
      const auto [middle, first_error] = std::from_chars(text.data() + stream.read, last, number);
      const auto [rest, error] = std::from_chars(middle + 1, last, sent);
      stream.in_order = stream.in_order && first_error == std::errc{} && error == std::errc{} &&
                        rest == last && number == stream.events;
      stream.read = end + 1;
      if (stream.events++ == 0) under_way();
      if (at >= begin_ + warmup_ns_) {
        delays_.push_back(at - sent);
        last_ = at;
      }
    }
  }

  void under_way() {
    if (++begun_ != count_) return;
    std::puts("all");
    std::fflush(stdout);
  }

  void finish(Stream& stream) {
    const std::string& body = stream.response.body();
    if (stream.response.status() != 200) return end(stream, "status");
    if (idle_) {
      under_way();
      return end(stream, {});
    }
    lost_ += expected_ - std::min(expected_, stream.events);
    if (!stream.in_order) return end(stream, "order");
    if (stream.events != expected_) return end(stream, "number of events");
    if (!body.ends_with("data: [DONE]\n\n")) return end(stream, "end");
    if (receipt_ && (body.find("\"exchange\":\"") == std::string::npos ||
                     body.find("c2sp.org/tlog-proof@v1") == std::string::npos)) {
      return end(stream, "receipt");
    }
    end(stream, {});
  }

  void end(Stream& stream, std::string_view wrong) {
    stream.open = false;
    --open_;
    ++ended_;
    if (wrong.empty()) return;
    if (wrong_++ == 0) {
      const std::string& body = stream.response.body();
      std::fprintf(stderr, "first wrong stream (%.*s), after %llu events: %.*s\n%.600s\n",
                   static_cast<int>(wrong.size()), wrong.data(),
                   static_cast<unsigned long long>(stream.events),
                   static_cast<int>(stream.response.head().size()), stream.response.head().data(),
                   body.substr(body.size() - std::min<std::size_t>(body.size(), 600)).c_str());
    }
  }

  int report() {
    const double seconds = static_cast<double>(last_ - begin_ - warmup_ns_) / 1e9;
    std::printf(
        "{\"streams\":%llu,\"wrong\":%llu,\"events\":%zu,\"lost\":%llu,\"seconds\":%.3f,"
        "\"events_per_s\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
        static_cast<unsigned long long>(ended_), static_cast<unsigned long long>(wrong_),
        delays_.size(), static_cast<unsigned long long>(lost_), seconds,
        seconds > 0 ? static_cast<double>(delays_.size()) / seconds : 0, percentile(delays_, .5),
        percentile(delays_, .9), percentile(delays_, .99), percentile(delays_, 1));
    return wrong_ == 0 && !delays_.empty() ? 0 : 1;
  }

  Address address_;
  std::size_t count_;
  std::uint64_t expected_;
  std::int64_t warmup_ns_, seconds_ns_, spread_ns_;
  bool once_, idle_, receipt_;
  std::string request_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::size_t open_ = 0, begun_ = 0;
  std::uint64_t ended_ = 0, wrong_ = 0, lost_ = 0;
  std::int64_t begin_ = 0, last_ = 0;
  std::vector<std::int64_t> delays_;
};

}  // namespace
}  // namespace candor::bench

int main(int argc, char** argv) {
  using namespace candor::bench;
  const Arguments arguments(argc, argv);
  (void)prctl(PR_SET_TIMERSLACK, 1);
  return Streams(arguments).run();
}
