#include <map>

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "crypto/hash.h"
#include "models/fetch.h"
#include "models/fit.h"
#include "models/model_store.h"
#include "models/reference.h"

namespace candor::models {
namespace {

using ::testing::HasSubstr;

TEST(ContentRangeTest, WhatContradictsItselfIsNoRange) {
  const auto range = content_range("bytes 10-19/100");  // RFC 9110, section 14.4
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->begin, 10U);
  EXPECT_EQ(range->end, 20U);
  EXPECT_EQ(range->total, 100U);
  for (const char* wrong : {"bytes 10-9/100", "bytes 0-100/100", "bytes 0-9/*", "bytes */100",
                            "items 0-9/100", "bytes 0-9", "bytes -1-9/100", ""}) {
    EXPECT_FALSE(content_range(wrong).has_value()) << wrong;
  }
}

TEST(UrlPartsTest, NoUserNoBlankAndNoOtherScheme) {
  const auto parts = url_parts("https://a.example:8443/b/c.gguf?token=x#y");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->host, "a.example:8443");
  EXPECT_EQ(parts->path, "/b/c.gguf");
  for (const char* wrong : {"ftp://a/b", "file:///etc/passwd", "https://u:p@a/b", "https://",
                            "https:///x", "https://a b/", "//a/b", "https://a\\b"}) {
    EXPECT_FALSE(url_parts(wrong).has_value()) << wrong;
  }
}

TEST(ReferenceTest, EachFormIsReadAndNamed) {
  const std::map<std::string, std::pair<std::string, std::string>> forms{
      {"hf:org/repo-GGUF", {"hf:org/repo-GGUF", "repo-GGUF"}},
      {"hf:org/repo@v2:a/m-Q4_K_M.gguf", {"hf:org/repo@v2:a/m-Q4_K_M.gguf", "m-Q4_K_M"}},
      {"ollama:smollm2", {"ollama:smollm2:latest", "smollm2"}},
      {"ollama:me/x:1b", {"ollama:me/x:1b", "x-1b"}},
      {"https://h/x/m-00001-of-00003.gguf?sig=1", {"https://h/x/m-00001-of-00003.gguf", "m"}},
      {"pypi:pack-age==1.2:a/b.gguf", {"pypi:pack-age==1.2:a/b.gguf", "b"}},
      {"file:/x/y.gguf", {"file:y.gguf", "y"}}};
  for (const auto& [text, wanted] : forms) {
    const auto reference = parse_reference(text);
    ASSERT_OK(reference);
    EXPECT_EQ(kept(*reference), wanted.first);
    EXPECT_EQ(name_for(*reference), wanted.second);
  }
  for (const char* wrong : {"hf:repo", "hf:../x", "hf:a/b:../c", "hf:a/b/c", "ollama:", "pypi:x",
                            "ftp://x/y", "x.gguf", "https://u@h/x", "hf:a/b@../..", "file:"}) {
    EXPECT_FALSE(parse_reference(wrong).has_value()) << wrong;
  }
}

// A server in memory: answers ranges of one file, each time after what `before` does to the answer.
class FakeServer final : public HttpClient {
 public:
  explicit FakeServer(std::string data) : data_(std::move(data)) {}
  Result<void> get(const HttpRequest& request, const OnHead& on_head,
                   const OnBody& on_body) override {
    ++asked;
    const std::uint64_t begin = request.range->begin;
    const std::uint64_t end = std::min<std::uint64_t>(request.range->end, data_.size());
    TRY(on_head(
        {.status = 206,
         .etag = etag,
         .range = HttpHead::ContentRange{.begin = begin, .end = end, .total = data_.size()}}));
    std::string_view body = std::string_view(data_).substr(begin, end - begin);
    if (short_answers > 0) {
      --short_answers;
      body = body.substr(0, body.size() / 2);
    }
    TRY(on_body(as_bytes(body)));
    if (body.size() < end - begin) return fail(Code::kUnavailable, "cut");
    return {};
  }
  std::string etag = "\"1\"";
  int asked = 0, short_answers = 0;

 private:
  std::string data_;
};

class Borrowed final : public HttpClient {
 public:
  explicit Borrowed(HttpClient& to) : to_(to) {}
  Result<void> get(const HttpRequest& r, const OnHead& h, const OnBody& b) override {
    return to_.get(r, h, b);
  }

 private:
  HttpClient& to_;
};

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() : store_(ModelStore::open(files_, "/data/models")) {}
  Result<void> run(FakeServer& server, const std::string& data) {
    QuarantineEntry entry = TRY(store_->enter_quarantine("m"));
    const Plan plan{.source = {.reference = "hf:o/m", .trust = Trust::kFirstUse},
                    .files = {{.path = "m.gguf",
                               .url = "https://h/m.gguf",
                               .size = data.size(),
                               .sha256 = crypto::sha256(as_bytes(data))}}};
    TRY(entry.set_plan(plan));
    TRY(fetch(entry, plan,
              {.client = [&]() -> Result<std::unique_ptr<HttpClient>> {
                 return std::make_unique<Borrowed>(server);
               },
               .connections = 1,
               .chunk_bytes = 1'000,
               .pause = [](std::chrono::milliseconds) {}}));
    TRY(entry.finish(1, {}));
    return {};
  }
  FaultyFileSystem files_;
  Result<ModelStore> store_;
};

TEST_F(FetchTest, AFileComesInItsRangesAndCutOnesAreGoneOnWith) {
  const std::string data(10'500, 'x');
  FakeServer server(data);
  server.short_answers = 4;
  ASSERT_OK(run(server, data));
  // Four halves of 1,000 bytes, then 8,500 bytes in nine.
  EXPECT_EQ(server.asked, 4 + 9);
}

TEST_F(FetchTest, WhatBringsNothingIsTriedSixTimes) {
  class Dead final : public HttpClient {
   public:
    Result<void> get(const HttpRequest&, const OnHead&, const OnBody&) override {
      return fail(Code::kUnavailable, "nobody there");
    }
  };
  QuarantineEntry entry = *store_->enter_quarantine("m");
  const Plan plan{.source = {.reference = "x"},
                  .files = {{.path = "m.gguf", .url = "https://h/m"}}};
  ASSERT_OK(entry.set_plan(plan));
  int pauses = 0;
  const auto done = fetch(
      entry, plan,
      {.client = []() -> Result<std::unique_ptr<HttpClient>> { return std::make_unique<Dead>(); },
       .pause = [&](std::chrono::milliseconds) { ++pauses; }});
  EXPECT_THAT(done, HasCode(Code::kUnavailable));
  EXPECT_EQ(pauses, 5);
}

TEST_F(FetchTest, ASizeThatIsNotThePublishedOneEndsIt) {
  FakeServer server(std::string(999, 'x'));
  const auto done = run(server, std::string(1'000, 'x'));
  EXPECT_THAT(done, HasCode(Code::kDataLoss));
  EXPECT_THAT(done.error().message(), HasSubstr("1000 bytes were published"));
}

TEST(FitTest, SeventyBillionParametersAtFourBitsFitInto64GiB) {
  // Llama 3.1 70B: Q4_K_M is published as a file of 42.5 GB.
  const ModelShape shape = usual_shape(70'000'000'000);
  const Machine machine{.memory_bytes = 64ULL << 30U, .bytes_per_second = 100e9};
  const auto& all = quantisations();
  const auto q4 = std::ranges::find(all, "Q4_K_M", &Quantisation::name);
  const Fit fits = fit(shape, weights_of(shape.parameters, q4->bits), 8'192, machine);
  EXPECT_TRUE(fits.fits);
  EXPECT_NEAR(static_cast<double>(fits.weights_bytes), 42.5e9, 1.3e9);
  EXPECT_EQ(fits.context_bytes, 4ULL * 80 * 1'024 * 8'192);
  EXPECT_NEAR(fits.tokens_per_second, 2.27, 0.1);
  EXPECT_FALSE(fit(shape, weights_of(shape.parameters, 16), 8'192, machine).fits);
  // A million tokens at 2 a second are 139 hours.
  EXPECT_NEAR(cost_of(1e6, 2, 100, 0.3).kilowatt_hours, 13.889, 0.001);
}

TEST(FitTest, AFilesNumbersCannotOverflow) {
  const ModelShape shape{.parameters = ~0ULL, .token_bytes = ~0ULL};
  const Fit fits = fit(shape, 1'000, ~0ULL, {.memory_bytes = 1'000'000});
  EXPECT_FALSE(fits.fits);
}

TEST(FitTest, ParametersAreWrittenAsPeopleWriteThem) {
  EXPECT_EQ(parse_parameters("70B").value_or(0), 70'000'000'000U);
  EXPECT_EQ(parse_parameters("1.5b").value_or(0), 1'500'000'000U);
  EXPECT_EQ(parse_parameters("270M").value_or(0), 270'000'000U);
  for (const char* wrong : {"", "B", "-1B", "nan", "inf", "1e300", "7Bx", "0"}) {
    EXPECT_FALSE(parse_parameters(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace candor::models
