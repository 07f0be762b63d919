// What every verb starts from: the configuration in force, where the server is, how to show things.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "http_client.h"
#include "json/json.h"
#include "output.h"

namespace candor::cli {

inline constexpr std::string_view kVersion = "0.1.0";

// Flags that stand before or after any verb.
struct GlobalOptions {
  std::string config_file;
  std::string data_dir;
  std::vector<config::NameValue> flags;  // of `candor serve`: configuration keys and texts
  bool json = false;
  bool raw = false;
};

class Context {
 public:
  // Reads the configuration: kInvalidArgument lists its mistakes.
  [[nodiscard]] static Result<Context> open(const GlobalOptions& options);

  [[nodiscard]] const config::Config& config() const noexcept { return config_; }
  [[nodiscard]] const Output& out() const noexcept { return out_; }
  [[nodiscard]] const std::filesystem::path& data_dir() const noexcept { return config_.data_dir; }
  [[nodiscard]] Endpoint admin() const;
  // The API's Unix socket where one is and admits this user, else its TCP address.
  [[nodiscard]] Endpoint api() const;

 private:
  Context(config::Config config, OutputOptions output) : config_(std::move(config)), out_(output) {}
  config::Config config_;
  Output out_;
};

// The same sources for start and reload.
[[nodiscard]] Result<config::Config> read_config(const GlobalOptions& options);
// And with "store:NAME" made the file of that model and its digest, which the server then insists
// on. kFailedPrecondition: a model that is not in the store, or is more than one file.
[[nodiscard]] Result<config::Config> read_served_config(const GlobalOptions& options);
// The folder of this program's file; its companions lie beside it.
[[nodiscard]] std::filesystem::path program_folder();

// One administrative call. The reply's JSON object, or the server's error as an Error with its
// code.
[[nodiscard]] Result<json::Object> admin_call(const Context& context, std::string_view method,
                                              const std::string& target,
                                              const json::Object& body = {});
// The same for a reply that is text (receipts, metrics).
[[nodiscard]] Result<std::string> admin_text(const Context& context, const std::string& target);
// An error reply of any of our listeners (admin, OpenAI's or Anthropic's shape) as an Error.
[[nodiscard]] Error reply_error(const HttpReply& reply);

// Members of a reply, or a default where they are absent or of another type.
[[nodiscard]] std::string text_of(const json::Object& object, std::string_view key);
[[nodiscard]] std::uint64_t number_of(const json::Object& object, std::string_view key);
[[nodiscard]] const json::Array& array_of(const json::Object& object, std::string_view key);
[[nodiscard]] const json::Object& object_of(const json::Object& object, std::string_view key);

[[nodiscard]] std::string percent_encode(std::string_view text);
[[nodiscard]] bool is_exchange_id(std::string_view text);  // 32 lower-case hex digits

// Files of the user's: whole, bounded; written with a mode, atomically, folders made (0700).
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& path,
                                                 std::size_t max_bytes = 64U << 20U);
[[nodiscard]] Result<void> write_text_file(const std::filesystem::path& path, std::string_view text,
                                           unsigned mode = 0600);

}  // namespace candor::cli
