// candor chat: one question, or a conversation, each answer with its receipt verified here.
#include <charconv>
#include <iostream>

#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "base/text.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"
#include "ledger/receipt.h"
#include "pin.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

constexpr std::string_view kPath = "/v1/chat/completions";

struct Turn {
  std::string request;   // the body sent
  std::string response;  // the bytes received
  std::string answer;    // the text shown
  std::string nonce;
  std::string exchange;
  std::string receipt;
};

// Shows the deltas of an OpenAI stream as they come; keeps every byte.
class StreamView {
 public:
  StreamView(const Output& out, Turn& turn) : out_(out), turn_(turn) {}

  void take(std::string_view piece) {
    turn_.response.append(piece);
    while (true) {
      const std::size_t end = turn_.response.find('\n', line_);
      if (end == std::string::npos) return;
      std::string_view text = std::string_view(turn_.response).substr(line_, end - line_);
      line_ = end + 1;
      if (text.ends_with('\r')) text.remove_suffix(1);
      if (text.starts_with("data:")) event(text.substr(text.starts_with("data: ") ? 6 : 5));
    }
  }
  void on_first_text(std::function<void()> call) { first_ = std::move(call); }
  [[nodiscard]] const std::optional<std::string>& error() const { return error_; }

 private:
  void event(std::string_view data) {
    if (data == "[DONE]") return;
    const auto value = json::parse(data);
    if (!value || !value->is_object()) return;
    const json::Object& object = value->get_object();
    if (const json::Object& error = object_of(object, "error"); !error.empty()) {
      error_ = text_of(error, "message");
      return;
    }
    for (const json::Value& choice : array_of(object, "choices")) {
      if (!choice.is_object()) continue;
      const std::string text = text_of(object_of(choice.get_object(), "delta"), "content");
      if (text.empty()) continue;
      if (first_) std::exchange(first_, nullptr)();
      turn_.answer += text;
      if (!out_.json()) out_.write(out_.shown(text));
    }
  }

  const Output& out_;
  Turn& turn_;
  std::size_t line_ = 0;
  std::function<void()> first_;
  std::optional<std::string> error_;
};

// What is known of the log before the question is sent.
struct Trust {
  std::optional<PinnedLog> log;    // the data folder is readable: the strong case
  std::optional<ledger::Pin> pin;  // else what earlier answers pinned
};

class Chat {
 public:
  Chat(const Context& context, const ChatOptions& options)
      : context_(context), options_(options), out_(context.out()) {}

  Result<void> open() {
    auto log = advance_pin(context_);
    if (log) {
      trust_.log = *std::move(log);
      if (trust_.log->first_contact && !out_.json()) {
        out_.note("first contact with log " + trust_.log->pin.origin + ": its key is pinned in " +
                  pin_folder().string());
      }
    } else if (log.error().code() == Code::kDataLoss ||
               log.error().code() == Code::kInvalidArgument) {
      return std::unexpected(std::move(log).error());  // before a word is sent
    }
    model_ = options_.model;
    if (model_.empty()) model_ = TRY(first_model());
    if (!options_.system.empty()) add("system", options_.system);
    return {};
  }

  // One question: sends, shows, verifies, saves. The exit code.
  int ask(const std::string& text) {
    add("user", text);
    Turn turn;
    auto sent = send(turn);
    if (!sent) {
      messages_.erase(messages_.end() - 1);
      if (!turn.answer.empty() && !out_.json()) out_.line();
      return report(out_, sent.error());
    }
    if (!out_.json()) out_.line();
    add("assistant", turn.answer);
    return finish(turn);
  }

 private:
  void add(std::string_view role, std::string_view text) {
    json::Object message;
    message["role"] = role;
    message["content"] = text;
    messages_.push_back(std::move(message));
  }

  HeaderList headers() const {
    HeaderList list;
    if (!options_.api_key.empty()) list.emplace_back("Authorization", "Bearer " + options_.api_key);
    return list;
  }

  Result<std::string> first_model() {
    const HttpReply reply =
        TRY(http_call(context_.api(),
                      {.method = "GET", .target = "/v1/models", .headers = headers(), .body = {}}));
    if (reply.status != 200) return std::unexpected(reply_error(reply));
    const json::Value value = TRY(json::parse(reply.body));
    if (value.is_object()) {
      for (const json::Value& one : array_of(value.get_object(), "data")) {
        if (one.is_object()) {
          if (std::string id = text_of(one.get_object(), "id"); !id.empty()) return id;
        }
      }
    }
    return fail(
        Code::kFailedPrecondition,
        "the server has no model; name one in candor.toml or start it with --model FILE.gguf");
  }

  Result<void> send(Turn& turn) {
    json::Object body;
    body["model"] = model_;
    body["messages"] = messages_;
    body["stream"] = true;
    json::Object usage;
    usage["include_usage"] = true;
    body["stream_options"] = std::move(usage);
    if (options_.temperature) body["temperature"] = *options_.temperature;
    if (options_.max_tokens) body["max_tokens"] = *options_.max_tokens;
    if (options_.seed) body["seed"] = *options_.seed;
    turn.request = json::to_text(body);
    turn.nonce = to_hex(make_id(system_random()));

    HttpRequest request{
        .method = "POST", .target = std::string(kPath), .headers = headers(), .body = turn.request};
    request.headers.emplace_back("Accept", "text/event-stream");
    request.headers.emplace_back("Candor-Nonce", turn.nonce);
    StreamView view(out_, turn);
    std::optional<Progress> wait;
    wait.emplace("waiting for " + out_.shown(model_));
    view.on_first_text([&wait] { wait.reset(); });
    HttpOptions options;
    options.sink = [&view](std::string_view piece) { view.take(piece); };
    const HttpReply reply = TRY(http_call(context_.api(), request, options));
    wait.reset();
    if (reply.status != 200) return std::unexpected(reply_error(reply));
    if (view.error()) return fail(Code::kUnavailable, "the answer broke off: " + *view.error());
    return {};
  }

  int finish(Turn& turn) {
    auto checked = verify(turn);
    if (!options_.save.empty()) {
      if (auto saved = save(turn); !saved) return report(out_, saved.error());
    }
    if (!checked) return report(out_, checked.error());
    const bool fails = ledger::any_fails(checked->findings);
    if (out_.json()) {
      show_json(turn, *checked, !fails);
    } else {
      show(turn, *checked, fails);
    }
    return fails ? kExitFails : kExitDone;
  }

  Result<ledger::ReceiptReport> verify(Turn& turn) {
    const dialect::SavedAnswer saved = TRY(dialect::read_saved_response(turn.response));
    turn.exchange = saved.exchange;
    turn.receipt = saved.receipt;
    if (saved.receipt.empty()) {
      return fail(Code::kDataLoss, "the answer carries no receipt; nothing vouches for it");
    }
    const ledger::Receipt receipt = TRY(ledger::parse_receipt(saved.receipt));
    const dialect::Exchange exchange =
        TRY(dialect::read_saved_request(turn.request, dialect::Api::kOpenAiChat));
    const Transcript request = dialect::request_transcript(exchange, turn.nonce);
    const Transcript answer = dialect::answer_transcript(saved.answer);

    ledger::ReceiptQuestion question;
    question.request = &request;
    question.answer = &answer;
    question.nonce = turn.nonce;
    if (trust_.log) {
      question.log_key = trust_.log->key;
    } else {
      const auto head = TRY(ledger::parse_signed_checkpoint(receipt.checkpoint));
      trust_.pin = TRY(load_pin(head.head.origin));
      if (trust_.pin) {
        question.log_key = TRY(ledger::parse_verifier_key(trust_.pin->log_key));
        question.pin = trust_.pin;
      }
    }
    ledger::ReceiptReport result = TRY(ledger::verify_receipt(receipt, question));
    if (!ledger::any_fails(result.findings)) anchor(result);
    return result;
  }

  // Moves the pin to a head that contains the receipt's, and says what could not be excluded.
  void anchor(ledger::ReceiptReport& result) {
    using ledger::Standing;
    if (trust_.log) {
      (void)admin_call(context_, "POST", "/v1/publish");
      auto advanced = advance_pin(context_);
      auto log = PublishedLog::open(context_.data_dir());
      if (!advanced) {
        result.findings.push_back({"P2", Standing::kFails, advanced.error().message(), ""});
      } else if (log && log->head().size >= result.head.size) {
        if (const auto inside = check_head_in_log(*log, result.head); inside) {
          std::erase_if(result.findings, [](const ledger::Finding& f) {
            return f.promise == "P2" && f.standing == Standing::kNotExcluded;
          });
          result.findings.push_back({"P2", Standing::kHolds,
                                     "the receipt's head is in the history of the pinned log",
                                     "size " + std::to_string(advanced->pin.size)});
        } else {
          result.findings.push_back(
              {"P2", Standing::kFails,
               "the receipt's head is not in the log's history: " + inside.error().message(), ""});
        }
      }
      return;
    }
    const ledger::Pin pin{.origin = result.head.origin,
                          .size = result.head.size,
                          .root = result.head.root,
                          .log_key = ledger::format_verifier_key(result.log_key)};
    if (!trust_.pin) (void)save_pin(pin);
  }

  Result<void> save(const Turn& turn) const {
    const std::filesystem::path folder(options_.save);
    TRY(write_text_file(folder / "request.json", turn.request, 0600));
    TRY(write_text_file(folder / "response.sse", turn.response, 0600));
    TRY(write_text_file(folder / "receipt.tlog-proof", turn.receipt, 0600));
    return write_text_file(folder / "nonce.txt", turn.nonce + "\n", 0600);
  }

  void show(const Turn& turn, const ledger::ReceiptReport& checked, bool fails) const {
    const Style& style = out_.style();
    const ledger::Provenance& p = checked.intent.provenance;
    const auto basis = [](ledger::Basis b) {
      return b == ledger::Basis::kMeasured ? " (measured)" : " (declared)";
    };
    std::string line = fails ? style.bad("receipt FAILS") : style.good("receipt verified");
    line += style.faint("  exchange ") + out_.shown(turn.exchange) +
            style.faint(", entry " + std::to_string(checked.outcome.intent_index) + " of " +
                        checked.head.origin + ", " + p.model +
                        " sha256:" + to_hex(p.weights).substr(0, 16) + basis(p.weights_basis));
    out_.note(line);
    for (const ledger::Finding& finding : checked.findings) {
      if (finding.standing == ledger::Standing::kHolds) continue;
      const bool bad = finding.standing == ledger::Standing::kFails;
      out_.note("  " + (bad ? style.bad("FAILS ") : style.caution("open  ")) + finding.promise +
                " " + out_.shown(finding.what) +
                (finding.where.empty() ? "" : " (" + out_.shown(finding.where) + ")"));
    }
    if (!options_.save.empty()) {
      out_.note(style.faint("saved; check it without Candor: candor-verify receipt " +
                            options_.save + "/receipt.tlog-proof --request " + options_.save +
                            "/request.json --response " + options_.save + "/response.sse"));
    }
  }

  void show_json(const Turn& turn, const ledger::ReceiptReport& checked, bool verified) const {
    json::Object object;
    object["answer"] = turn.answer;
    object["model"] = checked.intent.provenance.model;
    object["weights"] = to_hex(checked.intent.provenance.weights);
    object["exchange"] = turn.exchange;
    object["verified"] = verified;
    object["log"] = checked.head.origin;
    object["size"] = checked.head.size;
    json::Array findings;
    for (const ledger::Finding& f : checked.findings) {
      json::Object one;
      one["promise"] = f.promise;
      one["standing"] = ledger::to_string(f.standing);
      one["what"] = f.what;
      one["where"] = f.where;
      findings.push_back(std::move(one));
    }
    object["findings"] = std::move(findings);
    object["receipt"] = turn.receipt;
    out_.document(object);
  }

  const Context& context_;
  const ChatOptions& options_;
  const Output& out_;
  Trust trust_;
  std::string model_;
  json::Array messages_;
};

int converse(Chat& chat, const Output& out) {
  const bool terminal = is_terminal(STDIN_FILENO);
  if (terminal) out.note(out.style().faint("an empty line or Ctrl-D ends the conversation"));
  int code = kExitDone;
  while (!interrupt_flag()) {
    if (terminal) out.write(out.style().bold("> "));
    std::string text;
    if (!std::getline(std::cin, text) || text.empty()) break;
    code = chat.ask(text);
    if (code == kExitFails) return code;  // evidence: do not go on as if nothing had happened
  }
  return code;
}

}  // namespace

int run_chat(const Context& context, const ChatOptions& options) {
  catch_interrupts();
  Chat chat(context, options);
  if (auto opened = chat.open(); !opened) return report(context.out(), opened.error());
  if (options.message) {
    if (*options.message != "-") return chat.ask(*options.message);
    const auto text = read_text_file("-");
    if (!text) return report(context.out(), text.error());
    return chat.ask(*text);
  }
  return converse(chat, context.out());
}

}  // namespace candor::cli
