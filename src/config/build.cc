#include <algorithm>
#include <array>
#include <set>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/text.h"
#include "config/internal/collected.h"

namespace candor::config {
namespace {

struct Address {
  TcpEndpoint endpoint;
  bool loopback = false;
};

Result<Address> parse_address(std::string_view text) {
  const auto malformed = [] {
    return fail(Code::kInvalidArgument,
                "must be a numeric address and a port, like 127.0.0.1:8421 or [::1]:8421");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed();
  const auto port = parse_decimal(text.substr(colon + 1));
  if (!port || *port > 65'535) return malformed();
  std::string host(text.substr(0, colon));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  Address address{{host, static_cast<std::uint16_t>(*port)}, false};
  std::array<unsigned char, 16> raw{};
  if (bracketed && ::inet_pton(AF_INET6, host.c_str(), raw.data()) == 1) {
    address.loopback =
        std::ranges::all_of(raw.begin(), raw.end() - 1, [](auto b) { return b == 0; }) &&
        raw.back() == 1;
  } else if (!bracketed && ::inet_pton(AF_INET, host.c_str(), raw.data()) == 1) {
    address.loopback = raw[0] == 127;
  } else {
    return malformed();
  }
  return address;
}

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:/-").find(c) != std::string_view::npos;
  });
}

// "https://chat.example:8443": scheme and host as browsers write them, no path.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    return !rest.empty() && std::ranges::all_of(rest, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
             std::string_view(".-:[]").find(c) != std::string_view::npos;
    });
  }
  return false;
}

class Builder {
 public:
  Builder(Collected& collected, const Path& file, const Sources& sources)
      : in_(collected), folder_(file.parent_path()), sources_(sources) {}

  Config run(const Path& file) {
    Config c;
    c.file = file;
    paths_and_listeners(c);
    sections(c);
    for (const auto& model : in_.models) add_model(c, model);
    std::ranges::sort(c.models, {}, &Model::name);
    for (const auto& budget : in_.budgets) add_budget(c, budget);
    for (const auto& priority : in_.priorities) add_priority(c, priority);
    for (std::size_t i = 0; i < keys().size(); ++i) {
      const Key& key = keys()[i];
      std::string text = value_text(key, in_.values[i].value);
      if (key.name == "data_dir") text = c.data_dir.string();
      if (key.name == "listen.unix_socket" && !c.listen.unix_socket.empty()) {
        text = c.listen.unix_socket.string();
      }
      c.settings.push_back({&key, std::move(text), in_.values[i].origin, in_.values[i].where});
    }
    c.warnings = std::move(in_.warnings);
    return c;
  }

 private:
  const Slot& slot(std::string_view name) const {
    const auto table = keys();
    const auto key = std::ranges::find(table, name, &Key::name);
    CANDOR_CHECK(key != table.end());
    return in_.values[static_cast<std::size_t>(key - table.begin())];
  }
  const std::string& text(std::string_view name) const {
    return std::get<std::string>(slot(name).value);
  }
  std::int64_t number(std::string_view name) const {
    return std::get<std::int64_t>(slot(name).value);
  }
  std::uint64_t size(std::string_view name) const {
    return static_cast<std::uint64_t>(number(name));
  }
  int integer(std::string_view name) const { return static_cast<int>(number(name)); }
  Milliseconds duration(std::string_view name) const { return Milliseconds(number(name)); }
  std::optional<Milliseconds> duration_or_word(std::string_view name) const {
    if (std::holds_alternative<std::string>(slot(name).value)) return std::nullopt;
    return duration(name);
  }
  bool flag(std::string_view name) const { return std::get<bool>(slot(name).value); }
  const std::vector<std::string>& texts(std::string_view name) const {
    return std::get<std::vector<std::string>>(slot(name).value);
  }
  void problem(std::string_view name, std::string_view what) {
    in_.problems.push_back(fmt::format("{}: {} {}", slot(name).where, name, what));
  }

  // Relative paths of a file start at its folder, those of environment and flags where the program
  // was started.
  Path path(const Slot& from) const {
    const std::string& given = std::get<std::string>(from.value);
    if (given.empty()) return {};
    if (given.starts_with("~/")) {
      for (const auto& [name, value] : sources_.environment) {
        if (name == "HOME") return Path(value) / given.substr(2);
      }
    }
    const Path result(given);
    if (result.is_relative() && from.origin == Origin::kFile) return folder_ / result;
    return result;
  }

  // "store:NAME" is no path yet.
  Path model_path(const Slot& from) const {
    const std::string& given = std::get<std::string>(from.value);
    return given.starts_with(kStorePrefix) ? Path(given) : path(from);
  }

  // Of a list of texts.
  std::vector<Path> paths(std::string_view name) const {
    std::vector<Path> out;
    for (const std::string& each : texts(name)) {
      Slot one = slot(name);
      one.value = each;
      out.push_back(path(one));
    }
    return out;
  }

  void paths_and_listeners(Config& c) {
    c.data_dir = path(slot("data_dir"));
    if (c.data_dir.empty()) c.data_dir = sources_.data_dir;
    if (c.data_dir.empty()) {
      problem("data_dir", "is not set and this user has no home folder; set it or CANDOR_DATA_DIR");
    } else {
      c.data_dir = std::filesystem::absolute(c.data_dir).lexically_normal();
      if (!c.data_dir.has_filename()) c.data_dir = c.data_dir.parent_path();
    }
    c.deployer = text("deployer");
    if (c.deployer.size() > 200 || strip_controls(c.deployer) != c.deployer) {
      problem("deployer", "must be one line of at most 200 bytes");
    }
    c.listen.admin_socket = c.data_dir / "run" / "admin.sock";  // DataPaths::run()
    if (text("listen.unix_socket") != "none" && !text("listen.unix_socket").empty()) {
      c.listen.unix_socket = c.data_dir / text("listen.unix_socket");
    }
    constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    for (const Path& socket : {c.listen.unix_socket, c.listen.admin_socket}) {
      if (socket.native().size() > kLongest) {
        problem("data_dir",
                fmt::format("is too long: the socket {} would have {} bytes, the kernel "
                            "takes {}",
                            shown(socket.native()), socket.native().size(), kLongest));
        break;
      }
    }
    if (c.listen.unix_socket == c.listen.admin_socket) {
      problem("listen.unix_socket", "may not be the administration's own socket");
    }
    if (text("listen.address") != "none") {
      if (auto address = parse_address(text("listen.address")); !address) {
        problem("listen.address", address.error().message());
      } else if (!address->loopback) {
        problem("listen.address",
                fmt::format("would serve other machines without TLS and keys, which is refused; "
                            "set listen.tls_address = \"{}\" with listen.tls_certificate and "
                            "listen.tls_key, and listen here on 127.0.0.1 or none",
                            text("listen.address")));
      } else {
        c.listen.tcp = address->endpoint;
      }
    }
    tls_listener(c);
    c.listen.hosts = texts("listen.hosts");
    for (std::string& host : c.listen.hosts) {
      for (char& ch : host) {
        if (ch >= 'A' && ch <= 'Z') ch = static_cast<char>(ch - 'A' + 'a');
      }
    }
    c.listen.origins = texts("listen.origins");
    for (const std::string& origin : c.listen.origins) {
      if (!is_origin(origin)) {
        problem(
            "listen.origins",
            fmt::format("holds '{}'; an origin is written https://chat.example", shown(origin)));
      }
    }
  }

  void tls_listener(Config& c) {
    const Path certificate = path(slot("listen.tls_certificate"));
    const Path key = path(slot("listen.tls_key"));
    const Path client_ca = path(slot("listen.tls_client_ca"));
    const bool required = text("listen.tls_client") == "required";
    if (text("listen.tls_address") == "none") {
      if (!certificate.empty() || !key.empty() || !client_ca.empty() || required) {
        problem("listen.tls_address",
                "is none, so nothing would be served over TLS; set it, such "
                "as to 0.0.0.0:8443");
      }
      return;
    }
    auto address = parse_address(text("listen.tls_address"));
    if (!address) return problem("listen.tls_address", address.error().message());
    if (certificate.empty()) problem("listen.tls_address", "needs listen.tls_certificate");
    if (key.empty()) problem("listen.tls_address", "needs listen.tls_key");
    if (required && client_ca.empty()) {
      problem("listen.tls_client", "is required, which needs listen.tls_client_ca");
    }
    c.listen.tls = ListenTls{.address = address->endpoint,
                             .certificate = certificate,
                             .key = key,
                             .client_ca = client_ca,
                             .client_required = required};
  }

  void sections(Config& c) {
    c.content.mode = text("content.mode") == "none" ? ContentMode::kNone : ContentMode::kSealed;
    c.content.retention = duration_or_word("content.retention");

    Engine& e = c.engine;
    e.binary = path(slot("engine.binary"));
    e.foreign = flag("engine.foreign");
    if (e.foreign && e.binary.empty()) problem("engine.foreign", "needs engine.binary");
    const std::string& scheduling = text("engine.scheduling");
    e.scheduling = scheduling == "batch"   ? Scheduling::kBatch
                   : scheduling == "other" ? Scheduling::kOther
                                           : Scheduling::kIdle;
    e.memory_budget = size("engine.memory_budget");
    e.idle_unload = duration_or_word("engine.idle_unload");
    e.unconfined = text("engine.unconfined") == "allow" ? Unconfined::kAllow : Unconfined::kRefuse;
    e.load_timeout = duration("engine.load_timeout");
    e.template_timeout = duration("engine.template_timeout");
    e.first_token_timeout = duration("engine.first_token_timeout");
    e.stall_timeout = duration("engine.stall_timeout");
    e.stop_timeout = duration("engine.stop_timeout");
    e.kernel_probe = flag("engine.kernel_probe");
    e.model_probe_tokens = integer("engine.model_probe_tokens");

    c.upstream.connect_timeout = duration("upstream.connect_timeout");
    c.upstream.retries = integer("upstream.retries");
    c.upstream.health_interval = duration_or_word("upstream.health_interval");

    Limits& l = c.limits;
    l.max_body_bytes = size("limits.max_body_bytes");
    l.max_header_bytes = size("limits.max_header_bytes");
    l.max_connections = integer("limits.max_connections");
    l.header_timeout = duration("limits.header_timeout");
    l.body_timeout = duration("limits.body_timeout");
    l.idle_timeout = duration("limits.idle_timeout");
    l.write_timeout = duration("limits.write_timeout");
    l.request_timeout = duration("limits.request_timeout");
    l.drain_timeout = duration("limits.drain_timeout");
    l.max_tokens = integer("limits.max_tokens");
    l.max_messages = integer("limits.max_messages");
    l.max_waiting = integer("limits.max_waiting");
    l.strict_fields = flag("limits.strict_fields");

    c.quota.exchanges_per_minute = size("quota.exchanges_per_minute");
    c.quota.bytes_per_hour = size("quota.bytes_per_hour");

    pull(c.pull);

    c.policy.packs = texts("policy.packs");
    for (const std::string& pack : c.policy.packs) {
      if (pack != "base" && pack != "eu" && pack != "uk" && pack != "us") {
        problem("policy.packs", "knows base, eu, uk and us");
      }
    }
    c.policy.files = paths("policy.files");
    c.policy.detectors = paths("policy.detectors");
    c.policy.jurisdictions = texts("policy.jurisdictions");
    c.policy.registered_hits = static_cast<std::uint32_t>(integer("policy.registered_hits"));
    c.policy.ask = text("policy.ask");
    c.policy.ask_timeout = duration("policy.ask_timeout");
    if (!c.policy.ask.empty() && c.policy.packs.empty() && c.policy.files.empty()) {
      problem("policy.ask", "is asked beside rules: set policy.packs or policy.files, too");
    }
    c.policy.exception_max = duration("policy.exception_max");
    c.policy.approvers = texts("policy.approvers");
    for (const std::string& who : c.policy.approvers) {
      const std::string kind = who.substr(0, who.find(':') + 1);
      if ((kind != "oidc:" && kind != "cert:" && kind != "key:" && kind != "group:") ||
          kind.size() == who.size()) {
        problem("policy.approvers",
                "lists oidc:NAME, cert:NAME, key:ID or group:NAME; a user of this machine needs "
                "one of these to approve");
      }
    }
    c.policy.german = text("policy.language") == "de";
    c.policy.tell_in_text = text("policy.explain") == "text";

    c.ledger.segment_bytes = size("ledger.segment_bytes");
    if (c.ledger.segment_bytes % 4'096 != 0) {
      problem("ledger.segment_bytes", "must be a multiple of 4KiB");
    }
    c.ledger.reserve_bytes = size("ledger.reserve_bytes");
    c.ledger.publish_interval = duration("ledger.publish_interval");
    c.ledger.progress_interval = duration("ledger.progress_interval");
    c.ledger.progress_bytes = size("ledger.progress_bytes");
    c.ledger.sealed_inline_max = size("ledger.sealed_inline_max");

    c.identity.require_key = flag("identity.require_key");
    c.identity.os_users = texts("identity.os_users");
    for (const std::int64_t uid :
         std::get<std::vector<std::int64_t>>(slot("identity.forwarder_uids").value)) {
      c.identity.forwarder_uids.push_back(static_cast<std::uint32_t>(uid));
    }
    const auto no_empty = [&](std::string_view key, const std::vector<std::string>& list) {
      if (std::ranges::find(list, "") != list.end()) problem(key, "holds an empty text");
    };
    c.identity.teams = texts("identity.teams");
    no_empty("identity.teams", c.identity.teams);

    Oidc& o = c.oidc;
    o.issuer = text("oidc.issuer");
    o.audiences = texts("oidc.audiences");
    o.keys = text("oidc.keys");
    o.ca = path(slot("oidc.ca"));
    o.algorithms = texts("oidc.algorithms");
    o.user_claim = text("oidc.user_claim");
    o.groups_claim = text("oidc.groups_claim");
    o.groups = texts("oidc.groups");
    o.clock_skew = duration("oidc.clock_skew");
    if (!o.issuer.empty() && o.audiences.empty()) {
      problem("oidc.audiences", "is needed: a token for another service must not open this one");
    }
    no_empty("oidc.audiences", o.audiences);
    no_empty("oidc.groups", o.groups);
    if (o.user_claim.empty()) problem("oidc.user_claim", "must not be empty");
    if (!o.keys.empty() && !o.keys.starts_with('/') && !o.keys.starts_with("https://") &&
        !o.keys.starts_with("http://")) {
      problem("oidc.keys", "is an absolute path, https://... or (on this machine) http://...");
    }
    if (o.issuer.empty() && !(o.audiences.empty() && o.keys.empty() && o.groups.empty())) {
      problem("oidc.issuer", "is needed where oidc.audiences, oidc.groups or oidc.keys is set");
    }

    const std::string& level = text("log.level");
    c.log.level = level == "debug"     ? LogLevel::kDebug
                  : level == "warning" ? LogLevel::kWarning
                  : level == "error"   ? LogLevel::kError
                                       : LogLevel::kInfo;
    if (text("log.format") == "json") c.log.format = LogFormat::kJson;
    if (text("log.format") == "text") c.log.format = LogFormat::kText;

    c.privacy.epoch = duration("privacy.epoch");
  }

  void pull(Pull& p) {
    const auto url = [&](std::string_view key) {
      std::string out = text(key);
      while (out.ends_with('/')) out.pop_back();
      const bool web = out.starts_with("https://") || out.starts_with("http://");
      if (!out.empty() && (!web || out.find_first_of("@?# ") != std::string::npos)) {
        problem(key, "is written https://HOST[:PORT][/BASE]");
      }
      return out;
    };
    p.huggingface = url("pull.huggingface");
    p.ollama = url("pull.ollama");
    p.pypi = url("pull.pypi");
    if (text("pull.proxy") != "none") p.proxy = url("pull.proxy");
    p.ca = path(slot("pull.ca"));
    p.connections = integer("pull.connections");
  }

  void add_model(Config& c, const Collected::TableSlots& from) {
    const auto at = [&](std::string_view name) -> const Slot& {
      const auto table = model_keys();
      const auto key = std::ranges::find(table, name, &Key::name);
      CANDOR_CHECK(key != table.end());
      return from.values[static_cast<std::size_t>(key - table.begin())];
    };
    const auto wrong = [&](std::string_view what) {
      in_.problems.push_back(fmt::format("{}: {}", from.where, what));
    };
    const auto integer_at = [&](std::string_view name) {
      return std::get<std::int64_t>(at(name).value);
    };
    Model m;
    m.origin = from.where;
    m.name = std::get<std::string>(at("model.name").value);
    m.path = model_path(at("model.path"));
    m.upstream = std::get<std::vector<std::string>>(at("model.upstream").value);
    m.upstream_model = std::get<std::string>(at("model.upstream_model").value);
    if (m.path.empty() && m.upstream.empty()) {
      wrong("a [[model]] needs a path, one GGUF file, or an upstream");
    } else if (!m.path.empty() && !m.upstream.empty()) {
      wrong("a [[model]] has either a path or an upstream");
    }
    for (const std::string& replica : m.upstream) {
      constexpr std::array<std::string_view, 4> kForms{"https://", "http://", "tcp:", "unix:/"};
      if (std::ranges::none_of(kForms, [&](auto form) { return replica.starts_with(form); })) {
        wrong(
            "model.upstream is written https://HOST[:PORT][/BASE], http://..., "
            "tcp:ADDRESS:PORT or unix:/PATH");
      }
    }
    m.upstream_slots = static_cast<int>(integer_at("model.upstream_slots"));
    m.upstream_kind = std::get<std::string>(at("model.upstream_kind").value);
    m.upstream_key_file = path(at("model.upstream_key_file"));
    m.upstream_ca = path(at("model.upstream_ca"));
    m.upstream_proxy = std::get<std::string>(at("model.upstream_proxy").value);
    if (m.upstream_proxy == "none") m.upstream_proxy.clear();
    if (!m.upstream_proxy.empty() && !m.upstream_proxy.starts_with("http://")) {
      wrong("model.upstream_proxy is written http://HOST:PORT, or none");
    }
    if (m.upstream.empty() &&
        !(m.upstream_key_file.empty() && m.upstream_ca.empty() && m.upstream_proxy.empty())) {
      wrong(
          "a [[model]] without upstream has no use for upstream_key_file, upstream_ca or "
          "upstream_proxy");
    }
    if (!is_model_name(m.name)) {
      wrong("a [[model]] needs a name of letters, digits and . _ : / -, at most 128 long");
    } else if (std::ranges::find(c.models, m.name, &Model::name) != c.models.end()) {
      wrong(fmt::format("there are two models named '{}'", m.name));
    }
    m.context_tokens = static_cast<int>(integer_at("model.context"));
    m.slots = static_cast<int>(integer_at("model.slots"));
    m.threads = static_cast<int>(integer_at("model.threads"));
    m.memory_bytes = static_cast<std::uint64_t>(integer_at("model.memory"));
    m.pinned = std::get<bool>(at("model.pinned").value);
    for (const std::string& adapter :
         std::get<std::vector<std::string>>(at("model.adapters").value)) {
      Slot one = at("model.adapters");
      one.value = adapter;
      m.adapters.push_back(model_path(one));
    }
    if (m.adapters.size() > 16) wrong("model.adapters may name at most 16 files");
    if (!m.adapters.empty() && !m.upstream.empty()) wrong("an upstream takes no model.adapters");
    m.chat_template = path(at("model.chat_template"));
    m.accepted_findings = std::get<std::vector<std::string>>(at("model.accept_findings").value);
    if (m.accepted_findings.size() > 64) wrong("model.accept_findings may name at most 64");
    if (const auto& hex = std::get<std::string>(at("model.sha256").value); !hex.empty()) {
      if (auto digest = digest_from_hex(hex)) {
        m.sha256 = *digest;
      } else {
        wrong("model.sha256 must be 64 lower-case hex digits");
      }
    }
    m.flags = std::get<std::vector<std::string>>(at("model.flags").value);
    if (auto checked = check_engine_flags(m.flags); !checked) {
      wrong("model.flags: " + checked.error().message());
    }
    c.models.push_back(std::move(m));
  }

  static const Slot& at(const Collected::TableSlots& from, std::span<const Key> table,
                        std::string_view name) {
    const auto key = std::ranges::find(table, name, &Key::name);
    CANDOR_CHECK(key != table.end());
    return from.values[static_cast<std::size_t>(key - table.begin())];
  }

  // "team:red" into its two halves.
  bool read_subject(const Collected::TableSlots& from, std::string_view text, SubjectKind& kind,
                    std::string& name) {
    constexpr std::array<std::pair<std::string_view, SubjectKind>, 4> kKinds{
        {{"user:", SubjectKind::kUser},
         {"team:", SubjectKind::kTeam},
         {"key:", SubjectKind::kKey},
         {"model:", SubjectKind::kModel}}};
    for (const auto& [prefix, of] : kKinds) {
      if (!text.starts_with(prefix) || text.size() == prefix.size()) continue;
      kind = of;
      name = text.substr(prefix.size());
      return true;
    }
    in_.problems.push_back(fmt::format(
        "{}: subject is written user:NAME, team:NAME, key:ID or model:NAME", from.where));
    return false;
  }

  void add_budget(Config& c, const Collected::TableSlots& from) {
    const auto number_at = [&](std::string_view name) {
      return std::get<std::int64_t>(at(from, budget_keys(), name).value);
    };
    const auto text_at = [&](std::string_view name) -> const std::string& {
      return std::get<std::string>(at(from, budget_keys(), name).value);
    };
    Budget b;
    if (!read_subject(from, text_at("budget.subject"), b.kind, b.name)) return;
    const std::string& window = text_at("budget.window");
    b.window = window == "minute" ? BudgetWindow::kMinute
               : window == "day"  ? BudgetWindow::kDay
                                  : BudgetWindow::kMonth;
    b.requests = number_at("budget.requests");
    b.tokens = number_at("budget.tokens");
    b.tokens_in = number_at("budget.tokens_in");
    b.tokens_out = number_at("budget.tokens_out");
    b.seconds = number_at("budget.seconds");
    b.streams = number_at("budget.streams");
    if (b.requests + b.tokens + b.tokens_in + b.tokens_out + b.seconds + b.streams == 0) {
      in_.problems.push_back(
          fmt::format("{}: a [[budget]] needs a limit: requests, tokens, tokens_in, tokens_out, "
                      "seconds or streams",
                      from.where));
    }
    const bool again = std::ranges::any_of(c.budgets, [&](const Budget& other) {
      return other.kind == b.kind && other.name == b.name && other.window == b.window;
    });
    if (again) {
      in_.problems.push_back(fmt::format("{}: there are two budgets of '{}' for a {}", from.where,
                                         shown(text_at("budget.subject")), window));
    }
    c.budgets.push_back(std::move(b));
  }

  void add_priority(Config& c, const Collected::TableSlots& from) {
    const auto text_at = [&](std::string_view name) -> const std::string& {
      return std::get<std::string>(at(from, priority_keys(), name).value);
    };
    Priority p;
    if (!read_subject(from, text_at("priority.subject"), p.kind, p.name)) return;
    if (p.kind == SubjectKind::kModel || p.name == "*") {
      in_.problems.push_back(
          fmt::format("{}: a [[priority]] is of one user, team or key", from.where));
    }
    const std::string& turns = text_at("priority.class");
    p.turns = turns == "high"  ? TurnClass::kHigh
              : turns == "low" ? TurnClass::kLow
                               : TurnClass::kNormal;
    c.priorities.push_back(std::move(p));
  }

  Collected& in_;
  Path folder_;
  const Sources& sources_;
};

}  // namespace

Config build(Collected& collected, const Path& file, const Sources& sources) {
  return Builder(collected, file, sources).run(file);
}

}  // namespace candor::config
