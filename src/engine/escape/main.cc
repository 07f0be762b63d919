// candor-escape: one attempt to get out of the engine's sandbox, in the engine's place (S10).
//
//   candor-escape ... -- --attempt NAME [--only MECHANISM] TARGETS     (engine/sealed_start.h)
//   candor-escape --table                                              the table of docs/sandbox.md
//
// Seals itself as candor-engine does, or with one mechanism alone, then prints one line to standard
// output: {"errno":1,"refused":true}. A test program, never installed.
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/escape/attempts.h"
#include "engine/sealed_start.h"

namespace {

using namespace candor::engine;

template <typename T>
bool to_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

struct Plan {
  const escape::Attempt* attempt = nullptr;
  Mechanisms mechanisms;
  bool counted_apart = false;  // in a user namespace of its own, where threads are counted
  escape::Targets targets;
};

bool take(Plan& plan, std::string_view name, const std::string& value) {
  escape::Targets& t = plan.targets;
  if (name == "--attempt") return (plan.attempt = escape::find_attempt(value)) != nullptr;
  if (name == "--only") {
    plan.mechanisms = {.seccomp = value == "seccomp",
                       .landlock = value == "landlock",
                       .limits = value == "limits",
                       .privileges = value == "privileges"};
    plan.counted_apart = plan.mechanisms.limits;
    return true;
  }
  if (name == "--folder") return !(t.folder = value).empty();
  if (name == "--abstract") return !(t.abstract_name = value).empty();
  if (name == "--tcp-port") return to_number(value, t.tcp_port);
  if (name == "--victim") return to_number(value, t.victim);
  if (name == "--victim-address") return to_number(value, t.victim_address);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc == 2 ? argv[1] : "";
  if (first == "--succeeded") return std::puts(R"({"errno":0,"refused":false})") < 0;
  if (first == "--table") return std::fputs(escape::markdown_table().c_str(), stdout) < 0;
  const auto start = parse_start(argc, argv);
  if (!start) return kBadUse;
  Plan plan;
  // In place of an engine that the supervisor started: the model's name is the attempt's.
  const bool as_engine = !start->words.empty() && start->words[0] == "--alias";
  if (as_engine && !take(plan, "--attempt", start->words[1])) return kBadUse;
  if (!as_engine && start->words.size() % 2 != 0) return kBadUse;
  for (std::size_t i = 0; !as_engine && i < start->words.size(); i += 2) {
    if (!take(plan, start->words[i], start->words[i + 1])) return kBadUse;
  }
  if (plan.attempt == nullptr || read_token(start->control_fd).empty()) return kBadUse;
  escape::Targets& targets = plan.targets;
  targets.control_fd = start->control_fd;
  targets.model_fd = start->model_fd;
  targets.report_fd = start->report_fd;
  targets.given_tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  targets.given_unix = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  targets.given_datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (plan.counted_apart && unshare(CLONE_NEWUSER) != 0) return kCannotSeal;
  if (const auto grants = seal_and_report(*start, plan.mechanisms); !grants) {
    std::fprintf(stderr, "cannot seal: %s\n", grants.error().message().c_str());
    return kCannotSeal;
  }
  errno = 0;
  const long result = plan.attempt->run(targets);
  const int error = result == -1 ? errno : 0;
  write_line(STDOUT_FILENO, "{\"errno\":" + std::to_string(error) +
                                ",\"refused\":" + (result == -1 ? "true" : "false") + "}");
  while (as_engine) sleep(1'000);
  _exit(0);
}
