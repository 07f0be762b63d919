#include "model/gguf_reader.h"

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "crypto/hash.h"
#include "model/testing/gguf_builder.h"

namespace candor::model {
namespace {

Result<GgufSummary> read(std::string_view bytes, const GgufLimits& limits = {}) {
  MemorySource source(bytes);
  return read_gguf(source, limits);
}

GgufBuilder small_model() {
  GgufBuilder b;
  b.text("general.architecture", "llama")
      .text("general.name", "Small one")
      .u32("llama.context_length", 512)
      .u32("llama.block_count", 2)
      .u32("llama.embedding_length", 64)
      .u32("llama.attention.head_count", 8)
      .u16("llama.attention.head_count_kv", 4)
      .u32("general.file_type", 3)
      .text("tokenizer.ggml.model", "gpt2")
      .texts("tokenizer.ggml.tokens", {"a", "b", "c"})
      .text("tokenizer.chat_template", "{{ messages }}")
      .flag("tokenizer.ggml.add_bos_token", true)
      .tensor("token_embd.weight", {64, 3}, 3)
      .tensor("output_norm.weight", {64}, 0);
  return b;
}

TEST(GgufReaderTest, ReadsTheTypedValuesOfASmallFile) {
  const auto s = read(small_model().build());
  ASSERT_OK(s);
  EXPECT_EQ(s->architecture, "llama");
  EXPECT_EQ(s->name, "Small one");
  EXPECT_EQ(s->context_length, 512U);
  EXPECT_EQ(s->head_count_kv, 4U);
  EXPECT_EQ(s->vocabulary, 3U);
  EXPECT_EQ(s->chat_template, "{{ messages }}");
  EXPECT_EQ(s->chat_template_digest, crypto::sha256(as_bytes("{{ messages }}")));
  EXPECT_TRUE(s->adds_bos);
  EXPECT_EQ(s->parameters, 64U * 3 + 64);
  ASSERT_EQ(s->tensor_types.size(), 2U);
  EXPECT_EQ(s->tensor_types[1].name, "q4_1");
}

// Gemma 3 has heads that are longer than its width divided by their number.
TEST(GgufReaderTest, KeysAndValuesOfATokenComeFromTheLengthOfAHead) {
  const auto plain = read(small_model().build());
  ASSERT_OK(plain);
  EXPECT_EQ(context_bytes_per_token(*plain), 2U * 2 * 4 * (8 + 8));  // layers, heads, lengths
  const auto longer = read(small_model()
                               .u32("llama.attention.key_length", 32)
                               .u32("llama.attention.value_length", 16)
                               .build());
  ASSERT_OK(longer);
  EXPECT_EQ(longer->key_length, 32U);
  EXPECT_EQ(context_bytes_per_token(*longer), 2U * 2 * 4 * (32 + 16));
  GgufSummary hostile = *plain;
  hostile.block_count = hostile.key_length = hostile.value_length = ~0ULL;
  hostile.head_count = hostile.head_count_kv = ~0ULL;
  EXPECT_LE(context_bytes_per_token(hostile), 1ULL << 34U);
}

TEST(GgufReaderTest, TheSummaryReadsBackFromItsJson) {
  const auto s = read(small_model().build());
  ASSERT_OK(s);
  const auto text = to_json(*s);
  ASSERT_OK(text);
  const auto again = summary_from_json(*text);
  ASSERT_OK(again);
  EXPECT_EQ(*again, *s);
}

TEST(GgufReaderTest, EveryTruncationIsAnErrorAndNeverACrash) {
  const std::string whole = small_model().build();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(read(whole.substr(0, size)), HasCode(Code::kInvalidArgument)) << size;
  }
}

TEST(GgufReaderTest, RandomChangesNeverCrashNorReadOutside) {
  const std::string whole = small_model().build();
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole;
    for (int j = 0; j < 3; ++j) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto s = read(bytes);
    if (!s) EXPECT_NE(s.error().code(), Code::kInternal);
  }
}

TEST(GgufReaderTest, CountsBeyondTheFileAreRefusedBeforeAnythingIsAllocated) {
  std::string bytes = small_model().build();
  for (const std::size_t at : {8U, 16U}) {  // tensor count, pair count
    std::string changed = bytes;
    changed.replace(at, 8, std::string("\xFF\xFF\0\0\0\0\0\0", 8));
    EXPECT_FALSE(read(changed).has_value());
    changed.replace(at, 8, std::string(8, '\xFF'));
    EXPECT_THAT(read(changed), HasCode(Code::kResourceExhausted));
  }
}

TEST(GgufReaderTest, LongAndDeepThingsAreRefused) {
  EXPECT_THAT(read(GgufBuilder().text(std::string(257, 'k'), "v").build()),
              HasCode(Code::kInvalidArgument));
  EXPECT_THAT(read(GgufBuilder().nested_arrays("x", 100).build()), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(
      read(GgufBuilder().text("tokenizer.chat_template", std::string(200'000, 'x')).build()),
      HasCode(Code::kResourceExhausted));
  EXPECT_THAT(read(GgufBuilder().raw_pair("x", 99, "").build()), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(read(small_model().build(), {.max_metadata_bytes = 64}),
              HasCode(Code::kResourceExhausted));
}

TEST(GgufReaderTest, ControlCharactersDoNotReachTheSummary) {
  auto b = small_model();
  b.text("general.license", "MIT\x1b[31m\n\xE2\x80\xAE!\xFF");
  const auto s = read(b.build());
  ASSERT_OK(s);
  EXPECT_EQ(s->licence.find('\x1b'), std::string::npos);
  EXPECT_EQ(s->licence.find("\xE2\x80\xAE"), std::string::npos);
}

TEST(GgufReaderTest, SplitBigEndianAndOldFilesAreToldApart) {
  auto split = small_model();
  split.u16("split.count", 3);
  EXPECT_THAT(read(split.build()), HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(read(GgufBuilder(0x03000000U).build()), HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(read(GgufBuilder(1).build()), HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(read("PK\x03\x04 not a model"), HasCode(Code::kInvalidArgument));
}

TEST(GgufReaderTest, AbsurdNumbersSaturateOrFail) {
  auto b = small_model();
  b.tensor("huge", {1ULL << 62U, 1ULL << 62U}, 0);
  const auto s = read(b.build());
  ASSERT_OK(s);
  EXPECT_EQ(s->parameters, (1ULL << 53U) - 1);
  EXPECT_OK(to_json(*s));
  auto c = small_model();
  c.u64("llama.context_length", ~0ULL);
  EXPECT_THAT(read(c.build()), HasCode(Code::kInvalidArgument));
}

TEST(GgufReaderTest, AHostileSummaryLineIsRefused) {
  const std::string text = *to_json(*read(small_model().build()));
  EXPECT_FALSE(summary_from_json(text + " ").has_value());
  EXPECT_FALSE(summary_from_json("{}").has_value());
  EXPECT_FALSE(summary_from_json(std::string(300'000, ' ')).has_value());
  std::string controls = text;
  controls.replace(controls.find("Small one"), 9, "\\u001b[1m");
  EXPECT_FALSE(summary_from_json(controls).has_value());
}

// The values that gguf-py's gguf_dump prints for this file.
TEST(GgufReaderTest, KnownAnswerForTheTinyModel) {
  const char* folder = std::getenv("CANDOR_DATA");
  const std::filesystem::path data = folder != nullptr ? folder : CANDOR_SHARED_DATA;
  const auto file = data / "models" / "vespa-tinyllm.gguf";
  std::ifstream in(file, std::ios::binary);
  if (!in) GTEST_SKIP() << "no " << file;
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto s = read(bytes);
  ASSERT_OK(s);
  EXPECT_EQ(s->architecture, "llama");
  EXPECT_EQ(s->embedding_length, 64U);
  EXPECT_EQ(s->block_count, 5U);
  EXPECT_EQ(s->vocabulary, 512U);
  EXPECT_EQ(s->tensors, 48U);
}

}  // namespace
}  // namespace candor::model
