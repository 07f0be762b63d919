#include "store/exchange_record.h"

#include "ledger/journal_format.h"
#include "ledger/key_table_format.h"
#include "ledger/receipt.h"
#include "ledger/sealed_format.h"
#include "store/internal/key_wraps.h"
#include "store/internal/receipt_parts.h"
#include "store/key_ring.h"
#include "store/sealed_store.h"

namespace candor::store {
namespace {

constexpr auto kKeySlotAux = static_cast<std::uint8_t>(ledger::AuxKind::kKeySlot);
constexpr auto kSealedAux = static_cast<std::uint8_t>(ledger::AuxKind::kSealedRecord);

// One of the four transcripts, committed to.
struct Committed {
  std::string_view name;
  ledger::OpeningKey key;
  ledger::TranscriptCommitment commitment;
};

Committed commit_to(const ledger::Root& root, const Id128& id, TranscriptKind kind,
                    const Transcript& transcript) {
  Committed out{
      .name = to_string(kind), .key = ledger::opening_key(root, to_string(kind)), .commitment = {}};
  out.commitment = ledger::commit(out.key, id, out.name, transcript);
  return out;
}

// Commitments without texts: content mode none, or no room for them.
Result<Bytes> commitments_only(const Id128& id, std::initializer_list<const Committed*> parts) {
  ledger::SealedRecord record;
  record.id = id;
  for (const Committed* part : parts) {
    ledger::SealedTranscript transcript{.name = std::string(part->name), .fields = {}};
    for (const ledger::FieldCommitment& field : part->commitment.fields) {
      transcript.fields.push_back({.path = field.path, .commitment = field.value, .text = {}});
    }
    record.transcripts.push_back(std::move(transcript));
  }
  return ledger::encode_sealed_record(record);
}

}  // namespace

struct ExchangeRecord::State {
  KeyRing* keys = nullptr;
  Id128 exchange{};
  Id128 subject{};
  ledger::Root root;
  std::string intent_text, outcome_text;
  std::optional<ledger::ReceiptOpening> received, released;
  std::optional<std::string> nonce;
  ContentMode mode = ContentMode::kNone;

  // The half's sealed record as an auxiliary record, or nothing when it went to a file of its own.
  Result<std::optional<AuxRecord>> seal_half(SealedHalf half, const Committed& first,
                                             const Transcript& first_text, const Committed& second,
                                             const Transcript& second_text) const {
    if (mode == ContentMode::kNone) {
      return AuxRecord{.kind = kSealedAux,
                       .payload = TRY(commitments_only(exchange, {&first, &second}))};
    }
    const std::array<ledger::SealInput, 2> inputs{
        ledger::SealInput{
            .name = first.name, .transcript = &first_text, .commitment = &first.commitment},
        ledger::SealInput{
            .name = second.name, .transcript = &second_text, .commitment = &second.commitment}};
    auto sealed = ledger::seal_exchange(root, exchange, inputs, keys->random());
    Result<void> written;
    if (sealed && sealed->size() <= keys->inline_limit_bytes()) {
      return AuxRecord{.kind = kSealedAux, .payload = *std::move(sealed)};
    }
    if (sealed) {
      written = SealedStore(keys->files(), keys->paths(), keys->clock())
                    .write_large(exchange, half, *sealed);
      if (written) return std::nullopt;
    }
    // A request that cannot be kept as promised is refused; an answer is already said, so its
    // outcome is written without the text.
    if (half == SealedHalf::kRequest) {
      return std::unexpected(sealed ? written.error() : sealed.error());
    }
    return AuxRecord{.kind = kSealedAux,
                     .payload = TRY(commitments_only(exchange, {&first, &second}))};
  }
};

ExchangeRecord::ExchangeRecord(std::unique_ptr<State> state) : state_(std::move(state)) {}
ExchangeRecord::ExchangeRecord(ExchangeRecord&&) noexcept = default;
ExchangeRecord& ExchangeRecord::operator=(ExchangeRecord&&) noexcept = default;
ExchangeRecord::~ExchangeRecord() = default;

ExchangeRecord ExchangeRecord::begin(KeyRing& keys, const Id128& exchange, const Id128& subject) {
  auto state = std::make_unique<State>();
  state->keys = &keys;
  state->exchange = exchange;
  state->subject = subject;
  keys.random().fill(state->root.reveal());
  state->mode = keys.content_mode();
  return ExchangeRecord(std::move(state));
}

Result<Submission> ExchangeRecord::intent(ledger::Intent entry, const Transcript& received,
                                          const Transcript& forwarded,
                                          std::optional<std::string> nonce) {
  State& s = *state_;
  Committed from_client = commit_to(s.root, s.exchange, TranscriptKind::kReceived, received);
  const Committed to_engine = commit_to(s.root, s.exchange, TranscriptKind::kForwarded, forwarded);
  entry.exchange = s.exchange;
  entry.received = from_client.commitment.root;
  entry.forwarded = to_engine.commitment.root;
  entry.content = to_string(s.mode);
  s.intent_text = TRY(ledger::encode(entry));
  s.nonce = std::move(nonce);

  const auto epoch = TRY(s.keys->epoch());
  ledger::KeySlot slot;
  slot.kind = ledger::SlotKind::kExchange;
  slot.id = s.exchange;
  slot.subject = s.subject;
  slot.epoch = epoch->number;
  if (s.mode == ContentMode::kSealed) {
    slot.first_wrap = wrap_root(epoch->key, s.exchange, s.root, s.keys->random());
  }
  const KeyPair openings{
      .first = from_client.key,
      .second = ledger::opening_key(s.root, to_string(TranscriptKind::kReleased))};
  slot.second_wrap = wrap_pair(s.keys->local_key(), s.exchange, openings, s.keys->random());

  Submission submission;
  submission.entry = s.intent_text;
  submission.aux.push_back({.kind = kKeySlotAux, .payload = TRY(ledger::encode_key_slot(slot))});
  auto sealed = TRY(s.seal_half(SealedHalf::kRequest, from_client, received, to_engine, forwarded));
  if (sealed) submission.aux.push_back(*std::move(sealed));
  submission.mark = {.step = ExchangeStep::kIntent, .exchange = s.exchange, .subject = s.subject};
  s.received = ledger::ReceiptOpening{.key = std::move(from_client.key),
                                      .fields = std::move(from_client.commitment.fields)};
  return submission;
}

Result<Submission> ExchangeRecord::progress(ledger::Progress entry, const Acknowledgement& intent) {
  entry.exchange = state_->exchange;
  entry.intent_index = intent.index;
  return Submission{.entry = TRY(ledger::encode(entry)),
                    .aux = {},
                    .priority = Priority::kReserved,
                    .mark = {.step = ExchangeStep::kProgress,
                             .exchange = entry.exchange,
                             .intent = intent.index,
                             .released_bytes = entry.released_bytes}};
}

Result<Submission> ExchangeRecord::outcome(ledger::Outcome entry, const Acknowledgement& intent,
                                           const Transcript& produced, const Transcript& released) {
  State& s = *state_;
  const Committed by_engine = commit_to(s.root, s.exchange, TranscriptKind::kProduced, produced);
  Committed to_client = commit_to(s.root, s.exchange, TranscriptKind::kReleased, released);
  entry.exchange = s.exchange;
  entry.intent_index = intent.index;
  entry.intent_leaf = intent.leaf;
  entry.produced = by_engine.commitment.root;
  entry.released = to_client.commitment.root;
  s.outcome_text = TRY(ledger::encode(entry));
  Submission submission;
  submission.entry = s.outcome_text;
  submission.priority = Priority::kReserved;
  auto sealed = TRY(s.seal_half(SealedHalf::kAnswer, by_engine, produced, to_client, released));
  if (sealed) submission.aux.push_back(*std::move(sealed));
  submission.mark = {.step = ExchangeStep::kOutcome,
                     .exchange = s.exchange,
                     .subject = s.subject,
                     .intent = intent.index};
  s.released = ledger::ReceiptOpening{.key = std::move(to_client.key),
                                      .fields = std::move(to_client.commitment.fields)};
  return submission;
}

Result<Submission> ExchangeRecord::abort(ledger::Abort entry, const Acknowledgement& intent) {
  entry.exchange = state_->exchange;
  entry.intent_index = intent.index;
  entry.intent_leaf = intent.leaf;
  return Submission{.entry = TRY(ledger::encode(entry)),
                    .aux = {},
                    .priority = Priority::kReserved,
                    .mark = {.step = ExchangeStep::kAbort,
                             .exchange = entry.exchange,
                             .subject = state_->subject,
                             .intent = intent.index}};
}

Result<std::string> build_receipt(Ledger& ledger, const SignedHead& head, ReceiptParts parts) {
  ledger::Receipt receipt;
  receipt.outcome_index = parts.outcome_index;
  receipt.outcome = std::move(parts.outcome);
  receipt.outcome_proof = TRY(ledger.prove(parts.outcome_index, head.size));
  receipt.intent_index = parts.intent_index;
  receipt.intent = std::move(parts.intent);
  receipt.intent_proof = TRY(ledger.prove(parts.intent_index, head.size));
  receipt.received = std::move(parts.received);
  receipt.released = std::move(parts.released);
  receipt.nonce = std::move(parts.nonce);
  receipt.log_key = ledger.verifier_key();
  receipt.checkpoint = head.note;
  return ledger::format_receipt(receipt);
}

Result<std::string> ExchangeRecord::receipt(Ledger& ledger, const Acknowledgement& intent,
                                            const Acknowledgement& outcome) const {
  const State& s = *state_;
  if (s.outcome_text.empty() || outcome.head == nullptr) {
    return fail(Code::kFailedPrecondition, "an exchange without an outcome has no receipt");
  }
  return build_receipt(ledger, *outcome.head,
                       {.intent_index = intent.index,
                        .outcome_index = outcome.index,
                        .intent = s.intent_text,
                        .outcome = s.outcome_text,
                        .received = s.received,
                        .released = s.released,
                        .nonce = s.nonce});
}

}  // namespace candor::store
