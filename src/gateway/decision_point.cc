#include "gateway/decision_point.h"

#include "base/text.h"
#include "json/json.h"

namespace candor::gateway {
namespace {

using policy::Effect;

constexpr std::size_t kMaxAnswerBytes = 64U << 10U;
constexpr std::size_t kMaxReasonBytes = 500;

DecisionPoint::Answer no_answer(std::string why) {
  return {.effect = Effect::kDeny, .reason = std::move(why), .failed = true};
}

std::string shown(std::string_view reason) {
  std::string text = strip_controls(reason);
  if (text.size() > kMaxReasonBytes) {
    std::size_t end = kMaxReasonBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
    text.resize(end);
  }
  return text;
}

}  // namespace

DecisionPoint::Answer read_answer(std::string_view body) {
  const auto parsed = json::parse(body, {.max_bytes = kMaxAnswerBytes, .max_depth = 16});
  const json::Value* result =
      parsed && parsed->is_object() ? json::find(parsed->get_object(), "result") : nullptr;
  if (result == nullptr) return no_answer("its answer has no result: the rule asked is undefined");
  if (result->is_bool()) {
    return {.effect = result->as_bool() ? Effect::kAllow : Effect::kDeny, .reason = ""};
  }
  if (!result->is_object()) return no_answer("its result is neither true, false nor an object");
  const auto name = json::get_string(result->get_object(), "effect");
  const auto effect = name ? policy::effect_from(*name) : std::nullopt;
  if (effect != Effect::kAllow && effect != Effect::kWarn && effect != Effect::kDeny &&
      effect != Effect::kRequireJustification) {
    return no_answer("its result names no effect that can be asked for from outside");
  }
  const json::Value* reason = json::find(result->get_object(), "reason");
  return {.effect = *effect,
          .reason = reason != nullptr && reason->is_string() ? shown(reason->as_string()) : ""};
}

Result<std::shared_ptr<DecisionPoint>> DecisionPoint::open(http::asio::any_io_executor executor,
                                                           DecisionPointOptions options) {
  const engine::Endpoint endpoint = TRY(engine::parse_endpoint(options.url));
  if (!endpoint.tls && !endpoint.is_local()) {
    return fail(Code::kInvalidArgument,
                "a decision point on another machine is asked over https only");
  }
  std::shared_ptr<const http::TlsContext> tls;
  if (endpoint.tls) tls = TRY(http::TlsContext::client({.ca_pem = options.ca_pem}));
  engine::EngineClientOptions client;
  client.dialer = engine::upstream_dialer({.endpoint = endpoint,
                                           .tls = std::move(tls),
                                           .proxy = {},
                                           .connect_timeout = options.timeout});
  client.host = endpoint.host_header();
  client.max_body_bytes = kMaxAnswerBytes;
  return std::shared_ptr<DecisionPoint>(
      new DecisionPoint(std::move(executor), std::move(client),
                        endpoint.base.empty() ? "/" : endpoint.base, options.timeout));
}

http::Task<DecisionPoint::Answer> DecisionPoint::ask(const policy::Facts& facts) {
  engine::EngineRequest request;
  request.path = path_;
  request.body = R"({"input":)" + policy::facts_json(facts) + "}";
  request.first_byte_deadline = request.idle_deadline = request.total_deadline = timeout_;
  const auto reply = co_await client_.fetch(std::move(request));
  if (!reply) co_return no_answer(shown(reply.error().message()));
  if (reply->status != 200) {
    co_return no_answer("it answered with status " + std::to_string(reply->status));
  }
  co_return read_answer(reply->body);
}

}  // namespace candor::gateway
