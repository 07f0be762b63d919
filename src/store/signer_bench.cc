// What the signer's call costs per flush (S5): a head over one more batch of N entries, signed in
// this process, and by the process candor-signer over its socket, with one key and with two.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/testing/temporary_folder.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "store/signer.h"

namespace candor::store {
namespace {

enum class Where : std::uint8_t { kHere, kProcess };

class Served {
 public:
  explicit Served(Where where) {
    const Path folder = folder_ / "signer";
    if (where == Where::kHere) {
      signer_ = *open_local_signer(real_file_system(), folder, system_random(), system_clock());
      return;
    }
    int pair[2];
    CANDOR_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(pair[0]);
      (void)serve_signer(pair[1], real_file_system(), folder, system_random(), system_clock());
      ::_exit(0);
    }
    ::close(pair[1]);
    signer_ = *signer_over_socket(pair[0]);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    signer_.reset();
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  Signer& operator*() { return *signer_; }

 private:
  TemporaryFolder folder_;
  pid_t child_ = -1;
  std::unique_ptr<Signer> signer_;
};

void sign_batches(benchmark::State& state, Where where, bool two_keys) {
  Served served(where);
  Signer& signer = *served;
  CANDOR_CHECK(signer.open(""));
  if (two_keys) CANDOR_CHECK(signer.change_key({.index = 0, .overlap_until = UINT64_MAX}));
  const std::vector<Digest> leaves(static_cast<std::size_t>(state.range(0)),
                                   crypto::sha256(as_bytes("a leaf")));
  ledger::Frontier tree;
  std::string note;
  for (auto _ : state) {
    state.PauseTiming();  // the monitor's own work
    const std::uint64_t old_size = tree.size();
    const ledger::Proof proof = ledger::prove_append(tree, leaves);
    for (const Digest& leaf : leaves) tree.append(leaf);
    const Digest root = tree.root();
    state.ResumeTiming();
    auto signed_head = signer.sign({.old_size = old_size,
                                    .new_size = tree.size(),
                                    .new_root = root,
                                    .proof = proof,
                                    .flushed_size = old_size});
    CANDOR_CHECK(signed_head);
    note = *std::move(signed_head);
  }
  const auto head = ledger::open_checkpoint(note, signer.key());
  CANDOR_CHECK(head && head->head.size == tree.size() && head->head.root == tree.root());
}
BENCHMARK_CAPTURE(sign_batches, here, Where::kHere, false)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK_CAPTURE(sign_batches, process, Where::kProcess, false)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK_CAPTURE(sign_batches, process_two_keys, Where::kProcess, true)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace candor::store
