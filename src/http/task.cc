#include "http/task.h"

namespace candor::http {

void StopSource::request(StopReason reason) {
  if (requested() || reason == StopReason::kNone) return;
  reason_ = reason;
  while (!entries_.empty()) {  // a function may drop other registrations
    Entry entry = std::move(entries_.front());
    entries_.erase(entries_.begin());
    entry.function(reason);
  }
}

StopSource::Registration StopSource::on_stop(std::move_only_function<void(StopReason)> function) {
  if (requested()) {
    function(reason_);
    return {};
  }
  const std::uint64_t id = next_id_++;
  entries_.push_back({id, std::move(function)});
  return {this, id};
}

void StopSource::Registration::release() noexcept {
  if (StopSource* source = std::exchange(source_, nullptr)) {
    std::erase_if(source->entries_, [this](const Entry& entry) { return entry.id == id_; });
  }
}

}  // namespace candor::http
