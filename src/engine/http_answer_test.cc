#include "engine/internal/http_answer.h"

#include <random>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::engine::internal {
namespace {

using Framing = AnswerHead::Framing;

struct Body {
  std::string content;
  bool ended = false;
  bool failed = false;
  std::size_t left = 0;
  bool operator==(const Body&) const = default;
};

Body decode(const AnswerHead& head, std::string_view bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  BodyDecoder decoder(head);
  Body out;
  std::string pending;
  while (!bytes.empty() && !out.failed) {
    const std::size_t count =
        seed == 0 ? bytes.size() : 1 + random() % std::min<std::size_t>(bytes.size(), 4);
    pending.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    std::string_view input = pending;
    while (!input.empty() && !decoder.ended() && !out.failed) {
      const auto piece = decoder.decode(input);
      out.failed = !piece.has_value();
      if (piece) out.content.append(*piece);
    }
    pending = std::string(input);
  }
  out.ended = decoder.ended();
  out.left = pending.size();
  return out;
}

TEST(HttpAnswerTest, ReadsHeads) {
  const auto plain =
      parse_head("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: application/json");
  ASSERT_OK(plain);
  EXPECT_EQ(plain->status, 200);
  EXPECT_EQ(plain->framing, Framing::kLength);
  EXPECT_EQ(plain->length, 12U);
  EXPECT_TRUE(plain->keep_alive);
  const auto stream = parse_head(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ncontent-type: Text/Event-Stream; "
      "charset=utf-8\r\n"
      "Connection: foo, Close");
  ASSERT_OK(stream);
  EXPECT_TRUE(stream->event_stream);
  EXPECT_EQ(stream->framing, Framing::kChunked);
  EXPECT_FALSE(stream->keep_alive);
  EXPECT_EQ(parse_head("HTTP/1.0 404 Not Found")->framing, Framing::kUntilClose);
  EXPECT_EQ(parse_head("HTTP/1.1 204")->framing, Framing::kNone);
}

TEST(HttpAnswerTest, S16_RefusesAmbiguousHeads) {
  for (const char* text :
       {"", "HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 999 ?", "HTTP/1.1 200OK",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nContent-Length: +1",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", "HTTP/1.1 200 OK\r\n folded",
        "HTTP/1.1 200 OK\r\nno colon"}) {
    EXPECT_THAT(parse_head(text), HasCode(Code::kInternal)) << text;
  }
}

TEST(HttpAnswerTest, BodiesAreTheSameHoweverTheyAreSplit) {
  const AnswerHead chunked{.status = 200, .framing = Framing::kChunked};
  const AnswerHead length{.status = 200, .framing = Framing::kLength, .length = 5};
  const std::string_view chunks = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nEXTRA";
  EXPECT_EQ(decode(chunked, chunks, 0), (Body{"abc0123456789", true, false, 5}));
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    EXPECT_EQ(decode(chunked, chunks, seed), decode(chunked, chunks, 0)) << seed;
    EXPECT_EQ(decode(length, "hello!!", seed), (Body{"hello", true, false, 2})) << seed;
  }
}

TEST(HttpAnswerTest, S16_BadChunksAreRefused) {
  const AnswerHead chunked{.status = 200, .framing = Framing::kChunked};
  for (const std::string& text :
       {std::string("xyz\r\n"), std::string("3\r\nabcd\r\n"), std::string("3\nabc\r\n"),
        std::string("-1\r\n"), std::string("FFFFFFFFFFFFFFFFF\r\n"),
        std::string("FFFFFFFFFFFFFFFF\r\n"), std::string(300, '1'),
        "0\r\n" + std::string(20'000, 'x')}) {
    EXPECT_TRUE(decode(chunked, text, 0).failed) << text.substr(0, 20);
  }
}

TEST(HttpAnswerTest, AnEarlyEndIsNotAnAnswer) {
  BodyDecoder chunked(AnswerHead{.status = 200, .framing = Framing::kChunked});
  EXPECT_THAT(chunked.closed(), HasCode(Code::kUnavailable));
  BodyDecoder until_close(AnswerHead{.status = 200, .framing = Framing::kUntilClose});
  EXPECT_OK(until_close.closed());
  EXPECT_TRUE(until_close.ended());
}

}  // namespace
}  // namespace candor::engine::internal
