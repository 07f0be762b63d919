#include "gateway/gateway.h"

#include "dialect/saved.h"
#include "gateway/testing/harness.h"

namespace candor::gateway {
namespace {

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAskStream =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";

std::string chunk(std::string_view delta, std::string_view finish = "null") {
  return R"({"choices":[{"finish_reason":)" + std::string(finish) + R"(,"index":0,"delta":)" +
         std::string(delta) +
         R"(}],"created":1,"id":"chatcmpl-x","model":"x","object":"chat.completion.chunk","secret":"CANARY"})";
}

class GatewayTest : public Harness {
 protected:
  void answer_whole() {
    upstream_.content_type = "application/json";
    upstream_.pieces = {
        R"({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"Hello."}}],"created":1,"model":"x","object":"chat.completion","usage":{"completion_tokens":2,"prompt_tokens":5,"total_tokens":7},"id":"x","secret":"CANARY"})"};
  }
  void answer_streamed() {
    upstream_.pieces = {chunk(R"({"role":"assistant","content":null})"),
                        chunk(R"({"content":"Hel"})"), chunk(R"({"content":"lo."})"),
                        chunk("{}", "\"stop\""), "[DONE]"};
  }
};

TEST_F(GatewayTest, AnAnswerStandsBetweenItsIntentAndItsOutcomeAndCarriesItsReceipt) {
  answer_whole();
  const Client client(api());
  client.post(kChat, kAsk, "X-Request-Id: mine\r\n");
  const std::string reply = client.read_all();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 ")) << reply;
  EXPECT_NE(reply.find("x-request-id: mine"), std::string::npos);
  EXPECT_NE(reply.find("candor-exchange: "), std::string::npos);
  const auto saved = dialect::read_saved_response(reply.substr(reply.find("\r\n\r\n") + 4));
  ASSERT_OK(saved);
  EXPECT_EQ(saved->answer.choices.at(0).content.reveal(), "Hello.");
  EXPECT_FALSE(saved->receipt.empty());
  const auto intents = ledger_.submitted_of<ledger::Intent>();
  const auto outcomes = ledger_.submitted_of<ledger::Outcome>();
  ASSERT_EQ(intents.size(), 1U);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(to_hex(intents[0].exchange), saved->exchange);
  EXPECT_EQ(outcomes[0].exchange, intents[0].exchange);
  EXPECT_EQ(outcomes[0].result, "complete");
  EXPECT_EQ(outcomes[0].finish, "stop");
  EXPECT_EQ(outcomes[0].completion_tokens, 2U);
  EXPECT_EQ(intents[0].provenance.weights_basis, ledger::Basis::kDeclared) << "S18";
  ASSERT_EQ(ledger_.submitted_of<ledger::Load>().size(), 1U);
  EXPECT_EQ(ledger_.submitted_of<ledger::Load>()[0].load, intents[0].load);
}

TEST_F(GatewayTest, NoByteOfAStreamLeavesBeforeTheIntentIsDurableNorItsEndBeforeTheOutcome) {
  answer_streamed();
  ledger_.set_mode(FakeLedger::Mode::kHold);
  const Client client(api());
  client.post(kChat, kAskStream);
  wait_for([&] { return ledger_.held() == 1; });  // the upstream's load
  ledger_.release_one();
  wait_for([&] { return ledger_.held() == 1; });  // the intent
  // The engine works meanwhile, and has long answered.
  wait_for([&] { return upstream_.requests.size() == 1; });
  for (int i = 0; i < 100; ++i) on_io([] {});
  EXPECT_EQ(client.poll(), "");
  ledger_.release_one();
  const std::string first = client.read_until("lo.");
  EXPECT_NE(first.find("Hel"), std::string::npos);
  wait_for([&] { return ledger_.held() == 1; });  // the outcome
  for (int i = 0; i < 100; ++i) on_io([] {});
  EXPECT_EQ(client.poll().find("[DONE]"), std::string::npos);
  ledger_.release_one();
  const std::string rest = client.read_all();
  EXPECT_NE(rest.find("receipt"), std::string::npos);
  EXPECT_NE(rest.find("[DONE]"), std::string::npos);
}

TEST_F(GatewayTest, ALedgerThatRefusesTheIntentReleasesNothing) {
  answer_whole();
  const Client warm(api());  // the load entry is written
  warm.post(kChat, kAsk);
  EXPECT_TRUE(warm.read_all().starts_with("HTTP/1.1 200 "));
  ledger_.set_mode(FakeLedger::Mode::kRefuse);
  for (const std::string_view body : {kAsk, kAskStream}) {
    if (body == kAskStream) {
      upstream_.content_type = "text/event-stream";
      answer_streamed();
    }
    const Client client(api());
    client.post(kChat, body);
    const std::string reply = client.read_all();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
    EXPECT_EQ(reply.find("Hel"), std::string::npos);
    EXPECT_NE(reply.find("candor doctor"), std::string::npos);
  }
  // No intent stands for them, so they count as refusals.
  ledger_.set_mode(FakeLedger::Mode::kAcknowledge);
  on_io([&] { refusals_.flush(/*all=*/true); });
  const auto entries = ledger_.submitted_of<ledger::Refusal>();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].cause, "ledger");
  EXPECT_EQ(entries[0].status, 503);
  EXPECT_EQ(entries[0].count, 2U);
}

TEST_F(GatewayTest, ALedgerThatRefusesTheOutcomeDoesNotLetAStreamEndWell) {
  answer_streamed();
  ledger_.set_mode(FakeLedger::Mode::kHold);
  const Client client(api());
  client.post(kChat, kAskStream);
  wait_for([&] { return ledger_.held() == 1; });
  ledger_.release_one();
  wait_for([&] { return ledger_.held() == 1; });
  ledger_.release_one();
  (void)client.read_until("lo.");
  wait_for([&] { return ledger_.held() == 1; });
  ledger_.set_mode(FakeLedger::Mode::kRefuse);
  const std::string rest = client.read_all();
  EXPECT_NE(rest.find("error"), std::string::npos) << rest;
  EXPECT_EQ(rest.find("receipt"), std::string::npos);
}

TEST_F(GatewayTest, AnUnhealthyLedgerRefusesAtOnceAndHealthSaysSo) {
  ledger_.set_healthy(false);
  const Client client(api());
  client.post(kChat, kAsk);
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(upstream_.requests.empty());
  const Client health(api());
  health.get("/health");
  EXPECT_TRUE(health.read_all().starts_with("HTTP/1.1 503 "));
}

TEST_F(GatewayTest, AClientThatLeavesDuringPrefillCancelsTheEngineAndIsRecorded) {
  upstream_.hang_before = true;
  Client client(api());
  client.post(kChat, kAskStream);
  wait_for([&] { return upstream_.requests.size() == 1; });
  client.close();
  wait_for([&] { return upstream_.client_left; });
  wait_for([&] { return !ledger_.submitted_of<ledger::Outcome>().empty(); });
  const auto outcome = ledger_.submitted_of<ledger::Outcome>().at(0);
  EXPECT_EQ(outcome.result, "cancelled");
  EXPECT_EQ(outcome.released_bytes, 0U);
}

TEST_F(GatewayTest, AClientThatLeavesInMidStreamCancelsTheEngineAndIsRecorded) {
  answer_streamed();
  upstream_.pieces.resize(2);
  upstream_.hang_after = true;
  Client client(api());
  client.post(kChat, kAskStream);
  EXPECT_NE(client.read_until("Hel").find("Hel"), std::string::npos);
  client.close();
  wait_for([&] { return upstream_.client_left; });
  wait_for([&] { return !ledger_.submitted_of<ledger::Outcome>().empty(); });
  const auto outcome = ledger_.submitted_of<ledger::Outcome>().at(0);
  EXPECT_EQ(outcome.result, "cancelled");
  EXPECT_EQ(outcome.released_bytes, 3U);
}

TEST_F(GatewayTest, ADrainAbortsWhatIsLeftAfterItsGrace) {
  upstream_.hang_before = true;
  const Client client(api());
  client.post(kChat, kAskStream);
  wait_for([&] { return upstream_.requests.size() == 1; });
  asio::co_spawn(io_, server_->drain(std::chrono::milliseconds(1)), asio::detached);
  const std::string reply = client.read_all();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
  const auto aborts = ledger_.submitted_of<ledger::Abort>();
  ASSERT_EQ(aborts.size(), 1U);
  EXPECT_EQ(aborts[0].reason, "shutdown");
}

TEST_F(GatewayTest, AnEngineThatFailsGivesTheDialectsErrorAndAnOutcome) {
  upstream_.content_type = "application/json";
  upstream_.status = 500;
  upstream_.pieces = {R"({"error":{"message":"CANARY","code":500}})"};
  for (const std::string_view path : {kChat, std::string_view("/v1/messages")}) {
    const Client client(api());
    client.post(
        path, path == kChat
                  ? kAsk
                  : R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
    const std::string reply = client.read_all();
    EXPECT_NE(reply.find("\"error\""), std::string::npos) << reply;
    EXPECT_EQ(reply.find("CANARY"), std::string::npos) << "S16, S19";
    EXPECT_EQ(reply.find("\"type\":\"error\"") != std::string::npos, path != kChat);
  }
  for (const auto& outcome : ledger_.submitted_of<ledger::Outcome>()) {
    EXPECT_EQ(outcome.result, "engine_error");
  }
  EXPECT_EQ(ledger_.submitted_of<ledger::Outcome>().size(), 2U);
}

TEST_F(GatewayTest, S8_DroppedFieldsAreNamedAlsoWhereAStreamHasNoText) {
  upstream_.pieces = {chunk("{}", "\"stop\""), "[DONE]"};
  const Client client(api());
  client.post(kChat, R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,)"
                     R"("no_such_field":1})");
  const std::string reply = client.read_all();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 ")) << reply;
  EXPECT_NE(reply.find("candor-dropped-fields: no_such_field"), std::string::npos) << reply;
}

TEST_F(GatewayTest, AStreamThatBreaksOffEndsWithAnErrorAndWithoutAReceipt) {
  answer_streamed();
  upstream_.pieces.resize(3);
  upstream_.cut = true;
  const Client client(api());
  client.post(kChat, kAskStream);
  const std::string reply = client.read_all();
  EXPECT_NE(reply.find("lo."), std::string::npos);
  EXPECT_NE(reply.find("error"), std::string::npos);
  EXPECT_EQ(reply.find("receipt"), std::string::npos);
  EXPECT_EQ(ledger_.submitted_of<ledger::Outcome>().at(0).result, "engine_error");
}

TEST_F(GatewayTest, S8_NothingThatTheEngineAddsComesThrough) {
  answer_streamed();
  const Client client(api());
  client.post(kChat, kAskStream);
  EXPECT_EQ(client.read_all().find("CANARY"), std::string::npos);
  upstream_.content_type = "application/json";
  answer_whole();
  const Client whole(api());
  whole.post(kChat, kAsk);
  EXPECT_EQ(whole.read_all().find("CANARY"), std::string::npos);
}

TEST_F(GatewayTest, A7_TheMonitorChoosesASeedWhenTheCallerGivesNone) {
  answer_whole();
  for (const std::string_view body :
       {kAsk, std::string_view(
                  R"({"model":"m","seed":77,"messages":[{"role":"user","content":"hi"}]})")}) {
    const Client client(api());
    client.post(kChat, body);
    (void)client.read_all();
  }
  const auto intents = ledger_.submitted_of<ledger::Intent>();
  ASSERT_EQ(intents.size(), 2U);
  EXPECT_FALSE(intents[0].parameters.seed_by_caller);
  EXPECT_NE(upstream_.requests[0].find("\"seed\":" + std::to_string(intents[0].parameters.seed)),
            std::string::npos);
  EXPECT_TRUE(intents[1].parameters.seed_by_caller);
  EXPECT_EQ(intents[1].parameters.seed, 77U);
}

TEST_F(GatewayTest, LongStreamsLeaveProgressMarks) {
  const std::string text(1'500, 'x');
  upstream_.pieces = {chunk(R"({"role":"assistant","content":null})")};
  for (int i = 0; i < 20; ++i) upstream_.pieces.push_back(chunk(R"({"content":")" + text + "\"}"));
  upstream_.pieces.push_back(chunk("{}", "\"stop\""));
  upstream_.pieces.emplace_back("[DONE]");
  const Client client(api());
  client.post(kChat, kAskStream);
  EXPECT_NE(client.read_all().find("[DONE]"), std::string::npos);
  std::uint64_t last = 0;
  for (const ledger::Progress& mark : ledger_.submitted_of<ledger::Progress>()) {
    EXPECT_GE(mark.released_bytes, last);
    last = mark.released_bytes;
  }
  EXPECT_GT(last, 0U);
  EXPECT_EQ(ledger_.submitted_of<ledger::Outcome>().at(0).released_bytes, 30'000U);
}

TEST_F(GatewayTest, KeysLimitModelsAndWrongOnesAreRefused) {
  answer_whole();
  const auto key =
      state_->create_api_key("k", {}, {"other"}, {}, system_clock().wall_us(), system_random());
  ASSERT_OK(key);
  const Client limited(api());
  limited.post(kChat, kAsk, "Authorization: Bearer " + key->secret.reveal() + "\r\n");
  EXPECT_TRUE(limited.read_all().starts_with("HTTP/1.1 403 "));
  const Client models(api());
  const Client wrong(api());
  wrong.post(kChat, kAsk, "Authorization: Bearer cnd_wrong\r\n");
  const std::string reply = wrong.read_all();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 401 ")) << reply;
  EXPECT_TRUE(upstream_.requests.empty());
  on_io([&] { refusals_.flush(/*all=*/true); });
  const auto entries = ledger_.submitted_of<ledger::Refusal>();
  ASSERT_EQ(entries.size(), 2U);
}

TEST_F(GatewayTest, ErrorsSayWhatToDoInTheDialectsShape) {
  struct Case {
    std::string_view path, body, status, word;
  };
  for (const Case& c :
       {Case{kChat, R"({"model":"absent","messages":[{"role":"user","content":"x"}]})", "404",
             "/v1/models"},
        Case{kChat, "{", "400", "error"}, Case{"/v1/nothing", "{}", "404", "/v1/models"},
        Case{"/v1/messages", R"({"model":"m"})", "400", "\"type\":\"error\""}}) {
    const Client client(api());
    client.post(c.path, c.body);
    const std::string reply = client.read_all();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 " + std::string(c.status))) << reply;
    EXPECT_NE(reply.find(c.word), std::string::npos) << reply;
  }
}

TEST_F(GatewayTest, S13_AForeignOriginIsRefused) {
  answer_whole();
  const Client client(api());
  client.post(kChat, kAsk, "Origin: https://evil.example\r\n");
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(upstream_.requests.empty());
}

TEST_F(GatewayTest, ModelsHealthAndMetricsAnswer) {
  const Client models(api());
  models.get("/v1/models");
  EXPECT_NE(models.read_all().find("\"m\""), std::string::npos);
  const Client one(api());
  one.get("/v1/models/m");
  EXPECT_TRUE(one.read_all().starts_with("HTTP/1.1 200 "));
  const Client health(api());
  health.get("/health");
  EXPECT_NE(health.read_all().find("ok"), std::string::npos);
  const Client metrics(api());
  metrics.get("/metrics");
  const std::string text = metrics.read_all();
  EXPECT_NE(text.find("candor_exchanges_total 0"), std::string::npos);
  EXPECT_EQ(text.find("model="), std::string::npos) << "S15: no labels here";
}

TEST_F(GatewayTest, S15_NothingAdministrativeIsReachable) {
  for (const char* path :
       {"/v1/status", "/v1/keys", "/v1/erase", "/v1/entries", "/v1/shutdown", "/v1/stops",
        "/v1/reload", "/v1/receipt?exchange=00", "/slots", "/props"}) {
    const Client client(api());
    client.get(path);
    EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 404 ")) << path;
  }
}

}  // namespace
}  // namespace candor::gateway
