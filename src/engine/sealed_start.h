// How a program of the engine's place begins: what the monitor gives it, and the seal that it puts
// on itself before it reads a byte of the model (S10, S11). candor-engine and the escape tests'
// candor-escape start through this one function, so that what the tests try is the engine's own
// sandbox.
//
//   PROGRAM --control-fd N --model-fd N --report-fd N [--readable-fd N]... [--data-limit BYTES]
//           [--template-ms N] [--kernel-probe TYPES] -- FURTHER WORDS
//     control: a connected Unix SOCK_SEQPACKET pair to the monitor. Its first packet is this
//              start's token; each later packet carries one connected stream socket. End-of-file
//              ends the process: there is no address that anyone could connect to.
//     report:  one line of JSON with the measured grants (sandbox.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/sandbox.h"

namespace candor::engine {

inline constexpr int kBadUse = 64;  // exit codes of every such program
inline constexpr int kCannotSeal = 70;
// Of candor-engine: the model's chat template is at fault (engine/template_watch.h).
inline constexpr int kTemplateTooSlow = 71;   // more processor time than --template-ms
inline constexpr int kTemplateTooLarge = 72;  // more memory than the process may have
inline constexpr int kTemplateCrashed = 73;   // a fault while it was rendered: its stack ended

struct StartArguments {
  int control_fd = -1;
  int model_fd = -1;
  int report_fd = -1;
  std::vector<int> readable_fds;
  std::uint64_t data_limit = 0;
  int template_ms = 0;        // processor time for one rendering of a chat template; 0: no bound
  bool kernel_probe = false;  // then neither control nor model is needed
  std::string kernel_types;
  std::vector<std::string> words;  // after --
};

// kInvalidArgument: not what the monitor gives.
[[nodiscard]] Result<StartArguments> parse_start(int argc, char** argv);

// The first packet of the control socket; empty where none came.
[[nodiscard]] std::string read_token(int control_fd);

// Seals this process with exactly the rights of an engine and reports what was measured.
[[nodiscard]] Result<SandboxGrants> seal_and_report(const StartArguments& arguments,
                                                    const Mechanisms& mechanisms = {});

// Writes text and a line feed; what the reader does not take is dropped.
void write_line(int fd, std::string text);

}  // namespace candor::engine
