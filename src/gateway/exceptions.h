// Break-glass and approvals (C13, L9): a named exception from one rule for one caller, for a
// limited time and a reason. Whoever administrates the server opens it; where the rule wants it
// (and its default does) it counts once a second person has approved it with a credential of their
// own. On record before it counts; the rows live in state.db, this is their working copy. io thread
// only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/identity.h"
#include "policy/facts.h"
#include "store/state_db.h"

namespace candor::gateway {

using store::RuleException;

class Exceptions {
 public:
  Exceptions() = default;
  explicit Exceptions(std::vector<RuleException> all) : all_(std::move(all)) {}

  // What a decision about the caller must know of, at that wall time.
  [[nodiscard]] std::vector<policy::ExceptionFact> of(std::string_view caller,
                                                      std::int64_t now_us) const;
  [[nodiscard]] const RuleException* find(const Id128& id) const noexcept;
  void put(RuleException one);  // replaces one of the same id
  void remove(const Id128& id);
  // Whether one speaks of that subject: whom it serves, who opened or approved it.
  [[nodiscard]] bool names(std::string_view subject) const noexcept;
  [[nodiscard]] const std::vector<RuleException>& all() const noexcept { return all_; }

 private:
  std::vector<RuleException> all_;
};

// Who an approval may come from: subjects' names and "group:NAME" (policy.approvers).
// kPermissionDenied says why this caller may not approve this exception: nobody whose name is only
// that of an operating-system user, not who opened it and not whom it serves, nor a key of theirs.
// owner_of_beneficiary: of the key that it serves, or "".
[[nodiscard]] Result<void> may_approve(const Caller& approver, const RuleException& one,
                                       std::string_view owner_of_beneficiary,
                                       const std::vector<std::string>& approvers);

}  // namespace candor::gateway
