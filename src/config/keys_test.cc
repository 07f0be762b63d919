#include "config/keys.h"

#include <set>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::config {
namespace {

TEST(KeysTest, SizesAndDurationsCarryTheirUnit) {
  EXPECT_EQ(*parse_size("4GiB"), std::int64_t{4} << 30);
  EXPECT_EQ(*parse_size("64 MiB"), 64 << 20);
  EXPECT_EQ(*parse_size("1GB"), 1'000'000'000);
  EXPECT_EQ(*parse_size("512"), 512);
  EXPECT_EQ(*parse_duration_ms("250ms"), 250);
  EXPECT_EQ(*parse_duration_ms("30s"), 30'000);
  EXPECT_EQ(*parse_duration_ms("7d"), 604'800'000);
  for (const std::string_view text : {"", "GiB", "-1B", "1.5GiB", "4gib", "4 GiB x", "0x10",
                                      "9999999999999999999", "9223372036854775807KiB", "4  GiB"}) {
    EXPECT_THAT(parse_size(text), HasCode(Code::kInvalidArgument)) << text;
  }
  for (const std::string_view text :
       {"", "30", "s", "-1s", "1.5s", "30 sec", "1h30m", "9223372036854775807d"}) {
    EXPECT_THAT(parse_duration_ms(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

TEST(KeysTest, FormattingIsReadBackWhole) {
  for (const std::int64_t n : {0L, 1L, 1'023L, 1'024L, 1'536L, 1L << 30, (1L << 40) + 1, 1'000L}) {
    EXPECT_EQ(*parse_size(format_size(n)), n);
    EXPECT_EQ(*parse_duration_ms(format_duration(n)), n);
  }
  EXPECT_EQ(format_size(1 << 20), "1MiB");
  EXPECT_EQ(format_duration(90'000), "90s");
  EXPECT_EQ(format_duration(86'400'000), "1d");
}

TEST(KeysTest, EachKeyHasOneNameOneVariableAndADescription) {
  std::set<std::string> variables;
  for (const auto table : {keys(), model_keys()}) {
    for (const Key& key : table) {
      EXPECT_EQ(find_key(key.name), &key);
      EXPECT_TRUE(variables.insert(environment_name(key.name)).second) << key.name;
      EXPECT_FALSE(key.description.empty()) << key.name;
    }
  }
  EXPECT_EQ(environment_name("limits.max_tokens"), "CANDOR_LIMITS_MAX_TOKENS");
  EXPECT_EQ(environment_name("data_dir"), "CANDOR_DATA_DIR");
}

}  // namespace
}  // namespace candor::config
