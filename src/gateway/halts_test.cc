#include "gateway/halts.h"

#include <gtest/gtest.h>

namespace candor::gateway {
namespace {

using http::StopReason;

Halt halt(std::string scope, std::string object, std::string reason = "recall") {
  return {.scope = std::move(scope), .object = std::move(object), .reason = std::move(reason)};
}

TEST(HaltsTest, C13_a_halt_covers_all_or_its_model_or_its_caller) {
  Halts halts;
  EXPECT_EQ(halts.find("tiny", "uid:7"), nullptr);
  halts.put(halt("model", "tiny"));
  halts.put(halt("user", "key:ab"));
  EXPECT_NE(halts.find("tiny", "uid:7"), nullptr);
  EXPECT_NE(halts.find("other", "key:ab"), nullptr);
  EXPECT_EQ(halts.find("other", "uid:7"), nullptr);
  EXPECT_EQ(halts.find("key:ab", "tiny"), nullptr);  // a model named like a caller is no caller
  halts.put(halt("all", ""));
  EXPECT_NE(halts.find("other", "uid:7"), nullptr);
  EXPECT_TRUE(halts.remove(halt("all", "")));
  EXPECT_FALSE(halts.remove(halt("all", "")));
  EXPECT_EQ(halts.find("other", "uid:7"), nullptr);
}

TEST(HaltsTest, C13_what_runs_under_it_is_stopped_and_nothing_else) {
  Halts halts;
  http::StopSource hit, other, left;
  const auto a = halts.watch("tiny", "uid:7", hit);
  const auto b = halts.watch("other", "uid:7", other);
  {
    const auto c = halts.watch("tiny", "uid:8", left);
  }
  EXPECT_EQ(halts.put(halt("model", "tiny")), 1U);
  EXPECT_EQ(hit.reason(), StopReason::kHalted);
  EXPECT_FALSE(other.requested());
  EXPECT_FALSE(left.requested());
  EXPECT_EQ(halts.put(halt("all", "")), 2U);
  EXPECT_EQ(other.reason(), StopReason::kHalted);
}

TEST(HaltsTest, C13_an_exchange_that_ends_when_it_is_stopped_leaves_the_list) {
  Halts halts;
  http::StopSource first, second;
  auto a = halts.watch("tiny", "uid:7", first);
  auto b = halts.watch("tiny", "uid:7", second);
  const auto ends = first.on_stop([&](StopReason) { a = {}; });
  EXPECT_EQ(halts.put(halt("all", "")), 2U);
  EXPECT_TRUE(second.requested());
}

TEST(HaltsTest, C13_a_second_halt_of_the_same_replaces_its_reason) {
  Halts halts({halt("model", "tiny", "old")});
  halts.put(halt("model", "tiny", "new"));
  ASSERT_EQ(halts.all().size(), 1U);
  EXPECT_EQ(halts.find("tiny", "uid:7")->reason, "new");
}

TEST(HaltsTest, C13_what_resumes_an_older_halt_leaves_a_newer_one) {
  Halts halts;
  halts.put(halt("all", ""));
  const Halt older = *halts.in_force("all", "");
  Halt newer = halt("all", "", "again");
  newer.since_us = older.since_us + 1;
  halts.put(newer);  // while the resumption of the older one is put on record
  EXPECT_FALSE(halts.remove(older));
  ASSERT_NE(halts.in_force("all", ""), nullptr);
  EXPECT_EQ(halts.in_force("all", "")->reason, "again");
}

std::vector<std::string> files(std::string one) { return {std::move(one), "adapter"}; }

TEST(HaltsTest, D9_a_revocation_covers_weights_and_adapters_whatever_the_name) {
  Halts halts;
  http::StopSource hit, copy, other;
  auto a = halts.watch("tiny", "uid:7", hit);
  auto b = halts.watch("another-name", "uid:8", copy);
  auto c = halts.watch("tiny", "uid:7", other);
  a.answers_with({"aa"});
  b.answers_with({"bb", "aa"});  // as an adapter
  c.answers_with({"cc"});
  EXPECT_EQ(halts.put(halt("weights", "aa")), 2U);
  EXPECT_EQ(hit.reason(), StopReason::kHalted);
  EXPECT_EQ(copy.reason(), StopReason::kHalted);
  EXPECT_FALSE(other.requested());
  EXPECT_EQ(halts.find("tiny", "uid:7"), nullptr);  // by digest alone
  EXPECT_EQ(halts.find("aa", "aa"), nullptr);
  ASSERT_NE(halts.find_files(files("aa")), nullptr);
  EXPECT_EQ(halts.find_files(files("cc")), nullptr);
}

TEST(HaltsTest, D9_a_load_of_revoked_weights_is_refused_with_the_reason) {
  Halts halts({halt("weights", "aa", "stolen")});
  EXPECT_TRUE(halts.may_load("tiny", files("bb")).has_value());
  EXPECT_FALSE(halts.refused("tiny"));
  EXPECT_EQ(halts.refused_load("tiny"), nullptr);
  const auto refused = halts.may_load("copy", files("aa"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(refused.error().message().contains("stolen"));
  ASSERT_NE(halts.refused_load("copy"), nullptr);
  EXPECT_EQ(halted_error(*halts.refused_load("copy")).code, "model_revoked");
  EXPECT_EQ(halts.names_of("aa"), std::vector<std::string>{"copy"});
  EXPECT_TRUE(halts.remove(halt("weights", "aa", "stolen")));
  EXPECT_EQ(halts.refused_load("copy"), nullptr);
  EXPECT_TRUE(halts.refused("copy"));  // until it is asked again
  EXPECT_TRUE(halts.may_load("copy", files("aa")).has_value());
}

TEST(HaltsTest, D9_an_issuers_list_replaces_its_own_older_one_and_nothing_else) {
  Halts halts;
  halts.put(halt("weights", "aa"));
  const RevocationIssuer one{.key = "11", .sequence = 1}, other{.key = "22", .sequence = 1};
  halts.put_list(one, {halt("", "aa"), halt("", "bb")});
  halts.put_list(other, {halt("", "cc")});
  RevocationIssuer newer = one;
  newer.sequence = 2;
  http::StopSource hit;
  auto running = halts.watch("m", "uid:7", hit);
  running.answers_with({"dd"});
  EXPECT_EQ(halts.put_list(newer, {halt("", "dd")}), 1U);
  EXPECT_EQ(halts.find_files(files("bb")), nullptr);
  EXPECT_NE(halts.find_files(files("aa")), nullptr);  // the operator's own
  EXPECT_NE(halts.find_files(files("cc")), nullptr);
  EXPECT_EQ(halts.issuers().size(), 2U);
}

TEST(HaltsTest, S19_the_reason_is_shown_without_controls_and_cut) {
  const auto plain = halted_error(halt("model", "tiny", "recalled by \x1b[31mits\nmaker"));
  EXPECT_EQ(plain.status, 403);
  EXPECT_EQ(plain.code, "stopped_by_operator");
  EXPECT_EQ(plain.message,
            "An operator has stopped this model. The reason given: \"recalled by \uFFFD[31mits "
            "maker\". Use another model (GET /v1/models lists them), or ask the operator.");
  std::string accents;
  for (int i = 0; i < 300; ++i) accents += "é";
  const auto cut = halted_error(halt("all", "", "x" + accents));
  EXPECT_LT(cut.message.size(), 400U);
  EXPECT_TRUE(cut.message.contains("é...\""));
}

}  // namespace
}  // namespace candor::gateway
