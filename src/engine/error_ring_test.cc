#include "engine/internal/error_ring.h"

#include <gtest/gtest.h>

#include "engine/internal/supervisor_impl.h"
#include "engine/sealed_start.h"

namespace candor::engine {
namespace {

using internal::ErrorRing;

TEST(ErrorRingTest, S16_HoldsTheLastBytesOfAnyFloodAndCountsAll) {
  ErrorRing ring;
  std::uint64_t sent = 0;
  for (const std::size_t size : {std::size_t{1}, std::size_t{4'096}, std::size_t{100'000}}) {
    for (int i = 0; i < 1'000; ++i) {
      ring.append(std::string(size, 'x'));
      sent += size;
      ASSERT_LE(ring.text().size(), ErrorRing::kMaxBytes);
    }
  }
  ring.append("the last words");
  EXPECT_TRUE(ring.text().ends_with("the last words"));
  EXPECT_EQ(ring.total_bytes(), sent + 14);
}

// What the engine said is never shown, only what we know that it means.
TEST(ErrorRingTest, S16_OnlyKnownSentencesComeOutOfIt) {
  const std::string prompt = "a secret prompt: std::bad_alloc \x1b[31m";
  EXPECT_EQ(explain_exit(prompt, 1), "the engine ran out of memory");
  EXPECT_EQ(explain_exit("a secret prompt", 1), "the engine ended with code 1");
  EXPECT_EQ(explain_exit("a secret prompt", -11), "the engine was ended by signal 11");
}

TEST(ExplainExitTest, B8_AChatTemplateAtFaultIsNamedWhateverTheEngineSaid) {
  const std::pair<int, std::string_view> cases[] = {{kTemplateTooSlow, "engine.template_timeout"},
                                                    {kTemplateTooLarge, "memory"},
                                                    {kTemplateCrashed, "crashes"}};
  for (const auto& [code, word] : cases) {
    const Error error(Code::kFailedPrecondition, explain_exit("failed to load model", code));
    EXPECT_TRUE(blames_template(error)) << code;
    EXPECT_TRUE(error.message().contains(word) && error.message().contains("model.chat_template"));
  }
  for (const std::string_view words : {"", "std::bad_alloc", "chat template parsing error"}) {
    EXPECT_FALSE(blames_template(Error(Code::kFailedPrecondition, explain_exit(words, 1))));
  }
}

TEST(RestartDelayTest, A6_DoublesWithEachFailureUpToItsBound) {
  SupervisorOptions options;
  options.restart_delay_min = std::chrono::milliseconds(500);
  options.restart_delay_max = std::chrono::milliseconds(60'000);
  std::vector<std::int64_t> delays;
  for (int failures = 1; failures <= 9; ++failures) {
    delays.push_back(restart_delay(options, failures).count());
  }
  EXPECT_EQ(delays, (std::vector<std::int64_t>{500, 1'000, 2'000, 4'000, 8'000, 16'000, 32'000,
                                               60'000, 60'000}));
  EXPECT_EQ(restart_delay(options, 1'000'000).count(), 60'000);
}

TEST(EngineIdentityTest, A6_AnotherProcessorOrBinaryIsAnotherEngine) {
  const auto features = [](const std::string& line) {
    std::istringstream in("processor : 0\nflags\t\t: fpu " + line + "\n");
    return internal::cpu_features(in);
  };
  EXPECT_EQ(features("avx2 sse4_2 unknown_thing fma"),
            (std::vector<std::string>{"avx2", "fma", "sse4_2"}));
  const auto digest = [&](std::uint8_t binary, const std::string& flags) {
    internal::Program program;
    program.digest.fill(std::byte{binary});
    return internal::identify_engine(program, {}, features(flags))->digest;
  };
  EXPECT_EQ(digest(1, "avx2 fma"), digest(1, "fma avx2 other"));
  EXPECT_NE(digest(1, "avx2 fma"), digest(1, "avx2 fma avx512f"));
  EXPECT_NE(digest(1, "avx2 fma"), digest(2, "avx2 fma"));
}

}  // namespace
}  // namespace candor::engine
