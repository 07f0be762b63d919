#include "gateway/os_groups.h"

#include <algorithm>
#include <array>

#include <grp.h>
#include <pwd.h>

#include "base/text.h"
#include "gateway/workers.h"

namespace candor::gateway {
namespace {

constexpr std::size_t kMaxGroups = 1'024;
using Buffer = std::array<char, 65'536>;  // a group's entry lists its members

std::string group_name(gid_t gid, Buffer& buffer) {
  group entry{};
  group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::to_string(gid);
  }
  return found->gr_name;
}

std::vector<std::string> look_up(std::uint32_t uid) {
  std::vector<std::string> names;
  passwd entry{};
  passwd* user = nullptr;
  Buffer buffer{};
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &user) != 0 || user == nullptr) {
    return names;
  }
  std::vector<gid_t> groups(kMaxGroups);
  int count = static_cast<int>(groups.size());
  // Who is in more is known by the first ones, which is what the call leaves then.
  if (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) >= 0) {
    groups.resize(static_cast<std::size_t>(count));
  }
  Buffer names_buffer{};
  for (const gid_t gid : groups) names.push_back(group_name(gid, names_buffer));
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

}  // namespace

std::string os_user_name(std::string_view uid) {
  const auto number = parse_decimal(uid);
  passwd entry{};
  passwd* user = nullptr;
  Buffer buffer{};
  if (!number || *number > 0xFFFF'FFFFU ||
      ::getpwuid_r(static_cast<uid_t>(*number), &entry, buffer.data(), buffer.size(), &user) != 0 ||
      user == nullptr) {
    return {};
  }
  return user->pw_name;
}

http::Task<std::vector<std::string>> OsGroups::of(std::uint32_t uid, Clock& clock,
                                                  http::asio::thread_pool& workers) {
  const std::int64_t now = clock.mono_us();
  if (const auto found = known_.find(uid);
      found != known_.end() && now - found->second.at_us < kKeptUs) {
    co_return found->second.groups;
  }
  auto groups = co_await off_thread(workers, [uid] { return look_up(uid); });
  if (known_.size() >= kMaxUsers) known_.clear();
  known_[uid] = {groups, now};
  co_return groups;
}

}  // namespace candor::gateway
