// What ./bench ledger measures: something that takes 512 bytes from many threads and says when they
// are durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/result.h"

namespace candor::bench {

// Where a writer waits for its acknowledgement: sleeps in the kernel at once. (std::atomic::wait
// yields in a loop first: 64 of them take the processors from the thread they wait for.)
class Waiter {
 public:
  void done(bool ok) {
    state_.store(ok ? 1 : 2, std::memory_order_release);
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  bool wait() {
    while (state_.load(std::memory_order_acquire) == 0) {
      ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
    const bool ok = state_.load(std::memory_order_acquire) == 1;
    state_.store(0, std::memory_order_relaxed);
    return ok;
  }

 private:
  std::atomic<std::uint32_t> state_{0};
};

class Contestant {
 public:
  virtual ~Contestant() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // Blocks until the record is durable.
  [[nodiscard]] virtual bool append(std::string_view record, Waiter& waiter) = 0;
  // After all writers have stopped: is everything there that was acknowledged?
  [[nodiscard]] virtual Result<void> check(std::uint64_t acknowledged) = 0;
};

// One thread that writes what is queued into a preallocated file, whole pages, and flushes: the
// limit that group commit has on this disk.
enum class RawMethod : std::uint8_t {
  kFlush,
  kDirect
};  // write and fdatasync; O_DIRECT and O_DSYNC
[[nodiscard]] constexpr std::string_view to_string(RawMethod method) {
  return method == RawMethod::kDirect ? "raw group commit, direct" : "raw group commit";
}
[[nodiscard]] Result<std::unique_ptr<Contestant>> make_raw(const Path& folder, RawMethod method);
// RocksDB, each write synced to its log (it groups writers itself).
[[nodiscard]] Result<std::unique_ptr<Contestant>> make_rocksdb(const Path& folder);
// SQLite, WAL, synchronous FULL, one row a transaction.
[[nodiscard]] Result<std::unique_ptr<Contestant>> make_sqlite(const Path& folder);
// Candor's ledger with its signer process.
[[nodiscard]] Result<std::unique_ptr<Contestant>> make_candor(const Path& folder,
                                                              const Path& signer_binary);
// A record of exactly 512 bytes: a lawful entry in canonical form, different for each n.
[[nodiscard]] Result<std::string> record_template();
void number_record(std::string& record, std::uint64_t n);
void set_record_boot(std::string& record, std::string_view boot_hex);

}  // namespace candor::bench
