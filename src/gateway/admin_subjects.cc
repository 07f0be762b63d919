// Whom a person means who types a name to the administration.
#include <array>
#include <optional>

#include <pwd.h>

#include "base/text.h"
#include "gateway/admin.h"

namespace candor::gateway {
namespace {

// "uid:1000" of a user of this machine.
std::optional<std::string> os_user(const std::string& name) {
  passwd entry{};
  passwd* user = nullptr;
  std::array<char, 4'096> buffer{};
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &user) != 0 ||
      user == nullptr) {
    return std::nullopt;
  }
  return "uid:" + std::to_string(user->pw_uid);
}

}  // namespace

// The subject's name for what a person typed: "key:<id>", "uid:<n>", a key's id or name, or a user
// of this machine. Blocks.
Result<std::string> Admin::subject_name(const std::string& typed) {
  if (typed.starts_with("key:") || typed.starts_with("uid:") || typed.starts_with("cert:") ||
      typed.starts_with("oidc:"))
    return typed;
  std::string found;
  for (const store::ApiKey& key : TRY(store_.state().list_api_keys())) {
    if (key.id == typed) return "key:" + key.id;
    if (key.name != typed) continue;
    if (!found.empty()) {
      return fail(Code::kFailedPrecondition,
                  "several keys have this name; give the id that `candor key list` shows");
    }
    found = "key:" + key.id;
  }
  if (!found.empty()) return found;
  if (const auto user = os_user(typed)) return *user;
  return fail(Code::kNotFound, "no key and no user of this machine has this name");
}

Result<std::string> Admin::living_subject(const std::string& typed) {
  std::string name = typed;
  std::string key;
  for (const store::ApiKey& one : TRY(store_.state().list_api_keys())) {
    if (one.revoked || (one.id != typed && one.name != typed && "key:" + one.id != typed)) continue;
    if (!key.empty()) {
      return fail(Code::kFailedPrecondition,
                  "several keys have this name; give the id that `candor key list` shows");
    }
    key = "key:" + one.id;
  }
  if (!key.empty()) {
    if (key != typed && os_user(typed)) {
      return fail(
          Code::kFailedPrecondition,
          "a key and a user of this machine have this name; write " + key + " or uid:NUMBER");
    }
    return key;
  }
  if (typed.starts_with("key:"))
    return fail(Code::kNotFound, "no key that is in force has this id");
  if (!typed.starts_with("oidc:") && !typed.starts_with("cert:") && !typed.starts_with("uid:")) {
    const auto user = os_user(typed);
    if (!user) {
      return fail(Code::kNotFound,
                  "no key and no user of this machine has this name; others are written oidc:NAME "
                  "or cert:NAME");
    }
    name = *user;
  }
  const std::string rest = name.substr(name.find(':') + 1);
  if (rest.empty() || (name.starts_with("uid:") && !parse_decimal(rest))) {
    return fail(Code::kInvalidArgument,
                "nobody is called so; write uid:NUMBER, oidc:NAME or cert:NAME");
  }
  return name;
}

}  // namespace candor::gateway
