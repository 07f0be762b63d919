#include "gateway/identity.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"

namespace candor::gateway {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000'000;

class IdentityTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::StateDb::in_memory();
    ASSERT_OK(opened);
    keys_ = *std::move(opened);
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    peer_ = http::Peer::at_accept(pair[0], nullptr);
    ::close(pair[0]);
    ::close(pair[1]);
    settings_.all_os_users = true;
  }
  std::expected<Caller, Stranger> ask(http::Headers headers) {
    http::Request request;
    request.headers = std::move(headers);
    return identify(request, *peer_, settings_, *keys_, nullptr, kNow);
  }
  store::StateDb::NewApiKey make_key(std::optional<std::int64_t> expires = {},
                                     std::vector<std::string> models = {},
                                     store::KeyFacts facts = {}) {
    auto made = keys_->create_api_key("a key", expires, std::move(models), std::move(facts), kNow,
                                      system_random());
    EXPECT_THAT(made, IsOk());
    return *std::move(made);
  }

  std::unique_ptr<store::StateDb> keys_;
  std::optional<http::Peer> peer_;
  Settings settings_;
};

TEST_F(IdentityTest, S14_TheUserOfAUnixSocketIsKnown) {
  const auto caller = ask({});
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->name, "uid:" + std::to_string(::getuid()));
  EXPECT_EQ(caller->known_by, "unix_socket");
  EXPECT_TRUE(caller->by_os_user);
}

TEST_F(IdentityTest, B6_TheHolderOfAClientCertificateIsKnownByIt) {
  peer_->set_tls("spiffe://example.org/ada");
  settings_.require_key = true;  // a certificate is as good
  const auto caller = ask({{"authorization", "Bearer sk-something"}});
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->name, "cert:spiffe://example.org/ada");
  EXPECT_EQ(caller->known_by, "mtls");
  EXPECT_FALSE(caller->by_os_user);
  const auto key = make_key();
  EXPECT_EQ(ask({{"x-api-key", key.secret.reveal()}})->known_by, "api_key");
}

TEST_F(IdentityTest, B6_OverTlsTheOperatingSystemsUserIsNobody) {
  peer_->set_tls(std::nullopt);
  EXPECT_FALSE(ask({}));
  EXPECT_FALSE(ask({{"authorization", "Bearer sk-something"}}));
  EXPECT_TRUE(ask({{"authorization", "Bearer " + make_key().secret.reveal()}}));
}

TEST_F(IdentityTest, S14_ABearerThatIsNoKeyOfOursCountsAsNoneAndIsNoted) {
  const auto caller = ask({{"authorization", "Bearer sk-something"}});
  ASSERT_TRUE(caller);
  EXPECT_TRUE(caller->ignored_bearer);
  EXPECT_TRUE(ask({{"x-api-key", "sk-ant-something"}})->ignored_bearer);
  EXPECT_FALSE(ask({})->ignored_bearer);
}

TEST_F(IdentityTest, S14_AnUnknownExpiredOrRevokedKeyIsRefusedEvenOnThisMachine) {
  const auto good = make_key();
  EXPECT_TRUE(ask({{"authorization", "Bearer " + good.secret.reveal()}}));
  EXPECT_TRUE(ask({{"x-api-key", good.secret.reveal()}}));
  EXPECT_FALSE(ask({{"authorization", "Bearer cnd_0000000000000000000000000000000000000000000"}}));
  EXPECT_FALSE(ask({{"authorization", "Bearer cnd_"}}));
  const auto expired = make_key(kNow - 1);
  EXPECT_FALSE(ask({{"authorization", "Bearer " + expired.secret.reveal()}}));
  ASSERT_OK(keys_->revoke_api_key(good.key.id));
  EXPECT_FALSE(ask({{"authorization", "Bearer " + good.secret.reveal()}}));
}

TEST_F(IdentityTest, B8_TwoCredentialsAreRefusedWhateverTheyAre) {
  const std::string good = make_key().secret.reveal();
  const std::string other = make_key().secret.reveal();
  const std::string bearer = "Bearer " + good;
  const std::vector<http::Headers> cases{
      {{"authorization", bearer}, {"authorization", bearer}},
      {{"authorization", bearer}, {"Authorization", "Bearer sk-something"}},
      {{"authorization", "Bearer sk-something"}, {"authorization", bearer}},
      {{"x-api-key", good}, {"X-Api-Key", good}},
      {{"x-api-key", "sk-something"}, {"x-api-key", good}},
      {{"authorization", bearer}, {"x-api-key", other}},
      {{"authorization", bearer}, {"x-api-key", "sk-something"}},
      {{"authorization", "Bearer sk-something"}, {"x-api-key", good}},
      {{"authorization", "Basic YTpi"}, {"x-api-key", good}},
      {{"authorization", good}, {"x-api-key", good}}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto caller = ask(cases[i]);
    ASSERT_FALSE(caller) << i;
    EXPECT_EQ(caller.error().error.status, 400) << i;
    EXPECT_NE(caller.error().error.message.find("two credentials"), std::string::npos) << i;
  }
  EXPECT_EQ(ask({{"authorization", bearer}, {"x-api-key", good}})->known_by, "api_key");
  EXPECT_TRUE(ask({{"authorization", bearer}, {"x-api-key", ""}}));
}

TEST_F(IdentityTest, S14_AJwtIsNotTakenForNone) {
  EXPECT_FALSE(ask({{"authorization", "Bearer eyJhbGciOiJub25lIn0.e30.c2ln"}}));
}

TEST_F(IdentityTest, AKeysModelsComeWithTheCaller) {
  const auto key = make_key({}, {"a", "b"});
  const auto caller = ask({{"authorization", "Bearer " + key.secret.reveal()}});
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(caller->name, "key:" + key.key.id);
  EXPECT_FALSE(caller->by_os_user);
}

TEST_F(IdentityTest, C7_AKeysOwnerTeamAndPurposeComeWithTheCaller) {
  const auto key = make_key({}, {}, {.owner = "ada", .team = "red", .purpose = "support"});
  const auto caller = ask({{"authorization", "Bearer " + key.secret.reveal()}});
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->owner, "ada");
  EXPECT_EQ(caller->team, "red");
  EXPECT_EQ(caller->purpose, "support");
  EXPECT_EQ(ask({})->team, "");
}

TEST_F(IdentityTest, S14_AForwarderIsToldToUseAKey) {
  settings_.forwarder_uids = {::getuid()};
  const auto caller = ask({});
  ASSERT_FALSE(caller);
  EXPECT_NE(caller.error().error.message.find("candor key create"), std::string::npos);
  const auto key = make_key();
  EXPECT_TRUE(ask({{"authorization", "Bearer " + key.secret.reveal()}}));
}

TEST_F(IdentityTest, UsersWhoAreNotListedNeedAKey) {
  settings_.all_os_users = false;
  EXPECT_FALSE(ask({}));
  settings_.os_uids = {::getuid()};
  EXPECT_TRUE(ask({}));
  settings_.require_key = true;
  EXPECT_FALSE(ask({}));
}

TEST_F(IdentityTest, S14_AnUnresolvedPeerIsToldToUseAKey) {
  peer_ = http::Peer::at_accept(-1, nullptr);
  EXPECT_FALSE(ask({}));
  const auto key = make_key();
  EXPECT_TRUE(ask({{"authorization", "Bearer " + key.secret.reveal()}}));
}

}  // namespace
}  // namespace candor::gateway
