#include "ledger_rivals.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "sqlite/database.h"

namespace candor::bench {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRawFile = 1U << 30U;

class Raw final : public Contestant {
 public:
  Raw(std::unique_ptr<File> file, RawMethod method)
      : file_(std::move(file)),
        method_(method),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  ~Raw() override {
    thread_.request_stop();
    changed_.notify_all();
  }
  std::string name() const override { return std::string(to_string(method_)); }
  bool append(std::string_view record, Waiter& waiter) override {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({.record = std::string(record), .waiter = &waiter});
      wake = waits_;
      waits_ = false;
    }
    if (wake) changed_.notify_one();
    return waiter.wait();
  }
  Result<void> check(std::uint64_t acknowledged) override {
    if (written_ < acknowledged) return fail(Code::kDataLoss, "the raw file is short");
    return {};
  }

 private:
  struct Item {
    std::string record;
    Waiter* waiter;
  };
  void run(const std::stop_token& stop) {
    std::vector<Item> batch;
    Bytes bytes;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        waits_ = true;
        changed_.wait(lock, stop, [this] { return !queue_.empty(); });
        waits_ = false;
        if (queue_.empty()) return;
        batch.swap(queue_);
      }
      bytes.clear();
      for (const Item& item : batch) put_bytes(bytes, as_bytes(item.record));
      bytes.resize((bytes.size() + kPage - 1) / kPage * kPage);
      if (at_ + bytes.size() > kRawFile) at_ = 0;
      const bool ok =
          file_->write_at(at_, bytes) && (method_ == RawMethod::kDirect || file_->sync());
      at_ += bytes.size();
      written_ += batch.size();
      for (const Item& item : batch) item.waiter->done(ok);
      batch.clear();
    }
  }
  std::unique_ptr<File> file_;
  RawMethod method_;
  std::uint64_t at_ = 0, written_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Item> queue_;
  bool waits_ = false;
  std::jthread thread_;
};

class RocksDb final : public Contestant {
 public:
  explicit RocksDb(rocksdb::DB* db) : db_(db) { write_.sync = true; }
  std::string name() const override { return "RocksDB, synced WAL"; }
  bool append(std::string_view record, Waiter& /*waiter*/) override {
    const std::uint64_t n = next_++;
    return db_
        ->Put(write_, rocksdb::Slice(reinterpret_cast<const char*>(&n), sizeof(n)),
              rocksdb::Slice(record.data(), record.size()))
        .ok();
  }
  Result<void> check(std::uint64_t acknowledged) override {
    std::uint64_t found = 0;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++found;
    if (found < acknowledged) return fail(Code::kDataLoss, "RocksDB holds fewer records");
    return {};
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  std::atomic<std::uint64_t> next_{0};
};

class Sqlite final : public Contestant {
 public:
  Sqlite(sqlite::Database db, sqlite::Statement insert)
      : db_(std::move(db)), insert_(std::move(insert)) {}
  std::string name() const override { return "SQLite, WAL, FULL"; }
  bool append(std::string_view record, Waiter& /*waiter*/) override {
    const std::lock_guard lock(mutex_);
    if (!insert_.bind(1, as_bytes(record)) || !insert_.run()) return false;
    insert_.reset();
    return true;
  }
  Result<void> check(std::uint64_t acknowledged) override {
    auto count = TRY(db_.prepare("SELECT count(*) FROM record"));
    if (!TRY(count.step()) || count.integer(0) < static_cast<std::int64_t>(acknowledged)) {
      return fail(Code::kDataLoss, "SQLite holds fewer records");
    }
    return {};
  }

 private:
  sqlite::Database db_;
  sqlite::Statement insert_;
  std::mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Contestant>> make_raw(const Path& folder, RawMethod method) {
  TRY(real_file_system().make_folders(folder));
  auto file = TRY(real_file_system().open(folder / "raw", OpenMode::kCreate));
  const Bytes zeros(1U << 20U);
  if (TRY(file->size()) < kRawFile) {
    for (std::size_t at = 0; at < kRawFile; at += zeros.size()) TRY(file->write_at(at, zeros));
    TRY(file->sync());
  }
  if (method == RawMethod::kDirect) {
    file = TRY(real_file_system().open(folder / "raw", OpenMode::kDurable));
  }
  return std::make_unique<Raw>(std::move(file), method);
}

Result<std::unique_ptr<Contestant>> make_rocksdb(const Path& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 1U << 30U;
  options.compression = rocksdb::kNoCompression;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, folder.native(), &db);
  if (!status.ok()) return fail(Code::kUnavailable, "RocksDB: " + status.ToString());
  return std::make_unique<RocksDb>(db);
}

Result<std::unique_ptr<Contestant>> make_sqlite(const Path& folder) {
  TRY(real_file_system().make_folders(folder));
  auto db = TRY(sqlite::Database::open(folder / "records.db"));
  TRY(db.execute("CREATE TABLE IF NOT EXISTS record(id INTEGER PRIMARY KEY, bytes BLOB)"));
  auto insert = TRY(db.prepare("INSERT INTO record(bytes) VALUES (?1)"));
  return std::make_unique<Sqlite>(std::move(db), std::move(insert));
}

}  // namespace candor::bench
