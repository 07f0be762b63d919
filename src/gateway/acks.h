// From the ledger's commit thread to the io thread: submits an entry and resumes whoever waits once
// it is acknowledged. A batch of acknowledgements wakes the io thread once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "http/task.h"
#include "store/ledger.h"

namespace candor::gateway {

// One submission. shared_ptr: the submitter and the commit thread's callback hold it, either may be
// the last. The fields are the io thread's.
struct PendingAck {
  explicit PendingAck(http::asio::any_io_executor executor) : done(std::move(executor)) {}
  http::Event done;
  std::optional<Result<store::Acknowledgement>> result;  // set before done
  std::int64_t acknowledged_us = 0;                      // monotonic
  std::move_only_function<void()> on_failure;            // io thread, before waiters resume
  // Likewise, whatever the result is.
  std::move_only_function<void(const Result<store::Acknowledgement>&)> on_result;
};

class AckQueue {
 public:
  AckQueue(http::asio::io_context& io, store::Ledger& ledger, Clock& clock);
  // io thread only. Waits in flight keep what they need alive; the io_context must outlive them.
  [[nodiscard]] std::shared_ptr<PendingAck> submit(store::Submission submission);
  // An entry that is no step of an exchange.
  [[nodiscard]] std::shared_ptr<PendingAck> submit_entry(std::string entry,
                                                         store::Priority priority);
  // Submits and waits.
  [[nodiscard]] http::Task<Result<store::Acknowledgement>> append(store::Submission submission);
  [[nodiscard]] http::Task<Result<store::Acknowledgement>> append_entry(std::string entry,
                                                                        store::Priority priority);
  // Submissions not yet acknowledged.
  [[nodiscard]] std::size_t pending() const noexcept { return pending_; }

 private:
  // Shared with callbacks on the commit thread, which may run while the queue is destroyed.
  struct Inbox;
  void drain();

  http::asio::io_context& io_;
  store::Ledger& ledger_;
  Clock& clock_;
  std::shared_ptr<Inbox> inbox_;
  std::size_t pending_ = 0;
};

}  // namespace candor::gateway
