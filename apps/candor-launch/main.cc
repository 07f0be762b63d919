// candor-launch: puts the sandbox around a llama-server that Candor did not build (engine.foreign),
// which cannot seal itself, and executes it. Started by the monitor (engine/internal/launcher.cc):
//
//   candor-launch --program-fd N --model-fd N --report-fd N --token-fd N --folder-fd N
//                 --library-folder DIR [--data-limit BYTES] -- ARGV OF THE PROGRAM
//
// What stays open to it beside the sandbox of candor-engine: to execute that one file and its
// loader, to read libraries, and to bind one Unix socket in the folder. Reports what was measured;
// not dumpable it cannot stay, since execve resets that. Exit: 64 (bad use), 70 (could not seal),
// 126 (could not execute).
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sandbox.h"
#include "engine/sealed_start.h"

namespace {

using namespace candor;

struct Arguments {
  std::map<std::string_view, int> descriptors;
  std::string library_folder;
  std::uint64_t data_limit = 0;
  std::vector<char*> words;  // ends with null
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
      out.words.assign(argv + i + 1, argv + argc);
      out.words.push_back(nullptr);
      break;
    }
    if (i + 1 >= argc) return false;
    const std::string_view value = argv[++i];
    if (name == "--library-folder") {
      out.library_folder = value;
    } else if (name == "--data-limit") {
      if (!to_number(value, out.data_limit)) return false;
    } else if (int fd = -1; name.ends_with("-fd") && to_number(value, fd)) {
      out.descriptors[name] = fd;
    } else {
      return false;
    }
  }
  for (const std::string_view name :
       {"--program-fd", "--model-fd", "--report-fd", "--token-fd", "--folder-fd"}) {
    if (!out.descriptors.contains(name)) return false;
  }
  return out.words.size() > 1;
}

}  // namespace

int main(int argc, char** argv) {
  clearenv();
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return engine::kBadUse;
  const auto& fd = arguments.descriptors;

  engine::SealRequest request;
  request.filter = engine::FilterKind::kForeign;
  request.readable_fds = {fd.at("--model-fd"), fd.at("--token-fd")};
  request.executable_fds = {fd.at("--program-fd")};
  request.writable_folder_fd = fd.at("--folder-fd");
  request.data_limit_bytes = arguments.data_limit;
  for (const std::string& folder : {std::string("/lib"), std::string("/usr/lib"),
                                    std::string("/etc/ld.so.cache"), arguments.library_folder}) {
    const int opened = open(folder.c_str(), O_PATH | O_CLOEXEC);
    if (opened >= 0) request.readable_fds.push_back(opened);
  }
  for (const char* loader : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}) {
    const int opened = open(loader, O_PATH | O_CLOEXEC);
    if (opened >= 0) request.executable_fds.push_back(opened);
  }
  auto grants = engine::seal(request);
  if (!grants) {
    std::fprintf(stderr, "candor-launch: cannot seal: %s\n", grants.error().message().c_str());
    return engine::kCannotSeal;
  }
  grants->not_dumpable = false;
  engine::write_line(fd.at("--report-fd"), engine::to_json(*grants));
  (void)fcntl(fd.at("--report-fd"), F_SETFD, FD_CLOEXEC);
  char* const environment[] = {nullptr};
  (void)syscall(SYS_execveat, fd.at("--program-fd"), "", arguments.words.data(), environment,
                AT_EMPTY_PATH);
  std::fputs("candor-launch: the engine's binary cannot be executed here\n", stderr);
  return 126;
}
