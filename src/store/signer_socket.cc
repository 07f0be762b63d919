// The signer behind one SOCK_SEQPACKET socket; the packets: internal/signer_packets.h.
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <thread>

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/internal/signer_core.h"
#include "store/internal/signer_packets.h"
#include "store/signer.h"

namespace candor::store {
namespace {

constexpr std::size_t kMaxPacket = 72U << 10U;
constexpr auto kSyncEvery = std::chrono::milliseconds(500);
constexpr auto kSpin = std::chrono::microseconds(60);  // two signatures and a wake-up

Result<void> send_packet(int fd, ByteView packet) {
  for (;;) {
    const auto put = ::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL);
    if (put == static_cast<ssize_t>(packet.size())) return {};
    if (put < 0 && errno == EINTR) continue;
    return fail(Code::kUnavailable, "the other side of the signer's socket is gone");
  }
}

// Empty: the peer has closed. Looks again and again for `spin` before it sleeps: an answer that is
// about to come costs less than a sleep and its wake-up. Yields, for the peer may need this
// processor.
Result<ByteView> receive_packet(int fd, std::span<std::byte> buffer,
                                std::chrono::microseconds spin = {}) {
  using Time = std::chrono::steady_clock;
  const auto until = spin.count() > 0 ? Time::now() + spin : Time::time_point::min();
  int flags = spin.count() > 0 ? MSG_TRUNC | MSG_DONTWAIT : MSG_TRUNC;
  for (;;) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), flags);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (Time::now() < until) {
        ::sched_yield();
      } else {
        flags = MSG_TRUNC;
      }
      continue;
    }
    if (got < 0) return fail(Code::kUnavailable, "the signer's socket failed");
    if (static_cast<std::size_t>(got) > buffer.size()) {
      return fail(Code::kInvalidArgument, "a packet above the bound");
    }
    return ByteView(buffer.first(static_cast<std::size_t>(got)));
  }
}

class SocketSigner final : public Signer {
 public:
  explicit SocketSigner(int fd) : fd_(fd), buffer_(kMaxPacket) {}
  SocketSigner(const SocketSigner&) = delete;
  SocketSigner& operator=(const SocketSigner&) = delete;
  ~SocketSigner() override { ::close(fd_); }

  const LogKeys& keys() const override { return keys_; }

  Result<void> open(std::string_view last_head) override { return ask('O', as_bytes(last_head)); }

  Result<void> begin(const SignRequest& request) override {
    packet_.assign(1, std::byte{'S'});
    put_u64(packet_, request.old_size);
    put_u64(packet_, request.new_size);
    put_bytes(packet_, request.new_root);
    put_u64(packet_, request.flushed_size);
    packet_.push_back(static_cast<std::byte>(request.proof.size()));
    for (const Digest& hash : request.proof) put_bytes(packet_, hash);
    return send_packet(fd_, packet_);
  }
  Result<std::string> finish() override { return std::string(as_text(TRY(receive()))); }

  Result<void> change_key(const KeyChangeAt& change) override {
    Bytes body;
    put_u64(body, change.index);
    put_u64(body, change.overlap_until);
    return ask('K', body);
  }
  Result<void> drop_old_key() override { return ask('D', {}); }
  Result<void> replace_log(std::string_view head) override { return ask('X', as_bytes(head)); }

  Result<void> confirm(std::uint64_t flushed_size) override {
    packet_.assign(1, std::byte{'C'});
    put_u64(packet_, flushed_size);
    TRY(send_packet(fd_, packet_));
    TRY(receive());
    return {};
  }
  bool alive() const override {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
  }

 private:
  // A request that is answered with the keys.
  Result<void> ask(char request, ByteView body) {
    packet_.assign(1, static_cast<std::byte>(request));
    put_bytes(packet_, body);
    TRY(send_packet(fd_, packet_));
    const ByteView answer = TRY(receive());
    keys_ = TRY(decode_log_keys(answer));
    return {};
  }
  Result<ByteView> receive() {
    const ByteView packet = TRY(receive_packet(fd_, buffer_, kSpin));
    if (packet.empty()) return fail(Code::kUnavailable, "the signer has ended");
    const auto code = std::to_integer<unsigned>(packet[0]);
    if (code == 0) return packet.subspan(1);
    if (code > 1 + static_cast<unsigned>(Code::kInternal)) {
      return fail(Code::kInternal, "the signer answers with an unknown code");
    }
    return fail(static_cast<Code>(code - 1), "signer: " + std::string(as_text(packet.subspan(1))));
  }

  int fd_;
  LogKeys keys_;
  Bytes buffer_, packet_;
};

// Syncs the state beside the signing, so that no signature waits for it.
class StateSyncer {
 public:
  explicit StateSyncer(SignerCore& core)
      : core_(core), thread_([this](const std::stop_token& stop) { run(stop); }) {}
  StateSyncer(const StateSyncer&) = delete;
  StateSyncer& operator=(const StateSyncer&) = delete;
  ~StateSyncer() {
    thread_.request_stop();
    wake_.notify_all();
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, kSyncEvery, [] { return false; });
      // A failure is remembered by the core, which then signs no more.
      (void)core_.sync_state();
    }
  }
  SignerCore& core_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Signer>> signer_over_socket(int descriptor) {
  return std::make_unique<SocketSigner>(descriptor);
}

Result<void> serve_signer(int descriptor, FileSystem& files, const Path& folder, Random& random,
                          Clock& /*clock*/) {
  auto core = TRY(SignerCore::open(files, folder, random));
  const StateSyncer syncer(*core);
  Bytes buffer(kMaxPacket);
  for (;;) {
    const ByteView packet = TRY(receive_packet(descriptor, buffer));
    if (packet.empty()) return {};
    TRY(send_packet(descriptor, answer_signer_packet(*core, packet)));
  }
}

}  // namespace candor::store
