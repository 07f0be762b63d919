// Reading what is not its own, and writing anywhere.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine/escape/attempts.h"

namespace candor::engine::escape {
namespace {

long read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  return fd < 0 ? -1 : read(fd, &byte, 1);
}
std::string of_victim(const Targets& t, std::string_view name) {
  return "/proc/" + std::to_string(t.victim) + "/" + std::string(name);
}
std::string own_fd(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

long grow_file(const Targets& t) {
  (void)signal(SIGXFSZ, SIG_IGN);
  const int fd = open(t.in("diary.txt").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  return fd < 0 ? -1 : write(fd, "x", 1);
}
long read_link(const std::string& path) {
  char buffer[256];
  return readlink(path.c_str(), buffer, sizeof buffer);
}
long file_facts(const Targets& t) {
  struct stat facts{};
  return stat(t.in("diary.txt").c_str(), &facts);
}
long file_facts_by_descriptor(const Targets& t) {
  struct stat facts{};
  const int fd = open(t.in("diary.txt").c_str(), O_PATH | O_CLOEXEC);
  return fd < 0 ? -1 : fstat(fd, &facts);
}
long watch_folder(const Targets& t) {
  const int fd = inotify_init1(IN_CLOEXEC);
  return fd < 0 ? -1 : inotify_add_watch(fd, t.folder.c_str(), IN_CREATE);
}

constexpr unsigned kBoth = kSeccomp | kLandlock;

constexpr Attempt kFiles[] = {
    {"read_user_file", "a file of the user", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("diary.txt")); }},
    {"read_ledger", "the ledger", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("data/ledger/checkpoint")); }},
    {"read_local_key", "the monitor's key", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("data/keys/local.key")); }},
    {"read_signing_key", "the log's signing key", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("data/signer/log.key")); }},
    {"read_other_model", "another model", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("other.gguf")); }},
    {"read_configuration", "the configuration", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(t.in("candor.toml")); }},
    {"read_accounts", "the machine's accounts", kLandlock, Control::kUser,
     [](const Targets&) { return read_file("/etc/passwd"); }},
    {"read_by_own_root", "the same through /proc/self/root", kLandlock, Control::kUser,
     [](const Targets&) { return read_file("/proc/self/root/etc/passwd"); }},
    {"read_by_others_root", "the same through another process's root", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(of_victim(t, "root/etc/passwd")); }},
    {"read_closed_file", "a file that only root may read past its mode", kLandlock | kPrivileges,
     Control::kRoot, [](const Targets& t) { return read_file(t.in("closed.txt")); }},
    {"list_folder", "the names in a folder", kLandlock, Control::kUser,
     [](const Targets& t) -> long {
       return open(t.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
     }},
    {"file_facts", "whether a file is there, its size and times", kSeccomp, Control::kUser,
     file_facts},
    {"file_facts_by_descriptor", "the same through a descriptor that opens nothing", kSeccomp,
     Control::kUser, file_facts_by_descriptor},
    {"may_read", "whether it may read a file", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return access(t.in("diary.txt").c_str(), R_OK); }},
    {"watch_folder", "watch a folder", kSeccomp, Control::kUser, watch_folder},
    {"create_file", "make a file", kLandlock, Control::kUser,
     [](const Targets& t) -> long {
       return open(t.in("made").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
     }},
    {"unnamed_file", "make a file without a name", kLandlock, Control::kIfThere,
     [](const Targets& t) -> long {
       return open(t.folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
     }},
    {"grow_file", "write to a file of the user", kLandlock | kLimits, Control::kUser, grow_file},
    {"truncate_file", "cut a file", kBoth, Control::kUser,
     [](const Targets& t) -> long { return truncate(t.in("scratch").c_str(), 0); }},
    {"delete_file", "delete a file", kBoth, Control::kUser,
     [](const Targets& t) -> long { return unlink(t.in("to-delete").c_str()); }},
    {"rename_file", "rename a file", kBoth, Control::kUser,
     [](const Targets& t) -> long {
       return rename(t.in("to-rename").c_str(), t.in("renamed").c_str());
     }},
    {"hard_link", "give a file a second name", kBoth, Control::kUser,
     [](const Targets& t) -> long {
       return link(t.in("scratch").c_str(), t.in("linked").c_str());
     }},
    {"symbolic_link", "make a symbolic link", kBoth, Control::kUser,
     [](const Targets& t) -> long { return symlink("/etc/passwd", t.in("symlink").c_str()); }},
    {"make_folder", "make a folder", kBoth, Control::kUser,
     [](const Targets& t) -> long { return mkdir(t.in("made-folder").c_str(), 0700); }},
    {"make_pipe", "make a named pipe", kBoth, Control::kUser,
     [](const Targets& t) -> long { return mkfifo(t.in("made-pipe").c_str(), 0600); }},
    {"make_device", "make a device file", kBoth | kPrivileges, Control::kRoot,
     [](const Targets& t) -> long {
       return mknod(t.in("made-device").c_str(), S_IFCHR | 0600, makedev(1, 3));
     }},
    {"change_mode", "change a file's mode", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return chmod(t.in("scratch").c_str(), 0666); }},
    {"change_owner", "change a file's owner", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return chown(t.in("scratch").c_str(), geteuid(), getegid()); }},
    {"change_times", "change a file's times", kSeccomp, Control::kUser,
     [](const Targets& t) -> long {
       return utimensat(AT_FDCWD, t.in("scratch").c_str(), nullptr, 0);
     }},
    {"change_attribute", "give a file an extended attribute", kSeccomp, Control::kIfThere,
     [](const Targets& t) -> long {
       return setxattr(t.in("scratch").c_str(), "user.candor", "x", 1, 0);
     }},
    {"change_folder", "go to a folder", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return chdir(t.folder.c_str()); }},
    {"reopen_model_for_writing", "its own model, for writing", kLandlock, Control::kUser,
     [](const Targets& t) -> long { return open(own_fd(t.model_fd).c_str(), O_RDWR | O_CLOEXEC); }},
    {"lock_model", "lock the model's file against others", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return flock(t.model_fd, LOCK_EX | LOCK_NB); }},
    {"lease_model", "take a lease on the model's file", kSeccomp, Control::kUser,
     [](const Targets& t) -> long { return fcntl(t.model_fd, F_SETLEASE, F_RDLCK); }},
    {"open_device", "a device", kLandlock, Control::kUser,
     [](const Targets&) -> long { return open("/dev/null", O_RDWR | O_CLOEXEC); }},
    {"open_own_memory", "its own memory as a file, past page rights", kLandlock, Control::kUser,
     [](const Targets&) -> long { return open("/proc/self/mem", O_RDWR | O_CLOEXEC); }},
    {"spare_me", "be the last that the kernel ends for memory", kLandlock, Control::kUser,
     [](const Targets&) -> long {
       const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
       return fd < 0 ? -1 : write(fd, "1000", 4);
     }},
    {"others_memory_file", "another process's memory as a file", kLandlock, Control::kUser,
     [](const Targets& t) -> long { return open(of_victim(t, "mem").c_str(), O_RDONLY); }},
    {"others_environment", "another process's environment", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(of_victim(t, "environ")); }},
    {"others_words", "another process's command line", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(of_victim(t, "cmdline")); }},
    {"others_descriptor", "a file through another process's descriptors", kLandlock, Control::kUser,
     [](const Targets& t) { return read_file(of_victim(t, "fd/0")); }},
    {"others_program", "what another process runs", kBoth, Control::kUser,
     [](const Targets& t) { return read_link(of_victim(t, "exe")); }},
};

}  // namespace

std::span<const Attempt> file_attempts() { return kFiles; }

}  // namespace candor::engine::escape
