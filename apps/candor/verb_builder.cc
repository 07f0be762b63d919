#include "verb_builder.h"

#include <utility>

namespace candor::cli {

CLI::App* verb(CLI::App& parent, const std::string& name, const std::string& what,
               const std::string& examples) {
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer("Examples:\n" + examples);
  app->fallthrough();
  return app;
}

void runs(CLI::App* verb, Commands& commands, std::function<int(const Context&)> work) {
  verb->final_callback([&commands, work = std::move(work)] {
    commands.run = [&commands, work] {
      const auto context = Context::open(commands.global);
      if (!context) {
        return report(Output({.json = commands.global.json}), context.error());
      }
      return work(*context);
    };
  });
}

}  // namespace candor::cli
