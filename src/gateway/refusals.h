// Refusals as entries, without letting a flood fill the log (S17): one entry for each cause, source
// and window, with a count. The number of different sources in a window is bounded; what comes
// beyond is counted under its cause alone. What the ledger does not take (a full disk) is kept and
// written once it does again. io thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "gateway/acks.h"
#include "gateway/engines.h"

namespace candor::gateway {

// The closed set of docs/formats/entries.md.
enum class Cause : std::uint8_t {
  kMalformed,
  kNotAuthenticated,
  kNotAllowed,
  kUnknownModel,
  kTooLarge,
  kBusy,
  kQuota,
  kPolicy,
  kStopped,
  kLedger,
  kEngine,
};
[[nodiscard]] std::string_view to_string(Cause cause) noexcept;

class Refusals {
 public:
  static constexpr std::size_t kMaxSources = 1'024;
  static constexpr std::int64_t kWindowUs = 10'000'000;

  Refusals(AckQueue& acks, Stamper stamp, Clock& clock);
  // source: an address or "unix:UID"; it tells windows apart and never stands in an entry. caller:
  // a pseudonym or "".
  void add(Cause cause, int status, std::string_view source, std::string_view caller,
           std::string_view api);
  // Writes the windows that are over; all of them at shutdown. Called by a timer of the gateway.
  void flush(bool all);
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

 private:
  using Key = std::tuple<Cause, int, std::string, std::string, std::string>;
  struct Window {
    std::uint64_t count = 0;
    std::int64_t began_us = 0;
  };
  void add(Key key, Window more);
  void write(Key key, Window window);

  AckQueue& acks_;
  Stamper stamp_;
  Clock& clock_;
  std::map<Key, Window> windows_;
  std::uint64_t total_ = 0;
};

}  // namespace candor::gateway
