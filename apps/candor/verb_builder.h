// How a verb is added, with CLI11: what all files of flags (*commands.cc) share.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "commands.h"

namespace candor::cli {

CLI::App* verb(CLI::App& parent, const std::string& name, const std::string& what,
               const std::string& examples);

// What a verb does that needs the configuration.
void runs(CLI::App* verb, Commands& commands, std::function<int(const Context&)> work);

// What one does that needs none: json and raw come from the flags before or after the verb.
template <typename Options>
void acts(CLI::App* verb, Commands& commands, Options& options, int (*act)(const Options&)) {
  verb->final_callback([&commands, &options, act] {
    commands.run = [&commands, &options, act] {
      options.json = commands.global.json;
      options.raw = commands.global.raw;
      return act(options);
    };
  });
}

}  // namespace candor::cli
