// Sensitive<T>: a prompt, an answer or a secret. It has no formatter, no operator<<, no JSON
// conversion and no implicit way out, so it cannot be logged by accident; reveal() is the one
// named, greppable exit. Strings and byte vectors are overwritten, spare capacity too, when
// destroyed or assigned over (best effort: copies made by reveal() and buffers outgrown are the
// caller's).
#pragma once

#include <string>
#include <type_traits>
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
  Sensitive& operator=(const Sensitive& other) {
    if (this != &other) *this = Sensitive(other);
    return *this;
  }
  Sensitive& operator=(Sensitive&& other) noexcept {
    if (this != &other) {
      overwrite();
      value_ = std::move(other.value_);
    }
    return *this;
  }
  ~Sensitive() { overwrite(); }
  [[nodiscard]] const T& reveal() const noexcept { return value_; }
  [[nodiscard]] T& reveal() noexcept { return value_; }

 private:
  void overwrite() noexcept {
    if constexpr (requires(T t) { t.resize(t.capacity()); }) value_.resize(value_.capacity());
    if constexpr (requires(T t) {
                    t.data();
                    t.size();
                  }) {
      wipe(const_cast<void*>(static_cast<const void*>(value_.data())),
           value_.size() * sizeof(*value_.data()));
    }
  }
  T value_{};
};

}  // namespace candor
