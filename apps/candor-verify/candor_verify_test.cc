// The program itself, as an auditor runs it: files in, sentences or JSON out, an exit code.
#include <array>
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"
#include "json/json.h"
#include "ledger/testing/log_maker.h"

namespace candor::verify {
namespace {

using ledger::testing::LogMaker;
using ledger::testing::MadeExchange;
using ledger::testing::MemoryFolder;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int exit = -1;
  std::string out;
};

constexpr const char* kRequest =
    R"({"model":"smollm2","messages":[{"role":"user","content":"What is the capital of France?"}],"stream":true,"temperature":0.7})";
constexpr const char* kAnswer = "It is Paris — パリ, Париж, پاریس.";

class CandorVerifyTest : public ::testing::Test {
 protected:
  CandorVerifyTest() {
    log.run(5);
    const auto request = dialect::read_saved_request(kRequest);
    const auto answer = dialect::read_saved_response(body(""));
    EXPECT_THAT(request, IsOk());
    EXPECT_THAT(answer, IsOk());
    made = log.exchange_of(dialect::request_transcript(*request),
                           dialect::answer_transcript(answer->answer));
    other = log.exchange("another", "one");
    size = log.texts.size();
    receipt = *ledger::format_receipt(log.receipt(made, size));
    write("request.json", kRequest);
    write("response.json", body(receipt));
    write("response.sse", sse(receipt));
    write("receipt.tlog-proof", receipt);
    write("log.vkey", ledger::format_verifier_key(log.verifier()) + "\n");
    write("pin.json", ledger::format_pin(log.pin(size)));
    publish("export", size);
  }

  static json::Object candor_object(const std::string& text) {
    json::Object out;
    out["exchange"] = "00";
    out["receipt"] = text;
    return out;
  }
  // A reply as the gateway writes it; with a receipt if one is given.
  static std::string body(const std::string& text) {
    json::Object reply =
        json::parse(
            R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"smollm2",
            "choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})")
            ->as_object();
    reply["choices"].as_array()[0].as_object()["message"].as_object()["content"] = kAnswer;
    if (!text.empty()) reply["candor"] = candor_object(text);
    return json::to_text(reply);
  }
  static std::string sse(const std::string& text) {
    const auto chunk = [](const std::string& delta, const char* finish,
                          const json::Object* candor) {
      json::Object event =
          json::parse(
              R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"smollm2",
              "choices":[{"index":0,"delta":{},"finish_reason":null}]})")
              ->as_object();
      json::Object& choice = event["choices"].as_array()[0].as_object();
      if (!delta.empty()) choice["delta"].as_object()["content"] = delta;
      if (finish != nullptr) choice["finish_reason"] = finish;
      if (candor != nullptr) event["candor"] = *candor;
      return "data: " + json::to_text(event) + "\n\n";
    };
    const std::string answer = kAnswer;
    const json::Object candor = candor_object(text);
    return chunk(answer.substr(0, 6), nullptr, nullptr) +
           chunk(answer.substr(6), nullptr, nullptr) + chunk("", "stop", &candor) +
           "data: [DONE]\n\n";
  }

  void write(const std::string& name, const std::string& text) {
    const auto path = folder / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  // The first `entries` entries as a published folder.
  void publish(const std::string& name, std::uint64_t entries) {
    MemoryFolder published;
    const std::vector<std::string> texts(log.texts.begin(),
                                         log.texts.begin() + static_cast<std::ptrdiff_t>(entries));
    ledger::testing::publish(published, texts, log.signed_head(entries));
    for (const auto& [path, bytes] : published.files)
      write(name + "/" + path, std::string(as_text(bytes)));
  }

  Ran run(const std::string& arguments) {
    const std::string command = "cd '" + folder.path().string() + "' && '" CANDOR_VERIFY "' " +
                                arguments + " 2>&1 </dev/null";
    Ran ran;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      ran.out.append(buffer.data(), got);
    }
    ran.exit = WEXITSTATUS(::pclose(pipe));
    return ran;
  }

  TemporaryFolder folder;
  LogMaker log{21};
  MadeExchange made, other;
  std::uint64_t size = 0;
  std::string receipt;
};

TEST_F(CandorVerifyTest, S1_AcceptsSavedJsonAndSavedSse) {
  for (const char* response : {"response.json", "response.sse"}) {
    const Ran ran = run(std::string("receipt --request request.json --response ") + response +
                        " --log-key log.vkey --pin pin.json");
    EXPECT_EQ(ran.exit, 0) << ran.out;
    EXPECT_THAT(ran.out, AllOf(HasSubstr("Verified."), HasSubstr("this is the request"),
                               HasSubstr("this is the answer"), HasSubstr("measured"),
                               Not(HasSubstr("FAIL")), Not(ContainsRegex("\n  open [A-Z]"))));
  }
  const Ran named = run("receipt receipt.tlog-proof --response response.json --log-key log.vkey");
  EXPECT_EQ(named.exit, 0) << named.out;
  EXPECT_THAT(named.out, HasSubstr("rollback not excluded after size"));
}

TEST_F(CandorVerifyTest, S1_FailsOnOneChangedByteAndOnAnotherExchangesReceipt) {
  std::string changed = kRequest;
  changed[changed.find("France") + 2] = 'e';
  write("request2.json", changed);
  Ran ran = run("receipt --request request2.json --response response.sse --log-key log.vkey");
  EXPECT_EQ(ran.exit, 1) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("NOT VERIFIED: P2"), HasSubstr("messages/0/parts/0/text")));

  std::string answer = sse(receipt);
  answer[answer.find("Paris") + 1] = 'e';
  write("response2.sse", answer);
  ran = run("receipt --request request.json --response response2.sse --log-key log.vkey");
  EXPECT_EQ(ran.exit, 1) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("choices/0/content"));

  write("other.tlog-proof", *ledger::format_receipt(log.receipt(other, size)));
  ran =
      run("receipt other.tlog-proof --request request.json --response response.json --log-key "
          "log.vkey");
  EXPECT_EQ(ran.exit, 1) << ran.out;
}

TEST_F(CandorVerifyTest, LogIsVerifiedWholeAndTheFirstBadPlaceIsNamed) {
  Ran ran = run("log export --log-key log.vkey --pin pin.json");
  EXPECT_EQ(ran.exit, 0) << ran.out;
  const auto tile = folder / ("export/tile/entries/000.p/" + std::to_string(size));
  std::fstream file(tile, std::ios::in | std::ios::out | std::ios::binary);
  const std::size_t at = 2 + log.texts[0].size() + 2 + log.texts[1].size() + 2 + 5;  // in entry 2
  file.seekp(static_cast<std::streamoff>(at));
  file.put('#');
  file.close();
  ran = run("log export --log-key log.vkey --json");
  EXPECT_EQ(ran.exit, 1) << ran.out;
  const auto report = json::parse(std::string_view(ran.out).substr(0, ran.out.find('\n')));
  ASSERT_THAT(report, IsOk()) << ran.out;
  EXPECT_EQ(report->as_object().at("first_bad_entry").as_string(), "2");
  EXPECT_FALSE(report->as_object().at("verified").as_bool());
}

TEST_F(CandorVerifyTest, S4_RestoredSnapshotPassesWithTheSentenceAndFailsAgainstANewerPin) {
  publish("old", size - 2);
  Ran ran = run("log old --log-key log.vkey");
  EXPECT_EQ(ran.exit, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("rollback not excluded after size " + std::to_string(size - 2)));
  EXPECT_EQ(run("log old --log-key log.vkey --strict").exit, 3);
  ran = run("log old --pin pin.json");
  EXPECT_EQ(ran.exit, 1) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("rollback or not yet published"),
                             HasSubstr("log " + std::to_string(size - 2) + ", pin " +
                                       std::to_string(size))));
}

TEST_F(CandorVerifyTest, DataFolderIsItsTilesAndThenItsJournal) {
  publish("data/ledger", 6);
  MemoryFolder journal;
  ledger::testing::write_journal(journal, log, 6, 4);
  for (const auto& [name, bytes] : journal.journal) {
    write("data/journal/" + name, std::string(as_text(bytes)));
  }
  const Ran ran = run("log data --pin pin.json");
  EXPECT_EQ(ran.exit, 0) << ran.out;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("the log extends the pinned head"),
                             Not(ContainsRegex("\n  open [A-Z]"))));
  EXPECT_EQ(run("log data/ledger --journal data/journal --pin pin.json").exit, 0);
  EXPECT_EQ(run("log data/ledger --pin pin.json").exit, 1);
}

TEST_F(CandorVerifyTest, HeadsAreConsistentForkedOrRolledBack) {
  publish("old", size - 2);
  EXPECT_EQ(run("heads old/checkpoint export/checkpoint --log export --log-key log.vkey").exit, 0);
  EXPECT_EQ(run("heads old/checkpoint receipt.tlog-proof --log export --log-key log.vkey").exit, 0);
  Ran ran = run("heads pin.json old/checkpoint --log export --log-key log.vkey");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("rollback"));
  EXPECT_EQ(run("heads old/checkpoint export/checkpoint").exit, 3);
  ledger::Pin pin = log.pin(size - 2);
  pin.root[0] ^= std::byte{1};
  write("forked.json", ledger::format_pin(pin));
  ran = run("heads forked.json export/checkpoint --log export --log-key log.vkey");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("fork"));
}

TEST_F(CandorVerifyTest, MalformedIsToldApartFromTampered) {
  write("nonsense", "nonsense");
  for (const char* arguments :
       {"", "nothing", "receipt", "receipt nonsense", "receipt missing", "log nowhere", "log .",
        "log export --pin nonsense", "log export --log-key nonsense", "heads nonsense pin.json",
        "receipt receipt.tlog-proof --request nonsense", "log export --unknown"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.exit, 2) << arguments << ": " << ran.out;
    EXPECT_FALSE(ran.out.empty());
  }
  for (const char* arguments :
       {"--help", "receipt --help", "log --help", "heads --help", "--version"}) {
    EXPECT_EQ(run(arguments).exit, 0) << arguments;
  }
  EXPECT_THAT(run("--help").out, AllOf(HasSubstr("Exit codes"), HasSubstr("Examples")));
}

TEST_F(CandorVerifyTest, IsOneStaticFile) {
#ifdef CANDOR_VERIFY_IS_STATIC
  std::ifstream in(CANDOR_VERIFY, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  ASSERT_GT(bytes.size(), 64U);
  // A dynamic program names its loader.
  EXPECT_EQ(bytes.find("/lib64/ld-linux-x86-64.so.2\0", 0, 28), std::string::npos);
#else
  GTEST_SKIP() << "sanitizers cannot be linked statically";
#endif
}

}  // namespace
}  // namespace candor::verify
