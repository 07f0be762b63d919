// The stop button (C13; EU AI Act, Art. 14(4)(e)): what an operator has stopped gets no answers
// until it is resumed, and what runs under it ends at once. The rows live in state.db, so a restart
// keeps them; this is their working copy and the list of exchanges under way. Revocations (D9) are
// halts of weights, by digest, whatever the model is called; a list of an issuer's is replaced as a
// whole (docs/formats/revocations.md). io thread only.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/dialect.h"
#include "http/task.h"
#include "ledger/entry.h"
#include "store/state_db.h"

namespace candor::gateway {

using store::Halt;
using store::RevocationIssuer;

// What the person is told whose request it stops. The reason is the operator's, without controls
// and cut to kMaxShownReason bytes (S19).
[[nodiscard]] dialect::ErrorInfo halted_error(const Halt& halt);
inline constexpr std::size_t kMaxShownReason = 256;
[[nodiscard]] bool by_weights(const Halt& halt) noexcept;
// SHA-256 in hex of what answers: weights, then adapters. None of what is only declared.
[[nodiscard]] std::vector<std::string> files_of(const ledger::Provenance& provenance);

class Halts {
 public:
  // An exchange under way; leaves the list when destroyed. Must not outlive the Halts.
  class Running {
   public:
    Running() = default;
    Running(Running&& other) noexcept;
    Running& operator=(Running&& other) noexcept;
    ~Running() { leave(); }

    // The placement is known: what answers, in hex.
    void answers_with(std::vector<std::string> files);

   private:
    friend class Halts;
    Running(Halts* halts, std::uint64_t id) : halts_(halts), id_(id) {}
    void leave() noexcept;
    Halts* halts_ = nullptr;
    std::uint64_t id_ = 0;
  };

  Halts() = default;
  explicit Halts(std::vector<Halt> halts, std::vector<RevocationIssuer> issuers = {})
      : halts_(std::move(halts)), issuers_(std::move(issuers)) {}

  // The first halt that this exchange falls under, or null. Valid until the next change.
  [[nodiscard]] const Halt* find(std::string_view model, std::string_view caller) const noexcept;
  // The first halt of one of these files, or null; likewise.
  [[nodiscard]] const Halt* find_files(std::span<const std::string> files) const noexcept;
  // Before files (likewise) are loaded under a name: kPermissionDenied, for operators.
  [[nodiscard]] Result<void> may_load(const std::string& model, std::vector<std::string> files);
  // may_load's last answer under this name was no.
  [[nodiscard]] bool refused(std::string_view model) const noexcept;
  // What may_load last refused under this name and still would, or null.
  [[nodiscard]] const Halt* refused_load(std::string_view model) const noexcept;
  // Names under which one of these files was to be loaded in this run.
  [[nodiscard]] std::vector<std::string> names_of(std::string_view file) const;
  // Tells the halts of an exchange. Its stop is requested (StopReason::kHalted) by put().
  [[nodiscard]] Running watch(std::string model, std::string caller, http::StopSource& stop);
  // Puts one in force, in place of one of the same scope and object, and stops what runs under it;
  // how many.
  std::size_t put(Halt halt);
  // Puts an issuer's list in force in place of its older one; the halts' scope is the issuer's. How
  // many running exchanges it stopped.
  std::size_t put_list(RevocationIssuer issuer, std::vector<Halt> halts);
  [[nodiscard]] const std::vector<RevocationIssuer>& issuers() const noexcept { return issuers_; }
  // Of this scope and object, or null.
  [[nodiscard]] const Halt* in_force(std::string_view scope,
                                     std::string_view object) const noexcept;
  // This one and no newer one of its scope and object.
  bool remove(const Halt& halt);
  [[nodiscard]] const std::vector<Halt>& all() const noexcept { return halts_; }

 private:
  struct Exchange {
    std::string model, caller;
    std::vector<std::string> files{};
    http::StopSource* stop = nullptr;
  };
  std::size_t stop_all(std::span<const Halt> halts);
  std::vector<Halt> halts_;
  std::vector<RevocationIssuer> issuers_;
  struct Asked {
    std::vector<std::string> files;
    bool refused = false;
  };
  std::map<std::string, Asked, std::less<>> loads_;  // may_load's last, by the model's name
  std::map<std::uint64_t, Exchange> running_;
  std::uint64_t next_ = 0;
};

}  // namespace candor::gateway
