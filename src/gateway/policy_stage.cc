// The stage that reads every text of a request and asks the policy (P4, P8, P9): refused with the
// reason, rewritten, sent to another model, or let through; always with a decision on record.
#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "dialect/exchange_texts.h"
#include "gateway/inspection.h"
#include "gateway/internal/stages.h"
#include "gateway/session.h"
#include "gateway/workers.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;
using policy::Effect;

// What is scanned on the io thread; more would hold up other exchanges.
constexpr std::size_t kInlineBytes = 2'048;
constexpr std::size_t kMaxReasonBytes = 500;

// What came of reading and deciding, on whatever thread.
struct Judged {
  policy::Decision decision;
  std::string not_rewritable;  // path of a text, or empty
  bool too_many = false;
};

std::string_view network_of(const http::Peer& peer) {
  switch (peer.kind()) {
    case http::PeerKind::kUnix: return "unix";
    case http::PeerKind::kLoopback: return "loopback";
    case http::PeerKind::kRemote: break;
  }
  const std::string& source = peer.source();
  const auto is_private = [&source] {
    if (source.starts_with("10.") || source.starts_with("192.168.") ||
        source.starts_with("169.254.") || source.starts_with("fe80:") || source.starts_with("fc") ||
        source.starts_with("fd")) {
      return true;
    }
    if (!source.starts_with("172.")) return false;
    const int second = std::atoi(source.c_str() + 4);  // NOLINT(cert-err34-c): an address
    return second >= 16 && second <= 31;
  };
  return is_private() ? "private" : "public";
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

bool is_reason(std::string_view text) {
  return text.size() <= kMaxReasonBytes &&
         std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
}

policy::Language language_of(const Session& s, const Rulebook& book) {
  const auto asked = s.call.request().headers.find("accept-language");
  if (!asked) return book.language();
  if (asked->starts_with("de")) return policy::Language::kGerman;
  if (asked->starts_with("en")) return policy::Language::kEnglish;
  return book.language();
}

class PolicyStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "policy"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    const std::shared_ptr<const Rulebook> book = s.services.rulebook;
    if (!book) co_return Verdict::kContinue;
    const auto reason = s.call.request().headers.find("candor-justification");
    if (reason && !is_reason(*reason)) {
      s.refuse(make_error(ErrorKind::kInvalidRequest,
                          "Candor-Justification must be one line of at most 500 bytes."),
               Cause::kMalformed, "cancelled");
      co_return Verdict::kStop;
    }
    if (const auto wait_s = s.services.registered_hits.wait_s(
            s.subject.pseudonym, s.settings->registered_hits, s.services.clock.wall_us());
        wait_s > 0) {
      s.retry_after_s = wait_s;
      s.refuse(make_error(ErrorKind::kRateLimit,
                          "Your requests of this hour held too many values that your organisation "
                          "has registered. Nothing is answered to you until Retry-After; if the "
                          "values are yours to use, ask whoever looks after Candor.",
                          "", "registered_data_limit"),
               Cause::kQuota, "cancelled");
      co_return Verdict::kStop;
    }
    s.exchange = make_id(s.services.random);
    s.exchange_hex = to_hex(s.exchange);
    s.governance.emplace(book, language_of(s, *book), conversation_of(s));
    if (!co_await describe_model(s)) co_return Verdict::kStop;
    describe(s, reason.value_or(""));

    const auto texts = dialect::texts_of(s.forwarded);
    std::size_t bytes = 0;
    for (const auto& text : texts) bytes += text.value->size();
    const auto work = [&s, &texts] { return judge(s, texts); };
    Judged judged;
    if (bytes > kInlineBytes) {
      judged = co_await off_thread(s.services.workers, work);
      if (s.stopped()) co_return Verdict::kStop;
    } else {
      judged = work();
    }
    s.count_registered();
    if (s.services.decision_point && !policy::refuses(judged.decision.effect)) {
      co_await ask_elsewhere(s, judged.decision);
      if (s.stopped()) co_return Verdict::kStop;
    }
    co_return co_await act(s, judged);
  }

 private:
  // Only of what our own rules let pass; what it says makes the decision stricter, never milder.
  static Task<void> ask_elsewhere(Session& s, policy::Decision& decision) {
    const std::shared_ptr<DecisionPoint> point = s.services.decision_point;
    const DecisionPoint::Answer answer = co_await point->ask(s.governance->facts());
    if (answer.failed) log_warning("policy.ask_failed", {{"exchange", Label(s.exchange_hex)}});
    if (answer.effect == Effect::kAllow) co_return;
    s.governance->add_external(answer.effect, answer.reason, answer.failed);
    const bool met = answer.effect == Effect::kRequireJustification &&
                     !s.governance->facts().request.justification.empty();
    if (!met && policy::stricter(answer.effect, decision.effect)) decision.effect = answer.effect;
  }

  // A conversation is what the caller says it is (Candor-Conversation), or else what begins with
  // the same message of the user. Its stand-ins are the same in one run of the server: the salt
  // keeps anybody from trying values out against them.
  Digest conversation_of(const Session& s) {
    if (!salt_) s.services.random.fill(salt_.emplace());
    std::string_view said;
    if (const auto named = s.call.request().headers.find("candor-conversation")) {
      said = *named;
    } else {
      for (const dialect::Message& message : s.received.messages) {
        if (message.role != dialect::Role::kUser || message.parts.empty()) continue;
        said = message.parts.front().text.reveal();
        break;
      }
    }
    return crypto::sha256(
        {as_bytes("candor/v1/pseudonyms"), *salt_, as_bytes(s.subject.pseudonym), as_bytes(said)});
  }
  std::optional<Digest> salt_;

  // The digest is known once the model has been loaded in this run. Where a rule may ask for it, an
  // engine that was never up is started first. What then answers is compared by placement.
  static Task<bool> describe_model(Session& s) {
    policy::ModelFacts& model = s.governance->facts().model;
    model.name = s.forwarded.model;
    model.local = s.services.engines.local(model.name);
    if (!model.local) co_return true;
    model.measured = true;
    auto digest = s.services.engines.weights(model.name);
    if (!digest && s.governance->book().asks_for_weights()) {
      const auto deadline = std::chrono::steady_clock::now() + s.settings->request_timeout;
      // Dropped at once: only the load was wanted. Why it fails, placement says.
      (void)co_await s.services.engines.acquire(model.name, 1, deadline, s.call.stop());
      if (s.stopped()) co_return false;
      digest = s.services.engines.weights(model.name);
    }
    if (digest) model.digest = to_hex(*digest);
    co_return true;
  }

  static void describe(Session& s, std::string_view reason) {
    policy::Facts& facts = s.governance->facts();
    const dialect::Exchange& asked = s.forwarded;
    facts.phase = "request";
    facts.caller = {.name = s.caller.name,
                    .team = s.caller.team,
                    .groups = s.caller.groups,
                    .method = method_of(s.caller.known_by),
                    .purpose = s.caller.purpose};
    facts.request.dialect = dialect::to_string(s.api);
    facts.request.stream = asked.stream;
    for (const dialect::Tool& tool : asked.tools) {
      facts.request.tools.push_back(tool.name.reveal());
    }
    facts.request.messages = static_cast<std::int64_t>(asked.messages.size());
    facts.request.max_tokens = asked.parameters.max_tokens.value_or(0);
    facts.request.temperature = static_cast<double>(asked.parameters.temperature.value_or(0));
    facts.request.justification = reason;
    facts.place.network = network_of(s.call.peer());
    facts.jurisdiction = s.governance->book().jurisdiction();
    const BudgetSummary budget = s.services.budgets.summary(
        payer_of(s.caller, s.subject, asked.model), s.services.clock.wall_us());
    facts.budget = {.requests_left = budget.requests_left,
                    .tokens_left = budget.tokens_left,
                    .seconds_left = budget.seconds_left,
                    .used_percent = budget.used_percent};
    facts.time_us = s.services.clock.wall_us();
    facts.exceptions = s.services.exceptions.of(s.caller.name, facts.time_us);
  }

  static Judged judge(Session& s, const std::vector<dialect::ExchangeText>& texts) {
    Governance& governance = *s.governance;
    const Rulebook& book = governance.book();
    policy::Facts& facts = governance.facts();
    const Rulebook::Lease desk = book.desk();
    const auto findings = inspect(texts, book.scanner(), *desk->scan);
    Judged out;
    out.too_many = findings.size() > kMaxFindings;
    for (const RequestFinding& finding : findings) {
      if (facts.findings.size() == kMaxFindings) break;
      facts.findings.push_back(fact_of(book.scanner().detectors()[finding.detector],
                                       finding.confidence, texts[finding.places.front().text].path,
                                       "request"));
    }
    std::size_t characters = 0;
    for (const dialect::ExchangeText& text : texts) characters += code_points(*text.value);
    facts.request.characters = static_cast<std::int64_t>(characters);
    out.decision = governance.decide(*desk);
    if (!out.too_many) {
      out.not_rewritable = rewrite(texts, findings, out.decision.on_findings, book.scanner(),
                                   governance.pseudonyms());
    }
    return out;
  }

  static Task<Verdict> act(Session& s, const Judged& judged) {
    const policy::Decision& decision = judged.decision;
    if (decision.effect == Effect::kDeny) {
      co_return co_await refuse(s, s.governance->sentence(), "policy_denied");
    }
    if (decision.effect == Effect::kRequireApproval) {
      co_return co_await refuse(s, s.governance->sentence() + s.governance->how_to_approve(),
                                "approval_required");
    }
    if (decision.effect == Effect::kRequireJustification) {
      co_return co_await refuse(s, s.governance->sentence() + s.governance->how_to_justify(),
                                "justification_required");
    }
    if (judged.too_many) {
      co_return co_await refuse(s,
                                "More was found in this request than can be looked at one by one. "
                                "Send it in smaller parts.",
                                "policy_denied");
    }
    if (!judged.not_rewritable.empty()) {
      co_return co_await refuse(
          s,
          s.governance->sentence() +
              "\nIt stands where it cannot be masked: " + judged.not_rewritable + ".",
          "policy_denied");
    }
    if (decision.route != nullptr && *decision.route != s.forwarded.model) {
      if (!route(s, *decision.route)) {
        co_return co_await refuse(
            s, "A rule sends this to a model that is not here or not for you. Ask the operator.",
            "policy_denied");
      }
    }
    s.decision = s.governance->record();
    co_return Verdict::kReplace;
  }

  static bool route(Session& s, const std::string& model) {
    const auto& allowed = s.caller.models;
    if (!s.services.engines.has(model) ||
        (!allowed.empty() && std::ranges::find(allowed, model) == allowed.end()) ||
        s.services.halts.find(model, s.caller.name) != nullptr) {
      return false;
    }
    s.forwarded.model = model;
    s.running = s.services.halts.watch(model, s.caller.name, s.call.stop());
    return true;
  }

  // The decision is durable before the refusal is told (P8, P9).
  static Task<Verdict> refuse(Session& s, std::string sentence, std::string code) {
    auto record = s.governance->record();
    if (!record) co_return not_recorded(s);
    auto entry = ledger::encode(ledger::Decision{.at = s.services.stamp(),
                                                 .exchange = s.exchange,
                                                 .intent_index = std::nullopt,
                                                 .phase = "request",
                                                 .caller = s.subject.pseudonym,
                                                 .caller_known_by = s.caller.known_by,
                                                 .api = std::string(dialect::to_string(s.api)),
                                                 .model = s.forwarded.model,
                                                 .stream = s.received.stream,
                                                 .policy = *std::move(record)});
    if (!entry) {
      CANDOR_BUG("a decision could not be encoded");
      co_return not_recorded(s);
    }
    const auto done =
        co_await s.services.acks.append_entry(*std::move(entry), store::Priority::kNormal);
    if (!done) co_return not_recorded(s);
    s.refuse(make_error(ErrorKind::kPermission, std::move(sentence), "", std::move(code)),
             Cause::kPolicy, "cancelled");
    co_return Verdict::kStop;
  }
  static Verdict not_recorded(Session& s) {
    s.refuse(make_error(ErrorKind::kUnavailable,
                        "The ledger takes no entries now, so nothing may be answered. Ask the "
                        "operator to run `candor doctor`."),
             Cause::kLedger, "cancelled");
    return Verdict::kStop;
  }
};

}  // namespace

std::unique_ptr<Stage> make_policy_stage() { return std::make_unique<PolicyStage>(); }

}  // namespace candor::gateway
