#include "config/config.h"

#include <gtest/gtest.h>

#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"

namespace candor::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Sources base_sources() {
  Sources sources;
  sources.data_dir = "/var/lib/candor";
  return sources;
}

Result<Config> parse(std::string_view toml, const Sources& sources = base_sources()) {
  return parse_config(toml, "/etc/candor/candor.toml", sources);
}

std::string problem(std::string_view toml) {
  const auto config = parse(toml);
  if (config) return "(accepted)";
  EXPECT_EQ(config.error().code(), Code::kInvalidArgument);
  return config.error().message();
}

TEST(ConfigTest, AnEmptyFileGivesTheDefaults) {
  const auto config = parse("");
  ASSERT_OK(config);
  EXPECT_EQ(config->data_dir, "/var/lib/candor");
  EXPECT_EQ(config->listen.tcp->address, "127.0.0.1");
  EXPECT_EQ(config->listen.tcp->port, 8421);
  EXPECT_EQ(config->listen.unix_socket, "/var/lib/candor/run/api.sock");
  EXPECT_EQ(config->listen.admin_socket, "/var/lib/candor/run/admin.sock");
  EXPECT_EQ(config->content.mode, ContentMode::kSealed);
  EXPECT_FALSE(config->content.retention.has_value());
  EXPECT_EQ(config->engine.unconfined, Unconfined::kRefuse);
  EXPECT_EQ(config->ledger.progress_interval, Milliseconds(2'000));
  EXPECT_EQ(config->ledger.progress_bytes, 4'096U);
  EXPECT_THAT(config->identity.os_users, ElementsAre("*"));
  EXPECT_THAT(config->models, IsEmpty());
  for (const Setting& setting : config->settings) EXPECT_EQ(setting.where, "default");
}

TEST(ConfigTest, FlagsWinOverEnvironmentOverFileOverDefaultAndEachSaysSo) {
  Sources sources = base_sources();
  sources.environment = {{"CANDOR_LIMITS_MAX_TOKENS", "200"}, {"CANDOR_LOG_LEVEL", "debug"}};
  sources.flags = {{"limits.max_tokens", "300"}};
  const auto config =
      parse("[limits]\nmax_tokens = 100\nmax_messages = 7\n[log]\nlevel = \"error\"\n", sources);
  ASSERT_OK(config);
  EXPECT_EQ(config->limits.max_tokens, 300);
  EXPECT_EQ(config->limits.max_messages, 7);
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->setting("limits.max_tokens")->where, "command line");
  EXPECT_EQ(config->setting("limits.max_messages")->where, "candor.toml:3");
  EXPECT_EQ(config->setting("log.level")->where, "CANDOR_LOG_LEVEL");
  EXPECT_EQ(config->setting("log.level")->origin, Origin::kEnvironment);
  EXPECT_EQ(config->setting("log.format")->origin, Origin::kDefault);
  EXPECT_EQ(config->setting("nothing"), nullptr);
}

TEST(ConfigTest, AnUnknownKeyNamesItsPlaceAndTheNearestKey) {
  EXPECT_EQ(problem("\n[listen]\nadress = \"127.0.0.1:1\"\n"),
            "candor.toml:3: unknown key 'listen.adress'; did you mean 'listen.address'?");
  EXPECT_THAT(problem("max_tokens = 5"), HasSubstr("did you mean 'limits.max_tokens'?"));
  EXPECT_THAT(problem("[[model]]\nname='m'\npath='m'\nslot = 2"),
              HasSubstr("did you mean 'model.slots'?"));
  EXPECT_EQ(problem("entirely = 1"), "candor.toml:1: unknown key 'entirely'");
  EXPECT_THAT(problem("[limits.deeper]\nx = 1"), HasSubstr("unknown key 'limits.deeper'"));
  EXPECT_THAT(problem("[listen]\ntls_certificat = \"a\""), HasSubstr("listen.tls_certificate"));
}

TEST(ConfigTest, AllMistakesAreReportedAtOnce) {
  const std::string text = problem(
      "[limits]\nmax_tokens = 0\nmax_body_bytes = \"16\"\nheader_timeout = 10\n"
      "strict_fields = \"yes\"\n[content]\nmode = \"open\"\n[identity]\nos_users = 0\n"
      "forwarder_uids = [\"a\"]\n[log]\nlevel = 3\n");
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("candor.toml:2: limits.max_tokens must be between 1 and"),
            HasSubstr("candor.toml:3: limits.max_body_bytes must be between 1KiB and 1GiB"),
            HasSubstr("candor.toml:4: limits.header_timeout must be a duration with its unit"),
            HasSubstr("candor.toml:5: limits.strict_fields must be true or false"),
            HasSubstr("candor.toml:7: content.mode must be sealed or none"),
            HasSubstr("candor.toml:9: identity.os_users must be a text or a list of texts"),
            HasSubstr("candor.toml:10: identity.forwarder_uids must be a list of integers"),
            HasSubstr("candor.toml:12: log.level must be a text")));
}

TEST(ConfigTest, A9_ListeningBeyondLoopbackIsRefusedWithTheFix) {
  for (const std::string_view address : {"0.0.0.0:8421", "192.168.1.5:8421", "[::]:8421",
                                         "[fe80::1]:8421", "[::ffff:127.0.0.1]:8421"}) {
    const std::string text = problem("[listen]\naddress = \"" + std::string(address) + "\"");
    EXPECT_THAT(text, AllOf(HasSubstr("refused"), HasSubstr("listen.tls_address = "))) << address;
  }
  for (const std::string_view address : {"localhost:8421", "127.0.0.1", "127.0.0.1:70000", ":8421",
                                         "::1:8421", "127.1:8421", "127.0.0.1:08421"}) {
    EXPECT_THAT(problem("[listen]\naddress = \"" + std::string(address) + "\""),
                HasSubstr("must be a numeric address and a port"))
        << address;
  }
  for (const std::string_view address : {"127.0.0.1:0", "127.9.9.9:80", "[::1]:8421", "none"}) {
    EXPECT_OK(parse("[listen]\naddress = \"" + std::string(address) + "\"")) << address;
  }
}

TEST(ConfigTest, B6_ListeningBeyondLoopbackTakesACertificateAndAKey) {
  const auto config = parse(
      "[listen]\ntls_address = \"0.0.0.0:8443\"\ntls_certificate = \"server.pem\"\n"
      "tls_key = \"/keys/server.key\"\ntls_client_ca = \"ca.pem\"\ntls_client = \"required\"\n");
  ASSERT_OK(config);
  EXPECT_EQ(config->listen.tcp->address, "127.0.0.1");  // as ever
  EXPECT_EQ(config->listen.tls->address.address, "0.0.0.0");
  EXPECT_EQ(config->listen.tls->address.port, 8443);
  EXPECT_EQ(config->listen.tls->certificate, "/etc/candor/server.pem");
  EXPECT_EQ(config->listen.tls->key, "/keys/server.key");
  EXPECT_TRUE(config->listen.tls->client_required);

  EXPECT_THAT(problem("[listen]\ntls_address = \"0.0.0.0:8443\""),
              AllOf(HasSubstr("needs listen.tls_certificate"), HasSubstr("needs listen.tls_key")));
  EXPECT_THAT(problem("[listen]\ntls_certificate = \"a\"\ntls_key = \"b\""),
              HasSubstr("listen.tls_address is none"));
  EXPECT_THAT(problem("[listen]\ntls_address = \"0.0.0.0:1\"\ntls_certificate = \"a\"\n"
                      "tls_key = \"b\"\ntls_client = \"required\""),
              HasSubstr("needs listen.tls_client_ca"));
}

TEST(ConfigTest, B5_AnUpstreamHasReplicasAKeyFileAuthoritiesAndAProxy) {
  const auto config = parse(
      "[upstream]\nretries = 1\nhealth_interval = \"never\"\n[[model]]\nname = \"a\"\n"
      "upstream = [\"https://one.example/v1\", \"https://two.example/v1\"]\n"
      "upstream_model = \"big\"\nupstream_kind = \"vllm\"\nupstream_key_file = \"key\"\n"
      "upstream_ca = \"ca.pem\"\nupstream_proxy = \"http://proxy.example:3128\"\n"
      "[[model]]\nname = \"b\"\nupstream = \"tcp:127.0.0.1:9000\"\n");
  ASSERT_OK(config);
  const Model& a = config->models[0];
  EXPECT_THAT(a.upstream, ElementsAre("https://one.example/v1", "https://two.example/v1"));
  EXPECT_EQ(a.upstream_kind, "vllm");
  EXPECT_EQ(a.upstream_key_file, "/etc/candor/key");
  EXPECT_EQ(a.upstream_proxy, "http://proxy.example:3128");
  EXPECT_THAT(config->models[1].upstream, ElementsAre("tcp:127.0.0.1:9000"));
  EXPECT_EQ(config->models[1].upstream_kind, "openai");
  EXPECT_EQ(config->upstream.retries, 1);
  EXPECT_FALSE(config->upstream.health_interval);

  EXPECT_THAT(problem("[[model]]\nname = \"a\"\nupstream = \"one.example\""),
              HasSubstr("is written https://HOST"));
  EXPECT_THAT(problem("[[model]]\nname = \"a\"\npath = \"a\"\nupstream_ca = \"ca\""),
              HasSubstr("no use for"));
  EXPECT_THAT(
      problem("[[model]]\nname = \"a\"\nupstream = \"tcp:[::1]:1\"\nupstream_proxy = \"p:1\""),
      HasSubstr("http://HOST:PORT"));
}

TEST(ConfigTest, ModelsComeFromFileAndFlags) {
  Sources sources = base_sources();
  sources.environment = {{"HOME", "/home/ada"}};
  sources.flags = {{"model", "/data/Tiny.Model Q4.gguf"}, {"model", "b=/new/b.gguf"}};
  const auto config = parse(R"(
[[model]]
name = "b"
path = "b.gguf"
slots = 2
[[model]]
name = "a"
path = "~/a.gguf"
context = 4096
sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
flags = ["--flash-attn", "on", "-ngl", "-1", "--no-mmap"]
)",
                            sources);
  ASSERT_OK(config);
  ASSERT_EQ(config->models.size(), 3U);
  EXPECT_EQ(config->models[0].name, "a");
  EXPECT_EQ(config->models[0].path, "/home/ada/a.gguf");
  EXPECT_EQ(to_hex(*config->models[0].sha256).substr(0, 8), "b179c952");
  EXPECT_EQ(config->models[1].path, "/new/b.gguf");
  EXPECT_EQ(config->models[1].slots, 2);
  EXPECT_EQ(config->models[2].name, "tiny.model-q4");
  EXPECT_EQ(config->models[2].origin, "--model");
}

TEST(ConfigTest, ModelsThatCannotBeServedAreRefused) {
  EXPECT_THAT(problem("[[model]]\nname = \"a\""), HasSubstr("needs a path"));
  EXPECT_THAT(problem("[[model]]\npath = \"a\""), HasSubstr("needs a name"));
  EXPECT_THAT(problem("[[model]]\nname = \"a b\"\npath = \"a\""), HasSubstr("needs a name"));
  EXPECT_THAT(problem("[[model]]\nname='a'\npath='x'\n[[model]]\nname='a'\npath='y'"),
              HasSubstr("two models named 'a'"));
  EXPECT_THAT(problem("[model]\nname = \"a\""), HasSubstr("[[model]]"));
  EXPECT_THAT(problem("[[model]]\nname='a'\npath='x'\nsha256='abc'"), HasSubstr("64 lower-case"));
}

TEST(ConfigTest, EngineFlagsAreAnAllowList) {
  for (const std::string_view flag : {"--host", "--port", "--api-key", "--lora", "-m", "--mmproj",
                                      "--log-file", "--slot-save-path", "--verbose", "--props",
                                      "--host=0.0.0.0", "--tools", "-hf", "--rpc", "stray"}) {
    EXPECT_THAT(problem("[[model]]\nname='a'\npath='x'\nflags=['" + std::string(flag) + "']"),
                HasSubstr("model.flags"))
        << flag;
  }
  EXPECT_THAT(problem("[[model]]\nname='a'\npath='x'\nflags=['--jinja','x','y']"),
              HasSubstr("'y' follows no flag"));
}

TEST(ConfigTest, PathsStartWhereTheyWereWritten) {
  const auto config = parse(
      "data_dir = \"data\"\n[listen]\nunix_socket = \"s/api.sock\"\n"
      "[engine]\nbinary = \"bin/engine\"");
  ASSERT_OK(config);
  EXPECT_EQ(config->data_dir, "/etc/candor/data");
  EXPECT_EQ(config->listen.unix_socket, "/etc/candor/data/s/api.sock");
  EXPECT_EQ(config->engine.binary, "/etc/candor/bin/engine");
  EXPECT_THAT(problem("data_dir = \"/" + std::string(120, 'x') + "\""), HasSubstr("too long"));
  EXPECT_THAT(problem("[listen]\nunix_socket = \"run/admin.sock\""),
              HasSubstr("the administration's own socket"));
}

TEST(ConfigTest, ATomlMistakeNamesItsLine) {
  EXPECT_THAT(problem("[limits]\nmax_tokens = \n"), HasSubstr("candor.toml:2: "));
  EXPECT_THAT(problem("[limits]\nmax_tokens = 1\nmax_tokens = 2\n"), HasSubstr("candor.toml:3: "));
  EXPECT_THAT(problem("a = \"\\u001b[31m\""), HasSubstr("unknown key 'a'"));
  EXPECT_THAT(problem("data_dir = \"\\u001b[31m\""), HasSubstr("control character"));
}

// toml++ 3.3 reached undefined behaviour on such keys; found by config_fuzz.
TEST(ConfigTest, LettersOutsideQuotesAreAscii) {
  EXPECT_THAT(problem("\na\xD2\x97.c = 1"), HasSubstr("candor.toml:2: "));
  EXPECT_THAT(problem("a = \"b\n\xD2\x97 = 1"), HasSubstr("candor.toml:1: "));
  EXPECT_OK(
      parse("# \xD2\x97 \" '\n[identity]\nos_users = [\"J\u00F6rg\", 'a\u00E9\\', "
            "\"\"\"\\\"\u00E9\"\"\"\"\"] # \u00E9\n"));
}

TEST(ConfigTest, AMistypedVariableIsAWarningAndAStrangeOneIsNot) {
  Sources sources = base_sources();
  sources.environment = {
      {"CANDOR_LISTN_ADDRESS", "x"}, {"CANDOR_API_KEY", "k"}, {"CANDOR_ZZ", "1"}};
  const auto config = parse("", sources);
  ASSERT_OK(config);
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("did you mean CANDOR_LISTEN_ADDRESS?")));
  sources.environment = {{"CANDOR_LIMITS_MAX_TOKENS", "many"}};
  EXPECT_EQ(parse("", sources).error().message(),
            "CANDOR_LIMITS_MAX_TOKENS: limits.max_tokens must be an integer");
  sources.environment.clear();
  sources.flags = {{"limits.max_token", "1"}};
  EXPECT_EQ(parse("", sources).error().message(),
            "command line: unknown key 'limits.max_token'; did you mean 'limits.max_tokens'?");
}

TEST(ConfigTest, DiffSaysWhatAReloadChanges) {
  const auto before = *parse("[[model]]\nname='a'\npath='/a'\n[[model]]\nname='b'\npath='/b'");
  const auto after = *parse(
      "[limits]\nmax_tokens = 5\nmax_connections = 9\nmax_body_bytes = \"16384KiB\"\n"
      "[[model]]\nname='b'\npath='/b'\nslots=2\n[[model]]\nname='c'\npath='/c'");
  const auto changes = diff(before, after);
  ASSERT_EQ(changes.size(), 5U);  // max_body_bytes is the same as the default's 16MiB
  EXPECT_EQ(changes[0].key, "limits.max_connections");
  EXPECT_EQ(changes[0].effect, Effect::kRestart);
  EXPECT_EQ(changes[1].key, "limits.max_tokens");
  EXPECT_EQ(changes[1].before, "32768");
  EXPECT_EQ(changes[1].after, "5");
  EXPECT_EQ(changes[1].effect, Effect::kReload);
  EXPECT_EQ(changes[2].key, "model.a");
  EXPECT_EQ(changes[2].after, "");
  EXPECT_EQ(changes[3].key, "model.b");
  EXPECT_EQ(changes[4].key, "model.c");
  EXPECT_THAT(diff(before, before), IsEmpty());
}

TEST(ConfigTest, C8_BudgetsAndPrioritiesAreReadAndAReloadSaysThatTheyChanged) {
  const auto before = *parse("[[budget]]\nsubject='user:*'\nrequests=5\n");
  const auto after = *parse(
      "[[budget]]\nsubject='user:*'\nrequests=6\n"
      "[[budget]]\nsubject='team:a b'\nwindow='day'\ntokens_out=7\nstreams=1\n"
      "[[priority]]\nsubject='key:k'\nclass='low'\n");
  ASSERT_EQ(after.budgets.size(), 2U);
  EXPECT_EQ(after.budgets[1].kind, SubjectKind::kTeam);
  EXPECT_EQ(after.budgets[1].name, "a b");
  EXPECT_EQ(after.budgets[1].window, BudgetWindow::kDay);
  EXPECT_EQ(after.priorities[0].turns, TurnClass::kLow);
  EXPECT_THAT(table_lines(after),
              ElementsAre(NameValue{"budget", "user:* month requests=6"},
                          NameValue{"budget", "team:a b day tokens_out=7 streams=1"},
                          NameValue{"priority", "key:k low"}));
  const auto changes = diff(before, after);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].key, "budget");
  EXPECT_EQ(changes[0].effect, Effect::kReload);
  EXPECT_EQ(changes[1].key, "priority");
}

TEST(ConfigTest, TheFileIsTheNamedOneOrTheFirstFound) {
  FaultyFileSystem fs;
  ASSERT_OK(fs.make_folders("/etc/candor"));
  Sources sources = default_sources({{"HOME", "/home/ada"}}, 1000);
  EXPECT_EQ(sources.data_dir, "/home/ada/.local/share/candor");
  auto config = load_config(fs, sources);
  ASSERT_OK(config);
  EXPECT_TRUE(config->file.empty());
  ASSERT_OK(
      write_file_atomically(fs, "/etc/candor/candor.toml", as_bytes("[limits]\nmax_tokens=3")));
  config = load_config(fs, sources);
  ASSERT_OK(config);
  EXPECT_EQ(config->file, "/etc/candor/candor.toml");
  EXPECT_EQ(config->limits.max_tokens, 3);
  sources.file = "/nowhere.toml";
  EXPECT_THAT(load_config(fs, sources), HasCode(Code::kNotFound));
  EXPECT_EQ(default_sources({{"HOME", "/root"}}, 0).data_dir, "/var/lib/candor");
  EXPECT_EQ(default_sources({{"CANDOR_CONFIG", "/c.toml"}}, 5).file, "/c.toml");
}

TEST(ConfigTest, TheExampleFileWithEveryKeyTakenInIsTheDefaults) {
  std::string text = example_file();
  for (std::size_t at = 0; (at = text.find("\n#", at)) != std::string::npos; ++at) {
    if (text.compare(at + 2, 1, " ") != 0) text.erase(at + 1, 1);
  }
  const std::size_t models = text.find("\n[[model]]");
  const std::string scalars = text.substr(0, models);
  auto config = parse(scalars);
  ASSERT_OK(config);
  EXPECT_THAT(diff(*parse(""), *config), IsEmpty());
  // A model's name and path have no default.
  EXPECT_THAT(problem(text), AllOf(HasSubstr("needs a path"), HasSubstr("needs a name")));
}

TEST(ConfigTest, TheReferenceDocumentIsTheTable) {
  const auto bytes =
      read_file(real_file_system(), Path(CANDOR_SOURCE_DIR) / "docs/configuration.md", 1U << 20U);
  ASSERT_OK(bytes);
  EXPECT_NE(as_text(*bytes).find(reference_markdown()), std::string_view::npos)
      << "put this into docs/configuration.md:\n"
      << reference_markdown();
}

}  // namespace
}  // namespace candor::config
