#include "engine/sealed_start.h"

#include <cerrno>
#include <charconv>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

namespace candor::engine {
namespace {

template <typename T>
bool to_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool take(StartArguments& out, std::string_view name, std::string_view value) {
  if (name == "--control-fd") return to_number(value, out.control_fd);
  if (name == "--model-fd") return to_number(value, out.model_fd);
  if (name == "--report-fd") return to_number(value, out.report_fd);
  if (name == "--data-limit") return to_number(value, out.data_limit);
  if (name == "--template-ms") return to_number(value, out.template_ms);
  if (name == "--readable-fd") return to_number(value, out.readable_fds.emplace_back(-1));
  if (name != "--kernel-probe") return false;
  out.kernel_probe = true;
  out.kernel_types = value;
  return true;
}

}  // namespace

Result<StartArguments> parse_start(int argc, char** argv) {
  const auto bad = [] {
    return fail(Code::kInvalidArgument, "started by candor serve only; see docs/architecture.md");
  };
  StartArguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--") {
      out.words.assign(argv + i + 1, argv + argc);
      break;
    }
    if (i + 1 >= argc || !take(out, name, argv[++i])) return bad();
  }
  if (out.report_fd < 0) return bad();
  if (!out.kernel_probe && (out.control_fd < 0 || out.model_fd < 0)) return bad();
  return out;
}

std::string read_token(int control_fd) {
  char buffer[256];
  const ssize_t got = recv(control_fd, buffer, sizeof buffer, 0);
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

Result<SandboxGrants> seal_and_report(const StartArguments& arguments,
                                      const Mechanisms& mechanisms) {
  SealRequest request;
  request.readable_fds = arguments.readable_fds;
  if (arguments.model_fd >= 0) request.readable_fds.push_back(arguments.model_fd);
  request.control_fd = arguments.control_fd;
  request.data_limit_bytes = arguments.data_limit;
  request.mechanisms = mechanisms;
  SandboxGrants grants = TRY(seal(request));
  write_line(arguments.report_fd, to_json(grants));
  return grants;
}

void write_line(int fd, std::string text) {
  text.push_back('\n');
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t wrote = write(fd, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

}  // namespace candor::engine
