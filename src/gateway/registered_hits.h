// Who has hit registered values how often (L2). A refusal, or a mask, tells that a value is in a
// table; who may ask without end can read the table out by guessing. So whoever has hit more than a
// number of registered values within an hour is not answered until the hour is over, whatever the
// next request holds: then nothing more is to be learnt. Counted by caller, in memory: a restart
// begins anew.
//
// io thread only. Bounded: kMostCallers with the oldest forgotten first.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace candor::gateway {

class RegisteredHits {
 public:
  static constexpr std::size_t kMostCallers = 16'384;
  static constexpr std::int64_t kWindowUs = 3'600'000'000;

  // Seconds until the caller is answered again; 0: now. most: of an hour; 0: no limit.
  [[nodiscard]] std::uint32_t wait_s(std::string_view caller, std::uint32_t most,
                                     std::int64_t now_us) const;
  void add(std::string_view caller, std::uint32_t hits, std::int64_t now_us);

 private:
  struct Window {
    std::int64_t begin_us = 0;  // of the first hit
    std::uint64_t hits = 0;
  };
  std::map<std::string, Window, std::less<>> callers_;
};

}  // namespace candor::gateway
