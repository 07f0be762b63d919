// candor-engine: llama.cpp's server, sealed before it reads a byte of the model (S10, S11).
//
//   candor-engine ... -- LLAMA-SERVER-FLAGS              (engine/sealed_start.h)
//   candor-engine ... --kernel-probe TYPES               sealed too; TYPES as 2,3,8
//   candor-engine --version
//
// Flags come from the monitor alone; the environment is emptied. Exit: 0, 1 (server failed), 64
// (bad use), 70 (could not seal), 71 to 73 (the model's chat template; engine/sealed_start.h).
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "engine/kernel_probe.h"
#include "engine/sealed_start.h"
#include "engine/template_watch.h"
#include "server-http.h"

int llama_server(int argc, char** argv);

namespace {

using candor::engine::StartArguments;

// Takes the next connection from the monitor, or ends with it.
int accept_passed(int control) {
  for (;;) {
    char byte = 0;
    iovec part{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    const ssize_t got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) _exit(0);  // the monitor is gone, or the server stops
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int))) {
      continue;
    }
    int connection = -1;
    std::memcpy(&connection, CMSG_DATA(header), sizeof connection);
    return connection;
  }
}

int run_server(const StartArguments& arguments, const std::string& token) {
  g_server_inherited_listener = {.fd = arguments.control_fd, .accept = accept_passed};
  // The token stands in this process's memory only, never in a command line.
  std::vector<std::string> words = {"llama-server", "-m",
                                    "/proc/self/fd/" + std::to_string(arguments.model_fd),
                                    "--api-key", token};
  words.insert(words.end(), arguments.words.begin(), arguments.words.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  candor::engine::watch_templates(std::chrono::milliseconds(arguments.template_ms));
  return llama_server(static_cast<int>(words.size()), pointers.data());
}

}  // namespace

int main(int argc, char** argv) {
  clearenv();
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("candor-engine, llama.cpp " CANDOR_LLAMA_VERSION);
    return 0;
  }
  const auto arguments = candor::engine::parse_start(argc, argv);
  if (!arguments) {
    std::fprintf(stderr, "candor-engine: %s\n", arguments.error().message().c_str());
    return candor::engine::kBadUse;
  }
  std::string token;
  if (!arguments->kernel_probe) {
    token = candor::engine::read_token(arguments->control_fd);
    if (token.size() < 32) return candor::engine::kBadUse;
  }
  const auto grants = candor::engine::seal_and_report(*arguments);
  if (!grants) {
    std::fprintf(stderr, "candor-engine: cannot seal: %s\n", grants.error().message().c_str());
    return candor::engine::kCannotSeal;
  }
  if (arguments->kernel_probe) {
    candor::engine::write_line(arguments->report_fd,
                               candor::engine::run_kernel_probe(arguments->kernel_types));
    return 0;
  }
  close(arguments->report_fd);
  return run_server(*arguments, token);
}
