#include "gateway/halts.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace candor::gateway {
namespace {

bool covers(const Halt& halt, std::string_view model, std::string_view caller) noexcept {
  if (halt.scope == "all") return true;
  return halt.object == (halt.scope == "model" ? model : caller);
}

std::string shown_reason(const Halt& halt) {
  std::string text = strip_controls(halt.reason);
  std::ranges::replace(text, '\n', ' ');
  if (text.size() <= kMaxShownReason) return text;
  std::size_t end = kMaxShownReason;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

dialect::ErrorInfo halted_error(const Halt& halt) {
  std::string message = "An operator has stopped ";
  std::string what_to_do = "Ask the operator when it will be resumed.";
  if (halt.scope == "all") {
    message += "all models here";
  } else if (halt.scope == "model") {
    message += "this model";
    what_to_do = "Use another model (GET /v1/models lists them), or ask the operator.";
  } else {
    message += "all answers to you";
  }
  message += ". The reason given: \"" + shown_reason(halt) + "\". " + what_to_do;
  return dialect::make_error(dialect::ErrorKind::kPermission, std::move(message), "",
                             "stopped_by_operator");
}

Halts::Running::Running(Running&& other) noexcept
    : halts_(std::exchange(other.halts_, nullptr)), id_(other.id_) {}

Halts::Running& Halts::Running::operator=(Running&& other) noexcept {
  leave();
  halts_ = std::exchange(other.halts_, nullptr);
  id_ = other.id_;
  return *this;
}

void Halts::Running::leave() noexcept {
  if (halts_ != nullptr) halts_->running_.erase(id_);
  halts_ = nullptr;
}

const Halt* Halts::find(std::string_view model, std::string_view caller) const noexcept {
  const auto found =
      std::ranges::find_if(halts_, [&](const Halt& halt) { return covers(halt, model, caller); });
  return found == halts_.end() ? nullptr : &*found;
}

Halts::Running Halts::watch(std::string model, std::string caller, http::StopSource& stop) {
  const std::uint64_t id = next_++;
  running_.emplace(id,
                   Exchange{.model = std::move(model), .caller = std::move(caller), .stop = &stop});
  return {this, id};
}

std::size_t Halts::put(Halt halt) {
  std::erase_if(halts_, [&](const Halt& older) {
    return older.scope == halt.scope && older.object == halt.object;
  });
  halts_.push_back(std::move(halt));
  const Halt& now = halts_.back();
  std::size_t stopped = 0;
  // Stopping one may end it, and with it its place in the list.
  for (auto it = running_.begin(); it != running_.end();) {
    const Exchange& exchange = (it++)->second;
    if (!covers(now, exchange.model, exchange.caller)) continue;
    exchange.stop->request(http::StopReason::kHalted);
    ++stopped;
  }
  return stopped;
}

const Halt* Halts::in_force(std::string_view scope, std::string_view object) const noexcept {
  const auto found = std::ranges::find_if(
      halts_, [&](const Halt& halt) { return halt.scope == scope && halt.object == object; });
  return found == halts_.end() ? nullptr : &*found;
}

bool Halts::remove(const Halt& halt) { return std::erase(halts_, halt) > 0; }

}  // namespace candor::gateway
