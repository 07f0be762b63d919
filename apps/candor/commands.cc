#include "commands.h"

#include <CLI/CLI.hpp>

#include "serve.h"
#include "verb_builder.h"

namespace candor::cli {
namespace {

int serve(Commands& c) {
  const Output out({});
  if (!c.listen.empty()) c.global.flags.emplace_back("listen.address", c.listen);
  if (!c.unix_socket.empty()) c.global.flags.emplace_back("listen.unix_socket", c.unix_socket);
  if (!c.content.empty()) c.global.flags.emplace_back("content.mode", c.content);
  if (!c.log_level.empty()) c.global.flags.emplace_back("log.level", c.log_level);
  if (!c.log_format.empty()) c.global.flags.emplace_back("log.format", c.log_format);
  for (const std::string& model : c.serve_models) c.global.flags.emplace_back("model", model);
  for (const std::string& setting : c.serve_settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return report(
          out, {Code::kInvalidArgument, "--set takes KEY=VALUE, such as limits.max_tokens=512"});
    }
    c.global.flags.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  const auto config = read_served_config(c.global);
  if (!config) return report(out, config.error());
  for (const std::string& warning : config->warnings)
    out.note("candor: warning: " + out.shown(warning));
  const GlobalOptions global = c.global;
  const ServeEnvironment environment{.version = std::string(kVersion),
                                     .program_folder = program_folder(),
                                     .reload = [global] { return read_served_config(global); }};
  return run_serve(*config, environment);
}

void add_serve(CLI::App& app, Commands& c) {
  CLI::App* serve_verb =
      verb(app, "serve", "Serve models with a ledger; ends on SIGTERM after draining",
           "  candor serve --model smollm2=SmolLM2-135M-Instruct.Q4_1.gguf\n"
           "  candor serve --listen 127.0.0.1:0 --data-dir /tmp/try\n"
           "  candor serve --set limits.max_tokens=512 --set content.mode=none");
  serve_verb
      ->add_option("--model", c.serve_models,
                   "A model to offer, NAME=FILE.gguf or FILE.gguf; may repeat")
      ->type_name("NAME=FILE");
  serve_verb->add_option("--listen", c.listen, "Address and port of the API, or none")
      ->type_name("ADDR:PORT");
  serve_verb->add_option("--unix-socket", c.unix_socket, "Unix socket of the API, or none")
      ->type_name("PATH");
  serve_verb->add_option("--content", c.content, "What is kept of prompts and answers")
      ->check(CLI::IsMember({"sealed", "none"}));
  serve_verb->add_option("--log-level", c.log_level, "Least important log lines to write")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  serve_verb->add_option("--log-format", c.log_format, "Form of log lines")
      ->check(CLI::IsMember({"text", "json"}));
  serve_verb
      ->add_option("--set", c.serve_settings,
                   "Any configuration key (docs/configuration.md); may repeat")
      ->type_name("KEY=VALUE");
  serve_verb->final_callback([&c] { c.run = [&c] { return serve(c); }; });
}

void add_chat(CLI::App& app, Commands& c) {
  CLI::App* chat = verb(app, "chat", "Ask a model; each answer's receipt is verified here",
                        "  candor chat -m \"What is the capital of France? Answer in one "
                        "sentence.\" --temperature 0\n"
                        "  candor chat                              # a conversation\n"
                        "  candor chat -m hello --save answer/      # files for candor-verify\n"
                        "  git diff | candor chat -m - --max-tokens 200");
  chat->add_option("-m,--message", c.chat.message, "The question; - reads it from standard input")
      ->type_name("TEXT");
  chat->add_option("--model", c.chat.model, "Which model; default: the server's first")
      ->type_name("NAME");
  chat->add_option("--system", c.chat.system, "A system message before the conversation")
      ->type_name("TEXT");
  chat->add_option("--temperature", c.chat.temperature, "0 is greedy")->check(CLI::Range(0.0, 2.0));
  chat->add_option("--max-tokens", c.chat.max_tokens, "Longest answer")->type_name("N");
  chat->add_option("--seed", c.chat.seed, "Default: the server chooses and records one")
      ->type_name("N");
  chat->add_option("--save", c.chat.save, "Write request, response and receipt there")
      ->type_name("DIR");
  chat->add_option("--api-key", c.chat.api_key, "Where a key is needed")
      ->type_name("KEY")
      ->envname("CANDOR_API_KEY");
  runs(chat, c, [&c](const Context& context) { return run_chat(context, c.chat); });
}

void add_model(CLI::App& app, Commands& c) {
  CLI::App* model =
      verb(app, "model",
           "Models: pull, admit, list, load, plan, inspect, fingerprint, lineage, sign, revoke",
           "  candor model list --json\n  candor model load smollm2");
  model->require_subcommand(1);
  CLI::App* list = verb(*model, "list", "Models, their state and the digest of their weights",
                        "  candor model list");
  runs(list, c, run_model_list);
  add_lineage(*model, c);
  add_inspect(*model, c);
  add_signatures(*model, c);
  add_store(*model, c);
  add_revocations(*model, c);
  for (const bool load : {true, false}) {
    CLI::App* act =
        load ? verb(*model, "load", "Verify and load a model now", "  candor model load smollm2")
             : verb(*model, "unload", "Finish its requests, then stop its engine",
                    "  candor model unload smollm2 --reason maintenance");
    act->add_option("name", c.model.name, "The model's name")->required();
    act->add_option("--reason", c.model.reason, "Sealed beside the entry")->type_name("TEXT");
    runs(act, c, [&c, load](const Context& context) {
      return load ? run_model_load(context, c.model) : run_model_unload(context, c.model);
    });
  }
}

void add_ledger(CLI::App& app, Commands& c) {
  CLI::App* ledger = verb(
      app, "ledger", "The record: show, tail, verify, export, open, close",
      "  candor ledger tail -f\n  candor ledger verify\n  candor ledger export /media/stick/log");
  ledger->require_subcommand(1);
  CLI::App* show =
      verb(*ledger, "show", "One entry, or all entries of an exchange",
           "  candor ledger show 17\n  candor ledger show 0123456789abcdef0123456789abcdef");
  show->add_option("what", c.ledger.subject, "An index or an exchange's id")->required();
  runs(show, c, [&c](const Context& x) { return run_ledger_show(x, c.ledger); });
  CLI::App* tail = verb(*ledger, "tail", "The newest entries",
                        "  candor ledger tail -n 50\n  candor ledger tail -f");
  tail->add_option("-n,--lines", c.ledger.count, "How many")->check(CLI::Range(1, 1000));
  tail->add_flag("-f,--follow", c.ledger.follow, "Go on showing new ones");
  runs(tail, c, [&c](const Context& x) { return run_ledger_tail(x, c.ledger); });
  CLI::App* check =
      verb(*ledger, "verify", "Check the whole history with candor-verify, against this user's pin",
           "  candor ledger verify\n  candor ledger verify -- --threads 2 --strict");
  check->add_option("arguments", c.ledger.arguments, "More arguments for candor-verify, after --");
  runs(check, c, [&c](const Context& x) { return run_ledger_verify(x, c.ledger); });
  CLI::App* copy =
      verb(*ledger, "export", "Copy the published log: tiles and checkpoint, never a key",
           "  candor ledger export log/ && candor-verify log log/");
  copy->add_option("folder", c.ledger.subject,
                   "Where to; an older export there is brought up to date")
      ->required();
  runs(copy, c, [&c](const Context& x) { return run_ledger_export(x, c.ledger); });
  CLI::App* open = verb(
      *ledger, "open", "Show sealed content to the auditor, held against the log; needs no server",
      "  candor ledger open --exchange ID --auditor-key ~/.config/candor/auditor.key\n"
      "  candor ledger open --exchange ID --sealed copy/sealed --log export --log-key log.vkey");
  open->add_option("--exchange", c.ledger.subject, "Its id, or the id of an act")
      ->required()
      ->type_name("ID");
  open->add_option("--auditor-key", c.ledger.auditor_key,
                   "The private half; default ~/.config/candor/auditor.key")
      ->type_name("FILE");
  open->add_option("--sealed", c.ledger.sealed, "A copy of the data folder's sealed/")
      ->type_name("DIR");
  open->add_option(
          "--log", c.ledger.log,
          "The log to hold it against: an export or a data folder; default: the data folder")
      ->type_name("DIR");
  open->add_option("--log-key", c.ledger.log_key, "The log's verifier key, or a file that holds it")
      ->type_name("KEY");
  open->add_option("--pin", c.ledger.pin, "A pin of the log; default: this user's own")
      ->type_name("FILE");
  runs(open, c, [&c](const Context& x) { return run_ledger_open(x, c.ledger); });
  CLI::App* close = verb(*ledger, "close",
                         "End this log at the next start and begin one that names its last head",
                         "  candor ledger close --reason \"retention of 2026\"");
  close->add_option("--reason", c.ledger.reason, "Sealed beside the entry")
      ->required()
      ->type_name("TEXT");
  runs(close, c, [&c](const Context& x) { return run_ledger_close(x, c.ledger); });
}

void add_record(CLI::App& app, Commands& c) {
  CLI::App* receipt = verb(
      app, "receipt", "The receipt of an exchange (C2SP tlog-proof)",
      "  candor receipt ID --out answer.tlog-proof\n  candor receipt ID | candor-verify receipt -");
  receipt->add_option("exchange", c.receipt.exchange, "Its id, from the Candor-Exchange header")
      ->required();
  receipt->add_option("-o,--out", c.receipt.out, "File to write; default: standard output")
      ->type_name("FILE");
  runs(receipt, c, [&c](const Context& x) { return run_receipt(x, c.receipt); });

  CLI::App* erase = verb(app, "erase", "Destroy the keys of content; every proof still verifies",
                         "  candor erase --exchange ID --reason \"asked by the person\"\n"
                         "  candor erase --caller alice --reason \"left the company\" --yes\n"
                         "  candor erase --exchange ID --field messages/0/parts/0/text "
                         "--reason \"a name\"");
  auto* one = erase->add_option("--exchange", c.erase.exchange, "One exchange")->type_name("ID");
  erase->add_option("--caller", c.erase.caller, "All of one caller: a key's name or id, or a user")
      ->type_name("NAME")
      ->excludes(one);
  erase
      ->add_option("--field", c.erase.fields,
                   "Only this field of the exchange (docs/formats/transcript.md); may repeat")
      ->needs(one)
      ->type_name("PATH");
  erase
      ->add_option("--auditor-key", c.erase.auditor_key,
                   "For single fields of an exchange from before the last start or day")
      ->type_name("FILE");
  erase->add_option("--reason", c.erase.reason, "Why; sealed, its commitment stands in the entry")
      ->required()
      ->type_name("TEXT");
  erase->add_flag("-y,--yes", c.erase.yes, "Do not ask");
  runs(erase, c, [&c](const Context& x) { return run_erase(x, c.erase); });
}

void add_key(CLI::App& app, Commands& c) {
  CLI::App* key = verb(
      app, "key", "API keys, the log's verifier key, the auditor's key",
      "  candor key create ci --expires 90d\n  candor key log > log.vkey\n  candor key auditor");
  key->require_subcommand(1);
  CLI::App* create = verb(
      *key, "create", "A new API key, shown once",
      "  candor key create ci --expires 90d --models smollm2\n  KEY=$(candor key create notebook)\n"
      "  candor key create helpdesk --owner ada --team support --purpose \"answering customers\"");
  create->add_option("name", c.key.name, "For people; never stands in an entry")->required();
  create->add_option("--expires", c.key.expires, "12h, 90d or 2027-01-31; default: never")
      ->type_name("WHEN");
  create->add_option("--reason", c.key.reason, "Sealed beside the entry")->type_name("TEXT");
  create->add_option("--models", c.key.models, "Only these; default: all")
      ->delimiter(',')
      ->type_name("NAME,...");
  create->add_option("--owner", c.key.owner, "Whose it is; budgets of users count by it")
      ->type_name("NAME");
  create->add_option("--team", c.key.team, "Who shares budgets and policy with it")
      ->type_name("NAME");
  create->add_option("--purpose", c.key.purpose, "What for; policy may ask")->type_name("TEXT");
  runs(create, c, [&c](const Context& x) { return run_key_create(x, c.key); });
  runs(verb(*key, "list", "Keys and their state", "  candor key list --json"), c, run_key_list);
  CLI::App* revoke =
      verb(*key, "revoke", "A key is refused from now on", "  candor key revoke ci --reason lost");
  revoke->add_option("key", c.key.id, "Its id or name")->required();
  revoke->add_option("--reason", c.key.reason, "Sealed beside the entry")->type_name("TEXT");
  runs(revoke, c, [&c](const Context& x) { return run_key_revoke(x, c.key); });
  runs(verb(*key, "log", "The log's verifier key in C2SP form; needs no server",
            "  candor key log > log.vkey"),
       c, run_key_log);
  CLI::App* rotate = verb(*key, "rotate", "Change the log's key at the next start",
                          "  candor key rotate --reason yearly\n"
                          "  candor key rotate --reason \"the host was moved\" --overlap 10000");
  rotate->add_option("--reason", c.key.reason, "Sealed beside the entry")
      ->required()
      ->type_name("TEXT");
  rotate
      ->add_option("--overlap", c.key.overlap,
                   "For so many entries the older key signs too (1000 to 1000000000)")
      ->check(CLI::Range(1'000, 1'000'000'000))
      ->type_name("N");
  runs(rotate, c, [&c](const Context& x) { return run_key_rotate(x, c.key); });
  CLI::App* auditor =
      verb(*key, "auditor", "Make the auditor's key pair and register its public half",
           "  candor key auditor\n  candor key auditor --out /media/stick/auditor.key");
  auditor
      ->add_option("-o,--out", c.key.out, "The private half; default ~/.config/candor/auditor.key")
      ->type_name("FILE");
  auditor->add_option("--reason", c.key.reason, "Sealed beside the entry")->type_name("TEXT");
  auditor->add_option("--label", c.key.label, "Who, for the list")->type_name("NAME");
  runs(auditor, c, [&c](const Context& x) { return run_key_auditor(x, c.key); });
}

void add_stops(CLI::App& app, Commands& c) {
  const auto named = [&c](CLI::App* one) {
    one->add_flag("--all", c.stop.all, "Every model, for everybody");
    one->add_option("--model", c.stop.model, "One model, for everybody")->type_name("NAME");
    one->add_option("--user", c.stop.user, "One user or key, for every model")->type_name("NAME");
    one->add_option("--reason", c.stop.reason, "Shown to whom it stops; sealed beside the entry")
        ->type_name("TEXT");
  };
  CLI::App* stop = verb(app, "stop", "Stop answers at once, until they are resumed",
                        "  candor stop --all --reason \"it insults customers\"\n"
                        "  candor stop --model smollm2 --reason \"recalled by its maker\"\n"
                        "  candor stop --user alice --reason \"key on a public page\"\n"
                        "  candor stop --list");
  named(stop);
  stop->add_flag("--list", c.stop.list, "What is stopped now, and why");
  runs(stop, c, [&c](const Context& x) { return run_stop(x, c.stop); });
  CLI::App* resume = verb(app, "resume", "Let answers begin again after a stop",
                          "  candor resume --model smollm2 --reason \"the maker's fix is in\"");
  named(resume);
  runs(resume, c, [&c](const Context& x) { return run_resume(x, c.stop); });
}

void add_budget(CLI::App& app, Commands& c) {
  CLI::App* budget = verb(app, "budget", "What is used and left of each budget",
                          "  candor budget\n  candor budget --json\n  candor budget reconcile");
  budget->require_subcommand(0, 1);
  CLI::App* reconcile =
      verb(*budget, "reconcile", "Count the log anew, and correct what is not as it says (exit 1)",
           "  candor budget reconcile --reason \"after restoring a backup\"");
  reconcile->add_option("--reason", c.budget.reason, "Sealed beside the entry")->type_name("TEXT");
  reconcile->final_callback([&c] { c.budget.reconcile = true; });
  runs(budget, c, [&c](const Context& x) { return run_budget(x, c.budget); });
}

void add_exception(CLI::App& app, Commands& c) {
  CLI::App* exception = verb(
      app, "exception", "Except somebody from a rule for a time, with a reason on record",
      "  candor exception open --rule house.bank-data --user alice --for 2h --reason \"audit\"\n"
      "  CANDOR_API_KEY=cnd_... candor exception approve 3f0c...\n  candor exception list");
  exception->require_subcommand(1);
  runs(verb(*exception, "list", "What is open, and what waits for approval",
            "  candor exception list --json"),
       c, run_exception_list);
  CLI::App* open = verb(*exception, "open", "Open one; most count only once they are approved",
                        "  candor exception open --rule house.bank-data --user key:ab12 --for 30m"
                        " --reason \"tax audit, ticket 4711\"");
  open->add_option("--rule", c.exception.rule, "The rule's id")->required()->type_name("ID");
  open->add_option("--user", c.exception.user, "Whom it serves: a user, key, oidc: or cert: name")
      ->required()
      ->type_name("NAME");
  open->add_option("--for", c.exception.duration, "30m, 2h; at most policy.exception_max")
      ->required()
      ->type_name("DURATION");
  open->add_option("--reason", c.exception.reason, "Why; sealed beside the entry")
      ->required()
      ->type_name("TEXT");
  runs(open, c, [&c](const Context& x) { return run_exception_open(x, c.exception); });
  CLI::App* approve = verb(*exception, "approve",
                           "Approve what somebody else opened, with a credential of your own",
                           "  CANDOR_API_KEY=cnd_... candor exception approve 3f0c...");
  approve->add_option("id", c.exception.id, "The exception's id")->required();
  approve->add_option("--api-key", c.exception.api_key, "Better: CANDOR_API_KEY")->type_name("KEY");
  runs(approve, c, [&c](const Context& x) { return run_exception_approve(x, c.exception); });
  CLI::App* close = verb(*exception, "close", "End one before its time",
                         "  candor exception close 3f0c... --reason \"done\"");
  close->add_option("id", c.exception.id, "The exception's id")->required();
  close->add_option("--reason", c.exception.reason, "Sealed beside the entry")->type_name("TEXT");
  runs(close, c, [&c](const Context& x) { return run_exception_close(x, c.exception); });
}

void add_policy(CLI::App& app, Commands& c) {
  CLI::App* policy = verb(app, "policy", "Rules: check, test, explain, replay",
                          "  candor policy check packs/policies/eu.toml rules.toml\n"
                          "  candor policy test packs/policies\n"
                          "  candor policy explain 1234\n"
                          "  candor policy replay base new-rules.toml --since 30d");
  policy->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& what, const std::string& paths,
                       const std::string& examples,
                       int (*run)(const Output&, const PolicyOptions&)) {
    CLI::App* act = verb(*policy, name, what, examples);
    act->add_option("paths", c.policy.paths, paths)->required()->type_name("FILE|DIR");
    act->final_callback([&c, run] {
      c.run = [&c, run] {
        return run(Output({.json = c.global.json, .raw = c.global.raw}), c.policy);
      };
    });
  };
  add("check",
      "Find type errors, unknown names, constant conditions, duplicates and unreachable rules",
      "Rule files, or folders of them: together they are one policy",
      "  candor policy check rules.toml\n"
      "  candor policy check packs/policies --json\n"
      "Exit codes: 0 nothing found, 2 not usable, 3 usable, but a rule cannot do what it says",
      run_policy_check);
  add("test", "Run the cases kept beside the rules",
      "Case files (x.cases.toml), rule files (x.toml) with cases beside them, or folders",
      "  candor policy test packs/policies\n"
      "  candor policy test rules.toml\n"
      "Exit codes: 0 all passed, 1 a case failed, 2 rules or cases are not usable, 4 no cases",
      run_policy_test);
  CLI::App* explain =
      verb(*policy, "explain", "Why something was decided: rules, findings, what was in force",
           "  candor policy explain 1234\n"
           "  candor policy explain 2f8c0d6b9c5e4f1a8d7b6c5e4f3a2b1c --json");
  explain->add_option("entry", c.policy.subject, "An entry's index, or an exchange's id")
      ->required();
  explain->add_option("--log", c.policy.log, "A published log; default: this data folder's")
      ->type_name("DIR");
  runs(explain, c, [&c](const Context& x) { return run_policy_explain(x, c.policy); });
  CLI::App* replay =
      verb(*policy, "replay", "What other rules would have decided about recorded exchanges",
           "  candor policy replay base eu new-rules.toml --since 30d\n"
           "  candor policy replay rules/ --log /mnt/export --json\n"
           "  candor policy replay rules/ --content --reason \"review of the third quarter\"\n"
           "It reads what the log holds of each decision and no text. A rule that asks for what\n"
           "no entry holds (budgets, temperature, names of tools) is listed as undecided. With\n"
           "--content the sealed texts are read again where the auditor's key is, with today's\n"
           "detectors; that is an entry of the running server's log, and no text is shown.");
  replay->add_option("rules", c.policy.paths, "All that would be in force: files, folders, packs")
      ->required()
      ->type_name("FILE|DIR|PACK");
  replay->add_option("--since", c.policy.since, "Only exchanges of so long ago")
      ->type_name("DURATION");
  replay->add_option("--log", c.policy.log, "A published log; default: this data folder's")
      ->type_name("DIR");
  CLI::Option* content =
      replay->add_flag("--content", c.policy.content, "Read the sealed texts again (an entry)");
  replay->add_option("--auditor-key", c.policy.auditor_key, "Default: candor key auditor's file")
      ->needs(content)
      ->type_name("FILE");
  content->needs(replay->add_option("--reason", c.policy.reason, "Sealed beside the entry")
                     ->type_name("TEXT"));
  replay->add_option("--rows", c.policy.rows, "How many rows to show")->capture_default_str();
  runs(replay, c, [&c](const Context& x) { return run_policy_replay(x, c.policy); });
}

void add_scan(CLI::App& app, Commands& c) {
  CLI::App* scan =
      verb(app, "scan", "Find personal data, secrets and the like in files; needs no server",
           "  candor scan prompt.txt\n"
           "  git diff | candor scan -\n"
           "  candor scan --sarif src/ > findings.sarif\n"
           "  candor scan --detectors --json | jq -r '.detectors[].id'\n\n"
           "Exit codes: 0 nothing found, 10 findings, else as everywhere.");
  scan->add_option("path", c.scan.paths, "A FILE, a DIR, or - for standard input; may repeat");
  scan->add_flag("--sarif", c.scan.sarif, "One SARIF 2.1.0 document instead of text");
  scan->add_flag("--show", c.scan.show, "Show what was found; otherwise only its place");
  scan->add_flag("--detectors", c.scan.list, "List the detectors instead of scanning");
  scan->add_option("--packs", c.scan.packs,
                   "Further detector packs, *.toml (docs/formats/detector-packs.md)")
      ->type_name("DIR");
  scan->add_option("--min-confidence", c.scan.min_confidence, "Leave out findings below (0 to 100)")
      ->check(CLI::Range(0, 100))
      ->type_name("N");
  acts(scan, c, c.scan, run_scan);
}

void add_detector(CLI::App& app, Commands& c) {
  CLI::App* detector =
      verb(app, "detector", "Make detectors of your organisation's own data; needs no server",
           "  candor detector values --id customers --column iban --column email customers.csv\n"
           "  candor detector documents --id board-minutes minutes/*.txt\n"
           "  candor detector words --id code-names code-names.txt\n"
           "  candor detector canary --id canary.hr\n\n"
           "Each writes a detector pack, which policy.detectors names (docs/registered-data.md).");
  detector->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, const char* examples,
                       int (*run)(const DetectorOptions&)) {
    CLI::App* made = verb(*detector, name, what, examples);
    made->add_option("--id", c.detector.id, "Of the detector and its pack: a-z, 0-9, - . _")
        ->required()
        ->type_name("ID");
    made->add_option("--name", c.detector.name, "For people; default: the id")->type_name("TEXT");
    made->add_option("--severity", c.detector.severity, "low, medium, high or critical")
        ->capture_default_str()
        ->check(CLI::IsMember({"low", "medium", "high", "critical"}));
    made->add_option("-o,--out", c.detector.out, "Where the pack is written; default: ID.toml")
        ->type_name("FILE");
    made->final_callback([&c, run] {
      c.run = [&c, run] {
        c.detector.json = c.global.json;
        return run(c.detector);
      };
    });
    return made;
  };
  CLI::App* values = add("values", "Recognise the values of a table's columns (fingerprints only)",
                         "  candor detector values --id customers --column iban customers.csv\n"
                         "  psql -c \"copy (select iban from customers) to stdout csv header\" |\n"
                         "    candor detector values --id customers --column iban -",
                         run_detector_values);
  values->add_option("file", c.detector.files, "CSV with a line of column names; - for stdin")
      ->required()
      ->type_name("FILE");
  values->add_option("--column", c.detector.columns, "A column by its name; may repeat")
      ->required()
      ->type_name("NAME");
  values->add_option("--separator", c.detector.separator, "One character")->capture_default_str();
  CLI::App* documents =
      add("documents", "Recognise passages copied from documents (fingerprints only)",
          "  pdftotext minutes.pdf && candor detector documents --id minutes minutes.txt",
          run_detector_documents);
  documents->add_option("file", c.detector.files, "UTF-8 text; - for standard input")
      ->required()
      ->type_name("FILE");
  documents->add_option("--gram", c.detector.gram, "Letters and digits that must be alike in a row")
      ->capture_default_str()
      ->check(CLI::Range(16, 128))
      ->type_name("N");
  CLI::App* words =
      add("words", "Recognise words and names of a list, one a line",
          "  candor detector words --id code-names code-names.txt", run_detector_words);
  words->add_option("file", c.detector.files, "One a line, # for remarks; - for standard input")
      ->required()
      ->type_name("FILE");
  add("canary", "Make a text to plant, and a detector that sees it again",
      "  candor detector canary --id canary.hr --severity critical", run_detector_canary);
}

void add_rest(CLI::App& app, Commands& c) {
  runs(verb(app, "doctor", "What is in force, from where, and the state of each promise",
            "  candor doctor\n  candor doctor --json | jq .promises"),
       c, run_doctor);
  CLI::App* reload = verb(app, "reload", "Read the configuration again (SIGHUP does the same)",
                          "  candor reload --reason \"a new model\"");
  reload->add_option("--reason", c.reason, "Sealed beside the entry")->type_name("TEXT");
  runs(reload, c, [&c](const Context& x) { return run_reload(x, c.reason); });
  CLI::App* shutdown = verb(app, "shutdown", "Let the server finish what it answers, then end it",
                            "  candor shutdown --reason upgrade");
  shutdown->add_option("--reason", c.reason, "Sealed beside the entry")->type_name("TEXT");
  runs(shutdown, c, [&c](const Context& x) { return run_shutdown(x, c.reason); });
  CLI::App* version =
      verb(app, "version", "The version of this program", "  candor version --json");
  version->final_callback([&c] { c.run = [&c] { return run_version(c.global.json); }; });
  CLI::App* completion = verb(app, "completion", "Completion script for a shell",
                              "  source <(candor completion bash)\n"
                              "  candor completion zsh > ~/.zfunc/_candor\n"
                              "  candor completion fish > ~/.config/fish/completions/candor.fish");
  completion->add_option("shell", c.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->final_callback([&c, &app] {
    c.run = [&c, &app] {
      Output({}).write(completion_script(app, c.shell));
      return kExitDone;
    };
  });
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Commands& commands) {
  auto app = std::make_unique<CLI::App>(
      "Candor runs open models on this machine and leaves proof of what they answered.", "candor");
  app->require_subcommand(1);
  app->fallthrough();
  app->add_option("--config", commands.global.config_file, "Configuration file")->type_name("FILE");
  app->add_option("--data-dir", commands.global.data_dir, "Data folder (also CANDOR_DATA_DIR)")
      ->type_name("DIR");
  app->add_flag("--json", commands.global.json, "One JSON document instead of text");
  app->add_flag("--raw", commands.global.raw, "Do not strip control characters from foreign text");
  app->set_version_flag("--version", "candor " + std::string(kVersion));
  app->footer(
      "Examples:\n"
      "  candor serve --model SmolLM2-135M-Instruct.Q4_1.gguf\n"
      "  candor chat -m \"What is the capital of France? Answer in one sentence.\" --temperature "
      "0\n"
      "  candor ledger tail -f\n"
      "  candor doctor\n\n"
      "Exit codes: 0 done, 1 evidence that something is not as signed, 2 wrong usage, 3 not in "
      "this\n"
      "state, 4 not found, 5 not permitted, 6 limit reached, 7 no server or not now, 8 too slow,\n"
      "9 internal, 10 findings of a scan, 130 interrupted (docs/errors.md).");
  add_serve(*app, commands);
  add_chat(*app, commands);
  add_model(*app, commands);
  add_passport(*app, commands);
  add_attribute(*app, commands);
  add_ledger(*app, commands);
  add_record(*app, commands);
  add_key(*app, commands);
  add_stops(*app, commands);
  add_budget(*app, commands);
  add_exception(*app, commands);
  add_policy(*app, commands);
  add_scan(*app, commands);
  add_detector(*app, commands);
  add_rest(*app, commands);
  return app;
}

}  // namespace candor::cli
