#include "base/testing/faulty_file_system.h"

#include <algorithm>
#include <limits>
#include <random>
#include <ranges>

#include <fmt/format.h>
#include <unistd.h>

#include "base/check.h"

namespace candor {
namespace {

using NodeId = std::uint64_t;
constexpr NodeId kFolder = 0;  // the node of every folder

std::string normal(const Path& path) {
  std::string text = (Path("/") / path).lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string parent_of(const std::string& path) { return Path(path).parent_path().string(); }

}  // namespace

// One point of the history. What a failed call left behind is recorded in the same form: a shorter
// write, a sync that dooms, or nothing at all.
struct FaultyFileSystem::Change {
  enum class Kind : std::uint8_t {
    kWrite,
    kTruncate,
    kSync,
    kFailedSync,
    kMake,
    kRename,
    kRemove,
    kSyncFolder,
    kNothing
  };
  Kind kind = Kind::kNothing;
  NodeId node = kFolder;
  std::string path;  // of the file when opened, of the name, or of the folder
  std::string to;    // rename
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // truncate
  std::shared_ptr<const Bytes> data;

  [[nodiscard]] std::string describe() const {
    switch (kind) {
      case Kind::kWrite: return fmt::format("write {} {}+{}", path, offset, data->size());
      case Kind::kTruncate: return fmt::format("truncate {} to {}", path, size);
      case Kind::kSync: return "sync " + path;
      case Kind::kFailedSync: return "failed sync " + path;
      case Kind::kMake: return "make " + path;
      case Kind::kRename: return fmt::format("rename {} to {}", path, to);
      case Kind::kRemove: return "remove " + path;
      case Kind::kSyncFolder: return "sync folder " + path;
      case Kind::kNothing: return "failed call on " + path;
    }
    return "";
  }

  // The folder whose sync makes a change of names durable.
  [[nodiscard]] std::string folder() const { return parent_of(kind == Kind::kRename ? to : path); }
};

struct FaultyFileSystem::Disk {
  enum class State : std::uint8_t { kPending, kDoomed, kDurable };
  struct Waiting {
    std::uint64_t sequence;
    State state;
    Change change;
  };
  struct Node {
    Bytes durable;
    Bytes cache;
    std::vector<Waiting> waiting;  // in order; a durable one only behind a doomed one
  };
  using Names = std::map<std::string, NodeId>;

  std::map<NodeId, Node> nodes;
  Names names{{"/", kFolder}};
  Names durable_names{{"/", kFolder}};
  std::vector<Waiting> waiting_names;
  NodeId next_node = 1;

  static void write(Bytes& bytes, const Change& change) {
    if (change.kind == Change::Kind::kTruncate) {
      bytes.resize(change.size);
      return;
    }
    const std::size_t end = change.offset + change.data->size();
    if (!change.data->empty() && bytes.size() < end) bytes.resize(end);
    std::ranges::copy(*change.data, bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }

  static void rename(Names& names, const Change& change) {
    switch (change.kind) {
      case Change::Kind::kMake: names[change.path] = change.node; break;
      case Change::Kind::kRemove: names.erase(change.path); break;
      case Change::Kind::kRename:
        names.erase(change.path);
        names[change.to] = change.node;
        break;
      case Change::Kind::kWrite:
      case Change::Kind::kTruncate:
      case Change::Kind::kSync:
      case Change::Kind::kFailedSync:
      case Change::Kind::kSyncFolder:
      case Change::Kind::kNothing: CANDOR_CHECK(false);
    }
  }

  void apply(const Change& change, std::uint64_t sequence) {
    switch (change.kind) {
      case Change::Kind::kWrite:
      case Change::Kind::kTruncate:
        write(nodes[change.node].cache, change);
        nodes[change.node].waiting.push_back({sequence, State::kPending, change});
        break;
      case Change::Kind::kSync: {
        Node& node = nodes[change.node];
        for (Waiting& w : node.waiting) {
          if (w.state == State::kPending) w.state = State::kDurable;
        }
        const auto doomed = std::ranges::find(node.waiting, State::kDoomed, &Waiting::state);
        for (auto w = node.waiting.begin(); w != doomed; ++w) write(node.durable, w->change);
        node.waiting.erase(node.waiting.begin(), doomed);
        break;
      }
      case Change::Kind::kFailedSync:
        for (Waiting& w : nodes[change.node].waiting) {
          if (w.state == State::kPending) w.state = State::kDoomed;
        }
        break;
      case Change::Kind::kMake:
        if (change.node != kFolder) nodes[change.node];
        next_node = std::max(next_node, change.node + 1);
        [[fallthrough]];
      case Change::Kind::kRename:
      case Change::Kind::kRemove:
        rename(names, change);
        waiting_names.push_back({sequence, State::kPending, change});
        break;
      case Change::Kind::kSyncFolder:
        std::erase_if(waiting_names, [&](const Waiting& w) {
          if (w.change.folder() != change.path) return false;
          rename(durable_names, w.change);
          return true;
        });
        break;
      case Change::Kind::kNothing: break;
    }
  }

  void settle() {
    for (auto& [id, node] : nodes) {
      node.durable = node.cache;
      node.waiting.clear();
    }
    durable_names = names;
    waiting_names.clear();
    std::erase_if(nodes, [&](const auto& entry) {
      return std::ranges::none_of(names, [&](const auto& n) { return n.second == entry.first; });
    });
  }

  [[nodiscard]] std::uint64_t used_bytes() const {
    std::uint64_t used = 0;
    for (const auto& [path, node] : names) {
      if (node != kFolder) used += nodes.at(node).cache.size();
    }
    return used;
  }

  [[nodiscard]] bool has_folder(const std::string& path) const {
    const auto found = names.find(path);
    return found != names.end() && found->second == kFolder;
  }

  // One disk that may be found after the crash; see CrashPolicy.
  [[nodiscard]] std::unique_ptr<Disk> after_crash(CrashPolicy policy, std::uint64_t seed) const;
};

namespace {

enum class Fate : std::uint8_t { kAbsent, kThere, kTorn };

// Decides for each waiting change whether the crash kept it.
class Oracle {
 public:
  Oracle(CrashPolicy policy, std::uint64_t seed, std::vector<std::uint64_t> waiting)
      : policy_(policy), random_(seed) {
    if (policy != CrashPolicy::kPrefix) return;
    std::ranges::sort(waiting);
    const std::size_t kept = random_() % (waiting.size() + 1);
    cut_ = kept == waiting.size() ? std::numeric_limits<std::uint64_t>::max() : waiting[kept];
  }

  Fate fate(std::uint64_t sequence) {
    switch (policy_) {
      case CrashPolicy::kDropUnsynced: return Fate::kAbsent;
      case CrashPolicy::kKeepAll: return Fate::kThere;
      case CrashPolicy::kPrefix:
        return sequence < cut_ ? Fate::kThere : sequence == cut_ ? Fate::kTorn : Fate::kAbsent;
      case CrashPolicy::kRandom: return static_cast<Fate>(random_() % 3);
    }
    return Fate::kAbsent;
  }
  bool coin() { return random_() % 2 == 0; }

 private:
  CrashPolicy policy_;
  std::mt19937_64 random_;
  std::uint64_t cut_ = 0;
};

// Each sector of the file that the write touches was written or was not.
void write_torn(Bytes& bytes, std::uint64_t offset, ByteView data, Oracle& oracle) {
  while (!data.empty()) {
    const std::size_t room =
        FaultyFileSystem::kSectorBytes - offset % FaultyFileSystem::kSectorBytes;
    const ByteView piece = data.first(std::min<std::size_t>(room, data.size()));
    if (oracle.coin()) {
      if (bytes.size() < offset + piece.size()) bytes.resize(offset + piece.size());
      std::ranges::copy(piece, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    offset += piece.size();
    data = data.subspan(piece.size());
  }
}

}  // namespace

std::unique_ptr<FaultyFileSystem::Disk> FaultyFileSystem::Disk::after_crash(
    CrashPolicy policy, std::uint64_t seed) const {
  std::vector<std::uint64_t> undecided;
  for (const Waiting& w : waiting_names) undecided.push_back(w.sequence);
  for (const auto& [id, node] : nodes) {
    for (const Waiting& w : node.waiting) {
      if (w.state != State::kDurable) undecided.push_back(w.sequence);
    }
  }
  Oracle oracle(policy, seed, std::move(undecided));

  auto disk = std::make_unique<Disk>();
  disk->names = durable_names;
  for (const Waiting& w : waiting_names) {
    // A name is never torn: then it is there or not.
    const Fate fate = oracle.fate(w.sequence);
    if (fate == Fate::kThere || (fate == Fate::kTorn && oracle.coin())) {
      rename(disk->names, w.change);
    }
  }
  // What stands in a folder that was lost is lost with it.
  std::erase_if(disk->names, [&](const auto& name) {
    for (std::string at = name.first; at != "/"; at = parent_of(at)) {
      const auto parent = disk->names.find(parent_of(at));
      if (parent == disk->names.end() || parent->second != kFolder) return true;
    }
    return false;
  });
  for (const auto& [id, node] : nodes) {
    Bytes bytes = node.durable;
    for (const Waiting& w : node.waiting) {
      const Fate fate = w.state == State::kDurable ? Fate::kThere : oracle.fate(w.sequence);
      if (fate == Fate::kThere) {
        write(bytes, w.change);
      } else if (fate == Fate::kTorn && w.change.kind == Change::Kind::kWrite) {
        write_torn(bytes, w.change.offset, *w.change.data, oracle);
      } else if (fate == Fate::kTorn && oracle.coin()) {
        write(bytes, w.change);
      }
    }
    disk->nodes[id].cache = std::move(bytes);
  }
  disk->next_node = next_node;
  disk->settle();
  return disk;
}

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& fs, NodeId node, std::string path, OpenMode mode)
      : fs_(fs), node_(node), path_(std::move(path)), mode_(mode) {}

  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    const std::lock_guard lock(fs_.mutex_);
    if (fs_.reads_fail_) return fail(Code::kUnavailable, "reading " + path_ + ": I/O error");
    const Bytes& bytes = fs_.now_->nodes.at(node_).cache;
    if (offset > bytes.size() || out.size() > bytes.size() - offset) {
      return fail(Code::kInvalidArgument, "reading " + path_ + ": it ends before");
    }
    std::ranges::copy(ByteView(bytes).subspan(offset, out.size()), out.begin());
    return {};
  }

  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_writable());
    auto change = make(Change::Kind::kWrite);
    change.offset = offset;
    change.data = std::make_shared<const Bytes>(to_bytes(data));
    TRY(check_capacity(offset + data.size(), change));
    TRY(fs_.begin(change));
    fs_.commit(std::move(change));
    // Two points: a crash or a fault may come between the bytes and their durability.
    return mode_ == OpenMode::kDurable ? sync_locked() : Result<void>();
  }

  Result<void> sync() override {
    const std::lock_guard lock(fs_.mutex_);
    return sync_locked();
  }

  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_writable());
    auto change = make(Change::Kind::kTruncate);
    change.size = size;
    TRY(check_capacity(size, change));
    TRY(fs_.begin(change));
    fs_.commit(std::move(change));
    return {};
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard lock(fs_.mutex_);
    return fs_.now_->nodes.at(node_).cache.size();
  }

 private:
  using Change = FaultyFileSystem::Change;

  Change make(Change::Kind kind) const {
    Change change;
    change.kind = kind;
    change.node = node_;
    change.path = path_;
    return change;
  }

  Result<void> sync_locked() {
    TRY(fs_.begin(make(Change::Kind::kSync)));
    fs_.commit(make(Change::Kind::kSync));
    return {};
  }

  Result<void> check_writable() const {
    if (mode_ != OpenMode::kRead) return {};
    return fail(Code::kUnavailable, "writing " + path_ + ": opened for reading");
  }

  Result<void> check_capacity(std::uint64_t end, const Change& change) {
    const std::uint64_t size = fs_.now_->nodes.at(node_).cache.size();
    if (end <= size ||
        end - size <= fs_.capacity_ - std::min(fs_.capacity_, fs_.now_->used_bytes())) {
      return {};
    }
    auto nothing = change;
    nothing.kind = Change::Kind::kNothing;
    fs_.commit(std::move(nothing));
    return fail(Code::kResourceExhausted, "writing " + path_ + ": no space left");
  }

  FaultyFileSystem& fs_;
  NodeId node_;
  std::string path_;
  OpenMode mode_;
};

FaultyFileSystem::FaultyFileSystem()
    : start_(std::make_unique<Disk>()),
      now_(std::make_unique<Disk>()),
      locks_(std::make_shared<std::set<std::string>>()),
      capacity_(std::numeric_limits<std::int64_t>::max()) {}
FaultyFileSystem::~FaultyFileSystem() = default;

void FaultyFileSystem::commit(Change change) {
  history_.push_back(std::move(change));
  now_->apply(history_.back(), history_.size());
}

Result<void> FaultyFileSystem::begin(Change change) {
  const std::uint64_t point = history_.size() + 1;
  const bool fails = fault_point_ != 0 && (fault_span_ == FaultSpan::kOnce ? point == fault_point_
                                                                           : point >= fault_point_);
  if (!fails) return {};
  const std::string what = change.describe();
  switch (change.kind) {
    case Change::Kind::kWrite: {  // some sectors got through
      std::mt19937_64 random(point);
      const std::size_t sectors = change.data->size() / kSectorBytes;
      const std::size_t kept = sectors == 0 ? 0 : random() % sectors * kSectorBytes;
      change.data = std::make_shared<const Bytes>(to_bytes(ByteView(*change.data).first(kept)));
      break;
    }
    case Change::Kind::kSync: change.kind = Change::Kind::kFailedSync; break;
    case Change::Kind::kTruncate:
    case Change::Kind::kFailedSync:
    case Change::Kind::kMake:
    case Change::Kind::kRename:
    case Change::Kind::kRemove:
    case Change::Kind::kSyncFolder:
    case Change::Kind::kNothing: change.kind = Change::Kind::kNothing; break;
  }
  commit(std::move(change));
  if (fault_ == Fault::kEnospc) return fail(Code::kResourceExhausted, what + ": no space left");
  return fail(Code::kUnavailable, what + ": I/O error");
}

std::uint64_t FaultyFileSystem::points() const {
  const std::lock_guard lock(mutex_);
  return history_.size();
}

std::string FaultyFileSystem::describe(std::uint64_t point) const {
  const std::lock_guard lock(mutex_);
  CANDOR_CHECK(point <= history_.size());
  return point == 0 ? "start" : history_[point - 1].describe();
}

std::unique_ptr<FaultyFileSystem> FaultyFileSystem::crash(std::uint64_t point, CrashPolicy policy,
                                                          std::uint64_t seed) const {
  auto after = std::make_unique<FaultyFileSystem>();
  const std::lock_guard lock(mutex_);
  CANDOR_CHECK(point <= history_.size());
  if (replay_ == nullptr || replayed_ > point) {
    replay_ = std::make_unique<Disk>(*start_);
    replayed_ = 0;
  }
  for (; replayed_ < point; ++replayed_) replay_->apply(history_[replayed_], replayed_ + 1);
  after->now_ = replay_->after_crash(policy, seed);
  *after->start_ = *after->now_;
  after->capacity_ = capacity_;
  return after;
}

void FaultyFileSystem::fail_at(std::uint64_t point, Fault fault, FaultSpan span) {
  const std::lock_guard lock(mutex_);
  CANDOR_CHECK(point > history_.size());
  fault_point_ = point;
  fault_ = fault;
  fault_span_ = span;
}

void FaultyFileSystem::fail_reads(bool failing) {
  const std::lock_guard lock(mutex_);
  reads_fail_ = failing;
}

void FaultyFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  fault_point_ = 0;
  reads_fail_ = false;
}

void FaultyFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void FaultyFileSystem::settle() {
  const std::lock_guard lock(mutex_);
  // Open files of removed names are not kept: a schedule starts with none.
  now_->settle();
  *start_ = *now_;
  history_.clear();
  replay_.reset();
}

Result<void> FaultyFileSystem::corrupt(const Path& path, std::uint64_t offset, std::byte mask) {
  const std::lock_guard lock(mutex_);
  const auto found = now_->names.find(normal(path));
  if (found == now_->names.end() || found->second == kFolder) {
    return fail(Code::kNotFound, "no such file");
  }
  auto& node = now_->nodes.at(found->second);
  if (offset >= node.cache.size()) return fail(Code::kInvalidArgument, "beyond the file's end");
  node.cache[offset] ^= mask;
  if (offset < node.durable.size()) node.durable[offset] ^= mask;
  return {};
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(const Path& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  const std::string name = normal(path);
  const auto found = now_->names.find(name);
  if (found != now_->names.end()) {
    if (found->second == kFolder) return fail(Code::kUnavailable, name + " is a folder");
    if (mode == OpenMode::kCreateNew) return fail(Code::kFailedPrecondition, name + " exists");
    return std::make_unique<FaultyFile>(*this, found->second, name, mode);
  }
  const bool makes = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  if (!makes || !now_->has_folder(parent_of(name))) {
    return fail(Code::kNotFound, "no such file: " + name);
  }
  Change change;
  change.kind = Change::Kind::kMake;
  change.node = now_->next_node;
  change.path = name;
  TRY(begin(change));
  commit(change);
  return std::make_unique<FaultyFile>(*this, change.node, name, mode);
}

Result<void> FaultyFileSystem::sync_folder(const Path& folder) {
  const std::lock_guard lock(mutex_);
  Change change;
  change.kind = Change::Kind::kSyncFolder;
  change.path = normal(folder);
  if (!now_->has_folder(change.path))
    return fail(Code::kNotFound, "no such folder: " + change.path);
  TRY(begin(change));
  commit(change);
  return {};
}

Result<void> FaultyFileSystem::make_folders(const Path& folder) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> missing;
  for (std::string at = normal(folder); !now_->has_folder(at); at = parent_of(at)) {
    if (now_->names.contains(at)) return fail(Code::kFailedPrecondition, at + " is a file");
    missing.push_back(at);
  }
  for (const std::string& path : missing | std::views::reverse) {
    Change change;
    change.kind = Change::Kind::kMake;
    change.path = path;
    TRY(begin(change));
    commit(change);
  }
  return {};
}

Result<void> FaultyFileSystem::rename(const Path& from, const Path& to) {
  const std::lock_guard lock(mutex_);
  Change change;
  change.kind = Change::Kind::kRename;
  change.path = normal(from);
  change.to = normal(to);
  const auto found = now_->names.find(change.path);
  if (found == now_->names.end() || !now_->has_folder(parent_of(change.to))) {
    return fail(Code::kNotFound, "no such file: " + change.path);
  }
  if (found->second == kFolder || now_->has_folder(change.to)) {
    return fail(Code::kUnavailable, "renaming folders is not modelled: " + change.path);
  }
  change.node = found->second;
  if (change.path == change.to) return {};
  TRY(begin(change));
  commit(change);
  return {};
}

Result<void> FaultyFileSystem::remove(const Path& path) {
  const std::lock_guard lock(mutex_);
  Change change;
  change.kind = Change::Kind::kRemove;
  change.path = normal(path);
  const auto found = now_->names.find(change.path);
  if (found == now_->names.end()) return fail(Code::kNotFound, "no such file: " + change.path);
  if (found->second == kFolder) {
    return fail(Code::kUnavailable, "removing folders is not modelled: " + change.path);
  }
  TRY(begin(change));
  commit(change);
  return {};
}

Result<std::vector<std::string>> FaultyFileSystem::list(const Path& folder) {
  const std::lock_guard lock(mutex_);
  const std::string name = normal(folder);
  if (!now_->has_folder(name)) return fail(Code::kNotFound, "no such folder: " + name);
  std::vector<std::string> names;
  for (const auto& [path, node] : now_->names) {
    if (path != "/" && parent_of(path) == name) names.push_back(Path(path).filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<bool> FaultyFileSystem::exists(const Path& path) {
  const std::lock_guard lock(mutex_);
  return now_->names.contains(normal(path));
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::lock(const Path& path) {
  class Lock final : public FileLock {
   public:
    Lock(std::shared_ptr<std::set<std::string>> held, std::string name)
        : held_(std::move(held)), name_(std::move(name)) {}
    ~Lock() override { held_->erase(name_); }

   private:
    std::shared_ptr<std::set<std::string>> held_;
    std::string name_;
  };
  const std::lock_guard lock(mutex_);
  std::string name = normal(path);
  if (!now_->has_folder(parent_of(name)))
    return fail(Code::kNotFound, "no such folder for " + name);
  if (!locks_->insert(name).second) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{} is locked by process {}", name, ::getpid()));
  }
  return std::make_unique<Lock>(locks_, std::move(name));
}

Result<std::uint64_t> FaultyFileSystem::free_bytes(const Path& folder) {
  const std::lock_guard lock(mutex_);
  if (!now_->has_folder(normal(folder))) return fail(Code::kNotFound, "no such folder");
  return capacity_ - std::min(capacity_, now_->used_bytes());
}

}  // namespace candor
