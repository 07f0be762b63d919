// Every verb with its flags, as CLI11 sees them. CLI11 stays in *commands.cc, verb_builder.h,
// completion.cc and main.cc; verbs get plain option structs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "context.h"
#include "verbs/verbs.h"

namespace CLI {
class App;
}

namespace candor::cli {

struct Commands {
  GlobalOptions global;
  // What the parsed verb does; set by the chosen subcommand.
  std::function<int()> run;

  ChatOptions chat;
  ModelOptions model;
  StoreOptions store;
  PlanOptions plan;
  LineageOptions lineage;
  InspectOptions inspect;
  SignatureOptions signature;
  RevocationOptions revocation;
  AttributeOptions attribute;
  PassportOptions passport;
  LedgerOptions ledger;
  ReceiptOptions receipt;
  EraseOptions erase;
  KeyOptions key;
  StopOptions stop;
  BudgetOptions budget;
  PolicyOptions policy;
  ExceptionOptions exception;
  ScanOptions scan;
  DetectorOptions detector;
  std::string reason, shell;
  std::vector<std::string> serve_models, serve_settings;
  std::string listen, unix_socket, content, log_level, log_format;
};

// commands must outlive the app's parsing and running.
[[nodiscard]] std::unique_ptr<CLI::App> make_app(Commands& commands);

// The verbs that need no server and no configuration: signatures and passports of model files
// (passport_commands.cc). model is the verb `model`.
void add_signatures(CLI::App& model, Commands& commands);
void add_passport(CLI::App& app, Commands& commands);

// The verbs that only read a model's file (model_file_commands.cc).
void add_lineage(CLI::App& model, Commands& commands);
void add_inspect(CLI::App& model, Commands& commands);

// The verbs of the store of models (model_commands.cc).
void add_store(CLI::App& model, Commands& commands);
// Verbs of who answers for a model (answer_commands.cc).
void add_revocations(CLI::App& model, Commands& commands);
void add_attribute(CLI::App& app, Commands& commands);

// The completion script of a shell: bash, zsh or fish; empty for another name.
[[nodiscard]] std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace candor::cli
