// A thin owner of SQLite (3.40): connections, statements, transactions, Result errors. No other
// module includes sqlite3.h.
//
// open() sets: WAL journal, synchronous FULL (a committed transaction survives power loss),
// secure_delete ON (S3: erased names are overwritten), foreign keys, trusted_schema OFF, no
// extensions, a busy timeout of 5 s, file mode 0600.
//
// A Database and its Statements are used by one thread at a time; several Databases may be open on
// one file. SQL text is always ours, values are always bound. Messages hold SQLite's own text about
// the statement, never a bound value.
//
// Errors: kUnavailable (busy, I/O), kResourceExhausted (full), kPermissionDenied (read-only, cannot
// open), kDataLoss (corrupt, not a database), kFailedPrecondition (a constraint), kInternal (SQL
// that is wrong: a bug of ours).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace candor::sqlite {

// A prepared statement. bind() positions start at 1, columns at 0. The Database must outlive it.
//   auto find = TRY(db.prepare("SELECT name FROM key WHERE id = ?1"));
//   TRY(find.bind(1, id));
//   while (TRY(find.step())) use(find.text(0));
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;
  ~Statement() = default;

  [[nodiscard]] Result<void> bind(int position, std::int64_t value);
  [[nodiscard]] Result<void> bind(int position, std::string_view text);
  [[nodiscard]] Result<void> bind(int position, const char* text) {
    return bind(position, std::string_view(text));
  }
  [[nodiscard]] Result<void> bind(int position, ByteView blob);
  [[nodiscard]] Result<void> bind(int position, std::nullopt_t);
  // Binds from position 1 on.
  template <typename... Values>
  [[nodiscard]] Result<void> bind_all(const Values&... values) {
    Result<void> result;
    int position = 0;
    (void)((result = bind(++position, values), result.has_value()) && ...);
    return result;
  }

  // True: a row is there. False: done, and the statement is reset for its next run.
  [[nodiscard]] Result<bool> step();
  // For statements without rows.
  [[nodiscard]] Result<void> run();
  // Ready for the next run; bindings are cleared.
  void reset();

  // Of the current row; views live until the next step or reset. Wrong types convert as SQLite
  // does.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] ByteView blob(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  [[nodiscard]] Result<void> check(int code, std::string_view doing) const;

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  // Creates the file if absent (its folder must exist). ":memory:" for tests.
  [[nodiscard]] static Result<Database> open(const std::filesystem::path& path);
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;
  ~Database() = default;

  // One or more statements without parameters or rows of interest.
  [[nodiscard]] Result<void> execute(std::string_view sql);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  // PRAGMA user_version, for migrations.
  [[nodiscard]] Result<std::int64_t> user_version();
  [[nodiscard]] Result<void> set_user_version(std::int64_t version);
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] std::int64_t changed_rows() const;
  // Moves the write-ahead log into the file and truncates it, so that what was deleted is gone from
  // the disk's files too (S3).
  [[nodiscard]] Result<void> checkpoint();
  // kDataLoss with the first finding of PRAGMA integrity_check.
  [[nodiscard]] Result<void> check_integrity();

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* db) const noexcept;
  };
  explicit Database(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

// BEGIN IMMEDIATE now; rolled back when destroyed without commit().
//   auto transaction = TRY(Transaction::begin(db));
//   ...
//   TRY(transaction.commit());
class Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  [[nodiscard]] Result<void> commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;  // null: ended
};

}  // namespace candor::sqlite
