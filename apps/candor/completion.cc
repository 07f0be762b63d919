// Completion scripts, made from the verbs as they are registered, so they cannot be out of date.
#include <set>

#include <CLI/CLI.hpp>

#include "commands.h"

namespace candor::cli {
namespace {

struct Word {
  std::string text, what;
  bool option = false;
  bool takes_value = false;
  bool takes_file = false;  // its value is one
};

bool names_a_file(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.contains("FILE") || type.contains("DIR") || type.contains("PATH");
}

// The words that may follow a path of verbs.
std::vector<Word> words_of(const CLI::App& root, const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back({.text = sub->get_name(), .what = sub->get_description()});
  }
  const auto options = [&words](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        words.push_back({.text = "--" + name,
                         .what = option->get_description(),
                         .option = true,
                         .takes_value = option->get_expected_max() > 0,
                         .takes_file = names_a_file(*option)});
      }
    }
  };
  options(app);
  if (&app != &root) options(root);
  if (app.get_name() == "completion") {
    for (const char* shell : {"bash", "zsh", "fish"}) words.push_back({.text = shell, .what = ""});
  }
  return words;
}

// Calls visit(path, app) for every verb; the path is "" or "ledger" or "ledger show".
template <typename Visit>
void walk(const CLI::App& app, const std::string& path, const Visit& visit) {
  visit(path, app);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    walk(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), visit);
  }
}

std::string in_quotes(std::string_view text) {  // for single quotes in a shell
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out;
}

// All paths of verbs as alternatives of a shell's case: 'serve' | 'ledger' | 'ledger show'.
std::string all_paths(const CLI::App& root, std::string_view between) {
  std::string text;
  walk(root, "", [&](const std::string& path, const CLI::App&) {
    if (path.empty()) return;
    if (!text.empty()) text += between;
    text += "'" + path + "'";
  });
  return text;
}

// The options that take a value, as alternatives of a shell's case; by whether that is a file.
std::string options_with(const CLI::App& root, bool file) {
  std::set<std::string> names;
  walk(root, "", [&](const std::string&, const CLI::App& app) {
    for (const Word& word : words_of(root, app)) {
      if (word.takes_value && word.takes_file == file) names.insert(word.text);
    }
  });
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " | ") + name;
  return text;
}

// For each path the words that may follow; bash and zsh.
std::string case_table(const CLI::App& root) {
  std::string text;
  walk(root, "", [&](const std::string& path, const CLI::App& app) {
    text += "    '" + path + "') found='";
    for (const Word& word : words_of(root, app)) text += word.text + " ";
    text += "' ;;\n";
  });
  return text;
}

std::string bash(const CLI::App& root) {
  return "# bash completion of candor: source <(candor completion bash)\n"
         "_candor() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} verbs='' word found=''\n"
         "  case ${COMP_WORDS[COMP_CWORD-1]} in\n"
         "    " +
         options_with(root, /*file=*/true) +
         ")\n"
         "      COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
         "    " +
         options_with(root, /*file=*/false) +
         ")\n"
         "      COMPREPLY=(); return ;;\n"
         "  esac\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case ${verbs:+$verbs }$word in\n"
         "      " +
         all_paths(root, " | ") +
         ")\n"
         "        verbs=${verbs:+$verbs }$word ;;\n"
         "    esac\n"
         "  done\n"
         "  case $verbs in\n" +
         case_table(root) +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$found\" -- \"$current\"))\n"
         "  ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "}\n"
         "complete -o filenames -F _candor candor\n";
}

std::string zsh(const CLI::App& root) {
  return "#compdef candor\n"
         "# zsh completion of candor: candor completion zsh > a folder of $fpath, as _candor\n"
         "_candor() {\n"
         "  local verbs='' word found=''\n"
         "  case ${words[CURRENT-1]} in\n"
         "    " +
         options_with(root, /*file=*/true) +
         ")\n"
         "      _files; return ;;\n"
         "    " +
         options_with(root, /*file=*/false) +
         ")\n"
         "      _message value; return ;;\n"
         "  esac\n"
         "  for word in ${words[2,CURRENT-1]}; do\n"
         "    case ${verbs:+$verbs }$word in\n"
         "      " +
         all_paths(root, " | ") +
         ")\n"
         "        verbs=${verbs:+$verbs }$word ;;\n"
         "    esac\n"
         "  done\n"
         "  case $verbs in\n" +
         case_table(root) +
         "  esac\n"
         "  compadd -- ${=found} || _files\n"
         "}\n"
         "if [[ ${funcstack[1]} == _candor ]]; then _candor \"$@\"; else compdef _candor candor; "
         "fi\n";
}

std::string fish(const CLI::App& root) {
  std::string text =
      "# fish completion of candor: candor completion fish > "
      "~/.config/fish/completions/candor.fish\n"
      "# True where the verbs on the line so far are exactly these.\n"
      "function __candor_at\n"
      "  set -l verbs\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    set -l next (string join -- ' ' $verbs $word)\n"
      "    contains -- $next " +
      all_paths(root, " ") +
      "\n"
      "    and set verbs $next\n"
      "  end\n"
      "  test \"$verbs\" = \"$argv\"\n"
      "end\n";
  walk(root, "", [&](const std::string& path, const CLI::App& app) {
    for (const Word& word : words_of(root, app)) {
      text += "complete -c candor -n '__candor_at " + path + "' ";
      text += word.option ? "-l " + word.text.substr(2) : "-f -a " + word.text;
      if (word.takes_value) text += word.takes_file ? " -r -F" : " -x";
      if (!word.what.empty()) text += " -d '" + in_quotes(word.what) + "'";
      text += "\n";
    }
  });
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  if (shell == "fish") return fish(app);
  return {};
}

}  // namespace candor::cli
