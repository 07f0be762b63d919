// The stop button (C13; EU AI Act, Art. 14(4)(e)): what an operator has stopped gets no answers
// until it is resumed, and what runs under it ends at once. The rows live in state.db, so a restart
// keeps them; this is their working copy and the list of exchanges under way. io thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/dialect.h"
#include "http/task.h"
#include "store/state_db.h"

namespace candor::gateway {

using store::Halt;

// What the person is told whose request it stops. The reason is the operator's, without controls
// and cut to kMaxShownReason bytes (S19).
[[nodiscard]] dialect::ErrorInfo halted_error(const Halt& halt);
inline constexpr std::size_t kMaxShownReason = 256;

class Halts {
 public:
  // An exchange under way; leaves the list when destroyed. Must not outlive the Halts.
  class Running {
   public:
    Running() = default;
    Running(Running&& other) noexcept;
    Running& operator=(Running&& other) noexcept;
    ~Running() { leave(); }

   private:
    friend class Halts;
    Running(Halts* halts, std::uint64_t id) : halts_(halts), id_(id) {}
    void leave() noexcept;
    Halts* halts_ = nullptr;
    std::uint64_t id_ = 0;
  };

  Halts() = default;
  explicit Halts(std::vector<Halt> halts) : halts_(std::move(halts)) {}

  // The first halt that this exchange falls under, or null. Valid until the next change.
  [[nodiscard]] const Halt* find(std::string_view model, std::string_view caller) const noexcept;
  // Tells the halts of an exchange. Its stop is requested (StopReason::kHalted) by put().
  [[nodiscard]] Running watch(std::string model, std::string caller, http::StopSource& stop);
  // Puts one in force, in place of one of the same scope and object, and stops what runs under it;
  // how many.
  std::size_t put(Halt halt);
  // Of this scope and object, or null.
  [[nodiscard]] const Halt* in_force(std::string_view scope,
                                     std::string_view object) const noexcept;
  // This one and no newer one of its scope and object.
  bool remove(const Halt& halt);
  [[nodiscard]] const std::vector<Halt>& all() const noexcept { return halts_; }

 private:
  struct Exchange {
    std::string model, caller;
    http::StopSource* stop = nullptr;
  };
  std::vector<Halt> halts_;
  std::map<std::uint64_t, Exchange> running_;
  std::uint64_t next_ = 0;
};

}  // namespace candor::gateway
