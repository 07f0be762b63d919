#include "gateway/refusals.h"

#include "base/check.h"

namespace candor::gateway {

std::string_view to_string(Cause cause) noexcept {
  switch (cause) {
    case Cause::kMalformed: return "malformed";
    case Cause::kNotAuthenticated: return "not_authenticated";
    case Cause::kNotAllowed: return "not_allowed";
    case Cause::kUnknownModel: return "unknown_model";
    case Cause::kTooLarge: return "too_large";
    case Cause::kBusy: return "busy";
    case Cause::kQuota: return "quota";
    case Cause::kStopped: return "stopped";
    case Cause::kLedger: return "ledger";
    case Cause::kEngine: return "engine";
  }
  return "malformed";
}

Refusals::Refusals(AckQueue& acks, Stamper stamp, Clock& clock)
    : acks_(acks), stamp_(std::move(stamp)), clock_(clock) {}

void Refusals::add(Cause cause, int status, std::string_view source, std::string_view caller,
                   std::string_view api) {
  ++total_;
  Key key{cause, status, std::string(source), std::string(caller), std::string(api)};
  auto found = windows_.find(key);
  if (found == windows_.end() && windows_.size() >= kMaxSources) {
    std::get<2>(key) = "*";
    std::get<3>(key).clear();
    std::get<4>(key).clear();
    found = windows_.find(key);  // the causes and statuses of ours are few, so this stays bounded
  }
  if (found == windows_.end()) {
    found = windows_.emplace(std::move(key), Window{0, clock_.mono_us()}).first;
  }
  ++found->second.count;
}

void Refusals::flush(bool all) {
  const std::int64_t now = clock_.mono_us();
  for (auto it = windows_.begin(); it != windows_.end();) {
    const auto& [key, window] = *it;
    if (!all && now - window.began_us < kWindowUs) {
      ++it;
      continue;
    }
    ledger::Refusal entry{.at = stamp_(),
                          .cause = std::string(to_string(std::get<0>(key))),
                          .status = static_cast<std::uint16_t>(std::get<1>(key)),
                          .caller = std::get<3>(key),
                          .api = std::get<4>(key),
                          .count = window.count,
                          .window_us = now - window.began_us};
    auto text = ledger::encode(entry);
    if (text) {
      // Nobody waits: a ledger that does not take it refuses every exchange anyway.
      (void)acks_.submit_entry(*std::move(text), store::Priority::kNormal);
    } else {
      CANDOR_BUG("a refusal entry could not be encoded");
    }
    it = windows_.erase(it);
  }
}

}  // namespace candor::gateway
