#include "ledger/receipt.h"

#include <algorithm>

#include "base/text.h"
#include "json/json.h"

namespace candor::ledger {
namespace {

constexpr json::Limits kExtraLimits{.max_bytes = kMaxTlogProofBytes, .max_depth = 8};
constexpr json::Limits kPinLimits{.max_bytes = 4096, .max_depth = 2};
constexpr std::size_t kMaxProofHashes = 63;
constexpr std::size_t kMaxOpenedFields = 65'536;

std::unexpected<Error> bad(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

Result<Digest> get_digest(const json::Object& object, std::string_view key) {
  return digest_from_base64(TRY(json::get_string(object, key)));
}

Result<std::uint64_t> get_decimal(const json::Object& object, std::string_view key) {
  return parse_decimal(TRY(json::get_string(object, key)));
}

json::Object opening_json(const ReceiptOpening& opening) {
  json::Array fields;
  for (const FieldCommitment& field : opening.fields) {
    fields.push_back(json::Array{json::Value(field.path), json::Value(to_base64(field.value))});
  }
  json::Object out;
  out["fields"] = std::move(fields);
  out["key"] = to_base64(opening.key.reveal()).c_str();
  return out;
}

Result<ReceiptOpening> parse_opening(const json::Value& value) {
  const json::Object& object = *TRY(json::as_object(value, "an opening"));
  TRY(json::only_keys(object, {"fields", "key"}));
  ReceiptOpening out;
  out.key = OpeningKey(TRY(get_digest(object, "key")));
  const json::Array& fields = *TRY(json::get_array(object, "fields"));
  if (fields.size() > kMaxOpenedFields) return bad("an opening with too many fields");
  for (const json::Value& item : fields) {
    const json::Array* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() ||
        !(*pair)[1].is_string()) {
      return bad("an opening's field is [path, commitment]");
    }
    out.fields.push_back({.path = std::string((*pair)[0].get_string()),
                          .value = TRY(digest_from_base64((*pair)[1].get_string()))});
  }
  return out;
}

// The checks in their order; each adds one finding.
class Verification {
 public:
  Verification(const Receipt& receipt, const ReceiptQuestion& question)
      : receipt_(receipt), question_(question) {}

  Result<ReceiptReport> run() {
    TRY(read());
    check_log();
    check_inclusion();
    check_pairing();
    check_text(question_.request, receipt_.received, TranscriptKind::kReceived,
               report_.intent.received);
    check_text(question_.answer, receipt_.released, TranscriptKind::kReleased,
               report_.outcome.released);
    check_nonce();
    check_model();
    check_anchors();
    return std::move(report_);
  }

 private:
  void add(std::string promise, Standing standing, std::string what, std::string where = {}) {
    report_.findings.push_back({.promise = std::move(promise),
                                .standing = standing,
                                .what = std::move(what),
                                .where = std::move(where)});
  }
  void add(std::string promise, const Result<void>& result, std::string holds, std::string fails,
           std::string where) {
    if (result)
      return add(std::move(promise), Standing::kHolds, std::move(holds), std::move(where));
    add(std::move(promise), Standing::kFails, std::move(fails) + ": " + result.error().message(),
        std::move(where));
  }

  Result<void> read() {
    checkpoint_ = TRY(parse_signed_checkpoint(receipt_.checkpoint));
    report_.head = checkpoint_.head;
    const Entry intent = TRY(decode(receipt_.intent));
    const Entry outcome = TRY(decode(receipt_.outcome));
    if (!std::holds_alternative<Intent>(intent)) return bad("the receipt's intent is none");
    if (!std::holds_alternative<Outcome>(outcome)) return bad("the receipt's outcome is none");
    report_.intent = std::get<Intent>(intent);
    report_.outcome = std::get<Outcome>(outcome);
    report_.log_key =
        question_.log_key ? *question_.log_key : TRY(parse_verifier_key(receipt_.log_key));
    if (report_.log_key.kind != KeyKind::kEd25519) return bad("the log's key is a witness's");
    return {};
  }

  void check_log() {
    const VerifierKey& key = report_.log_key;
    if (report_.head.origin != key.name) {
      return add("P2", Standing::kFails, "the receipt is of another log than the key given",
                 report_.head.origin);
    }
    add("P2", verify_note(checkpoint_.note, key), "the log's key signed the tree head",
        "the tree head is not signed by the log's key", head_text());
    if (!question_.log_key) {
      add("P2", Standing::kNotExcluded,
          "the log's key came from the receipt itself: bring it from elsewhere (--log-key, --pin) "
          "to know whose log this is",
          format_verifier_key(key));
    }
  }

  std::string head_text() const { return "size " + std::to_string(report_.head.size); }

  void check_inclusion() {
    const auto check = [&](const char* name, const std::string& entry, std::uint64_t index,
                           const Proof& proof) {
      add("P2",
          verify_inclusion(index, report_.head.size, hash_leaf(as_bytes(entry)), proof,
                           report_.head.root),
          std::string("the ") + name + " stands in the log",
          std::string("the ") + name + " is not in the signed tree",
          "entry " + std::to_string(index));
    };
    check("intent", receipt_.intent, receipt_.intent_index, receipt_.intent_proof);
    check("outcome", receipt_.outcome, receipt_.outcome_index, receipt_.outcome_proof);
  }

  void check_pairing() {
    const Intent& intent = report_.intent;
    const Outcome& outcome = report_.outcome;
    const std::string where = "entry " + std::to_string(receipt_.outcome_index);
    const char* fault = nullptr;
    if (outcome.exchange != intent.exchange) {
      fault = "the outcome is of another exchange than the intent";
    } else if (outcome.intent_index != receipt_.intent_index) {
      fault = "the outcome names another place of its intent";
    } else if (outcome.intent_leaf != hash_leaf(as_bytes(receipt_.intent))) {
      fault = "the outcome names another intent's hash";
    } else if (receipt_.intent_index >= receipt_.outcome_index) {
      fault = "the outcome stands before its intent";
    }
    if (fault != nullptr) return add("P1", Standing::kFails, fault, where);
    add("P1", Standing::kHolds, "the intent was logged before the outcome that names it", where);
  }

  void check_text(const Transcript* text, const std::optional<ReceiptOpening>& opening,
                  TranscriptKind kind, const Digest& committed) {
    const std::string name(to_string(kind));
    const char* what = kind == TranscriptKind::kReceived ? "request" : "answer";
    if (opening && commitment_root(opening->fields) != committed) {
      return add("P2", Standing::kFails,
                 "the receipt's field commitments do not lead to the one that was logged", name);
    }
    if (text == nullptr) {
      return add("P2", Standing::kNotExcluded,
                 std::string("no ") + what + " was given: whether this receipt covers it is open",
                 name);
    }
    if (!opening) {
      return add("P2", Standing::kNotExcluded,
                 std::string("the receipt has no opening for the ") + what, name);
    }
    const TranscriptCommitment found = commit(opening->key, report_.intent.exchange, name, *text);
    for (std::size_t i = 0; i < std::max(found.fields.size(), opening->fields.size()); ++i) {
      if (i >= found.fields.size()) {
        return add("P2", Standing::kFails,
                   std::string("a field of the logged ") + what + " is missing in the one given",
                   name + " " + opening->fields[i].path);
      }
      const FieldCommitment& field = found.fields[i];
      if (i >= opening->fields.size() || field.path != opening->fields[i].path) {
        return add("P2", Standing::kFails,
                   std::string("the ") + what + " given has a field that the logged one has not",
                   name + " " + field.path);
      }
      if (field.value != opening->fields[i].value) {
        return add("P2", Standing::kFails,
                   std::string("the text of the ") + what + " is not the one that was logged",
                   name + " " + field.path);
      }
    }
    add("P2", Standing::kHolds,
        std::string("this is the ") + what + " that was logged, to the byte (" +
            std::to_string(found.fields.size()) + " fields)",
        name);
  }

  void check_nonce() {  // a field of request.received like any other
    if (!question_.nonce) return;
    if (!receipt_.received) {
      return add("P2", Standing::kNotExcluded, "the receipt has no opening for the nonce", "nonce");
    }
    const auto& fields = receipt_.received->fields;
    const auto field = std::ranges::find(fields, "nonce", &FieldCommitment::path);
    if (field == fields.end()) {
      return add("P2", Standing::kFails, "the logged exchange has no nonce", "nonce");
    }
    if (commit_field(receipt_.received->key, report_.intent.exchange, "request.received", "nonce",
                     *question_.nonce) != field->value) {
      return add("P2", Standing::kFails, "the logged exchange has another nonce", "nonce");
    }
    add("P2", Standing::kHolds, "the exchange was logged with this nonce", "nonce");
  }

  void check_model() {
    const Provenance& p = report_.intent.provenance;
    const auto say = [&](const char* what, Basis basis, const std::string& digest) {
      const bool measured = basis == Basis::kMeasured;
      add("P7", measured ? Standing::kHolds : Standing::kNotExcluded,
          std::string(what) + (measured ? " measured" : " declared, not measured: P7 is not shown"),
          digest);
    };
    say("weights", p.weights_basis, "sha256:" + to_hex(p.weights));
    for (const Digest& adapter : p.adapters) {
      say("adapter", p.weights_basis, "sha256:" + to_hex(adapter));
    }
    say("chat template", p.template_basis,
        p.chat_template ? "sha256:" + to_hex(*p.chat_template) : "none");
    say("engine", p.engine_basis, "sha256:" + to_hex(p.engine));
    add("S18", Standing::kHolds,
        std::string("token counts are ") +
            (p.usage_basis == Basis::kMeasured ? "measured" : "declared"),
        "");
  }

  void check_anchors() {
    bool anchored = false;
    for (const VerifierKey& witness : question_.witnesses) {
      const auto seconds = verify_cosignature(checkpoint_.note, witness);
      if (seconds) {
        anchored = true;
        add("P2", Standing::kHolds,
            "the witness " + witness.name + " cosigned the head at " +
                format_utc(static_cast<std::int64_t>(
                               std::min<std::uint64_t>(*seconds, 253'402'300'799ULL)) *
                           1'000'000),
            head_text());
      } else {
        add("P2",
            seconds.error().code() == Code::kNotFound ? Standing::kNotExcluded : Standing::kFails,
            seconds.error().message(), head_text());
      }
    }
    if (question_.pin) anchored |= check_pin(*question_.pin);
    if (!anchored) {
      add("S4", Standing::kNotExcluded,
          "rollback not excluded after size " + std::to_string(report_.head.size) +
              ": no witness and no pin of this size",
          "");
    }
  }

  bool check_pin(const Pin& pin) {
    const Checkpoint& head = report_.head;
    const std::string sizes =
        "receipt " + std::to_string(head.size) + ", pin " + std::to_string(pin.size);
    if (pin.origin != head.origin) {
      add("P2", Standing::kFails, "the pin is of another log", pin.origin);
      return false;
    }
    if (pin.size != head.size) {
      add("S4", Standing::kNotExcluded,
          "the pin has another size: only the log itself can show that both heads are of one "
          "history (candor-verify heads)",
          sizes);
      return false;
    }
    if (pin.root != head.root) {
      add("P2", Standing::kFails, "the log was forked: one size, two roots", sizes);
      return false;
    }
    add("P2", Standing::kHolds, "the head is the pinned one", sizes);
    return true;
  }

  const Receipt& receipt_;
  const ReceiptQuestion& question_;
  SignedCheckpoint checkpoint_;
  ReceiptReport report_;
};

}  // namespace

Result<std::string> format_receipt(const Receipt& receipt) {
  json::Array proof;
  for (const Digest& hash : receipt.intent_proof) proof.push_back(to_base64(hash).c_str());
  json::Object openings;
  if (receipt.received) openings["request.received"] = opening_json(*receipt.received);
  if (receipt.released) openings["answer.released"] = opening_json(*receipt.released);
  json::Object extra;
  extra["v"] = 1;
  extra["outcome"] = receipt.outcome;
  extra["intent"] = receipt.intent;
  extra["intent_index"] = std::to_string(receipt.intent_index);
  extra["intent_proof"] = std::move(proof);
  extra["openings"] = std::move(openings);
  extra["log_key"] = receipt.log_key;
  if (receipt.nonce) {
    if (receipt.nonce->size() > kMaxNonceBytes || !is_utf8(*receipt.nonce)) {
      return bad("a nonce above 128 bytes or not UTF-8");
    }
    extra["nonce"] = *receipt.nonce;
  }
  const std::string text = TRY(json::canonical(extra));
  std::string out = format_tlog_proof({.extra = to_bytes(as_bytes(text)),
                                       .index = receipt.outcome_index,
                                       .hashes = receipt.outcome_proof,
                                       .checkpoint = receipt.checkpoint});
  if (out.size() > kMaxTlogProofBytes) {
    return fail(Code::kResourceExhausted, "a receipt above 4 MiB");
  }
  return out;
}

Result<Receipt> parse_receipt(std::string_view text) {
  TlogProof proof = TRY(parse_tlog_proof(text));
  if (!proof.extra) return bad("a proof without the extra line of a Candor receipt");
  const json::Value value = TRY(json::parse_canonical(as_text(*proof.extra), kExtraLimits));
  const json::Object& extra = *TRY(json::as_object(value, "the receipt"));
  TRY(json::only_keys(extra, {"v", "outcome", "intent", "intent_index", "intent_proof", "openings",
                              "nonce", "log_key"}));
  if (TRY(json::get_int(extra, "v")) != 1) return bad("a receipt of an unknown version");
  Receipt out;
  out.outcome_index = proof.index;
  out.outcome_proof = std::move(proof.hashes);
  out.checkpoint = std::move(proof.checkpoint);
  out.outcome = TRY(json::get_string(extra, "outcome"));
  out.intent = TRY(json::get_string(extra, "intent"));
  out.intent_index = TRY(get_decimal(extra, "intent_index"));
  out.log_key = TRY(json::get_string(extra, "log_key"));
  const json::Array& hashes = *TRY(json::get_array(extra, "intent_proof"));
  if (hashes.size() > kMaxProofHashes) return bad("the intent's proof has too many hashes");
  for (const json::Value& hash : hashes) {
    if (!hash.is_string()) return bad("the intent's proof is a list of hashes");
    out.intent_proof.push_back(TRY(digest_from_base64(hash.get_string())));
  }
  const json::Object& openings = *TRY(json::get_object(extra, "openings"));
  TRY(json::only_keys(openings, {"request.received", "answer.released"}));
  if (const json::Value* opening = json::find(openings, "request.received")) {
    out.received = TRY(parse_opening(*opening));
  }
  if (const json::Value* opening = json::find(openings, "answer.released")) {
    out.released = TRY(parse_opening(*opening));
  }
  if (json::find(extra, "nonce") != nullptr) {
    out.nonce = std::string(TRY(json::get_string(extra, "nonce")));
    if (out.nonce->size() > kMaxNonceBytes) return bad("a nonce above 128 bytes");
  }
  return out;
}

std::string format_pin(const Pin& pin) {
  json::Object out;
  out["log_key"] = pin.log_key;
  out["origin"] = pin.origin;
  out["root"] = to_base64(pin.root);
  out["size"] = std::to_string(pin.size);
  auto text = json::canonical(out);
  return text ? *text + "\n" : std::string();
}

Result<Pin> parse_pin(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const json::Value value = TRY(json::parse(text, kPinLimits));
  const json::Object& object = *TRY(json::as_object(value, "the pin"));
  TRY(json::only_keys(object, {"log_key", "origin", "root", "size"}));
  Pin out;
  out.log_key = TRY(json::get_string(object, "log_key"));
  out.origin = TRY(json::get_string(object, "origin"));
  out.root = TRY(get_digest(object, "root"));
  out.size = TRY(get_decimal(object, "size"));
  return out;
}

Result<ReceiptReport> verify_receipt(const Receipt& receipt, const ReceiptQuestion& question) {
  return Verification(receipt, question).run();
}

}  // namespace candor::ledger
