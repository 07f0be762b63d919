// candor-engine: llama.cpp's server, sealed before it reads a byte of the model (S10, S11).
//
//   candor-engine --control-fd N --model-fd N --report-fd N [--readable-fd N]... [--data-limit
//   BYTES]
//                 -- LLAMA-SERVER-FLAGS
//     control: a connected Unix SOCK_SEQPACKET pair to the monitor. Its first packet is this
//     start's
//              token; each later packet carries one connected stream socket. End-of-file ends the
//              process: the engine has no address that anyone could connect to.
//     report:  one line of JSON with the measured grants, then end-of-file.
//   candor-engine --kernel-probe TYPES --report-fd N    (sealed too; TYPES as 2,3,8)
//   candor-engine --sandbox-probe ...                   (engine/sandbox_probe.h)
//   candor-engine --version
//
// Flags come from the monitor alone; the environment is emptied. Exit: 0, 1 (server failed), 64
// (bad use), 70 (could not seal).
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "engine/kernel_probe.h"
#include "engine/sandbox.h"
#include "engine/sandbox_probe.h"
#include "server-http.h"

int llama_server(int argc, char** argv);

namespace {

using candor::engine::SandboxGrants;
using candor::engine::SealRequest;

constexpr int kBadUse = 64;
constexpr int kCannotSeal = 70;

struct Arguments {
  int control_fd = -1;
  int model_fd = -1;
  int report_fd = -1;
  std::vector<int> readable_fds;
  std::uint64_t data_limit = 0;
  std::string kernel_types;
  bool kernel_probe = false;
  std::vector<std::string> server_flags;
};

template <typename T>
bool to_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--") {
      for (int j = i + 1; j < argc; ++j) out.server_flags.emplace_back(argv[j]);
      return true;
    }
    if (i + 1 >= argc) return false;
    const std::string_view value = argv[++i];
    int readable = -1;
    if (name == "--control-fd") {
      if (!to_number(value, out.control_fd)) return false;
    } else if (name == "--model-fd") {
      if (!to_number(value, out.model_fd)) return false;
    } else if (name == "--report-fd") {
      if (!to_number(value, out.report_fd)) return false;
    } else if (name == "--readable-fd") {
      if (!to_number(value, readable)) return false;
      out.readable_fds.push_back(readable);
    } else if (name == "--data-limit") {
      if (!to_number(value, out.data_limit)) return false;
    } else if (name == "--kernel-probe") {
      out.kernel_probe = true;
      out.kernel_types = value;
    } else {
      return false;
    }
  }
  return true;
}

void report(int fd, std::string text) {
  text.push_back('\n');
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t wrote = write(fd, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

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

std::string read_token(int control) {
  char buffer[256];
  const ssize_t got = recv(control, buffer, sizeof buffer, 0);
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

int run_server(const Arguments& arguments, const std::string& token) {
  g_server_inherited_listener = {.fd = arguments.control_fd, .accept = accept_passed};
  // The token stands in this process's memory only, never in a command line.
  std::vector<std::string> words = {"llama-server", "-m",
                                    "/proc/self/fd/" + std::to_string(arguments.model_fd),
                                    "--api-key", token};
  words.insert(words.end(), arguments.server_flags.begin(), arguments.server_flags.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return llama_server(static_cast<int>(words.size()), pointers.data());
}

}  // namespace

int main(int argc, char** argv) {
  clearenv();
  if (argc >= 2 && std::string_view(argv[1]) == "--sandbox-probe") {
    return candor::engine::sandbox_probe_main(argc - 2, argv + 2);
  }
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("candor-engine, llama.cpp " CANDOR_LLAMA_VERSION);
    return 0;
  }
  Arguments arguments;
  if (!parse(argc, argv, arguments) || arguments.report_fd < 0 ||
      (!arguments.kernel_probe && (arguments.control_fd < 0 || arguments.model_fd < 0))) {
    std::fputs("candor-engine is started by candor serve; see docs/architecture.md\n", stderr);
    return kBadUse;
  }
  std::string token;
  if (!arguments.kernel_probe) {
    token = read_token(arguments.control_fd);
    if (token.size() < 32) return kBadUse;
  }

  SealRequest request;
  request.readable_fds = arguments.readable_fds;
  if (arguments.model_fd >= 0) request.readable_fds.push_back(arguments.model_fd);
  request.control_fd = arguments.control_fd;
  request.data_limit_bytes = arguments.data_limit;
  const auto grants = candor::engine::seal(request);
  if (!grants) {
    std::fprintf(stderr, "candor-engine: cannot seal: %s\n", grants.error().message().c_str());
    return kCannotSeal;
  }
  report(arguments.report_fd, candor::engine::to_json(*grants));
  if (arguments.kernel_probe) {
    report(arguments.report_fd, candor::engine::run_kernel_probe(arguments.kernel_types));
    return 0;
  }
  close(arguments.report_fd);
  return run_server(arguments, token);
}
