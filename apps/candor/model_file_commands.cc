// The flags of the verbs that only read a model's file: what it holds, and what its weights come
// from.
#include "verb_builder.h"

namespace candor::cli {

void add_lineage(CLI::App& model, Commands& c) {
  CLI::App* print = verb(model, "fingerprint", "Write the fingerprint of a model's weights",
                         "  candor model fingerprint base.gguf -o base.fingerprint --name acme-7b");
  print->add_option("file", c.lineage.file, "A GGUF file")->required();
  print->add_option("-o,--out", c.lineage.out, "Where to write")->required()->type_name("FILE");
  print->add_option("--name", c.lineage.name, "How reports call it; default: the file's name");
  acts(print, c, c.lineage, run_model_fingerprint);
  CLI::App* lineage = verb(model, "lineage", "Which known model a file's weights descend from",
                           "  candor model lineage unknown.gguf\n"
                           "  candor model lineage unknown.gguf --index our-fingerprints --json");
  lineage->add_option("file", c.lineage.file, "A GGUF file")->required();
  lineage
      ->add_option("--index", c.lineage.index,
                   "A folder of .fingerprint files; default: those that ship")
      ->type_name("DIR");
  acts(lineage, c, c.lineage, run_model_lineage);
  CLI::App* compare = verb(model, "compare", "What changed from one model file to another",
                           "  candor model compare base.gguf derived.gguf --json");
  compare->add_option("base", c.lineage.file, "A GGUF file")->required();
  compare->add_option("derived", c.lineage.other, "Another")->required();
  acts(compare, c, c.lineage, run_model_compare);
}

void add_inspect(CLI::App& model, Commands& c) {
  CLI::App* inspect =
      verb(model, "inspect", "Judge a model file or chat template before anything loads it",
           "  candor model inspect SmolLM2-135M-Instruct.Q4_1.gguf\n"
           "  candor model inspect model.safetensors --values\n"
           "  candor model inspect pytorch_model.bin --json | jq -r '.findings[].id'\n"
           "  candor model inspect chat_template.jinja --sarif > findings.sarif\n\n"
           "Exit codes: 0 passes, 10 does not, else as everywhere.");
  inspect->add_option("file", c.inspect.file, "GGUF, safetensors, PyTorch file or chat template")
      ->required();
  inspect->add_flag("--values", c.inspect.values,
                    "Read every tensor too, for numbers that are not finite (admit and load do)");
  inspect->add_flag("--sarif", c.inspect.sarif, "One SARIF 2.1.0 document instead of text");
  acts(inspect, c, c.inspect, run_model_inspect);
}

}  // namespace candor::cli
