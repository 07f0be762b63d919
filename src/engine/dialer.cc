#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/child_process.h"
#include "engine/engine_client.h"

namespace candor::engine {
namespace {

constexpr std::chrono::seconds kConnectDeadline{10};
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

std::unexpected<Error> cannot_connect(const std::string& why) {
  return fail(Code::kUnavailable, "cannot connect to the engine: " + why);
}

class UnixDialer final : public Dialer {
 public:
  explicit UnixDialer(std::string path) : path_(std::move(path)) {}
  asio::awaitable<Result<Channel>> dial(asio::any_io_executor executor) override {
    if (path_.size() >= sizeof(sockaddr_un::sun_path)) {
      co_return fail(Code::kInvalidArgument, "the engine's socket path is too long");
    }
    asio::local::stream_protocol::socket socket(executor);
    boost::system::error_code ignored;
    asio::steady_timer timer(executor, kConnectDeadline);
    bool late = false;
    timer.async_wait([&](boost::system::error_code error) {
      if (error) return;
      late = true;
      socket.close(ignored);
    });
    const auto [error] =
        co_await socket.async_connect(asio::local::stream_protocol::endpoint(path_), kAsTuple);
    timer.cancel();
    // The timer's handler holds references to this frame: let it run before the frame ends.
    co_await asio::post(executor, asio::use_awaitable);
    if (late) co_return fail(Code::kDeadlineExceeded, "connecting to the engine took too long");
    if (error) co_return cannot_connect(error.message());
    socket.non_blocking(true, ignored);
    co_return Channel{StreamSocket(std::move(socket)), nullptr};
  }

 private:
  std::string path_;
};

// Sends one descriptor; the packet's byte means nothing.
bool pass_descriptor(int control, int descriptor) {
  char byte = 'c';
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  ssize_t sent = 0;
  do {
    sent = sendmsg(control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == 1;
}

class PassingDialer final : public Dialer {
 public:
  explicit PassingDialer(int control_fd) : control_(fcntl(control_fd, F_DUPFD_CLOEXEC, 0)) {}
  asio::awaitable<Result<Channel>> dial(asio::any_io_executor executor) override {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
      co_return cannot_connect(std::strerror(errno));
    }
    // The engine's end blocks, as its accept would give it.
    asio::local::stream_protocol::socket theirs(executor, asio::local::stream_protocol(), ends[1]);
    asio::local::stream_protocol::socket ours(executor, asio::local::stream_protocol(), ends[0]);
    boost::system::error_code ignored;
    theirs.native_non_blocking(false, ignored);
    ours.non_blocking(true, ignored);
    if (!pass_descriptor(control_.get(), ends[1])) co_return cannot_connect(std::strerror(errno));
    co_return Channel{StreamSocket(std::move(ours)), nullptr};
  }

 private:
  OwnedFd control_;
};

}  // namespace

std::shared_ptr<Dialer> unix_dialer(std::string path) {
  return std::make_shared<UnixDialer>(std::move(path));
}
std::shared_ptr<Dialer> passing_dialer(int control_fd) {
  return std::make_shared<PassingDialer>(control_fd);
}

}  // namespace candor::engine
