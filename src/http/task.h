// Coroutines of the services: Boost.Asio's awaitables under one name, and the two small tools that
// the services share. This module owns Boost.Asio and Beast; higher modules may use Asio through
// this header and its includes, and link candor_http (which compiles Asio once for all).
//
// Thread rule: everything here belongs to one io_context that one thread runs. Another thread may
// only asio::post() into it.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"

namespace candor::http {

namespace asio = boost::asio;

template <typename T>
using Task = asio::awaitable<T>;

// One waiter, set once (until reset). set() before wait() makes wait() return at once. The waiter
// is resumed through the executor, never inside set(). An Event must outlive its waiter, and every
// wait must end in a set(): a waiter that is never resumed is a leak.
class Event {
 public:
  explicit Event(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set() {
    set_ = true;
    if (waiter_) asio::post(executor_, std::exchange(waiter_, nullptr));
  }
  void reset() noexcept { set_ = false; }
  [[nodiscard]] bool is_set() const noexcept { return set_; }

  [[nodiscard]] Task<void> wait() {
    if (set_) co_return;
    CANDOR_CHECK(!waiter_);
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) { waiter_ = std::move(handler); }, asio::use_awaitable);
  }

 private:
  asio::any_io_executor executor_;
  std::move_only_function<void()> waiter_;
  bool set_ = false;
};

// Why work should end before it is done. It is recorded in the ledger.
enum class StopReason : std::uint8_t {
  kNone,
  kClientGone,  // the client closed its connection, or cannot be written to
  kShutdown,    // the grace of a drain is over
  kDeadline,    // the exchange took longer than it may
  kHalted,      // an operator has stopped the model or the caller
};

// A stop request with a reason, for one exchange. The first request wins and runs each registered
// function once, in order of registration, inside request(). A stop never throws into a coroutine:
// whoever waits registers what ends its wait, looks at reason() afterwards and can still record
// what happened. io thread only.
class StopSource {
 public:
  class Registration {  // removes its function when destroyed
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept
        : source_(std::exchange(other.source_, nullptr)), id_(other.id_) {}
    Registration& operator=(Registration&& other) noexcept {
      release();
      source_ = std::exchange(other.source_, nullptr);
      id_ = other.id_;
      return *this;
    }
    ~Registration() { release(); }

   private:
    friend class StopSource;
    Registration(StopSource* source, std::uint64_t id) : source_(source), id_(id) {}
    void release() noexcept;
    StopSource* source_ = nullptr;
    std::uint64_t id_ = 0;
  };

  StopSource() = default;
  StopSource(const StopSource&) = delete;
  StopSource& operator=(const StopSource&) = delete;

  void request(StopReason reason);
  [[nodiscard]] bool requested() const noexcept { return reason_ != StopReason::kNone; }
  [[nodiscard]] StopReason reason() const noexcept { return reason_; }
  // Runs the function at once if the stop was requested already.
  [[nodiscard]] Registration on_stop(std::move_only_function<void(StopReason)> function);

 private:
  friend class Registration;
  struct Entry {
    std::uint64_t id;
    std::move_only_function<void(StopReason)> function;
  };
  std::vector<Entry> entries_;
  std::uint64_t next_id_ = 1;
  StopReason reason_ = StopReason::kNone;
};

}  // namespace candor::http
