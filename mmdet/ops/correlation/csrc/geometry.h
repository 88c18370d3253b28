// Spatial correlation: sizes and positions shared by the CPU and the CUDA implementation.
//
//   out[b, py, px, i, j] = sum over c, ky, kx of  one[b, c, y, x] * two[b, c, y + offset(py), x + offset(px)]
//   y = i * stride - padding + ky * dilation          (x alike), zero outside either map
//   offset(p) = dilation_patch * p - (dilation_patch * (patch_size - 1)) / 2
//
// Backward, in gather form: the gradient of one map at a position is the sum, over all outputs that saw the position,
// of the output's gradient times the other map where that output saw it. `mirrored` asks for the gradient of map two
// (whose partner in map one lies at the negative offset), otherwise it is that of map one.
#pragma once

#ifdef __CUDACC__
#define MEMCNP_HD __host__ __device__
#else
#define MEMCNP_HD
#endif

namespace memcnp {

// One spatial direction.
struct Axis {
  int size;     // of the maps
  int kernel;
  int patch;
  int stride;
  int padding;
  int dilation;
  int dilation_patch;
  int out;      // of the output

  MEMCNP_HD constexpr int center() const { return dilation_patch * (patch - 1) / 2; }
  MEMCNP_HD constexpr int offset(int p) const { return dilation_patch * p - center(); }
  MEMCNP_HD constexpr int position(int o, int k) const { return o * stride - padding + k * dilation; }

  // The output that has its tap k on a position, or -1.
  MEMCNP_HD constexpr int output_at(int at, int k) const {
    const int shifted = at + padding - k * dilation;
    return shifted >= 0 && shifted % stride == 0 && shifted / stride < out ? shifted / stride : -1;
  }
};

struct Geometry {
  int batch;
  int channels;
  Axis y;
  Axis x;
};

} // namespace memcnp
