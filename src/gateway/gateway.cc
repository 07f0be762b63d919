#include "gateway/gateway.h"

#include <algorithm>

#include "dialect/dialect.h"
#include "gateway/session.h"
#include "http/browser_guard.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;

dialect::ErrorInfo browser_error(http::BrowserRefusal refusal) {
  switch (refusal) {
    case http::BrowserRefusal::kHost:
      return make_error(
          ErrorKind::kMisdirected,
          "This server is not known by that Host name. Use localhost, or add the name "
          "to listen.hosts.");
    case http::BrowserRefusal::kOrigin:
      return make_error(ErrorKind::kPermission,
                        "Web pages of other origins may not use this server. The operator can list "
                        "one in listen.origins.");
    case http::BrowserRefusal::kContentType:
      return make_error(ErrorKind::kMediaType, "Send Content-Type: application/json.");
  }
  return make_error(ErrorKind::kPermission, "Refused.");
}

}  // namespace

Gateway::Gateway(Services& services, Pipeline pipeline)
    : services_(services), pipeline_(std::move(pipeline)) {}

Task<void> Gateway::handle(http::Call& call) {
  const http::Request& request = call.request();
  const bool anthropic = request.headers.find("anthropic-version").has_value() ||
                         request.headers.find("x-api-key").has_value();
  const dialect::Dialect& shape = dialect::shape_for(request.path, anthropic);

  if (const auto refused = http::check_browser(request, services_.settings->browser,
                                               call.peer().kind() == http::PeerKind::kUnix)) {
    dialect::ErrorInfo error = browser_error(*refused);
    services_.refusals.add(Cause::kNotAllowed, error.status, call.peer().source(), "", "");
    co_return co_await reply_error(call, shape, std::move(error));
  }
  const bool get = request.method == http::Method::kGet || request.method == http::Method::kHead;
  if (request.path == "/health" && get) co_return co_await health(call);
  if (request.path == "/metrics" && get) {
    http::Reply reply;
    reply.headers.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
    reply.body = metrics_text(Labels::kNone);
    (void)co_await call.reply(std::move(reply));
    co_return;
  }
  if (request.path == "/candor/v1/approve" && request.method == http::Method::kPost) {
    co_return co_await approve(call, shape);
  }
  const std::string_view method = request.method == http::Method::kPost ? "POST"
                                  : get                                 ? "GET"
                                                                        : "OTHER";
  const dialect::InfoMatch asked =
      dialect::find_info(shape, method, request.path, request.body.reveal());
  if (asked.route != nullptr) co_return co_await info(call, shape, asked);
  const dialect::RouteMatch match = dialect::find_route(method, request.path);
  if (match.route == nullptr) {
    dialect::ErrorInfo error =
        match.wrong_method
            ? make_error(ErrorKind::kMethod, "This path takes POST.")
            : make_error(ErrorKind::kNotFound,
                         "There is no such path here. GET /v1/models lists the models; what is "
                         "served is in docs/dialects.md.");
    services_.refusals.add(Cause::kMalformed, error.status, call.peer().source(), "", "");
    co_return co_await reply_error(call, shape, std::move(error));
  }
  Session session(services_, call, *match.dialect, match.route->api);
  co_await session.run(pipeline_);
}

Task<void> Gateway::reply_error(http::Call& call, const dialect::Dialect& dialect,
                                dialect::ErrorInfo error) {
  http::Reply reply;
  reply.status = error.status;
  reply.headers.add("content-type", "application/json");
  if (error.status == 401) reply.headers.add("www-authenticate", "Bearer");
  dialect.render_error(error, reply.body);
  (void)co_await call.reply(std::move(reply));
}

// Of the models that the caller may use.
Task<void> Gateway::info(http::Call& call, const dialect::Dialect& dialect,
                         const dialect::InfoMatch& match) {
  const std::shared_ptr<const Settings> settings = services_.settings;
  auto caller = co_await who_asks(services_, *settings, call);
  if (!caller) {
    const int status = caller.error().error.status;
    services_.refusals.add(Cause::kNotAuthenticated, status, call.peer().source(), "", "");
    co_return co_await reply_error(call, dialect, std::move(caller.error().error));
  }
  std::vector<dialect::ModelInfo> models = services_.engines.models();
  std::erase_if(models, [&](const dialect::ModelInfo& model) {
    const bool may = caller->models.empty() ||
                     std::ranges::find(caller->models, model.name) != caller->models.end();
    return !may || (match.route->info == dialect::Info::kModel && model.name != match.name);
  });
  if (match.route->info == dialect::Info::kModel && models.empty()) {
    co_return co_await reply_error(
        call, dialect,
        make_error(ErrorKind::kNotFound,
                   "No model of this name is configured here. GET /v1/models lists those that "
                   "are.",
                   "model", "model_not_found"));
  }
  http::Reply reply;
  reply.headers.add("content-type", "application/json");
  dialect.render_info(match.route->info, models, reply.body);
  (void)co_await call.reply(std::move(reply));
}

Task<void> Gateway::health(http::Call& call) {
  const bool ok = !services_.draining && services_.ledger.health().has_value();
  http::Reply reply;
  reply.status = ok ? 200 : 503;
  reply.headers.add("content-type", "application/json");
  reply.headers.add("cache-control", "no-store");
  reply.body = ok                   ? R"({"status":"ok"})"
               : services_.draining ? R"({"status":"shutting down"})"
                                    : R"({"status":"the ledger takes no entries"})";
  (void)co_await call.reply(std::move(reply));
}

std::string Gateway::refusal(const http::Peer& peer, int status, std::string_view reason) {
  if (status != 500) {
    const Cause cause = status == 413 || status == 431 ? Cause::kTooLarge
                        : status == 503                ? Cause::kBusy
                                                       : Cause::kMalformed;
    ++services_.metrics.refused;
    services_.refusals.add(cause, status, peer.source(), "", "");
  }
  dialect::ErrorInfo error = make_error(ErrorKind::kInvalidRequest, std::string(reason));
  if (status == 413) error.kind = ErrorKind::kTooLarge;
  if (status == 503) error.kind = ErrorKind::kUnavailable;
  if (status == 500) error.kind = ErrorKind::kInternal;
  error.status = status;
  std::string body;
  dialect::shape_for("/", /*has_anthropic_headers=*/false).render_error(error, body);
  return body;
}

std::string Gateway::metrics_text(Labels labels) const {
  const http::ServerCounters none;
  return render_metrics(services_.metrics, server_ != nullptr ? server_->counters() : none,
                        services_.ledger.head() ? services_.ledger.head()->size : 0,
                        services_.ledger.health().has_value(), labels);
}

}  // namespace candor::gateway
