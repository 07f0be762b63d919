// The escape suite (S10): every attempt of escape/attempts.h in the engine's own sandbox, with each
// of its mechanisms alone, and without any, so that a test which cannot fail would be seen.
// As S10 asks, by an unprivileged user: where this runs as root, by a child that gives root up.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "engine/escape/attempts.h"
#include "engine/internal/launcher.h"
#include "engine/sandbox.h"
#include "json/json.h"

namespace candor::engine::escape {
namespace {

constexpr std::uint64_t kDataLimit = 1ULL << 30U;
constexpr uid_t kNobody = 65'534;
constexpr int kSeen = -1'000;    // errno of an attempt that was not refused
constexpr int kBroken = -2'000;  // no answer
constexpr int kEnded = -3'000;   // the kernel ended it for a call that its filter does not know

enum class Mode : std::uint8_t {
  kExact,  // started by the Launcher as an engine is
  kSeccompAlone,
  kLandlockAlone,
  kNamespacesAlone,
  kLimitsAlone,
  kPrivilegesAlone,
  kLaunchAlone,
  kNothing,
};

struct ModeFacts {
  const char* only;
  unsigned mechanism;
  std::vector<int> errors;  // what a refusal looks like
};
const ModeFacts& facts_of(Mode mode) {
  static const std::map<Mode, ModeFacts> facts = {
      {Mode::kSeccompAlone, {"seccomp", kSeccomp, {EPERM, ENOSYS, ENOENT, kEnded}}},
      {Mode::kLandlockAlone, {"landlock", kLandlock, {EACCES, EPERM, EXDEV}}},
      {Mode::kNamespacesAlone,
       {"none", kNamespaces, {ESRCH, ENETUNREACH, ECONNREFUSED, EADDRNOTAVAIL}}},
      {Mode::kLimitsAlone, {"limits", kLimits, {ENOMEM, EAGAIN, EMFILE, EFBIG, EPERM}}},
      {Mode::kPrivilegesAlone, {"privileges", kPrivileges, {EPERM, EACCES}}},
      {Mode::kLaunchAlone, {"none", kLaunch, {ENOENT}}},
      {Mode::kNothing, {"none", 0, {}}},
  };
  return facts.at(mode);
}

std::string all_of(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

// What the attempts aim at: the files, listeners and the process of one user. Made by that user.
class Ground {
 public:
  explicit Ground(Path folder) : folder_(std::move(folder)) {
    for (const char* name : {"data/ledger", "data/keys", "data/signer"}) {
      std::filesystem::create_directories(folder_ / name);
    }
    for (const char* name :
         {"diary.txt", "data/ledger/checkpoint", "data/keys/local.key", "data/signer/log.key",
          "other.gguf", "candor.toml", "scratch", "to-delete", "to-rename", "model.gguf"}) {
      std::ofstream(folder_ / name) << std::string(8'192, 's');
    }
    if (geteuid() == 0) {  // for nobody else, not even an engine that runs as root
      std::ofstream(folder_ / "closed.txt") << "secret";
      (void)!chown((folder_ / "closed.txt").c_str(), kNobody - 1, kNobody - 1);
      (void)chmod((folder_ / "closed.txt").c_str(), 0600);
    }
    for (const char* name : {"listener.sock", "system_bus_socket", "engine.sock", "admin.sock"}) {
      listen_unix((folder_ / name).string(), false, SOCK_STREAM);
    }
    listen_unix((folder_ / "datagram.sock").string(), false, SOCK_DGRAM);
    abstract_ = "candor-escape-" + std::to_string(getpid());
    listen_unix(abstract_, true, SOCK_STREAM);
    listen_unix(abstract_ + ".dbus", true, SOCK_STREAM);
    listen_unix(abstract_ + ".dgram", true, SOCK_DGRAM);
    listen_tcp();
    model_ = OwnedFd(open((folder_ / "model.gguf").c_str(), O_RDONLY | O_CLOEXEC));
    start_victim();
  }
  ~Ground() {
    if (victim_ <= 1) return;
    kill(victim_, SIGKILL);
    (void)waitpid(victim_, nullptr, 0);
  }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  [[nodiscard]] int model() const { return model_.get(); }
  [[nodiscard]] std::vector<std::string> words() const {
    return {"--folder",         folder_.string(),
            "--abstract",       abstract_,
            "--tcp-port",       std::to_string(port_),
            "--victim",         std::to_string(victim_),
            "--victim-address", std::to_string(std::uintptr_t(&g_memory))};
  }

 private:
  void listen_unix(const std::string& name, bool abstract, int type) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + (abstract ? 1 : 0), sizeof address.sun_path - 2);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    if (type == SOCK_STREAM) (void)listen(fd, 64);
    listeners_.emplace_back(fd);
  }
  // One port for both versions.
  void listen_tcp() {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof four;
    const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(tcp, reinterpret_cast<sockaddr*>(&four), size) != 0) std::abort();
    (void)listen(tcp, 64);
    (void)getsockname(tcp, reinterpret_cast<sockaddr*>(&four), &size);
    port_ = ntohs(four.sin_port);
    listeners_.emplace_back(tcp);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = four.sin_port;
    six.sin6_addr = in6addr_loopback;
    const int tcp6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (tcp6 >= 0 && bind(tcp6, reinterpret_cast<sockaddr*>(&six), sizeof six) == 0) {
      (void)listen(tcp6, 64);
    }
    listeners_.emplace_back(tcp6);
  }
  void start_victim() {
    victim_ = fork();
    if (victim_ != 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    (void)dup2(open((folder_ / "diary.txt").c_str(), O_RDONLY), 0);
    for (;;) pause();
  }

  static inline char g_memory[8] = "victim!";
  Path folder_;
  std::string abstract_;
  int port_ = 0;
  std::vector<OwnedFd> listeners_;
  OwnedFd model_;
  pid_t victim_ = -1;
};

// The monitor stands under Landlock rules of its own (store/restrict.h), which its children inherit
// and which also forbid mounts; without them an engine might be granted more here than it ever is.
void restrict_as_the_monitor_is() {
  constexpr std::uint64_t kAllRights = (1U << 13U) - 1;
  const std::uint64_t handled = kAllRights;
  const long ruleset = syscall(444, &handled, sizeof handled, 0);
  if (ruleset < 0) return;  // this kernel has no Landlock
  struct [[gnu::packed]] {
    std::uint64_t rights = kAllRights;
    std::int32_t folder = open("/", O_PATH | O_CLOEXEC);
  } everything;
  if (syscall(445, ruleset, 1, &everything, 0) != 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(446, ruleset, 0) != 0) {
    std::abort();
  }
  close(static_cast<int>(ruleset));
  close(everything.folder);
}

class Harness {
 public:
  Harness(const Path& folder, int program_fd) : ground_(folder), program_fd_(program_fd) {}

  // errno of the refusal, or one of the k... above. Sets grants in exact mode.
  int run(const Attempt& attempt, Mode mode) {
    std::vector<std::string> words = {"--attempt", std::string(attempt.name)};
    for (std::string& word : ground_.words()) words.push_back(std::move(word));
    if (mode == Mode::kExact) return run_exact(std::move(words));
    words.insert(words.end(), {"--only", facts_of(mode).only});
    const bool unsealed = mode == Mode::kNothing && (attempt.refused_by & kLaunch) != 0;
    return unsealed ? run_carelessly(words) : run_spawned(words, mode);
  }
  SandboxGrants grants;

 private:
  int run_exact(std::vector<std::string> words) {
    SupervisorOptions options;
    options.scheduling = Scheduling::kBatch;  // idle would wait for other tests
    internal::Programs programs;
    programs.engine.fd = OwnedFd(dup(program_fd_));
    programs.null = OwnedFd(open("/dev/null", O_RDWR | O_CLOEXEC));
    internal::Launcher launcher(options, std::move(programs));
    auto started = launcher.start(
        {.model_fd = ground_.model(), .flags = std::move(words), .data_limit_bytes = kDataLimit});
    if (!started) {
      std::fprintf(stderr, "no start: %s\n", started.error().message().c_str());
      return kBroken;
    }
    grants = started->grants;
    const std::string text = all_of(started->errors.get());
    return verdict(text, wait_for_exit(started->child, 20'000).value_or(kBroken));
  }

  struct Ends {
    OwnedFd reader, writer, control, theirs, report_reader, report_writer;
  };
  static Ends ends() {
    int pipes[2][2];
    int pair[2];
    if (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      std::abort();
    }
    Ends out{OwnedFd(pipes[0][0]), OwnedFd(pipes[0][1]), OwnedFd(pair[0]),
             OwnedFd(pair[1]),     OwnedFd(pipes[1][0]), OwnedFd(pipes[1][1])};
    (void)send(out.control.get(), "token", 5, 0);
    return out;
  }
  static std::vector<std::string> with_words(const std::vector<std::string>& words) {
    std::vector<std::string> out = {"candor-escape",
                                    "--control-fd",
                                    "3",
                                    "--model-fd",
                                    "4",
                                    "--report-fd",
                                    "5",
                                    "--data-limit",
                                    std::to_string(kDataLimit),
                                    "--"};
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }

  int run_spawned(const std::vector<std::string>& words, Mode mode) {
    Ends e = ends();
    const OwnedFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    const bool namespaces = mode == Mode::kNamespacesAlone;
    auto child = spawner_.spawn({.binary_fd = program_fd_,
                                 .arguments = with_words(words),
                                 .descriptors = {{null.get(), 0},
                                                 {e.writer.get(), 1},
                                                 {e.writer.get(), 2},
                                                 {e.theirs.get(), 3},
                                                 {ground_.model(), 4},
                                                 {e.report_writer.get(), 5}},
                                 .use_namespaces = namespaces});
    if (!child) return kBroken;
    if (namespaces && !child->namespaces.network) return kBroken;
    e.writer.reset();
    const std::string text = all_of(e.reader.get());
    return verdict(text, wait_for_exit(*child, 20'000).value_or(kBroken));
  }

  // As a program that takes no care would start it: with its own environment and a descriptor more.
  int run_carelessly(const std::vector<std::string>& words) {
    Ends e = ends();
    std::vector<std::string> arguments = with_words(words);
    std::vector<char*> pointers;
    for (std::string& word : arguments) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      const int program = fcntl(program_fd_, F_DUPFD_CLOEXEC, 200);
      const int from[] = {e.writer.get(), e.writer.get(), e.theirs.get(), ground_.model(),
                          e.report_writer.get()};
      for (int i = 0; i < 5; ++i) (void)fcntl(from[i], F_DUPFD, 100 + 10 * i);
      for (int i = 0; i < 5; ++i) (void)dup2(100 + 10 * i, i + 1);
      char variable[] = "SECRET=1";
      char* const environment[] = {variable, nullptr};
      (void)fexecve(program, pointers.data(), environment);
      _exit(127);
    }
    e.writer.reset();
    const std::string text = all_of(e.reader.get());
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return verdict(text, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  }

  static int verdict(const std::string& text, int exit_code) {
    if (exit_code == -SIGSYS) return kEnded;
    const auto value = json::parse(text);
    if (exit_code != 0 || !value || !value->is_object()) {
      std::fprintf(stderr, "exit %d, said '%s'\n", exit_code, text.c_str());
      return kBroken;
    }
    const json::Object& object = value->get_object();
    const bool refused = object.at("refused").as_bool();
    return refused ? static_cast<int>(object.at("errno").as_int64()) : kSeen;
  }

  Ground ground_;
  int program_fd_;
  Spawner spawner_;
};

class EscapeTest : public ::testing::Test {
 protected:
  struct Outcome {
    std::map<std::string_view, int> errors;  // by attempt
    SandboxGrants grants;
  };

  // Every attempt that the filter picks, in a child process of the given user, on fresh ground.
  template <typename Pick>
  Outcome try_all(Mode mode, bool as_root, Pick pick) {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
    const Path ground = folder_ / fmt::format("{}-{}", static_cast<int>(mode), as_root);
    std::filesystem::create_directory(ground);
    std::filesystem::permissions(ground, std::filesystem::perms::all);
    const OwnedFd program(open(CANDOR_ESCAPE_PROGRAM, O_RDONLY | O_CLOEXEC));
    EXPECT_GE(program.get(), 0) << CANDOR_ESCAPE_PROGRAM;
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const OwnedFd reader(ends[0]);
    OwnedFd writer(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
      run_child(mode, as_root, pick, ground, program.get(), writer.get());
    }
    writer.reset();
    const std::string text = all_of(reader.get());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << text;
    Outcome out;
    std::size_t at = text.find('\n');
    if (const auto grants = grants_from_json(text.substr(0, at))) out.grants = *grants;
    while (at != std::string::npos && at + 1 < text.size()) {
      const std::size_t end = text.find('\n', at + 1);
      const std::string line = text.substr(at + 1, end - at - 1);
      const std::size_t space = line.find(' ');
      const Attempt* attempt = find_attempt(line.substr(0, space));
      if (attempt != nullptr) out.errors[attempt->name] = std::stoi(line.substr(space + 1));
      at = end;
    }
    return out;
  }

  static std::vector<const Attempt*> all() {
    std::vector<const Attempt*> out;
    for (const Group& group : all_groups()) {
      for (const Attempt& attempt : group.attempts) out.push_back(&attempt);
    }
    return out;
  }

  // Whatever the mechanism is said to refuse, it refuses when it is alone.
  void expect_refused_alone(Mode mode) {
    const ModeFacts& facts = facts_of(mode);
    std::size_t tried = 0;
    for (const bool as_root : {false, true}) {
      if (as_root && geteuid() != 0) continue;
      const auto pick = [&](const Attempt& a) {
        return (a.refused_by & facts.mechanism) != 0 && (a.control == Control::kRoot) == as_root;
      };
      const Outcome outcome = try_all(mode, as_root, pick);
      for (const Attempt* attempt : all()) {
        if (!pick(*attempt)) continue;
        ++tried;
        ASSERT_TRUE(outcome.errors.contains(attempt->name)) << attempt->name;
        const int error = outcome.errors.at(attempt->name);
        EXPECT_TRUE(std::ranges::find(facts.errors, error) != facts.errors.end() ||
                    (attempt->control == Control::kIfThere && absent(error)))
            << attempt->name << ": " << error << " " << std::strerror(error > 0 ? error : 0);
      }
    }
    EXPECT_GT(tried, 0U);
  }

  // The kernel has no such thing, or this machine has switched it off.
  static bool absent(int error) {
    for (const int known : {EAFNOSUPPORT, ENOSYS, EPROTONOSUPPORT, EADDRNOTAVAIL, ENETUNREACH,
                            ENODEV, EOPNOTSUPP, ENOPROTOOPT, ECONNREFUSED}) {
      if (error == known) return true;
    }
    return false;
  }

 private:
  template <typename Pick>
  [[noreturn]] static void run_child(Mode mode, bool as_root, Pick pick, const Path& ground,
                                     int program, int out) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    rlimit files{};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (!as_root && geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
         setresuid(kNobody, kNobody, kNobody) != 0)) {
      _exit(1);
    }
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (mode == Mode::kExact) restrict_as_the_monitor_is();
    std::string text;
    {
      Harness harness(ground, program);
      for (const Attempt* attempt : all()) {
        if (!pick(*attempt)) continue;
        text += fmt::format("{} {}\n", attempt->name, harness.run(*attempt, mode));
      }
      text = to_json(harness.grants) + "\n" + text;
    }
    const bool wrote = write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(wrote ? 0 : 1);
  }

  TemporaryFolder folder_;
};

bool every(const Attempt&) { return true; }

TEST_F(EscapeTest, S10_EveryAttemptIsRefusedInTheEnginesOwnSandbox) {
  const Outcome outcome = try_all(Mode::kExact, false, every);
  EXPECT_GE(outcome.errors.size(), 60U);
  EXPECT_EQ(outcome.errors.size(), all().size());
  for (const auto& [name, error] : outcome.errors) {
    EXPECT_NE(error, kSeen) << name << " was not refused";
    EXPECT_NE(error, kBroken) << name;
  }
  const SandboxGrants& g = outcome.grants;
  EXPECT_TRUE(g.confined()) << describe(g);
  EXPECT_TRUE(g.no_capabilities && g.not_dumpable && g.no_core && g.empty_environment);
  EXPECT_TRUE(g.parent_death_signal);
  EXPECT_EQ(g.scheduling, "batch");
  EXPECT_EQ(g.data_limit_bytes, kDataLimit);
  if (g.user_namespace) EXPECT_EQ(g.thread_limit, kMaxThreads);
}

TEST_F(EscapeTest, S10_EveryAttemptIsRefusedToAnEngineOfRootToo) {
  if (geteuid() != 0) GTEST_SKIP() << "not root";
  // Its threads are bounded by the monitor's watch (SupervisorTest), since no limit counts root's.
  const auto pick = [](const Attempt& a) { return a.name != "threads"; };
  for (const auto& [name, error] : try_all(Mode::kExact, true, pick).errors) {
    EXPECT_NE(error, kSeen) << name << " was not refused";
    EXPECT_NE(error, kBroken) << name;
  }
}

TEST_F(EscapeTest, S10_WithoutASandboxEveryAttemptSucceeds) {
  const auto of_user = [](const Attempt& a) { return a.control != Control::kRoot; };
  int absences = 0;
  for (const auto& [name, error] : try_all(Mode::kNothing, false, of_user).errors) {
    const bool may_be_absent = find_attempt(name)->control == Control::kIfThere;
    absences += may_be_absent && absent(error);
    EXPECT_TRUE(error == kSeen || (may_be_absent && absent(error)))
        << name << ": " << error << " " << std::strerror(error > 0 ? error : 0);
  }
  EXPECT_LT(absences, 12);
  if (geteuid() != 0) return;
  const auto of_root = [](const Attempt& a) { return a.control == Control::kRoot; };
  for (const auto& [name, error] : try_all(Mode::kNothing, true, of_root).errors) {
    EXPECT_EQ(error, kSeen) << name << ": " << std::strerror(error > 0 ? error : 0);
  }
}

TEST_F(EscapeTest, S10_SeccompAlone) { expect_refused_alone(Mode::kSeccompAlone); }

TEST_F(EscapeTest, S10_LandlockAlone) {
  const Outcome probe =
      try_all(Mode::kExact, false, [](const Attempt& a) { return a.name == "tcp4"; });
  if (!probe.grants.landlock_scope) GTEST_SKIP() << describe(probe.grants);
  expect_refused_alone(Mode::kLandlockAlone);
}

TEST_F(EscapeTest, S10_NamespacesAlone) {
  const Outcome probe =
      try_all(Mode::kExact, false, [](const Attempt& a) { return a.name == "tcp4"; });
  if (!probe.grants.network_namespace) GTEST_SKIP() << describe(probe.grants);
  expect_refused_alone(Mode::kNamespacesAlone);
}

TEST_F(EscapeTest, S10_LimitsAlone) { expect_refused_alone(Mode::kLimitsAlone); }
TEST_F(EscapeTest, S10_PrivilegesAlone) { expect_refused_alone(Mode::kPrivilegesAlone); }
TEST_F(EscapeTest, S10_LaunchAlone) { expect_refused_alone(Mode::kLaunchAlone); }

TEST(EscapeTableTest, S10_TheDocumentShowsTheProgramsOwnTable) {
  std::ifstream in(CANDOR_SANDBOX_PAGE);
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(page.find(markdown_table()), std::string::npos)
      << "paste the output of candor-escape --table into docs/sandbox.md";
}

}  // namespace
}  // namespace candor::engine::escape
