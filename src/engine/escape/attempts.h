// What a program in the engine's place tries, to see that its sandbox refuses it (S10). Each
// attempt names the mechanisms that refuse it when they are alone, and who can do it without a
// sandbox (the control that shows that the attempt works at all). docs/sandbox.md shows the table,
// and escape_test.cc holds every cell of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace candor::engine::escape {

// What the harness has laid out for the attempts: a user's folder and a process of that user.
struct Targets {
  std::string folder;                 // open to this user, with files and listening sockets
  std::string abstract_name;          // a stream listener; with ".dgram" behind it, a datagram one
  int tcp_port = 0;                   // on 127.0.0.1 and ::1, TCP and UDP
  pid_t victim = 0;                   // waits; of the same user
  std::uintptr_t victim_address = 0;  // of eight bytes in its memory
  int control_fd = -1;
  int model_fd = -1;
  int report_fd = -1;
  int given_tcp = -1;  // sockets that were there before the seal
  int given_unix = -1;
  int given_datagram = -1;

  [[nodiscard]] std::string in(std::string_view name) const {
    return folder + "/" + std::string(name);
  }
};

enum Mechanism : unsigned {
  kSeccomp = 1U,
  kLandlock = 2U,
  kNamespaces = 4U,  // PID, network, IPC, mounts
  kLimits = 8U,
  kPrivileges = 16U,  // no capabilities, not dumpable, no_new_privs
  kLaunch = 32U,      // how it is started: no environment, no other descriptors
};

enum class Control : std::uint8_t {
  kUser,     // an ordinary user can
  kRoot,     // root can
  kIfThere,  // an ordinary user can where the kernel has the thing at all
};

struct Attempt {
  std::string_view name;
  std::string_view what;
  unsigned refused_by = 0;  // Mechanism bits, each of them alone
  Control control = Control::kUser;
  // As a system call gives it: -1 and errno is a refusal.
  long (*run)(const Targets&) = nullptr;
};

struct Group {
  std::string_view name;
  std::span<const Attempt> attempts;
};

[[nodiscard]] std::span<const Attempt> network_attempts();
[[nodiscard]] std::span<const Attempt> unix_socket_attempts();
[[nodiscard]] std::span<const Attempt> file_attempts();
[[nodiscard]] std::span<const Attempt> process_attempts();
[[nodiscard]] std::span<const Attempt> namespace_attempts();
[[nodiscard]] std::span<const Attempt> kernel_attempts();
[[nodiscard]] std::span<const Attempt> exhaustion_attempts();

[[nodiscard]] std::span<const Group> all_groups();
[[nodiscard]] const Attempt* find_attempt(std::string_view name);
// The table of docs/sandbox.md.
[[nodiscard]] std::string markdown_table();

}  // namespace candor::engine::escape
