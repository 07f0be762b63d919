#include "ledger/testing/log_maker.h"

#include "base/check.h"
#include "crypto/hash.h"
#include "ledger/journal_format.h"

namespace candor::ledger::testing {
namespace {

template <typename T>
T must(Result<T> result) {
  CANDOR_CHECK(result.has_value());
  return *std::move(result);
}

}  // namespace

Digest digest_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

Transcript transcript_of(
    std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  Transcript out;
  for (const auto& [path, text] : fields) {
    out.push_back({.path = std::string(path), .text = Sensitive<std::string>(std::string(text))});
  }
  return out;
}

LogMaker::LogMaker(std::uint64_t seed) : random(seed) {
  keys.push_back(crypto::SigningKey::generate(random));
  origin = log_origin(keys.front().public_key());
  log_id_ = make_id(random);
  provenance_.model = "test/model";
  provenance_.weights = digest_of("weights");
  provenance_.chat_template = digest_of("template");
  provenance_.engine = digest_of("engine");
  provenance_.weights_basis = Basis::kMeasured;
  provenance_.template_basis = Basis::kMeasured;
  provenance_.engine_basis = Basis::kMeasured;
}

Stamp LogMaker::now() {
  time_us_ += 1000;
  mono_us_ += 1000;
  return {.time_us = time_us_, .boot = boot_, .mono_us = mono_us_};
}

std::uint64_t LogMaker::append(Entry entry) {
  texts.push_back(must(encode(entry)));
  entries.push_back(std::move(entry));
  return texts.size() - 1;
}

void LogMaker::start() {
  boot_ = make_id(random);
  mono_us_ = 0;
  Start e;
  e.at = now();
  e.log_id = log_id_;
  e.machine_boot = "3f0f1a3e-5c2e-4a52-9d2e-0f3a5b6c7d8e";
  e.mode = "own_user";
  e.version = "0.1.0";
  e.log_key = format_verifier_key(verifier());
  e.previous_size = texts.size();
  e.previous_root = head(texts.size()).root;
  append(e);
  const auto open = open_;
  for (const auto& [index, id] : open) abort(index);
}

void LogMaker::load() {
  load_ = make_id(random);
  Load e;
  e.at = now();
  e.load = load_;
  e.provenance = provenance_;
  e.weights_bytes = 98'362'432;
  e.engine_build = "llama.cpp-v0.5.0";
  e.context = 2048;
  e.slots = 1;
  e.threads = 2;
  e.confinement = {.no_new_privs = true, .seccomp = true, .landlock_abi = 7, .confined = true};
  e.kernel_probe = "passed";
  e.model_probe = digest_of("probe");
  e.model_probe_result = "first";
  append(e);
}

void LogMaker::stop() { append(Stop{.at = now(), .reason = "signal"}); }

std::uint64_t LogMaker::intent() {
  Intent e;
  e.at = now();
  e.exchange = make_id(random);
  e.caller = "00112233445566778899aabbccddeeff";
  e.caller_known_by = "loopback";
  e.api = "openai.chat";
  e.stream = true;
  e.load = load_;
  e.provenance = provenance_;
  e.parameters.seed = 7;
  e.parameters.temperature = "0.7";
  e.repeatable = "best_effort";
  e.content = "sealed";
  e.received = digest_of("received");
  e.forwarded = digest_of("forwarded");
  e.received_bytes = 120;
  const Id128 id = e.exchange;
  const std::uint64_t index = append(std::move(e));
  open_[index] = id;
  return index;
}

void LogMaker::outcome(std::uint64_t intent_index) {
  Outcome e;
  e.at = now();
  e.exchange = open_.at(intent_index);
  e.intent_index = intent_index;
  e.intent_leaf = hash_leaf(as_bytes(texts[intent_index]));
  e.result = "complete";
  e.finish = "stop";
  e.prompt_tokens = 12;
  e.completion_tokens = 34;
  e.total_us = 900;
  e.produced = digest_of("produced");
  e.released = digest_of("released");
  e.released_bytes = released_[intent_index] + 10;
  append(e);
  open_.erase(intent_index);
}

void LogMaker::abort(std::uint64_t intent_index) {
  Abort e;
  e.at = now();
  e.exchange = open_.at(intent_index);
  e.intent_index = intent_index;
  e.intent_leaf = hash_leaf(as_bytes(texts[intent_index]));
  e.reason = "crash";
  e.released_bytes = released_[intent_index];
  append(e);
  open_.erase(intent_index);
}

void LogMaker::progress(std::uint64_t intent_index, std::uint64_t released_bytes) {
  released_[intent_index] = released_bytes;
  append(Progress{.at = now(),
                  .exchange = open_.at(intent_index),
                  .intent_index = intent_index,
                  .released_bytes = released_bytes});
}

MadeExchange LogMaker::exchange(std::string_view question, std::string_view answer) {
  return exchange_of(
      transcript_of({{"messages/0/role", "user"}, {"messages/0/parts/0/text", question}}),
      transcript_of({{"choices/0/role", "assistant"},
                     {"choices/0/text", answer},
                     {"choices/0/finish", "stop"}}));
}

MadeExchange LogMaker::exchange_of(Transcript request, Transcript answer) {
  MadeExchange made;
  Digest root;
  random.fill(root);
  made.root = Root(root);
  made.request = std::move(request);
  made.answer = std::move(answer);
  made.intent_index = intent();
  auto& intent_entry = std::get<Intent>(entries.back());
  made.id = intent_entry.exchange;
  const auto commit_to = [&](TranscriptKind kind, const Transcript& text) {
    const std::string_view name = to_string(kind);
    return commit(opening_key(made.root, name), made.id, name, text).root;
  };
  intent_entry.received = commit_to(TranscriptKind::kReceived, made.request);
  intent_entry.forwarded = commit_to(TranscriptKind::kForwarded, made.request);
  texts.back() = must(encode(entries.back()));
  outcome(made.intent_index);
  made.outcome_index = texts.size() - 1;
  auto& outcome_entry = std::get<Outcome>(entries.back());
  outcome_entry.produced = commit_to(TranscriptKind::kProduced, made.answer);
  outcome_entry.released = commit_to(TranscriptKind::kReleased, made.answer);
  texts.back() = must(encode(entries.back()));
  return made;
}

void LogMaker::rotate_key(std::uint64_t overlap) {
  KeyChange e;
  e.at = now();
  e.old_key = format_verifier_key(verifier());
  keys.push_back(crypto::SigningKey::generate(random));
  e.new_key = format_verifier_key(verifier());
  overlap_until_ = texts.size() + 1 + overlap;
  e.overlap_until = overlap_until_;
  append(e);
}

void LogMaker::run(std::size_t exchanges) {
  start();
  load();
  append(Configuration{.at = now(),
                       .digest = digest_of("configuration"),
                       .changed = {"listen"},
                       .note = make_id(random)});
  for (std::size_t i = 0; i < exchanges; ++i) {
    const std::uint64_t first = intent();
    switch (i % 5) {
      case 1: {
        const std::uint64_t second = intent();
        outcome(second);
        break;
      }
      case 2:
        progress(first, 4096);
        progress(first, 8192);
        break;
      case 3:
        append(Refusal{.at = now(),
                       .cause = "busy",
                       .status = 429,
                       .caller = "",
                       .api = "openai.chat",
                       .count = 3,
                       .window_us = 1'000'000});
        break;
      case 4: {
        abort(first);
        continue;
      }
      default: break;
    }
    outcome(first);
  }
  Erasure erasure;
  erasure.at = now();
  erasure.act = make_id(random);
  erasure.scope = "exchange";
  erasure.exchanges = {make_id(random)};
  erasure.actor = "ffeeddccbbaa99887766554433221100";
  erasure.reason = digest_of("reason");
  append(erasure);
}

Checkpoint LogMaker::head(std::uint64_t size) const {
  Frontier tree;
  for (std::uint64_t i = 0; i < size; ++i) tree.append(hash_leaf(as_bytes(texts[i])));
  return {.origin = origin, .size = size, .root = tree.root(), .extensions = {}};
}

std::string LogMaker::signed_head(std::uint64_t size) const {
  std::vector<const crypto::SigningKey*> with{&key()};
  if (keys.size() > 1 && size <= overlap_until_) with.push_back(&keys[keys.size() - 2]);
  return sign_checkpoint(head(size), with);
}

Pin LogMaker::pin(std::uint64_t size) const {
  const Checkpoint at = head(size);
  return {
      .origin = origin, .size = size, .root = at.root, .log_key = format_verifier_key(verifier())};
}

Receipt LogMaker::receipt(const MadeExchange& exchange, std::uint64_t size) const {
  RecentNodes nodes;
  for (std::uint64_t i = 0; i < size; ++i) nodes.append(hash_leaf(as_bytes(texts[i])));
  const auto opening = [&](TranscriptKind kind, const Transcript& text) {
    const OpeningKey opened = opening_key(exchange.root, to_string(kind));
    return ReceiptOpening{.key = opened,
                          .fields = commit(opened, exchange.id, to_string(kind), text).fields};
  };
  Receipt out;
  out.outcome_index = exchange.outcome_index;
  out.outcome = texts[exchange.outcome_index];
  out.outcome_proof = must(prove_inclusion(nodes, exchange.outcome_index, size));
  out.intent_index = exchange.intent_index;
  out.intent = texts[exchange.intent_index];
  out.intent_proof = must(prove_inclusion(nodes, exchange.intent_index, size));
  out.received = opening(TranscriptKind::kReceived, exchange.request);
  out.released = opening(TranscriptKind::kReleased, exchange.answer);
  out.log_key = format_verifier_key(verifier());
  out.checkpoint = signed_head(size);
  return out;
}

Result<Bytes> MemoryFolder::read(const std::string& path) {
  const auto found = files.find(path);
  if (found == files.end()) return fail(Code::kNotFound, "no " + path);
  return found->second;
}

Result<std::vector<std::string>> MemoryFolder::segments() {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : journal) names.push_back(name);
  return names;
}

Result<Bytes> MemoryFolder::read_segment(const std::string& name) {
  const auto found = journal.find(name);
  if (found == journal.end()) return fail(Code::kNotFound, "no " + name);
  return found->second;
}

void publish(MemoryFolder& folder, const std::vector<std::string>& texts,
             const std::string& checkpoint) {
  folder.files.clear();
  RecentNodes nodes;
  for (const std::string& text : texts) nodes.append(hash_leaf(as_bytes(text)));
  for (const TileId& id : tiles_since(0, texts.size())) {
    Bytes& file = folder.files[tile_path(id)];
    if (id.kind == TileKind::kEntries) {
      std::vector<std::string_view> part(
          texts.begin() + static_cast<std::ptrdiff_t>(id.index * kTileWidth),
          texts.begin() + static_cast<std::ptrdiff_t>((id.index * kTileWidth) + id.width));
      file = must(encode_bundle(part));
      continue;
    }
    for (unsigned i = 0; i < id.width; ++i) {
      const NodeId node{.level = static_cast<std::uint8_t>(8 * id.level),
                        .index = (id.index * kTileWidth) + i};
      put_bytes(file, must(nodes.node(node)));
    }
  }
  folder.files["checkpoint"] = to_bytes(as_bytes(checkpoint));
}

void write_journal(MemoryFolder& folder, const LogMaker& log, std::uint64_t first,
                   std::size_t batch_size) {
  folder.with_journal = true;
  Bytes segment = must(encode_segment_header(
      {.first_index = first, .root = log.head(first).root, .origin = log.origin}));
  BatchBuilder builder;
  for (std::uint64_t at = first; at < log.texts.size();) {
    const std::uint64_t end = std::min<std::uint64_t>(at + batch_size, log.texts.size());
    builder.begin(at);
    for (; at < end; ++at) CANDOR_CHECK(builder.add_entry(log.texts[at]).has_value());
    const Bytes aux = to_bytes(as_bytes("auxiliary"));
    CANDOR_CHECK(builder.add_aux({.kind = AuxKind::kKeySlot, .payload = aux}).has_value());
    put_bytes(segment, must(builder.seal(log.signed_head(end))));
  }
  segment.resize(segment.size() + (4 * kJournalPage));
  folder.journal[segment_name(first)] = std::move(segment);
}

}  // namespace candor::ledger::testing
