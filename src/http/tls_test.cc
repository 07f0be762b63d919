#include "http/tls.h"

#include <array>
#include <csignal>
#include <cstdint>
#include <future>
#include <thread>

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "http/server.h"
#include "http/testing/certificates.h"

namespace candor::http {
namespace {

using testing::Authority;
using testing::Credentials;
using ::testing::HasSubstr;

constexpr std::int64_t kNow = 0;  // before every certificate's end

Result<std::shared_ptr<const TlsContext>> server_context(const Credentials& credentials,
                                                         const std::string& client_ca = {},
                                                         bool required = false) {
  return TlsContext::server({.certificate_pem = credentials.certificate_pem,
                             .key_pem = Sensitive<std::string>(credentials.key_pem),
                             .client_ca_pem = client_ca,
                             .client_required = required},
                            kNow);
}

std::string problem(const Result<std::shared_ptr<const TlsContext>>& result) {
  return result ? "(accepted)" : result.error().message();
}

TEST(TlsContextTest, AWrongCertificateOrKeySaysWhatIsWrong) {
  const Authority authority;
  const Credentials one = authority.issue();
  const Credentials two = authority.issue();
  EXPECT_OK(server_context(one));
  EXPECT_THAT(problem(server_context({"nonsense", one.key_pem})), HasSubstr("no PEM certificate"));
  EXPECT_THAT(problem(server_context({one.certificate_pem, "nonsense"})),
              HasSubstr("no PEM private key"));
  EXPECT_THAT(problem(server_context({one.certificate_pem, two.key_pem})),
              HasSubstr("does not belong"));
  EXPECT_THAT(problem(server_context(one, "nonsense")), HasSubstr("authorities"));
  const auto expired = TlsContext::server(
      {.certificate_pem = one.certificate_pem, .key_pem = Sensitive<std::string>(one.key_pem)},
      std::int64_t{1} << 40);
  EXPECT_THAT(problem(expired), HasSubstr("expired"));
}

// Echoes bodies; /peer says who the certificate names; /stream writes and ends; /cut breaks off.
class TestHandler final : public Handler {
 public:
  Task<void> handle(Call& call) override {
    const std::string path = call.request().path;
    if (path == "/stream" || path == "/cut") {
      EXPECT_OK(call.start(200, {}));
      (void)co_await call.write("half");
      if (path == "/cut") {
        call.abort();
      } else {
        (void)co_await call.finish();
      }
      co_return;
    }
    Reply reply;
    reply.body = path == "/peer" ? call.peer().certificate_name().value_or("nobody")
                                 : call.request().body.reveal();
    EXPECT_TRUE(call.peer().over_tls());
    EXPECT_TRUE(call.request().over_tls);
    (void)co_await call.reply(std::move(reply));
  }
  std::string refusal(const Peer&, int, std::string_view reason) override {
    return std::string(reason);
  }
};

// A client that blocks.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  ~Client() {
    session_.reset();
    ::close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Empty, or why the server's certificate was not accepted.
  std::string secure(std::shared_ptr<const TlsContext> context, const std::string& name) {
    session_ = *TlsSession::connect(std::move(context), fd_, name);
    if (session_->handshake().state == Io::State::kDone) return {};
    return session_->refusal().empty() ? "failed" : session_->refusal();
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const Io io = session_->write(bytes);
      ASSERT_EQ(io.state, Io::State::kDone);
      bytes.remove_prefix(io.bytes);
    }
  }
  // To the end; `clean` says whether the server said it.
  std::string read_all(bool* clean = nullptr) {
    std::string out;
    std::array<char, 4'096> buffer{};
    for (;;) {
      const Io io = session_->read(buffer);
      if (io.state != Io::State::kDone) {
        if (clean != nullptr) *clean = io.state == Io::State::kEnd;
        return out;
      }
      out.append(buffer.data(), io.bytes);
    }
  }
  int fd() const { return fd_; }
  TlsSession& session() { return *session_; }

 private:
  int fd_;
  std::unique_ptr<TlsSession> session_;
};

class TlsTest : public ::testing::Test {
 protected:
  void start(std::shared_ptr<const TlsContext> context, ServerOptions options = {}) {
    std::signal(SIGPIPE, SIG_IGN);
    server_.emplace(io_, options, handler_, system_clock(), nullptr);
    server_->set_tls(std::move(context));
    ASSERT_OK(server_->listen(TcpAddress{.tls = true}));
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    asio::co_spawn(io_, server_->drain(std::chrono::milliseconds(0)), asio::detached);
    thread_.join();
    EXPECT_EQ(server_->open_connections(), 0U);
  }
  std::shared_ptr<const TlsContext> trusting() {
    return *TlsContext::client({.ca_pem = authority_.certificate_pem()});
  }
  std::uint16_t port() const { return server_->tls_port(); }
  std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  }

  Authority authority_;
  asio::io_context io_{1};
  TestHandler handler_;
  std::optional<Server> server_;
  std::thread thread_;
};

TEST_F(TlsTest, ABodyOfManyRecordsComesBackWhole) {
  start(*server_context(authority_.issue()));
  Client client(port());
  ASSERT_EQ(client.secure(trusting(), "localhost"), "");
  std::string body(3'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  std::thread sender([&] {
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  sender.join();  // the server reads all before it answers
  bool clean = false;
  const std::string answer = client.read_all(&clean);
  EXPECT_TRUE(clean);
  ASSERT_GT(answer.size(), body.size());
  EXPECT_EQ(answer.substr(answer.size() - body.size()), body);
}

TEST_F(TlsTest, KeepAliveServesManyRequestsOnOneHandshake) {
  start(*server_context(authority_.issue()));
  Client client(port());
  ASSERT_EQ(client.secure(trusting(), "127.0.0.1"), "");
  for (int i = 0; i < 3; ++i) {
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    std::string answer;
    std::array<char, 512> buffer{};
    while (!answer.ends_with("hi")) {
      const Io io = client.session().read(buffer);
      ASSERT_EQ(io.state, Io::State::kDone);
      answer.append(buffer.data(), io.bytes);
    }
    EXPECT_THAT(answer, HasSubstr("200 OK"));
  }
}

TEST_F(TlsTest, TheEndOfAWholeAnswerIsSaidAndThatOfABrokenOneIsNot) {
  start(*server_context(authority_.issue()));
  for (const auto& [path, whole] : {std::pair{"/stream", true}, std::pair{"/cut", false}}) {
    Client client(port());
    ASSERT_EQ(client.secure(trusting(), "localhost"), "");
    client.send(get(path));
    bool clean = !whole;
    (void)client.read_all(&clean);
    EXPECT_EQ(clean, whole) << path;
  }
}

TEST_F(TlsTest, AClientThatTrustsAnotherAuthorityOrAnotherNameRefusesUs) {
  start(*server_context(authority_.issue()));
  const Authority other;
  Client first(port());
  EXPECT_THAT(first.secure(*TlsContext::client({.ca_pem = other.certificate_pem()}), "localhost"),
              HasSubstr("certificate"));
  Client second(port());
  EXPECT_THAT(second.secure(trusting(), "other.example"), HasSubstr("ostname mismatch"));
  Client third(port());
  EXPECT_EQ(third.secure(trusting(), "localhost"), "");  // and the server still serves
}

TEST_F(TlsTest, ANewContextIsInForceForTheNextConnectionAndTheOldOneGoesOn) {
  start(*server_context(authority_.issue()));
  Client before(port());
  ASSERT_EQ(before.secure(trusting(), "localhost"), "");
  const Authority next;
  std::promise<void> done;
  asio::post(io_, [&] {
    server_->set_tls(*server_context(next.issue()));
    done.set_value();
  });
  done.get_future().wait();
  Client after(port());
  EXPECT_EQ(after.secure(*TlsContext::client({.ca_pem = next.certificate_pem()}), "localhost"), "");
  before.send(get("/peer"));
  EXPECT_THAT(before.read_all(), HasSubstr("nobody"));
}

struct NamedCase {
  const char* common_name;
  const char* alternatives;
  const char* expected;
};
class ClientNameTest : public TlsTest, public ::testing::WithParamInterface<NamedCase> {};
TEST_P(ClientNameTest, AVerifiedClientCertificateNamesItsHolder) {
  start(*server_context(authority_.issue(), authority_.certificate_pem()));
  const Credentials mine = authority_.issue(
      {.common_name = GetParam().common_name, .alternative_names = GetParam().alternatives});
  // The context of a client never sends a certificate, so the test talks to OpenSSL itself.
  const std::shared_ptr<const TlsContext> held = trusting();
  SSL_CTX* context = static_cast<SSL_CTX*>(held->native());
  BIO* bio = BIO_new_mem_buf(mine.certificate_pem.data(), -1);
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(mine.key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  Client client(port());
  ASSERT_EQ(client.secure(held, "localhost"), "");
  client.send(get("/peer"));
  EXPECT_THAT(client.read_all(), ::testing::EndsWith(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(Names, ClientNameTest,
                         ::testing::Values(NamedCase{"Ada Lovelace", "", "\r\n\r\nAda Lovelace"},
                                           NamedCase{"ada", "DNS:a.example,email:ada@example.org",
                                                     "\r\n\r\nada@example.org"},
                                           NamedCase{"ada",
                                                     "DNS:a.example,URI:spiffe://example.org/ada",
                                                     "\r\n\r\nspiffe://example.org/ada"},
                                           NamedCase{"a\x1b[31mb", "", ""}));

TEST_F(TlsTest, AClientWithoutTheCertificateThatIsRequiredGetsNoAnswer) {
  start(*server_context(authority_.issue(), authority_.certificate_pem(), /*required=*/true));
  Client client(port());
  // In TLS 1.3 the client's handshake ends before the server has looked; the first read fails.
  if (client.secure(trusting(), "localhost").empty()) {
    (void)client.session().write(get("/peer"));
    EXPECT_EQ(client.read_all(), "");
  }
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefusedEvenWhereNoneIsNeeded) {
  start(*server_context(authority_.issue(), authority_.certificate_pem()));
  Client without(port());
  ASSERT_EQ(without.secure(trusting(), "localhost"), "");
  without.send(get("/peer"));
  EXPECT_THAT(without.read_all(), HasSubstr("nobody"));
}

TEST_F(TlsTest, PlainHttpIsToldThatThisPortSpeaksTls) {
  start(*server_context(authority_.issue()));
  const Client client(port());
  const std::string request = get("/");
  ASSERT_EQ(::send(client.fd(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string answer(512, '\0');
  const ssize_t size = ::recv(client.fd(), answer.data(), answer.size(), 0);
  ASSERT_GT(size, 0);
  answer.resize(static_cast<std::size_t>(size));
  EXPECT_THAT(answer, HasSubstr("400 Bad Request"));
  EXPECT_THAT(answer, HasSubstr("speaks TLS"));
}

TEST_F(TlsTest, Version11IsRefusedAndVersion12IsSpoken) {
  start(*server_context(authority_.issue()));
  for (const auto& [version, spoken] :
       {std::pair{TLS1_1_VERSION, false}, std::pair{TLS1_2_VERSION, true}}) {
    const auto held = trusting();
    SSL_CTX* context = static_cast<SSL_CTX*>(held->native());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_cipher_list(context, "ALL");
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, version);
    Client client(port());
    EXPECT_EQ(client.secure(held, "localhost").empty(), spoken) << version;
  }
}

TEST_F(TlsTest, AHandshakeThatNeverEndsIsCutOff) {
  ServerOptions options;
  options.header_timeout = std::chrono::milliseconds(300);
  start(*server_context(authority_.issue()), options);
  const Client client(port());
  char byte = 0;
  EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 0);  // waits for the server to close
}

TEST_F(TlsTest, GarbageInsteadOfAHandshakeEndsThatConnectionOnly) {
  start(*server_context(authority_.issue()));
  for (int i = 0; i < 20; ++i) {
    const Client client(port());
    std::string garbage(100 + static_cast<std::size_t>(i) * 50, static_cast<char>(i * 13));
    garbage.front() = '\x16';
    (void)::send(client.fd(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    ::shutdown(client.fd(), SHUT_WR);
    char byte = 0;
    while (::recv(client.fd(), &byte, 1, 0) > 0) {
    }
  }
  Client client(port());
  EXPECT_EQ(client.secure(trusting(), "localhost"), "");
}

}  // namespace
}  // namespace candor::http
