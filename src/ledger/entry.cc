#include "ledger/entry.h"

#include <array>
#include <charconv>
#include <cmath>

#include "ledger/internal/entry_io.h"

namespace candor::ledger {
namespace {

using internal::EntryReader;
using internal::EntryWriter;
using internal::Grammar;

constexpr std::size_t kMaxAdapters = 64;
constexpr std::size_t kMaxErasedExchanges = 1000;
constexpr std::size_t kMaxErasedFields = 64;
constexpr std::size_t kMaxChangedSettings = 256;
constexpr std::size_t kMaxFiredRules = 64;
constexpr std::size_t kMaxFound = 128;
constexpr std::size_t kMaxExceptions = 16;
constexpr std::size_t kMaxGroups = 32;
constexpr std::size_t kMaxJurisdictions = 16;

// Each list below stands in the order of its keys (RFC 8785: by UTF-16 code units; all ASCII here),
// once for both directions. E is const for the writer.

template <typename Io, typename E>
void stamp(Io& io, E& at) {
  io.object("at", at, [](Io& in, auto& s) {
    in.id("boot", s.boot);
    in.integer("mono_us", s.mono_us);
    in.integer("time_us", s.time_us);
  });
}

template <typename Io>
void tail(Io& io, std::string_view type) {  // for types with nothing after "v"
  io.literal("type", type);
  io.version();
}

template <typename Io, typename E>
void provenance(Io& io, E& value) {
  io.object("provenance", value, [](Io& in, auto& p) {
    in.digests("adapters", p.adapters, kMaxAdapters);
    in.optional("chat_template", p.chat_template,
                [](Io& i, auto& d) { i.digest("chat_template", d); });
    in.digest("engine", p.engine);
    in.basis("engine_basis", p.engine_basis);
    in.text("model", p.model, Grammar::kLabel);
    in.basis("template_basis", p.template_basis);
    in.basis("usage_basis", p.usage_basis);
    in.digest("weights", p.weights);
    in.basis("weights_basis", p.weights_basis);
  });
}

template <typename Io, typename E>
void policy_decision(Io& io, E& value) {
  io.object("policy", value, [](Io& in, auto& p) {
    in.flag("approved", p.approved);
    in.integer("characters", p.characters);
    in.digest("digest", p.policy);
    in.text("effect", p.effect, Grammar::kToken);
    in.ids("exceptions", p.exceptions, kMaxExceptions);
    in.objects("findings", p.findings, kMaxFound, [](Io& i, auto& f) {
      i.text("action", f.action, Grammar::kTokenOrEmpty);
      i.text("class", f.class_name, Grammar::kLabel);
      i.integer("confidence", f.confidence);
      i.integer("count", f.count);
      i.text("detector", f.detector, Grammar::kLabel);
      i.text("field", f.field, Grammar::kLabel);
    });
    in.labels("groups", p.groups, kMaxGroups);
    in.labels("jurisdictions", p.jurisdictions, kMaxJurisdictions);
    in.flag("justified", p.justified);
    in.flag("local", p.local);
    in.integer("messages", p.messages);
    in.text("model", p.model, Grammar::kLabelOrEmpty);
    in.text("network", p.network, Grammar::kTokenOrEmpty);
    in.text("purpose", p.purpose, Grammar::kLabelOrEmpty);
    in.labels("rules", p.rules, kMaxFiredRules);
    in.text("team", p.team, Grammar::kLabelOrEmpty);
    in.integer("tools", p.tools);
  });
}

template <typename Io, typename E>
void approver(Io& io, E& value) {
  io.optional("approver", value,
              [](Io& in, auto& who) { in.text("approver", who, Grammar::kPseudonym); });
}

template <typename T>
struct Format;

template <>
struct Format<Start> {
  static constexpr std::string_view kType = "start";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.optional("continues", e.continues, [](Io& in, auto& continues) {
      in.object("continues", continues, [](Io& i, auto& c) {
        i.text("origin", c.origin, Grammar::kLabel);
        i.digest("root", c.root);
        i.decimal("size", c.size);
      });
    });
    io.id("log_id", e.log_id);
    io.text("log_key", e.log_key, Grammar::kKey);
    io.text("machine_boot", e.machine_boot, Grammar::kLabel);
    io.choice("mode", e.mode, {"service", "own_user"});
    io.digest("previous_root", e.previous_root);
    io.decimal("previous_size", e.previous_size);
    tail(io, kType);
    io.text("version", e.version, Grammar::kLabel);
  }
};

template <>
struct Format<Stop> {
  static constexpr std::string_view kType = "stop";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.text("reason", e.reason, Grammar::kToken);
    tail(io, kType);
  }
};

template <>
struct Format<KeyChange> {
  static constexpr std::string_view kType = "key_change";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.text("new_key", e.new_key, Grammar::kKey);
    io.text("old_key", e.old_key, Grammar::kKey);
    io.decimal("overlap_until", e.overlap_until);
    tail(io, kType);
  }
};

template <>
struct Format<ClockStep> {
  static constexpr std::string_view kType = "clock_step";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.integer("back_us", e.back_us);
    tail(io, kType);
  }
};

template <>
struct Format<Load> {
  static constexpr std::string_view kType = "load";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.optional("cache", e.cache,
                [](Io& in, auto& text) { in.text("cache", text, Grammar::kToken); });
    io.object("confinement", e.confinement, [](Io& in, auto& c) {
      in.flag("confined", c.confined);
      in.integer("landlock_abi", c.landlock_abi);
      in.flag("memory_limit", c.memory_limit);
      in.flag("mount_namespace", c.mount_namespace);
      in.flag("network_namespace", c.network_namespace);
      in.flag("no_new_privs", c.no_new_privs);
      in.flag("pid_namespace", c.pid_namespace);
      in.flag("seccomp", c.seccomp);
    });
    io.integer("context", e.context);
    io.digest("cpu", e.cpu);
    io.text("engine_build", e.engine_build, Grammar::kLabel);
    io.text("kernel_probe", e.kernel_probe, Grammar::kToken);
    io.id("load", e.load);
    io.optional("model_probe", e.model_probe, [](Io& in, auto& d) { in.digest("model_probe", d); });
    io.text("model_probe_result", e.model_probe_result, Grammar::kToken);
    io.digest("parameters", e.parameters);
    provenance(io, e.provenance);
    io.integer("slots", e.slots);
    io.integer("threads", e.threads);
    tail(io, kType);
    io.integer("weights_bytes", e.weights_bytes);
  }
};

template <>
struct Format<Unload> {
  static constexpr std::string_view kType = "unload";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.id("load", e.load);
    io.text("reason", e.reason, Grammar::kToken);
    tail(io, kType);
  }
};

template <>
struct Format<Intent> {
  static constexpr std::string_view kType = "intent";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    io.text("api", e.api, Grammar::kToken);
    stamp(io, e.at);
    io.text("caller", e.caller, Grammar::kPseudonym);
    io.text("caller_known_by", e.caller_known_by, Grammar::kToken);
    io.choice("content", e.content, {"sealed", "none"});
    io.integer("dropped_fields", e.dropped_fields);
    io.id("exchange", e.exchange);
    io.digest("forwarded", e.forwarded);
    io.id("load", e.load);
    io.object("parameters", e.parameters, [](Io& in, auto& p) {
      in.integer("choices", p.choices);
      in.flag("logprobs", p.logprobs);
      in.optional("max_tokens", p.max_tokens, [](Io& i, auto& n) { i.integer("max_tokens", n); });
      in.decimal("seed", p.seed);
      in.flag("seed_by_caller", p.seed_by_caller);
      in.integer("stops", p.stops);
      in.optional("temperature", p.temperature,
                  [](Io& i, auto& t) { i.text("temperature", t, Grammar::kFraction); });
      in.optional("top_k", p.top_k, [](Io& i, auto& n) { i.integer("top_k", n); });
      in.optional("top_p", p.top_p, [](Io& i, auto& t) { i.text("top_p", t, Grammar::kFraction); });
    });
    io.optional("policy", e.policy, [](Io& in, auto& decision) { policy_decision(in, decision); });
    provenance(io, e.provenance);
    io.digest("received", e.received);
    io.integer("received_bytes", e.received_bytes);
    io.choice("repeatable", e.repeatable, {"promised", "best_effort"});
    io.flag("stream", e.stream);
    tail(io, kType);
  }
};

template <>
struct Format<Progress> {
  static constexpr std::string_view kType = "progress";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.id("exchange", e.exchange);
    io.decimal("intent_index", e.intent_index);
    io.integer("released_bytes", e.released_bytes);
    tail(io, kType);
  }
};

template <>
struct Format<Outcome> {
  static constexpr std::string_view kType = "outcome";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.integer("cached_tokens", e.cached_tokens);
    io.integer("completion_tokens", e.completion_tokens);
    io.id("exchange", e.exchange);
    io.text("finish", e.finish, Grammar::kTokenOrEmpty);
    io.integer("first_token_us", e.first_token_us);
    io.decimal("intent_index", e.intent_index);
    io.digest("intent_leaf", e.intent_leaf);
    io.digest("produced", e.produced);
    io.integer("prompt_tokens", e.prompt_tokens);
    io.integer("queued_us", e.queued_us);
    io.digest("released", e.released);
    io.integer("released_bytes", e.released_bytes);
    io.text("result", e.result, Grammar::kToken);
    io.integer("status", e.status);
    io.integer("total_us", e.total_us);
    tail(io, kType);
  }
};

template <>
struct Format<Abort> {
  static constexpr std::string_view kType = "abort";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.id("exchange", e.exchange);
    io.decimal("intent_index", e.intent_index);
    io.digest("intent_leaf", e.intent_leaf);
    io.text("reason", e.reason, Grammar::kToken);
    io.integer("released_bytes", e.released_bytes);
    tail(io, kType);
  }
};

template <>
struct Format<Refusal> {
  static constexpr std::string_view kType = "refusal";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    io.text("api", e.api, Grammar::kTokenOrEmpty);
    stamp(io, e.at);
    io.text("caller", e.caller, Grammar::kPseudonymOrEmpty);
    io.text("cause", e.cause, Grammar::kToken);
    io.integer("count", e.count);
    io.integer("status", e.status);
    tail(io, kType);
    io.integer("window_us", e.window_us);
  }
};

template <>
struct Format<Configuration> {
  static constexpr std::string_view kType = "configuration";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.labels("changed", e.changed, kMaxChangedSettings);
    io.digest("digest", e.digest);
    io.id("note", e.note);
    tail(io, kType);
  }
};

template <>
struct Format<Erasure> {
  static constexpr std::string_view kType = "erasure";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    io.id("act", e.act);
    io.text("actor", e.actor, Grammar::kPseudonymOrEmpty);
    approver(io, e.approver);
    stamp(io, e.at);
    io.text("caller", e.caller, Grammar::kPseudonymOrEmpty);
    io.ids("exchanges", e.exchanges, kMaxErasedExchanges);
    io.optional("fields", e.fields,
                [](Io& in, auto& paths) { in.labels("fields", paths, kMaxErasedFields); });
    io.digest("reason", e.reason);
    io.text("scope", e.scope, Grammar::kToken);
    tail(io, kType);
  }
};

template <>
struct Format<Admin> {
  static constexpr std::string_view kType = "admin";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    io.id("act", e.act);
    io.text("actor", e.actor, Grammar::kPseudonymOrEmpty);
    approver(io, e.approver);
    stamp(io, e.at);
    io.optional("finding", e.finding,
                [](Io& in, auto& id) { in.text("finding", id, Grammar::kLabel); });
    io.text("object", e.object, Grammar::kLabelOrEmpty);
    io.digest("reason", e.reason);
    io.text("result", e.result, Grammar::kToken);
    tail(io, kType);
    io.text("verb", e.verb, Grammar::kToken);
  }
};

template <>
struct Format<Decision> {
  static constexpr std::string_view kType = "decision";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    io.text("api", e.api, Grammar::kToken);
    stamp(io, e.at);
    io.text("caller", e.caller, Grammar::kPseudonym);
    io.text("caller_known_by", e.caller_known_by, Grammar::kToken);
    io.id("exchange", e.exchange);
    io.optional("intent_index", e.intent_index,
                [](Io& in, auto& index) { in.decimal("intent_index", index); });
    io.text("model", e.model, Grammar::kLabelOrEmpty);
    io.choice("phase", e.phase, {"request", "answer"});
    policy_decision(io, e.policy);
    io.flag("stream", e.stream);
    tail(io, kType);
  }
};

template <>
struct Format<PolicyChange> {
  static constexpr std::string_view kType = "policy";
  template <typename Io, typename E>
  static void fields(Io& io, E& e) {
    stamp(io, e.at);
    io.digest("detectors", e.detectors);
    io.digest("digest", e.digest);
    io.optional("previous", e.previous, [](Io& in, auto& d) { in.digest("previous", d); });
    io.integer("rules", e.rules);
    tail(io, kType);
  }
};

template <typename T>
Result<Entry> decode_as(std::string_view text) {
  T value;
  EntryReader reader(text);
  reader.open();
  Format<T>::fields(reader, value);
  reader.close();
  TRY(reader.finish());
  return Entry(std::move(value));
}

struct Decoder {
  std::string_view type;
  Result<Entry> (*decode)(std::string_view);
};

template <typename Variant>
struct Decoders;
template <typename... Ts>
struct Decoders<std::variant<Ts...>> {
  static constexpr std::array<Decoder, sizeof...(Ts)> kAll{
      Decoder{Format<Ts>::kType, &decode_as<Ts>}...};
};

}  // namespace

std::string_view type_name(const Entry& entry) { return Decoders<Entry>::kAll[entry.index()].type; }

Result<void> encode_to(std::string& out, const Entry& entry) {
  out.clear();
  EntryWriter writer(out);
  writer.open();
  std::visit([&]<typename T>(const T& value) { Format<T>::fields(writer, value); }, entry);
  writer.close();
  TRY(writer.finish());
  if (out.size() > kMaxEntryBytes) {
    return fail(Code::kInvalidArgument, "an entry above 65,535 bytes");
  }
  return {};
}

Result<std::string> encode(const Entry& entry) {
  std::string out;
  out.reserve(1536);
  TRY(encode_to(out, entry));
  return out;
}

Result<Entry> decode(std::string_view text) {
  if (text.size() > kMaxEntryBytes) {
    return fail(Code::kInvalidArgument, "an entry above 65,535 bytes");
  }
  const std::string_view type = internal::find_type(text);
  for (const Decoder& decoder : Decoders<Entry>::kAll) {
    if (decoder.type == type) return decoder.decode(text);
  }
  return fail(Code::kInvalidArgument, "not an entry of a known type");
}

Result<std::string> decimal_text(double value) {
  const auto bad = [] { return fail(Code::kInvalidArgument, "a fraction out of range"); };
  if (!std::isfinite(value) || value < 0 || value >= 1e9) return bad();
  std::array<char, 512> text;
  // Shortest digits that read back as the same value, then without an exponent.
  auto end = std::to_chars(text.begin(), text.end(), value, std::chars_format::fixed).ptr;
  std::string out(text.begin(), end);
  if (!internal::matches(out, Grammar::kFraction)) {  // more than 17 digits after the point
    end = std::to_chars(text.begin(), text.end(), value, std::chars_format::fixed, 17).ptr;
    out.assign(text.begin(), end);
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
    if (!internal::matches(out, Grammar::kFraction)) return bad();
  }
  return out;
}

}  // namespace candor::ledger
