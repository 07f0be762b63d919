#include "http/request_reader.h"

#include <gtest/gtest.h>

namespace candor::http {
namespace {

using State = RequestReader::State;

constexpr std::string_view kPost =
    "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: localhost:8080\r\n"
    "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";

struct Read {
  State state;
  int status;
  std::size_t consumed;
  Request request;
};

Read read(std::string_view bytes, std::size_t step = std::string_view::npos,
          const ReaderLimits& limits = {}) {
  RequestReader reader(limits);
  std::string pending;
  std::size_t consumed = 0;
  while (!bytes.empty()) {
    pending += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    const std::size_t used = reader.feed(pending);
    consumed += used;
    pending.erase(0, used);
  }
  Read result{reader.state(), reader.status(), consumed, {}};
  if (result.state == State::kComplete) result.request = reader.take();
  return result;
}

TEST(RequestReaderTest, APostIsReadWhole) {
  const Read result = read(kPost);
  ASSERT_EQ(result.state, State::kComplete);
  EXPECT_EQ(result.request.method, Method::kPost);
  EXPECT_EQ(result.request.path, "/v1/chat/completions");
  EXPECT_EQ(result.request.query, "x=1");
  EXPECT_EQ(result.request.body.reveal(), "{\"a\":1}");
  EXPECT_TRUE(result.request.keep_alive);
}

TEST(RequestReaderTest, EveryCutGivesTheSameRequest) {
  for (std::size_t step = 1; step < kPost.size(); ++step) {
    const Read result = read(kPost, step);
    ASSERT_EQ(result.state, State::kComplete) << step;
    EXPECT_EQ(result.request.body.reveal(), "{\"a\":1}");
    EXPECT_EQ(result.request.headers.size(), 3U);
  }
}

TEST(RequestReaderTest, ChunkedBodiesAreJoinedAndTrailersDropped) {
  const std::string_view text =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\nGET";
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, std::string_view::npos}) {
    const Read result = read(text, step);
    ASSERT_EQ(result.state, State::kComplete);
    EXPECT_EQ(result.request.body.reveal(), "abcde");
    EXPECT_FALSE(result.request.headers.find("x-trailer"));
    EXPECT_EQ(result.consumed, text.size() - 3);
  }
}

TEST(RequestReaderTest, WhatFollowsIsNotConsumed) {
  const std::string two = std::string(kPost) + "GET / HTTP/1.1\r\n";
  EXPECT_EQ(read(two).consumed, kPost.size());
}

TEST(RequestReaderTest, ManySmallFieldsAreBoundedTogetherHoweverTheyArrive) {
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 4'000; ++i) many += "X-" + std::to_string(i) + ": a\r\n";
  many += "\r\n";
  for (const std::size_t step : {std::size_t{100}, std::size_t{16'384}, std::string_view::npos}) {
    EXPECT_EQ(read(many, step).status, 431) << step;
  }
}

TEST(RequestReaderTest, BodiesAndHeadersAreBounded) {
  EXPECT_EQ(read(kPost, 3, {.body_bytes = 6}).status, 413);
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n";
  EXPECT_EQ(read(chunked, 3, {.body_bytes = 6}).status, 413);
  const std::string wide = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(5000, 'x') + "\r\n\r\n";
  EXPECT_EQ(read(wide, 100, {.header_bytes = 1024}).status, 431);
  EXPECT_EQ(read("GET /" + std::string(5000, 'x'), 100, {.header_bytes = 1024}).status, 431);
}

TEST(RequestReaderTest, SmugglingShapesAreRefused) {
  for (const char* text : {
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1,\r\n\r\nx",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: "
           "3\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\nHost: a\n\n",
           "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
           "GET /\r\n\r\n",
       }) {
    const Read result = read(text);
    EXPECT_EQ(result.state, State::kRefused) << text;
    EXPECT_GE(result.status, 400) << text;
  }
}

std::string chunked_post(std::string_view fields, std::string_view version = "1.1") {
  return "POST / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) +
         "\r\n2\r\n{}\r\n0\r\n\r\n";
}

TEST(RequestReaderTest, B8_ATransferEncodingThatIsNotChunkedToTheLetterIsRefused) {
  for (const char* fields :
       {"Transfer-Encoding: Chunked\r\n", "Transfer-Encoding: CHUNKED\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: \x0b"
        "chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::string_view::npos}) {
      const Read result = read(chunked_post(fields), step);
      EXPECT_EQ(result.state, State::kRefused) << fields << step;
      EXPECT_EQ(result.status, 400) << fields << step;
    }
  }
  EXPECT_EQ(read(chunked_post("Transfer-Encoding: chunked\r\n", "1.0")).status, 400);
  for (const char* fields : {"Transfer-Encoding: chunked\r\n", "transfer-encoding:chunked\r\n",
                             "Transfer-Encoding: \t chunked \t\r\n"}) {  // OWS is none of it
    EXPECT_EQ(read(chunked_post(fields)).state, State::kComplete) << fields;
  }
}

TEST(RequestReaderTest, B8_AFieldThatGoesOnInTheNextLineIsRefusedHoweverItArrives) {
  for (const char* fields :
       {"Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding:\r\n\tchunked\r\n",
        "Transfer-Encoding: chunked\r\n \r\n", "X-A: a\r\n b\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nX-A: a\r\n b\r\n", "Content-Length:\r\n 2\r\n",
        " X-A: a\r\nContent-Length: 2\r\n"}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::string_view::npos}) {
      const Read result = read(chunked_post(fields), step);
      EXPECT_EQ(result.state, State::kRefused) << fields << step;
      EXPECT_EQ(result.status, 400) << fields << step;
    }
  }
  // A body may begin with what would be a fold in the header.
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n {").state,
            State::kComplete);
}

TEST(RequestReaderTest, ExpectationsAreAskedForOnce) {
  RequestReader reader({});
  const std::string_view head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(reader.feed(head), head.size());
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_TRUE(reader.take_expects_continue());
  EXPECT_FALSE(reader.take_expects_continue());
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n").status, 417);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\n").status, 415);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\n\r\n").state,
            State::kComplete);
}

TEST(RequestReaderTest, Http10EndsTheConnectionUnlessAsked) {
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").request.keep_alive);
}

}  // namespace
}  // namespace candor::http
