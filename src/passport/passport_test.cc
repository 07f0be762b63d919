#include "passport/passport.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "crypto/hash.h"
#include "model/testing/gguf_builder.h"
#include "passport/claims.h"
#include "passport/measure.h"

namespace candor::passport {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

Result<Digest> by_name(const std::string& path) { return digest_of(path); }

constexpr std::string_view kClaims = R"(
version = "2"
[about]
licence = "apache-2.0"
languages = ["en", "de"]
[origin]
organisation = "Acme"
country = "DE"
jurisdiction = "EU"
[use]
intended = ["answers about tickets"]
limits = ["no medical advice"]
[[evaluation]]
name = "mmlu"
metric = "accuracy"
value = "0.41"
[[step]]
step = "pretrained"
actor = { name = "Base Labs", role = "original-developer", country = "FR" }
outputs = [{ name = "base", file = "base" }]
compute_flop = "120000000000000000000000"
[[step]]
step = "fine-tuned"
actor = { name = "Acme", role = "modifier" }
inputs = [{ name = "base", role = "base", file = "base" }]
tools = [{ name = "trainer", version = "1.2" }]
datasets = [{ name = "tickets", file = "tickets.jsonl", licence = "internal" }]
energy_kwh = "12.5"
started = "2026-01-01T00:00:00Z"
finished = "2026-01-02T00:00:00Z"
)";

Passport example(const fs::path& model) {
  Passport out = measure_model(model, {}).value();
  out.made_at = "2026-11-26T06:00:00Z";
  out.made_by = "candor test";
  return out;
}

class PassportTest : public testing::Test {
 protected:
  PassportTest() { std::ofstream(model_, std::ios::binary) << bytes_; }
  TemporaryFolder folder_;
  fs::path model_ = folder_ / "acme.gguf";
  std::string bytes_ = model::GgufBuilder()
                           .text("general.architecture", "llama")
                           .text("general.license", "mit")
                           .u32("llama.context_length", 2'048)
                           .text("tokenizer.ggml.model", "gpt2")
                           .texts("tokenizer.ggml.tokens", {"a", "b"})
                           .text("tokenizer.chat_template", "{{ messages }}")
                           .build();
};

TEST_F(PassportTest, D5_WhatIsMeasuredIsMarkedSoAndTheRestIsClaimed) {
  const Passport made = example(model_);
  ASSERT_EQ(made.files.size(), 1U);
  EXPECT_EQ(made.files[0].name, "acme.gguf");
  EXPECT_EQ(made.files[0].sha256, digest_of(bytes_));
  EXPECT_THAT(made.files[0].shards, ElementsAre(digest_of(bytes_)));
  EXPECT_EQ(made.chat_template, digest_of("{{ messages }}"));
  EXPECT_EQ(made.about.architecture->evidence, Evidence::kMeasuredHere);
  EXPECT_EQ(made.about.context->value, 2'048U);
  EXPECT_EQ(made.about.licence->evidence, Evidence::kClaimed);
}

TEST_F(PassportTest, D5_TheTokenizersDigestIsAsTheFormatSays) {
  // By hand from the document: type, length and bytes of each value, little-endian.
  const auto le = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
    return out;
  };
  const std::string model = le(8, 4) + le(4, 8) + "gpt2";
  const std::string tokens = le(9, 4) + le(8, 4) + le(2, 8) + le(1, 8) + "a" + le(1, 8) + "b";
  const std::string lines = "tokenizer.ggml.model " + to_hex(digest_of(model)) + "\n" +
                            "tokenizer.ggml.tokens " + to_hex(digest_of(tokens)) + "\n";
  EXPECT_EQ(example(model_).tokenizer, digest_of(lines));
  // Not of weights, template or order.
  std::ofstream(model_, std::ios::binary) << model::GgufBuilder()
                                                 .texts("tokenizer.ggml.tokens", {"a", "b"})
                                                 .text("tokenizer.chat_template", "another")
                                                 .text("tokenizer.ggml.model", "gpt2")
                                                 .text("general.architecture", "gemma")
                                                 .build();
  EXPECT_EQ(example(model_).tokenizer, digest_of(lines));
}

TEST_F(PassportTest, D5_ADocumentIsReadBackAndOnlyInItsOneSpelling) {
  Passport made = example(model_);
  ASSERT_OK(add_claims(kClaims, "claims.toml", by_name, made));
  const auto text = format_passport(made);
  ASSERT_OK(text);
  EXPECT_EQ(parse_passport(*text).value(), made);
  EXPECT_THAT(parse_passport(*text + "\n"), HasCode(Code::kInvalidArgument));
  std::string spaced = *text;
  spaced.insert(1, " ");
  EXPECT_THAT(parse_passport(spaced), HasCode(Code::kInvalidArgument));
  std::string more = *text;
  more.insert(more.find("\"about\":{"), "\"aardvark\":1,");
  EXPECT_THAT(parse_passport(more), HasCode(Code::kInvalidArgument));
}

TEST_F(PassportTest, D5_ClaimsSayWhoDidWhatWithWhat) {
  Passport made = example(model_);
  ASSERT_OK(add_claims(kClaims, "claims.toml", by_name, made));
  ASSERT_EQ(made.descent.size(), 2U);
  const Derivation& tuned = made.descent[1].statement;
  EXPECT_EQ(tuned.evidence, Evidence::kClaimed);
  EXPECT_EQ(tuned.outputs[0].sha256, made.files[0].sha256);
  EXPECT_EQ(tuned.inputs[0].artefact.sha256, digest_of("base"));
  EXPECT_EQ(tuned.datasets[0].sha256, digest_of("tickets.jsonl"));
  EXPECT_EQ(made.descent[0].statement.compute_flop, "120000000000000000000000");
  EXPECT_EQ(made.about.languages->value, (std::vector<std::string>{"en", "de"}));
  EXPECT_TRUE(chain_gaps(made).empty());
}

TEST_F(PassportTest, D5_ClaimsThatSayMoreThanTheyMayAreRefusedWithTheirLine) {
  Passport made = example(model_);
  const struct {
    std::string_view toml, says;
  } cases[] = {
      {"[[step]]\nstep = \"retrained\"\n", "retrained"},
      {"[[step]]\nstep = \"fine-tuned\"\nactor = { name = \"A\" }\n", "needs an input"},
      {"[[step]]\nstep = \"pretrained\"\nevidence = \"measured-here\"\n", "evidence"},
      {"[about]\narchitecture = \"gpt-9\"\n", "measured here"},
      {"[origin]\ncontact = 1\n", "claims.toml:2"},
      {"[[step]]\nstep = \"pretrained\"\nactor = { name = \"A\" }\ncompute_flop = \"1e20\"\n",
       "decimal"},
      {"colour = \"red\"\n", "not known"}};
  for (const auto& one : cases) {
    const auto added = add_claims(one.toml, "claims.toml", by_name, made);
    ASSERT_THAT(added, HasCode(Code::kInvalidArgument)) << one.toml;
    EXPECT_THAT(added.error().message(), HasSubstr(one.says));
  }
}

TEST_F(PassportTest, D5_GapsInTheChainAreNamedNotFilled) {
  Passport made = example(model_);
  EXPECT_THAT(chain_gaps(made), ElementsAre(HasSubstr("no statement")));
  ASSERT_OK(
      add_claims("[[step]]\nstep = \"quantised\"\nactor = { name = \"Q\" }\n"
                 "inputs = [{ name = \"full\", file = \"full\" }]\n",
                 "c", by_name, made));
  EXPECT_THAT(chain_gaps(made), ElementsAre(HasSubstr("full"), HasSubstr("original model")));
  made.descent[0].statement.outputs[0].sha256 = digest_of("other");
  EXPECT_THAT(chain_gaps(made).front(), HasSubstr("another file"));
}

TEST_F(PassportTest, D5_FilesAreHeldAgainstShardsAndWholes) {
  const Passport made = example(model_);
  EXPECT_OK(check_files(model_, made, Depth::kWhole, {}));
  fs::rename(model_, folder_ / "renamed.gguf");
  EXPECT_OK(check_files(folder_ / "renamed.gguf", made, Depth::kWhole, {}));
  std::string changed = bytes_;
  changed.back() ^= 1;
  std::ofstream(model_, std::ios::binary) << changed;
  EXPECT_THAT(check_files(model_, made, Depth::kQuick, {}), HasCode(Code::kDataLoss));
  std::ofstream(model_, std::ios::binary) << bytes_ << "more";
  EXPECT_THAT(check_files(model_, made, Depth::kQuick, {}), HasCode(Code::kDataLoss));
  Passport lies = made;
  std::ofstream(model_, std::ios::binary) << bytes_;
  lies.files[0].sha256 = digest_of("lie");
  EXPECT_THAT(check_files(model_, lies, Depth::kQuick, {}), HasCode(Code::kDataLoss));
  lies = made;
  lies.tokenizer = digest_of("lie");
  EXPECT_THAT(check_files(model_, lies, Depth::kQuick, {}), HasCode(Code::kDataLoss));
}

TEST_F(PassportTest, D5_ALargeFileHasAShardForEach64MiBAndAWhole) {
  const fs::path large = folder_ / "large.bin";
  std::ofstream(large).close();
  fs::resize_file(large, kShardBytes + 5);  // a hole: zeros
  const Passport made = example(large);
  ASSERT_EQ(made.files[0].shards.size(), 2U);
  EXPECT_EQ(made.files[0].shards[1], digest_of(std::string(5, '\0')));
  EXPECT_EQ(made.files[0].sha256, hash_file(large).value());
  EXPECT_NE(made.files[0].shards[0], made.files[0].sha256);
  Passport lies = made;
  lies.files[0].sha256 = digest_of("lie");
  EXPECT_OK(check_files(large, lies, Depth::kQuick, {}));  // quick: shards alone
  EXPECT_THAT(check_files(large, lies, Depth::kWhole, {}), HasCode(Code::kDataLoss));
}

TEST_F(PassportTest, D5_AFolderIsOneModel) {
  std::ofstream(folder_ / "tokenizer.json") << "{}";
  std::ofstream(folder_ / "README.md") << "# acme";
  Passport made = example(folder_.path());
  ASSERT_EQ(made.files.size(), 3U);
  EXPECT_EQ(made.files[1].name, "acme.gguf");
  EXPECT_EQ(made.files[2].role, FileRole::kTokenizer);
  EXPECT_OK(check_files(folder_.path(), made, Depth::kWhole, {}));
  std::ofstream(folder_ / "added.bin") << "x";
  EXPECT_THAT(check_files(folder_.path(), made, Depth::kWhole, {}), HasCode(Code::kDataLoss));
  EXPECT_OK(check_files(folder_.path(), made, Depth::kWhole, {"added.bin"}));
}

}  // namespace
}  // namespace candor::passport
