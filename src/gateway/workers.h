// Work that may block (SQLite, file writes, sealing of large contents) off the io thread.
#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>

#include "http/task.h"

namespace candor::gateway {

// Runs work() on a thread of the pool and resumes on the caller's executor with its value.
template <typename Work>
[[nodiscard]] http::Task<std::invoke_result_t<Work&>> off_thread(http::asio::thread_pool& pool,
                                                                 Work work) {
  using Value = std::invoke_result_t<Work&>;
  co_return co_await http::asio::co_spawn(
      pool, [](Work inner) -> http::Task<Value> { co_return inner(); }(std::move(work)),
      http::asio::use_awaitable);
}

}  // namespace candor::gateway
