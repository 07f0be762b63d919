// Property: everything between a client's socket and an engine's, with a ledger in memory. Whatever
// client, engine and ledger do, the exchange ends; an intent has exactly one outcome or abort, and
// nothing of an answer leaves before the intent is durable; what the client holds is a whole answer
// whose receipt verifies against what it sent and got, or an error in its dialect's shape; no name,
// id or word of the engine's own, and no field without effect, is in it or reaches the engine. A
// lawful request to a lawful engine is answered to the last word.
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <sys/un.h>

#include "base/testing/fake_clock.h"
#include "dialect/engine_codec.h"
#include "dialect/testing/request_maker.h"
#include "gateway/gateway.h"
#include "gateway/testing/answer_property.h"
#include "gateway/testing/engine_script.h"
#include "gateway/testing/fake_engines.h"
#include "gateway/testing/fake_ledger.h"
#include "http/server.h"
#include "ledger/receipt.h"
#include "store/data_folder.h"
#include "store/key_table.h"

namespace candor::gateway {
namespace {

using dialect::Api;

constexpr Api kApis[] = {
    Api::kOpenAiChat,       Api::kOpenAiCompletions, Api::kOpenAiResponses,
    Api::kOpenAiEmbeddings, Api::kAnthropicMessages, Api::kAnthropicCountTokens,
    Api::kOllamaChat,       Api::kOllamaGenerate,    Api::kOllamaEmbed};

std::string path_of(Api api) {
  for (const dialect::Route& route : dialect_of(api).routes()) {
    if (route.api == api) return std::string(route.path);
  }
  CANDOR_CHECK(false);
  return {};
}

template <typename T>
T must(Result<T> result) {
  CANDOR_CHECK(result.has_value());
  return *std::move(result);
}

// The monitor's half, made once: everything real but the ledger's disk and the engine.
class Monitor {
 public:
  static Monitor& get() {
    static Monitor monitor;
    return monitor;
  }
  ~Monitor() {
    workers.join();
    std::filesystem::remove_all(folder);
  }
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  // Runs until nothing can go on by itself: what the worker has been given comes before the marker.
  void settle() {
    io.restart();
    do {
      while (io.poll() > 0) {
      }
      http::asio::post(workers, http::asio::use_future).wait();
    } while (io.poll() > 0);
  }
  void advance(std::chrono::milliseconds by) {
    clock.advance_us(std::chrono::microseconds(by).count());
    engines.client->sweep();
    server->sweep();
    settle();
  }
  int connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    (folder + "/api").copy(&name.sun_path[0], sizeof name.sun_path - 1);
    CANDOR_CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    return fd;
  }

  std::string folder = "/tmp/candor_pipeline_fuzz_XXXXXX";
  http::asio::io_context io{1};
  http::asio::thread_pool workers{1};
  FakeClock clock;
  FakeRandom random{1};
  FakeLedger ledger;
  Stamper stamp = [this] {
    return ledger::Stamp{.time_us = clock.wall_us(), .boot = {}, .mono_us = clock.mono_us()};
  };
  AckQueue acks{io, ledger, clock};
  Refusals refusals{acks, stamp, clock};
  Metrics metrics;
  FakeEngines engines{io, client_options()};
  std::shared_ptr<const Settings> settings = make_settings();
  std::optional<store::DataFolder> data;
  std::unique_ptr<store::KeyTable> table;
  std::unique_ptr<store::StateDb> state;
  std::unique_ptr<store::KeyRing> keys;
  std::optional<Services> services;
  std::optional<Gateway> gateway;
  std::optional<http::Server> server;

 private:
  Monitor() {
    CANDOR_CHECK(::mkdtemp(folder.data()) != nullptr);
    store::DataPaths paths{Path(folder)};
    data.emplace(must(store::DataFolder::open(real_file_system(), Path(folder))));
    table = must(store::KeyTable::open(real_file_system(), paths.key_table()));
    state = must(store::StateDb::in_memory());
    keys = must(store::KeyRing::open(real_file_system(), paths, {}, *table, *state, random, clock));
    services.emplace(Services{.io = io,
                              .workers = workers,
                              .clock = clock,
                              .random = random,
                              .ledger = ledger,
                              .keys = *keys,
                              .state = *state,
                              .stamp = stamp,
                              .acks = acks,
                              .engines = engines,
                              .refusals = refusals,
                              .metrics = metrics,
                              .settings = settings,
                              .subjects = {},
                              .queues = {},
                              .quotas = {},
                              .halts = {},
                              .exceptions = {},
                              .registered_hits = {},
                              .rulebook = nullptr,
                              .os_groups = {},
                              .budgets = {},
                              .decision_point = nullptr,
                              .oidc = {},
                              .draining = false});
    gateway.emplace(*services, standard_pipeline());
    server.emplace(io, http::ServerOptions{}, *gateway, clock, nullptr);
    CANDOR_CHECK(
        server->listen(http::UnixAddress{.path = folder + "/api", .mode = 0600, .group = {}})
            .has_value());
    // The caller's subject is made on another thread; from then on nothing else runs there.
    std::string name = "uid:" + std::to_string(::getuid());
    CANDOR_CHECK(keys->subject(name).has_value());
    services->subjects.emplace(name, must(keys->subject(name)));
  }
  engine::EngineClientOptions client_options() {
    engine::EngineClientOptions options;
    options.max_header_bytes = 1'024;
    options.max_body_bytes = 64'000;
    options.sse = {.max_line_bytes = 8'192, .max_event_bytes = 12'000, .max_total_bytes = 256'000};
    options.clock = &clock;
    return options;
  }
  static std::shared_ptr<const Settings> make_settings() {
    auto out = std::make_shared<Settings>();
    out->parse.limits.max_prompts = 2;
    out->max_tokens = 64;
    out->request_timeout = kScriptTotal;
    out->first_token_timeout = kScriptFirstByte;
    out->stall_timeout = kScriptIdle;
    out->progress_bytes = 64;
    out->inline_bytes = 64U << 20U;
    out->all_os_users = true;
    return out;
  }
};

// One client's connection and what it got.
class Client {
 public:
  explicit Client(Monitor& monitor) : monitor_(monitor), fd_(monitor.connect()) {}
  ~Client() { leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view rest) {
    while (!rest.empty() && fd_ >= 0) {
      const ssize_t sent = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
      monitor_.settle();
      if (sent < 0 && errno != EAGAIN) return;
    }
  }
  void read() {
    char buffer[65'536];
    while (fd_ >= 0) {
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got == 0) ended = true;
      if (got <= 0) return;
      bytes.append(buffer, static_cast<std::size_t>(got));
      monitor_.settle();
    }
  }
  void leave() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] bool here() const { return fd_ >= 0; }

  std::string bytes;
  bool ended = false;

 private:
  Monitor& monitor_;
  int fd_;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  bool streamed = false;
};

// Our own server's framing; nothing when the answer is not whole.
std::optional<HttpAnswer> read_http(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos || !bytes.starts_with("HTTP/1.1 ")) return std::nullopt;
  const std::string_view head = bytes.substr(0, end + 2);
  std::string_view rest = bytes.substr(end + 4);
  HttpAnswer out;
  out.status = std::atoi(std::string(head.substr(9, 3)).c_str());
  out.streamed = head.find("\r\ntransfer-encoding: chunked\r\n") != std::string_view::npos;
  if (!out.streamed) {
    const std::size_t at = head.find("\r\ncontent-length: ");
    CANDOR_CHECK(at != std::string_view::npos);
    const auto length = std::strtoul(std::string(head.substr(at + 18)).c_str(), nullptr, 10);
    CANDOR_CHECK(rest.size() <= length);  // one answer to one request, and nothing after it
    if (rest.size() < length) return std::nullopt;
    out.body = rest;
    return out;
  }
  for (;;) {
    const std::size_t line = rest.find("\r\n");
    if (line == std::string_view::npos) return std::nullopt;
    const auto length = std::strtoul(std::string(rest.substr(0, line)).c_str(), nullptr, 16);
    rest.remove_prefix(line + 2);
    if (rest.size() < length + 2) return std::nullopt;
    out.body.append(rest.substr(0, length));
    rest.remove_prefix(length + 2);
    if (length > 0) continue;
    CANDOR_CHECK(rest.empty());
    return out;
  }
}

class Exchange {
 public:
  explicit Exchange(FuzzedDataProvider& data)
      : data_(data), m_(Monitor::get()), client_(m_), maker_(data) {
    m_.ledger.set_mode(FakeLedger::Mode::kAcknowledge);
    m_.ledger.forget();
    api_ = data_.PickValueInArray(kApis);
    json::Object body = maker_.lawful(api_);
    if (chance(8)) {
      maker_.break_structure(body);
      lawful_ = false;
    }
    body_ = maker_.spelled(body);
    if (chance(16)) {
      maker_.break_text(body_);
      lawful_ = false;
    }
    if (chance(4)) nonce_ = "n-1";
  }

  void run() {
    if (chance(6)) {
      m_.ledger.set_mode(FakeLedger::Mode::kHold);
      held_ = true;
    }
    ask();
    look_at_request();
    dialect::ParseOptions options = m_.settings->parse;
    auto parsed = dialect_of(api_).parse_request(api_, body_, options);
    if (parsed) {
      asked_ = *std::move(parsed);
      // As the gateway forwards it; the seed has no part in a script.
      const auto forwarded = dialect::forwarded_exchange(asked_, 1, m_.settings->max_tokens);
      script_ = make_engine_script(data_, forwarded, asked_.stream);
      for (const EngineAction& action : script_.actions) {
        act(action);
        between();
      }
    }
    finish();
    check(parsed.has_value());
  }

 private:
  bool chance(std::uint32_t n) { return data_.ConsumeIntegralInRange<std::uint32_t>(1, n) == n; }

  void ask() {
    std::string head = "POST " + path_of(api_) +
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    if (!nonce_.empty()) head += "Candor-Nonce: " + nonce_ + "\r\n";
    if (chance(4)) head += "Connection: close\r\n";
    const std::string text =
        head + "Content-Length: " + std::to_string(body_.size()) + "\r\n\r\n" + body_;
    const auto cut = data_.ConsumeIntegralInRange<std::size_t>(0, text.size());
    client_.send(std::string_view(text).substr(0, cut));
    client_.send(std::string_view(text).substr(cut));
    m_.settle();
  }
  // What the engine was sent: our own form, without what has no effect.
  void look_at_request() {
    const std::string sent = m_.engines.dialer->received();
    if (sent.empty()) return;
    CANDOR_CHECK(sent.starts_with("POST /") && sent.find("\r\n\r\n{") != std::string::npos);
    if (lawful_) CANDOR_CHECK(sent.find(dialect::testing::kCanary) == std::string::npos);
  }

  void act(const EngineAction& action) {
    switch (action.kind) {
      case EngineAction::Kind::kSend: {
        std::string_view rest = action.bytes;
        while (!rest.empty()) {
          const ssize_t sent = m_.engines.dialer->send(rest);
          if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
          m_.settle();
          if (sent <= 0) return;
        }
        return;
      }
      case EngineAction::Kind::kPause: return m_.advance(action.pause);
      case EngineAction::Kind::kCancel: client_.leave(); break;
      case EngineAction::Kind::kClose: m_.engines.dialer->close(); break;
    }
    m_.settle();
  }

  // What client and ledger do meanwhile.
  void between() {
    if (held_) {
      client_.read();
      if (m_.ledger.held() > 0 && !released_) CANDOR_CHECK(client_.bytes.empty());
    }
    if (!chance(8)) return;
    switch (data_.ConsumeIntegralInRange(0, 4)) {
      case 0: client_.read(); break;
      case 1:
        client_.leave();
        polite_ = false;
        break;
      case 2:
        m_.ledger.release_one();
        released_ = true;
        break;
      case 3:
        m_.ledger.set_mode(FakeLedger::Mode::kRefuse);
        held_ = false;
        durable_ = false;
        break;
      default: m_.advance(std::chrono::milliseconds(1));
    }
    m_.settle();
  }

  void finish() {
    client_.read();
    if (held_) {
      m_.ledger.set_mode(FakeLedger::Mode::kAcknowledge);
      m_.settle();
      client_.read();
    }
    m_.engines.dialer->close();
    m_.settle();
    client_.read();
    m_.settle();
    CANDOR_CHECK(m_.metrics.inflight == 0);  // nothing waits for what has gone
    CANDOR_CHECK(m_.acks.pending() == 0);
    CANDOR_CHECK(bug_count() == 0);
  }

  void check(bool parsed) {
    const auto entries = m_.ledger.submitted();
    std::size_t intents = 0, ends = 0;
    for (const ledger::Entry& entry : entries) {
      intents += std::holds_alternative<ledger::Intent>(entry) ? 1 : 0;
      ends += std::holds_alternative<ledger::Outcome>(entry) ? 1 : 0;
      ends += std::holds_alternative<ledger::Abort>(entry) ? 1 : 0;
      CANDOR_CHECK(ends <= intents);
    }
    CANDOR_CHECK(intents <= 1 && (parsed || intents == 0));
    // A ledger that refuses may have refused the intent, and then there is nothing to close.
    if (durable_) CANDOR_CHECK(intents == ends);

    if (client_.here()) {
      const auto answer = read_http(client_.bytes);
      CANDOR_CHECK(answer.has_value());
      check_answer(*answer);
    } else {
      CANDOR_CHECK(client_.bytes.find(kEngineCanary) == std::string::npos);
    }
    m_.refusals.flush(/*all=*/true);
    m_.settle();
  }

  // No answer, and a reason for it.
  void must_fail(const HttpAnswer& answer) const {
    if (!lawful_ || !script_.lawful || !polite_ || !durable_) return;
    fmt::print(stderr, "{}\n{} {}\n", body_, answer.status, answer.body);
    CANDOR_CHECK(false);
  }
  void check_answer(const HttpAnswer& answer) {
    const AnswerForm form{.asked = asked_, .exchange = {}, .model = asked_.model};
    asked_.api = api_;
    if (answer.status != 200) {
      must_fail(answer);
      CANDOR_CHECK(answer.body.find(kEngineCanary) == std::string::npos);
      return check_error(form, answer.body, answer.status);
    }
    check_names(form, answer.body);
    // Responses repeat tools and schemas as they were sent.
    if (lawful_ && api_ != Api::kOpenAiResponses) {
      CANDOR_CHECK(answer.body.find(dialect::testing::kCanary) == std::string::npos);
    }
    const auto outcomes = m_.ledger.submitted_of<ledger::Outcome>();
    const bool complete = outcomes.size() == 1 && outcomes[0].result == "complete";
    const auto saved = dialect::read_saved_response(answer.body);
    if (!saved || !saved->complete || saved->receipt.empty()) {
      must_fail(answer);
      return check_broken_off(form, answer.body);
    }
    CANDOR_CHECK(complete);
    if (script_.lawful) check_same(script_.said, saved->answer, answer.body);
    verify(*saved);
  }

  // As candor-verify would, with what the client kept.
  void verify(const dialect::SavedAnswer& saved) {
    const auto receipt = ledger::parse_receipt(saved.receipt);
    CANDOR_CHECK(receipt.has_value());
    const auto request = dialect::read_saved_request(body_, api_);
    CANDOR_CHECK(request.has_value());
    const Transcript sent = request_transcript(*request, nonce_);
    const Transcript got = answer_transcript(saved.answer);
    ledger::ReceiptQuestion question;
    question.log_key = must(ledger::parse_verifier_key(m_.ledger.verifier_key()));
    question.request = &sent;
    question.answer = &got;
    if (!nonce_.empty()) question.nonce = nonce_;
    const auto report = ledger::verify_receipt(*receipt, question);
    CANDOR_CHECK(report && !ledger::any_fails(report->findings));
    CANDOR_CHECK(to_hex(report->intent.exchange) == saved.exchange);
  }

  FuzzedDataProvider& data_;
  Monitor& m_;
  Client client_;
  dialect::testing::RequestMaker maker_;
  Api api_{};
  std::string body_;
  std::string nonce_;
  dialect::Exchange asked_;
  EngineScript script_;
  bool lawful_ = true;   // the request
  bool polite_ = true;   // the client
  bool durable_ = true;  // the ledger took all it was given
  bool held_ = false;    // the ledger acknowledges nothing yet
  bool released_ = false;
};

}  // namespace
}  // namespace candor::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider provider(data, size);
  candor::gateway::Exchange(provider).run();
  return 0;
}
