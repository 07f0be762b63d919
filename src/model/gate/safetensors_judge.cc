// safetensors (github.com/huggingface/safetensors, README "Format").
#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "json/json.h"
#include "model/gate/byte_window.h"
#include "model/gate/judges.h"
#include "model/gate/values.h"

namespace candor::model::gate {
namespace {

struct Type {
  std::string_view name;
  std::uint32_t bits;
};
constexpr auto kTypes = std::to_array<Type>(
    {{"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8},
     {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},
     {"F16", 16},    {"BF16", 16},       {"I32", 32},        {"U32", 32},    {"F32", 32},
     {"F64", 64},    {"I64", 64},        {"U64", 64},        {"C64", 64},    {"F4", 4},
     {"F6_E2M3", 6}, {"F6_E3M2", 6}});
constexpr std::size_t kMaxDimensions = 64;

struct Part {
  std::uint64_t begin = 0, end = 0;
  std::string name;
  internal::ValueLayout layout;
};

class Judge {
 public:
  Judge(ByteSource& source, const GateLimits& limits, GateReport& report, GateFindings& findings)
      : source_(source), limits_(limits), report_(report), findings_(findings) {}

  void run() {
    ByteWindow in(source_, 0, source_.size());
    const auto length = in.number(8);
    if (!length) return findings_.add("safetensors.header-length", {.offset = 0});
    if (*length == 0 || *length > in.left() || *length > limits_.max_header_bytes) {
      return findings_.add("safetensors.header-length", {.offset = 0},
                           fmt::format("{} bytes of {}", *length, source_.size()));
    }
    data_bytes_ = in.left() - *length;
    data_begin_ = 8 + *length;
    const auto text = in.text(*length, static_cast<std::size_t>(*length));
    if (!text) return findings_.add("file.unreadable", {}, text.error().message());
    std::string_view body = *text;
    while (body.ends_with(' ')) body.remove_suffix(1);  // padding
    const auto value = json::parse(
        body, {.max_bytes = static_cast<std::size_t>(limits_.max_header_bytes), .max_depth = 4});
    if (!value) {
      const bool twice = value.error().message().find("twice") != std::string::npos;
      return findings_.add(twice ? "safetensors.duplicate-key" : "safetensors.header",
                           {.offset = 8}, value.error().message());
    }
    if (!value->is_object()) return findings_.add("safetensors.header", {.offset = 8});
    const json::Object& header = value->get_object();
    if (header.size() > limits_.max_tensors + 1) {
      return findings_.add("safetensors.count", {.offset = 8}, fmt::format("{}", header.size()));
    }
    for (const auto& item : header) {
      const std::string_view name(item.key().data(), item.key().size());
      if (name == "__metadata__") {
        metadata(item.value());
      } else {
        tensor(name, item.value());
      }
    }
    places();
    if (limits_.values && !findings_.refuses()) read_values();
  }

 private:
  void about(std::string_view id, std::string_view name, std::string_view detail = {}) {
    findings_.add(id, {.name = std::string(name)}, detail);
  }

  void read_values() {
    ValuesReader values(source_, findings_);
    for (const Part& part : parts_) {
      values.read(part.name, data_begin_ + part.begin, part.end - part.begin, part.layout);
    }
  }

  void metadata(const json::Value& value) {
    if (!value.is_object()) return about("safetensors.metadata", "__metadata__");
    for (const auto& item : value.get_object()) {
      const std::string_view key(item.key().data(), item.key().size());
      if (!item.value().is_string()) {
        about("safetensors.metadata", key);
        continue;
      }
      const std::string_view text(item.value().get_string().data(),
                                  item.value().get_string().size());
      if (key == "license") report_.licence = gate_text(text, kMaxGateName);
      if (key == "name" || key == "modelspec.title") report_.name = gate_text(text, kMaxGateName);
      if (key == "modelspec.architecture") report_.architecture = gate_text(text, kMaxGateName);
    }
  }

  static std::optional<std::uint64_t> whole(const json::Value& value) {
    if (value.is_uint64()) return value.get_uint64();
    if (value.is_int64() && value.get_int64() >= 0) {
      return static_cast<std::uint64_t>(value.get_int64());
    }
    return std::nullopt;
  }

  void tensor(std::string_view name, const json::Value& value) {
    if (name.empty() || name.size() > 1'024 || gate_text(name, 4'096) != name) {
      about("safetensors.name", gate_text(name, kMaxGateName));
    }
    if (!value.is_object()) return about("safetensors.entry", name);
    const json::Object& entry = value.get_object();
    const json::Value* dtype = json::find(entry, "dtype");
    const json::Value* shape = json::find(entry, "shape");
    const json::Value* offsets = json::find(entry, "data_offsets");
    if (entry.size() != 3 || dtype == nullptr || !dtype->is_string() || shape == nullptr ||
        !shape->is_array() || offsets == nullptr || !offsets->is_array() ||
        offsets->get_array().size() != 2 || shape->get_array().size() > kMaxDimensions) {
      return about("safetensors.entry", name);
    }
    const std::string_view type(dtype->get_string().data(), dtype->get_string().size());
    const auto known = std::ranges::find(kTypes, type, &Type::name);
    if (known == kTypes.end()) about("safetensors.dtype", name, type);
    std::uint64_t elements = 1;
    bool bad = false;
    for (const json::Value& size : shape->get_array()) {
      const auto number = whole(size);
      bad = bad || !number || __builtin_mul_overflow(elements, number.value_or(0), &elements);
    }
    std::uint64_t bits = 0;
    if (known != kTypes.end() && !bad) {
      bad = __builtin_mul_overflow(elements, std::uint64_t{known->bits}, &bits);
    }
    if (bad) about("safetensors.shape", name);
    const auto begin = whole(offsets->get_array()[0]);
    const auto end = whole(offsets->get_array()[1]);
    if (!begin || !end || *begin > *end || *end > data_bytes_) {
      return about("safetensors.offsets", name, json::to_text(*offsets));
    }
    if (!bad && known != kTypes.end() && (bits % 8 != 0 || bits / 8 != *end - *begin)) {
      about("safetensors.size", name, fmt::format("{} bytes for {} bits", *end - *begin, bits));
    }
    parts_.push_back({*begin, *end, std::string(name), internal::layout_of_safetensors(type)});
  }

  void places() {
    if (parts_.empty() && !findings_.refuses()) findings_.add("safetensors.empty", {});
    std::ranges::sort(parts_, [](const Part& a, const Part& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t end = 0;
    for (const Part& part : parts_) {
      const GatePlace place{.offset = data_begin_ + part.begin, .name = part.name};
      if (part.begin < end) {
        findings_.add("safetensors.overlap", place, fmt::format("{} bytes", end - part.begin));
      } else if (part.begin > end) {
        findings_.add("safetensors.gap", place,
                      fmt::format("{} bytes before it", part.begin - end));
      }
      end = std::max(end, part.end);
    }
    if (end < data_bytes_ && !findings_.refuses()) {
      findings_.add("safetensors.gap", {.offset = data_begin_ + end},
                    fmt::format("{} bytes behind the last", data_bytes_ - end));
    }
  }

  ByteSource& source_;
  const GateLimits& limits_;
  GateReport& report_;
  GateFindings& findings_;
  std::uint64_t data_bytes_ = 0, data_begin_ = 0;
  std::vector<Part> parts_;
};

}  // namespace

void judge_safetensors(ByteSource& source, const GateLimits& limits, GateReport& report,
                       GateFindings& findings) {
  report.format = "safetensors";
  Judge(source, limits, report, findings).run();
}

}  // namespace candor::model::gate
