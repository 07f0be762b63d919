// The signer as a service of its own (S5): a Unix socket on which one monitor at a time is served.
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "store/signer.h"

namespace candor::store {
namespace {

Result<sockaddr_un> address_of(const Path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = socket.native();
  if (name.empty() || name.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalidArgument, "the signer's socket has a name of 1 to 107 bytes");
  }
  std::memcpy(static_cast<void*>(address.sun_path), name.data(), name.size());
  return address;
}

std::optional<std::uint32_t> peer_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

// systemd's notification protocol (sd_notify(3)).
void tell_ready() {
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): set once
  if (path == nullptr || *path == '\0') return;
  auto name = address_of(path);
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (!name || fd < 0) return;
  const std::size_t length = std::strlen(path);
  if (name->sun_path[0] == '@') name->sun_path[0] = '\0';
  constexpr std::string_view kReady = "READY=1";
  (void)::sendto(fd, kReady.data(), kReady.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&*name),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(fd);
}

}  // namespace

Result<int> listen_for_monitor(const Path& socket) {
  const sockaddr_un address = TRY(address_of(socket));
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Code::kUnavailable, "no socket for the monitor");
  struct stat there{};
  // One that an earlier run left; anything else is not ours to remove.
  if (::lstat(socket.c_str(), &there) == 0 && S_ISSOCK(there.st_mode))
    (void)::unlink(socket.c_str());
  const mode_t before = ::umask(0117);  // owner and group
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  (void)::umask(before);
  if (bound != 0 || ::listen(fd, 4) != 0) {
    const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): one thread yet
    ::close(fd);
    return fail(Code::kUnavailable, socket.native() + ": " + why);
  }
  return fd;
}

Result<void> serve_monitors(int listener, std::uint32_t client, FileSystem& files,
                            const Path& folder, Random& random, Clock& clock) {
  // A second signer over this folder could sign another history.
  const auto lock = TRY(files.lock(folder / "lock"));
  tell_ready();
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return fail(Code::kUnavailable, "the signer's socket failed");
    const auto user = peer_user(fd);
    if (user != client) {
      log_warning("signer.foreign_client", {{"uid", static_cast<std::uint64_t>(user.value_or(0))}});
      ::close(fd);
      continue;
    }
    // Each connection is a run: the state is read anew, and the monitor brings its last head.
    const auto served = serve_signer(fd, files, folder, random, clock);
    ::close(fd);
    // A hostile or broken monitor ends its run, a broken disk or key ends the signer.
    if (!served && served.error().code() != Code::kInvalidArgument &&
        served.error().code() != Code::kUnavailable) {
      return served;
    }
  }
}

Result<std::unique_ptr<Signer>> connect_signer(const Path& socket, std::uint32_t expected_uid) {
  const sockaddr_un address = TRY(address_of(socket));
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Code::kUnavailable, "no socket for the signer");
  auto signer = TRY(signer_over_socket(fd));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Code::kUnavailable, "the signer does not listen on " + socket.native());
  }
  if (peer_user(fd) != expected_uid) {
    return fail(Code::kPermissionDenied,
                "the process on " + socket.native() + " runs as another user");
  }
  return signer;
}

}  // namespace candor::store
