// One function for each verb; each answers the process's exit code (docs/errors.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "context.h"

namespace candor::cli {

struct ChatOptions {
  std::optional<std::string> message;  // without: interactive
  std::string model, system, save, api_key;
  std::optional<double> temperature;
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::uint64_t> seed;
};
[[nodiscard]] int run_chat(const Context& context, const ChatOptions& options);

struct ModelOptions {
  std::string name, reason;
};
[[nodiscard]] int run_model_list(const Context& context);
[[nodiscard]] int run_model_load(const Context& context, const ModelOptions& options);
[[nodiscard]] int run_model_unload(const Context& context, const ModelOptions& options);

struct StoreOptions {
  std::string what, name;  // a reference, a model's name, or a bundle
  std::string sha256;      // pull
  bool admit = false;      // pull, import: and admit at once
  bool replace = false;    // admit
  std::vector<std::string>
      accepted;         // admit, pull, import: findings of the gate that refuse nothing
  std::string as, out;  // admit; export
  bool all = false;     // verify
};
// The store of models (docs/models.md). They need the data folder, and no server.
[[nodiscard]] int run_model_pull(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_admit(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_show(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_verify(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_remove(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_gc(const Context& context);
[[nodiscard]] int run_model_export(const Context& context, const StoreOptions& options);
[[nodiscard]] int run_model_import(const Context& context, const StoreOptions& options);

struct PlanOptions {
  std::string what;                 // a GGUF file or a name in the store; empty: parameters
  std::string parameters, memory;   // "70B", "64GiB"; memory empty: this machine's
  std::uint64_t context = 8'192;    // tokens
  double bandwidth = 0;             // GB/s; 0: measured here
  double watts = 65, price = 0.30;  // of the machine at work; of a kWh
  std::string currency = "EUR";
};
[[nodiscard]] int run_model_plan(const Context& context, const PlanOptions& options);

struct RevocationOptions {
  std::string model;  // a name, a file or sha256:HEX
  std::string reason, issuer, key, file, out;
};
[[nodiscard]] int run_model_revoke(const Context& context, const RevocationOptions& options);
[[nodiscard]] int run_model_reinstate(const Context& context, const RevocationOptions& options);
[[nodiscard]] int run_revocations_list(const Context& context);
[[nodiscard]] int run_revocations_import(const Context& context, const RevocationOptions& options);
[[nodiscard]] int run_revocations_export(const Context& context, const RevocationOptions& options);

struct LineageOptions {
  std::string file, other;  // GGUF
  std::string name, out;    // fingerprint
  std::string index;        // a folder of fingerprints; default: those that ship
  bool json = false, raw = false;
};
// These need no configuration and no server.
[[nodiscard]] int run_model_fingerprint(const LineageOptions& options);
[[nodiscard]] int run_model_lineage(const LineageOptions& options);
[[nodiscard]] int run_model_compare(const LineageOptions& options);

struct InspectOptions {
  std::string file;
  bool sarif = false, values = false;
  bool json = false, raw = false;
};
// Needs no configuration and no server.
[[nodiscard]] int run_model_inspect(const InspectOptions& options);
// Whom a signature must be by: one of key, roots, and trusted_root with identity and issuer.
struct TrustOptions {
  std::string key, roots, at;  // PEM; at: when a certificate must hold, default now
  std::string trusted_root, identity, issuer;
};
struct SignatureOptions {
  std::string model, signature;           // signature: default beside or inside the model
  std::string key;                        // sign
  std::vector<std::string> certificates;  // sign: the signer's first
  bool shards = false;
  std::uint64_t shard_bytes = 1'000'000'000;
  std::vector<std::string> ignore;
  TrustOptions trust;  // verify-signature
  bool json = false, raw = false;
};
[[nodiscard]] int run_model_sign(const SignatureOptions& options);
[[nodiscard]] int run_model_verify_signature(const SignatureOptions& options);

struct PassportOptions {
  std::string model, passport;  // passport: default beside or inside the model
  std::vector<std::string> claims, ignore, adapters;
  std::vector<std::string> steps;      // make: signed statements, oldest first
  std::vector<std::string> step_keys;  // verify: public keys of those who signed steps
  std::string name, out, key, format;
  std::vector<std::string> certificates;
  bool quick = false, files_only = false;
  TrustOptions trust;
  bool json = false, raw = false;
};
[[nodiscard]] int run_passport_make(const PassportOptions& options);
[[nodiscard]] int run_passport_show(const PassportOptions& options);
[[nodiscard]] int run_passport_verify(const PassportOptions& options);
[[nodiscard]] int run_passport_sign(const PassportOptions& options);
[[nodiscard]] int run_passport_step(const PassportOptions& options);
[[nodiscard]] int run_passport_export(const PassportOptions& options);

struct AttributeOptions {
  std::string subject;     // an exchange's id, or a file with its receipt
  std::string model_file;  // default: the configuration's
  std::string index;       // a folder of fingerprints; default: those that ship
  PassportOptions passport;
  bool markdown = false;
};
[[nodiscard]] int run_attribute(const Context& context, const AttributeOptions& options);

struct LedgerOptions {
  std::string subject;  // show: index or exchange; export: folder
  std::uint64_t count = 20;
  bool follow = false;
  bool offline = false;
  std::vector<std::string> arguments;  // verify: passed on to candor-verify
  std::string auditor_key, sealed;     // open
  std::string log, log_key, pin;       // open: what the content is held against
  std::string reason;                  // close
};
[[nodiscard]] int run_ledger_show(const Context& context, const LedgerOptions& options);
[[nodiscard]] int run_ledger_tail(const Context& context, const LedgerOptions& options);
[[nodiscard]] int run_ledger_verify(const Context& context, const LedgerOptions& options);
[[nodiscard]] int run_ledger_export(const Context& context, const LedgerOptions& options);
[[nodiscard]] int run_ledger_close(const Context& context, const LedgerOptions& options);
[[nodiscard]] int run_ledger_open(const Context& context, const LedgerOptions& options);

struct ReceiptOptions {
  std::string exchange, out;
};
[[nodiscard]] int run_receipt(const Context& context, const ReceiptOptions& options);

struct EraseOptions {
  std::string exchange, caller, reason, auditor_key;
  std::vector<std::string> fields;
  bool yes = false;
};
[[nodiscard]] int run_erase(const Context& context, const EraseOptions& options);

struct KeyOptions {
  std::string name, expires, id, reason, out, label;
  std::string owner, team, purpose;
  std::vector<std::string> models;
  std::uint64_t overlap = 100'000;  // rotate
};
[[nodiscard]] int run_key_create(const Context& context, const KeyOptions& options);
[[nodiscard]] int run_key_list(const Context& context);
[[nodiscard]] int run_key_revoke(const Context& context, const KeyOptions& options);
[[nodiscard]] int run_key_log(const Context& context);
[[nodiscard]] int run_key_rotate(const Context& context, const KeyOptions& options);
[[nodiscard]] int run_key_auditor(const Context& context, const KeyOptions& options);

struct PolicyOptions {
  std::vector<std::string> paths;  // files or folders; replay: also names of built-in packs
  std::string subject;             // explain: an entry's index or an exchange
  std::string since, log;          // replay, explain
  std::uint64_t rows = 20;         // replay: groups shown
  bool content = false;            // replay: read sealed texts again
  std::string auditor_key, reason;
};
[[nodiscard]] int run_policy_check(const Output& out, const PolicyOptions& options);
[[nodiscard]] int run_policy_explain(const Context& context, const PolicyOptions& options);
[[nodiscard]] int run_policy_replay(const Context& context, const PolicyOptions& options);
[[nodiscard]] int run_policy_test(const Output& out, const PolicyOptions& options);

struct ExceptionOptions {
  std::string rule, user, duration, reason;  // open
  std::string id, api_key;                   // approve, close
};
[[nodiscard]] int run_exception_list(const Context& context);
[[nodiscard]] int run_exception_open(const Context& context, const ExceptionOptions& options);
[[nodiscard]] int run_exception_approve(const Context& context, const ExceptionOptions& options);
[[nodiscard]] int run_exception_close(const Context& context, const ExceptionOptions& options);

struct ScanOptions {
  std::vector<std::string> paths;  // files, folders, - for standard input
  std::string packs;               // a folder of further packs
  int min_confidence = 50;
  bool sarif = false, show = false, list = false;
  bool json = false, raw = false;
};
// Makes detector packs of what an organisation registers (dlp/registration.h). Needs no server.
struct DetectorOptions {
  std::string id, name, severity = "high";
  std::vector<std::string> columns;  // values: of the table
  std::vector<std::string> files;    // "-" for standard input
  std::string separator = ",";
  std::uint32_t gram = 40;
  std::string out;  // the pack
  bool json = false;
};
[[nodiscard]] int run_detector_values(const DetectorOptions& options);
[[nodiscard]] int run_detector_documents(const DetectorOptions& options);
[[nodiscard]] int run_detector_words(const DetectorOptions& options);
[[nodiscard]] int run_detector_canary(const DetectorOptions& options);

// Needs no configuration and no server.
[[nodiscard]] int run_scan(const ScanOptions& options);

[[nodiscard]] int run_doctor(const Context& context);
struct StopOptions {
  bool all = false, list = false;
  std::string model, user, reason;
};
[[nodiscard]] int run_stop(const Context& context, const StopOptions& options);
// One stop of GET /v1/stops in words; foreign text.
[[nodiscard]] std::string stop_text(const json::Object& stop);
struct BudgetOptions {
  bool reconcile = false;
  std::string reason;
};
[[nodiscard]] int run_budget(const Context& context, const BudgetOptions& options);
[[nodiscard]] int run_resume(const Context& context, const StopOptions& options);
[[nodiscard]] int run_shutdown(const Context& context, const std::string& reason);
[[nodiscard]] int run_reload(const Context& context, const std::string& reason);
[[nodiscard]] int run_version(bool json);

}  // namespace candor::cli
