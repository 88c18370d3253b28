// Spatial correlation in half types for kernel_size 1 and stride 1, backward, by tensor cores. band.cuh says what a
// block works on.
//
// For one destination row and one source row that meet, with u and v as in band.cuh,
//   D[u, c] += sum over v of  G[u, v] * source[v, c]
// is a matrix product; G is the gradient of the output, zero beside the band. A warp owns one destination row of kTile
// positions; the block goes through the source rows, one in shared memory, the next on its way. Products are of half
// precision, sums float32.
#include "band.cuh"
#include "numbers.cuh"
#include "tensor_core.cuh"

namespace memcnp {
namespace {

constexpr int kVector = 8; // halves in 16 bytes
constexpr int kPad = 8; // halves between rows in shared memory: the rows of an 8 x 8 matrix lie in different banks
constexpr int kWarp = 32;
constexpr int kThreads = kRows * kWarp;
constexpr int kOldest = 80; // compute capability with these instructions for both types

__host__ __device__ constexpr int round_up(int number, int multiple) {
  return (number + multiple - 1) / multiple * multiple;
}

// kChunk: channels of a block.
template <typename T, int kChunk>
__global__ void __launch_bounds__(kThreads) backward_kernel(
    const T* grad, const T* other, T* result, int channels, int map_channels, BandAxis y, BandAxis x, bool mirrored,
    int out_y, int out_x) {
  constexpr int kSlot = kChunk + kPad, kVectors = kChunk / kVector;
  extern __shared__ float4 shared[];
  const int columns = round_up(kTile + x.patch - 1, kDepth), width = columns + kPad;
  const int k = threadIdx.x / kWarp, lane = threadIdx.x % kWarp, g = lane / 4, t = lane % 4;
  T* rows = reinterpret_cast<T*>(shared); // [two][columns][kSlot]
  T* band = rows + 2 * columns * kSlot + k * kTile * width; // of this warp: [kTile][width]
  const Place place(blockIdx.x, y, x, channels / kChunk);
  const int channel = place.part * kChunk, row = place.row + y.step * k;
  other += int64_t(place.batch) * y.source * x.source * channels + channel;
  grad += int64_t(place.batch) * y.patch * x.patch * out_y * out_x;

  const int top = y.first + place.row; // the first source row
  const int begin = top < 0 ? (-top + y.step - 1) / y.step : 0;
  const int end = top < y.source ? min(kRows + y.patch - 1, (y.source - 1 - top) / y.step + 1) : 0;
  const auto load = [&](int q) {
    const T* line = other + int64_t(top + y.step * q) * x.source * channels + threadIdx.x % kVectors * kVector;
    for (int v = threadIdx.x / kVectors; v < columns; v += kThreads / kVectors) {
      const int at = x.first + place.column + x.step * v;
      const bool inside = at >= 0 && at < x.source;
      T* to = rows + (q % 2 * columns + v) * kSlot + threadIdx.x % kVectors * kVector;
      copy_async<16>(to, line + int64_t(inside ? at : 0) * channels, inside ? 16 : 0);
    }
    copies_begun();
  };
  for (int index = lane; index < kTile * width; index += kWarp) {
    band[index] = narrow<T, float>(0.f); // what lies beside the band stays so
  }
  __syncwarp();
  float sums[kChunk / kWide][4] = {};
  if (begin < end) {
    load(begin);
  }
  for (int q = begin; q < end; ++q) {
    if (q + 1 < end) {
      load(q + 1);
    }
    const int py = q - k;
    const bool meets = py >= 0 && py < y.patch;
    if (meets) {
      const int u = lane % kTile, first_p = lane / kTile;
      const GradWalk walk(y, x, mirrored, py, row, top + y.step * q, place.column + x.step * u, first_p, out_y, out_x);
      const T* from = grad + walk.start;
      T* to = band + u * width + u + first_p;
      int at = walk.at;
#pragma unroll 8
      for (int p = first_p; p < x.patch; p += 2) {
        *to = walk.row_inside && at >= 0 && at < x.source ? *from : narrow<T, float>(0.f);
        to += 2;
        from += 2 * walk.step;
        at += 2 * walk.shift;
      }
    }
    if (q + 1 < end) {
      copies_done(1);
    } else {
      copies_done(0);
    }
    __syncthreads();
    if (meets) {
      const T* source = rows + (q % 2 * columns + lane / 8 % 2 * 8 + lane % 8) * kSlot + lane / 16 * 8;
      for (int v = 0; v < columns; v += kDepth) {
        const T* factors = band + g * width + v + 2 * t;
        const auto pair = [factors](int at) { return *reinterpret_cast<const unsigned*>(factors + at); };
        const unsigned a[4] = {pair(0), pair(8 * width), pair(8), pair(8 * width + 8)};
#pragma unroll
        for (int c = 0; c < kChunk / kWide; c += 2) {
          unsigned b[4];
          read_matrices<true>(b, source + v * kSlot + c * kWide);
          multiply_add<T>(sums[c], a, b[0], b[1]);
          multiply_add<T>(sums[c + 1], a, b[2], b[3]);
        }
      }
    }
    __syncthreads();
  }
  if (row >= y.count) {
    return;
  }
  const auto column_of = [&](int i) { return place.column + x.step * (g + i / 2 * 8); };
  const auto result_at = [&](int c, int i) {
    const int64_t plane = int64_t(place.batch) * map_channels + channel + c * kWide + 2 * t + i % 2;
    return result + (plane * y.count + row) * x.count + column_of(i);
  };
  const auto is_inside = [&](int c, int i) {
    return column_of(i) < x.count && channel + c * kWide + 2 * t + i % 2 < map_channels;
  };
  bool has_nan = false;
#pragma unroll
  for (int c = 0; c < kChunk / kWide; ++c) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (is_inside(c, i)) {
        *result_at(c, i) = narrow<T, float>(sums[c][i]);
        has_nan |= isnan(sums[c][i]);
      }
    }
  }
  if (!has_nan) {
    return;
  }
#pragma unroll 1
  for (int index = 0; index < kChunk / kWide * 4; ++index) { // apart from the sums, whose registers are free now
    const int c = index / 4, i = index % 4;
    if (is_inside(c, i) && isnan(widen<float>(*result_at(c, i)))) {
      const T* source = other + c * kWide + 2 * t + i % 2;
      *result_at(c, i) = narrow<T, float>(
          gather_gradient(grad, source, channels, y, x, mirrored, row, column_of(i), out_y, out_x));
    }
  }
}

int backward_shared(const Geometry& g, int chunk) {
  const int columns = round_up(kTile + g.x.patch - 1, kDepth);
  return (2 * columns * (chunk + kPad) + kRows * kTile * (columns + kPad)) * int(sizeof(__half));
}

template <typename T, int kChunk>
void launch_backward(
    const T* grad, const T* other, T* result, int channels, const Geometry& g, bool mirrored, cudaStream_t stream) {
  const BandAxis y = backward_band(g.y, kRows, mirrored), x = backward_band(g.x, kTile, mirrored);
  const int64_t blocks = int64_t(g.batch) * (channels / kChunk) * y.blocks() * x.blocks();
  launch(
      backward_kernel<T, kChunk>, blocks, kThreads, backward_shared(g, kChunk), stream, grad, other, result, channels,
      g.channels, y, x, mirrored, g.y.out, g.x.out);
}

} // namespace

bool tensor_cores_fit(const Geometry& g) {
  cudaFuncAttributes code{};
  const bool known = cudaFuncGetAttributes(&code, backward_kernel<__half, 64>) == cudaSuccess;
  return known && code.ptxVersion >= kOldest && backward_shared(g, 128) <= shared_memory_limit();
}

template <typename T>
void tensor_core_backward(
    const T* grad, const T* other, T* result, int channels, const Geometry& g, bool mirrored, cudaStream_t stream) {
  channels % 128 == 0 ? launch_backward<T, 128>(grad, other, result, channels, g, mirrored, stream)
                      : launch_backward<T, 64>(grad, other, result, channels, g, mirrored, stream);
}

#define MEMCNP_TENSOR_CORE(T) \
  template void tensor_core_backward(const T*, const T*, T*, int, const Geometry&, bool, cudaStream_t);
MEMCNP_TENSOR_CORE(__half)
MEMCNP_TENSOR_CORE(__nv_bfloat16)

} // namespace memcnp
