// The two instructions that feed and run the tensor cores, for half types, from compute capability 8.0.
#pragma once

#include "numbers.cuh"

namespace memcnp {

// Sizes of the product: (kTile x kDepth) by (kDepth x kWide).
constexpr int kTile = 16;
constexpr int kDepth = 16;
constexpr int kWide = 8;

// sums (16 x 8) += a (16 x 16) times b (16 x 8), spread over the warp as the PTX manual draws them for mma.m16n8k16:
// with g = lane / 4 and t = lane % 4, a thread has sums[g][2t, 2t+1], sums[g+8][2t, 2t+1], a[g][2t..], a[g+8][2t..],
// a[g][2t+8..], a[g+8][2t+8..], b[2t, 2t+1][g] and b[2t+8, 2t+9][g].
template <typename T>
__device__ inline void multiply_add(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

#define MEMCNP_MULTIPLY_ADD(T, NAME)                                                                                   \
  template <>                                                                                                          \
  __device__ inline void multiply_add<T>(float (&s)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {            \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." NAME "." NAME ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, " \
                 "{%0,%1,%2,%3};"                                                                                      \
                 : "+f"(s[0]), "+f"(s[1]), "+f"(s[2]), "+f"(s[3])                                                      \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                                      \
  }
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
MEMCNP_MULTIPLY_ADD(__half, "f16")
MEMCNP_MULTIPLY_ADD(__nv_bfloat16, "bf16")
#else
template <typename T>
__device__ inline void multiply_add(float (&)[4], const unsigned (&)[4], unsigned, unsigned) {}
#endif

// Read four 8 x 8 matrices, lanes 8m to 8m+7 naming the rows of matrix m; transposed on the way if asked for.
template <bool kTransposed>
__device__ inline void read_matrices(unsigned (&m)[4], const void* row) {
#if __CUDA_ARCH__ >= 750
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(from) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(from) : "memory");
  }
#endif
}

} // namespace memcnp
