#include "gateway/refusals.h"

#include <algorithm>

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
    case Cause::kPolicy: return "policy";
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
  add({cause, status, std::string(source), std::string(caller), std::string(api)},
      {1, clock_.mono_us()});
}

void Refusals::add(Key key, Window more) {
  auto found = windows_.find(key);
  if (found == windows_.end() && windows_.size() >= kMaxSources) {
    std::get<2>(key) = "*";
    std::get<3>(key).clear();
    std::get<4>(key).clear();
    found = windows_.find(key);  // the causes and statuses of ours are few, so this stays bounded
  }
  if (found == windows_.end()) {
    windows_.emplace(std::move(key), more);
    return;
  }
  found->second.count += more.count;
  found->second.began_us = std::min(found->second.began_us, more.began_us);
}

void Refusals::flush(bool all) {
  const std::int64_t now = clock_.mono_us();
  for (auto it = windows_.begin(); it != windows_.end();) {
    if (!all && now - it->second.began_us < kWindowUs) {
      ++it;
      continue;
    }
    write(it->first, it->second);
    it = windows_.erase(it);
  }
}

void Refusals::write(Key key, Window window) {
  ledger::Refusal entry{.at = stamp_(),
                        .cause = std::string(to_string(std::get<0>(key))),
                        .status = static_cast<std::uint16_t>(std::get<1>(key)),
                        .caller = std::get<3>(key),
                        .api = std::get<4>(key),
                        .count = window.count,
                        .window_us = clock_.mono_us() - window.began_us};
  auto text = ledger::encode(entry);
  if (!text) return CANDOR_BUG("a refusal entry could not be encoded");
  const auto ack = acks_.submit_entry(*std::move(text), store::Priority::kNormal);
  ack->on_failure = [this, key = std::move(key), window]() mutable { add(std::move(key), window); };
}

}  // namespace candor::gateway
