// An OpenAI-like engine inside a test, on our own server core: answers what the test told it to,
// and says what it was asked and whether its client hung up.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "http/server.h"

namespace candor::gateway {

class FakeUpstream final : public http::Handler {
 public:
  explicit FakeUpstream(http::asio::io_context& io) : io_(io) {}

  int status = 200;
  std::string content_type = "text/event-stream";
  std::vector<std::string> pieces;    // bodies, or events without "data: "
  bool hang_before = false;           // before the status line, until the client leaves
  bool hang_after = false;            // after the pieces
  bool cut = false;                   // end without a proper end
  std::vector<std::string> requests;  // bodies
  bool client_left = false;

  http::Task<void> handle(http::Call& call) override {
    requests.push_back(call.request().body.reveal());
    if (hang_before) co_return co_await hang(call);
    const bool stream = content_type == "text/event-stream";
    if (!stream) {
      http::Reply reply;
      reply.status = status;
      reply.headers.add("content-type", content_type);
      for (const std::string& piece : pieces) reply.body += piece;
      (void)co_await call.reply(std::move(reply));
      co_return;
    }
    (void)call.start(status, {{"content-type", content_type}});
    for (const std::string& piece : pieces) {
      if (!co_await call.write("data: " + piece + "\n\n")) client_left = true;
    }
    if (hang_after) co_return co_await hang(call);
    if (cut) {
      call.abort();
      co_return;
    }
    (void)co_await call.finish();
  }
  std::string refusal(const http::Peer&, int, std::string_view) override { return "{}"; }

 private:
  http::Task<void> hang(http::Call& call) {
    http::Event gone(io_.get_executor());
    const auto registration = call.stop().on_stop([&](http::StopReason) { gone.set(); });
    co_await gone.wait();
    client_left = call.stop().reason() == http::StopReason::kClientGone;
    call.abort();
  }
  http::asio::io_context& io_;
};

}  // namespace candor::gateway
