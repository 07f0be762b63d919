// candor: one program, one verb (docs/errors.md has the exit codes).
#include <csignal>
#include <cstdio>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "commands.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  candor::cli::Commands commands;
  const auto app = candor::cli::make_app(commands);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // A message may repeat an argument that somebody else has written (S19).
    std::ostringstream help;
    std::ostringstream message;
    const bool done = app->exit(error, help, message) == 0;
    std::fputs(help.str().c_str(), stdout);
    std::fputs(candor::strip_controls(message.str()).c_str(), stderr);
    return done ? candor::cli::kExitDone : candor::cli::kExitUsage;
  }
  return commands.run ? commands.run() : candor::cli::kExitUsage;
}
