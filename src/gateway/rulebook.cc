#include "gateway/rulebook.h"

#include "cel/zone.h"
#include "crypto/hash.h"
#include "dlp/pack.h"
#include "policy/check.h"

namespace candor::gateway {
namespace {

constexpr std::size_t kKeptDesks = 8;

cel::Zones& zones() {
  static cel::Zones kZones(real_file_system());
  return kZones;
}

std::vector<NamedText> packs_of(const RulebookSources& sources) {
  std::vector<NamedText> all;
  for (const dlp::PackFile& file : dlp::builtin_pack_files()) {
    all.push_back({std::string(file.name), std::string(file.text)});
  }
  all.insert(all.end(), sources.detectors.begin(), sources.detectors.end());
  return all;
}

Digest digest_of(const std::vector<NamedText>& packs) {
  std::string all;
  const auto add = [&all](const std::string& text) {
    all += std::to_string(text.size()) + ":" + text;
  };
  for (const NamedText& pack : packs) {
    add(pack.name.substr(pack.name.find_last_of('/') + 1));
    add(pack.text);
  }
  return crypto::sha256(as_bytes(all));
}

Result<std::shared_ptr<const dlp::Scanner>> make_scanner(const std::vector<NamedText>& texts) {
  std::vector<dlp::Pack> packs;
  for (const NamedText& text : texts) packs.push_back(TRY(dlp::parse_pack(text.text, text.name)));
  return std::make_shared<const dlp::Scanner>(TRY(dlp::Scanner::build(std::move(packs))));
}

}  // namespace

Rulebook::Lease::~Lease() {
  if (!desk_) return;
  const std::lock_guard lock(book_->mutex_);
  if (book_->free_.size() < kKeptDesks) book_->free_.push_back(std::move(desk_));
}

Result<std::shared_ptr<const Rulebook>> Rulebook::make(
    const RulebookSources& sources, const std::shared_ptr<const Rulebook>& before) {
  if (sources.rules.empty()) return std::shared_ptr<const Rulebook>();
  std::vector<policy::Finding> problems;
  std::vector<policy::RuleFile> files;
  for (const NamedText& text : sources.rules) {
    files.push_back(policy::read_rule_file(text.text, text.name, problems));
  }
  const auto fault = [&problems] {
    std::string all;
    for (const policy::Finding& problem : problems) {
      all += (all.empty() ? "" : "\n") + policy::to_text(problem);
    }
    return fail(Code::kInvalidArgument, std::move(all));
  };
  if (!problems.empty()) return fault();
  auto compiled = policy::Policy::compile(std::move(files), &zones());
  if (!compiled) {
    problems = std::move(compiled.error());
    return fault();
  }
  std::shared_ptr<Rulebook> book(new Rulebook(*std::move(compiled)));
  const std::vector<NamedText> packs = packs_of(sources);
  book->detectors_ = digest_of(packs);
  if (before && before->detectors_ == book->detectors_) {
    book->scanner_ = before->scanner_;
  } else {
    book->scanner_ = TRY(make_scanner(packs));
  }
  book->jurisdiction_ = sources.jurisdiction;
  book->language_ = sources.language;
  book->tell_in_text_ = sources.tell_in_text;
  for (const policy::RuleFile& file : book->policy_.files()) {
    for (const policy::Rule& rule : file.rules) {
      const auto asks = [](const policy::Placed& text) { return text.text.contains("digest"); };
      if (asks(rule.when) || asks(rule.select)) book->asks_for_weights_ = true;
    }
  }
  return std::shared_ptr<const Rulebook>(std::move(book));
}

Rulebook::Lease Rulebook::desk() const {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<Desk> desk = std::move(free_.back());
      free_.pop_back();
      return {*this, std::move(desk)};
    }
  }
  return {*this, std::make_unique<Desk>(Desk{.scan = scanner_->make_scratch(), .decide = {}})};
}

}  // namespace candor::gateway
