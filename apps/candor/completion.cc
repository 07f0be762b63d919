// Completion scripts, made from the verbs as they are registered, so they cannot be out of date.
#include <CLI/CLI.hpp>

#include "commands.h"

namespace candor::cli {
namespace {

struct Word {
  std::string text, what;
  bool option = false;
};

// The words that may follow a path of verbs.
std::vector<Word> words_of(const CLI::App& root, const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back({sub->get_name(), sub->get_description(), false});
  }
  const auto options = [&words](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (name != "help-all") words.push_back({"--" + name, option->get_description(), true});
      }
    }
  };
  options(app);
  if (&app != &root) options(root);
  if (app.get_name() == "completion") {
    for (const char* shell : {"bash", "zsh", "fish"}) words.push_back({shell, "", false});
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

// The path of verbs on the line so far, then the words that may follow; bash and zsh.
std::string case_table(const CLI::App& root) {
  std::string text;
  walk(root, "", [&](const std::string& path, const CLI::App& app) {
    text += "    '" + path + "') words='";
    for (const Word& word : words_of(root, app)) text += word.text + " ";
    text += "' ;;\n";
  });
  return text;
}

std::string bash(const CLI::App& root) {
  return "# bash completion of candor: source <(candor completion bash)\n"
         "_candor() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} path='' word words=''\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    [[ $word == -* || $word == */* || $word == *.* ]] && continue\n"
         "    path=\"${path:+$path }$word\"\n"
         "  done\n"
         "  case $path in\n" +
         case_table(root) +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "}\n"
         "complete -o filenames -F _candor candor\n";
}

std::string zsh(const CLI::App& root) {
  return "#compdef candor\n"
         "# zsh completion of candor: candor completion zsh > a folder of $fpath, as _candor\n"
         "_candor() {\n"
         "  local path_so_far='' word words_text=''\n"
         "  for word in ${words[2,CURRENT-1]}; do\n"
         "    [[ $word == -* || $word == */* || $word == *.* ]] && continue\n"
         "    path_so_far=\"${path_so_far:+$path_so_far }$word\"\n"
         "  done\n"
         "  local -a found\n"
         "  () {\n"
         "    local words=''\n"
         "    case $path_so_far in\n" +
         case_table(root) +
         "    esac\n"
         "    words_text=$words\n"
         "  }\n"
         "  found=(${=words_text})\n"
         "  (( $#found )) && compadd -- $found || _files\n"
         "}\n"
         "if [[ ${funcstack[1]} == _candor ]]; then _candor \"$@\"; else compdef _candor candor; "
         "fi\n";
}

std::string fish(const CLI::App& root) {
  std::string text =
      "# fish completion of candor: candor completion fish > "
      "~/.config/fish/completions/candor.fish\n";
  walk(root, "", [&](const std::string& path, const CLI::App& app) {
    std::string condition = "__fish_use_subcommand";
    if (!path.empty()) {
      condition.clear();
      std::string rest = path;
      while (!rest.empty()) {
        const std::size_t space = rest.find(' ');
        condition += (condition.empty() ? "" : "; and ") +
                     ("__fish_seen_subcommand_from " + rest.substr(0, space));
        rest = space == std::string::npos ? "" : rest.substr(space + 1);
      }
    }
    for (const Word& word : words_of(root, app)) {
      text += "complete -c candor -n '" + condition + "' ";
      text += word.option ? "-l " + word.text.substr(2) : "-f -a " + word.text;
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
