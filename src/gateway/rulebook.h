// The rules and detectors in force: one immutable snapshot, replaced as a whole by a reload. An
// exchange keeps the snapshot it began with (C10). Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "dlp/scanner.h"
#include "policy/policy.h"

namespace candor::gateway {

struct NamedText {
  std::string name, text;  // a file's path, or a built-in pack's name
};

struct RulebookSources {
  std::vector<NamedText> rules;      // empty: no policy is in force
  std::vector<NamedText> detectors;  // besides the built-in packs
  std::vector<std::string> jurisdiction;
  policy::Language language = policy::Language::kEnglish;
  bool tell_in_text = true;
};

class Rulebook {
 public:
  // What one thread needs at a time to scan and to decide.
  struct Desk {
    dlp::Scanner::ScratchPtr scan;
    policy::Policy::Scratch decide;
  };
  // Gives the desk back when it goes. The rulebook outlives it.
  class Lease {
   public:
    Lease(const Rulebook& book, std::unique_ptr<Desk> desk)
        : book_(&book), desk_(std::move(desk)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    [[nodiscard]] Desk& operator*() const { return *desk_; }
    [[nodiscard]] Desk* operator->() const { return desk_.get(); }

   private:
    const Rulebook* book_;
    std::unique_ptr<Desk> desk_;
  };

  // Null without rules. kInvalidArgument: the mistakes, one a line, with file and line; what is
  // only doubtful (`candor policy check` shows it) is no mistake. before: its scanner is kept where
  // the detectors are the same.
  [[nodiscard]] static Result<std::shared_ptr<const Rulebook>> make(
      const RulebookSources& sources, const std::shared_ptr<const Rulebook>& before = nullptr);

  [[nodiscard]] const dlp::Scanner& scanner() const noexcept { return *scanner_; }
  [[nodiscard]] const policy::Policy& policy() const noexcept { return policy_; }
  // SHA-256 over the packs' names and texts, each with its length before it.
  [[nodiscard]] const Digest& detectors() const noexcept { return detectors_; }
  [[nodiscard]] const std::vector<std::string>& jurisdiction() const noexcept {
    return jurisdiction_;
  }
  // Whether a rule may depend on the digest of a model's weights.
  [[nodiscard]] bool asks_for_weights() const noexcept { return asks_for_weights_; }
  [[nodiscard]] policy::Language language() const noexcept { return language_; }
  // Whether an answer's text says at its end what was replaced.
  [[nodiscard]] bool tell_in_text() const noexcept { return tell_in_text_; }
  [[nodiscard]] Lease desk() const;

 private:
  explicit Rulebook(policy::Policy policy) : policy_(std::move(policy)) {}

  std::shared_ptr<const dlp::Scanner> scanner_;
  policy::Policy policy_;
  Digest detectors_{};
  std::vector<std::string> jurisdiction_;
  policy::Language language_ = policy::Language::kEnglish;
  bool tell_in_text_ = true;
  bool asks_for_weights_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Desk>> free_;
};

}  // namespace candor::gateway
