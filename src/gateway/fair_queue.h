// Turns at one model, shared fairly between callers (S17): as many at once as the model has slots;
// the next turn goes to the waiting caller who has the fewest, and among equals to the one who was
// served longest ago. Callers of a higher priority get more turns while others wait too, never all
// of them: of 13 turns that all three wait for, high gets 9, normal 3 and low 1 (C8). The waiting
// room is bounded; when it is full, whoever has most in it gives up a place to somebody who has
// fewer. io thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <string>

#include "http/task.h"

namespace candor::gateway {

enum class TurnPriority : std::uint8_t { kHigh, kNormal, kLow };
inline constexpr std::size_t kTurnPriorities = 3;

class FairQueue : public std::enable_shared_from_this<FairQueue> {
 public:
  explicit FairQueue(http::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  class Turn {  // given back when destroyed
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept = default;
    Turn& operator=(Turn&& other) noexcept;
    ~Turn() { give_back(); }

   private:
    friend class FairQueue;
    Turn(std::shared_ptr<FairQueue> queue, std::string caller)
        : queue_(std::move(queue)), caller_(std::move(caller)) {}
    void give_back() noexcept;
    std::shared_ptr<FairQueue> queue_;  // shared: a turn may outlive the model's configuration
    std::string caller_;
  };
  enum class Refusal : std::uint8_t {
    kFull,      // the room is full and this caller has no claim to a place
    kDeadline,  // no turn came in time
    kStopped,   // the client left, or the server stops
  };

  // slots: turns at once from now on, 0: no bound. room: how many may wait.
  [[nodiscard]] http::Task<std::expected<Turn, Refusal>> wait(
      std::string caller, TurnPriority priority, std::size_t slots, std::size_t room,
      std::chrono::steady_clock::time_point deadline, http::StopSource& stop);
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::size_t running() const noexcept { return running_; }

 private:
  struct Waiter;
  struct Line {
    std::deque<Waiter*> waiters;
    TurnPriority priority = TurnPriority::kNormal;  // as its newest request has it
    std::size_t running = 0;
    std::uint64_t served = 0;  // when last, as a count of all turns
  };
  void enter(Line& line);
  void leave(const std::string& caller);
  void next();
  [[nodiscard]] TurnPriority next_priority();
  void end(Waiter& waiter, Refusal why);
  [[nodiscard]] bool make_room(std::size_t mine);

  http::asio::any_io_executor executor_;
  std::map<std::string, Line, std::less<>> lines_;  // of callers who wait or run
  std::size_t slots_ = 0, running_ = 0, waiting_ = 0;
  std::uint64_t turns_ = 0;
  // Stride scheduling: the turn goes to the lowest, which then grows by its stride. A priority that
  // nobody waited in starts where the others are, so it saves up nothing.
  std::array<std::uint64_t, kTurnPriorities> passes_{};
  std::uint64_t pass_ = 0;
};

}  // namespace candor::gateway
