// Notes, verifier keys and tree heads against the shared tlog-tiles log, made by another
// implementation; then hostile notes.
#include "ledger/checkpoint.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "ledger/merkle.h"
#include "ledger/testing/log_maker.h"
#include "ledger/testing/shared_data.h"
#include "ledger/tiles.h"

namespace candor::ledger {
namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class SharedLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto root = testing::shared_data("vectors/tlog-tiles-log");
    if (!root) GTEST_SKIP() << "no shared data";
    folder = *root / "log";
    std::string text = read_text(*root / "log.pub");
    while (text.ends_with('\n')) text.pop_back();
    vkey = text;
  }
  class Reader final : public TileReader {
   public:
    explicit Reader(std::filesystem::path folder) : folder_(std::move(folder)) {}
    Result<Bytes> read(const TileId& id) override {
      const auto path = folder_ / tile_path(id);
      if (!std::filesystem::exists(path)) return fail(Code::kNotFound, "no such tile");
      return to_bytes(as_bytes(read_text(path)));
    }

   private:
    std::filesystem::path folder_;
  };
  std::filesystem::path folder;
  std::string vkey;
};

TEST_F(SharedLogTest, VerifierKeyIsReadAndWrittenAlike) {
  const auto key = parse_verifier_key(vkey);
  ASSERT_OK(key);
  EXPECT_EQ(format_verifier_key(*key), vkey);
  EXPECT_EQ(key->name, "example.com/log/testdata");
}

TEST_F(SharedLogTest, EveryCheckpointVerifiesAndIsWrittenAsItWasRead) {
  const auto key = parse_verifier_key(vkey);
  ASSERT_OK(key);
  for (std::uint64_t size = 0; size <= 15; ++size) {
    const std::string text = read_text(folder / ("checkpoint." + std::to_string(size)));
    const auto head = open_checkpoint(text, *key);
    ASSERT_OK(head) << size;
    EXPECT_EQ(head->head.size, size);
    EXPECT_EQ(format_note(head->note), text);
    EXPECT_EQ(format_checkpoint(head->head), head->note.text);
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      EXPECT_FALSE(open_checkpoint(changed, *key)) << "byte " << at;
    }
  }
}

TEST_F(SharedLogTest, TilesAndBundlesLeadToEveryCheckpointsRoot) {
  Reader reader(folder);
  Frontier tree;
  for (std::uint64_t size = 1; size <= 15; ++size) {
    const auto bundle = reader.read(
        {.kind = TileKind::kEntries, .level = 0, .index = 0, .width = static_cast<unsigned>(size)});
    ASSERT_OK(bundle);
    const auto entries = decode_bundle(*bundle, static_cast<unsigned>(size));
    ASSERT_OK(entries);
    tree.append(hash_leaf(as_bytes(entries->back())));
    const auto head =
        parse_signed_checkpoint(read_text(folder / ("checkpoint." + std::to_string(size))));
    ASSERT_OK(head);
    EXPECT_EQ(tree.root(), head->head.root);
    TileSource source(reader, size);
    EXPECT_EQ(*root_at(source, size), head->head.root);
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto proof = prove_inclusion(source, i, size);
      ASSERT_OK(proof);
      EXPECT_OK(
          verify_inclusion(i, size, hash_leaf(as_bytes((*entries)[i])), *proof, head->head.root));
    }
    EXPECT_EQ(*encode_bundle(*entries), *bundle);
  }
}

TEST(CheckpointTest, OriginIsMadeOfTheFirstKey) {
  crypto::PublicKey key{};
  // SHA-256 of 32 zero bytes.
  EXPECT_EQ(log_origin(key), "candor/66687aadf862bd776c8fc18b8e9f8e20");
}

TEST(CheckpointTest, SeveralKeysSignAndEachIsVerified) {
  FakeRandom random(1);
  const auto a = crypto::SigningKey::generate(random);
  const auto b = crypto::SigningKey::generate(random);
  const auto c = crypto::SigningKey::generate(random);
  const Checkpoint head{.origin = "candor/x", .size = 3, .root = {}, .extensions = {}};
  const crypto::SigningKey* keys[] = {&a, &b};
  const std::string text = sign_checkpoint(head, keys);
  EXPECT_OK(open_checkpoint(text, log_verifier_key("candor/x", a.public_key())));
  EXPECT_OK(open_checkpoint(text, log_verifier_key("candor/x", b.public_key())));
  EXPECT_THAT(open_checkpoint(text, log_verifier_key("candor/x", c.public_key())),
              HasCode(Code::kNotFound));
  EXPECT_THAT(open_checkpoint(text, log_verifier_key("candor/y", a.public_key())),
              HasCode(Code::kFailedPrecondition));
}

TEST(CheckpointTest, CosignatureLinesAreKeptAndVerified) {
  FakeRandom random(2);
  const auto log = crypto::SigningKey::generate(random);
  const auto witness = crypto::SigningKey::generate(random);
  const Checkpoint head{.origin = "candor/x", .size = 3, .root = {}, .extensions = {}};
  const crypto::SigningKey* keys[] = {&log};
  Note note = *parse_note(sign_checkpoint(head, keys));
  note.signatures.push_back(cosign_note(note.text, "witness.example/w", witness, 1'700'000'000));
  const std::string text = format_note(note);
  const VerifierKey key{
      .name = "witness.example/w", .kind = KeyKind::kCosignatureV1, .key = witness.public_key()};
  EXPECT_EQ(*parse_verifier_key(format_verifier_key(key)), key);
  const auto read = parse_signed_checkpoint(text);
  ASSERT_OK(read);
  const auto seconds = verify_cosignature(read->note, key);
  ASSERT_OK(seconds);
  EXPECT_EQ(*seconds, 1'700'000'000U);
  EXPECT_EQ(format_note(read->note), text);
  EXPECT_OK(verify_note(read->note, log_verifier_key("candor/x", log.public_key())));

  Note later = read->note;
  later.signatures.back().signature[7] ^= std::byte{1};  // another time
  EXPECT_THAT(verify_cosignature(later, key), HasCode(Code::kDataLoss));
  Note without = read->note;
  without.signatures.pop_back();
  EXPECT_THAT(verify_cosignature(without, key), HasCode(Code::kNotFound));
  EXPECT_THAT(verify_note(read->note, key), HasCode(Code::kInvalidArgument));
}

TEST(NoteTest, RefusesWhatIsNoNote) {
  const std::string good = "text\n\n\xE2\x80\x94 name " + to_base64(Bytes(68, std::byte{1})) + "\n";
  EXPECT_OK(parse_note(good));
  const std::string line = good.substr(6);
  for (const std::string& bad : {
           std::string(),
           std::string("text\n"),
           std::string("text\n\n"),
           "text\n" + line,
           good + "x",
           good + "\n",
           "text\r\n\n" + line,
           "te\x01xt\n\n" + line,
           "te\xFFxt\n\n" + line,
           std::string("text\n\n- name AAAAAAAA\n"),
           std::string("text\n\n\xE2\x80\x94 na+me AAAAAAAA\n"),
           std::string("text\n\n\xE2\x80\x94 na\xE2\x80\x83me AAAAAAAA\n"),
           std::string("text\n\n\xE2\x80\x94 name AAAAAA==\n"),
           std::string("text\n\n\xE2\x80\x94 name AAAA AAAA\n"),
           std::string("text\n\n\xE2\x80\x94  AAAAAAAA\n"),
       }) {
    EXPECT_THAT(parse_note(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
  std::string many = "text\n\n";
  for (int i = 0; i < 65; ++i) many += line;
  EXPECT_THAT(parse_note(many), HasCode(Code::kInvalidArgument));
}

TEST(NoteTest, RefusesVerifierKeysOfAnotherSpelling) {
  FakeRandom random(3);
  const auto key = crypto::SigningKey::generate(random);
  const std::string good = format_verifier_key(log_verifier_key("candor/x", key.public_key()));
  EXPECT_OK(parse_verifier_key(good));
  std::string other = good;
  other[9] = other[9] == '0' ? '1' : '0';
  EXPECT_THAT(parse_verifier_key(other), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(parse_verifier_key(good + "A"), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(parse_verifier_key("x" + good), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(parse_verifier_key(""), HasCode(Code::kInvalidArgument));
}

TEST(CheckpointTest, RefusesOtherSpellingsOfASize) {
  const std::string root = to_base64(Digest{});
  EXPECT_OK(parse_checkpoint("o\n0\n" + root + "\n"));
  EXPECT_OK(parse_checkpoint("o\n7\n" + root + "\nextension\n"));
  for (const std::string& bad :
       {"o\n07\n" + root + "\n", "o\n+7\n" + root + "\n", "o\n\n" + root + "\n",
        "\n7\n" + root + "\n", "o\n7\n" + root, "o\n7\n" + root + "\n\n",
        std::string("o\n7\nAAAA\n"), std::string("o\n7\n")}) {
    EXPECT_THAT(parse_checkpoint(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace candor::ledger
