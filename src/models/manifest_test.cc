#include "models/manifest.h"

#include "base/testing/result_matchers.h"
#include "crypto/git_blob.h"
#include "models/plan.h"

namespace candor::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Digest digest_of(int byte) {
  Digest out;
  out.fill(static_cast<std::byte>(byte));
  return out;
}

Manifest folder() {
  Manifest out{
      .format = Format::kSafetensors,
      .source = {.reference = "hf:acme/tiny", .revision = "abc", .trust = Trust::kFirstUse},
      .pulled_us = 5};
  out.files = {{.path = "config.json", .sha256 = digest_of(1), .size = 2},
               {.path = "model.safetensors",
                .sha256 = digest_of(2),
                .size = 1000,
                .published = Published::kSha256}};
  return out;
}

TEST(ManifestTest, DigestOfSeveralFilesIsThatOfTheirCanonicalList) {
  // python3: sha256 of json.dumps(..., sort_keys=True, separators=(',', ':')).
  EXPECT_EQ(to_hex(folder().digest()),
            "f79374954c48a14b2e91c4ab59834ac68e87b2db4efeaec0a5251d1870072bd2");
}

TEST(ManifestTest, DigestOfOneFileIsTheFiles) {
  Manifest one = folder();
  one.files.pop_back();
  EXPECT_EQ(one.digest(), digest_of(1));
}

TEST(ManifestTest, WhatIsWrittenIsReadBack) {
  Manifest judged = folder();
  judged.gate = {.by = "candor-inspect", .architecture = "llama", .licence = "apache-2.0"};
  judged.admitted_us = 9;
  for (const Manifest& manifest : {folder(), judged}) {
    const auto text = to_json(manifest);
    ASSERT_OK(text);
    const auto back = manifest_from_json(*text);
    ASSERT_OK(back);
    EXPECT_EQ(*back, manifest);
  }
}

TEST(ManifestTest, AnotherDigestThanThatOfItsFilesIsRefused) {
  std::string text = *to_json(folder());
  text.replace(text.find("f7937495"), 8, "00000000");
  EXPECT_THAT(manifest_from_json(text), HasCode(Code::kInvalidArgument));
}

TEST(ManifestTest, PathsThatLeaveTheModelAreRefused) {
  for (const char* path : {"../a.gguf", "/a.gguf", "a/../b.gguf", "a//b", "./a", "", "a/", "a\\b",
                           "a\nb", "1/2/3/4/5/6/7/8/9"}) {
    EXPECT_FALSE(is_file_path(path)) << path;
    Manifest manifest = folder();
    manifest.files.resize(1);
    manifest.files[0].path = path;
    EXPECT_THAT(to_json(manifest), HasCode(Code::kInvalidArgument)) << path;
  }
  EXPECT_TRUE(is_file_path("onnx/model.onnx"));
  EXPECT_TRUE(is_file_path("..a"));
}

TEST(ManifestTest, FilesOutOfOrderOrTwiceAreRefused) {
  Manifest manifest = folder();
  std::swap(manifest.files[0], manifest.files[1]);
  EXPECT_THAT(to_json(manifest), HasCode(Code::kInvalidArgument));
  manifest = folder();
  manifest.files[1].path = manifest.files[0].path;
  EXPECT_THAT(to_json(manifest), HasCode(Code::kInvalidArgument));
}

TEST(ManifestTest, NamesAreWhatAFileSystemAndAShellTake) {
  EXPECT_TRUE(is_name("SmolLM2-135M-Instruct.Q4_1"));
  for (const char* name : {"", ".a", "-a", "a/b", "a@b", "a b", ".."}) EXPECT_FALSE(is_name(name));
  EXPECT_EQ(name_from("../acme/tiny:8b"), "acme-tiny-8b");
  EXPECT_EQ(name_from("///"), "");
}

TEST(ShapeTest, WhatBelongsTogetherIsOneModel) {
  const auto shape = [](std::vector<std::string> paths) { return shape_of(paths); };
  EXPECT_EQ(*shape({"a.gguf"}), (Shape{Format::kGguf, Kind::kModel}));
  EXPECT_EQ(*shape({"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}),
            (Shape{Format::kGguf, Kind::kModel}));
  EXPECT_EQ(*shape({"config.json", "model.safetensors", "tokenizer.json"}),
            (Shape{Format::kSafetensors, Kind::kModel}));
  EXPECT_EQ(*shape({"adapter_config.json", "adapter_model.safetensors"}),
            (Shape{Format::kSafetensors, Kind::kAdapter}));
  EXPECT_EQ(*shape({"adapter.gguf", "model.gguf"}), (Shape{Format::kGguf, Kind::kModel}));
  EXPECT_EQ(*shape({"adapter.gguf"}), (Shape{Format::kGguf, Kind::kAdapter}));

  const auto missing = shape({"a-00001-of-00002.gguf"});
  ASSERT_THAT(missing, HasCode(Code::kInvalidArgument));
  EXPECT_THAT(missing.error().message(), HasSubstr("part 2 of the 2"));
  EXPECT_THAT(shape({"a.gguf", "b.gguf"}), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(shape({"a.gguf", "b.safetensors"}), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(shape({"README.md"}), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(shape({"a-00001-of-00001.gguf", "b-00001-of-00001.gguf"}),
              HasCode(Code::kInvalidArgument));
}

TEST(RangesTest, TouchingAndOverlappingOnesAreMerged) {
  Ranges ranges;
  ranges.add(10, 20);
  ranges.add(30, 40);
  ranges.add(20, 25);
  EXPECT_THAT(ranges.all(), ElementsAre(Ranges::Range{10, 25}, Ranges::Range{30, 40}));
  EXPECT_EQ(ranges.missing(50, 100), (Ranges::Range{0, 10}));
  ranges.add(0, 31);
  EXPECT_THAT(ranges.all(), ElementsAre(Ranges::Range{0, 40}));
  EXPECT_EQ(ranges.missing(50, 4), (Ranges::Range{40, 44}));
  EXPECT_EQ(ranges.missing(50, 4, {{40, 50}}), std::nullopt);
  EXPECT_EQ(ranges.missing(40, 4), std::nullopt);
  EXPECT_EQ(ranges.bytes(), 40U);
}

TEST(RangesTest, ABitmapSaysTheSame) {  // the slow, obvious way
  std::uint64_t state = 7;
  const auto next = [&](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33U) % below;
  };
  for (int round = 0; round < 200; ++round) {
    Ranges ranges;
    std::vector<bool> bits(64);
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t begin = next(64), end = begin + next(65 - begin);
      ranges.add(begin, end);
      for (std::uint64_t at = begin; at < end; ++at) bits[at] = true;
      EXPECT_EQ(ranges.bytes(), static_cast<std::uint64_t>(std::ranges::count(bits, true)));
      const auto missing = ranges.missing(64, 64);
      const auto first = std::ranges::find(bits, false);
      ASSERT_EQ(missing.has_value(), first != bits.end());
      if (!missing) continue;
      EXPECT_EQ(missing->begin, static_cast<std::uint64_t>(first - bits.begin()));
      EXPECT_EQ(missing->end,
                static_cast<std::uint64_t>(std::find(first, bits.end(), true) - bits.begin()));
    }
  }
}

TEST(PlanTest, WhatIsWrittenIsReadBack) {
  Plan plan{
      .source = {.reference = "https://models.example/a.gguf", .trust = Trust::kGiven},
      .given = digest_of(3),
      .files = {
          {.path = "a.gguf",
           .url = "https://models.example/a.gguf?x=1",
           .size = 7,
           .sha256 = digest_of(3)},
          {.path = "b.json", .url = "https://models.example/b", .git_sha1 = std::string(40, 'a')}}};
  EXPECT_EQ(*plan_from_json(*to_json(plan)), plan);
  Fetched fetched{.etag = "\"x\"", .size = 100};
  fetched.ranges.add(0, 10);
  fetched.ranges.add(20, 100);
  EXPECT_EQ(*fetched_from_json(*to_json(fetched)), fetched);
}

TEST(PlanTest, RangesThatLeaveTheFileOrOverlapAreRefused) {
  const auto with = [](const std::string& ranges) {
    return fetched_from_json(R"({"etag":"","ranges":)" + ranges +
                             R"(,"size":100,"type":"candor.pull-ranges/1"})");
  };
  EXPECT_OK(with("[[0,10],[20,100]]"));
  for (const char* bad : {"[[0,101]]", "[[5,5]]", "[[5,4]]", "[[0,10],[10,20]]", "[[0,10],[5,20]]",
                          "[[-1,4]]", "[[0,1,2]]", "[1]"}) {
    EXPECT_THAT(with(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

TEST(GitBlobTest, NamesContentAsGitDoes) {
  crypto::GitBlobId id(6);
  id.update(as_bytes("hello\n"));
  EXPECT_EQ(id.finish(), "ce013625030ba8dba906f756967f9e9ca394464a");  // git hash-object
}

}  // namespace
}  // namespace candor::models
