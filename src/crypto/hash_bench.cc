// Nanoseconds of the hot path's hashes: a tree node, a keyed commitment, a key derivation.
#include <benchmark/benchmark.h>

#include "crypto/hash.h"
#include "crypto/sign.h"

namespace candor::crypto {
namespace {

void sha256_of(benchmark::State& state) {
  const Bytes data(static_cast<std::size_t>(state.range(0)), std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
}
BENCHMARK(sha256_of)->Arg(65)->Arg(1024);

void hmac_of(benchmark::State& state) {
  const Digest key{};
  const Bytes data(static_cast<std::size_t>(state.range(0)), std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(hmac_sha256(key, {data}));
}
BENCHMARK(hmac_of)->Arg(64)->Arg(1024);

void sign_head(benchmark::State& state) {
  const SigningKey key = SigningKey::from_seed(Sensitive<Digest>(Digest{}));
  const Bytes head(150, std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(key.sign(head));
}
BENCHMARK(sign_head);

}  // namespace
}  // namespace candor::crypto
