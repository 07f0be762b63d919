// The signer behind one SOCK_SEQPACKET socket: a request is one packet, an answer is one packet.
//   request  'O' head | 'S' u64 old, u64 new, 32 root, u64 flushed, u8 n, n * 32 | 'C' u64 flushed
//   answer   u8 0, then: 'O' 32 public key, origin; 'S' the checkpoint; 'C' nothing
//            u8 1 + Code, then a message for the operator
// Big-endian. The signer takes nothing else; a packet that is malformed ends it.
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <thread>

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/internal/signer_core.h"
#include "store/signer.h"

namespace candor::store {
namespace {

constexpr std::size_t kMaxPacket = 72U << 10U;
constexpr std::size_t kMaxProof = 128;
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

  const ledger::VerifierKey& key() const override { return key_; }

  Result<void> open(std::string_view last_head) override {
    packet_.assign(1, std::byte{'O'});
    put_bytes(packet_, as_bytes(last_head));
    TRY(send_packet(fd_, packet_));
    const ByteView answer = TRY(receive());
    ByteReader reader(answer);
    const Digest key = TRY(reader.digest());
    key_ = ledger::log_verifier_key(std::string(as_text(answer.subspan(key.size()))), key);
    if (!ledger::is_key_name(key_.name)) {
      return fail(Code::kInvalidArgument, "the signer names an impossible origin");
    }
    return {};
  }

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
  ledger::VerifierKey key_;
  Bytes buffer_, packet_;
};

Result<Bytes> answer_open(SignerCore& core, ByteView body) {
  TRY(core.take_last_head(as_text(body)));
  TRY(core.sync_state());
  Bytes out = to_bytes(core.key().key);
  put_bytes(out, as_bytes(core.key().name));
  return out;
}

Result<Bytes> answer_sign(SignerCore& core, ByteView body, std::vector<Digest>& proof) {
  ByteReader reader(body);
  SignRequest request;
  request.old_size = TRY(reader.u64());
  request.new_size = TRY(reader.u64());
  request.new_root = TRY(reader.digest());
  request.flushed_size = TRY(reader.u64());
  const std::uint8_t count = TRY(reader.u8());
  if (count > kMaxProof) return fail(Code::kInvalidArgument, "a proof above its bound");
  proof.clear();
  for (std::uint8_t i = 0; i < count; ++i) proof.push_back(TRY(reader.digest()));
  if (reader.remaining() != 0) return fail(Code::kInvalidArgument, "bytes after the request");
  request.proof = proof;
  return to_bytes(as_bytes(TRY(core.sign(request))));
}

Result<Bytes> answer_confirm(SignerCore& core, ByteView body) {
  ByteReader reader(body);
  const std::uint64_t size = TRY(reader.u64());
  if (reader.remaining() != 0) return fail(Code::kInvalidArgument, "bytes after the request");
  TRY(core.note_flushed(size));
  TRY(core.sync_state());
  return Bytes();
}

Result<Bytes> answer_to(SignerCore& core, ByteView packet, std::vector<Digest>& proof) {
  const ByteView body = packet.subspan(1);
  switch (static_cast<char>(packet[0])) {
    case 'O': return answer_open(core, body);
    case 'S': return answer_sign(core, body, proof);
    case 'C': return answer_confirm(core, body);
    default: return fail(Code::kInvalidArgument, "an unknown request");
  }
}

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
  Bytes out;
  std::vector<Digest> proof;
  for (;;) {
    const ByteView packet = TRY(receive_packet(descriptor, buffer));
    if (packet.empty()) return {};
    const auto answer = answer_to(*core, packet, proof);
    out.clear();
    if (answer) {
      out.push_back(std::byte{0});
      put_bytes(out, *answer);
    } else {
      out.push_back(static_cast<std::byte>(1 + static_cast<unsigned>(answer.error().code())));
      put_bytes(out, as_bytes(answer.error().message()));
    }
    TRY(send_packet(descriptor, out));
  }
}

Result<std::unique_ptr<Signer>> connect_signer(const Path& socket, std::uint32_t expected_uid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = socket.native();
  if (name.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalidArgument, "the signer's socket has a name above 107 bytes");
  }
  std::memcpy(static_cast<void*>(address.sun_path), name.data(), name.size());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Code::kUnavailable, "no socket for the signer");
  auto signer = std::make_unique<SocketSigner>(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Code::kUnavailable, "the signer does not listen on " + name);
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != expected_uid) {
    return fail(Code::kPermissionDenied, "the process on " + name + " runs as another user");
  }
  return signer;
}

}  // namespace candor::store
