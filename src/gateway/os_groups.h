// The groups of users of this machine, as the operating system names them (C7). The lookup may ask
// a directory server, so it runs on the workers; answers are kept for a while. io thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "http/task.h"

namespace candor::gateway {

// Of this machine's user with that number; "" if it has none. Blocks.
[[nodiscard]] std::string os_user_name(std::string_view uid);

class OsGroups {
 public:
  static constexpr std::int64_t kKeptUs = 60'000'000;
  static constexpr std::size_t kMaxUsers = 10'000;

  // Sorted; empty for a user whom the system does not know. A group without a name is its number.
  [[nodiscard]] http::Task<std::vector<std::string>> of(std::uint32_t uid, Clock& clock,
                                                        http::asio::thread_pool& workers);

 private:
  struct Known {
    std::vector<std::string> groups;
    std::int64_t at_us = 0;  // monotonic
  };
  std::unordered_map<std::uint32_t, Known> known_;
};

}  // namespace candor::gateway
