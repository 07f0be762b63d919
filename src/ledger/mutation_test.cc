// A19: whatever is changed in a lawful log below a head that is held (a pin) is found, and what is
// found has a place; a receipt with a byte changed is refused, or proves what it proved before, or
// proves less and says so.
// Mutations are drawn from a fixed seed. CANDOR_MUTATIONS sets how many (everyday: 2,000); when it
// is set, a receipt's bytes are changed to every other value.
//
// Who changes the log: somebody who can write its files (kForger), somebody who also makes hashes
// and batch digests right (kMaker), somebody who signs with a key of their own (kStranger), and
// somebody who holds the log's own key (kInsider): against the last one only the pin speaks.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "ledger/journal_format.h"
#include "ledger/testing/log_maker.h"
#include "ledger/tlog_proof.h"

namespace candor::ledger {
namespace {

using testing::LogMaker;
using testing::MemoryFolder;
using testing::publish;
using Texts = std::vector<std::string>;

// How many mutations are asked for; 0: everyday.
std::size_t asked() {
  const char* set = std::getenv("CANDOR_MUTATIONS");
  return set == nullptr ? 0 : std::strtoull(set, nullptr, 10);
}
std::size_t share(std::size_t eighths) { return (asked() == 0 ? 2'000 : asked()) * eighths / 8; }

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t bound) { return engine_() % bound; }
  std::byte change() { return static_cast<std::byte>(1 + below(255)); }

 private:
  std::mt19937_64 engine_;
};

// What a byte of a segment is for.
enum class Place { kCovered, kAuxState, kRoom };

struct Lawful {
  LogMaker log;
  MemoryFolder folder;
  std::uint64_t published = 0, second_segment = 0;
  std::map<std::uint64_t, std::string> heads;  // the signed ones, by size
  LogQuestion question;                        // the key, and a pin of everything

  Lawful(std::uint64_t seed, std::size_t exchanges) : log(seed) {
    log.run(exchanges);
    log.rotate_key(14);  // so that the checkpoint and the first batches carry both keys
    log.exchange("a question", "an answer");
    published = log.texts.size();
    publish(folder, log.texts, log.signed_head(published));
    log.intent();
    log.run(1 + (seed % 3));  // the next run begins with an abort
    second_segment = log.texts.size();
    write_journal(folder, log, published, 2 + (seed % 4));
    log.run(1);
    write_journal(folder, log, second_segment, 3);
    question.log_key = log.verifier();
    question.pin = log.pin(log.texts.size());
    for (const auto& [name, bytes] : folder.journal) {
      const auto scan = scan_segment(bytes);
      for (const auto& place : scan->batches) {
        heads[place.batch.first_index + place.batch.entries.size()] = place.batch.head;
      }
    }
  }

  [[nodiscard]] std::string checkpoint() const {
    return std::string(as_text(folder.files.at("checkpoint")));
  }
  [[nodiscard]] static std::size_t batches_end(const Bytes& segment) {
    return scan_segment(segment)->end_offset;
  }
  [[nodiscard]] Place place_of(const std::string& segment, std::size_t offset) const {
    const auto scan = scan_segment(folder.journal.at(segment));
    if (offset >= scan->end_offset) return Place::kRoom;
    for (const auto& [start, batch] : scan->batches) {
      for (const AuxView& aux : batch.aux) {
        if (offset == start + aux.state_offset) return Place::kAuxState;
      }
    }
    return Place::kCovered;
  }
};

const std::vector<std::unique_ptr<Lawful>>& lawful_logs() {
  static const auto logs = [] {
    std::vector<std::unique_ptr<Lawful>> out;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      out.push_back(std::make_unique<Lawful>(seed, seed % 6));
    }
    out.push_back(std::make_unique<Lawful>(9, 130));  // a second level of tiles
    return out;
  }();
  return logs;
}
Lawful& draw_log(Draw& draw) {
  const auto& logs = lawful_logs();
  return draw.below(16) == 0 ? *logs.back() : *logs[draw.below(logs.size() - 1)];
}

bool same(const MemoryFolder& a, const MemoryFolder& b) {
  return a.files == b.files && a.journal == b.journal;
}

// What a verification says about a change, in one line for a failure's message; empty when the
// change was found and has a place.
std::string missed(MemoryFolder& folder, const LogQuestion& question) {
  const auto report = verify_log(folder, question);
  if (!report) {
    const std::string& why = report.error().message();
    return why.contains("checkpoint") || why.contains("journal") ? "" : "refused, no place: " + why;
  }
  for (const Finding& finding : report->findings) {
    if (finding.standing != Standing::kFails) continue;
    if (finding.where.empty() || finding.what.empty()) return "a finding without a place";
    if (report->fault && report->fault->index > question.pin->size + 1) return "a place beyond";
    return "";
  }
  return "not found";
}

// A change of what nothing was acknowledged in, or of what may be erased: the log still leads to
// the pinned head. room: a torn tail has to be announced.
void expect_harmless(MemoryFolder& folder, const LogQuestion& question, bool room,
                     const std::string& what) {
  const auto report = verify_log(folder, question);
  ASSERT_THAT(report, IsOk()) << what;
  if (room && any_fails(report->findings)) return;  // not the last segment: damage
  EXPECT_FALSE(any_fails(report->findings)) << what;
  EXPECT_EQ(report->head.size, question.pin->size) << what;
  EXPECT_EQ(report->head.root, question.pin->root) << what;
  if (!room) return;
  const auto torn = [](const Finding& f) {
    return f.standing == Standing::kNotExcluded && f.what.contains("was not finished");
  };
  EXPECT_TRUE(std::ranges::any_of(report->findings, torn)) << what;
}

TEST(MutationTest, A19_UnchangedLogsHold) {
  for (const auto& lawful : lawful_logs()) {
    const auto report = verify_log(lawful->folder, lawful->question);
    ASSERT_THAT(report, IsOk());
    EXPECT_FALSE(report->fault) << report->fault->what;
    EXPECT_FALSE(any_fails(report->findings));
    EXPECT_EQ(report->head.size, lawful->log.texts.size());
    EXPECT_EQ(report->published.size, lawful->published);
  }
}

// ---- files ----

struct FileMutation {
  MemoryFolder folder;
  std::string what;
  Place place = Place::kCovered;
  bool erases = false;
};

Bytes& pick_file(MemoryFolder& folder, Draw& draw, std::string& name) {
  const std::size_t at = draw.below(folder.files.size() + folder.journal.size());
  auto& files = at < folder.files.size() ? folder.files : folder.journal;
  const auto found = std::next(
      files.begin(),
      static_cast<std::ptrdiff_t>(at < folder.files.size() ? at : at - folder.files.size()));
  name = found->first;
  return found->second;
}

FileMutation mutate_file(const Lawful& lawful, Draw& draw) {
  FileMutation out;
  out.folder = lawful.folder;
  std::string name;
  Bytes& file = pick_file(out.folder, draw, name);
  const bool is_segment = name.ends_with(".journal");
  switch (draw.below(8)) {
    case 0: {
      const std::size_t end = is_segment ? Lawful::batches_end(file) : file.size();
      file.resize(draw.below(end));
      out.what = name + " cut to " + std::to_string(file.size());
      break;
    }
    case 1: {
      if (is_segment) file.resize(Lawful::batches_end(file));
      out.place = is_segment ? Place::kRoom : Place::kCovered;
      for (std::size_t more = 1 + draw.below(40); more > 0; --more) file.push_back(draw.change());
      out.what = name + " made longer";
      break;
    }
    case 2: {
      out.folder.files.erase(name);
      out.folder.journal.erase(name);
      out.what = name + " removed";
      break;
    }
    case 3: {
      std::string other;
      Bytes& second = pick_file(out.folder, draw, other);
      if (&second != &file) std::swap(file, second);
      out.what = name + " and " + other + " change places";
      break;
    }
    case 4: {
      // What an eraser does first; the record's payload means nothing from then on.
      if (!is_segment) break;
      const auto scan = scan_segment(file);
      const auto& chosen = scan->batches[draw.below(scan->batches.size())];
      file[chosen.offset + chosen.batch.aux.front().state_offset] = std::byte{2};
      out.erases = true;
      out.what = name + ", a record marked erased";
      break;
    }
    default: {
      // Mostly where something stands: the room of a segment is large.
      const std::size_t end =
          is_segment && draw.below(8) != 0 ? Lawful::batches_end(file) : file.size();
      const std::size_t at = draw.below(end);
      if (is_segment) out.place = lawful.place_of(name, at);
      file[at] = out.place == Place::kAuxState && draw.below(2) == 0 ? std::byte{2}
                                                                     : file[at] ^ draw.change();
      out.erases = out.place == Place::kAuxState && file[at] == std::byte{2};
      out.what = name + ", byte " + std::to_string(at);
    }
  }
  return out;
}

TEST(MutationTest, A19_ChangedCutSwappedAndRemovedFilesAreFound) {
  Draw draw(19);
  std::size_t found = 0, room = 0, erased = 0;
  while (found + room + erased < share(4)) {
    const Lawful& lawful = draw_log(draw);
    FileMutation mutation = mutate_file(lawful, draw);
    if (same(mutation.folder, lawful.folder)) continue;
    if (mutation.place == Place::kRoom) {
      expect_harmless(mutation.folder, lawful.question, true, mutation.what);
      ++room;
    } else if (mutation.erases) {
      expect_harmless(mutation.folder, lawful.question, false, mutation.what);
      ++erased;
    } else {
      EXPECT_EQ(missed(mutation.folder, lawful.question), "") << mutation.what;
      ++found;
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(found, 5 * (room + erased));
  EXPECT_GT(room, 0U);
  EXPECT_GT(erased, 0U);
  std::printf("files: %zu found, %zu in unwritten room, %zu marked a record erased\n", found, room,
              erased);
}

// ---- entries ----

enum class Who { kForger, kMaker, kStranger, kInsider };
constexpr Who kWho[] = {Who::kForger, Who::kMaker, Who::kStranger, Who::kInsider};

Texts mutate_texts(const Texts& before, Draw& draw, std::string& what) {
  Texts texts = before;
  const std::size_t at = draw.below(texts.size());
  const auto place = texts.begin() + static_cast<std::ptrdiff_t>(at);
  what = "entry " + std::to_string(at);
  switch (draw.below(7)) {
    case 0:
      texts.erase(place);
      what += " dropped";
      break;
    case 1: {
      const std::size_t other = draw.below(texts.size());
      std::swap(texts[at], texts[other]);
      what += " and " + std::to_string(other) + " swapped";
      break;
    }
    case 2:
      // Below the pin: what comes after its last entry is not what it speaks of.
      if (at + 1 == texts.size()) break;
      texts.insert(place, std::string(*place));
      what += " doubled";
      break;
    case 3:
      texts.resize(at);
      what += " and all after it cut off";
      break;
    case 4:
      texts[at].resize(draw.below(texts[at].size()));
      what += " cut short";
      break;
    case 5: {
      const LogMaker& other = draw_log(draw).log;
      texts[at] = other.texts[draw.below(other.texts.size())];
      what += " replaced by another log's";
      break;
    }
    default: {
      // To another digit or letter now and then, so that many still decode.
      char& c = texts[at][draw.below(texts[at].size())];
      c = c >= '0' && c <= '9' && draw.below(4) != 0
              ? static_cast<char>('0' + draw.below(10))
              : static_cast<char>(static_cast<std::byte>(c) ^ draw.change());
      what += " with a byte changed";
    }
  }
  return texts;
}

std::size_t first_difference(const Texts& a, const Texts& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// A segment over texts[first, end) with right digests, and the heads given.
void put_segment(MemoryFolder& folder, const LogMaker& log, std::uint64_t first, std::uint64_t end,
                 std::size_t batch_size, const std::function<std::string(std::uint64_t)>& head_of) {
  Bytes segment = *encode_segment_header(
      {.first_index = first, .root = log.head(first).root, .origin = log.origin});
  BatchBuilder builder;
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t next = std::min<std::uint64_t>(at + batch_size, end);
    builder.begin(at);
    for (; at < next; ++at) ASSERT_THAT(builder.add_entry(log.texts[at]), IsOk());
    put_bytes(segment, *builder.seal(head_of(next)));
  }
  segment.resize(segment.size() + kJournalPage);
  folder.journal[segment_name(first)] = std::move(segment);
}

MemoryFolder remake(Lawful& lawful, const Texts& texts, Who who) {
  MemoryFolder folder;
  LogMaker& log = lawful.log;
  const auto size = static_cast<std::uint64_t>(texts.size());
  const std::uint64_t published = std::min(lawful.published, size);
  const std::uint64_t second = std::min(lawful.second_segment, size);
  const Texts true_texts = std::exchange(log.texts, texts);
  const auto true_keys = log.keys;
  if (who == Who::kStranger) {
    FakeRandom random(size);
    log.keys = {crypto::SigningKey::generate(random)};
  }
  const bool signs = who == Who::kStranger || who == Who::kInsider;
  const Texts first(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(published));
  publish(folder, first, signs ? log.signed_head(published) : lawful.checkpoint());
  if (who == Who::kForger) {  // the hashes stay
    for (auto& [path, bytes] : folder.files) {
      const auto old = lawful.folder.files.find(path);
      if (!path.contains("entries") && old != lawful.folder.files.end()) bytes = old->second;
    }
  }
  const auto head_of = [&](std::uint64_t at) {
    if (signs) return log.signed_head(at);
    const auto known = lawful.heads.lower_bound(at);
    return known == lawful.heads.end() ? lawful.heads.rbegin()->second : known->second;
  };
  folder.with_journal = true;
  put_segment(folder, log, published, second, 4, head_of);
  if (second < size) put_segment(folder, log, second, size, 3, head_of);
  log.texts = true_texts;
  log.keys = true_keys;
  return folder;
}

TEST(MutationTest, A19_ChangedDroppedSwappedAndDoubledEntriesAreFoundWhoeverSigns) {
  Draw draw(20);
  std::size_t found[4] = {}, decodable = 0;
  for (std::size_t i = 0; i < share(2);) {
    Lawful& lawful = draw_log(draw);
    std::string what;
    const Texts texts = mutate_texts(lawful.log.texts, draw, what);
    if (texts == lawful.log.texts) continue;
    const Who who = kWho[i % 4];
    what += ", by " + std::to_string(static_cast<int>(who));
    MemoryFolder folder = remake(lawful, texts, who);
    EXPECT_EQ(missed(folder, lawful.question), "") << what;
    const auto report = verify_log(folder, lawful.question);
    ASSERT_THAT(report, IsOk()) << what;
    const std::size_t first = first_difference(texts, lawful.log.texts);
    if (who == Who::kForger && first < lawful.published) {
      // The place is exact, or the start of the bundle when that does not even have its length.
      ASSERT_TRUE(report->fault) << what;
      EXPECT_TRUE(report->fault->index == first ||
                  report->fault->index == first / kTileWidth * kTileWidth)
          << what << ": " << report->fault->what << " at " << report->fault->index;
    }
    if (report->fault) EXPECT_GE(report->fault->index, first / kTileWidth * kTileWidth) << what;
    if (!report->fault) ++decodable;  // every rule held: the pin alone told
    ++found[i % 4];
    ++i;
    if (HasFailure()) return;
  }
  EXPECT_GT(decodable, 0U);
  std::printf("entries: forger %zu, maker %zu, stranger %zu, insider %zu found; %zu by the pin\n",
              found[0], found[1], found[2], found[3], decodable);
}

// ---- batches ----

TEST(MutationTest, A19_DroppedSwappedAndDoubledBatchesAreFound) {
  Draw draw(21);
  std::size_t found = 0;
  while (found < share(1)) {
    const Lawful& lawful = draw_log(draw);
    MemoryFolder folder = lawful.folder;
    const auto segment = std::next(folder.journal.begin(),
                                   static_cast<std::ptrdiff_t>(draw.below(folder.journal.size())));
    const Bytes before = segment->second;
    const auto scan = scan_segment(before);
    std::vector<ByteView> batches;
    for (const auto& [offset, batch] : scan->batches) {
      batches.push_back(ByteView(before).subspan(offset, batch.bytes));
    }
    const std::size_t at = draw.below(batches.size());
    std::string what = segment->first + ", batch " + std::to_string(at);
    switch (draw.below(4)) {
      case 0: batches.erase(batches.begin() + static_cast<std::ptrdiff_t>(at)); break;
      case 1: batches.insert(batches.begin() + static_cast<std::ptrdiff_t>(at), batches[at]); break;
      case 2: std::swap(batches[at], batches[draw.below(batches.size())]); break;
      default: batches.resize(at); break;
    }
    segment->second = to_bytes(ByteView(before).first(kJournalPage));
    for (const ByteView batch : batches) put_bytes(segment->second, batch);
    segment->second.resize(before.size() + kJournalPage);
    if (std::ranges::equal(ByteView(segment->second).first(before.size()), before)) continue;
    EXPECT_EQ(missed(folder, lawful.question), "") << what;
    ++found;
    if (HasFailure()) return;
  }
  std::printf("batches: %zu found\n", found);
}

// ---- checkpoints ----

TEST(MutationTest, A19_ReplacedCheckpointsAreFound) {
  Draw draw(22);
  std::size_t found = 0;
  while (found < share(1)) {
    const Lawful& lawful = draw_log(draw);
    const LogMaker& log = lawful.log;
    MemoryFolder folder = lawful.folder;
    Checkpoint head = log.head(lawful.published);
    std::string what;
    switch (draw.below(5)) {
      case 0:
        head = log.head(draw.below(lawful.published));
        what = "an older head";
        break;
      case 1:
        head = log.head(lawful.published + 1 + draw.below(log.texts.size() - lawful.published));
        what = "a newer head, tiles missing";
        break;
      case 2:
        head.root[draw.below(head.root.size())] ^= draw.change();
        what = "another root";
        break;
      case 3:
        head.size ^= std::uint64_t{1} << draw.below(64);
        what = "another size";
        break;
      default: head.origin = draw_log(draw).log.origin; what = "another origin";
    }
    std::vector<const crypto::SigningKey*> with;
    for (const auto& key : log.keys) with.push_back(&key);
    FakeRandom random(found);
    const auto stranger = crypto::SigningKey::generate(random);
    if (draw.below(2) == 0) {
      with = {&stranger};
      what += ", a stranger's";
    }
    if (head == log.head(lawful.published) && with.front() != &stranger) continue;
    folder.files["checkpoint"] = to_bytes(as_bytes(sign_checkpoint(head, with)));
    EXPECT_EQ(missed(folder, lawful.question), "") << what << ", size " << head.size;
    ++found;
    if (HasFailure()) return;
  }
  std::printf("checkpoints: %zu found\n", found);
}

// ---- receipts ----

struct MadeReceipt {
  LogMaker log{31};
  testing::MadeExchange exchange;
  crypto::SigningKey witness;
  Receipt receipt;
  ReceiptQuestion question;

  MadeReceipt() : witness(crypto::SigningKey::generate(log.random)) {
    log.run(2);
    exchange = log.exchange_of(
        testing::transcript_of({{"messages/0/parts/0/text", "What is 2+2?"}, {"nonce", "n-31"}}),
        testing::transcript_of({{"choices/0/text", "Four."}, {"choices/0/finish", "stop"}}));
    log.run(1);
    receipt = log.receipt(exchange, log.texts.size());
    receipt.nonce = "n-31";
    Note note = *parse_note(receipt.checkpoint);
    note.signatures.push_back(cosign_note(note.text, "w", witness, 1'800'000'000));
    receipt.checkpoint = format_note(note);
    question.request = &exchange.request;
    question.answer = &exchange.answer;
    question.nonce = "n-31";
  }
  // Everything that a verifier may hold.
  [[nodiscard]] ReceiptQuestion strict() const {
    ReceiptQuestion out = question;
    out.log_key = log.verifier();
    out.witnesses = {{.name = "w", .kind = KeyKind::kCosignatureV1, .key = witness.public_key()}};
    out.pin = log.pin(log.texts.size());
    return out;
  }
};

// What may differ in a receipt that still holds: none of it is proven by the receipt.
struct Unproven {
  std::size_t log_key = 0;  // a hint, when the verifier brought the key
  std::size_t nonce = 0;    // an echo: the one that counts is a field of the logged request
  std::size_t witness = 0;  // a witness's line: nobody asked for it, or it is said to be missing
};

// True when all that is proven is the same in both; counts what is not proven and differs.
bool proves_the_same(const MadeReceipt& made, const Receipt& changed, bool key_is_held,
                     Unproven& unproven) {
  const auto before = parse_signed_checkpoint(made.receipt.checkpoint);
  const auto after = parse_signed_checkpoint(changed.checkpoint);
  if (!before || !after || !(before->head == after->head) ||
      !verify_note(after->note, made.log.verifier())) {
    return false;
  }
  Receipt rest = changed;
  if (rest.checkpoint != made.receipt.checkpoint) ++unproven.witness;
  if (rest.log_key != made.receipt.log_key) {
    if (!key_is_held) return false;
    ++unproven.log_key;
  }
  if (rest.nonce != made.receipt.nonce) ++unproven.nonce;
  rest.checkpoint = made.receipt.checkpoint;
  rest.log_key = made.receipt.log_key;
  rest.nonce = made.receipt.nonce;
  return *format_receipt(rest) == *format_receipt(made.receipt);
}

void change_every_byte(bool all_is_held) {
  const MadeReceipt made;
  const ReceiptQuestion question = all_is_held ? made.strict() : made.question;
  const std::string text = *format_receipt(made.receipt);
  ASSERT_FALSE(any_fails(verify_receipt(*parse_receipt(text), question)->findings));
  Draw draw(23);
  Unproven unproven;
  std::size_t malformed = 0, refuted = 0, same_proof = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned value = 1; value < (asked() == 0 ? 3U : 256U); ++value) {
      std::string changed = text;
      const auto change = asked() != 0 ? static_cast<std::byte>(value)
                          : value < 2  ? static_cast<std::byte>(value)
                                       : draw.change();
      changed[at] = static_cast<char>(static_cast<std::byte>(text[at]) ^ change);
      const auto receipt = parse_receipt(changed);
      const auto report =
          receipt ? verify_receipt(*receipt, question) : std::unexpected(receipt.error());
      if (!report) {
        EXPECT_EQ(report.error().code(), Code::kInvalidArgument);
        ++malformed;
      } else if (any_fails(report->findings)) {
        ++refuted;
      } else {
        const std::size_t witness = unproven.witness;
        EXPECT_TRUE(proves_the_same(made, *receipt, all_is_held, unproven))
            << "byte " << at << " to " << static_cast<int>(changed[at]);
        // Who asked for the witness is told that it has not cosigned.
        if (all_is_held && unproven.witness != witness) {
          EXPECT_TRUE(std::ranges::any_of(report->findings, [](const Finding& f) {
            return f.standing == Standing::kNotExcluded && f.what == "w has not cosigned";
          }));
        }
        ++same_proof;
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(malformed, 0U);
  EXPECT_GT(refuted, 0U);
  EXPECT_GT(unproven.nonce, 0U);
  EXPECT_EQ(unproven.log_key != 0, all_is_held);
  EXPECT_GT(unproven.witness, 0U);
  std::printf(
      "receipt of %zu bytes: %zu malformed, %zu refuted, %zu prove the same (log_key hint %zu, "
      "nonce's echo %zu, a witness's line %zu)\n",
      text.size(), malformed, refuted, same_proof, unproven.log_key, unproven.nonce,
      unproven.witness);
}

TEST(MutationTest, S1_EveryByteOfAReceiptIsRefusedOrProvesTheSameToWhoHoldsTheKey) {
  change_every_byte(true);
}

TEST(MutationTest, S1_EveryByteOfAReceiptIsRefusedOrProvesTheSameWithNothingHeld) {
  change_every_byte(false);
}

}  // namespace
}  // namespace candor::ledger
