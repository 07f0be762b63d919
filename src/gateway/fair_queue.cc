#include "gateway/fair_queue.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include <boost/asio/steady_timer.hpp>

namespace candor::gateway {
namespace {

constexpr std::array<std::uint64_t, kTurnPriorities> kStrides{1, 3, 9};

}  // namespace

// In the frame of the coroutine that waits.
struct FairQueue::Waiter {
  Waiter(http::asio::any_io_executor executor, std::string c)
      : event(std::move(executor)), caller(std::move(c)) {}
  http::Event event;
  std::string caller;
  bool has_turn = false;
  std::optional<Refusal> refusal;
};

FairQueue::Turn& FairQueue::Turn::operator=(Turn&& other) noexcept {
  if (this != &other) {
    give_back();
    queue_ = std::move(other.queue_);
    caller_ = std::move(other.caller_);
  }
  return *this;
}

void FairQueue::Turn::give_back() noexcept {
  if (const auto queue = std::exchange(queue_, nullptr)) queue->leave(caller_);
}

void FairQueue::enter(Line& line) {
  ++running_;
  ++line.running;
  line.served = ++turns_;
}

void FairQueue::leave(const std::string& caller) {
  const auto line = lines_.find(caller);
  --running_;
  --line->second.running;
  if (line->second.running == 0 && line->second.waiters.empty()) lines_.erase(line);
  next();
}

// Somebody waits.
TurnPriority FairQueue::next_priority() {
  std::array<bool, kTurnPriorities> waits{};
  for (const auto& [caller, line] : lines_) {
    if (!line.waiters.empty()) waits[static_cast<std::size_t>(line.priority)] = true;
  }
  std::size_t best = kTurnPriorities;
  for (std::size_t i = 0; i < kTurnPriorities; ++i) {
    if (!waits[i]) continue;
    passes_[i] = std::max(passes_[i], pass_);
    if (best == kTurnPriorities || passes_[i] < passes_[best]) best = i;
  }
  pass_ = passes_[best];
  passes_[best] += kStrides[best];
  return static_cast<TurnPriority>(best);
}

void FairQueue::next() {
  while (waiting_ > 0 && (slots_ == 0 || running_ < slots_)) {
    const TurnPriority priority = next_priority();
    Line* best = nullptr;
    for (auto& [caller, line] : lines_) {
      if (line.waiters.empty() || line.priority != priority) continue;
      if (best == nullptr ||
          std::tie(line.running, line.served) < std::tie(best->running, best->served)) {
        best = &line;
      }
    }
    Waiter& waiter = *best->waiters.front();
    best->waiters.pop_front();
    --waiting_;
    enter(*best);
    waiter.has_turn = true;
    waiter.event.set();
  }
}

void FairQueue::end(Waiter& waiter, Refusal why) {
  if (waiter.has_turn || waiter.refusal) return;
  waiter.refusal = why;
  const auto line = lines_.find(waiter.caller);
  std::erase(line->second.waiters, &waiter);
  --waiting_;
  if (line->second.running == 0 && line->second.waiters.empty()) lines_.erase(line);
  waiter.event.set();
}

// The newest request of whoever waits with most gives way, if that is more than `mine` and one.
bool FairQueue::make_room(std::size_t mine) {
  const auto most = std::ranges::max_element(
      lines_, {}, [](const auto& line) { return line.second.waiters.size(); });
  if (most == lines_.end() || most->second.waiters.size() <= mine + 1) return false;
  end(*most->second.waiters.back(), Refusal::kFull);
  return true;
}

http::Task<std::expected<FairQueue::Turn, FairQueue::Refusal>> FairQueue::wait(
    std::string caller, TurnPriority priority, std::size_t slots, std::size_t room,
    std::chrono::steady_clock::time_point deadline, http::StopSource& stop) {
  const auto self = shared_from_this();
  slots_ = slots;
  if (slots_ == 0 || (running_ < slots_ && waiting_ == 0)) {
    enter(lines_[caller]);
    co_return Turn(self, std::move(caller));
  }
  if (waiting_ >= room) {
    const auto mine = lines_.find(caller);
    if (!make_room(mine == lines_.end() ? 0 : mine->second.waiters.size())) {
      co_return std::unexpected(Refusal::kFull);
    }
  }
  Waiter waiter(executor_, caller);
  Line& line = lines_[caller];
  line.priority = priority;
  line.waiters.push_back(&waiter);
  ++waiting_;
  next();  // the model may have got more slots
  http::asio::steady_timer timer(executor_, deadline);
  const auto over = std::make_shared<bool>(false);  // shared with the timer's handler
  timer.async_wait([this, &waiter, over](const boost::system::error_code& error) {
    if (!error && !*over) end(waiter, Refusal::kDeadline);
  });
  {
    const auto registration =
        stop.on_stop([&](http::StopReason) { end(waiter, Refusal::kStopped); });
    co_await waiter.event.wait();
  }
  *over = true;
  if (waiter.refusal) co_return std::unexpected(*waiter.refusal);
  co_return Turn(self, std::move(caller));
}

}  // namespace candor::gateway
