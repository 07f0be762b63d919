#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/signer.h"

namespace candor::store {
namespace {

constexpr int kSocketInChild = 3;

// Owns the child too: closing the socket ends it, then it is waited for.
class ChildSigner final : public Signer {
 public:
  ChildSigner(std::unique_ptr<Signer> inner, pid_t pid) : inner_(std::move(inner)), pid_(pid) {}
  ChildSigner(const ChildSigner&) = delete;
  ChildSigner& operator=(const ChildSigner&) = delete;
  ~ChildSigner() override {
    inner_.reset();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  const LogKeys& keys() const override { return inner_->keys(); }
  Result<void> open(std::string_view last_head) override { return inner_->open(last_head); }
  Result<void> begin(const SignRequest& request) override { return inner_->begin(request); }
  Result<std::string> finish() override { return inner_->finish(); }
  Result<void> change_key(const KeyChangeAt& change) override { return inner_->change_key(change); }
  Result<void> drop_old_key() override { return inner_->drop_old_key(); }
  Result<void> replace_log(std::string_view head) override { return inner_->replace_log(head); }
  Result<void> confirm(std::uint64_t size) override { return inner_->confirm(size); }
  bool alive() const override { return inner_->alive(); }

 private:
  std::unique_ptr<Signer> inner_;
  pid_t pid_;
};

}  // namespace

Result<std::unique_ptr<Signer>> start_signer_process(const SignerProcessOptions& options) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(Code::kUnavailable, "no socket pair for the signer");
  }
  const std::string binary = options.binary.native();
  const std::string folder = options.folder.native();
  std::array<char*, 3> arguments{const_cast<char*>(binary.c_str()),
                                 const_cast<char*>(folder.c_str()), nullptr};
  std::array<char*, 1> environment{nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) {
    ::close(pair[0]);
    ::close(pair[1]);
    return fail(Code::kUnavailable, "the signer's process could not be made");
  }
  if (pid == 0) {
    // Only async-signal-safe calls. A group of its own: Ctrl-C at the terminal signals the whole of
    // the monitor's, and the signer is needed for the last entries.
    (void)::setpgid(0, 0);
    // dup2 onto itself would keep close-on-exec.
    if (pair[1] == kSocketInChild) {
      if (::fcntl(kSocketInChild, F_SETFD, 0) != 0) ::_exit(127);
    } else if (::dup2(pair[1], kSocketInChild) < 0) {
      ::_exit(127);
    }
    ::close_range(kSocketInChild + 1, ~0U, 0);
    ::execve(binary.c_str(), arguments.data(), environment.data());
    ::_exit(127);
  }
  ::close(pair[1]);
  return std::make_unique<ChildSigner>(TRY(signer_over_socket(pair[0])), pid);
}

}  // namespace candor::store
