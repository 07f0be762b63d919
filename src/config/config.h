// The configuration of candor: what is in force, and from where each value comes (A10).
//
// Order, the later wins: built-in default, candor.toml, environment (CANDOR_LISTEN_ADDRESS for
// listen.address), flags. All keys stand in one table (config/keys.h), which also makes
// docs/configuration.md. Unknown keys are errors that suggest the nearest name; each value has
// bounds; sizes are written "4GiB", durations "30s". All mistakes of a file are reported at once,
// one on each line of the message, with file and line.
//
// Owner of toml++. Pure but for load_config (reads one file). The file is the administrator's but
// is read as if hostile. Values of this module hold no secret: keys live in the data folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/result.h"
#include "config/keys.h"

namespace candor::config {

using Milliseconds = std::chrono::milliseconds;

// Numeric address and port. An IPv6 address is written "[::1]:8421".
struct TcpEndpoint {
  std::string address;
  std::uint16_t port = 0;
};

// Names a model of the store rather than a file.
inline constexpr std::string_view kStorePrefix = "store:";

// Paths of PEM files; the keys themselves are no configuration values.
struct ListenTls {
  TcpEndpoint address;
  Path certificate, key;
  Path client_ca;  // empty: client certificates are not asked for
  bool client_required = false;
};

struct Listen {
  std::optional<TcpEndpoint> tcp;    // unset: no TCP listener (address = "none")
  std::optional<ListenTls> tls;      // unset: no TLS listener
  Path unix_socket;                  // of the inference API; empty: none
  Path admin_socket;                 // always <data_dir>/run/admin.sock
  std::vector<std::string> hosts;    // further names in Host (S13)
  std::vector<std::string> origins;  // web origins that may call (S13)
};

enum class ContentMode : std::uint8_t { kSealed, kNone };
struct Content {
  ContentMode mode = ContentMode::kSealed;
  std::optional<Milliseconds> retention;  // unset: for ever
};

struct Model {
  std::string name;  // what callers ask for
  Path path;  // one GGUF file, or "store:NAME" (resolved by the server); empty: upstream is set
  int context_tokens = 0;  // for each slot; 0: the model's own, at most 8,192
  int slots = 4;
  int threads = 0;                 // 0: as many as processors
  std::uint64_t memory_bytes = 0;  // for the budget; 0: estimated
  bool pinned = false;             // never evicted
  std::vector<Path> adapters;      // LoRA adapters, GGUF files, applied at scale 1
  Path chat_template;              // a file that replaces the model's own template; empty: none
  std::vector<std::string> accepted_findings;  // ids of the gate's, served in spite of them
  std::optional<Digest> sha256;                // refuse the file unless it has this digest
  std::vector<std::string> flags;              // for llama-server; recorded in the load entry
  std::vector<std::string> upstream;  // replicas, "https://host", "unix:/path"; then path is empty
  std::string upstream_model;         // its own name there; empty: the same
  int upstream_slots = 0;             // exchanges at once, over all replicas; 0: no bound
  std::string upstream_kind;          // "openai", "llama.cpp" or "vllm"
  Path upstream_key_file, upstream_ca;
  std::string upstream_proxy;  // "http://host:port"; empty: none
  std::string origin;          // "candor.toml:12" or "--model"
  bool operator==(const Model&) const = default;
};

enum class Scheduling : std::uint8_t { kIdle, kBatch, kOther };
enum class Unconfined : std::uint8_t { kRefuse, kAllow };
struct Engine {
  Path binary;           // empty: candor-engine beside the program
  bool foreign = false;  // the binary is a llama-server of somebody else's
  Scheduling scheduling = Scheduling::kIdle;
  std::uint64_t memory_budget = 0;          // 0: three quarters of the machine's
  std::optional<Milliseconds> idle_unload;  // unset: never
  Unconfined unconfined = Unconfined::kRefuse;
  Milliseconds load_timeout{}, template_timeout{}, first_token_timeout{}, stall_timeout{},
      stop_timeout{};
  bool kernel_probe = true;
  int model_probe_tokens = 8;
};

struct Upstream {
  Milliseconds connect_timeout{};
  int retries = 0;
  std::optional<Milliseconds> health_interval;  // unset: never
};

struct Limits {
  std::uint64_t max_body_bytes = 0, max_header_bytes = 0;
  int max_connections = 0;
  Milliseconds header_timeout{}, body_timeout{}, idle_timeout{}, write_timeout{};
  Milliseconds request_timeout{}, drain_timeout{};
  int max_tokens = 0;  // of one answer; a caller may ask for less
  int max_messages = 0;
  int max_waiting = 0;         // requests waiting for a slot of one model
  bool strict_fields = false;  // refuse unknown request fields rather than drop them (S8)
};

struct Quota {  // of one caller; 0: none
  std::uint64_t exchanges_per_minute = 0;
  std::uint64_t bytes_per_hour = 0;
};

struct Pull {                             // candor model pull
  std::string huggingface, ollama, pypi;  // URLs without a slash at the end; pypi may be empty
  std::string proxy;                      // "http://host:port"; empty: none
  Path ca;
  int connections = 4;
};

struct Policy {
  std::vector<std::string> packs;  // of the program
  std::vector<Path> files, detectors;
  std::vector<std::string> jurisdictions;
  std::uint32_t registered_hits = 0;  // of one caller in an hour; 0: no limit
  std::string ask;                    // a decision point's URL; empty: none
  Milliseconds ask_timeout{};
  Milliseconds exception_max{};
  std::vector<std::string> approvers;
  bool german = false;
  bool tell_in_text = true;
};

enum class SubjectKind : std::uint8_t { kUser, kTeam, kKey, kModel };
enum class BudgetWindow : std::uint8_t { kMinute, kDay, kMonth };
struct Budget {
  SubjectKind kind = SubjectKind::kUser;
  std::string name;  // "*": each of them has its own
  BudgetWindow window = BudgetWindow::kMonth;
  // 0: no bound
  std::int64_t requests = 0, tokens = 0, tokens_in = 0, tokens_out = 0, seconds = 0, streams = 0;
  bool operator==(const Budget&) const = default;
};

enum class TurnClass : std::uint8_t { kHigh, kNormal, kLow };
struct Priority {
  SubjectKind kind = SubjectKind::kUser;  // never kModel
  std::string name;
  TurnClass turns = TurnClass::kNormal;
  bool operator==(const Priority&) const = default;
};

struct Ledger {
  std::uint64_t segment_bytes = 0, reserve_bytes = 0;
  Milliseconds publish_interval{}, progress_interval{};
  std::uint64_t progress_bytes = 0, sealed_inline_max = 0;
};

struct Identity {
  bool require_key = false;                   // nobody without an API key
  std::vector<std::string> os_users;          // who needs none on this machine; "*": everybody
  std::vector<std::uint32_t> forwarder_uids;  // processes that speak for others: told to use a key
  std::vector<std::string> teams;             // groups that are teams, the first one first
};

struct Oidc {
  std::string issuer;  // empty: no sign-in tokens are taken
  std::vector<std::string> audiences;
  std::string keys;  // a file's absolute path, a URL, or empty: by discovery
  Path ca;
  std::vector<std::string> algorithms;  // empty: all
  std::string user_claim, groups_claim;
  std::vector<std::string> groups;
  Milliseconds clock_skew{};
};

struct Log {
  LogLevel level = LogLevel::kInfo;
  std::optional<LogFormat> format;  // unset: text on a terminal, else JSON
};

struct Privacy {
  Milliseconds epoch{};  // how long one epoch key seals content (S3)
};

enum class Origin : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

// One value in force, for `candor doctor`. Lists are written "a, b".
struct Setting {
  const Key* key = nullptr;
  std::string value;  // normalised: "1MiB", never "1024KiB"
  Origin origin = Origin::kDefault;
  std::string where;  // "default", "candor.toml:12", "CANDOR_...", "--..."
};

struct Config {
  Path data_dir;
  Path file;             // the file read; empty: none
  std::string deployer;  // who runs it; empty: nobody said
  Listen listen;
  Content content;
  std::vector<Model> models;  // by name, names differ
  Engine engine;
  Upstream upstream;
  Limits limits;
  Quota quota;
  Pull pull;
  Policy policy;
  std::vector<Budget> budgets;       // as written; no two of one subject and window
  std::vector<Priority> priorities;  // as written
  Ledger ledger;
  Identity identity;
  Oidc oidc;
  Log log;
  Privacy privacy;

  std::vector<Setting> settings;      // one for each of keys(), in its order
  std::vector<std::string> warnings;  // such as CANDOR_ variables that nobody knows

  // nullptr for a name that keys() does not hold.
  [[nodiscard]] const Setting* setting(std::string_view key) const;
};

using NameValue = std::pair<std::string, std::string>;

struct Sources {
  std::optional<Path> file;            // --config; must exist
  std::vector<Path> search;            // else the first of these that exists
  std::vector<NameValue> environment;  // those that begin with CANDOR_ are looked at
  // Key and text as in environment variables: {"listen.address", "127.0.0.1:0"}. The key "model"
  // may repeat: "NAME=FILE" or "FILE"; it adds a model or replaces the file of the one so named.
  std::vector<NameValue> flags;
  Path data_dir;  // the default of data_dir
};

// Where this process's user keeps things. root and users without a home: /var/lib/candor and
// /etc/candor/candor.toml; others: XDG folders first, then /etc/candor/candor.toml.
// CANDOR_CONFIG in the environment is the same as --config.
[[nodiscard]] Sources default_sources(std::vector<NameValue> environment, std::uint32_t uid);
// The environment of this process, CANDOR_, HOME and XDG_ variables only.
[[nodiscard]] std::vector<NameValue> process_environment();

// kInvalidArgument: the mistakes, one a line. kNotFound: the file named by --config is not there.
[[nodiscard]] Result<Config> load_config(FileSystem& fs, const Sources& sources);
// The same from text; file names it in messages, and its folder is where relative paths start.
[[nodiscard]] Result<Config> parse_config(std::string_view toml, const Path& file,
                                          const Sources& sources);

struct Change {
  std::string key;            // "limits.max_tokens", "model.smollm2"
  std::string before, after;  // "" where a model was added or removed
  Effect effect = Effect::kRestart;
};

// Each [[budget]] and [[priority]] in a line: {"budget", "user:* month requests=5"}.
[[nodiscard]] std::vector<NameValue> table_lines(const Config& config);

// What a reload from one to the other changes; models are compared whole, and so are all budgets
// and all priorities ("budget", "priority").
[[nodiscard]] std::vector<Change> diff(const Config& before, const Config& after);

// A file with every key, its default and its description as comments, for `candor doctor` and
// tests.
[[nodiscard]] std::string example_file();
// The tables of docs/configuration.md, in Markdown.
[[nodiscard]] std::string reference_markdown();

}  // namespace candor::config
