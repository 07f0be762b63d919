#include "gateway/acks.h"

namespace candor::gateway {

struct AckQueue::Inbox {
  struct Item {
    std::shared_ptr<PendingAck> ack;
    Result<store::Acknowledgement> result;
  };
  std::mutex mutex;
  std::vector<Item> items;    // guarded by mutex
  AckQueue* queue = nullptr;  // io thread only
};

AckQueue::AckQueue(http::asio::io_context& io, store::Ledger& ledger, Clock& clock)
    : io_(io), ledger_(ledger), clock_(clock), inbox_(std::make_shared<Inbox>()) {
  inbox_->queue = this;
}

std::shared_ptr<PendingAck> AckQueue::submit(store::Submission submission) {
  auto ack = std::make_shared<PendingAck>(io_.get_executor());
  ++pending_;
  ledger_.submit(std::move(submission),
                 [inbox = inbox_, ack, io = &io_](Result<store::Acknowledgement> result) {
                   bool first = false;
                   {
                     const std::scoped_lock lock(inbox->mutex);
                     first = inbox->items.empty();
                     inbox->items.push_back({ack, std::move(result)});
                   }
                   if (first) http::asio::post(*io, [inbox] { inbox->queue->drain(); });
                 });
  return ack;
}

void AckQueue::drain() {
  std::vector<Inbox::Item> items;
  {
    const std::scoped_lock lock(inbox_->mutex);
    items.swap(inbox_->items);
  }
  const std::int64_t now = clock_.mono_us();
  pending_ -= items.size();
  for (Inbox::Item& item : items) {
    const bool failed = !item.result;
    item.ack->acknowledged_us = now;
    item.ack->result.emplace(std::move(item.result));
    if (failed && item.ack->on_failure) item.ack->on_failure();
    item.ack->on_failure = nullptr;
    if (item.ack->on_result) item.ack->on_result(*item.ack->result);
    item.ack->on_result = nullptr;
    item.ack->done.set();
  }
}

std::shared_ptr<PendingAck> AckQueue::submit_entry(std::string entry, store::Priority priority) {
  return submit({.entry = std::move(entry), .aux = {}, .priority = priority, .mark = {}});
}

http::Task<Result<store::Acknowledgement>> AckQueue::append_entry(std::string entry,
                                                                  store::Priority priority) {
  return append({.entry = std::move(entry), .aux = {}, .priority = priority, .mark = {}});
}

http::Task<Result<store::Acknowledgement>> AckQueue::append(store::Submission submission) {
  const auto ack = submit(std::move(submission));
  co_await ack->done.wait();
  co_return std::move(*ack->result);
}

}  // namespace candor::gateway
