#include "base/log.h"

#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sensitive.h"

namespace candor {
namespace {

// What may stand in a field is decided by types; these are the ones that must not.
template <typename T>
constexpr bool kLoggable = requires(T value) { LogField{"name", value}; };

static_assert(!kLoggable<std::string>);
static_assert(!kLoggable<std::string_view>);
static_assert(!kLoggable<Sensitive<std::string>>);
static_assert(!std::is_convertible_v<std::string, Label>);
static_assert(!std::is_convertible_v<std::string, Literal>);
static_assert(!std::is_constructible_v<Label, Sensitive<std::string>>);
static_assert(kLoggable<Label>);
static_assert(kLoggable<int>);

TEST(LogTest, ALabelKeepsOnlyNameCharacters) {
  EXPECT_EQ(Label("smollm2:135m").text(), "smollm2:135m");
  EXPECT_EQ(Label("a b\n\"c\" \x1B[31m").text(), "abc31m");
  EXPECT_EQ(Label(std::string(500, 'x')).text().size(), 128U);
}

TEST(LogTest, ALineIsOneJsonObject) {
  testing::internal::CaptureStderr();
  log_info("engine.started", {{"model", Label("smollm2")},
                              {"pid", 123},
                              {"ok", true},
                              {"code", Code::kDataLoss},
                              {"why", "said \"no\""}});
  log_debug("not.shown");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, testing::StartsWith(R"({"time":")"));
  EXPECT_THAT(line, testing::HasSubstr(R"(Z","level":"info","event":"engine.started",)"));
  EXPECT_THAT(line, testing::HasSubstr(R"("model":"smollm2","pid":123,"ok":true)"));
  EXPECT_THAT(line, testing::HasSubstr(R"("code":"data_loss","why":"said \"no\""})"));
}

TEST(LogTest, TextFormAndLevelAreSetForTheProcess) {
  set_log(LogLevel::kWarning, LogFormat::kText);
  testing::internal::CaptureStderr();
  log_info("hidden");
  log_warning("shown", {{"n", 5}});
  const std::string text = testing::internal::GetCapturedStderr();
  set_log(LogLevel::kInfo, LogFormat::kJson);
  EXPECT_THAT(text, testing::EndsWith("warning shown n=5\n"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("hidden")));
}

}  // namespace
}  // namespace candor
