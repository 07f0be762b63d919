#include "policy/internal/index.h"

#include <algorithm>
#include <map>

namespace candor::policy {
namespace {

using cel::Function;
using cel::Kind;
using cel::Node;
using cel::NodeId;
using cel::Op;

class NeedFinder {
 public:
  NeedFinder(const cel::Ast& ast, std::optional<ItemVariable> item) : ast_(ast), item_(item) {}

  std::optional<Need> of(NodeId id) const {
    const Node& n = ast_.nodes[id];
    if (n.op == Op::kAnd) {  // any part's need is a need; the one with the fewest texts
      std::optional<Need> best;
      for (const NodeId child : ast_.children_of(n)) {
        auto need = of(child);
        if (need && (!best || need->texts.size() < best->texts.size())) best = std::move(need);
      }
      return best;
    }
    if (n.op == Op::kOr) return of_or(n);
    if (n.op == Op::kExists) return of_exists(n);
    if (n.op != Op::kCall || !n.text.empty() || n.count != 2) return {};
    if (n.function == Function::kEqual) {
      auto need = compared(ast_.children[n.first], ast_.children[n.first + 1]);
      return need ? need : compared(ast_.children[n.first + 1], ast_.children[n.first]);
    }
    if (n.function != Function::kIn) return {};
    const Node& of_list = ast_.child(n, 1);
    if (of_list.op == Op::kLiteral)
      return compared(ast_.children[n.first], ast_.children[n.first + 1]);
    const auto text = literal_texts(ast_.child(n, 0));
    const auto path = path_of(ast_.children[n.first + 1]);
    if (text.empty() || !path || path->item_field) return {};
    return Need{*path, text};
  }

 private:
  // Every alternative must need the same path.
  std::optional<Need> of_or(const Node& n) const {
    std::optional<Need> all;
    for (const NodeId child : ast_.children_of(n)) {
      auto need = of(child);
      if (!need || (all && all->path != need->path)) return {};
      if (!all) {
        all = std::move(need);
      } else {
        all->texts.insert(all->texts.end(), need->texts.begin(), need->texts.end());
      }
    }
    return all;
  }

  // list.exists(x, ... x.field == "text" ...): some item's field is that text.
  std::optional<Need> of_exists(const Node& n) const {
    const auto list = path_of(ast_.children[n.first]);
    if (!list || list->item_field) return {};
    NeedFinder inside(ast_, {});
    inside.local_ = n.slot;
    inside.local_list_ = list;
    auto need = inside.of(ast_.children[n.first + 1]);
    // Only what the body says of the item itself.
    if (!need || need->path.slot != list->slot || need->path.fields != list->fields) return {};
    return need;
  }

  std::optional<Need> compared(NodeId path_id, NodeId literal_id) const {
    const auto texts = literal_texts(ast_.nodes[literal_id]);
    const auto path = path_of(path_id);
    if (texts.empty() || !path) return {};
    return Need{*path, texts};
  }

  static std::vector<std::string> literal_texts(const Node& n) {
    if (n.op != Op::kLiteral) return {};
    if (n.literal.is(Kind::kString)) return {std::string(n.literal.text())};
    std::vector<std::string> out;
    if (n.literal.is(Kind::kList)) {
      for (const cel::Value& item : n.literal.list_items()) {
        if (!item.is(Kind::kString)) return {};
        out.emplace_back(item.text());
      }
    }
    return out;
  }

  // Fields of records only, all of which have a value: such a path cannot be an error.
  std::optional<TextPath> path_of(NodeId id) const {
    const Node& n = ast_.nodes[id];
    if (n.op == Op::kName) {
      if (n.slot == cel::kUnresolved) return {};
      if (n.local) {
        if (!local_list_ || n.slot != local_) return {};
        return local_list_;
      }
      if (item_ && n.slot == item_->item_slot) return TextPath{item_->list_slot, {}, {}};
      return TextPath{n.slot, {}, {}};
    }
    if (n.op != Op::kSelect || n.slot == cel::kUnresolved) return {};
    const NodeId operand = ast_.children[n.first];
    auto path = path_of(operand);
    if (!path || path->item_field) return {};
    const Node& of = ast_.nodes[operand];
    const bool item = of.op == Op::kName && (of.local || (item_ && of.slot == item_->item_slot));
    if (item) {
      path->item_field = n.slot;
    } else {
      path->fields.push_back(n.slot);
    }
    return path;
  }

  const cel::Ast& ast_;
  std::optional<ItemVariable> item_;
  std::uint32_t local_ = cel::kUnresolved;
  std::optional<TextPath> local_list_;
};

}  // namespace

std::optional<Need> need_of(const cel::Program& condition, std::optional<ItemVariable> item) {
  return NeedFinder(condition.ast(), item).of(condition.ast().root);
}

Index::Feature& Index::feature(const TextPath& path) {
  const auto known = std::ranges::find(features_, path, &Feature::path);
  if (known != features_.end()) return *known;
  features_.push_back({path, {}});
  return features_.back();
}

void Index::build(std::span<const std::vector<Need>> needs_of_rules,
                  const std::vector<bool>& on_findings) {
  // How many rules name a text at a path.
  std::vector<std::pair<TextPath, std::map<std::string, std::size_t>>> counts;
  const auto count_of = [&](const TextPath& path) -> std::map<std::string, std::size_t>& {
    const auto known = std::ranges::find_if(counts, [&](const auto& c) { return c.first == path; });
    if (known != counts.end()) return known->second;
    return counts.emplace_back(path, std::map<std::string, std::size_t>()).second;
  };
  for (const auto& needs : needs_of_rules) {
    for (const Need& need : needs) {
      for (const std::string& text : need.texts) ++count_of(need.path)[text];
    }
  }
  for (std::uint32_t rule = 0; rule < needs_of_rules.size(); ++rule) {
    const Need* best = nullptr;
    std::size_t fewest = 0;
    for (const Need& need : needs_of_rules[rule]) {
      std::size_t sum = 0;
      for (const std::string& text : need.texts) sum += count_of(need.path)[text];
      if (best == nullptr || sum < fewest) {
        best = &need;
        fewest = sum;
      }
    }
    if (best == nullptr) {
      (on_findings[rule] ? with_findings_ : always_).push_back(rule);
      continue;
    }
    Feature& into = feature(best->path);
    for (const std::string& text : best->texts) {
      auto known = into.rules.find(text);
      if (known == into.rules.end())
        known = into.rules.try_emplace(texts_.emplace_back(text)).first;
      if (known->second.empty() || known->second.back() != rule) known->second.push_back(rule);
    }
  }
}

void Index::candidates(std::span<const cel::Value> slots, bool any_findings,
                       std::vector<std::uint8_t>& marks, std::vector<std::uint32_t>& out) const {
  out.insert(out.end(), always_.begin(), always_.end());
  if (any_findings) out.insert(out.end(), with_findings_.begin(), with_findings_.end());
  const std::size_t unmarked = out.size();
  const auto look_up = [&](const Feature& feature, const cel::Value& text) {
    if (!text.is(Kind::kString)) return;
    const auto found = feature.rules.find(text.text());
    if (found == feature.rules.end()) return;
    for (const std::uint32_t rule : found->second) {
      if (marks[rule] != 0) continue;
      marks[rule] = 1;
      out.push_back(rule);
    }
  };
  for (const Feature& feature : features_) {
    const cel::Value* value = &slots[feature.path.slot];
    for (const std::uint32_t field : feature.path.fields) {
      if (!value->is(Kind::kRecord) || field >= value->size) break;
      value = &value->items[field];
    }
    if (!value->is(Kind::kList)) {
      look_up(feature, *value);
      continue;
    }
    for (const cel::Value& item : value->list_items()) {
      if (!feature.path.item_field) {
        look_up(feature, item);
      } else if (item.is(Kind::kRecord) && *feature.path.item_field < item.size) {
        look_up(feature, item.items[*feature.path.item_field]);
      }
    }
  }
  for (std::size_t i = unmarked; i < out.size(); ++i) marks[out[i]] = 0;
}

}  // namespace candor::policy
