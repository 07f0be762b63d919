// candor: one program, one verb (docs/errors.md has the exit codes).
#include <csignal>

#include <CLI/CLI.hpp>

#include "commands.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  candor::cli::Commands commands;
  const auto app = candor::cli::make_app(commands);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app->exit(error) == 0 ? candor::cli::kExitDone : candor::cli::kExitUsage;
  }
  return commands.run ? commands.run() : candor::cli::kExitUsage;
}
