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

// The subject of the one key that is called so, by its id or its name; "" if none is.
Result<std::string> key_called(const std::vector<store::ApiKey>& keys, const std::string& typed,
                               bool in_force) {
  std::string found;
  for (const store::ApiKey& key : keys) {
    if (in_force && key.revoked) continue;
    if (key.id == typed || "key:" + key.id == typed) return "key:" + key.id;
    if (key.name != typed) continue;
    if (!found.empty()) {
      return fail(Code::kFailedPrecondition,
                  "several keys have this name; give the id that `candor key list` shows");
    }
    found = "key:" + key.id;
  }
  return found;
}

bool is_subject(std::string_view typed) {
  return typed.starts_with("key:") || typed.starts_with("uid:") || typed.starts_with("cert:") ||
         typed.starts_with("oidc:");
}

}  // namespace

// The subject's name for what a person typed: "key:<id>", "uid:<n>", a key's id or name, or a user
// of this machine; also of keys that are revoked, whose exchanges stand in the log. Blocks.
Result<std::string> Admin::subject_name(const std::string& typed) {
  if (is_subject(typed)) return typed;
  const auto keys = TRY(store_.state().list_api_keys());
  std::string key = TRY(key_called(keys, typed, /*in_force=*/false));
  if (!key.empty()) return key;
  if (const auto user = os_user(typed)) return *user;
  return fail(Code::kNotFound,
              "no key and no user of this machine has this name; others are written oidc:NAME or "
              "cert:NAME");
}

Result<std::string> Admin::living_subject(const std::string& typed) {
  const auto keys = TRY(store_.state().list_api_keys());
  std::string key = TRY(key_called(keys, typed, /*in_force=*/true));
  const auto user = os_user(typed);
  if (!key.empty() && user) {
    return fail(Code::kFailedPrecondition,
                "a key and a user of this machine have this name; write " + key + " or " + *user);
  }
  if (!key.empty()) return key;
  if (user) return *user;
  if (!is_subject(typed) || typed.starts_with("key:")) {
    return fail(Code::kNotFound,
                "no key in force and no user of this machine has this name; others are written "
                "oidc:NAME or cert:NAME");
  }
  const std::string_view rest = std::string_view(typed).substr(typed.find(':') + 1);
  if (rest.empty() || (typed.starts_with("uid:") && !parse_decimal(rest))) {
    return fail(Code::kInvalidArgument,
                "nobody is called so; write uid:NUMBER, oidc:NAME or cert:NAME");
  }
  return typed;
}

}  // namespace candor::gateway
