// candor-signer: holds the log's signing key and signs tree heads that extend the last one (S5).
//   candor-signer FOLDER                                  on the inherited socket 3, until it
//   closes;
//                                                         started by candor serve as its first
//                                                         child
//   candor-signer --listen SOCKET --client USER FOLDER    under a user of its own
//   (packaging/signer/):
//                                                         one monitor of that user at a time
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/text.h"
#include "store/restrict.h"
#include "store/signer.h"

namespace {

using namespace candor;

constexpr int kInheritedSocket = 3;

struct Arguments {
  Path folder, listen;
  std::string client;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--listen" && has_value) {
      out.listen = argv[++i];
    } else if (word == "--client" && has_value) {
      out.client = argv[++i];
    } else if (word.starts_with("-") || !out.folder.empty()) {
      return std::nullopt;
    } else {
      out.folder = word;
    }
  }
  if (out.folder.empty() || out.listen.empty() != out.client.empty()) return std::nullopt;
  return out;
}

// A user's name or number.
Result<std::uint32_t> user_id(const std::string& text) {
  if (const auto number = parse_decimal(text); number && *number < UINT32_MAX) {
    return static_cast<std::uint32_t>(*number);
  }
  const passwd* user = ::getpwnam(text.c_str());  // NOLINT(concurrency-mt-unsafe): one thread yet
  if (user == nullptr) return fail(Code::kNotFound, "there is no user " + text);
  return user->pw_uid;
}

Result<void> run(const Arguments& arguments) {
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return fail(Code::kPermissionDenied, "this process can be dumped; it refuses to hold a key");
  }
  FileSystem& files = real_file_system();
  TRY(files.make_folders(arguments.folder));
  (void)files.sync_folder(arguments.folder.parent_path());
  if (arguments.listen.empty()) {
    TRY(store::restrict_signer(arguments.folder));
    return store::serve_signer(kInheritedSocket, files, arguments.folder, system_random(),
                               system_clock());
  }
  const auto client = TRY(user_id(arguments.client));
  const int listener = TRY(store::listen_for_monitor(arguments.listen));
  TRY(store::restrict_signer(arguments.folder));
  return store::serve_monitors(listener, client, files, arguments.folder, system_random(),
                               system_clock());
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    std::fputs(
        "usage: candor-signer FOLDER (with a socket as descriptor 3)\n"
        "       candor-signer --listen SOCKET --client USER FOLDER\n",
        stderr);
    return 2;
  }
  const auto done = run(*arguments);
  if (!done) {
    std::fprintf(stderr, "candor-signer: %s\n", done.error().message().c_str());
    return 1;
  }
  return 0;
}
