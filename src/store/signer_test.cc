#include "store/signer.h"

#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "ledger/merkle.h"

namespace candor::store {
namespace {

Digest leaf(std::uint64_t n) {
  Bytes bytes;
  put_u64(bytes, n);
  return ledger::hash_leaf(bytes);
}

// Speaks as the monitor would, honest or not: a tree, and requests over it.
class Tree {
 public:
  void grow(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) nodes_.append(leaf(salt_ + size() + 1));
  }
  void fork() { salt_ += 1'000'000; }
  [[nodiscard]] std::uint64_t size() const { return nodes_.frontier().size(); }
  [[nodiscard]] SignRequest request(std::uint64_t from, std::uint64_t flushed = 0) {
    proof_ = from == 0 ? ledger::Proof() : *ledger::prove_consistency(nodes_, from, size());
    return {.old_size = from,
            .new_size = size(),
            .new_root = nodes_.frontier().root(),
            .proof = proof_,
            .flushed_size = flushed};
  }

 private:
  ledger::RecentNodes nodes_;
  std::uint64_t salt_ = 0;
  ledger::Proof proof_;
};

// Every rule is tried in this process and behind a socket, as the real process serves it.
enum class Where : std::uint8_t { kHere, kBehindSocket };

class SignerTest : public testing::TestWithParam<Where> {
 protected:
  ~SignerTest() override { drop(); }

  void start() {
    drop();
    if (GetParam() == Where::kHere) {
      auto made = open_local_signer(real_file_system(), folder_ / "signer", system_random(),
                                    system_clock());
      ASSERT_OK(made);
      signer_ = *std::move(made);
      return;
    }
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    server_ = std::jthread([this, fd = pair[1]] {
      (void)serve_signer(fd, real_file_system(), folder_ / "signer", system_random(),
                         system_clock());
      ::close(fd);
    });
    auto made = signer_over_socket(pair[0]);
    ASSERT_OK(made);
    signer_ = *std::move(made);
  }
  void drop() {
    signer_.reset();
    if (server_.joinable()) server_.join();
  }

  TemporaryFolder folder_;
  std::unique_ptr<Signer> signer_;
  std::jthread server_;
  Tree tree_;
};

TEST_P(SignerTest, SignsWhatExtendsTheLastHeadAndTheSignatureVerifies) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(3);
  const auto first = signer_->sign(tree_.request(0));
  ASSERT_OK(first);
  tree_.grow(5);
  const auto second = signer_->sign(tree_.request(3, 3));
  ASSERT_OK(second);
  const auto head = ledger::open_checkpoint(*second, signer_->key());
  ASSERT_OK(head);
  EXPECT_EQ(head->head.size, 8U);
  EXPECT_EQ(head->head.origin, ledger::log_origin(signer_->key().key));
}

TEST_P(SignerTest, S5_AShrinkIsRefused) {
  start();
  ASSERT_OK(signer_->open(""));
  Tree shorter;
  shorter.grow(3);
  tree_.grow(8);
  ASSERT_OK(signer_->sign(tree_.request(0)));
  EXPECT_THAT(signer_->sign(shorter.request(0)), HasCode(Code::kPermissionDenied));
  SignRequest lie = shorter.request(0);
  lie.old_size = 8;
  EXPECT_THAT(signer_->sign(lie), HasCode(Code::kPermissionDenied));
  // And it still serves an honest request.
  tree_.grow(1);
  EXPECT_OK(signer_->sign(tree_.request(8)));
}

TEST_P(SignerTest, S5_AForkIsRefused) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(4);
  Tree fork;
  fork.fork();
  fork.grow(4);
  ASSERT_OK(signer_->sign(tree_.request(0)));
  // The same size with another root, a later size over another history, and one that skips a head.
  EXPECT_THAT(signer_->sign(fork.request(0)), HasCode(Code::kPermissionDenied));
  fork.grow(4);
  EXPECT_THAT(signer_->sign(fork.request(4)), HasCode(Code::kPermissionDenied));
  EXPECT_THAT(signer_->sign(fork.request(0)), HasCode(Code::kPermissionDenied));
  EXPECT_OK(signer_->sign(tree_.request(4)));  // identical: the same head again
}

TEST_P(SignerTest, S7_BothKeysSignFromTheChangeOnUntilTheOlderOneIsDropped) {
  start();
  ASSERT_OK(signer_->open(""));
  const ledger::VerifierKey first = signer_->key();
  tree_.grow(4);
  ASSERT_OK(signer_->sign(tree_.request(0)));
  // Only by an entry that is not written yet, and that the overlap covers.
  EXPECT_THAT(signer_->change_key({.index = 3, .overlap_until = 9}),
              HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(signer_->change_key({.index = 5, .overlap_until = 5}),
              HasCode(Code::kFailedPrecondition));
  ASSERT_OK(signer_->change_key({.index = 4, .overlap_until = 8}));
  ASSERT_EQ(signer_->keys().keys.size(), 2U);
  const ledger::VerifierKey second = signer_->key();
  EXPECT_EQ(signer_->keys().keys.front(), first);
  EXPECT_EQ(second.name, first.name);
  // Its entry is not signed over yet: asked again, the same key.
  ASSERT_OK(signer_->change_key({.index = 5, .overlap_until = 9}));
  EXPECT_EQ(signer_->key(), second);
  tree_.grow(4);
  const auto head = signer_->sign(tree_.request(4, 4));
  ASSERT_OK(head);
  EXPECT_OK(ledger::open_checkpoint(*head, first));
  EXPECT_OK(ledger::open_checkpoint(*head, second));
  EXPECT_THAT(signer_->change_key({.index = 8, .overlap_until = 12}),
              HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(signer_->drop_old_key(), HasCode(Code::kFailedPrecondition));
  ASSERT_OK(signer_->confirm(8));

  start();  // both keys are durable
  ASSERT_OK(signer_->open(*head));
  EXPECT_EQ(signer_->key(), second);
  EXPECT_EQ(signer_->keys().change, (KeyChangeAt{.index = 5, .overlap_until = 9}));
  tree_.grow(4);
  const auto last = signer_->sign(tree_.request(8));
  ASSERT_OK(last);
  ASSERT_OK(signer_->drop_old_key());
  EXPECT_EQ(signer_->keys().keys, std::vector<ledger::VerifierKey>{second});
  tree_.grow(1);
  const auto alone = signer_->sign(tree_.request(12));
  ASSERT_OK(alone);
  EXPECT_OK(ledger::open_checkpoint(*alone, second));
  EXPECT_THAT(ledger::open_checkpoint(*alone, first), HasCode(Code::kNotFound));
  EXPECT_THAT(signer_->drop_old_key(), HasCode(Code::kFailedPrecondition));
}

TEST_P(SignerTest, S7_ALogEndsOnlyWithItsLastHeadAndItsKeyIsGone) {
  start();
  ASSERT_OK(signer_->open(""));
  const ledger::VerifierKey first = signer_->key();
  tree_.grow(4);
  const auto early = signer_->sign(tree_.request(0));
  ASSERT_OK(early);
  tree_.grow(4);
  const auto last = signer_->sign(tree_.request(4));
  ASSERT_OK(last);
  ASSERT_OK(signer_->confirm(8));
  EXPECT_THAT(signer_->replace_log(*early), HasCode(Code::kDataLoss));
  EXPECT_EQ(signer_->key(), first);
  ASSERT_OK(signer_->replace_log(*last));
  EXPECT_NE(signer_->key().name, first.name);
  // A history of the ended log is nobody's here.
  EXPECT_THAT(signer_->open(*last), HasCode(Code::kDataLoss));
  const ledger::VerifierKey second = signer_->key();
  ASSERT_OK(signer_->replace_log(*last));  // asked again after a crash: done before
  EXPECT_EQ(signer_->key(), second);
  start();
  ASSERT_OK(signer_->open(""));
  EXPECT_EQ(signer_->key(), second);
  EXPECT_EQ(ledger::log_origin(second.key), second.name);
  Tree fresh;
  fresh.grow(2);
  EXPECT_OK(signer_->sign(fresh.request(0)));
}

TEST_P(SignerTest, TheSameHeadIsAnsweredWithTheSameNote) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(4);
  const auto first = signer_->sign(tree_.request(0));
  ASSERT_OK(first);
  const auto again = signer_->sign(tree_.request(4));
  ASSERT_OK(again);
  EXPECT_EQ(*first, *again);
}

TEST_P(SignerTest, S5_ARolledBackFolderIsRefusedAtTheNextStartWithBothSizes) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(4);
  const auto old_head = signer_->sign(tree_.request(0));
  ASSERT_OK(old_head);
  tree_.grow(6);
  ASSERT_OK(signer_->sign(tree_.request(4, 4)));
  ASSERT_OK(signer_->confirm(10));
  start();
  const auto refused = signer_->open(*old_head);
  ASSERT_THAT(refused, HasCode(Code::kDataLoss));
  EXPECT_NE(refused.error().message().find("size 4"), std::string::npos);
  EXPECT_NE(refused.error().message().find("size 10"), std::string::npos);
}

TEST_P(SignerTest, S5_ASignedButUnflushedHeadMayBeReplacedAfterACrash) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(4);
  const auto flushed = signer_->sign(tree_.request(0));
  ASSERT_OK(flushed);
  Tree other = tree_;
  tree_.grow(2);
  ASSERT_OK(signer_->sign(tree_.request(4, 4)));  // never flushed
  start();
  ASSERT_OK(signer_->open(*flushed));
  other.fork();
  other.grow(2);
  EXPECT_OK(signer_->sign(other.request(4)));
}

TEST_P(SignerTest, S5_TheJournalsHeadIsTakenWhereItIsNewerThanTheState) {
  start();
  ASSERT_OK(signer_->open(""));
  tree_.grow(4);
  ASSERT_OK(signer_->sign(tree_.request(0)));
  tree_.grow(4);
  const auto newest = signer_->sign(tree_.request(4, 4));
  ASSERT_OK(newest);
  start();
  ASSERT_OK(signer_->open(*newest));
  Tree fork;
  fork.fork();
  fork.grow(9);
  EXPECT_THAT(signer_->sign(fork.request(0)), HasCode(Code::kPermissionDenied));
  tree_.grow(1);
  EXPECT_OK(signer_->sign(tree_.request(8)));
}

TEST_P(SignerTest, AHeadOfAnotherKeyIsNotTaken) {
  TemporaryFolder elsewhere;
  auto other =
      open_local_signer(real_file_system(), elsewhere.path(), system_random(), system_clock());
  ASSERT_OK(other);
  ASSERT_OK((*other)->open(""));
  tree_.grow(4);
  const auto foreign = (*other)->sign(tree_.request(0));
  ASSERT_OK(foreign);
  start();
  EXPECT_THAT(signer_->open(*foreign), HasCode(Code::kDataLoss));
}

TEST_P(SignerTest, NothingIsSignedBeforeTheLastHeadIsKnownAndNothingUnflushedIsConfirmed) {
  start();
  tree_.grow(1);
  EXPECT_THAT(signer_->sign(tree_.request(0)), HasCode(Code::kPermissionDenied));
  ASSERT_OK(signer_->open(""));
  EXPECT_THAT(signer_->confirm(7), HasCode(Code::kPermissionDenied));
}

INSTANTIATE_TEST_SUITE_P(Signers, SignerTest, testing::Values(Where::kHere, Where::kBehindSocket),
                         [](const auto& it) {
                           return it.param == Where::kHere ? "Here" : "BehindSocket";
                         });

TEST(SignerSocketTest, MalformedPacketsAreRefusedAndTheSignerLivesOn) {
  TemporaryFolder folder;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  std::jthread server([&folder, fd = pair[1]] {
    (void)serve_signer(fd, real_file_system(), folder.path(), system_random(), system_clock());
    ::close(fd);
  });
  std::mt19937 random(7);
  std::array<char, 512> answer{};
  for (int i = 0; i < 2000; ++i) {
    std::string packet(2 + (random() % 200), '\0');
    for (char& c : packet) c = static_cast<char>(random());
    packet[0] = "OSCx"[random() % 4];
    ASSERT_EQ(::send(pair[0], packet.data(), packet.size(), 0),
              static_cast<ssize_t>(packet.size()));
    ASSERT_GT(::recv(pair[0], answer.data(), answer.size(), 0), 0);
    EXPECT_NE(answer[0], 0) << "nonsense was answered with success";
  }
  ::close(pair[0]);
}

TEST(SignerStateTest, ATornStateLeavesTheOneBefore) {
  FaultyFileSystem files;
  FakeClock clock;
  FakeRandom random(1);
  Tree tree;
  std::uint64_t confirmed_at = 0;
  std::string last;
  {
    auto signer = open_local_signer(files, "/signer", random, clock);
    ASSERT_OK(signer);
    ASSERT_OK((*signer)->open(""));
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t before = tree.size();
      tree.grow(2);
      auto note = (*signer)->sign(tree.request(before, before));
      ASSERT_OK(note);
      last = *note;
      ASSERT_OK((*signer)->confirm(tree.size()));
      if (i == 1) confirmed_at = files.points();
    }
  }
  for (std::uint64_t point = confirmed_at; point <= files.points(); ++point) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      auto after = files.crash(point, CrashPolicy::kRandom, seed);
      auto signer = open_local_signer(*after, "/signer", random, clock);
      ASSERT_OK(signer);
      EXPECT_OK((*signer)->open(last));
      // At least the head confirmed before is remembered: a folder without it is refused.
      auto again = open_local_signer(*after, "/signer", random, clock);
      ASSERT_OK(again);
      EXPECT_THAT((*again)->open(""), HasCode(Code::kDataLoss));
    }
  }
}

TEST(SignerStateTest, AStateThatCannotBeWrittenEndsSigning) {
  FaultyFileSystem files;
  FakeClock clock;
  FakeRandom random(1);
  auto signer = open_local_signer(files, "/signer", random, clock);
  ASSERT_OK(signer);
  ASSERT_OK((*signer)->open(""));
  Tree tree;
  tree.grow(1);
  ASSERT_OK((*signer)->sign(tree.request(0)));
  files.fail_at(files.points() + 1, Fault::kEio, FaultSpan::kOnce);
  EXPECT_FALSE((*signer)->confirm(1));
  tree.grow(1);
  EXPECT_THAT((*signer)->sign(tree.request(1)), HasCode(Code::kDataLoss));
}

}  // namespace
}  // namespace candor::store
