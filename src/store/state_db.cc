#include "store/state_db.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>

#include "crypto/hash.h"
#include "json/json.h"
#include "sqlite/database.h"
#include "store/internal/halt_rows.h"

namespace candor::store {
namespace {

constexpr std::string_view kStateSchema = R"(
CREATE TABLE IF NOT EXISTS api_key(
  id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, prefix TEXT NOT NULL,
  created_us INTEGER NOT NULL, expires_us INTEGER, models TEXT NOT NULL, revoked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS subject(
  name TEXT PRIMARY KEY, id BLOB NOT NULL UNIQUE, key_slot INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS halt(
  scope TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL, since_us INTEGER NOT NULL,
  PRIMARY KEY(scope, object));
)";
// What later versions added, one step for each; run once, in a transaction with the number.
constexpr std::array<std::string_view, 4> kStateSteps{
    R"(
ALTER TABLE api_key ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN team TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
)",
    R"(
CREATE TABLE use_count(
  before INTEGER NOT NULL, account TEXT NOT NULL, window INTEGER NOT NULL, start_s INTEGER NOT NULL,
  requests INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
  compute_us INTEGER NOT NULL, PRIMARY KEY(before, account, window)) WITHOUT ROWID;
CREATE TABLE use_team(caller TEXT PRIMARY KEY, team TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE use_position(
  before INTEGER PRIMARY KEY, origin TEXT NOT NULL, position INTEGER NOT NULL,
  newest_us INTEGER NOT NULL);
)",
    R"(
CREATE TABLE rule_exception(
  id BLOB PRIMARY KEY, rule TEXT NOT NULL, caller TEXT NOT NULL, opened_by TEXT NOT NULL,
  approved_by TEXT NOT NULL, reason TEXT NOT NULL, opened_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL) WITHOUT ROWID;
)",
    R"(
CREATE TABLE revocation_issuer(
  key TEXT PRIMARY KEY, sequence INTEGER NOT NULL, document BLOB NOT NULL, bundle TEXT NOT NULL)
  WITHOUT ROWID;
)"};
// Rebuilt from the log when lost, so a commit need not wait for the disk.
constexpr std::string_view kIndexSchema = R"(
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS exchange(
  id BLOB PRIMARY KEY, subject BLOB, intent INTEGER NOT NULL, end INTEGER NOT NULL,
  end_kind INTEGER NOT NULL, released INTEGER NOT NULL, key_slot INTEGER,
  request_pack INTEGER, request_offset INTEGER, answer_pack INTEGER, answer_offset INTEGER,
  erased INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exchange_open ON exchange(intent) WHERE end_kind = 0;
CREATE INDEX IF NOT EXISTS exchange_subject ON exchange(subject);
CREATE TABLE IF NOT EXISTS meta(one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL);
)";
constexpr std::string_view kColumns =
    "id, subject, intent, end, end_kind, released, key_slot, request_pack, request_offset, "
    "answer_pack, answer_offset, erased";
constexpr std::int64_t kFirstVersion = 1;

std::int64_t to_sql(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Id128 id_of(ByteView blob) {
  Id128 id{};
  if (blob.size() == id.size()) std::ranges::copy(blob, id.begin());
  return id;
}

ExchangeRow row_of(const sqlite::Statement& s) {
  ExchangeRow row;
  row.id = id_of(s.blob(0));
  row.subject = id_of(s.blob(1));
  row.intent = static_cast<std::uint64_t>(s.integer(2));
  row.end = static_cast<std::uint64_t>(s.integer(3));
  row.end_kind = static_cast<End>(s.integer(4));
  row.released_bytes = static_cast<std::uint64_t>(s.integer(5));
  if (!s.is_null(6)) row.key_slot = static_cast<std::uint64_t>(s.integer(6));
  const auto place = [&](int column) -> std::optional<SealedPlace> {
    if (s.is_null(column)) return std::nullopt;
    return SealedPlace{.pack = static_cast<std::uint64_t>(s.integer(column)),
                       .offset = static_cast<std::uint64_t>(s.integer(column + 1))};
  };
  row.request = place(7);
  row.answer = place(9);
  row.erased = s.integer(11) != 0;
  return row;
}

std::string models_text(const std::vector<std::string>& models) {
  json::Array list;
  for (const std::string& model : models) list.emplace_back(model);
  return json::to_text(list);
}

Result<std::vector<std::string>> parse_models(std::string_view text) {
  const json::Value value = TRY(json::parse(text));
  std::vector<std::string> models;
  if (!value.is_array()) return fail(Code::kDataLoss, "the state database holds an odd model list");
  for (const json::Value& model : value.get_array()) {
    if (model.is_string()) models.emplace_back(model.get_string());
  }
  return models;
}

Result<void> prepare_database(sqlite::Database& db, std::string_view schema,
                              std::span<const std::string_view> steps, std::string_view name) {
  const std::int64_t newest = kFirstVersion + static_cast<std::int64_t>(steps.size());
  std::int64_t version = TRY(db.user_version());
  if (version < 0 || version > newest) {
    return fail(Code::kFailedPrecondition,
                std::string(name) + " is of another version of candor; use that one");
  }
  TRY(db.execute(schema));
  version = std::max(version, kFirstVersion);
  if (version == newest) return db.set_user_version(version);
  auto transaction = TRY(sqlite::Transaction::begin(db));
  for (; version < newest; ++version) {
    TRY(db.execute(steps[static_cast<std::size_t>(version - kFirstVersion)]));
  }
  TRY(db.set_user_version(newest));
  return transaction.commit();
}

Result<sqlite::Database> open_state(const Path& path) {
  sqlite::Database db = TRY(sqlite::Database::open(path));
  TRY(prepare_database(db, kStateSchema, kStateSteps, "state.db"));
  return db;
}
Result<sqlite::Database> open_index(const Path& path) {
  sqlite::Database db = TRY(sqlite::Database::open(path));
  TRY(prepare_database(db, kIndexSchema, {}, "index.db"));
  return db;
}

}  // namespace

struct StateDb::State {
  struct StoredKey {
    ApiKey key;
    Digest hash{};
  };
  State(sqlite::Database s, sqlite::Database i) : state(std::move(s)), index(std::move(i)) {}

  Result<void> load_keys() {
    auto find = TRY(state.prepare(
        "SELECT id, hash, name, prefix, created_us, expires_us, models, revoked, owner, team, "
        "purpose FROM api_key"));
    keys.clear();
    while (TRY(find.step())) {
      StoredKey stored;
      stored.key.id = find.text(0);
      if (find.blob(1).size() == stored.hash.size()) {
        std::ranges::copy(find.blob(1), stored.hash.begin());
      }
      stored.key.name = find.text(2);
      stored.key.prefix = find.text(3);
      stored.key.created_us = find.integer(4);
      if (!find.is_null(5)) stored.key.expires_us = find.integer(5);
      stored.key.models = TRY(parse_models(find.text(6)));
      stored.key.revoked = find.integer(7) != 0;
      stored.key.facts = {.owner = std::string(find.text(8)),
                          .team = std::string(find.text(9)),
                          .purpose = std::string(find.text(10))};
      keys.push_back(std::move(stored));
    }
    return {};
  }

  std::mutex state_mutex;  // state and keys
  sqlite::Database state;
  std::vector<StoredKey> keys;
  std::mutex index_mutex;
  sqlite::Database index;
};

StateDb::StateDb(std::unique_ptr<State> state) : state_(std::move(state)) {}
StateDb::~StateDb() = default;

Result<std::unique_ptr<StateDb>> StateDb::open(const DataPaths& paths) {
  auto state = TRY(open_state(paths.state_db()));
  auto index = open_index(paths.index_db());
  if (!index && index.error().code() == Code::kDataLoss) {
    // It can be made again from the log, so a damaged one is thrown away.
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(Path(paths.index_db().native() + suffix), ignored);
    }
    index = open_index(paths.index_db());
  }
  if (!index) return std::unexpected(index.error());
  auto held = std::make_unique<State>(std::move(state), *std::move(index));
  TRY(held->load_keys());
  return std::unique_ptr<StateDb>(new StateDb(std::move(held)));
}

Result<std::unique_ptr<StateDb>> StateDb::in_memory() {
  auto held = std::make_unique<State>(TRY(open_state(":memory:")), TRY(open_index(":memory:")));
  return std::unique_ptr<StateDb>(new StateDb(std::move(held)));
}

namespace {

Result<UseCounts> read_use(sqlite::Database& db, std::int64_t before) {
  UseCounts counts;
  auto position = TRY(db.prepare("SELECT position, newest_us FROM use_position WHERE before = ?1"));
  TRY(position.bind(1, before));
  if (TRY(position.step())) {
    counts.position = static_cast<std::uint64_t>(position.integer(0));
    counts.newest_us = position.integer(1);
  }
  auto rows =
      TRY(db.prepare("SELECT account, window, start_s, requests, tokens_in, tokens_out, compute_us "
                     "FROM use_count WHERE before = ?1"));
  TRY(rows.bind(1, before));
  while (TRY(rows.step())) {
    counts.rows.push_back({.account = std::string(rows.text(0)),
                           .window = static_cast<std::uint8_t>(rows.integer(1)),
                           .start_s = rows.integer(2),
                           .requests = rows.integer(3),
                           .tokens_in = rows.integer(4),
                           .tokens_out = rows.integer(5),
                           .compute_us = rows.integer(6)});
  }
  auto teams = TRY(db.prepare("SELECT caller, team FROM use_team"));
  while (TRY(teams.step())) {
    counts.teams.emplace_back(std::string(teams.text(0)), std::string(teams.text(1)));
  }
  return counts;
}

}  // namespace

Result<UseCounts> StateDb::load_use(std::string_view origin) {
  const std::lock_guard lock(state_->state_mutex);
  sqlite::Database& db = state_->state;
  auto transaction = TRY(sqlite::Transaction::begin(db));
  auto known = TRY(db.prepare("SELECT origin FROM use_position WHERE before = 0"));
  std::optional<std::string> counted;
  if (TRY(known.step())) counted = std::string(known.text(0));
  known.reset();
  if (counted != origin) {
    if (counted) {
      TRY(db.execute(
          "DELETE FROM use_count WHERE before = 1; DELETE FROM use_position WHERE before = 1;"
          "INSERT INTO use_count SELECT 1, account, window, start_s, requests, tokens_in, "
          "tokens_out, compute_us FROM use_count WHERE before = 0;"
          "INSERT INTO use_position SELECT 1, origin, 0, newest_us FROM use_position "
          "WHERE before = 0;"));
    }
    auto begin = TRY(db.prepare(
        "INSERT OR REPLACE INTO use_position(before, origin, position, newest_us) VALUES "
        "(0, ?1, 0, coalesce((SELECT newest_us FROM use_position WHERE before = 1), 0))"));
    TRY(begin.bind(1, origin));
    TRY(begin.run());
  }
  UseCounts counts = TRY(read_use(db, 0));
  TRY(transaction.commit());
  return counts;
}

Result<UseCounts> StateDb::load_use_before() {
  const std::lock_guard lock(state_->state_mutex);
  return read_use(state_->state, 1);
}

Result<void> StateDb::save_use(const UseCounts& changed, std::int64_t oldest_s) {
  const std::lock_guard lock(state_->state_mutex);
  sqlite::Database& db = state_->state;
  auto transaction = TRY(sqlite::Transaction::begin(db));
  auto put = TRY(db.prepare(
      "INSERT OR REPLACE INTO use_count(before, account, window, start_s, requests, tokens_in, "
      "tokens_out, compute_us) VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  for (const UseRow& row : changed.rows) {
    TRY(put.bind_all(std::string_view(row.account), std::int64_t{row.window}, row.start_s,
                     row.requests, row.tokens_in, row.tokens_out, row.compute_us));
    TRY(put.run());
  }
  auto team = TRY(db.prepare("INSERT OR REPLACE INTO use_team(caller, team) VALUES (?1, ?2)"));
  for (const auto& [caller, name] : changed.teams) {
    TRY(team.bind_all(std::string_view(caller), std::string_view(name)));
    TRY(team.run());
  }
  auto position =
      TRY(db.prepare("UPDATE use_position SET position = ?1, newest_us = ?2 WHERE before = 0"));
  TRY(position.bind_all(to_sql(changed.position), changed.newest_us));
  TRY(position.run());
  auto old = TRY(db.prepare("DELETE FROM use_count WHERE start_s < ?1"));
  TRY(old.bind(1, oldest_s));
  TRY(old.run());
  return transaction.commit();
}

Result<void> StateDb::keep_team(std::string_view pseudonym, std::string_view team) {
  const std::lock_guard lock(state_->state_mutex);
  auto put =
      TRY(state_->state.prepare("INSERT OR REPLACE INTO use_team(caller, team) VALUES (?1, ?2)"));
  TRY(put.bind_all(pseudonym, team));
  return put.run();
}

Result<StateDb::NewApiKey> StateDb::create_api_key(std::string_view name,
                                                   std::optional<std::int64_t> expires_us,
                                                   std::vector<std::string> models, KeyFacts facts,
                                                   std::int64_t now_us, Random& random) {
  Sensitive<Digest> secret;
  random.fill(secret.reveal());
  std::array<std::byte, 8> id{};
  random.fill(id);
  NewApiKey made;
  made.secret = Sensitive<std::string>("cnd_" + to_base64url(secret.reveal()));
  made.key = {.id = to_hex(id),
              .name = std::string(name),
              .prefix = made.secret.reveal().substr(0, 8),
              .created_us = now_us,
              .expires_us = expires_us,
              .models = std::move(models),
              .revoked = false,
              .facts = std::move(facts)};
  const Digest hash = crypto::sha256(as_bytes(made.secret.reveal()));
  const std::lock_guard lock(state_->state_mutex);
  auto insert = TRY(state_->state.prepare(
      "INSERT INTO api_key(id, hash, name, prefix, created_us, expires_us, models, revoked, owner, "
      "team, purpose) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10)"));
  TRY(insert.bind_all(std::string_view(made.key.id), ByteView(hash), name,
                      std::string_view(made.key.prefix), now_us));
  if (expires_us) TRY(insert.bind(6, *expires_us));
  TRY(insert.bind(7, std::string_view(models_text(made.key.models))));
  TRY(insert.bind(8, std::string_view(made.key.facts.owner)));
  TRY(insert.bind(9, std::string_view(made.key.facts.team)));
  TRY(insert.bind(10, std::string_view(made.key.facts.purpose)));
  TRY(insert.run());
  state_->keys.push_back({.key = made.key, .hash = hash});
  return made;
}

Result<std::vector<ApiKey>> StateDb::list_api_keys() {
  const std::lock_guard lock(state_->state_mutex);
  std::vector<ApiKey> keys;
  for (const auto& stored : state_->keys) keys.push_back(stored.key);
  std::ranges::sort(keys, {}, &ApiKey::created_us);
  return keys;
}

Result<void> StateDb::revoke_api_key(std::string_view id) {
  const std::lock_guard lock(state_->state_mutex);
  const auto found =
      std::ranges::find_if(state_->keys, [&](const auto& stored) { return stored.key.id == id; });
  if (found == state_->keys.end()) return fail(Code::kNotFound, "no API key has this id");
  auto update = TRY(state_->state.prepare("UPDATE api_key SET revoked = 1 WHERE id = ?1"));
  TRY(update.bind(1, id));
  TRY(update.run());
  found->key.revoked = true;
  return {};
}

Result<ApiKey> StateDb::find_api_key(std::string_view secret) {
  const Digest hash = crypto::sha256(as_bytes(secret));
  const std::lock_guard lock(state_->state_mutex);
  for (const auto& stored : state_->keys) {
    if (crypto::equal_constant_time(stored.hash, hash)) return stored.key;
  }
  return fail(Code::kNotFound, "no such API key");
}

Result<std::optional<StateDb::SubjectRow>> StateDb::find_subject(std::string_view name) {
  const std::lock_guard lock(state_->state_mutex);
  auto find = TRY(state_->state.prepare("SELECT id, key_slot FROM subject WHERE name = ?1"));
  TRY(find.bind(1, name));
  if (!TRY(find.step())) return std::optional<SubjectRow>();
  return std::optional<SubjectRow>(SubjectRow{
      .id = id_of(find.blob(0)), .key_slot = static_cast<std::uint64_t>(find.integer(1))});
}

Result<void> StateDb::add_subject(std::string_view name, const SubjectRow& row) {
  const std::lock_guard lock(state_->state_mutex);
  auto insert = TRY(state_->state.prepare(
      "INSERT OR REPLACE INTO subject(name, id, key_slot) VALUES (?1, ?2, ?3)"));
  TRY(insert.bind_all(name, ByteView(row.id), to_sql(row.key_slot)));
  return insert.run();
}

Result<std::optional<std::string>> StateDb::subject_name(const Id128& id) {
  const std::lock_guard lock(state_->state_mutex);
  auto find = TRY(state_->state.prepare("SELECT name FROM subject WHERE id = ?1"));
  TRY(find.bind(1, ByteView(id)));
  if (!TRY(find.step())) return std::optional<std::string>();
  return std::optional<std::string>(std::string(find.text(0)));
}

Result<std::vector<std::string>> StateDb::list_subject_names() {
  const std::lock_guard lock(state_->state_mutex);
  auto find = TRY(state_->state.prepare("SELECT name FROM subject"));
  std::vector<std::string> names;
  while (TRY(find.step())) names.emplace_back(find.text(0));
  return names;
}

Result<void> StateDb::erase_subject(const Id128& id) {
  const std::lock_guard lock(state_->state_mutex);
  {
    auto remove = TRY(state_->state.prepare("DELETE FROM subject WHERE id = ?1"));
    TRY(remove.bind(1, ByteView(id)));
    TRY(remove.run());
  }
  return state_->state.checkpoint();
}

Result<std::vector<Halt>> StateDb::list_halts() {
  const std::lock_guard lock(state_->state_mutex);
  return internal::list_halts(state_->state);
}

Result<void> StateDb::put_halt(const Halt& halt) {
  const std::lock_guard lock(state_->state_mutex);
  return internal::put_halt(state_->state, halt.scope, halt);
}

Result<void> StateDb::remove_halt(const Halt& halt) {
  const std::lock_guard lock(state_->state_mutex);
  {
    auto remove = TRY(state_->state.prepare(
        "DELETE FROM halt WHERE scope = ?1 AND object = ?2 AND since_us = ?3"));
    TRY(remove.bind_all(std::string_view(halt.scope), std::string_view(halt.object),
                        halt.since_us));
    TRY(remove.run());
  }
  return state_->state.checkpoint();
}

Result<std::vector<RevocationIssuer>> StateDb::list_revocation_issuers() {
  const std::lock_guard lock(state_->state_mutex);
  return internal::list_revocation_issuers(state_->state);
}

Result<void> StateDb::put_revocations(const RevocationIssuer& issuer, std::span<const Halt> halts) {
  const std::lock_guard lock(state_->state_mutex);
  return internal::put_revocations(state_->state, issuer, halts);
}

Result<std::vector<RuleException>> StateDb::list_exceptions() {
  const std::lock_guard lock(state_->state_mutex);
  auto find = TRY(state_->state.prepare(
      "SELECT id, rule, caller, opened_by, approved_by, reason, opened_us, until_us"
      " FROM rule_exception ORDER BY opened_us, id"));
  std::vector<RuleException> found;
  while (TRY(find.step())) {
    RuleException one{.id = {},
                      .rule = std::string(find.text(1)),
                      .caller = std::string(find.text(2)),
                      .opened_by = std::string(find.text(3)),
                      .approved_by = std::string(find.text(4)),
                      .reason = std::string(find.text(5)),
                      .opened_us = find.integer(6),
                      .until_us = find.integer(7)};
    const ByteView id = find.blob(0);
    if (id.size() != one.id.size()) return fail(Code::kDataLoss, "an exception has no right id");
    std::ranges::copy(id, one.id.begin());
    found.push_back(std::move(one));
  }
  return found;
}

Result<void> StateDb::put_exception(const RuleException& one) {
  const std::lock_guard lock(state_->state_mutex);
  auto insert =
      TRY(state_->state.prepare("INSERT OR REPLACE INTO rule_exception(id, rule, caller, opened_by,"
                                " approved_by, reason, opened_us, until_us)"
                                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  TRY(insert.bind_all(ByteView(one.id), std::string_view(one.rule), std::string_view(one.caller),
                      std::string_view(one.opened_by), std::string_view(one.approved_by),
                      std::string_view(one.reason), one.opened_us, one.until_us));
  return insert.run();
}

Result<void> StateDb::remove_exception(const Id128& id) {
  const std::lock_guard lock(state_->state_mutex);
  {
    auto remove = TRY(state_->state.prepare("DELETE FROM rule_exception WHERE id = ?1"));
    TRY(remove.bind(1, ByteView(id)));
    TRY(remove.run());
  }
  return state_->state.checkpoint();
}

Result<void> StateDb::update_index(const IndexUpdate& update, Pacer& pacer) {
  const std::lock_guard lock(state_->index_mutex);
  auto transaction = TRY(sqlite::Transaction::begin(state_->index));
  {
    // A row is told of in parts: its intent, later its end; what is not said stays.
    auto put = TRY(state_->index.prepare(
        "INSERT INTO exchange(id, subject, intent, end, end_kind, released, key_slot, request_pack,"
        " request_offset, answer_pack, answer_offset, erased) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " ?8, ?9, ?10, ?11, ?12) ON CONFLICT(id) DO UPDATE SET"
        " subject = CASE WHEN erased THEN NULL ELSE coalesce(excluded.subject, subject) END,"
        " end = CASE WHEN excluded.end_kind != 0 THEN excluded.end ELSE end END,"
        " end_kind = max(end_kind, excluded.end_kind), released = max(released, excluded.released),"
        " key_slot = coalesce(excluded.key_slot, key_slot),"
        " request_pack = coalesce(excluded.request_pack, request_pack),"
        " request_offset = coalesce(excluded.request_offset, request_offset),"
        " answer_pack = coalesce(excluded.answer_pack, answer_pack),"
        " answer_offset = coalesce(excluded.answer_offset, answer_offset),"
        " erased = max(erased, excluded.erased)"));
    const Id128 nobody{};
    for (const ExchangeRow& row : update.exchanges) {
      pacer.breathe();
      TRY(put.bind(1, ByteView(row.id)));
      if (row.subject != nobody) TRY(put.bind(2, ByteView(row.subject)));
      TRY(put.bind(3, to_sql(row.intent)));
      TRY(put.bind(4, to_sql(row.end)));
      TRY(put.bind(5, static_cast<std::int64_t>(row.end_kind)));
      TRY(put.bind(6, to_sql(row.released_bytes)));
      if (row.key_slot) TRY(put.bind(7, to_sql(*row.key_slot)));
      if (row.request) {
        TRY(put.bind(8, to_sql(row.request->pack)));
        TRY(put.bind(9, to_sql(row.request->offset)));
      }
      if (row.answer) {
        TRY(put.bind(10, to_sql(row.answer->pack)));
        TRY(put.bind(11, to_sql(row.answer->offset)));
      }
      TRY(put.bind(12, std::int64_t{row.erased ? 1 : 0}));
      TRY(put.run());
      put.reset();
    }
    auto size = TRY(state_->index.prepare(
        "INSERT INTO meta(one, size) VALUES (1, ?1) ON CONFLICT(one) DO UPDATE SET size = ?1"));
    TRY(size.bind(1, to_sql(update.indexed_size)));
    TRY(size.run());
  }
  return transaction.commit();
}

Result<std::uint64_t> StateDb::indexed_size() {
  const std::lock_guard lock(state_->index_mutex);
  auto find = TRY(state_->index.prepare("SELECT size FROM meta"));
  if (!TRY(find.step())) return std::uint64_t{0};
  return static_cast<std::uint64_t>(find.integer(0));
}

Result<void> StateDb::clear_index() {
  const std::lock_guard lock(state_->index_mutex);
  return state_->index.execute("DELETE FROM exchange; DELETE FROM meta;");
}

Result<std::optional<ExchangeRow>> StateDb::find_exchange(const Id128& id) {
  const std::lock_guard lock(state_->index_mutex);
  auto find = TRY(
      state_->index.prepare("SELECT " + std::string(kColumns) + " FROM exchange WHERE id = ?1"));
  TRY(find.bind(1, ByteView(id)));
  if (!TRY(find.step())) return std::optional<ExchangeRow>();
  return std::optional<ExchangeRow>(row_of(find));
}

Result<std::vector<ExchangeRow>> StateDb::open_exchanges() {
  const std::lock_guard lock(state_->index_mutex);
  auto find = TRY(state_->index.prepare("SELECT " + std::string(kColumns) +
                                        " FROM exchange WHERE end_kind = 0 ORDER BY intent"));
  std::vector<ExchangeRow> rows;
  while (TRY(find.step())) rows.push_back(row_of(find));
  return rows;
}

Result<std::vector<ExchangeRow>> StateDb::exchanges_of(const Id128& subject) {
  const std::lock_guard lock(state_->index_mutex);
  auto find = TRY(state_->index.prepare("SELECT " + std::string(kColumns) +
                                        " FROM exchange WHERE subject = ?1 ORDER BY intent"));
  TRY(find.bind(1, ByteView(subject)));
  std::vector<ExchangeRow> rows;
  while (TRY(find.step())) rows.push_back(row_of(find));
  return rows;
}

Result<void> StateDb::mark_erased(std::span<const Id128> exchanges) {
  const std::lock_guard lock(state_->index_mutex);
  {
    auto transaction = TRY(sqlite::Transaction::begin(state_->index));
    {
      auto update = TRY(state_->index.prepare(
          "UPDATE exchange SET erased = 1, subject = NULL, key_slot = NULL, request_pack = NULL,"
          " request_offset = NULL, answer_pack = NULL, answer_offset = NULL WHERE id = ?1"));
      for (const Id128& id : exchanges) {
        TRY(update.bind(1, ByteView(id)));
        TRY(update.run());
        update.reset();
      }
    }
    TRY(transaction.commit());
  }
  return state_->index.checkpoint();
}

}  // namespace candor::store
