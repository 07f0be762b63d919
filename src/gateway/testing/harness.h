// A gateway with everything real but the ledger and the engine, on an io thread of its own; clients
// are plain sockets in the test's thread.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "gateway/gateway.h"
#include "gateway/testing/fake_ledger.h"
#include "gateway/testing/fake_upstream.h"
#include "store/key_table.h"

namespace candor::gateway {

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(&name.sun_path[0], sizeof name.sun_path - 1);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void post(std::string_view path, std::string_view body,
            std::string_view more_headers = {}) const {
    std::string text = "POST " + std::string(path) +
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: " +
                       std::to_string(body.size()) + "\r\nConnection: close\r\n" +
                       std::string(more_headers) + "\r\n" + std::string(body);
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void get(std::string_view path) const {
    const std::string text =
        "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  std::string read_until(std::string_view end) const {
    std::string out;
    char byte = 0;
    while ((end.empty() || out.find(end) == std::string::npos) && ::recv(fd_, &byte, 1, 0) == 1) {
      out.push_back(byte);
    }
    return out;
  }
  std::string read_all() const { return read_until(""); }
  // What has arrived by now, without waiting.
  std::string poll() const {
    std::string out(65'536, '\0');
    const ssize_t got = ::recv(fd_, out.data(), out.size(), MSG_DONTWAIT);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
  }

 private:
  int fd_;
};

class Harness : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    store::DataPaths paths{Path(folder_)};
    auto data = store::DataFolder::open(real_file_system(), Path(folder_));
    ASSERT_OK(data);
    data_.emplace(*std::move(data));
    auto table = store::KeyTable::open(real_file_system(), paths.key_table());
    ASSERT_OK(table);
    table_ = *std::move(table);
    auto state = store::StateDb::in_memory();
    ASSERT_OK(state);
    state_ = *std::move(state);
    auto keys = store::KeyRing::open(real_file_system(), paths, {}, *table_, *state_,
                                     system_random(), system_clock());
    ASSERT_OK(keys);
    keys_ = *std::move(keys);

    upstream_server_.emplace(io_, http::ServerOptions{}, upstream_, system_clock(), nullptr);
    ASSERT_OK(upstream_server_->listen(
        http::UnixAddress{.path = folder_ + "/engine", .mode = 0600, .group = {}}));
    engines_.emplace(io_, nullptr, acks_, stamp(), system_random());
    ASSERT_OK(engines_->set_upstreams(
        {{.name = "m", .replicas = {"unix:" + folder_ + "/engine"}, .model = "canned"}}));
    settings_.all_os_users = true;
    services_.emplace(Services{.io = io_,
                               .workers = workers_,
                               .clock = system_clock(),
                               .random = system_random(),
                               .ledger = ledger_,
                               .keys = *keys_,
                               .state = *state_,
                               .stamp = stamp(),
                               .acks = acks_,
                               .engines = *engines_,
                               .refusals = refusals_,
                               .metrics = metrics_,
                               .settings = std::make_shared<const Settings>(settings_),
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
    gateway_.emplace(*services_, standard_pipeline());
    server_.emplace(io_, http::ServerOptions{}, *gateway_, system_clock(), nullptr);
    ASSERT_OK(
        server_->listen(http::UnixAddress{.path = folder_ + "/api", .mode = 0600, .group = {}}));
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    if (thread_.joinable()) {
      ledger_.set_mode(FakeLedger::Mode::kAcknowledge);
      asio::co_spawn(io_, finish(), asio::detached);
      thread_.join();
    }
    workers_.join();
    std::filesystem::remove_all(folder_);
  }
  Task<void> finish() {
    co_await server_->drain(std::chrono::milliseconds(0));
    co_await engines_->close_upstreams();
    co_await upstream_server_->drain(std::chrono::milliseconds(0));
    io_.stop();
  }
  static Stamper stamp() {
    return [] {
      return ledger::Stamp{
          .time_us = system_clock().wall_us(), .boot = {}, .mono_us = system_clock().mono_us()};
    };
  }
  void on_io(std::function<void()> work) {
    std::promise<void> done;
    asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Runs the io thread until the condition holds there; a test that waits for ever is killed by its
  // time limit.
  void wait_for(const std::function<bool()>& condition) {
    for (bool met = false; !met; std::this_thread::yield()) {
      on_io([&] { met = condition(); });
    }
  }
  void change_settings(const std::function<void(Settings&)>& change) {
    on_io([&] {
      change(settings_);
      services_->settings = std::make_shared<const Settings>(settings_);
    });
  }
  std::string api() const { return folder_ + "/api"; }

  std::string folder_ = "/tmp/candor_gateway_XXXXXX";
  asio::io_context io_{1};
  asio::thread_pool workers_{1};
  FakeLedger ledger_;
  AckQueue acks_{io_, ledger_, system_clock()};
  Refusals refusals_{acks_, stamp(), system_clock()};
  Metrics metrics_;
  Settings settings_;
  FakeUpstream upstream_{io_};
  std::optional<store::DataFolder> data_;
  std::unique_ptr<store::KeyTable> table_;
  std::unique_ptr<store::StateDb> state_;
  std::unique_ptr<store::KeyRing> keys_;
  std::optional<http::Server> upstream_server_;
  std::optional<Engines> engines_;
  std::optional<Services> services_;
  std::optional<Gateway> gateway_;
  std::optional<http::Server> server_;
  std::thread thread_;
};

}  // namespace candor::gateway
