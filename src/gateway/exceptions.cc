#include "gateway/exceptions.h"

#include <algorithm>

#include "gateway/os_groups.h"

namespace candor::gateway {

std::vector<policy::ExceptionFact> Exceptions::of(std::string_view caller,
                                                  std::int64_t now_us) const {
  std::vector<policy::ExceptionFact> out;
  for (const RuleException& one : all_) {
    if (one.caller != caller || now_us < one.opened_us || now_us >= one.until_us) continue;
    out.push_back({.id = one.id, .rule = one.rule, .approved_by = one.approved_by});
  }
  return out;
}

const RuleException* Exceptions::find(const Id128& id) const noexcept {
  const auto found = std::ranges::find(all_, id, &RuleException::id);
  return found == all_.end() ? nullptr : &*found;
}

void Exceptions::put(RuleException one) {
  const auto found = std::ranges::find(all_, one.id, &RuleException::id);
  if (found != all_.end()) {
    *found = std::move(one);
  } else {
    all_.push_back(std::move(one));
  }
}

void Exceptions::remove(const Id128& id) {
  std::erase_if(all_, [&id](const RuleException& one) { return one.id == id; });
}

bool Exceptions::names(std::string_view subject) const noexcept {
  return std::ranges::any_of(all_, [subject](const RuleException& one) {
    return one.caller == subject || one.opened_by == subject || one.approved_by == subject;
  });
}

Result<void> may_approve(const Caller& approver, const RuleException& one,
                         std::string_view owner_of_beneficiary,
                         const std::vector<std::string>& approvers) {
  if (approver.by_os_user) {
    return fail(Code::kPermissionDenied,
                "an approval needs a credential of your own: an API key, a sign-in token or a "
                "client certificate");
  }
  const bool listed = std::ranges::any_of(approvers, [&approver](const std::string& who) {
    if (who.starts_with("group:")) {
      return std::ranges::find(approver.groups, who.substr(6)) != approver.groups.end();
    }
    return who == approver.name;
  });
  if (!listed) {
    return fail(Code::kPermissionDenied,
                "you are not among those who approve here; the operator lists them in "
                "policy.approvers");
  }
  if (approver.known_by == "api_key" && approver.owner.empty()) {
    return fail(Code::kPermissionDenied,
                "this key says not whose it is: one who approves needs a key with an owner");
  }
  const auto is_approver = [&approver](std::string_view name) {
    return !name.empty() && (name == approver.name || name == approver.owner ||
                             name == "oidc:" + approver.owner || name == "cert:" + approver.owner);
  };
  std::string opener = one.opened_by;
  if (opener.starts_with("uid:")) opener = os_user_name(opener.substr(4));
  if (is_approver(one.opened_by) || is_approver(opener)) {
    return fail(Code::kPermissionDenied, "you opened it yourself; somebody else has to approve");
  }
  std::string served = one.caller;
  if (served.starts_with("uid:")) served = os_user_name(served.substr(4));
  if (is_approver(one.caller) || is_approver(served) || is_approver(owner_of_beneficiary)) {
    return fail(Code::kPermissionDenied, "it is for yourself; somebody else has to approve");
  }
  return {};
}

}  // namespace candor::gateway
