#include "dialect/dialect.h"

#include <array>

#include "base/check.h"
#include "dialect/internal/dialects.h"
#include "dialect/internal/openai_writer.h"
#include "dialect/internal/request_reader.h"

namespace candor::dialect {
namespace {

int status_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalidRequest: return 400;
    case ErrorKind::kAuthentication: return 401;
    case ErrorKind::kPermission: return 403;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kMethod: return 405;
    case ErrorKind::kTooLarge: return 413;
    case ErrorKind::kMediaType: return 415;
    case ErrorKind::kMisdirected: return 421;
    case ErrorKind::kRateLimit: return 429;
    case ErrorKind::kInternal: return 500;
    case ErrorKind::kUnavailable: return 503;
    case ErrorKind::kTimeout: return 504;
  }
  return 500;
}

}  // namespace

ErrorInfo make_error(ErrorKind kind, std::string message, std::string param, std::string code) {
  ErrorInfo error;
  error.kind = kind;
  error.status = status_of(kind);
  error.message = std::move(message);
  error.param = std::move(param);
  error.code = std::move(code);
  return error;
}

ErrorInfo make_error(Code code, std::string message) {
  const auto with = [&](ErrorKind kind, int status) {
    ErrorInfo error = make_error(kind, std::move(message));
    error.status = status;
    return error;
  };
  switch (code) {
    case Code::kInvalidArgument: return with(ErrorKind::kInvalidRequest, 400);
    case Code::kNotFound: return with(ErrorKind::kNotFound, 404);
    case Code::kPermissionDenied: return with(ErrorKind::kPermission, 403);
    case Code::kFailedPrecondition: return with(ErrorKind::kInvalidRequest, 409);
    case Code::kResourceExhausted: return with(ErrorKind::kRateLimit, 429);
    case Code::kDeadlineExceeded: return with(ErrorKind::kTimeout, 504);
    case Code::kCancelled: return with(ErrorKind::kInvalidRequest, 499);
    case Code::kUnavailable: return with(ErrorKind::kUnavailable, 503);
    case Code::kDataLoss: return with(ErrorKind::kInternal, 500);
    case Code::kInternal: return with(ErrorKind::kInternal, 500);
  }
  return with(ErrorKind::kInternal, 500);
}

WriterOptions writer_options(const Exchange& request, std::string exchange, std::string model,
                             std::int64_t created_s) {
  WriterOptions options;
  options.api = request.api;
  options.exchange = std::move(exchange);
  options.model = std::move(model);
  options.created_s = created_s;
  options.stream = request.stream;
  options.include_usage = request.include_usage;
  options.logprobs = request.parameters.logprobs;
  options.base64 = request.base64_embeddings;
  options.choices = static_cast<std::uint32_t>(request.answer_bound());
  if (request.api == Api::kOpenAiResponses) options.echo = responses_echo(request);
  return options;
}

std::span<const Dialect* const> dialects() noexcept {
  static const std::array<const Dialect*, 3> kAll = {&openai_dialect(), &anthropic_dialect(),
                                                     &ollama_dialect()};
  return kAll;
}

const Dialect& dialect_of(Api api) noexcept {
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      if (route.api == api) return *dialect;
    }
  }
  CANDOR_CHECK(false);
}

RouteMatch find_route(std::string_view method, std::string_view path) noexcept {
  RouteMatch match;
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      if (route.path != path) continue;
      if (route.method == method) return {dialect, &route, false};
      match = {dialect, nullptr, true};
    }
  }
  return match;
}

const Dialect& shape_for(std::string_view path, bool has_anthropic_headers) noexcept {
  const RouteMatch match = find_route("POST", path);
  if (match.dialect != nullptr) return *match.dialect;
  if (path.starts_with("/api/")) return ollama_dialect();
  return has_anthropic_headers ? anthropic_dialect() : openai_dialect();
}

InfoMatch find_info(const Dialect& shape, std::string_view method, std::string_view path,
                    std::string_view body) {
  for (const InfoRoute& route : shape.info_routes()) {
    if (route.method != method) continue;
    if (route.path.ends_with('/') && path.starts_with(route.path)) {
      return {&route, std::string(path.substr(route.path.size()))};
    }
    if (route.path != path) continue;
    InfoMatch match{&route, {}};
    if (route.info != Info::kModel) return match;
    const auto value = json::parse(body, {.max_bytes = 64U << 10U, .max_depth = 8});
    const json::Object* object = value ? value->if_object() : nullptr;
    for (const std::string_view key : {"model", "name"}) {
      if (object == nullptr || !match.name.empty()) break;
      match.name = text_of(*object, key).value_or("");
    }
    return match;
  }
  return {};
}

}  // namespace candor::dialect
