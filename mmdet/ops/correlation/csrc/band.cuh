// What the fast kernels share: which positions a block works on, and copies into shared memory behind its back.
//
// With kernel_size 1 and stride 1 a destination position t meets the source positions  first + t + step * p  with
// p < patch, step being dilation_patch. So only positions that are equal modulo step, a class, share sources, and for a
// tile of consecutive members u of a class and their sources v = u + p, what pairs with what is a band:
//   0 <= v - u < patch
// What is what:
//   forward:             destination = output, source = map two
//   backward:            destination = map one, source = map two
//   backward, mirrored:  destination = map two, source = map one, the patch counted from its end
#pragma once

#include <cuda_runtime.h>

#include "kernels.h"
#include "numbers.cuh"

namespace memcnp {

constexpr int kRows = 4; // destination rows of a backward block: they share most source rows

struct BandAxis {
  int count; // destination positions
  int source; // source positions
  int first;
  int patch;
  int step;
  int padding; // output = position in map one + padding
  int tile; // members of a class in a block
  int together; // classes in a block
  int starts; // blocks that begin within the first step
  int tiles; // of a class

  __host__ __device__ int blocks() const { return starts * tiles; }
  __device__ int start(int block) const { return block % starts * together + block / starts * tile * step; }
};

inline int classes_of(const Axis& axis, int count) { return axis.dilation_patch < count ? axis.dilation_patch : count; }

// `together` divides the number of classes.
inline BandAxis make_band(const Axis& axis, int tile, int together, int count, int first) {
  const int members = (count + axis.dilation_patch - 1) / axis.dilation_patch;
  const int starts = classes_of(axis, count) / together;
  const int tiles = (members + tile - 1) / tile;
  return {count, axis.size, first, axis.patch, axis.dilation_patch, axis.padding, tile, together, starts, tiles};
}

inline BandAxis forward_band(const Axis& axis, int tile, int together = 1) {
  return make_band(axis, tile, together, axis.out, -axis.padding - axis.center());
}

inline BandAxis backward_band(const Axis& axis, int tile, bool mirrored) {
  return make_band(axis, tile, 1, axis.size, mirrored ? -axis.offset(axis.patch - 1) : -axis.center());
}

__device__ inline bool is_inside(int at, int size) { return at >= 0 && at < size; }

// A block's place: first destination row and column, and two further indices, the slower one the batch.
struct Place {
  int row, column, part, batch;

  __device__ Place(int64_t block, const BandAxis& y, const BandAxis& x, int parts) {
    column = x.start(static_cast<int>(block % x.blocks()));
    row = y.start(static_cast<int>((block /= x.blocks()) % y.blocks()));
    part = static_cast<int>((block /= y.blocks()) % parts);
    batch = static_cast<int>(block / parts);
  }
};

// The outputs' gradients that a destination meets in one source row, patch cell after patch cell.
struct GradWalk {
  int64_t start; // of cell p, in the gradient of one image
  int64_t step; // from cell to cell
  int at; // position in the row, inside if it is one of map one
  int shift; // from cell to cell
  bool row_inside;

  __device__ GradWalk(
      const BandAxis& y, const BandAxis& x, bool mirrored, int py, int row, int source_row, int column, int p,
      int out_y, int out_x) {
    const int64_t plane = int64_t(out_y) * out_x;
    shift = mirrored ? x.step : 0;
    step = mirrored ? x.step - plane : plane;
    at = column + (mirrored ? x.first + x.step * p : 0);
    row_inside = row < y.count;
    const int cell_y = mirrored ? y.patch - 1 - py : py, cell_x = mirrored ? x.patch - 1 - p : p;
    const int row_out = (mirrored ? source_row : row) + y.padding;
    start = (int64_t(cell_y) * x.patch + cell_x) * plane + int64_t(row_out) * out_x + at + x.padding;
  }
};

// A gradient by its definition, for results that came out as NaN: the products of the tiles hold zeros beside the band,
// and zero times what is not finite is NaN. `other` starts at the channel, in [y][x][channels]; `grad` is of one image.
template <typename T>
__device__ inline float gather_gradient(
    const T* grad, const T* other, int channels, const BandAxis& y, const BandAxis& x, bool mirrored, int row,
    int column, int out_y, int out_x) {
  float sum = 0;
  for (int py = 0; py < y.patch; ++py) {
    const int source_row = row + y.first + y.step * py;
    if (source_row < 0 || source_row >= y.source) {
      continue;
    }
    const GradWalk walk(y, x, mirrored, py, row, source_row, column, 0, out_y, out_x);
    for (int p = 0; p < x.patch; ++p) {
      const int source_column = column + x.first + x.step * p;
      if (source_column >= 0 && source_column < x.source) {
        const T factor = grad[walk.start + p * walk.step];
        sum += widen<float>(factor) * widen<float>(other[(int64_t(source_row) * x.source + source_column) * channels]);
      }
    }
  }
  return sum;
}

inline int shared_memory_limit() {
  int device = 0, limit = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  return limit;
}

template <typename Kernel, typename... Arguments>
void launch(Kernel* kernel, int64_t blocks, int threads, int shared, cudaStream_t stream, Arguments... arguments) {
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  kernel<<<static_cast<unsigned>(blocks), threads, shared, stream>>>(arguments...);
}

// Copy kBytes (4, 8 or 16, both ends so aligned) into shared memory, those from `inside` on as zeros; they are there
// after copies_done and a barrier.
template <int kBytes>
__device__ inline void copy_async(void* to, const void* from, int inside) {
#if __CUDA_ARCH__ >= 800
  const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(to));
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(from), "r"(inside));
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(target), "l"(from), "n"(kBytes), "r"(inside));
  }
#else
  for (int i = 0; i < kBytes / 4; ++i) {
    static_cast<unsigned*>(to)[i] = 4 * i < inside ? static_cast<const unsigned*>(from)[i] : 0;
  }
#endif
}

__device__ inline void copies_begun() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::);
#endif
}

// Wait for all groups of copies but the last `behind`, of 0 to 2.
__device__ inline void copies_done(int behind) {
#if __CUDA_ARCH__ >= 800
  if (behind == 2) {
    asm volatile("cp.async.wait_group 2;" ::);
  } else if (behind == 1) {
    asm volatile("cp.async.wait_group 1;" ::);
  } else {
    asm volatile("cp.async.wait_group 0;" ::);
  }
#endif
}

} // namespace memcnp
