// What the dialects' saved readers share.
#pragma once

#include <algorithm>
#include <string>

#include "dialect/internal/request_reader.h"
#include "dialect/saved.h"

namespace candor::dialect {

inline constexpr std::uint32_t kMaxSavedChoices = 256;

// The `candor` object, wherever the last one stood.
class SavedCandor {
 public:
  void add(const json::Object& object) {
    const json::Value* value = present(object, "candor");
    if (value == nullptr || !value->is_object()) return;
    if (const auto id = text_of(value->get_object(), "exchange")) exchange_ = *id;
    if (const auto text = text_of(value->get_object(), "receipt")) receipt_ = *text;
  }
  void take(SavedAnswer& saved) {
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (exchange_.size() == 32 && std::ranges::all_of(exchange_, is_hex)) {
      saved.exchange = std::move(exchange_);
    }
    saved.receipt = std::move(receipt_);
  }

 private:
  std::string exchange_;
  std::string receipt_;
};

// Appends an embedding that is a list of numbers or base64 (saved.cc). False: neither.
[[nodiscard]] bool read_saved_vector(const json::Value& value, Answer& answer);

}  // namespace candor::dialect
