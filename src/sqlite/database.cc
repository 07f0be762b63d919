#include "sqlite/database.h"

#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/check.h"

namespace candor::sqlite {
namespace {

constexpr int kBusyMilliseconds = 5'000;

std::unexpected<Error> from_sqlite(int code, const char* message, std::string_view doing) {
  Code ours = Code::kInternal;
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL: ours = Code::kUnavailable; break;
    case SQLITE_FULL:
    case SQLITE_TOOBIG: ours = Code::kResourceExhausted; break;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH: ours = Code::kPermissionDenied; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: ours = Code::kDataLoss; break;
    case SQLITE_CONSTRAINT: ours = Code::kFailedPrecondition; break;
    default: break;
  }
  return fail(ours, fmt::format("{}: {}", doing, message));
}

std::unexpected<Error> last_error(sqlite3* db, std::string_view doing) {
  return from_sqlite(::sqlite3_extended_errcode(db), ::sqlite3_errmsg(db), doing);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  ::sqlite3_finalize(statement);
}

Result<void> Statement::check(int code, std::string_view doing) const {
  if (code == SQLITE_OK) return {};
  return last_error(db_, doing);
}

Result<void> Statement::bind(int position, std::int64_t value) {
  return check(::sqlite3_bind_int64(statement_.get(), position, value), "binding an integer");
}

Result<void> Statement::bind(int position, std::string_view text) {
  // An empty view may have a null pointer, which SQLite would take as NULL.
  return check(::sqlite3_bind_text64(statement_.get(), position, text.empty() ? "" : text.data(),
                                     text.size(), SQLITE_TRANSIENT, SQLITE_UTF8),
               "binding a text");
}

Result<void> Statement::bind(int position, ByteView blob) {
  const int code = blob.empty() ? ::sqlite3_bind_zeroblob(statement_.get(), position, 0)
                                : ::sqlite3_bind_blob64(statement_.get(), position, blob.data(),
                                                        blob.size(), SQLITE_TRANSIENT);
  return check(code, "binding bytes");
}

Result<void> Statement::bind(int position, std::nullopt_t) {
  return check(::sqlite3_bind_null(statement_.get(), position), "binding null");
}

Result<bool> Statement::step() {
  const int code = ::sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    ::sqlite3_reset(statement_.get());
    return false;
  }
  auto error = last_error(db_, "running a statement");
  ::sqlite3_reset(statement_.get());
  return error;
}

Result<void> Statement::run() {
  while (TRY(step())) {
  }
  return {};
}

void Statement::reset() {
  ::sqlite3_reset(statement_.get());
  ::sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return ::sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const unsigned char* text = ::sqlite3_column_text(statement_.get(), column);
  const int size = ::sqlite3_column_bytes(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

ByteView Statement::blob(int column) const {
  const void* bytes = ::sqlite3_column_blob(statement_.get(), column);
  const int size = ::sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const {
  return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* db) const noexcept { ::sqlite3_close_v2(db); }

Result<Database> Database::open(const std::filesystem::path& path) {
  if (path != ":memory:") {
    // SQLite would create it with the umask's mode; its side files take the mode of this one.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return fail(Code::kPermissionDenied, fmt::format("opening the database {}", path.native()));
    }
    ::close(fd);
  }
  sqlite3* raw = nullptr;
  const int code =
      ::sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  const std::string doing = fmt::format("opening the database {}", path.native());
  if (code != SQLITE_OK) {
    return from_sqlite(code, raw == nullptr ? "no memory" : ::sqlite3_errmsg(raw), doing);
  }
  ::sqlite3_extended_result_codes(raw, 1);
  ::sqlite3_busy_timeout(raw, kBusyMilliseconds);
  ::sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  auto set_up = db.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
      "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;");
  if (!set_up) return std::unexpected(std::move(set_up).error().with_context(doing));
  return db;
}

Result<void> Database::execute(std::string_view sql) {
  const std::string text(sql);
  if (::sqlite3_exec(db_.get(), text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return last_error(db_.get(), "running SQL");
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  CANDOR_CHECK(sql.size() < static_cast<std::size_t>(std::numeric_limits<int>::max()));
  sqlite3_stmt* raw = nullptr;
  if (::sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return last_error(db_.get(), "preparing SQL");
  }
  return Statement(db_.get(), raw);
}

Result<std::int64_t> Database::user_version() {
  auto statement = TRY(prepare("PRAGMA user_version"));
  TRY(statement.step());
  return statement.integer(0);
}

Result<void> Database::set_user_version(std::int64_t version) {
  return execute(fmt::format("PRAGMA user_version={}", version));
}

std::int64_t Database::last_insert_id() const { return ::sqlite3_last_insert_rowid(db_.get()); }
std::int64_t Database::changed_rows() const { return ::sqlite3_changes64(db_.get()); }

Result<void> Database::checkpoint() {
  if (::sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                  nullptr) != SQLITE_OK) {
    return last_error(db_.get(), "truncating the write-ahead log");
  }
  return {};
}

Result<void> Database::check_integrity() {
  auto statement = TRY(prepare("PRAGMA integrity_check(1)"));
  const auto row = statement.step();
  if (!row) return std::unexpected(row.error());
  if (*row && statement.text(0) != "ok") {
    return fail(Code::kDataLoss, fmt::format("the database is damaged: {}", statement.text(0)));
  }
  return {};
}

Result<Transaction> Transaction::begin(Database& db) {
  TRY(db.execute("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Transaction::~Transaction() {
  // After some errors SQLite has rolled back by itself; then this says there is nothing to do.
  if (db_ != nullptr) (void)db_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  CANDOR_CHECK(db_ != nullptr);
  TRY(db_->execute("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace candor::sqlite
