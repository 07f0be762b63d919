// OpenAI: the routes, the models list, errors. After OpenAI's API reference (models, error codes).
#include "dialect/internal/dialects.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/openai_fields.h"
#include "dialect/internal/openai_writer.h"

namespace candor::dialect {
namespace {

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", Api::kOpenAiChat},
    {"POST", "/v1/completions", Api::kOpenAiCompletions},
    {"POST", "/v1/responses", Api::kOpenAiResponses},
    {"POST", "/v1/embeddings", Api::kOpenAiEmbeddings},
};

constexpr InfoRoute kInfoRoutes[] = {
    {"GET", "/v1/models", Info::kModels},
    {"GET", "/v1/models/", Info::kModel},
};

std::string_view error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidRequest:
    case ErrorKind::kMethod:
    case ErrorKind::kTooLarge:
    case ErrorKind::kMediaType:
    case ErrorKind::kMisdirected: return "invalid_request_error";
    case ErrorKind::kAuthentication: return "authentication_error";
    case ErrorKind::kPermission: return "permission_error";
    case ErrorKind::kNotFound: return "not_found_error";
    case ErrorKind::kRateLimit: return "rate_limit_error";
    case ErrorKind::kInternal:
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout: return "server_error";
  }
  return "server_error";
}

void append_model(std::string& out, const ModelInfo& model) {
  out += R"({"id":)";
  json::append_string(out, model.name);
  out += R"(,"object":"model","created":)";
  append_number(out, model.created_s);
  out += R"(,"owned_by":"candor")";
  if (!model.digest.empty()) {
    out += R"(,"candor":{"weights_sha256":)";
    json::append_string(out, model.digest);
    out += '}';
  }
  out += '}';
}

class OpenAi final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "openai"; }
  [[nodiscard]] std::span<const Route> routes() const noexcept override { return kRoutes; }
  [[nodiscard]] std::span<const FieldRule> fields(Api api) const noexcept override {
    return table(api).rules;
  }

  [[nodiscard]] std::expected<Exchange, ErrorInfo> parse_request(
      Api api, std::string_view body, const ParseOptions& options) const override {
    return read_request(api, table(api), body, options);
  }

  [[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const override {
    if (options.api == Api::kOpenAiResponses) return make_responses_writer(std::move(options));
    if (options.api == Api::kOpenAiEmbeddings) return make_embeddings_writer(std::move(options));
    return make_openai_writer(std::move(options));
  }

  void render_error(const ErrorInfo& error, std::string& out) const override {
    append_openai_error(error, out);
  }

  [[nodiscard]] std::span<const InfoRoute> info_routes() const noexcept override {
    return kInfoRoutes;
  }
  void render_info(Info info, std::span<const ModelInfo> models, std::string& out) const override {
    if (info == Info::kModel) {
      append_model(out, models.front());
      return;
    }
    out += R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < models.size(); ++i) {
      if (i > 0) out += ',';
      append_model(out, models[i]);
    }
    out += "]}";
  }

 private:
  static ApiTable table(Api api) noexcept {
    if (api == Api::kOpenAiCompletions) return openai_completions_table();
    if (api == Api::kOpenAiEmbeddings) return openai_embeddings_table();
    if (api == Api::kOpenAiResponses) return openai_responses_table();
    return openai_chat_table();
  }
};

}  // namespace

void append_openai_error(const ErrorInfo& error, std::string& out) {
  out += R"({"error":{"message":)";
  json::append_string(out, error.message);
  out += R"(,"type":")";
  out += error_type(error.kind);
  out += R"(","param":)";
  if (error.param.empty()) {
    out += "null";
  } else {
    json::append_string(out, error.param);
  }
  out += R"(,"code":)";
  if (error.code.empty()) {
    out += "null";
  } else {
    json::append_string(out, error.code);
  }
  out += '}';
  if (!error.exchange.empty()) append_candor(out, error.exchange, {});
  out += '}';
}

const Dialect& openai_dialect() noexcept {
  static const OpenAi kDialect;
  return kDialect;
}

}  // namespace candor::dialect
