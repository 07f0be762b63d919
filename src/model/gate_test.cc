#include "model/gate.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "model/gguf_cursor.h"
#include "model/internal/ggml_types.h"
#include "model/testing/gguf_builder.h"

namespace candor::model {
namespace {

GateReport judged(std::string_view bytes, const GateLimits& limits = {}) {
  MemorySource source(bytes);
  GateReport report = judge(source, limits);
  // Whatever the file was, the report goes through its line unchanged.
  const auto line = to_json(report);
  EXPECT_OK(line);
  if (line) {
    const auto again = gate_report_from_json(*line);
    EXPECT_OK(again);
    if (again) EXPECT_EQ(*again, report);
  }
  return report;
}

std::string ids(const GateReport& report) {
  std::string out;
  for (const GateFinding& finding : report.findings) {
    if (finding.severity >= GateSeverity::kWarning) out += describe(finding) + "\n";
  }
  return out;
}

bool has(const GateReport& report, std::string_view id) {
  return std::ranges::any_of(report.findings, [id](const GateFinding& f) { return f.id == id; });
}

GgufBuilder small_model() {
  GgufBuilder b;
  b.text("general.architecture", "llama")
      .text("general.license", "MIT")
      .u32("llama.context_length", 512)
      .u32("llama.block_count", 1)
      .u32("llama.embedding_length", 64)
      .u32("llama.attention.head_count", 8)
      .texts("general.languages", {"en"})
      .texts("tokenizer.ggml.tokens", {"a", "b", "c"})
      .u32("tokenizer.ggml.bos_token_id", 1)
      .tensor("token_embd.weight", {64, 3}, 0)
      .tensor("output_norm.weight", {64}, 0)
      .tensor("blk.0.attn_norm.weight", {64}, 0);
  return b;
}

TEST(GateTest, AGoodFilePassesWithoutAnythingAboveANote) {
  const GateReport report = judged(small_model().with_data().build());
  EXPECT_EQ(ids(report), "");
  EXPECT_TRUE(report.passes());
  EXPECT_EQ(report.format, "gguf");
  EXPECT_EQ(report.licence, "MIT");
  EXPECT_EQ(report.languages, std::vector<std::string>{"en"});
}

TEST(GateTest, D2_EveryTypeOfValueIsRead) {
  for (const std::uint32_t version : {2U, 3U}) {
    GgufBuilder b(version);
    b.text("general.architecture", "llama").texts("a.texts", {"x", "y"});
    for (std::uint32_t type = 0; type <= 12; ++type) {
      const std::size_t size = gguf_fixed_size(type);
      if (size == 0) continue;
      const std::string one(size, '\0');
      std::string list(12, '\0');
      list[0] = static_cast<char>(type);
      list[4] = 3;
      b.raw_pair("a.one" + std::to_string(type), type, one);
      b.raw_pair("a.list" + std::to_string(type), 9, list + one + one + one);
    }
    EXPECT_EQ(ids(judged(b.build())), "");
  }
}

TEST(GateTest, D2_EveryTypeOfTensorIsReadAndNeedsItsBytes) {
  int types = 0;
  for (std::uint32_t type = 0; type < 64; ++type) {
    const internal::TypeSize size = internal::type_size(type);
    if (size.values == 0) continue;
    ++types;
    GgufBuilder b;
    b.text("general.architecture", "llama").tensor("x", {256, 2}, type);
    std::string file = b.build();
    file.resize((file.size() + 31) / 32 * 32 + std::size_t{2} * 256 / size.values * size.bytes);
    EXPECT_EQ(ids(judged(file)), "") << type;
    file.pop_back();
    EXPECT_TRUE(has(judged(file), "gguf.tensor-past-end")) << type;
  }
  EXPECT_GE(types, 33);
}

// One tensor of two blocks, zeroes but for the second block's first number.
std::string second_block(std::uint32_t type, std::uint16_t number, std::uint32_t at) {
  const internal::TypeSize size = internal::type_size(type);
  GgufBuilder b;
  b.text("general.architecture", "llama").tensor("x", {std::uint64_t{2} * size.values}, type);
  std::string file = b.build();
  file.resize((file.size() + 31) / 32 * 32);
  std::string block(size.bytes, '\0');
  std::memcpy(block.data() + at, &number, sizeof number);
  return file + std::string(size.bytes, '\0') + block;
}

TEST(GateTest, D2_NumbersThatAreNotFiniteAreFoundWhereValuesAreRead) {
  GateLimits with_values;
  with_values.values = true;
  constexpr std::uint32_t kQ4K = 12;
  constexpr std::uint16_t kInfinity = 0x7C00, kLargest = 0x7BFF;
  const std::string bad = second_block(kQ4K, kInfinity, 2);
  EXPECT_TRUE(judged(bad).passes());  // metadata alone
  const GateReport report = judged(bad, with_values);
  ASSERT_EQ(report.findings.size(), 1U) << ids(report);
  EXPECT_EQ(report.findings[0].id, "tensor.not-finite");
  EXPECT_EQ(report.findings[0].place.name, "x");
  EXPECT_EQ(report.findings[0].place.offset, bad.size() - internal::type_size(kQ4K).bytes);
  EXPECT_EQ(report.findings[0].detail, "1 blocks");
  EXPECT_TRUE(judged(second_block(kQ4K, kLargest, 2), with_values).passes());
  EXPECT_TRUE(judged(second_block(kQ4K, kInfinity, 4), with_values).passes());  // packed scales
}

TEST(GateTest, D2_ValuesOfSafetensorsAreReadToo) {
  GateLimits with_values;
  with_values.values = true;
  std::string header = R"({"a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]}})";
  while (header.size() % 8 != 0) header += ' ';
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  file += header;
  const std::string whole = file + std::string("\xFF\x7F\xFF\x7F", 4);  // whole numbers
  EXPECT_TRUE(judged(whole + std::string("\x7F\x7F\x7F\xFF\0\0\0\0", 8), with_values).passes());
  const GateReport report =
      judged(whole + std::string("\x7F\x7F\x80\xFF\xC1\x7F\0\0", 8), with_values);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "tensor.not-finite");
  EXPECT_EQ(report.findings[0].place.name, "b");
  EXPECT_EQ(report.findings[0].place.offset, whole.size() + 2);
  EXPECT_EQ(report.findings[0].detail, "2 numbers");
}

TEST(GateTest, EveryTruncationIsRefused) {
  const std::string whole = small_model().with_data().build();
  for (std::size_t size = 0; size < whole.size(); size += size < 700 ? 1 : 13) {
    EXPECT_FALSE(judged(whole.substr(0, size)).passes()) << size;
  }
}

TEST(GateTest, RandomChangesNeverCrashNorReadOutside) {
  const std::string whole = small_model().with_data().build();
  std::mt19937_64 random(1);
  for (int i = 0; i < 3'000; ++i) {
    std::string bytes = whole;
    for (int j = 0; j < 3; ++j) bytes[random() % 700] = static_cast<char>(random());
    EXPECT_FALSE(has(judged(bytes), "file.unreadable"));  // a read outside says that
  }
}

// What the makers of these files say of them is in the README beside them.
TEST(GateTest, TheTestModelsPass) {
  const char* folder = std::getenv("CANDOR_DATA");
  const std::filesystem::path data = folder != nullptr ? folder : CANDOR_SHARED_DATA;
  int seen = 0;
  if (!std::filesystem::exists(data / "models")) GTEST_SKIP() << "no " << data / "models";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data / "models")) {
    if (entry.path().extension() != ".gguf") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const GateReport report = judged(bytes);
    EXPECT_EQ(ids(report), "") << entry.path();
    ++seen;
  }
  EXPECT_GT(seen, 3);
}

}  // namespace
}  // namespace candor::model
