#include "kernel_probe.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace candor::engine {
namespace {

constexpr std::int64_t kColumns = 1024;  // a multiple of every block size (at most 256)
constexpr std::int64_t kRows = 48;       // a multiple of every repacked group (4, 8, 16)
constexpr std::int64_t kBatches[] = {1, 4, 33};

// A fixed sequence in [-1, 1): the probe asks the same question every time.
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : state_(seed) {}
  float next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<float>(static_cast<double>(state_ >> 40U) / double(1U << 23U) - 1.0);
  }

 private:
  std::uint64_t state_;
};

struct Free {
  void operator()(ggml_context* p) const { ggml_free(p); }
  void operator()(ggml_backend* p) const { ggml_backend_free(p); }
  void operator()(ggml_backend_buffer* p) const { ggml_backend_buffer_free(p); }
};
using Context = std::unique_ptr<ggml_context, Free>;
using Buffer = std::unique_ptr<ggml_backend_buffer, Free>;
using Backend = std::unique_ptr<ggml_backend, Free>;

Context make_context() {
  return Context(ggml_init({.mem_size = 64 * ggml_tensor_overhead() + ggml_graph_overhead(),
                            .mem_buffer = nullptr,
                            .no_alloc = true}));
}

std::vector<ggml_backend_buffer_type_t> layouts(ggml_backend_dev_t device) {
  std::vector<ggml_backend_buffer_type_t> out = {ggml_backend_cpu_buffer_type()};
  const auto get =
      reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  if (get != nullptr) {
    for (auto* more = get(device); more != nullptr && *more != nullptr; ++more)
      out.push_back(*more);
  }
  return out;
}

struct Matrix {
  std::vector<std::uint8_t> stored;
  std::vector<float> values;  // what the stored form means
};

bool quantise(ggml_type type, Matrix& out) {
  const std::size_t count = kColumns * kRows;
  Sequence sequence(7);
  std::vector<float> source(count);
  for (float& value : source) value = sequence.next();
  const std::vector<float> importance(kColumns, 1.0F);
  out.stored.resize(ggml_row_size(type, kColumns) * kRows);
  out.values.resize(count);
  ggml_quantize_init(type);
  if (ggml_quantize_chunk(type, source.data(), out.stored.data(), 0, kRows, kColumns,
                          importance.data()) != out.stored.size()) {
    return false;
  }
  if (type == GGML_TYPE_F32) {
    out.values = source;
    return true;
  }
  const auto* traits = ggml_get_type_traits(type);
  if (traits->to_float == nullptr) return false;
  traits->to_float(out.stored.data(), out.values.data(), static_cast<std::int64_t>(count));
  return true;
}

// Relative error of the result's norm, or a negative number where this layout does not do the type.
double error_of(ggml_backend_t backend, ggml_backend_buffer_type_t layout, ggml_type type,
                const Matrix& matrix, std::int64_t batch) {
  const Context weights_context = make_context();
  const Context context = make_context();
  ggml_tensor* weights = ggml_new_tensor_2d(weights_context.get(), type, kColumns, kRows);
  const Buffer weights_buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(weights_context.get(), layout));
  if (!weights_buffer) return -1;
  ggml_tensor* input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kColumns, batch);
  ggml_tensor* output = ggml_mul_mat(context.get(), weights, input);
  if (!ggml_backend_supports_op(backend, output)) return -1;
  const Buffer buffer(ggml_backend_alloc_ctx_tensors(context.get(), backend));
  if (!buffer) return -1;

  Sequence sequence(11);
  std::vector<float> x(static_cast<std::size_t>(kColumns * batch));
  for (float& value : x) value = sequence.next();
  ggml_backend_tensor_set(weights, matrix.stored.data(), 0, matrix.stored.size());
  ggml_backend_tensor_set(input, x.data(), 0, x.size() * sizeof(float));
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, output);
  if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) return 1e6;
  std::vector<float> y(static_cast<std::size_t>(kRows * batch));
  ggml_backend_tensor_get(output, y.data(), 0, y.size() * sizeof(float));

  double difference = 0;
  double norm = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t r = 0; r < kRows; ++r) {
      double sum = 0;
      for (std::int64_t c = 0; c < kColumns; ++c) {
        sum += double(matrix.values[std::size_t(r * kColumns + c)]) *
               double(x[std::size_t(b * kColumns + c)]);
      }
      const double got = double(y[std::size_t(b * kRows + r)]);
      if (!std::isfinite(got)) return 1e6;
      difference += (got - sum) * (got - sum);
      norm += sum * sum;
    }
  }
  return std::sqrt(difference / norm);
}

// Activations are rounded to 8 bits for quantised types, to half precision for 16-bit ones.
double tolerance(ggml_type type) {
  if (type == GGML_TYPE_F32) return 1e-4;
  if (type == GGML_TYPE_F16) return 5e-3;
  if (type == GGML_TYPE_BF16) return 2e-2;
  return 3e-2;
}

}  // namespace

std::string run_kernel_probe(std::string_view types) {
  const Backend backend(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
  std::string out = "{\"types\":[";
  for (std::size_t at = 0; at < types.size();) {
    const std::size_t end = std::min(types.find(',', at), types.size());
    int number = -1;
    std::from_chars(types.data() + at, types.data() + end, number);
    at = end + 1;
    if (number < 0 || number >= GGML_TYPE_COUNT) continue;
    const auto type = static_cast<ggml_type>(number);
    const char* name = ggml_type_name(type);
    if (name == nullptr || ggml_blck_size(type) == 0) continue;
    double worst = -1;
    Matrix matrix;
    const bool integer = type == GGML_TYPE_I8 || type == GGML_TYPE_I16 || type == GGML_TYPE_I32 ||
                         type == GGML_TYPE_I64 || type == GGML_TYPE_F64;
    const bool intermediate = type == GGML_TYPE_Q8_1 || type == GGML_TYPE_Q8_K;
    if (integer || intermediate) continue;  // no weights of these: no kernel to ask
    if (backend && quantise(type, matrix)) {
      for (auto* layout : layouts(ggml_backend_get_device(backend.get()))) {
        for (const std::int64_t batch : kBatches) {
          worst = std::max(worst, error_of(backend.get(), layout, type, matrix, batch));
        }
      }
    }
    const bool ok = worst >= 0 && worst <= tolerance(type);
    const auto ppm = static_cast<long long>(worst < 0 ? -1 : std::min(worst * 1e6, 1e12));
    if (out.back() == '}') out.push_back(',');
    out.append("{\"name\":\"").append(name).append("\",\"ok\":").append(ok ? "true" : "false");
    out.append(",\"type\":").append(std::to_string(number));
    out.append(",\"worst_error_ppm\":").append(std::to_string(ppm)).append("}");
  }
  return out + "]}";
}

}  // namespace candor::engine
