#include "folder_grants.h"

#include <cerrno>
#include <map>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"

namespace candor::cli {
namespace {

// errno of each opening, 0 where it worked, as a process sees it that has granted itself what the
// monitor grants itself. Empty where this kernel has no Landlock.
std::map<std::string, int> opened_by_a_monitor(
    const config::Config& config, const std::vector<std::pair<std::string, int>>& wanted) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto grants = folder_grants(config, "/usr/bin");
    const auto report = store::restrict_monitor(store::DataPaths(config.data_dir), *grants);
    std::vector<int> errors;
    for (const auto& [path, how] : wanted) {
      errors.push_back(open(path.c_str(), how | O_CLOEXEC, 0600) >= 0 ? 0 : errno);
    }
    if (!report || report->landlock_abi == 0) _exit(2);
    (void)!write(ends[1], errors.data(), errors.size() * sizeof(int));
    _exit(0);
  }
  close(ends[1]);
  std::vector<int> errors(wanted.size());
  const ssize_t got = read(ends[0], errors.data(), errors.size() * sizeof(int));
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 2) return {};
  EXPECT_EQ(got, static_cast<ssize_t>(errors.size() * sizeof(int)));
  std::map<std::string, int> out;
  for (std::size_t i = 0; i < wanted.size(); ++i) out[wanted[i].first] = errors[i];
  return out;
}

TEST(FolderGrantsTest, S5_OfDevicesAndTheKernelsFilesOnlyWhatIsNeeded) {
  const TemporaryFolder folder;
  config::Config config;
  config.data_dir = folder.path();
  const auto opened = opened_by_a_monitor(config, {{"/dev/null", O_RDWR},
                                                   {"/dev/urandom", O_RDONLY},
                                                   {"/proc/self/statm", O_RDONLY},
                                                   {"/proc/cpuinfo", O_RDONLY},
                                                   {"/dev/zero", O_RDWR},
                                                   {"/dev/shm/candor-test", O_CREAT | O_RDWR},
                                                   {"/dev/ptmx", O_RDWR},
                                                   {"/proc/sys/kernel/core_pattern", O_WRONLY},
                                                   {"/proc/self/oom_score_adj", O_WRONLY},
                                                   {"/root", O_RDONLY | O_DIRECTORY},
                                                   {"/tmp/candor-test", O_CREAT | O_RDWR}});
  if (opened.empty()) GTEST_SKIP() << "this kernel has no Landlock";
  for (const char* path : {"/dev/null", "/dev/urandom", "/proc/self/statm", "/proc/cpuinfo"}) {
    EXPECT_EQ(opened.at(path), 0) << path;
  }
  for (const char* path : {"/dev/zero", "/dev/shm/candor-test", "/dev/ptmx",
                           "/proc/sys/kernel/core_pattern", "/root", "/tmp/candor-test"}) {
    EXPECT_EQ(opened.at(path), EACCES) << path;
  }
  // Written by the children of an ordinary user, not by root's.
  EXPECT_EQ(opened.at("/proc/self/oom_score_adj"), geteuid() == 0 ? EACCES : 0);
}

TEST(FolderGrantsTest, AdaptersAndTemplatesMayBeReadAndNothingMakesTheDataFolderReadable) {
  const TemporaryFolder folder;
  config::Config config;
  config.data_dir = folder / "data";
  config::Model model;
  model.path = folder / "models" / "one.gguf";
  model.adapters = {folder / "adapters" / "two.gguf", folder / "three.gguf"};
  config.models.push_back(model);
  const auto grants = folder_grants(config, "/usr/bin");
  ASSERT_OK(grants);
  const auto has = [&](const Path& path) {
    return std::ranges::find(*grants, path, &store::FolderGrant::path) != grants->end();
  };
  EXPECT_TRUE(has(folder / "models") && has(folder / "adapters") && has(folder / "three.gguf"));
  EXPECT_FALSE(has(folder.path()));  // it holds the data folder
}

}  // namespace
}  // namespace candor::cli
