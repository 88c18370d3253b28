// Spatial correlation in float32 for kernel_size 1 and stride 1, forward. band.cuh says what a block works on.
//
// A thread keeps kMembers outputs times kCells patch cells of one row in registers and goes through the channels in
// slices that the block holds in shared memory, position by position, twice: one is computed on, one is on its way.
#include <algorithm>

#include "band.cuh"

namespace memcnp {
namespace {

constexpr int kMembers = 8;
constexpr int kQuad = 4; // channels read at once
constexpr int kSlice = 8; // channels of a slice; packed maps have a multiple of them
constexpr int kSlot = kSlice + kQuad; // so that eight neighbouring positions lie in different banks
constexpr int most_threads(int cells) { return cells > 11 ? 128 : 192; } // by their registers
static_assert(kTiledChannels % kSlice == 0);

struct ForwardPlan {
  int cells; // patch cells of a thread
  int groups; // of members, in a row: a power of two up to four
  int cell_groups;
  int patch_rows; // of a block
  int parts; // blocks that share the patch's rows
  int width; // places of a row of destinations, and below of sources; odd, so that rows lie in different banks
  int columns;
  int positions; // of a slice: destinations, then sources
  int shared;

  __host__ __device__ int threads() const { return groups * cell_groups * patch_rows * kRows; }
  __host__ __device__ int warps() const { return (threads() + 31) / 32; }
  __host__ __device__ int destinations() const { return kRows * width; }
};

__device__ void multiply_add(float& sum, const float4& a, const float4& b) {
  sum = fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
}

template <int kCells>
__global__ void __launch_bounds__(most_threads(kCells), 2) forward_kernel(
    const float* one, const float* two, float* out, int channels, BandAxis y, BandAxis x, ForwardPlan plan) {
  extern __shared__ float4 shared[];
  int* offsets = reinterpret_cast<int*>(shared); // of every position of a slice, -1 outside the map
  float* slices = reinterpret_cast<float*>(shared + (plan.positions + 3) / 4);
  const Place place(blockIdx.x, y, x, plan.parts);
  const int destinations = plan.destinations(), patch_row = place.part * plan.patch_rows;
  const int64_t image = int64_t(place.batch) * y.source * x.source * channels;
  one += image;
  two += image;
  for (int at = threadIdx.x; at < plan.positions; at += blockDim.x) {
    const bool is_source = at >= destinations;
    const int width = is_source ? plan.columns : plan.width, index = is_source ? at - destinations : at;
    const int row = place.row + y.step * (index / width + (is_source ? patch_row : 0));
    const int row_y = row + (is_source ? y.first : -y.padding);
    const int column_x = place.column + x.step * (index % width) + (is_source ? x.first : -x.padding);
    const bool inside = row_y >= 0 && row_y < y.source && column_x >= 0 && column_x < x.source;
    offsets[at] = inside ? (row_y * x.source + column_x) * channels : -1;
  }
  __syncthreads();
  const auto load = [&](int slice) {
    constexpr int kCopies = kSlice / kQuad; // of a position; a thread keeps to one of them
    const int channel = threadIdx.x % kCopies * kQuad;
    float* to = slices + slice % 2 * plan.positions * kSlot + channel;
    const float* from_one = one + slice * kSlice + channel;
    const float* from_two = two + slice * kSlice + channel;
#pragma unroll 4
    for (int at = threadIdx.x / kCopies; at < plan.positions; at += blockDim.x / kCopies) {
      const int offset = offsets[at];
      copy_async(to + at * kSlot, (at < destinations ? from_one : from_two) + max(offset, 0), offset >= 0);
    }
    copies_begun();
  };

  int rest = min(static_cast<int>(threadIdx.x), plan.threads() - 1); // the block is whole warps
  const int py = rest % plan.patch_rows; // fastest, so that a warp reads the same place of several rows
  const int k = (rest /= plan.patch_rows) % kRows;
  const int group = (rest /= kRows) % plan.groups, cell_group = rest / plan.groups;
  const int at_one = (k * plan.width + group * kMembers) * kSlot;
  const int at_two = (destinations + (k + py) * plan.columns + group * kMembers + cell_group * kCells) * kSlot;
  float sums[kMembers][kCells] = {};
  const int count = channels / kSlice;
  load(0);
  for (int slice = 0; slice < count; ++slice) {
    if (slice + 1 < count) {
      load(slice + 1);
      copies_done<1>();
    } else {
      copies_done<0>();
    }
    __syncthreads();
    const float* values = slices + slice % 2 * plan.positions * kSlot;
#pragma unroll 1
    for (int channel = 0; channel < kSlice; channel += kQuad) {
      float4 a[kMembers];
#pragma unroll
      for (int u = 0; u < kMembers; ++u) {
        a[u] = *reinterpret_cast<const float4*>(values + at_one + u * kSlot + channel);
      }
#pragma unroll
      for (int v = 0; v < kMembers + kCells - 1; ++v) {
        const float4 b = *reinterpret_cast<const float4*>(values + at_two + v * kSlot + channel);
#pragma unroll
        for (int u = 0; u < kMembers; ++u) {
          if (v - u >= 0 && v - u < kCells) {
            multiply_add(sums[u][v - u], a[u], b);
          }
        }
      }
    }
    __syncthreads();
  }

  // By shared memory, so that neighbouring threads write neighbouring outputs.
  const int cells = plan.patch_rows * x.patch;
#pragma unroll
  for (int p = 0; p < kCells; ++p) {
    if (cell_group * kCells + p < x.patch && threadIdx.x < plan.threads()) {
      float* line = slices + (k * cells + py * x.patch + cell_group * kCells + p) * x.tile + group * kMembers;
#pragma unroll
      for (int u = 0; u < kMembers; ++u) {
        line[u] = sums[u][p];
      }
    }
  }
  __syncthreads();
  const int u = threadIdx.x % x.tile, column = place.column + x.step * u, step = blockDim.x / x.tile;
  const int inside = column < x.count ? min(plan.patch_rows, y.patch - patch_row) * x.patch : 0;
  const int64_t plane = int64_t(y.count) * x.count;
  for (int line = 0; line < kRows && place.row + y.step * line < y.count; ++line) {
    const int64_t first_cell = (int64_t(place.batch) * y.patch + patch_row) * x.patch;
    float* to = out + first_cell * plane + int64_t(place.row + y.step * line) * x.count + column;
#pragma unroll 4
    for (int cell = threadIdx.x / x.tile; cell < inside; cell += step) {
      to[cell * plane] = slices[(line * cells + cell) * x.tile + u];
    }
  }
}

ForwardPlan make_plan(const Geometry& g, int cells, int groups, int threads) {
  ForwardPlan plan{};
  plan.cells = cells;
  plan.groups = groups;
  plan.cell_groups = (g.x.patch + cells - 1) / cells;
  const int most = std::max(1, threads / (groups * plan.cell_groups * kRows));
  plan.parts = (g.y.patch + most - 1) / most;
  plan.patch_rows = (g.y.patch + plan.parts - 1) / plan.parts;
  plan.width = groups * kMembers + 1;
  plan.columns = (groups * kMembers + plan.cell_groups * cells - 1) | 1;
  plan.positions = plan.destinations() + (kRows + plan.patch_rows - 1) * plan.columns;
  const int outputs = kRows * groups * kMembers * plan.patch_rows * g.x.patch;
  plan.shared = ((plan.positions + 3) / 4 * 4 + std::max(2 * plan.positions * kSlot, outputs)) * int(sizeof(float));
  return plan;
}

// The plan that keeps the multiprocessors busy for the shortest time, by a count of what limits them.
ForwardPlan best_plan(const Geometry& g) {
  ForwardPlan best{};
  int64_t least = INT64_MAX;
  for (const int cells : {16, 11, 9, 8, 4}) {
    for (const int groups : {2, 4, 1}) {
      const int limit = most_threads(cells);
      const ForwardPlan plan = make_plan(g, cells, groups, limit);
      // Cycles of a thread for four channels, on four warps: a multiplication a warp each, or a 16-byte read in four.
      const int cycles = std::max(kMembers * cells, 4 * (2 * kMembers + cells - 1));
      const BandAxis x = forward_band(g.x, groups * kMembers);
      const int64_t cost = int64_t(cycles) * plan.threads() * plan.parts * x.blocks();
      if (plan.threads() <= limit && cost < least) {
        least = cost;
        best = plan;
      }
    }
  }
  return best;
}

} // namespace

bool tiles_fit(const Geometry& g) {
  const ForwardPlan plan = best_plan(g);
  const int64_t image = int64_t(g.y.size) * g.x.size * (g.channels + kTensorCoreChannels);
  return g.x.patch <= kMostPatch && plan.cells > 0 && image < INT32_MAX &&
      std::max(plan.shared, tiled_backward_shared(g)) <= shared_memory_limit();
}

void tiled_forward(const float* one, const float* two, float* out, int channels, const Geometry& g, cudaStream_t stream) {
  const ForwardPlan plan = best_plan(g);
  const BandAxis y = forward_band(g.y, kRows), x = forward_band(g.x, plan.groups * kMembers);
  const int64_t blocks = int64_t(g.batch) * plan.parts * y.blocks() * x.blocks();
  const auto kernel = plan.cells == 16 ? forward_kernel<16>
      : plan.cells == 11               ? forward_kernel<11>
      : plan.cells == 9                ? forward_kernel<9>
      : plan.cells == 8                ? forward_kernel<8>
                                       : forward_kernel<4>;
  launch(kernel, blocks, plan.warps() * 32, plan.shared, stream, one, two, out, channels, y, x, plan);
}

} // namespace memcnp
