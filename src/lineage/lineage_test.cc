#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include <fmt/format.h>
#include <ggml.h>
#include <gmock/gmock.h>

#include "lineage/compare.h"
#include "model/testing/gguf_builder.h"

namespace candor::lineage {
namespace {

constexpr std::size_t kWidth = 256, kInnerWidth = 512, kTokens = 600;

struct Matrix {
  std::size_t columns = 0, rows = 0;
  std::vector<float> values;
};
using Weights = std::map<std::string, Matrix>;

Weights make(std::uint32_t seed, std::size_t layers) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  Weights out;
  const auto add = [&](const std::string& name, std::size_t columns, std::size_t rows, float base) {
    Matrix matrix{columns, rows, std::vector<float>(columns * rows)};
    for (float& value : matrix.values) value = base + normal(random);
    out[name] = std::move(matrix);
  };
  add("token_embd.weight", kWidth, kTokens, 0);
  for (std::size_t l = 0; l < layers; ++l) {
    for (std::size_t role = 0; role < kRoles; ++role) {
      const bool inner = role >= 4;
      const std::size_t size = inner ? kInnerWidth : kWidth;
      role == 3 || role == 6 ? add(tensor_name(l, role), size, kWidth, 0)
                             : add(tensor_name(l, role), kWidth, size, 0);
    }
    add(fmt::format("blk.{}.attn_norm.weight", l), kWidth, 1, 1);
    add(fmt::format("blk.{}.ffn_norm.weight", l), kWidth, 1, 1);
  }
  return out;
}

void put(std::string& out, const auto& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  out.append(text);
}

std::string gguf(const Weights& weights, ggml_type type = GGML_TYPE_F32) {
  std::string head = "GGUF", data;
  put(head, std::uint32_t{3});
  put(head, static_cast<std::uint64_t>(weights.size()));
  put(head, std::uint64_t{1});
  put_text(head, "general.architecture");
  put(head, std::uint32_t{8});
  put_text(head, "llama");
  for (const auto& [name, matrix] : weights) {
    const ggml_type own = matrix.rows == 1 ? GGML_TYPE_F32 : type;
    put_text(head, name);
    put(head, std::uint32_t{2});
    put(head, static_cast<std::uint64_t>(matrix.columns));
    put(head, static_cast<std::uint64_t>(matrix.rows));
    put(head, static_cast<std::uint32_t>(own));
    put(head, static_cast<std::uint64_t>(data.size()));
    std::string bytes(ggml_row_size(own, static_cast<std::int64_t>(matrix.columns)) * matrix.rows,
                      '\0');
    const std::vector<float> even(matrix.columns, 1.0F);  // an importance matrix: IQ types want one
    ggml_quantize_chunk(own, matrix.values.data(), bytes.data(), 0,
                        static_cast<std::int64_t>(matrix.rows),
                        static_cast<std::int64_t>(matrix.columns), even.data());
    data += bytes;
    data.resize((data.size() + 31) / 32 * 32);
  }
  head.resize((head.size() + 31) / 32 * 32);
  return head + data;
}

Fingerprint print(const std::string& bytes) {
  model::MemorySource source(bytes);
  auto file = TensorFile::open(source);
  EXPECT_TRUE(file.has_value()) << file.error().message();
  auto out = fingerprint(*file, "test");
  EXPECT_TRUE(out.has_value()) << out.error().message();
  return *out;
}
Comparison compared(const std::string& a, const std::string& b) {
  model::MemorySource left(a), right(b);
  auto x = TensorFile::open(left);
  auto y = TensorFile::open(right);
  auto out = compare(*x, *y);
  EXPECT_TRUE(out.has_value()) << out.error().message();
  return *out;
}
void change(Weights& weights, const std::function<void(const std::string&, Matrix&)>& how) {
  for (auto& [name, matrix] : weights) how(name, matrix);
}
Weights drifted(Weights weights, float size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02F * size);
  change(weights, [&](const std::string&, Matrix& matrix) {
    for (float& value : matrix.values) value += normal(random);
  });
  return weights;
}

TEST(LineageTest, EveryTypeThatLlamaCppMakesDescendsFromItsSource) {
  const Weights base = make(1, 3);
  const Fingerprint reference = print(gguf(base));
  int types = 0;
  for (int t = 0; t < GGML_TYPE_COUNT; ++t) {
    const auto type = static_cast<ggml_type>(t);
    const ggml_type_traits* traits = ggml_get_type_traits(type);
    if (!traits->is_quantized || traits->to_float == nullptr || traits->from_float_ref == nullptr)
      continue;
    if (type == GGML_TYPE_Q8_1 || type == GGML_TYPE_Q8_K) continue;  // never stored
    ++types;
    const Relation relation = relate(print(gguf(base, type)), reference);
    EXPECT_EQ(relation.blocks, Verdict::kDescends)
        << traits->type_name << ' ' << relation.block_cosine;
  }
  EXPECT_GE(types, 12);
}

TEST(LineageTest, StrangersAreUnrelatedWhateverTheirNorms) {
  const Weights base = make(1, 3);
  const Fingerprint reference = print(gguf(base));
  for (std::uint32_t seed = 2; seed < 10; ++seed) {
    Weights other = make(seed, 3);
    change(other, [&](const std::string& name, Matrix& matrix) {
      if (matrix.rows == 1) matrix = base.at(name);  // grafted norms
    });
    const Relation relation = relate(print(gguf(other)), reference);
    EXPECT_EQ(relation.blocks, Verdict::kUnrelated) << seed << ' ' << relation.block_cosine;
    EXPECT_EQ(relation.embedding, Verdict::kUnrelated) << seed << ' ' << relation.embedding_cosine;
    EXPECT_GT(relation.norm_correlation, 0.9);
  }
}

TEST(LineageTest, FineTunesDescendAndMergesWithStrangersAreRelatedInPart) {
  const Weights base = make(1, 3);
  const Fingerprint reference = print(gguf(base));
  for (const float size : {0.05F, 0.2F, 0.5F}) {
    const Relation relation =
        relate(print(gguf(drifted(base, size, 7), GGML_TYPE_Q4_K)), reference);
    EXPECT_EQ(relation.blocks, Verdict::kDescends) << size;
    EXPECT_EQ(relation.embedding, Verdict::kDescends) << size;
    EXPECT_GT(relation.z, 5);
  }
  Weights merged = base;
  const Weights stranger = make(9, 3);
  change(merged, [&](const std::string& name, Matrix& matrix) {
    for (std::size_t i = 0; i < matrix.values.size(); ++i) {
      matrix.values[i] = 0.35F * matrix.values[i] + 0.65F * stranger.at(name).values[i];
    }
  });
  EXPECT_EQ(relate(print(gguf(merged)), reference).blocks, Verdict::kMixed);
}

TEST(LineageTest, EmbeddingAndBlocksAreReportedApart) {
  const Weights base = make(1, 3);
  Weights grafted = make(2, 3);
  grafted["token_embd.weight"] = base.at("token_embd.weight");
  const Relation relation = relate(print(gguf(grafted)), print(gguf(base)));
  EXPECT_NE(relation.blocks, Verdict::kDescends);
  EXPECT_EQ(relation.embedding, Verdict::kDescends);
}

TEST(LineageTest, APermutedResidualStreamIsAbstainedFromNotCalledUnrelated) {
  const Weights base = make(1, 3);
  std::vector<std::size_t> order(kWidth);
  for (std::size_t i = 0; i < kWidth; ++i) order[i] = i;
  std::ranges::shuffle(order, std::mt19937(3));
  Weights permuted = base;
  change(permuted, [&](const std::string& name, Matrix& matrix) {
    const Matrix& from = base.at(name);
    const bool rows = name.contains("attn_output") || name.contains("ffn_down");
    for (std::size_t r = 0; r < matrix.rows; ++r) {
      for (std::size_t c = 0; c < matrix.columns; ++c) {
        matrix.values[r * matrix.columns + c] = rows ? from.values[order[r] * from.columns + c]
                                                     : from.values[r * from.columns + order[c]];
      }
    }
  });
  const Relation relation = relate(print(gguf(permuted)), print(gguf(base)));
  EXPECT_EQ(relation.blocks, Verdict::kAbstain);
  EXPECT_GT(relation.gram_cosine, 0.99);
}

TEST(LineageTest, TurnedSignsAreNamed) {
  Weights base = make(1, 3);
  const Fingerprint reference = print(gguf(base));
  change(base, [](const std::string&, Matrix& matrix) {
    for (float& value : matrix.values) value = -value;
  });
  EXPECT_EQ(relate(print(gguf(base)), reference).blocks, Verdict::kNegated);
}

TEST(CompareTest, RequantisedUpdatedUnrelatedAndIdenticalAreToldApart) {
  const Weights base = make(1, 3);
  const std::string full = gguf(base);
  EXPECT_EQ(compared(full, full).change, Change::kIdentical);
  for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q6_K, GGML_TYPE_Q4_K, GGML_TYPE_Q2_K}) {
    EXPECT_EQ(compared(full, gguf(base, type)).change, Change::kRequantised) << type;
  }
  const Comparison updated = compared(full, gguf(drifted(base, 0.2F, 5), GGML_TYPE_Q4_K));
  EXPECT_EQ(updated.change, Change::kUpdated);
  EXPECT_NEAR(updated.size, 0.2, 0.02);
  EXPECT_EQ(compared(full, gguf(make(2, 3))).change, Change::kUnrelated);
}

TEST(CompareTest, DroppedLayersAndAddedTokensAreNamed) {
  const Weights base = make(1, 6);
  Weights shorter;
  for (const auto& [name, matrix] : base) {
    if (name.starts_with("blk.2.")) continue;
    std::string renamed = name;
    if (name.starts_with("blk.") && name[4] > '2') --renamed[4];
    shorter[renamed] = matrix;
  }
  const Comparison dropped = compared(gguf(base), gguf(shorter));
  EXPECT_EQ(dropped.change, Change::kLayers);
  EXPECT_THAT(dropped.relation.alignment, testing::ElementsAre(0, 1, 3, 4, 5));
  Weights longer = base;
  Matrix& tokens = longer["token_embd.weight"];
  tokens.rows += 8;
  tokens.values.resize(tokens.rows * tokens.columns, 0.01F);
  EXPECT_EQ(compared(gguf(base), gguf(longer)).change, Change::kVocabulary);
}

TEST(FingerprintTest, ReadsBackAndIsRefusedWhenCutOrLonger) {
  const Fingerprint one = print(gguf(make(1, 2)));
  const Bytes bytes = serialise(one);
  EXPECT_EQ(*parse_fingerprint(bytes), one);
  for (std::size_t size = 0; size < bytes.size(); size += 13) {
    EXPECT_FALSE(parse_fingerprint(std::span(bytes).first(size)).has_value()) << size;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse_fingerprint(longer).has_value());
}

TEST(IndexTest, TheReferenceIsFoundAmongStrangers) {
  const Weights base = make(1, 2);
  Index index;
  for (std::uint32_t seed = 50; seed < 60; ++seed) index.add(print(gguf(make(seed, 2))));
  Fingerprint reference = print(gguf(base));
  reference.name = "the one";
  index.add(reference);
  const auto found = index.look_up(print(gguf(drifted(base, 0.3F, 4), GGML_TYPE_Q4_K)));
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front().reference->name, "the one");
  EXPECT_EQ(found.front().relation.blocks, Verdict::kDescends);
  for (std::size_t i = 1; i < found.size(); ++i) {
    EXPECT_EQ(found[i].relation.blocks, Verdict::kUnrelated);
  }
}

TEST(TensorFileTest, ATensorPastTheFilesEndIsRefused) {
  const std::string whole = gguf(make(1, 1));
  const std::string cut = whole.substr(0, whole.size() - 64);
  model::MemorySource source(cut);
  const auto file = TensorFile::open(source);
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace candor::lineage
