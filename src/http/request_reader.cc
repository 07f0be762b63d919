#include "http/request_reader.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/check.h"

namespace candor::http {
namespace beast = boost::beast;
namespace {

// Finds a field that goes on in the next line (obs-fold, RFC 9112 section 5.2): Beast joins the
// lines without a word, and who stands in front of us may have read them otherwise.
class FoldFinder {
 public:
  // The next bytes of a request, from its first on. True once there was one in the header.
  bool found_in(std::string_view bytes) {
    for (const char c : bytes) {
      if (in_body_) break;
      if (line_begins_ && (c == ' ' || c == '\t')) found_ = true;
      if (line_begins_ && c == '\r') in_body_ = true;
      line_begins_ = c == '\n';
    }
    return found_;
  }

 private:
  bool line_begins_ = false;  // the request line's beginning is none
  bool in_body_ = false;
  bool found_ = false;
};

// Beast takes a list of equal lengths.
bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

class RequestReader::Parser : public beast::http::basic_parser<true> {
 public:
  explicit Parser(const ReaderLimits& limits) : header_bytes_left_(limits.header_bytes) {
    header_limit(limits.header_bytes);  // of what is parsed at once; the sum is counted below
    body_limit(limits.body_bytes);
    eager(true);
  }

  void refuse(int status, std::string_view reason) {
    if (state == State::kRefused) return;
    state = State::kRefused;
    refused_status = status;
    refused_reason = reason;
  }

  Request request;
  State state = State::kHeader;
  bool expects_continue = false;
  int refused_status = 0;
  std::string_view refused_reason;  // a literal
  FoldFinder folds;

 private:
  // Stops Beast after refuse(); the code itself is not looked at.
  static void stop(beast::error_code& ec) { ec = beast::http::error::bad_value; }

  void on_request_impl(beast::http::verb /*verb*/, beast::string_view method,
                       beast::string_view target, int version, beast::error_code& ec) override {
    static constexpr std::pair<std::string_view, Method> kMethods[] = {
        {"GET", Method::kGet},
        {"POST", Method::kPost},
        {"HEAD", Method::kHead},
        {"DELETE", Method::kDelete},
        {"OPTIONS", Method::kOptions}};
    for (const auto& [name, value] : kMethods) {
      if (std::string_view(method.data(), method.size()) == name) request.method = value;
    }
    request.version = version;
    if (version != 10 && version != 11) {
      refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
      return stop(ec);
    }
    std::string_view rest(target.data(), target.size());
    if (rest.empty() || rest.front() != '/') {
      refuse(400, "The request target must be a path that starts with '/'.");
      return stop(ec);
    }
    rest = rest.substr(0, rest.find('#'));
    const std::size_t mark = rest.find('?');
    if (mark != std::string_view::npos) request.query = rest.substr(mark + 1);
    auto path = decode_path(rest.substr(0, mark));
    if (!path) {
      refuse(400, "The request path has a broken escape or a character that no route uses.");
      return stop(ec);
    }
    request.path = *std::move(path);
  }

  void on_response_impl(int /*code*/, beast::string_view /*reason*/, int /*version*/,
                        beast::error_code& ec) override {
    stop(ec);
  }

  void on_field_impl(beast::http::field /*field*/, beast::string_view name,
                     beast::string_view value, beast::error_code& ec) override {
    const std::size_t size = name.size() + value.size() + 4;
    if (size > header_bytes_left_) {
      refuse(431, "The request header is larger than this server takes.");
      return stop(ec);
    }
    header_bytes_left_ -= size;
    if (state != State::kHeader) return;  // trailers are counted and dropped
    request.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }

  void on_header_impl(beast::error_code& ec) override {
    const std::size_t hosts = request.headers.count("host");
    if (hosts > 1 || (hosts == 0 && request.version == 11)) {
      refuse(400, "Exactly one Host field is needed.");
      return stop(ec);
    }
    const auto length = request.headers.find("content-length");
    if (request.headers.count("content-length") > 1 ||
        (length && (request.headers.find("transfer-encoding") || !is_number(*length)))) {
      refuse(400, "The body's length is given more than once.");
      return stop(ec);
    }
    // To the letter, where RFC 9112 section 6.1 allows more: a list, another case or a parameter is
    // what two readers of one request differ about. HTTP/1.0 has no chunks.
    if (const auto encoding = request.headers.find("transfer-encoding")) {
      if (request.headers.count("transfer-encoding") > 1 || *encoding != "chunked" || !chunked() ||
          request.version != 11) {
        refuse(400, "The only transfer encoding understood is 'chunked', once, in HTTP/1.1.");
        return stop(ec);
      }
    }
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
      const auto [name, value] = request.headers.at(i);
      if (equal_ignoring_case(name, "content-encoding") &&
          !equal_ignoring_case(value, "identity")) {
        refuse(415, "Compressed request bodies are not taken.");
        return stop(ec);
      }
    }
    if (const auto expect = request.headers.find("expect")) {
      if (!equal_ignoring_case(*expect, "100-continue")) {
        refuse(417, "The only expectation understood is '100-continue'.");
        return stop(ec);
      }
      expects_continue = true;
    }
    request.keep_alive = keep_alive();
    state = State::kBody;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         beast::error_code& /*ec*/) override {
    constexpr std::uint64_t kReserve = 1U << 20U;  // more is reserved as it arrives
    if (length)
      request.body.reveal().reserve(static_cast<std::size_t>(std::min(*length, kReserve)));
  }

  std::size_t on_body_impl(beast::string_view body, beast::error_code& /*ec*/) override {
    request.body.reveal().append(body.data(), body.size());
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/,
                            beast::error_code& /*ec*/) override {}

  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, beast::string_view body,
                                 beast::error_code& /*ec*/) override {
    request.body.reveal().append(body.data(), body.size());
    return body.size();
  }

  void on_finish_impl(beast::error_code& /*ec*/) override { state = State::kComplete; }

  std::size_t header_bytes_left_;
};

RequestReader::RequestReader(const ReaderLimits& limits)
    : parser_(std::make_unique<Parser>(limits)) {}
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;
RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view input) {
  Parser& parser = *parser_;
  std::size_t consumed = 0;
  while (consumed < input.size() && parser.state != State::kComplete &&
         parser.state != State::kRefused) {
    beast::error_code ec;
    const std::size_t used =
        parser.put(boost::asio::const_buffer(input.data() + consumed, input.size() - consumed), ec);
    if (parser.folds.found_in(input.substr(consumed, used))) {
      parser.state = State::kHeader;  // whatever else is wrong with it: no matter how it was cut
      parser.refuse(400, "A header field must not go on in the next line.");
    }
    consumed += used;
    if (parser.state == State::kRefused) break;
    if (ec == beast::http::error::need_more) break;
    if (ec) {
      if (ec == beast::http::error::body_limit) {
        parser.refuse(413, "The request body is larger than this server takes.");
      } else if (ec == beast::http::error::header_limit) {
        parser.refuse(431, "The request header is larger than this server takes.");
      } else if (ec == beast::http::error::bad_version) {
        parser.refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
      } else {
        parser.refuse(400, "The request is not well-formed HTTP/1.1.");
      }
      break;
    }
    if (used == 0) break;
  }
  return consumed;
}

RequestReader::State RequestReader::state() const noexcept { return parser_->state; }

bool RequestReader::take_expects_continue() noexcept {
  return parser_->state == State::kBody && std::exchange(parser_->expects_continue, false);
}

int RequestReader::status() const noexcept { return parser_->refused_status; }
std::string_view RequestReader::reason() const noexcept { return parser_->refused_reason; }

Request RequestReader::take() {
  CANDOR_CHECK(parser_->state == State::kComplete);
  return std::move(parser_->request);
}

}  // namespace candor::http
