// A monitor that was taken over sends any packets in any order: the signer answers each with one
// packet in its form, every head that it signs extends the one before (never a shrink, never a
// fork), and it goes on serving an honest request.
#include <cstdint>

#include "base/check.h"
#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "ledger/checkpoint.h"
#include "ledger/merkle.h"
#include "store/internal/signer_packets.h"

namespace {

using namespace candor;

// Packets are built from the input's bytes, or by a small honest monitor that the input drives, so
// that the fuzzer gets past the proofs.
class Driver {
 public:
  explicit Driver(ByteView input) : input_(input) {
    auto core = store::SignerCore::open(files_, "/signer", random_);
    CANDOR_CHECK(core);
    core_ = *std::move(core);
  }

  void run() {
    while (!input_.empty()) {
      const auto choice = std::to_integer<unsigned>(take());
      switch (choice % 8) {
        case 0: send_raw(); break;
        case 1: honest('S', choice / 8); break;
        case 2: send({std::byte{'C'}}, flushed(choice / 8)); break;
        case 3: send({std::byte{'K'}}, change()); break;
        case 4: send({std::byte{'D'}}, {}); break;
        case 5: send({std::byte{'X'}}, to_bytes(as_bytes(last_note_))); break;
        case 6: send({std::byte{'O'}}, to_bytes(as_bytes(last_note_))); break;
        default: honest('F', choice / 8); break;  // of another history
      }
    }
  }

 private:
  std::byte take() {
    if (input_.empty()) return std::byte{0};
    const std::byte byte = input_.front();
    input_ = input_.subspan(1);
    return byte;
  }
  void send_raw() {
    const std::size_t size =
        std::min(input_.size(), std::size_t{1} + (std::to_integer<std::size_t>(take()) % 64));
    const Bytes packet = to_bytes(input_.first(std::min(size, input_.size())));
    input_ = input_.subspan(packet.size());
    if (!packet.empty()) send(packet, {});
  }
  Bytes flushed(unsigned back) {
    Bytes body;
    put_u64(body, last_.size - std::min<std::uint64_t>(last_.size, back));
    return body;
  }
  Bytes change() {
    Bytes body;
    put_u64(body, last_.size + std::to_integer<std::uint64_t>(take()));
    put_u64(body, last_.size + std::to_integer<std::uint64_t>(take()));
    return body;
  }
  void honest(char kind, unsigned count) {
    ledger::RecentNodes nodes = tree_;
    const std::uint64_t old_size = nodes.frontier().size();
    for (unsigned i = 0; i <= count; ++i) {
      Digest leaf{};
      leaf[0] = static_cast<std::byte>(nodes.frontier().size());
      leaf[1] = static_cast<std::byte>(kind);
      nodes.append(leaf);
    }
    const std::uint64_t size = nodes.frontier().size();
    const auto proof = old_size == 0 ? Result<ledger::Proof>(ledger::Proof())
                                     : ledger::prove_consistency(nodes, old_size, size);
    CANDOR_CHECK(proof);
    Bytes body;
    put_u64(body, old_size);
    put_u64(body, size);
    put_bytes(body, nodes.frontier().root());
    put_u64(body, 0);
    body.push_back(static_cast<std::byte>(proof->size()));
    for (const Digest& hash : *proof) put_bytes(body, hash);
    next_ = &nodes;
    send({std::byte{'S'}}, body);
    next_ = nullptr;
  }

  void send(Bytes packet, const Bytes& body) {
    put_bytes(packet, body);
    const std::string origin = core_->keys().keys.front().name;
    const Bytes answer = store::answer_signer_packet(*core_, packet);
    CANDOR_CHECK(!answer.empty());
    CANDOR_CHECK(std::to_integer<unsigned>(answer[0]) <=
                 1 + static_cast<unsigned>(Code::kInternal));
    const auto& keys = core_->keys();
    CANDOR_CHECK(keys.keys.size() == (keys.change ? 2U : 1U));
    if (keys.keys.front().name != origin) {  // another log: nothing of the old one can be signed
      CANDOR_CHECK(packet[0] == std::byte{'X'});
      last_ = {};
      last_note_.clear();
      tree_ = ledger::RecentNodes();
      return;
    }
    if (answer[0] != std::byte{0} || packet[0] != std::byte{'S'}) return;
    const std::string note(as_text(ByteView(answer).subspan(1)));
    for (const ledger::VerifierKey& key : keys.keys) {
      const auto head = ledger::open_checkpoint(note, key);
      CANDOR_CHECK(head);
      CANDOR_CHECK(head->head.size > last_.size ||
                   (head->head.size == last_.size && head->head.root == last_.root));
    }
    const auto head = ledger::open_checkpoint(note, keys.keys.back());
    if (last_.size != 0 && head->head.size > last_.size && next_ != nullptr) {
      const auto proof = ledger::prove_consistency(*next_, last_.size, head->head.size);
      CANDOR_CHECK(proof && ledger::verify_consistency(last_.size, head->head.size, last_.root,
                                                       head->head.root, *proof));
    }
    if (next_ != nullptr && head->head.size == next_->frontier().size()) tree_ = *next_;
    last_ = head->head;
    last_note_ = note;
  }

  ByteView input_;
  FaultyFileSystem files_;
  FakeRandom random_{4};
  std::unique_ptr<store::SignerCore> core_;
  ledger::RecentNodes tree_;
  ledger::RecentNodes* next_ = nullptr;
  ledger::Checkpoint last_;
  std::string last_note_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver(std::as_bytes(std::span(data, size))).run();
  return 0;
}
