// Which rules can fire at all: each is filed under texts of which the facts must hold one.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cel/program.h"

namespace candor::policy {

// Where texts are taken from: a variable, a field of it, a field of that; all items of a list; a
// field of each item.
struct TextPath {
  std::uint32_t slot = 0;
  std::vector<std::uint32_t> fields;
  std::optional<std::uint32_t> item_field = {};
  bool operator==(const TextPath&) const = default;
};

// A necessary condition: the path holds one of the texts.
struct Need {
  TextPath path;
  std::vector<std::string> texts;
};
// What a checked condition's whole needs; nothing if its form does not show it. With item_slot the
// variable there stands for an item of the list at list_slot.
struct ItemVariable {
  std::uint32_t item_slot = 0, list_slot = 0;
};
[[nodiscard]] std::optional<Need> need_of(const cel::Program& condition,
                                          std::optional<ItemVariable> item = {});

class Index {
 public:
  // Chooses for each rule the need that it shares with the fewest others. A rule without needs is
  // always a candidate; one that acts on findings only if there are any.
  void build(std::span<const std::vector<Need>> needs_of_rules,
             const std::vector<bool>& on_findings);
  // Appends the rules that may fire, none twice.
  void candidates(std::span<const cel::Value> slots, bool any_findings,
                  std::vector<std::uint8_t>& marks, std::vector<std::uint32_t>& out) const;
  [[nodiscard]] std::size_t always() const noexcept {
    return always_.size() + with_findings_.size();
  }

 private:
  struct Feature {
    TextPath path;
    std::unordered_map<std::string_view, std::vector<std::uint32_t>> rules;
  };
  [[nodiscard]] Feature& feature(const TextPath& path);
  std::vector<Feature> features_;
  std::deque<std::string> texts_;  // that the features' keys point to
  std::vector<std::uint32_t> always_, with_findings_;
};

}  // namespace candor::policy
