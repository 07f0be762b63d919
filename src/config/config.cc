#include "config/config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unistd.h>

#include "config/internal/collected.h"

namespace candor::config {
namespace {

constexpr std::uint64_t kMaxFileBytes = 1U << 20U;
constexpr std::size_t kMaxProblems = 20;

std::string join_problems(const std::vector<std::string>& problems) {
  std::string out;
  for (std::size_t i = 0; i < problems.size() && i < kMaxProblems; ++i) {
    if (i > 0) out += '\n';
    out += problems[i];
  }
  if (problems.size() > kMaxProblems) {
    out += fmt::format("\nand {} more", problems.size() - kMaxProblems);
  }
  return out;
}

std::string find_variable(const std::vector<NameValue>& environment, std::string_view name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return value;
  }
  return {};
}

// A model in one line, for diff.
std::string model_text(const Model& m) {
  return fmt::format(
      "{} context={} slots={} threads={} memory={} pinned={} template={} accepted=[{}] sha256={} "
      "[{}]",
      m.upstream.empty()
          ? m.path.string()
          : fmt::format("{} {} {} {} {} {} {}", fmt::join(m.upstream, ","), m.upstream_model,
                        m.upstream_slots, m.upstream_kind, m.upstream_key_file.string(),
                        m.upstream_ca.string(), m.upstream_proxy),
      m.context_tokens, m.slots, m.threads, m.memory_bytes, m.pinned, m.chat_template.string(),
      fmt::join(m.accepted_findings, ","), m.sha256 ? to_hex(*m.sha256) : "-",
      fmt::join(m.flags, " "));
}

std::string_view kind_text(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::kUser: return "user";
    case SubjectKind::kTeam: return "team";
    case SubjectKind::kKey: return "key";
    case SubjectKind::kModel: return "model";
  }
  return "model";
}

void append_key(std::string& out, const Key& key, std::string_view name) {
  out += fmt::format("# {}\n", key.description);
  std::string value(key.fallback);
  switch (key.kind) {
    case Kind::kInteger:
    case Kind::kFlag: break;
    case Kind::kTexts: value = value.empty() ? "[]" : fmt::format("[\"{}\"]", value); break;
    case Kind::kIntegers: value = fmt::format("[{}]", value); break;
    case Kind::kText:
    case Kind::kPath:
    case Kind::kSize:
    case Kind::kDuration:
    case Kind::kChoice: value = fmt::format("\"{}\"", value); break;
  }
  out += fmt::format("#{} = {}\n", name, value);
}

std::string bounds_text(const Key& key) {
  std::string words(key.words);
  for (std::size_t at = 0; (at = words.find('|', at)) != std::string::npos; at += 4) {
    words.replace(at, 1, " or ");
  }
  const auto range = [&](auto format) {
    std::string text = fmt::format("{} to {}", format(key.min), format(key.max));
    return words.empty() ? text : text + ", or " + words;
  };
  switch (key.kind) {
    case Kind::kText: return "text";
    case Kind::kPath: return words.empty() ? "path" : "path, or " + words;
    case Kind::kSize: return range(format_size);
    case Kind::kDuration: return range(format_duration);
    case Kind::kInteger: return range([](std::int64_t n) { return std::to_string(n); });
    case Kind::kFlag: return "true or false";
    case Kind::kChoice: return words;
    case Kind::kTexts: return "list of texts";
    case Kind::kIntegers: return "list of integers";
  }
  return "";
}

// The keys of one kind of table ("model."), or of all sections ("").
void append_table(std::string& out, std::span<const Key> table, std::string_view kind) {
  out += !kind.empty()
             ? "| key | default | values | what it is |\n| --- | --- | --- | --- |\n"
             : "| key | default | values | takes effect | what it is |\n| --- | --- | --- | --- "
               "| --- |\n";
  for (const Key& key : table) {
    const std::string fallback = key.fallback.empty() ? "" : fmt::format("`{}`", key.fallback);
    if (!kind.empty()) {
      out += fmt::format("| `{}` | {} | {} | {} |\n", key.name.substr(kind.size()), fallback,
                         bounds_text(key), key.description);
    } else {
      out += fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, fallback, bounds_text(key),
                         key.effect == Effect::kReload ? "at a reload" : "at a restart",
                         key.description);
    }
  }
}

}  // namespace

const Setting* Config::setting(std::string_view key) const {
  const auto found =
      std::ranges::find_if(settings, [&](const Setting& s) { return s.key->name == key; });
  return found == settings.end() ? nullptr : &*found;
}

Sources default_sources(std::vector<NameValue> environment, std::uint32_t uid) {
  Sources sources;
  if (const auto file = find_variable(environment, "CANDOR_CONFIG"); !file.empty()) {
    sources.file = file;
  }
  const Path home = find_variable(environment, "HOME");
  const Path data_home = find_variable(environment, "XDG_DATA_HOME");
  const Path config_home = find_variable(environment, "XDG_CONFIG_HOME");
  if (uid == 0 || (home.empty() && data_home.empty())) {
    sources.data_dir = "/var/lib/candor";
  } else {
    sources.data_dir = (data_home.empty() ? home / ".local/share" : data_home) / "candor";
    if (!config_home.empty() || !home.empty()) {
      sources.search.push_back((config_home.empty() ? home / ".config" : config_home) /
                               "candor/candor.toml");
    }
  }
  sources.search.emplace_back("/etc/candor/candor.toml");
  sources.environment = std::move(environment);
  return sources;
}

std::vector<NameValue> process_environment() {
  std::vector<NameValue> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (name == "HOME" || name.starts_with("XDG_") || name.starts_with("CANDOR_")) {
      out.emplace_back(name, text.substr(equals + 1));
    }
  }
  return out;
}

Result<Config> load_config(FileSystem& fs, const Sources& sources) {
  Path file;
  if (sources.file) {
    file = *sources.file;
  } else {
    for (const Path& candidate : sources.search) {
      if (file.empty() && TRY(fs.exists(candidate))) file = candidate;
    }
  }
  if (file.empty()) return parse_config("", {}, sources);
  auto bytes = read_file(fs, file, kMaxFileBytes);
  if (!bytes) return std::unexpected(std::move(bytes).error().with_context("configuration"));
  return parse_config(as_text(*bytes), std::filesystem::absolute(file), sources);
}

Result<Config> parse_config(std::string_view toml, const Path& file, const Sources& sources) {
  Collected collected = collect_defaults();
  const std::string name = file.filename().string();
  collect_toml(toml, name, collected);
  collect_environment(sources.environment, collected);
  collect_flags(sources.flags, collected);
  Config config = build(collected, file, sources);
  if (!collected.problems.empty()) {
    return fail(Code::kInvalidArgument, join_problems(collected.problems));
  }
  return config;
}

std::vector<NameValue> table_lines(const Config& config) {
  constexpr std::array<std::string_view, 3> kWindows{"minute", "day", "month"};
  constexpr std::array<std::string_view, 3> kClasses{"high", "normal", "low"};
  std::vector<NameValue> lines;
  for (const Budget& b : config.budgets) {
    std::string text = fmt::format("{}:{} {}", kind_text(b.kind), b.name,
                                   kWindows[static_cast<std::size_t>(b.window)]);
    for (const auto& [what, limit] :
         {std::pair{"requests", b.requests}, std::pair{"tokens", b.tokens},
          std::pair{"tokens_in", b.tokens_in}, std::pair{"tokens_out", b.tokens_out},
          std::pair{"seconds", b.seconds}, std::pair{"streams", b.streams}}) {
      if (limit > 0) text += fmt::format(" {}={}", what, limit);
    }
    lines.emplace_back("budget", std::move(text));
  }
  for (const Priority& p : config.priorities) {
    lines.emplace_back("priority", fmt::format("{}:{} {}", kind_text(p.kind), p.name,
                                               kClasses[static_cast<std::size_t>(p.turns)]));
  }
  return lines;
}

std::vector<Change> diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < before.settings.size() && i < after.settings.size(); ++i) {
    const Setting& a = before.settings[i];
    const Setting& b = after.settings[i];
    if (a.value != b.value) {
      changes.push_back({std::string(a.key->name), a.value, b.value, a.key->effect});
    }
  }
  const auto all_of = [](const Config& config, std::string_view kind) {
    std::string text;
    for (const auto& [of, line] : table_lines(config)) {
      if (of == kind) text += line + "\n";
    }
    return text;
  };
  for (const std::string kind : {"budget", "priority"}) {
    std::string then = all_of(before, kind);
    std::string now = all_of(after, kind);
    if (then != now) changes.push_back({kind, std::move(then), std::move(now), Effect::kReload});
  }
  const auto find = [](const std::vector<Model>& models, std::string_view name) {
    const auto found = std::ranges::find(models, name, &Model::name);
    return found == models.end() ? std::string() : model_text(*found);
  };
  for (const Model& m : before.models) {
    const std::string then = model_text(m);
    const std::string now = find(after.models, m.name);
    if (then != now) changes.push_back({"model." + m.name, then, now, Effect::kReload});
  }
  for (const Model& m : after.models) {
    if (find(before.models, m.name).empty()) {
      changes.push_back({"model." + m.name, "", model_text(m), Effect::kReload});
    }
  }
  return changes;
}

std::string example_file() {
  std::string out =
      "# candor.toml: every key with its default. Take the # away from what you change.\n";
  std::string_view section;
  for (const Key& key : keys()) {
    const std::size_t dot = key.name.find('.');
    const std::string_view in = dot == std::string_view::npos ? "" : key.name.substr(0, dot);
    if (in != section) {
      section = in;
      out += fmt::format("\n[{}]\n", section);
    } else {
      out += '\n';
    }
    append_key(out, key, key.name.substr(dot + 1));
  }
  for (const auto& [kind, table] :
       {std::pair{"model", model_keys()}, std::pair{"budget", budget_keys()},
        std::pair{"priority", priority_keys()}}) {
    out += fmt::format("\n#[[{}]]\n", kind);
    for (const Key& key : table) {
      append_key(out, key, key.name.substr(std::string_view(kind).size() + 1));
    }
  }
  return out;
}

std::string reference_markdown() {
  std::string out;
  append_table(out, keys(), "");
  for (const auto& [kind, table] :
       {std::pair{"model", model_keys()}, std::pair{"budget", budget_keys()},
        std::pair{"priority", priority_keys()}}) {
    out += fmt::format("\nEach `[[{}]]` has:\n\n", kind);
    append_table(out, table, std::string(kind) + ".");
  }
  return out;
}

}  // namespace candor::config
