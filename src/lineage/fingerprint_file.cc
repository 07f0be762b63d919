#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "base/text.h"
#include "lineage/fingerprint.h"

namespace candor::lineage {
namespace {

constexpr std::string_view kMagic = "candor-fp1\n";
constexpr std::size_t kSketchBytes = 12 + kSketch;
constexpr std::size_t kTail =
    sizeof(Fingerprint::embedding) + sizeof(Fingerprint::gram) + sizeof(Fingerprint::norms);

void put_text(Bytes& out, std::string_view text) {
  out.push_back(static_cast<std::byte>(text.size()));
  put_bytes(out, as_bytes(text));
}
void put_steps(Bytes& out, std::span<const std::int8_t> steps) {
  put_bytes(out, std::as_bytes(steps));
}

Result<std::string> text(ByteReader& in, std::size_t most) {
  const auto size = TRY(in.u8());
  if (size > most) return fail(Code::kInvalidArgument, "fingerprint: a name is too long");
  std::string out(as_text(TRY(in.bytes(size))));
  if (!is_utf8(out) || strip_controls(out) != out) {
    return fail(Code::kInvalidArgument, "fingerprint: a name is not plain UTF-8");
  }
  return out;
}
Result<float> size_number(ByteReader& in) {
  const auto value = std::bit_cast<float>(TRY(in.u32()));
  if (!std::isfinite(value) || std::signbit(value)) {
    return fail(Code::kInvalidArgument, "fingerprint: a scale is not a size");
  }
  return value;
}
Result<void> take_steps(ByteReader& in, std::span<std::int8_t> out) {
  const ByteView raw = TRY(in.bytes(out.size()));
  std::ranges::transform(raw, out.begin(), [](std::byte b) { return static_cast<std::int8_t>(b); });
  return {};
}

std::string bounded(std::string_view text, std::size_t most) {
  std::string out = strip_controls(text);
  while (out.size() > most || !is_utf8(out)) out.pop_back();
  return out;
}

}  // namespace

Bytes serialise(const Fingerprint& f) {
  Bytes out;
  put_bytes(out, as_bytes(kMagic));
  put_text(out, bounded(f.name, 128));
  put_text(out, bounded(f.architecture, 64));
  put_u32(out, f.width);
  put_u32(out, f.vocabulary);
  put_u32(out, static_cast<std::uint32_t>(f.layers.size()));
  for (const Layer& layer : f.layers) {
    for (const Sketch& sketch : layer) {
      put_u32(out, std::bit_cast<std::uint32_t>(sketch.scale));
      put_u32(out, std::bit_cast<std::uint32_t>(sketch.rms));
      put_u32(out, sketch.type);
      put_steps(out, sketch.steps);
    }
  }
  put_steps(out, f.embedding);
  put_steps(out, f.gram);
  for (const auto& norm : f.norms) put_steps(out, norm);
  return out;
}

Result<Fingerprint> parse_fingerprint(std::span<const std::byte> bytes) {
  if (!as_text(bytes).starts_with(kMagic)) {
    return fail(Code::kInvalidArgument, "not a fingerprint of this version (candor-fp1)");
  }
  ByteReader in(bytes.subspan(kMagic.size()));
  Fingerprint f;
  f.name = TRY(text(in, 128));
  f.architecture = TRY(text(in, 64));
  f.width = TRY(in.u32());
  f.vocabulary = TRY(in.u32());
  const auto layers = TRY(in.u32());
  if (layers == 0 || layers > kMaxLayers ||
      in.remaining() != layers * kRoles * kSketchBytes + kTail) {
    return fail(Code::kInvalidArgument, "fingerprint: its length does not fit its layers");
  }
  f.layers.resize(layers);
  for (Layer& layer : f.layers) {
    for (Sketch& sketch : layer) {
      sketch.scale = TRY(size_number(in));
      sketch.rms = TRY(size_number(in));
      sketch.type = TRY(in.u32());
      TRY(take_steps(in, sketch.steps));
    }
  }
  TRY(take_steps(in, f.embedding));
  TRY(take_steps(in, f.gram));
  for (auto& norm : f.norms) TRY(take_steps(in, norm));
  return f;
}

}  // namespace candor::lineage
