// A ledger in memory whose acknowledgements a test holds back, releases or refuses. Its tree, its
// signatures and so its receipts are real. Thread-safe.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "crypto/sign.h"
#include "ledger/checkpoint.h"
#include "ledger/entry.h"
#include "ledger/merkle.h"
#include "store/ledger.h"

namespace candor::gateway {

class FakeLedger final : public store::Ledger {
 public:
  enum class Mode : std::uint8_t { kAcknowledge, kHold, kRefuse };

  void set_mode(Mode mode) {
    std::deque<Waiting> waiting;
    {
      const std::scoped_lock lock(mutex_);
      mode_ = mode;
      if (mode != Mode::kHold) waiting.swap(waiting_);
    }
    for (Waiting& item : waiting) finish(std::move(item), mode);
  }
  // Acknowledges the oldest submission that is held.
  bool release_one() {
    std::unique_lock lock(mutex_);
    if (waiting_.empty()) return false;
    Waiting item = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    finish(std::move(item), Mode::kAcknowledge);
    return true;
  }
  // Everything submitted, acknowledged or not, in order.
  std::vector<ledger::Entry> submitted() const {
    const std::scoped_lock lock(mutex_);
    std::vector<ledger::Entry> out;
    for (const std::string& text : texts_) out.push_back(ledger::decode(text).value());
    return out;
  }
  template <typename T>
  std::vector<T> submitted_of() const {
    std::vector<T> out;
    for (const ledger::Entry& entry : submitted()) {
      if (const T* found = std::get_if<T>(&entry)) out.push_back(*found);
    }
    return out;
  }
  std::size_t held() const {
    const std::scoped_lock lock(mutex_);
    return waiting_.size();
  }

  void submit(store::Submission submission, store::Acknowledged done) override {
    Waiting item;
    {
      const std::scoped_lock lock(mutex_);
      item = {texts_.size(), ledger::hash_leaf(as_bytes(submission.entry)), std::move(done)};
      texts_.push_back(std::move(submission.entry));
      nodes_.append(item.leaf);
      head_ = sign();
      if (mode_ == Mode::kHold) {
        waiting_.push_back(std::move(item));
        return;
      }
    }
    finish(std::move(item), mode_);
  }
  Result<std::vector<Digest>> prove(std::uint64_t index, std::uint64_t size) override {
    const std::scoped_lock lock(mutex_);
    return ledger::prove_inclusion(nodes_, index, size);
  }
  std::shared_ptr<const store::SignedHead> head() const override {
    const std::scoped_lock lock(mutex_);
    return head_;
  }
  Result<std::string> read(std::uint64_t index) override {
    const std::scoped_lock lock(mutex_);
    if (index >= texts_.size()) return fail(Code::kNotFound, "no such entry");
    return texts_[index];
  }
  const std::string& origin() const override { return origin_; }
  const std::string& verifier_key() const override { return verifier_key_; }
  Result<void> publish() override { return {}; }
  Result<void> health() const override {
    const std::scoped_lock lock(mutex_);
    if (!healthy_) return fail(Code::kDataLoss, "a test says so");
    return {};
  }
  // Begins anew; nothing may be held.
  void forget() {
    const std::scoped_lock lock(mutex_);
    CANDOR_CHECK(waiting_.empty());
    texts_.clear();
    nodes_ = ledger::RecentNodes();
    head_ = sign();
  }
  void set_healthy(bool healthy) {
    const std::scoped_lock lock(mutex_);
    healthy_ = healthy;
  }
  Result<void> close() override { return {}; }

 private:
  struct Waiting {
    std::uint64_t index = 0;
    Digest leaf{};
    store::Acknowledged done;
  };
  void finish(Waiting item, Mode mode) {
    if (mode == Mode::kRefuse) return item.done(fail(Code::kDataLoss, "a test says so"));
    item.done(store::Acknowledgement{.index = item.index, .leaf = item.leaf, .head = head()});
  }

  std::shared_ptr<const store::SignedHead> sign() const {
    auto head = std::make_shared<store::SignedHead>();
    head->size = nodes_.frontier().size();
    head->root = nodes_.frontier().root();
    const crypto::SigningKey* keys[] = {&key_};
    head->note = ledger::sign_checkpoint(
        {.origin = origin_, .size = head->size, .root = head->root, .extensions = {}}, keys);
    return head;
  }

  mutable std::mutex mutex_;
  Mode mode_ = Mode::kAcknowledge;
  bool healthy_ = true;
  std::vector<std::string> texts_;
  std::deque<Waiting> waiting_;
  ledger::RecentNodes nodes_;
  crypto::SigningKey key_ = crypto::SigningKey::from_seed(Sensitive<Digest>(Digest{}));
  std::string origin_ = ledger::log_origin(key_.public_key());
  std::string verifier_key_ =
      ledger::format_verifier_key(ledger::log_verifier_key(origin_, key_.public_key()));
  std::shared_ptr<const store::SignedHead> head_ = sign();
};

}  // namespace candor::gateway
