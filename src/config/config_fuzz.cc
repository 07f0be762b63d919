// No candor.toml crashes the reader; what is accepted listens on loopback only, keeps every value
// in its bounds, and reading it again with each setting given as a flag changes nothing.
#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  config::Sources sources;
  sources.data_dir = "/data";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = config::parse_config(text, "/etc/candor.toml", sources);
  if (!config) {
    CANDOR_CHECK(config.error().code() == Code::kInvalidArgument);
    CANDOR_CHECK(strip_controls(config.error().message()) == config.error().message());
    return 0;
  }
  if (config->listen.tcp) {
    const std::string& address = config->listen.tcp->address;
    CANDOR_CHECK(address.starts_with("127.") || address.ends_with("1"));
  }
  CANDOR_CHECK(config->limits.max_tokens >= 1 && config->limits.max_connections >= 1);
  CANDOR_CHECK(config->ledger.publish_interval <= std::chrono::seconds(1));
  CANDOR_CHECK(config->settings.size() == config::keys().size());
  for (const config::Model& model : config->models) {
    CANDOR_CHECK(!model.name.empty() && model.path.empty() != model.upstream.empty());
    CANDOR_CHECK(model.slots >= 1);
  }
  for (const config::Setting& setting : config->settings) {
    // A comma inside a list's item cannot be said in a flag.
    if (setting.key->kind != config::Kind::kTexts) {
      sources.flags.emplace_back(setting.key->name, setting.value);
    }
  }
  const auto again = config::parse_config(text, "/etc/candor.toml", sources);
  CANDOR_CHECK(again.has_value() && config::diff(*config, *again).empty());
  return 0;
}
