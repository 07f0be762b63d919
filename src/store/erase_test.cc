#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "json/json.h"
#include "ledger/field_keys.h"
#include "ledger/key_table_format.h"
#include "ledger/receipt.h"
#include "store/auditor_key.h"
#include "store/internal/key_wraps.h"
#include "store/testing/store_harness.h"

namespace candor::store {
namespace {

constexpr std::string_view kPath = "messages/0/parts/0/text";

// Somebody with every file of the data folder but signer/, and the auditor's secret key. They know
// what the prompt may have been, and try every key that anything in the files leads to.
class Attacker {
 public:
  Attacker(const Path& root, const crypto::BoxKeyPair& auditor) : root_(root) {
    for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
      if (!item.is_regular_file() || item.path().native().find("/signer/") != std::string::npos) {
        continue;
      }
      std::ifstream file(item.path(), std::ios::binary);
      files_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      if (item.path().parent_path().filename() == "epochs") learn_epoch(files_.back(), auditor);
      if (item.path().filename() == "local.key") {
        local_ = *digest_from_base64(std::string_view(files_.back()).substr(20, 44));
      }
    }
  }

  // The candidates that some key found in the files commits to exactly as the files say.
  [[nodiscard]] std::set<std::string> told_apart(const Id128& id,
                                                 const std::vector<std::string>& candidates) {
    std::set<std::string> found;
    for (const ledger::OpeningKey& key : opening_keys(id)) {
      for (const std::string& candidate : candidates) {
        const auto commitment =
            ledger::commit(key, id, "request.received", request_transcript(candidate));
        for (const auto& field : commitment.fields) {
          if (field.path == kPath && stands_somewhere(field.value)) found.insert(candidate);
        }
      }
    }
    for (const ledger::FieldKeys& one : fields_) {
      for (const std::string& candidate : candidates) {
        for (const std::string_view path : {std::string_view(one.path), kPath}) {
          if (stands_somewhere(
                  ledger::commit_field_opened(one.opening, id, one.transcript, path, candidate))) {
            found.insert(candidate);
          }
        }
      }
    }
    return found;
  }
  [[nodiscard]] bool holds_text(std::string_view text) const {
    return std::ranges::any_of(
        files_, [&](const std::string& file) { return file.find(text) != std::string::npos; });
  }

 private:
  void learn_epoch(const std::string& text, const crypto::BoxKeyPair& auditor) {
    const auto value = json::parse(text);
    if (!value) return;
    for (const auto& item : value->at("sealed").as_array()) {
      const auto box = from_base64(std::string_view(item.at("key").as_string()));
      const auto key = crypto::open_sealed(auditor, *box);
      Digest epoch{};
      if (key) std::ranges::copy(key->reveal(), epoch.begin());
      epochs_.push_back(Sensitive<Digest>(epoch));
    }
  }
  // What took a root's place may open the keys of single fields.
  void learn_fields(const Id128& id, const Sensitive<Digest>& key) {
    for (const std::string& file : files_) {
      const auto keys = ledger::decode_field_keys(as_bytes(file), id, key);
      if (!keys) continue;
      for (const ledger::FieldKeys& one : *keys) fields_.push_back(one);
    }
  }
  // Every place of every file is tried as a wrapped root, as wrapped openings and as a bare key.
  [[nodiscard]] std::vector<ledger::OpeningKey> opening_keys(const Id128& id) {
    std::vector<ledger::OpeningKey> keys;
    for (const std::string& file : files_) {
      const ByteView bytes = as_bytes(file);
      for (std::size_t at = 0; at + 32 <= bytes.size(); ++at) {
        if (bytes[at] == std::byte{0} && bytes[at + 7] == std::byte{0} &&
            bytes[at + 31] == std::byte{0}) {
          continue;  // no key has so many zeros
        }
        for (const auto& epoch : epochs_) {
          if (at + ledger::kFirstWrapBytes > bytes.size()) continue;
          const auto root = unwrap_root(epoch, id, bytes.subspan(at, ledger::kFirstWrapBytes));
          if (root) keys.push_back(ledger::opening_key(*root, "request.received"));
          if (root) learn_fields(id, *root);
        }
        if (at + ledger::kSecondWrapBytes <= bytes.size()) {
          const auto pair = unwrap_pair(Sensitive<Digest>(local_), id,
                                        bytes.subspan(at, ledger::kSecondWrapBytes));
          if (pair) keys.push_back(pair->first);
        }
      }
    }
    return keys;
  }
  [[nodiscard]] bool stands_somewhere(const Digest& value) const {
    return holds_text(as_text(value));
  }

  Path root_;
  std::vector<std::string> files_;
  std::vector<Sensitive<Digest>> epochs_;
  std::vector<ledger::FieldKeys> fields_;
  Digest local_{};
};

class EraseTest : public testing::Test {
 protected:
  void open() {
    LedgerOptions options = small_options();
    options.segment_bytes = 64U << 10U;
    options.state_in_memory = false;
    auto opened = open_store(real_file_system(), folder_.path(), clock_, options);
    ASSERT_OK(opened);
    store_ = *std::move(opened);
    if (store_->keys().auditors().empty()) {
      ASSERT_OK(store_->keys().add_auditor(auditor_.public_key, "test"));
    }
    const auto load = add_load(*store_);
    ASSERT_OK(load);
    load_ = *load;
    const auto actor = store_->keys().subject("uid:0");
    ASSERT_OK(actor);
    actor_ = *actor;
  }
  Path root() const { return folder_.path(); }

  TemporaryFolder folder_;
  FakeClock clock_;
  crypto::BoxKeyPair auditor_ = crypto::make_box_key(system_random());
  std::unique_ptr<Store> store_;
  Id128 load_{};
  Subject actor_;
};

std::vector<std::string> thousand_candidates(const std::string& truth) {
  std::vector<std::string> candidates{truth};
  for (int i = 1; i < 1000; ++i) candidates.push_back("my salary is " + std::to_string(i) + " EUR");
  return candidates;
}

TEST_F(EraseTest, S2_AfterErasureTheTruePromptCannotBeToldAmongAThousand) {
  open();
  const std::string truth = "my salary is 4242 EUR";
  const auto candidates = thousand_candidates(truth);
  const auto said = say(*store_, load_, "key:1", truth, "noted");
  ASSERT_OK(said);
  // Before publication, after it, and after erasure: with all files and the auditor's key.
  EXPECT_EQ(Attacker(root(), auditor_).told_apart(said->exchange, candidates),
            std::set<std::string>{truth});
  ASSERT_OK(store_->ledger().publish());
  EXPECT_EQ(Attacker(root(), auditor_).told_apart(said->exchange, candidates),
            std::set<std::string>{truth});
  const auto report = store_->erase(
      {.exchange = said->exchange, .caller = {}, .reason = "asked by the person", .actor = actor_});
  ASSERT_OK(report);
  EXPECT_EQ(report->destroyed, 1U);
  EXPECT_FALSE(report->unreachable.empty());
  EXPECT_EQ(Attacker(root(), auditor_).told_apart(said->exchange, candidates),
            std::set<std::string>());
  // Every proof still verifies, the client's old receipt too; a new one cannot be made.
  ASSERT_OK(store_->ledger().publish());
  EXPECT_OK(verify_folder(real_file_system(), root()));
  EXPECT_THAT(store_->receipt(said->exchange), HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange),
      HasCode(Code::kFailedPrecondition));
}

std::string opened_text(const std::vector<OpenedContent>& opened, std::string_view transcript,
                        std::string_view path) {
  for (const OpenedContent& content : opened) {
    for (std::size_t t = 0; t < content.transcripts.size(); ++t) {
      if (content.transcripts[t].name != transcript) continue;
      for (std::size_t f = 0; f < content.transcripts[t].texts.size(); ++f) {
        if (content.record.transcripts[t].fields[f].path != path) continue;
        const auto& text = content.transcripts[t].texts[f];
        return text ? text->reveal() : "(erased)";
      }
    }
  }
  return "(no such field)";
}

TEST_F(EraseTest, S3_OneFieldIsErasedAndTheOthersOpenStill) {
  open();
  const std::string truth = "my salary is 4242 EUR";
  const auto candidates = thousand_candidates(truth);
  const auto said = say(*store_, load_, "key:1", truth, "noted, the answer");
  ASSERT_OK(said);
  ASSERT_OK(store_->ledger().publish());
  ErasureRequest request{.exchange = said->exchange, .caller = {}, .reason = "r", .actor = actor_};
  request.fields = {"no/such/field"};
  EXPECT_THAT(store_->erase(request), HasCode(Code::kNotFound));
  request.fields = {std::string(kPath)};
  const auto report = store_->erase(request);
  ASSERT_OK(report);
  const auto entry = ledger::decode(*store_->ledger().read(report->index));
  const auto& erasure = std::get<ledger::Erasure>(*entry);
  EXPECT_EQ(erasure.scope, "field");
  EXPECT_EQ(erasure.fields, request.fields);
  // With all files and the auditor's key the true text is one of a thousand.
  EXPECT_EQ(Attacker(root(), auditor_).told_apart(said->exchange, candidates),
            std::set<std::string>());
  const auto opened =
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(opened);
  EXPECT_EQ(opened_text(*opened, "request.received", kPath), "(erased)");
  EXPECT_EQ(opened_text(*opened, "request.forwarded", kPath), "(erased)");
  EXPECT_EQ(opened_text(*opened, "answer.released", "choices/0/parts/0/text"), "noted, the answer");
  EXPECT_EQ(opened_text(*opened, "request.received", "messages/0/role"), "user");
  // The receipt is made again without the opening of what was erased.
  const auto receipt = store_->receipt(said->exchange);
  ASSERT_OK(receipt);
  EXPECT_FALSE(ledger::parse_receipt(*receipt)->received);
  EXPECT_TRUE(ledger::parse_receipt(*receipt)->released);

  // Another field, and then all of it; each time nothing more is left than there must be.
  request.fields = {"choices/0/parts/0/text"};
  ASSERT_OK(store_->erase(request));
  const auto less =
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(less);
  EXPECT_EQ(opened_text(*less, "answer.released", "choices/0/parts/0/text"), "(erased)");
  EXPECT_EQ(opened_text(*less, "answer.released", "choices/0/finish"), "stop");
  EXPECT_EQ(opened_text(*less, "request.received", kPath), "(erased)");
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(root() / "sealed" / "fields")) {
    files += file.is_regular_file() ? 1U : 0U;
  }
  EXPECT_EQ(files, 1U);
  request.fields.clear();
  ASSERT_OK(store_->erase(request));
  EXPECT_TRUE(std::filesystem::is_empty(root() / "sealed" / "fields"));
  EXPECT_THAT(
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange),
      HasCode(Code::kFailedPrecondition));
  ASSERT_OK(store_->close("signal"));
  store_.reset();
  EXPECT_OK(verify_folder(real_file_system(), root()));
}

TEST_F(EraseTest, S3_AFieldOfAnOlderEpochNeedsTheAuditorsKey) {
  open();
  const auto said = say(*store_, load_, "key:1", "an old prompt of an old day", "a");
  ASSERT_OK(said);
  ASSERT_OK(store_->close("signal"));
  store_.reset();
  open();  // another epoch
  ErasureRequest request{.exchange = said->exchange, .caller = {}, .reason = "r", .actor = actor_};
  request.fields = {std::string(kPath)};
  EXPECT_THAT(store_->erase(request), HasCode(Code::kFailedPrecondition));
  request.secret = Sensitive<Digest>(Digest{});  // not this exchange's
  EXPECT_THAT(store_->erase(request), HasCode(Code::kPermissionDenied));
  request.secret = *auditor_secret(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(store_->erase(request));
  const auto opened =
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(opened);
  EXPECT_EQ(opened_text(*opened, "request.received", kPath), "(erased)");
  EXPECT_EQ(opened_text(*opened, "answer.released", "choices/0/parts/0/text"), "a");
}

TEST_F(EraseTest, TheAuditorOpensWhatIsNotErased) {
  open();
  const auto said = say(*store_, load_, "key:1", "the prompt", "the answer");
  ASSERT_OK(said);
  ASSERT_OK(store_->ledger().publish());
  const auto opened =
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(opened);
  ASSERT_EQ(opened->size(), 2U);
  EXPECT_EQ((*opened)[0].transcripts[0].texts[1]->reveal(), "the prompt");
  EXPECT_EQ((*opened)[1].transcripts[1].texts[1]->reveal(), "the answer");
  const auto stranger = crypto::make_box_key(system_random());
  EXPECT_THAT(
      open_with_auditor_key(real_file_system(), root() / "sealed", stranger, said->exchange),
      HasCode(Code::kPermissionDenied));
  EXPECT_FALSE(Attacker(root(), stranger).holds_text("the prompt"));
}

TEST_F(EraseTest, ALargeTextHasAFileOfItsOwnAndIsErasedWithIt) {
  open();
  const std::string large(200'000, 'x');
  const auto said = say(*store_, load_, "key:1", large, "short");
  ASSERT_OK(said);
  ASSERT_OK(store_->ledger().publish());
  const auto opened =
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange);
  ASSERT_OK(opened);
  EXPECT_EQ(opened->size(), 2U);
  EXPECT_OK(store_->receipt(said->exchange));
  ASSERT_OK(
      store_->erase({.exchange = said->exchange, .caller = {}, .reason = "r", .actor = actor_}));
  EXPECT_TRUE(std::filesystem::is_empty(root() / "sealed" / "large"));
}

TEST_F(EraseTest, S3_ErasingACallerDestroysAllTheirExchangesAndTheirName) {
  open();
  std::vector<Said> theirs;
  for (int i = 0; i < 3; ++i) {
    auto said = say(*store_, load_, "key:alice-laptop", "p" + std::to_string(i), "a");
    ASSERT_OK(said);
    theirs.push_back(*said);
  }
  const auto other = say(*store_, load_, "key:bob", "his prompt", "a");
  ASSERT_OK(other);
  const auto before = store_->keys().subject("key:alice-laptop");
  ASSERT_OK(before);
  const auto report = store_->erase(
      {.exchange = {}, .caller = "key:alice-laptop", .reason = "she left", .actor = actor_});
  ASSERT_OK(report);
  EXPECT_EQ(report->exchanges.size(), 3U);
  EXPECT_EQ(report->destroyed, 4U);  // three roots and the pseudonym's key
  for (const Said& said : theirs) {
    EXPECT_THAT(store_->receipt(said.exchange), HasCode(Code::kFailedPrecondition));
  }
  EXPECT_OK(store_->receipt(other->exchange));
  EXPECT_THAT(store_->keys().find_subject("key:alice-laptop"), HasCode(Code::kNotFound));
  EXPECT_FALSE(Attacker(root(), auditor_).holds_text("alice-laptop"));
  const auto after = store_->keys().subject("key:alice-laptop");
  ASSERT_OK(after);
  EXPECT_NE(after->pseudonym, before->pseudonym);
  // Entries hold a pseudonym, and the reason's commitment only.
  EXPECT_FALSE(Attacker(root(), auditor_).holds_text("she left"));
}

TEST_F(EraseTest, AnErasureThatWasCutOffIsFinishedAtTheNextStart) {
  open();
  const std::string truth = "secret plan";
  const auto said = say(*store_, load_, "key:1", truth, "a");
  ASSERT_OK(said);
  ASSERT_OK(store_->ledger().publish());
  const std::uint64_t size = store_->ledger().head()->size;
  store_.reset();
  // As it is when the process ended right after the pending file was written.
  ledger::Erasure entry;
  entry.act = make_id(system_random());
  entry.scope = "exchange";
  entry.exchanges = {said->exchange};
  const std::string text = R"({"act":")" + to_hex(entry.act) + R"(","entries":[)" +
                           json::to_text(json::Value(*ledger::encode(entry))) +
                           R"(],"exchanges":[")" + to_hex(said->exchange) + R"("],"log_size":")" +
                           std::to_string(size) + R"(","v":1})";
  ASSERT_OK(write_file_atomically(real_file_system(),
                                  root() / "sealed" / "pending" / (to_hex(entry.act) + ".json"),
                                  as_bytes(text)));
  open();
  EXPECT_EQ(store_->recovery().erasures_redone, 1U);
  EXPECT_THAT(store_->receipt(said->exchange), HasCode(Code::kFailedPrecondition));
  EXPECT_TRUE(Attacker(root(), auditor_).told_apart(said->exchange, {truth, "x"}).empty());
  EXPECT_TRUE(std::filesystem::is_empty(root() / "sealed" / "pending"));
  ASSERT_OK(store_->close("admin"));
  EXPECT_OK(verify_folder(real_file_system(), root()));
}

TEST_F(EraseTest, ContentModeNoneKeepsNoTextAndStillMakesReceipts) {
  LedgerOptions options = small_options();
  auto opened =
      open_store(real_file_system(), root(), clock_, options, {.content = ContentMode::kNone});
  ASSERT_OK(opened);
  store_ = *std::move(opened);
  ASSERT_OK(store_->keys().add_auditor(auditor_.public_key, "test"));
  EXPECT_EQ(store_->keys().content_mode(), ContentMode::kNone);
  const auto load = add_load(*store_);
  ASSERT_OK(load);
  const auto said = say(*store_, *load, "key:1", "never kept", "nor this");
  ASSERT_OK(said);
  EXPECT_OK(store_->receipt(said->exchange));
  EXPECT_THAT(
      open_with_auditor_key(real_file_system(), root() / "sealed", auditor_, said->exchange),
      HasCode(Code::kNotFound));
}

TEST_F(EraseTest, RetentionRemovesOldContentAndNothingElse) {
  open();
  const auto old = say(*store_, load_, "key:1", "old", "a");
  ASSERT_OK(old);
  ASSERT_OK(store_->ledger().publish());
  clock_.advance_us(3LL * 86'400'000'000);
  const auto young = say(*store_, load_, "key:1", "young", "a");
  ASSERT_OK(young);
  ASSERT_OK(store_->ledger().publish());
  const auto freed = store_->retain_content(86'400'000'000);
  ASSERT_OK(freed);
  EXPECT_GT(*freed, 0U);
  EXPECT_THAT(store_->receipt(old->exchange), HasCode(Code::kFailedPrecondition));
  EXPECT_OK(store_->receipt(young->exchange));
  EXPECT_OK(verify_folder(real_file_system(), root()));
}

}  // namespace
}  // namespace candor::store
