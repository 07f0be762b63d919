#include <algorithm>
#include <array>

#include "engine/escape/attempts.h"

namespace candor::engine::escape {

std::span<const Group> all_groups() {
  static const std::array<Group, 7> groups = {
      Group{"networks", network_attempts()},
      Group{"Unix sockets", unix_socket_attempts()},
      Group{"files", file_attempts()},
      Group{"processes", process_attempts()},
      Group{"namespaces and mounts", namespace_attempts()},
      Group{"the kernel", kernel_attempts()},
      Group{"using the machine up", exhaustion_attempts()},
  };
  return groups;
}

const Attempt* find_attempt(std::string_view name) {
  for (const Group& group : all_groups()) {
    const auto found = std::ranges::find(group.attempts, name, &Attempt::name);
    if (found != group.attempts.end()) return &*found;
  }
  return nullptr;
}

std::string markdown_table() {
  constexpr std::array<unsigned, 6> kColumns = {kSeccomp, kLandlock,   kNamespaces,
                                                kLimits,  kPrivileges, kLaunch};
  std::string out =
      "| attempt | what | seccomp | Landlock | namespaces | limits | privileges | launch | without "
      "a sandbox |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Group& group : all_groups()) {
    out.append("| **").append(group.name).append("** | | | | | | | | |\n");
    for (const Attempt& attempt : group.attempts) {
      out.append("| `").append(attempt.name).append("` | ").append(attempt.what).append(" |");
      for (const unsigned column : kColumns) {
        out.append((attempt.refused_by & column) != 0 ? " x |" : " |");
      }
      out.append(attempt.control == Control::kUser   ? " a user can |\n"
                 : attempt.control == Control::kRoot ? " root can |\n"
                                                     : " where the kernel has it |\n");
    }
  }
  return out;
}

}  // namespace candor::engine::escape
