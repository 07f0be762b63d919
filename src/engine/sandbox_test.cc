// Reports of the sandbox, and how children are started. What the sandbox refuses: escape_test.cc.
#include "engine/sandbox.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "engine/child_process.h"

namespace candor::engine {
namespace {

TEST(SandboxGrantsTest, TheReportReadsBackAndHostileOnesAreRefused) {
  SandboxGrants g;
  g.no_new_privs = g.seccomp_filter = true;
  g.landlock_abi = 7;
  g.scheduling = "batch";
  g.data_limit_bytes = 1ULL << 40U;
  const std::string text = to_json(g);
  const auto again = grants_from_json(text);
  ASSERT_OK(again);
  EXPECT_EQ(to_json(*again), text);
  EXPECT_TRUE(again->confined());
  EXPECT_FALSE(grants_from_json("{}").has_value());
  EXPECT_FALSE(grants_from_json(text + " ").has_value());
  std::string other = text;
  other.replace(other.find("batch"), 5, "admin");
  EXPECT_FALSE(grants_from_json(other).has_value());
  g.landlock_abi = 0;
  EXPECT_FALSE(g.confined());
  EXPECT_TRUE(describe(g).starts_with("NOT CONFINED"));
}

TEST(SpawnerTest, AProgramThatCannotBeExecutedIsAnErrorNotAChild) {
  Spawner spawner;
  const OwnedFd text(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(spawner.spawn({.binary_fd = text.get(), .arguments = {"x"}}),
              HasCode(Code::kInternal));
}

TEST(SpawnerTest, ChildrenEndWithTheSpawner) {
  OwnedFd pidfd;
  {
    Spawner spawner;
    const OwnedFd sleep_program(open("/bin/sleep", O_RDONLY | O_CLOEXEC));
    auto child = spawner.spawn({.binary_fd = sleep_program.get(), .arguments = {"sleep", "600"}});
    ASSERT_OK(child);
    pidfd = std::move(child->pidfd);
  }
  Child ended{.pid = -1, .pidfd = std::move(pidfd), .namespaces = {}};
  EXPECT_EQ(wait_for_exit(ended, 10'000).value_or(0), -SIGKILL);
}

}  // namespace
}  // namespace candor::engine
