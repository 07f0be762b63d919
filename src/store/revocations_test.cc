// Lists of revocations in state.db (docs/formats/revocations.md).
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "store/state_db.h"

namespace candor::store {
namespace {

RevocationIssuer issuer(std::uint64_t sequence) {
  return {.key = "11", .sequence = sequence, .document = {}, .bundle = "{}"};
}
Halt halt(std::string object) {
  return {.scope = "weights/11", .object = std::move(object), .reason = "r", .since_us = 5};
}

TEST(RevocationsTest, D9_AListIsKeptWithItsHaltsAndAnOlderOneIsNot) {
  const auto state = StateDb::in_memory().value();
  const Halt own{.scope = "weights", .object = "aa", .reason = "own", .since_us = 1};
  ASSERT_OK(state->put_halt(own));
  const std::vector<Halt> second{halt("bb"), halt("cc")}, first{halt("dd")}, third{halt("ee")};
  ASSERT_OK(state->put_revocations(issuer(2), second));
  ASSERT_OK(state->put_revocations(issuer(1), first));
  EXPECT_EQ(state->list_halts().value(), (std::vector<Halt>{own, second[0], second[1]}));
  EXPECT_EQ(state->list_revocation_issuers().value(), std::vector<RevocationIssuer>{issuer(2)});
  ASSERT_OK(state->put_revocations(issuer(3), third));
  EXPECT_EQ(state->list_halts().value(), (std::vector<Halt>{own, third[0]}));
}

}  // namespace
}  // namespace candor::store
