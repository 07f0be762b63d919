#include "gateway/decision_point.h"

#include <gmock/gmock.h>

#include "json/json.h"

namespace candor::gateway {
namespace {

using policy::Effect;
using ::testing::HasSubstr;

TEST(DecisionPointTest, C12_WhatOpaAnswers) {
  EXPECT_EQ(read_answer(R"({"result": true})").effect, Effect::kAllow);
  EXPECT_EQ(read_answer(R"({"result": false})").effect, Effect::kDeny);
  EXPECT_FALSE(read_answer(R"({"result": false})").failed);
  const auto told = read_answer(
      R"({"decision_id": "1", "result": {"effect": "warn", "reason": "be\u001b[31m careful"}})");
  EXPECT_EQ(told.effect, Effect::kWarn);
  EXPECT_FALSE(told.reason.contains('\x1b'));
  EXPECT_EQ(read_answer(R"({"result": {"effect": "require justification"}})").effect,
            Effect::kRequireJustification);
}

TEST(DecisionPointTest, P8_WhateverElseItAnswersRefuses) {
  for (const char* body :
       {"", "{}", "[]", "true", R"({"result": null})", R"({"result": "allow"})", R"({"result": 1})",
        R"({"result": {}})", R"({"result": {"effect": "Allow"}})", R"({"result": {"effect": 1}})",
        R"({"result": {"effect": "redact"}})", R"({"result": {"effect": "route"}})",
        R"({"result": true)", R"({"results": true})"}) {
    const auto answer = read_answer(body);
    EXPECT_EQ(answer.effect, Effect::kDeny) << body;
    EXPECT_TRUE(answer.failed) << body;
    EXPECT_FALSE(answer.reason.empty()) << body;
  }
}

TEST(DecisionPointTest, C12_NothingIsAskedInTheClearOnAnotherMachine) {
  http::asio::io_context io;
  EXPECT_FALSE(DecisionPoint::open(io.get_executor(), {.url = "http://opa.example.org/v1"}));
  EXPECT_TRUE(DecisionPoint::open(io.get_executor(), {.url = "http://127.0.0.1:8181/v1/data/c"}));
  EXPECT_TRUE(DecisionPoint::open(io.get_executor(), {.url = "https://opa.example.org/v1"}));
  EXPECT_FALSE(DecisionPoint::open(io.get_executor(), {.url = "opa"}));
}

TEST(DecisionPointTest, C12_ItIsGivenTheFactsByTheirNamesAndNoText) {
  policy::Facts facts;
  facts.phase = "request";
  facts.caller.team = "hr";
  facts.model.passport.license = "Apache-2.0";
  facts.findings = {{.detector = "iban",
                     .class_name = "financial",
                     .severity = "high",
                     .field = "messages/0/parts/0/text",
                     .direction = "request",
                     .confidence = 95,
                     .countries = {}}};
  facts.time_us = 1'767'225'604'000'000;
  const auto parsed = json::parse(policy::facts_json(facts));
  ASSERT_TRUE(parsed.has_value());
  const json::Object& all = parsed->get_object();
  EXPECT_EQ(all.at("caller").at("team").as_string(), "hr");
  EXPECT_EQ(all.at("model").at("passport").at("license").as_string(), "Apache-2.0");
  EXPECT_EQ(all.at("findings").at(0).at("class").as_string(), "financial");
  EXPECT_EQ(all.at("findings").at(0).at("confidence").as_int64(), 95);
  EXPECT_THAT(std::string(all.at("time").as_string()), HasSubstr("2026-01-01T00:00:04"));
  for (const policy::FactRow& row : policy::fact_rows()) {
    EXPECT_TRUE(all.contains(row.path.substr(0, row.path.find('.')))) << row.path;
  }
}

}  // namespace
}  // namespace candor::gateway
