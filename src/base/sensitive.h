// Sensitive<T>: a prompt, an answer or a secret. It has no formatter, no operator<<, no JSON
// conversion and no implicit way out, so it cannot be logged by accident; reveal() is the one named,
// greppable exit. Strings and byte vectors are overwritten when destroyed (best effort: copies made
// by reveal() are the caller's).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace candor {

// Overwrites memory in a way the optimiser keeps.
void wipe(void* data, std::size_t size) noexcept;

template <typename T>
class Sensitive {
 public:
  Sensitive() = default;
  explicit Sensitive(T value) : value_(std::move(value)) {}
  Sensitive(const Sensitive&) = default;
  Sensitive(Sensitive&&) noexcept = default;
  Sensitive& operator=(const Sensitive&) = default;
  Sensitive& operator=(Sensitive&&) noexcept = default;
  ~Sensitive() {
    if constexpr (requires(T t) { t.data(); t.size(); }) {
      wipe(const_cast<void*>(static_cast<const void*>(value_.data())),
           value_.size() * sizeof(*value_.data()));
    }
  }
  [[nodiscard]] const T& reveal() const noexcept { return value_; }
  [[nodiscard]] T& reveal() noexcept { return value_; }

 private:
  T value_{};
};

}  // namespace candor
