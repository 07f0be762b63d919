// Receipts: what verifies, and that every single change is told apart and named.
#include "ledger/receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "json/json.h"
#include "ledger/testing/known_answers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::LogMaker;
using testing::MadeExchange;
using testing::transcript_of;

class ReceiptTest : public ::testing::Test {
 protected:
  ReceiptTest() {
    log.run(3);
    made = log.exchange("What is the capital of France?", "Paris.");
    other = log.exchange("And of Italy?", "Rome.");
    receipt = log.receipt(made, log.texts.size());
    question.log_key = log.verifier();
    question.request = &made.request;
    question.answer = &made.answer;
  }
  // The promise that fails first, or "".
  std::string failing(const Receipt& r) const {
    const auto report = verify_receipt(r, question);
    if (!report) return "malformed";
    for (const Finding& finding : report->findings) {
      if (finding.standing == Standing::kFails) return finding.promise + " " + finding.what;
    }
    return "";
  }
  LogMaker log;
  MadeExchange made, other;
  Receipt receipt;
  ReceiptQuestion question;
};

// testdata/make_sealed.py: a receipt that Candor did not make, for texts that stand in
// sealed-v1.json.
TEST(KnownReceiptTest, KnownAnswerOfAnIndependentToolIsReadVerifiedAndWrittenAlike) {
  const std::string known = testing::known_text("receipt-v1.tlog-proof");
  const auto value = json::parse(testing::known_text("sealed-v1.json"));
  ASSERT_OK(value);
  const json::Object& about = value->as_object();
  const auto transcript = [&](const char* name) {
    Transcript out;
    for (const json::Value& field :
         about.at("transcripts").as_object().at(name).as_object().at("fields").as_array()) {
      out.push_back({.path = std::string(field.as_array()[0].as_string()),
                     .text = Sensitive<std::string>(std::string(field.as_array()[1].as_string()))});
    }
    return out;
  };
  const auto receipt = parse_receipt(known);
  ASSERT_OK(receipt);
  EXPECT_EQ(*format_receipt(*receipt), known);
  EXPECT_EQ(receipt->intent, about.at("intent").as_string());
  EXPECT_EQ(receipt->outcome, about.at("outcome").as_string());
  const Transcript request = transcript("request.received");
  Transcript answer = transcript("answer.released");
  ReceiptQuestion question;
  question.log_key = *parse_verifier_key(std::string(about.at("log_key").as_string()));
  question.request = &request;
  question.answer = &answer;
  question.nonce = "of-this-client";
  const auto verdict = [&] {
    const auto report = verify_receipt(*receipt, question);
    return report && !any_fails(report->findings);
  };
  EXPECT_TRUE(verdict());
  answer[0].text = Sensitive<std::string>("Parit");
  EXPECT_FALSE(verdict());
}

TEST_F(ReceiptTest, S1_VerifiesForItsRequestAndAnswer) {
  const auto text = format_receipt(receipt);
  ASSERT_OK(text);
  EXPECT_THAT(*text, ::testing::StartsWith("c2sp.org/tlog-proof@v1\nextra "));
  const auto read = parse_receipt(*text);
  ASSERT_OK(read);
  EXPECT_EQ(*format_receipt(*read), *text);
  EXPECT_EQ(failing(*read), "");
  const auto report = verify_receipt(*read, question);
  ASSERT_OK(report);
  EXPECT_EQ(report->intent.exchange, made.id);
  EXPECT_THAT(report->findings,
              Contains(Field(&Finding::what, HasSubstr("this is the answer that was logged"))));
}

TEST_F(ReceiptTest, APathWithAZeroCharacterIsWrittenWhole) {
  using namespace std::string_literals;
  receipt.received->fields.front().path = "tools/a\0b"s;
  const auto text = format_receipt(receipt);
  ASSERT_OK(text);
  EXPECT_EQ(parse_receipt(*text)->received->fields.front().path, "tools/a\0b"s);
}

TEST_F(ReceiptTest, AProofHoldsAtMost63Hashes) {
  receipt.intent_proof.assign(63, Digest{});
  EXPECT_THAT(parse_receipt(*format_receipt(receipt)), IsOk());
  receipt.intent_proof.emplace_back();
  EXPECT_THAT(parse_receipt(*format_receipt(receipt)), HasCode(Code::kInvalidArgument));
  receipt.intent_proof.clear();
  receipt.outcome_proof.assign(64, Digest{});
  EXPECT_THAT(parse_receipt(*format_receipt(receipt)), HasCode(Code::kInvalidArgument));
}

TEST_F(ReceiptTest, S1_FailsForAnotherTextAndForAnotherExchangesReceipt) {
  const Transcript longer = transcript_of({{"choices/0/role", "assistant"},
                                           {"choices/0/text", "Paris!"},
                                           {"choices/0/finish", "stop"}});
  question.answer = &longer;
  EXPECT_THAT(failing(receipt), HasSubstr("the text of the answer is not the one that was logged"));
  question.answer = &made.answer;
  question.request = &other.request;
  EXPECT_THAT(failing(receipt), HasSubstr("P2 the text of the request"));
  question.request = &made.request;
  EXPECT_THAT(failing(log.receipt(other, log.texts.size())), HasSubstr("P2"));
  const Transcript fewer = transcript_of({{"choices/0/role", "assistant"}});
  question.answer = &fewer;
  EXPECT_THAT(failing(receipt), HasSubstr("missing"));
  const Transcript more = transcript_of({{"choices/0/role", "assistant"},
                                         {"choices/0/text", "Paris."},
                                         {"choices/0/finish", "stop"},
                                         {"choices/1/text", "x"}});
  question.answer = &more;
  EXPECT_THAT(failing(receipt), HasSubstr("has a field that the logged one has not"));
}

TEST_F(ReceiptTest, NothingInTheExtraLineIsTrustedBecauseItIsThere) {
  const Receipt theirs = log.receipt(other, log.texts.size());
  Receipt forged = receipt;
  forged.intent = theirs.intent;
  EXPECT_THAT(failing(forged), HasSubstr("P2"));
  forged = receipt;
  forged.intent = theirs.intent;
  forged.intent_index = theirs.intent_index;
  forged.intent_proof = theirs.intent_proof;
  EXPECT_THAT(failing(forged), HasSubstr("P1 the outcome is of another exchange"));
  forged = receipt;
  forged.released = theirs.released;
  EXPECT_THAT(failing(forged), HasSubstr("field commitments do not lead"));
  forged = receipt;
  forged.received->key = OpeningKey(Digest{});
  EXPECT_THAT(failing(forged), HasSubstr("P2 the text of the request"));
  forged = receipt;
  forged.outcome_proof.back()[0] ^= std::byte{1};
  EXPECT_THAT(failing(forged), HasSubstr("the outcome is not in the signed tree"));
  forged = receipt;
  forged.intent_proof.pop_back();
  EXPECT_THAT(failing(forged), HasSubstr("the intent is not in the signed tree"));
}

TEST_F(ReceiptTest, KeysWitnessesAndPinsAreTheVerifiersOwn) {
  LogMaker stranger(99);
  stranger.run(1);
  question.log_key = stranger.verifier();
  EXPECT_THAT(failing(receipt), HasSubstr("another log"));
  question.log_key = log_verifier_key(log.origin, stranger.key().public_key());
  EXPECT_THAT(failing(receipt), HasSubstr("not signed by the log's key"));
  question.log_key.reset();
  const auto report = verify_receipt(receipt, question);
  ASSERT_OK(report);
  EXPECT_THAT(report->findings,
              Contains(Field(&Finding::what, HasSubstr("came from the receipt itself"))));

  question.log_key = log.verifier();
  question.pin = log.pin(log.texts.size());
  EXPECT_EQ(failing(receipt), "");
  question.pin->root[0] ^= std::byte{1};
  EXPECT_THAT(failing(receipt), HasSubstr("forked"));
  question.pin.reset();

  const auto witness = crypto::SigningKey::generate(log.random);
  const VerifierKey key{
      .name = "witness", .kind = KeyKind::kCosignatureV1, .key = witness.public_key()};
  question.witnesses = {key};
  auto missing = verify_receipt(receipt, question);
  ASSERT_OK(missing);
  EXPECT_FALSE(any_fails(missing->findings));
  EXPECT_THAT(missing->findings, Contains(Field(&Finding::what, HasSubstr("has not cosigned"))));
  Note note = *parse_note(receipt.checkpoint);
  note.signatures.push_back(cosign_note(note.text, "witness", witness, 1'767'225'600));
  Receipt cosigned = receipt;
  cosigned.checkpoint = format_note(note);
  const auto seen = verify_receipt(cosigned, question);
  ASSERT_OK(seen);
  EXPECT_THAT(seen->findings, Contains(Field(&Finding::what, HasSubstr("2026-01-01"))));
  EXPECT_THAT(seen->findings, ::testing::Not(Contains(Field(&Finding::promise, "S4"))));
}

TEST_F(ReceiptTest, S4_WithoutAnAnchorItSaysThatARollbackIsNotExcluded) {
  const auto report = verify_receipt(receipt, question);
  ASSERT_OK(report);
  EXPECT_THAT(report->findings,
              Contains(Field(&Finding::what, HasSubstr("rollback not excluded after size " +
                                                       std::to_string(log.texts.size())))));
}

TEST_F(ReceiptTest, S18_DeclaredIsNeverCalledMeasured) {
  LogMaker declared(5);
  declared.start();
  declared.load();
  MadeExchange exchange = declared.exchange("q", "a");
  auto& intent = std::get<Intent>(declared.entries[exchange.intent_index]);
  intent.provenance.weights_basis = Basis::kDeclared;
  declared.texts[exchange.intent_index] = *encode(intent);
  auto& outcome = std::get<Outcome>(declared.entries[exchange.outcome_index]);
  outcome.intent_leaf = hash_leaf(as_bytes(declared.texts[exchange.intent_index]));
  declared.texts[exchange.outcome_index] = *encode(outcome);
  question.log_key = declared.verifier();
  question.request = &exchange.request;
  question.answer = &exchange.answer;
  const auto report = verify_receipt(declared.receipt(exchange, declared.texts.size()), question);
  ASSERT_OK(report);
  EXPECT_FALSE(any_fails(report->findings));
  bool said = false;
  for (const Finding& finding : report->findings) {
    if (finding.promise != "P7" || !finding.what.starts_with("weights")) continue;
    EXPECT_EQ(finding.standing, Standing::kNotExcluded);
    EXPECT_THAT(finding.what, HasSubstr("declared"));
    said = true;
  }
  EXPECT_TRUE(said);
}

TEST_F(ReceiptTest, NonceIsBoundByTheRequestsCommitment) {
  LogMaker with(6);
  with.start();
  with.load();
  MadeExchange exchange = with.exchange("q", "a");
  // As the dialect does: the nonce is a field of request.received.
  exchange.request.push_back({.path = "nonce", .text = Sensitive<std::string>("n-123")});
  auto& intent = std::get<Intent>(with.entries[exchange.intent_index]);
  intent.received = commit(opening_key(exchange.root, "request.received"), exchange.id,
                           "request.received", exchange.request)
                        .root;
  with.texts[exchange.intent_index] = *encode(intent);
  auto& outcome = std::get<Outcome>(with.entries[exchange.outcome_index]);
  outcome.intent_leaf = hash_leaf(as_bytes(with.texts[exchange.intent_index]));
  with.texts[exchange.outcome_index] = *encode(outcome);
  Receipt r = with.receipt(exchange, with.texts.size());
  r.nonce = "n-123";
  question.log_key = with.verifier();
  question.request = nullptr;
  question.answer = nullptr;
  question.nonce = "n-123";
  EXPECT_EQ(failing(*parse_receipt(*format_receipt(r))), "");
  question.nonce = "n-124";
  EXPECT_THAT(failing(r), HasSubstr("another nonce"));
}

TEST_F(ReceiptTest, EveryChangedByteOfAReceiptIsDetectedOrMeansNothing) {
  const std::string text = *format_receipt(receipt);
  std::size_t survived = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto read = parse_receipt(changed);
    if (!read || !failing(*read).empty()) continue;
    ++survived;
    // Only the hint may change without harm: the key the receipt names is never trusted.
    Receipt same = *read;
    same.log_key = receipt.log_key;
    EXPECT_EQ(*format_receipt(same), text) << "byte " << at;
  }
  EXPECT_LT(survived, 120U);
}

TEST_F(ReceiptTest, PinsAreReadAsWritten) {
  const Pin pin = log.pin(3);
  const auto read = parse_pin(format_pin(pin));
  ASSERT_OK(read);
  EXPECT_EQ(format_pin(*read), format_pin(pin));
  EXPECT_THAT(parse_pin("{}"), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(parse_pin(""), HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::ledger
