// Spatial correlation in half types for kernel_size 1 and stride 1, forward, by tensor cores. band.cuh says what a
// block works on, with one difference: columns of all classes lie side by side, as in the map, so that they are copied
// in vectors. Products of columns of different classes are thrown away.
//
// For one destination row and one source row that meet,  S[u, v] = sum over c of  one[u, c] * two[v, c]  is a matrix
// product, and a band of S is output. A warp keeps S of one tile of destinations and kPatchRows source rows in
// registers, and goes through the channels in slices that the block copies into shared memory, [channel][row][column].
// One slice is computed on while the next ones are on their way. Products are of half precision, sums float32.
#include <iterator>
#include <utility>

#include "numbers.cuh"
#include "tensor_core_plan.cuh"

namespace memcnp {
namespace {

constexpr int kTogether = 4; // products of kWide columns under way
constexpr int kInverseBits = 20; // divides exactly what lies in a row of sources

// The place of a block in output columns, rows and patch rows.
struct Tile {
  int column, row, part, batch;

  __device__ Tile(int64_t block, const BandAxis& y, const BandAxis& x, int parts) {
    column = static_cast<int>(block % x.tiles) * kTile - lead(x.padding);
    row = y.start(static_cast<int>((block /= x.tiles) % y.blocks()));
    part = static_cast<int>((block /= y.blocks()) % parts);
    batch = static_cast<int>(block / parts);
  }
};

// What a block copies of a slice: rows of destinations, then rows [begin, end) of sources.
struct Rows {
  int top_one, top_two, begin, end;

  __device__ Rows(const Tile& place, const BandAxis& y, const TensorPlan& plan) {
    const int first = place.part * plan.patch_rows();
    top_one = place.row - y.padding;
    top_two = place.row + y.first + y.step * first;
    begin = top_two < 0 ? (-top_two + y.step - 1) / y.step : 0;
    end = plan.rows + min(plan.patch_rows(), y.patch - first) - 1;
    end = min(end, top_two < y.source ? (y.source - 1 - top_two) / y.step + 1 : 0);
  }
};

template <typename T>
__device__ VectorCopy find_copy(
    int at, const T* one, const T* two, int halves, const Tile& place, const Rows& rows, const BandAxis& y,
    const BandAxis& x, const TensorPlan& plan) {
  const int ones = plan.rows * kTile / halves, of_source = plan.columns / halves;
  const bool is_source = at >= ones;
  const int index = is_source ? at - ones : at, width = is_source ? of_source : kTile / halves;
  const int row = index / width + (is_source ? rows.begin : 0), column = index % width * halves;
  const int row_y = (is_source ? rows.top_two : rows.top_one) + y.step * row;
  const int column_x = place.column + (is_source ? x.first - plan.shift : -x.padding) + column;
  const bool inside = row_y >= 0 && row_y < y.source && column_x >= 0 && column_x < x.source;
  const T* map = is_source ? two : one;
  const int to = is_source ? plan.rows * kTile + row * plan.width() : row * kTile;
  return {inside ? map + int64_t(row_y) * x.source + column_x : map, to + column, inside};
}

// Copy a vector of every `abreast`-th channel of a slice, from `first` on; zeros from `count` on.
template <int kBytes, typename T>
__device__ inline void copy_channels(
    T* to, const T* from, int first, int abreast, int count, int64_t from_plane, int to_plane, bool inside) {
#pragma unroll 4
  for (int c = first; c < kChannels; c += abreast) {
    copy_async<kBytes>(to, from, inside && c < count ? kBytes : 0);
    to += abreast * to_plane;
    from += c + abreast < count ? abreast * from_plane : 0;
  }
}

// kWides times kPatchRows: the part of S that a warp keeps, in kWide columns and in source rows. width: of the maps,
// which may be padded. halves: of a copy.
template <typename T, int kWides, int kPatchRows>
__global__ void __launch_bounds__(most_tensor_threads(kWides * kPatchRows)) forward_kernel(
    const T* one, const T* two, T* out, int channels, int width, int halves, BandAxis y, BandAxis x, TensorPlan plan) {
  extern __shared__ float4 shared[];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const Tile place(blockIdx.x, y, x, plan.parts);
  const Rows rows(place, y, plan);
  const int plane = plan.plane, positions = (plan.rows * kTile + max(rows.end - rows.begin, 0) * plan.columns) / halves;
  VectorCopy* copies = reinterpret_cast<VectorCopy*>(shared);
  T* slices = reinterpret_cast<T*>(copies + positions); // [buffers][kChannels][plane]
  const int64_t map_plane = int64_t(y.source) * x.source;
  one += place.batch * channels * map_plane;
  two += place.batch * channels * map_plane;
  for (int at = threadIdx.x; at < positions; at += blockDim.x) {
    copies[at] = find_copy(at, one, two, halves, place, rows, y, x, plan);
  }
  __syncthreads();

  const int abreast = max(1, int(blockDim.x) / positions); // channels that are copied at once
  const int first_channel = threadIdx.x / positions, first_at = threadIdx.x % positions;
  const auto load = [&](int slice, int buffer) {
    const int count = channels - slice * kChannels;
    const int64_t skip = (int64_t(slice) * kChannels + first_channel) * map_plane;
    for (int at = first_at; at < positions && first_channel < abreast; at += blockDim.x) {
      const VectorCopy copy = copies[at];
      const T* from = static_cast<const T*>(copy.from) + (first_channel < count ? skip : 0);
      T* to = slices + (buffer * kChannels + first_channel) * plane + copy.to;
      if (halves == 8) {
        copy_channels<16>(to, from, first_channel, abreast, count, map_plane, plane, copy.inside);
      } else if (halves == 4) {
        copy_channels<8>(to, from, first_channel, abreast, count, map_plane, plane, copy.inside);
      } else {
        copy_channels<4>(to, from, first_channel, abreast, count, map_plane, plane, copy.inside);
      }
    }
  };

  const int k = warp % plan.rows, chunk = warp / plan.rows % plan.chunks, group = warp / plan.rows / plan.chunks;
  const int first_row = k + group * kPatchRows; // of the warp's sources, those in [low, high) are there
  const int low = max(rows.begin - first_row, 0);
  const int patch_rows = min(plan.patch_rows(), y.patch - place.part * plan.patch_rows());
  const int high = min(min(rows.end, k + patch_rows) - first_row, kPatchRows);
  const int at_one = (lane / 16 * 8 + lane % 8) * plane + k * kTile + lane / 8 % 2 * 8;
  const int at_two = lane * plane + plan.rows * kTile + first_row * plan.width() + chunk * kWides * kWide;
  float sums[kPatchRows][kWides][4] = {};
  const int count = rows.begin < rows.end ? (channels + kChannels - 1) / kChannels : 0; // else all is zero
  for (int slice = 0; slice + 1 < plan.buffers; ++slice) {
    if (slice < count) {
      load(slice, slice);
    }
    copies_begun();
  }
  int buffer = 0, free_buffer = plan.buffers - 1;
  for (int slice = 0; slice < count; ++slice) {
    copies_done(plan.buffers - 2);
    __syncthreads(); // the slice is there, and all warps are through with the one before: its place is free
    if (slice + plan.buffers - 1 < count) {
      load(slice + plan.buffers - 1, free_buffer);
    }
    copies_begun();
    const T* values = slices + buffer * kChannels * plane;
    free_buffer = buffer;
    buffer = buffer + 1 < plan.buffers ? buffer + 1 : 0;
    unsigned a[2][4];
    read_matrices<true>(a[0], values + at_one);
    read_matrices<true>(a[1], values + at_one + kDepth * plane);
#pragma unroll
    for (int py = 0; py < kPatchRows; ++py) {
      if (py >= low && py < high) {
#pragma unroll
        for (int first = 0; first < kWides; first += kTogether) {
          unsigned b[kTogether][4];
#pragma unroll
          for (int n = first; n < min(first + kTogether, kWides); ++n) {
            read_matrices<true>(b[n - first], values + at_two + py * plan.width() + n * kWide);
          }
#pragma unroll
          for (int n = first; n < min(first + kTogether, kWides); ++n) {
            multiply_add<T>(sums[py][n], a[0], b[n - first][0], b[n - first][1]);
          }
#pragma unroll
          for (int n = first; n < min(first + kTogether, kWides); ++n) {
            multiply_add<T>(sums[py][n], a[1], b[n - first][2], b[n - first][3]);
          }
        }
      }
    }
  }
  __syncthreads();

  // By shared memory, [row][patch row][cell][column], so that neighbouring threads write neighbouring outputs.
  T* stage = reinterpret_cast<T*>(shared);
  T* mine = stage + (k * plan.patch_rows() + group * kPatchRows) * x.patch * kStage;
  const unsigned inverse = (1u << kInverseBits) / x.step + 1;
#pragma unroll
  for (int n = 0; n < kWides; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int u = lane / 4 + i / 2 * 8, v = (chunk * kWides + n) * kWide + lane % 4 * 2 + i % 2;
      const int offset = v - u - plan.shift, p = static_cast<int>(offset * inverse >> kInverseBits); // offset / step
      if (offset >= 0 && p * x.step == offset && p < x.patch) {
#pragma unroll
        for (int py = 0; py < kPatchRows; ++py) {
          mine[(py * x.patch + p) * kStage + u] = narrow<T, float>(sums[py][n][i]);
        }
      }
    }
  }
  __syncthreads();
  const int column = place.column + lane % kTile;
  const int64_t out_plane = int64_t(y.count) * x.count;
  for (int line = warp; line < plan.rows * plan.patch_rows(); line += blockDim.x / 32) {
    const int row = place.row + y.step * (line / plan.patch_rows());
    const int patch_row = place.part * plan.patch_rows() + line % plan.patch_rows();
    if (column < 0 || column >= x.count || row >= y.count || patch_row >= y.patch) {
      continue;
    }
    const int64_t cell = (int64_t(place.batch) * y.patch + patch_row) * x.patch;
    const bool meets = is_inside(row - y.padding, y.source) && is_inside(column - x.padding, width) &&
        is_inside(row + y.first + y.step * patch_row, y.source);
    T* to = out + (cell * y.count + row) * x.count + column;
    const T* from = stage + line * x.patch * kStage + lane % kTile;
#pragma unroll 4
    for (int p = lane / kTile; p < x.patch; p += 32 / kTile) { // where one map ends, zero, though the other may be NaN
      const bool counts = meets && is_inside(column + x.first + x.step * p, width);
      to[p * out_plane] = counts ? from[p * kStage] : narrow<T, float>(0.f);
    }
  }
}

// The kernel of a plan's shape.
template <typename T, size_t... kIndices>
auto kernel_of(const TensorPlan& plan, std::index_sequence<kIndices...>) {
  decltype(&forward_kernel<T, kShapes[0].wides, kShapes[0].depth>) kernel = nullptr;
  ((kShapes[kIndices].wides == plan.wides && kShapes[kIndices].depth == plan.depth
        ? void(kernel = forward_kernel<T, kShapes[kIndices].wides, kShapes[kIndices].depth>)
        : void()),
   ...);
  return kernel;
}

// The vectors that rows and maps are aligned to, in halves: 8, 4 or 2.
template <typename T>
int vector_of(const T* one, const T* two, int width) {
  const auto bits = reinterpret_cast<uintptr_t>(one) | reinterpret_cast<uintptr_t>(two) | width * sizeof(T) | 16;
  return static_cast<int>((bits & -bits) / sizeof(T));
}

} // namespace

template <typename T>
void tensor_core_forward(const T* one, const T* two, T* out, int width, const Geometry& g, cudaStream_t stream) {
  const TensorPlan plan = tensor_plan(g);
  const BandAxis y = forward_band(g.y, plan.rows), x = tile_columns(g.x);
  const int64_t blocks = int64_t(g.batch) * plan.parts * y.blocks() * x.tiles;
  const int halves = vector_of(one, two, g.x.size);
  const auto kernel = kernel_of<T>(plan, std::make_index_sequence<std::size(kShapes)>());
  launch(kernel, blocks, plan.warps() * 32, plan.shared, stream, one, two, out, g.channels, width, halves, y, x, plan);
}

template void tensor_core_forward(const __half*, const __half*, __half*, int, const Geometry&, cudaStream_t);
template void tensor_core_forward(
    const __nv_bfloat16*, const __nv_bfloat16*, __nv_bfloat16*, int, const Geometry&, cudaStream_t);

} // namespace memcnp
