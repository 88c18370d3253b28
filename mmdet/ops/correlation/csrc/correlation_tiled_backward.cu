// Spatial correlation in float32 for kernel_size 1 and stride 1, backward. band.cuh says what a block works on.
//
// A thread keeps kMembers positions times four channels in registers and goes through the source rows; of each row the
// block holds the positions it needs, and of the output's gradient the band, expanded.
#include <algorithm>

#include "band.cuh"

namespace memcnp {
namespace {

constexpr int kMembers = 8;
constexpr int kQuad = 4; // channels read at once
constexpr int kChunk = 64; // channels of a backward block
constexpr int kQuads = kChunk / kQuad;
constexpr int kTile = 2 * kMembers; // positions of a block's row: one warp, 16 quads times two groups of members
constexpr int kBackwardThreads = kRows * 32;

__global__ void __launch_bounds__(kBackwardThreads) backward_kernel(
    const float* grad, const float* other, float* result, int channels, int map_channels, BandAxis y, BandAxis x,
    bool mirrored, int out_y, int out_x) {
  extern __shared__ float4 shared[];
  const int columns = kTile + x.patch - 1, depth = kMembers + x.patch - 1;
  const int k = threadIdx.x / 32, lane = threadIdx.x % 32, quad = lane % kQuads, group = lane / kQuads;
  float4* rows = shared; // [two][columns][kQuads]
  float* band = reinterpret_cast<float*>(shared + 2 * columns * kQuads) + k * 2 * depth * kMembers; // of this warp
  const Place place(blockIdx.x, y, x, (channels + kChunk - 1) / kChunk);
  const int channel = place.part * kChunk, row = place.row + y.step * k;
  other += int64_t(place.batch) * y.source * x.source * channels + channel;
  grad += int64_t(place.batch) * y.patch * x.patch * out_y * out_x;

  const int top = y.first + place.row; // the first source row
  const int begin = top < 0 ? (-top + y.step - 1) / y.step : 0;
  const int end = top < y.source ? min(kRows + y.patch - 1, (y.source - 1 - top) / y.step + 1) : 0;
  const auto load = [&](int q) {
    const float* line = other + int64_t(top + y.step * q) * x.source * channels;
    for (int v = threadIdx.x / kQuads; v < columns; v += kBackwardThreads / kQuads) {
      const int at = x.first + place.column + x.step * v, offset = threadIdx.x % kQuads * kQuad;
      const bool inside = at >= 0 && at < x.source && channel + offset < channels;
      float4* to = &rows[(q % 2 * columns + v) * kQuads + offset / kQuad];
      copy_async<16>(to, inside ? line + at * channels + offset : other, inside ? 16 : 0);
    }
    copies_begun();
  };
  for (int index = lane; index < 2 * depth * kMembers; index += 32) {
    band[index] = 0; // what lies beside the band stays so
  }
  __syncthreads();
  float4 sums[kMembers] = {};
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
      const int u = lane % kTile, first_p = lane / kTile, member = u % kMembers;
      const GradWalk walk(y, x, mirrored, py, row, top + y.step * q, place.column + x.step * u, first_p, out_y, out_x);
      const float* from = grad + walk.start;
      float* to = band + (u / kMembers * depth + member + first_p) * kMembers + member;
      int at = walk.at;
#pragma unroll 8
      for (int p = first_p; p < x.patch; p += 2) {
        *to = walk.row_inside && at >= 0 && at < x.source ? *from : 0.f;
        to += 2 * kMembers;
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
      const float4* values = rows + (q % 2 * columns + group * kMembers) * kQuads + quad;
      const float4* factors = reinterpret_cast<const float4*>(band + group * depth * kMembers);
#pragma unroll 4
      for (int v = 0; v < depth; ++v) {
        const float4 b = values[v * kQuads], low = factors[2 * v], high = factors[2 * v + 1];
        const float g[kMembers] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int u = 0; u < kMembers; ++u) {
          sums[u].x = fmaf(g[u], b.x, sums[u].x);
          sums[u].y = fmaf(g[u], b.y, sums[u].y);
          sums[u].z = fmaf(g[u], b.z, sums[u].z);
          sums[u].w = fmaf(g[u], b.w, sums[u].w);
        }
      }
    }
    __syncthreads();
  }

  float* stage = reinterpret_cast<float*>(shared) + k * kChunk * (kTile + 1);
#pragma unroll
  for (int u = 0; u < kMembers; ++u) {
    const float four[kQuad] = {sums[u].x, sums[u].y, sums[u].z, sums[u].w};
#pragma unroll
    for (int c = 0; c < kQuad; ++c) {
      stage[(quad * kQuad + c) * (kTile + 1) + group * kMembers + u] = four[c];
    }
  }
  __syncwarp();
  const int column = place.column + x.step * (lane % kTile);
  if (row < y.count && column < x.count) {
    for (int c = lane / kTile; c < min(kChunk, map_channels - channel); c += 2) {
      const int64_t plane = int64_t(place.batch) * map_channels + channel + c;
      float sum = stage[c * (kTile + 1) + lane % kTile];
      if (isnan(sum)) {
        sum = gather_gradient(grad, other + c, channels, y, x, mirrored, row, column, out_y, out_x);
      }
      result[(plane * y.count + row) * x.count + column] = sum;
    }
  }
}

} // namespace

int tiled_backward_shared(const Geometry& g) {
  const int rows = 2 * (kTile + g.x.patch - 1) * kChunk, band = kRows * 2 * (kMembers + g.x.patch - 1) * kMembers;
  return std::max(rows + band, kRows * kChunk * (kTile + 1)) * int(sizeof(float));
}

void tiled_backward(
    const float* grad, const float* other, float* result, int channels, const Geometry& g, bool mirrored,
    cudaStream_t stream) {
  const BandAxis y = backward_band(g.y, kRows, mirrored), x = backward_band(g.x, kTile, mirrored);
  const int64_t blocks = int64_t(g.batch) * ((channels + kChunk - 1) / kChunk) * y.blocks() * x.blocks();
  launch(
      backward_kernel, blocks, kBackwardThreads, tiled_backward_shared(g), stream, grad, other, result, channels,
      g.channels, y, x, mirrored, g.y.out, g.x.out);
}

} // namespace memcnp
