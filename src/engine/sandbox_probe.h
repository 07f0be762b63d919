// Seals this process and then tries what the sandbox must refuse: the escape tests' other half
// (S10). Prints one line of JSON, {"attempt":{"errno":1,"refused":true},...,"grants":{...}}, to
// standard output and ends.
//
//   --without-seccomp | --without-landlock        each mechanism alone
//   --unix-path P --abstract NAME --tcp-port N     where a listener of the test waits
//   --signal-pid N                                 a process to signal (0 is only asked: kill(N,
//   0))
//   --foreign-file F --write-folder D              a file to read, a folder to write into
//   --allowed-file F                               stays readable
#pragma once

namespace candor::engine {

[[nodiscard]] int sandbox_probe_main(int argc, char** argv);

}  // namespace candor::engine
