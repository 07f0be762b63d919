#include "gateway/exceptions.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "gateway/os_groups.h"
#include "gateway/testing/ids.h"

namespace candor::gateway {
namespace {

using testing::id;

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RuleException exception(std::uint8_t number, std::string caller) {
  return {.id = id(number),
          .rule = "house.r",
          .caller = std::move(caller),
          .opened_by = "uid:" + std::to_string(::getuid()),
          .approved_by = "",
          .reason = "audit",
          .opened_us = 1'000,
          .until_us = 2'000};
}

Caller oidc(std::string name, std::vector<std::string> groups = {}) {
  Caller caller;
  caller.name = "oidc:" + name;
  caller.known_by = "oidc";
  caller.groups = std::move(groups);
  return caller;
}

std::string refusal(const Caller& who, const RuleException& one, std::string_view owner = "",
                    std::vector<std::string> approvers = {"oidc:grace", "key:k1",
                                                          "group:security"}) {
  const auto done = may_approve(who, one, owner, approvers);
  return done ? "" : done.error().message();
}

TEST(ExceptionsTest, L9_OneCountsForItsCallerFromItsOpeningToItsEnd) {
  Exceptions exceptions({exception(1, "oidc:alice"), exception(2, "oidc:bob")});
  EXPECT_THAT(exceptions.of("oidc:alice", 999), IsEmpty());
  EXPECT_THAT(exceptions.of("oidc:alice", 1'000), SizeIs(1));
  EXPECT_EQ(exceptions.of("oidc:alice", 1'999).front().id, id(1));
  EXPECT_THAT(exceptions.of("oidc:alice", 2'000), IsEmpty());
  EXPECT_THAT(exceptions.of("oidc:carol", 1'500), IsEmpty());
  exceptions.remove(id(1));
  EXPECT_THAT(exceptions.of("oidc:alice", 1'500), IsEmpty());
  EXPECT_TRUE(exceptions.names("oidc:bob"));
  EXPECT_FALSE(exceptions.names("oidc:alice"));
}

TEST(ExceptionsTest, L9_ASecondPersonWithACredentialApproves) {
  const RuleException one = exception(1, "oidc:alice");
  EXPECT_EQ(refusal(oidc("grace"), one), "");
  EXPECT_EQ(refusal(oidc("heidi", {"security"}), one), "");
  EXPECT_THAT(refusal(oidc("heidi", {"sales"}), one), HasSubstr("policy.approvers"));
}

TEST(ExceptionsTest, L9_AUserOfTheMachineAloneApprovesNothing) {
  Caller user;
  user.name = "uid:0";
  user.known_by = "loopback";
  user.by_os_user = true;
  EXPECT_THAT(refusal(user, exception(1, "oidc:alice"), "", {"uid:0"}),
              HasSubstr("credential of your own"));
}

TEST(ExceptionsTest, L9_WhomItServesAndWhoOpenedItApproveNothing) {
  EXPECT_THAT(refusal(oidc("grace"), exception(1, "oidc:grace")), HasSubstr("for yourself"));
  // By another credential of the same person.
  Caller key;
  key.name = "key:k1";
  key.known_by = "api_key";
  EXPECT_THAT(refusal(key, exception(1, "oidc:alice")), HasSubstr("an owner"));
  key.owner = "alice";
  EXPECT_THAT(refusal(key, exception(1, "oidc:alice")), HasSubstr("for yourself"));
  EXPECT_THAT(refusal(key, exception(1, "key:k2"), "alice"), HasSubstr("for yourself"));
  key.owner = os_user_name(std::to_string(::getuid()));
  ASSERT_FALSE(key.owner.empty());
  EXPECT_THAT(refusal(key, exception(1, "oidc:alice")), HasSubstr("opened it yourself"));
  key.owner = "grace";
  EXPECT_EQ(refusal(key, exception(1, "oidc:alice")), "");
}

}  // namespace
}  // namespace candor::gateway
