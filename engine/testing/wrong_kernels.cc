// A build whose kernels are wrong, for the test of the kernel probe (A6): linked with --wrap, so
// that every dot product of 32-bit floats comes out one per cent too large. Nothing else differs;
// such an engine loads, answers and sounds almost right.
#include <cstddef>
#include <cstdint>

struct ggml_compute_params;

extern "C" {

void __real_ggml_vec_dot_f32(int n, float* s, std::size_t bs, const float* x, std::size_t bx,
                             const float* y, std::size_t by, int nrc);

void __wrap_ggml_vec_dot_f32(int n, float* s, std::size_t bs, const float* x, std::size_t bx,
                             const float* y, std::size_t by, int nrc) {
  __real_ggml_vec_dot_f32(n, s, bs, x, bx, y, by, nrc);
  *s *= 1.01F;
}

// "Not for me": the matrix is then multiplied by dot products.
bool __wrap_llamafile_sgemm(const ggml_compute_params*, std::int64_t, std::int64_t, std::int64_t,
                            const void*, std::int64_t, const void*, std::int64_t, void*,
                            std::int64_t, int, int, int) {
  return false;
}
}
