// Spatial correlation for any parameters, and the copy that the fast backward kernels read.
// geometry.h holds the mathematics.
//
// One thread sums one number, in gather form, so nothing is added by two threads and results are the same every time.

#include <algorithm>

#include "kernels.h"
#include "numbers.cuh"

namespace memcnp {
namespace {

constexpr int kThreads = 256;
constexpr int kMostBlocks = 1 << 20; // threads go on from there
constexpr int kWarp = 32;
constexpr int kPositions = 2 * kWarp; // of a block of the transposing copy

template <typename T>
struct Sum {
  using type = float;
};
template <>
struct Sum<double> {
  using type = double;
};

int blocks_for(int64_t threads) {
  return static_cast<int>(std::min<int64_t>((threads + kThreads - 1) / kThreads, kMostBlocks));
}

template <typename T>
__global__ void forward_kernel(Map<T> one, Map<T> two, T* out, Geometry g, int64_t count) {
  using S = typename Sum<T>::type;
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; index < count; index += step) {
    int64_t rest = index;
    const int j = rest % g.x.out;
    const int i = (rest /= g.x.out) % g.y.out;
    const int px = (rest /= g.y.out) % g.x.patch;
    const int py = (rest /= g.x.patch) % g.y.patch;
    const int64_t b = rest / g.y.patch;
    S sum = 0;
    for (int ky = 0; ky < g.y.kernel; ++ky) {
      const int y1 = g.y.position(i, ky), y2 = y1 + g.y.offset(py);
      for (int kx = 0; kx < g.x.kernel; ++kx) {
        const int x1 = g.x.position(j, kx), x2 = x1 + g.x.offset(px);
        if (min(y1, y2) < 0 || max(y1, y2) >= g.y.size || min(x1, x2) < 0 || max(x1, x2) >= g.x.size) {
          continue;
        }
        const T* first = one.data + b * one.b + y1 * one.y + x1 * one.x;
        const T* second = two.data + b * two.b + y2 * two.y + x2 * two.x;
        for (int c = 0; c < g.channels; ++c) {
          sum += widen<S>(first[c * one.c]) * widen<S>(second[c * two.c]);
        }
      }
    }
    out[index] = narrow<T, S>(sum);
  }
}

template <typename T>
__global__ void backward_kernel(const T* grad, Map<T> other, T* result, Geometry g, bool mirrored, int64_t count) {
  using S = typename Sum<T>::type;
  const int64_t step = int64_t(gridDim.x) * blockDim.x, plane = int64_t(g.y.out) * g.x.out;
  for (int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; index < count; index += step) {
    int64_t rest = index;
    const int x = rest % g.x.size;
    const int y = (rest /= g.x.size) % g.y.size;
    const int c = (rest /= g.y.size) % g.channels;
    const int64_t b = rest / g.channels;
    S sum = 0;
    for (int py = 0; py < g.y.patch; ++py) {
      const int partner_y = mirrored ? y - g.y.offset(py) : y + g.y.offset(py);
      if (partner_y < 0 || partner_y >= g.y.size) {
        continue;
      }
      for (int px = 0; px < g.x.patch; ++px) {
        const int partner_x = mirrored ? x - g.x.offset(px) : x + g.x.offset(px);
        if (partner_x < 0 || partner_x >= g.x.size) {
          continue;
        }
        const S value =
            widen<S>(other.data[b * other.b + c * other.c + partner_y * other.y + partner_x * other.x]);
        for (int ky = 0; ky < g.y.kernel; ++ky) {
          const int i = g.y.output_at(mirrored ? partner_y : y, ky);
          for (int kx = 0; i >= 0 && kx < g.x.kernel; ++kx) {
            const int j = g.x.output_at(mirrored ? partner_x : x, kx);
            if (j >= 0) { // a product for each output: sums of gradients times what is not finite differ from them
              const int64_t cell = (b * g.y.patch + py) * g.x.patch + px;
              sum += widen<S>(grad[cell * plane + int64_t(i) * g.x.out + j]) * value;
            }
          }
        }
      }
    }
    result[index] = narrow<T, S>(sum);
  }
}

// Transpose (channel, x) through shared memory, so that both sides are read and written in order, with many loads of a
// thread on their way at once. blockIdx: tile of x and row, tile of channels.
template <typename T>
__global__ void __launch_bounds__(kThreads) pack_kernel(
    Map<T> map, T* packed, int channels, int height, int width, int map_channels) {
  constexpr int kTogether = 4 / sizeof(T); // numbers written at once
  constexpr int kChannels = kWarp * kTogether, kWarps = kThreads / kWarp;
  __shared__ T tile[kChannels][kPositions + 1];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int tiles_x = (width + kPositions - 1) / kPositions;
  const int x0 = blockIdx.x % tiles_x * kPositions, c0 = blockIdx.y * kChannels;
  const int64_t line = blockIdx.x / tiles_x;
  const T* from = map.data + line / height * map.b + line % height * map.y + (c0 + warp) * map.c + (x0 + lane) * map.x;
  const bool low_inside = x0 + lane < width, high_inside = x0 + lane + kWarp < width;
  const int64_t next = kWarps * map.c, high = kWarp * map.x;
#pragma unroll
  for (int c = warp; c < kChannels; c += kWarps) {
    const bool channel_inside = c0 + c < map_channels;
    tile[c][lane] = channel_inside && low_inside ? from[0] : T(0);
    tile[c][lane + kWarp] = channel_inside && high_inside ? from[high] : T(0);
    from += next;
  }
  __syncthreads();
  if (c0 + lane * kTogether >= channels) {
    return;
  }
  T* to = packed + (line * width + x0 + warp) * channels + c0 + lane * kTogether;
#pragma unroll
  for (int x = warp; x < kPositions; x += kWarps) {
    if (x0 + x < width) {
      if constexpr (kTogether == 2) {
        const unsigned low = tile[2 * lane][x], high = tile[2 * lane + 1][x];
        *reinterpret_cast<unsigned*>(to) = low | high << 16;
      } else {
        *to = tile[lane][x];
      }
    }
    to += kWarps * channels;
  }
}

} // namespace

template <typename T>
void generic_forward(Map<T> one, Map<T> two, T* out, const Geometry& g, cudaStream_t stream) {
  const int64_t count = int64_t(g.batch) * g.y.patch * g.x.patch * g.y.out * g.x.out;
  forward_kernel<<<blocks_for(count), kThreads, 0, stream>>>(one, two, out, g, count);
}

template <typename T>
void generic_backward(const T* grad, Map<T> other, T* result, const Geometry& g, bool mirrored, cudaStream_t stream) {
  const int64_t count = int64_t(g.batch) * g.channels * g.y.size * g.x.size;
  backward_kernel<<<blocks_for(count), kThreads, 0, stream>>>(grad, other, result, g, mirrored, count);
}

template <typename T>
void pack(Map<T> map, T* packed, int channels, const Geometry& g, cudaStream_t stream) {
  // Where rows adjoin they are one long row.
  const bool adjoin = map.y == map.x * g.x.size;
  const int height = adjoin ? 1 : g.y.size, width = adjoin ? g.y.size * g.x.size : g.x.size;
  const int together = kWarp * 4 / int(sizeof(T));
  const unsigned tiles = unsigned(g.batch) * height * ((width + kPositions - 1) / kPositions);
  const dim3 blocks(tiles, (channels + together - 1) / together);
  pack_kernel<<<blocks, kThreads, 0, stream>>>(map, packed, channels, height, width, g.channels);
}

#define MEMCNP_GENERIC(T)                                                                \
  template void generic_forward(Map<T>, Map<T>, T*, const Geometry&, cudaStream_t);      \
  template void generic_backward(const T*, Map<T>, T*, const Geometry&, bool, cudaStream_t);
MEMCNP_GENERIC(float)
MEMCNP_GENERIC(double)
MEMCNP_GENERIC(__half)
MEMCNP_GENERIC(__nv_bfloat16)
template void pack(Map<float>, float*, int, const Geometry&, cudaStream_t);
template void pack(Map<uint16_t>, uint16_t*, int, const Geometry&, cudaStream_t);

} // namespace memcnp
