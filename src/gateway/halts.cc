#include "gateway/halts.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"

namespace candor::gateway {
namespace {

bool covers(const Halt& halt, std::string_view model, std::string_view caller) noexcept {
  if (halt.scope == "all") return true;
  if (by_weights(halt)) return false;
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

bool covers_files(const Halt& halt, std::span<const std::string> files) noexcept {
  return by_weights(halt) && std::ranges::find(files, halt.object) != files.end();
}

}  // namespace

bool by_weights(const Halt& halt) noexcept { return halt.scope.starts_with(store::kRevoked); }

std::vector<std::string> files_of(const ledger::Provenance& provenance) {
  std::vector<std::string> out{to_hex(provenance.weights)};
  for (const Digest& one : provenance.adapters) out.push_back(to_hex(one));
  return out;
}

dialect::ErrorInfo halted_error(const Halt& halt) {
  if (by_weights(halt)) {
    return dialect::make_error(
        dialect::ErrorKind::kPermission,
        "The weights of this model are revoked (sha256 " + halt.object.substr(0, 16) +
            "...), so they answer nobody here. The reason given: \"" + shown_reason(halt) +
            "\". Use another model (GET /v1/models lists them), or ask the operator.",
        "model", "model_revoked");
  }
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

void Halts::Running::answers_with(std::vector<std::string> files) {
  if (halts_ != nullptr) halts_->running_.at(id_).files = std::move(files);
}

const Halt* Halts::find_files(std::span<const std::string> files) const noexcept {
  const auto found =
      std::ranges::find_if(halts_, [&](const Halt& halt) { return covers_files(halt, files); });
  return found == halts_.end() ? nullptr : &*found;
}

Result<void> Halts::may_load(const std::string& model, std::vector<std::string> files) {
  const Halt* halt = find_files(files);
  loads_[model] = {.files = std::move(files), .refused = halt != nullptr};
  if (halt == nullptr) return {};
  return fail(Code::kPermissionDenied, "model '" + model + "' may not be loaded: sha256:" +
                                           halt->object + " is revoked: " + shown_reason(*halt));
}

const Halt* Halts::refused_load(std::string_view model) const noexcept {
  const auto found = loads_.find(model);
  return found == loads_.end() ? nullptr : find_files(found->second.files);
}

bool Halts::refused(std::string_view model) const noexcept {
  const auto found = loads_.find(model);
  return found != loads_.end() && found->second.refused;
}

std::vector<std::string> Halts::names_of(std::string_view file) const {
  std::vector<std::string> out;
  for (const auto& [name, asked] : loads_) {
    if (std::ranges::find(asked.files, file) != asked.files.end()) out.push_back(name);
  }
  return out;
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
  return stop_all(std::span(halts_).last(1));
}

std::size_t Halts::put_list(RevocationIssuer issuer, std::vector<Halt> halts) {
  const std::string scope = std::string(store::kRevoked) + "/" + issuer.key;
  std::erase_if(halts_, [&](const Halt& older) { return older.scope == scope; });
  std::erase_if(issuers_, [&](const RevocationIssuer& older) { return older.key == issuer.key; });
  issuers_.push_back(std::move(issuer));
  const std::size_t before = halts_.size();
  for (Halt& one : halts) {
    one.scope = scope;
    halts_.push_back(std::move(one));
  }
  return stop_all(std::span(halts_).subspan(before));
}

std::size_t Halts::stop_all(std::span<const Halt> halts) {
  std::size_t stopped = 0;
  // Stopping one may end it, and with it its place in the list.
  for (auto it = running_.begin(); it != running_.end();) {
    const Exchange& exchange = (it++)->second;
    if (std::ranges::none_of(halts, [&](const Halt& now) {
          return covers(now, exchange.model, exchange.caller) || covers_files(now, exchange.files);
        })) {
      continue;
    }
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
