// bench_policy: how long a decision takes (C20).
//
// usage: bench_policy RULES.toml FACTS.cases.toml ROUNDS
//
// Decides about every case's facts, ROUNDS times, each decision timed by itself. Prints one JSON
// object: microseconds at the median, the 99th and 99.9th percentile, and which rules fired, which
// the caller compares with other implementations.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "json/json.h"
#include "policy/cases.h"

namespace {

using namespace candor;
using Time = std::chrono::steady_clock;

std::string read(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

double micros(Time::duration length) {
  return std::chrono::duration<double, std::micro>(length).count();
}

int refuse(const std::vector<policy::Finding>& findings) {
  for (const policy::Finding& finding : findings) std::cerr << policy::to_text(finding) << "\n";
  return 1;
}

std::string fired_ids(const policy::Decision& decision) {
  std::vector<std::string> ids;
  for (const policy::Fired& fired : decision.fired) ids.push_back(fired.rule->id);
  std::ranges::sort(ids);
  return fmt::format("{}", fmt::join(ids, ","));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bench_policy RULES.toml FACTS.cases.toml ROUNDS\n";
    return 2;
  }
  std::vector<policy::Finding> findings;
  std::vector<policy::RuleFile> files{policy::read_rule_file(read(argv[1]), argv[1], findings)};
  const policy::CaseFile cases = policy::read_case_file(read(argv[2]), argv[2], findings);
  if (!findings.empty() || cases.cases.empty()) return refuse(findings);
  const auto begin = Time::now();
  const auto compiled = policy::Policy::compile(std::move(files), nullptr);
  if (!compiled) return refuse(compiled.error());
  const double compile_s = micros(Time::now() - begin) / 1e6;

  policy::Policy::Scratch scratch;
  json::Array fired;
  for (const policy::PolicyCase& one : cases.cases) {  // and the memory is warm after it
    fired.emplace_back(fired_ids(compiled->decide(one.facts, scratch)));
  }
  std::vector<double> times;
  std::size_t rules_fired = 0;
  for (long round = std::strtol(argv[3], nullptr, 10); round > 0; --round) {
    for (const policy::PolicyCase& one : cases.cases) {
      const auto start = Time::now();
      const policy::Decision decision = compiled->decide(one.facts, scratch);
      times.push_back(micros(Time::now() - start));
      rules_fired += decision.fired.size();
    }
  }
  std::ranges::sort(times);
  const auto at = [&](double share) {
    return times[std::min(times.size() - 1,
                          static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  const json::Object out{{"rules", compiled->rules()}, {"unindexed", compiled->unindexed()},
                         {"prepare_s", compile_s},     {"decisions", times.size()},
                         {"rules_fired", rules_fired}, {"p50_us", at(0.5)},
                         {"p99_us", at(0.99)},         {"p999_us", at(0.999)},
                         {"fired", std::move(fired)}};
  std::cout << json::to_text(out) << "\n";
  return 0;
}
