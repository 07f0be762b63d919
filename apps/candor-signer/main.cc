// candor-signer FOLDER: holds the log's signing key and signs tree heads that extend the last one,
// on the inherited socket 3, until that closes (S5). Started by candor serve as its first child.
#include <cstdio>

#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/log.h"
#include "store/restrict.h"
#include "store/signer.h"

int main(int argc, char** argv) {
  using namespace candor;
  constexpr int kSocket = 3;
  if (argc != 2) {
    std::fputs("usage: candor-signer FOLDER (with a socket as descriptor 3)\n", stderr);
    return 2;
  }
  const Path folder = argv[1];
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0) {
    std::fputs("candor-signer: this process can be dumped; it refuses to hold a key\n", stderr);
    return 1;
  }
  if (const auto made = real_file_system().make_folders(folder); !made) {
    std::fprintf(stderr, "candor-signer: %s\n", made.error().message().c_str());
    return 1;
  }
  (void)real_file_system().sync_folder(folder.parent_path());
  if (const auto sealed = store::restrict_signer(folder); !sealed) {
    std::fprintf(stderr, "candor-signer: %s\n", sealed.error().message().c_str());
    return 1;
  }
  const auto served =
      store::serve_signer(kSocket, real_file_system(), folder, system_random(), system_clock());
  if (!served) {
    std::fprintf(stderr, "candor-signer: %s\n", served.error().message().c_str());
    return 1;
  }
  return 0;
}
