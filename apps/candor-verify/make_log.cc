// candor-make-log DIR ENTRIES: writes a lawful synthetic log in tlog-tiles layout, with its key
// (log.vkey) and a pin (pin.json), for measuring candor-verify (A21) and for interop tests.
// Exchanges overlap by eight, as under load. Test keys only: the seed is fixed.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "ledger/checkpoint.h"
#include "ledger/entry.h"
#include "ledger/merkle.h"
#include "ledger/receipt.h"
#include "ledger/testing/log_maker.h"
#include "ledger/tiles.h"

namespace {

using namespace candor;          // NOLINT(google-build-using-namespace): one small program
using namespace candor::ledger;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kSideBySide = 8;

class Writer final : public NodeSink {
 public:
  explicit Writer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(const std::string& text) {
    put_u16(bundle_, static_cast<std::uint16_t>(text.size()));
    put_bytes(bundle_, as_bytes(text));
    tree_.append(hash_leaf(as_bytes(text)), this);
    if (tree_.size() % kTileWidth == 0) flush_bundle(kTileWidth);
  }

  void node(NodeId id, const Digest& hash) override {
    if (id.level % 8 != 0) return;
    const auto level = static_cast<std::uint8_t>(id.level / 8);
    if (rows_.size() <= level) rows_.resize(level + 1U);
    put_bytes(rows_[level], hash);
    if ((id.index + 1) % kTileWidth == 0) {
      write(tile_path({.level = level, .index = id.index / kTileWidth}), rows_[level]);
      rows_[level].clear();
    }
  }

  void finish() {
    for (const TileId& id : edge_tiles(tree_.size())) {
      if (id.kind == TileKind::kEntries) {
        flush_bundle(id.width);
      } else {
        write(tile_path(id), rows_[id.level]);
      }
    }
  }

  void write(const std::string& name, ByteView bytes) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    CANDOR_CHECK(out.good());
  }

  [[nodiscard]] const Frontier& tree() const { return tree_; }

 private:
  void flush_bundle(unsigned width) {
    const std::uint64_t index = (tree_.size() - 1) / kTileWidth;
    write(tile_path({.kind = TileKind::kEntries, .level = 0, .index = index, .width = width}),
          bundle_);
    bundle_.clear();
  }

  std::filesystem::path folder_;
  Frontier tree_;
  Bytes bundle_;
  std::vector<Bytes> rows_;
};

struct Waiting {
  Id128 id{};
  std::uint64_t index = 0;
  Digest leaf{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: candor-make-log DIR ENTRIES\n", stderr);
    return 2;
  }
  const std::uint64_t entries = std::strtoull(argv[2], nullptr, 10);
  testing::LogMaker log(7);
  log.start();
  log.load();
  const std::uint64_t sample = log.intent();
  log.outcome(sample);
  auto intent = std::get<Intent>(log.entries[sample]);
  auto outcome = std::get<Outcome>(log.entries[sample + 1]);
  Writer writer(argv[1]);
  for (std::uint64_t i = 0; i < sample && i < entries; ++i) writer.add(log.texts[i]);
  std::string text;
  std::deque<Waiting> waiting;
  while (writer.tree().size() < entries) {
    const std::uint64_t left = entries - writer.tree().size();
    if (waiting.size() < kSideBySide && left > waiting.size()) {
      intent.at = log.now();
      intent.exchange = make_id(log.random);
      log.random.fill(intent.received);
      log.random.fill(intent.forwarded);
      CANDOR_CHECK(encode_to(text, intent).has_value());
      waiting.push_back({.id = intent.exchange,
                         .index = writer.tree().size(),
                         .leaf = hash_leaf(as_bytes(text))});
    } else {
      const Waiting ended = waiting.front();
      waiting.pop_front();
      outcome.at = log.now();
      outcome.exchange = ended.id;
      outcome.intent_index = ended.index;
      outcome.intent_leaf = ended.leaf;
      log.random.fill(outcome.produced);
      log.random.fill(outcome.released);
      CANDOR_CHECK(encode_to(text, outcome).has_value());
    }
    writer.add(text);
  }
  writer.finish();
  const Checkpoint head{.origin = log.origin,
                        .size = writer.tree().size(),
                        .root = writer.tree().root(),
                        .extensions = {}};
  const crypto::SigningKey* keys[] = {&log.key()};
  writer.write("checkpoint", as_bytes(sign_checkpoint(head, keys)));
  const std::string vkey = format_verifier_key(log.verifier());
  writer.write("log.vkey", as_bytes(vkey + "\n"));
  writer.write(
      "pin.json",
      as_bytes(format_pin(
          {.origin = head.origin, .size = head.size, .root = head.root, .log_key = vkey})));
  return 0;
}
