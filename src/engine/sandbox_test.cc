// Reports of the sandbox, and how children are started. What the sandbox refuses: escape_test.cc.
#include "engine/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <initializer_list>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

// As a kernel without these parts answers, by a filter that stands before.
void take_away(std::initializer_list<long> calls) {
  std::vector<sock_filter> code = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long call : calls) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(2);
  }
}
// What a sealed child of such a kernel measures.
SandboxGrants sealed_without(std::initializer_list<long> calls) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    take_away(calls);
    const auto grants = seal({});
    const std::string text = grants ? to_json(*grants) : grants.error().message();
    (void)!write(ends[1], text.data(), text.size());
    _exit(0);
  }
  close(ends[1]);
  char buffer[4096];
  const ssize_t got = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  const std::string text(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const auto grants = grants_from_json(text);
  EXPECT_OK(grants) << text;
  return grants.value_or(SandboxGrants{});
}

constexpr long kLandlockCreate = 444;

TEST(SealTest, A5_WhatTheKernelDoesNotHaveIsReportedAsNotGranted) {
  const SandboxGrants whole = sealed_without({});
  EXPECT_TRUE(whole.confined()) << describe(whole);
  const SandboxGrants files = sealed_without({kLandlockCreate});
  EXPECT_FALSE(files.confined());
  EXPECT_EQ(files.landlock_abi, 0);
  EXPECT_TRUE(files.seccomp_filter && files.no_new_privs && files.no_core);
  const SandboxGrants calls = sealed_without({SYS_seccomp});
  EXPECT_FALSE(calls.confined());
  EXPECT_FALSE(calls.seccomp_filter);
  EXPECT_GT(calls.landlock_abi, 0);
  EXPECT_NE(describe(calls).find("NOT CONFINED"), std::string::npos);
  EXPECT_NE(describe(calls).find("not granted: seccomp filter"), std::string::npos);
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
