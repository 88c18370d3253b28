// Spatial correlation in float32 for kernel_size 1 and stride 1, forward. band.cuh says what a block works on.
//
// A thread keeps kMembers outputs times kCells patch cells of one row in registers and goes through the channels in
// slices. The block copies them into shared memory straight from the maps, sorting the columns into classes on the way:
// [channel][row][class][member]. One slice is computed on while the next ones are on their way.
#include "tiled.cuh"

namespace memcnp {
namespace {

__device__ Copy find_copy(
    int at, const float* one, const float* two, const Place& place, const BandAxis& y, const BandAxis& x,
    const TiledPlan& plan) {
  const bool is_source = at >= plan.one_positions();
  const int index = is_source ? at - plan.one_positions() : at;
  const int width = is_source ? plan.row_positions(x.patch) : plan.tile();
  const int row = index / width, column = index % width, member = column / plan.together, same = column % plan.together;
  const int shift_y = is_source ? y.first + y.step * place.part * plan.patch_rows : -y.padding;
  const int row_y = place.row + y.step * row + shift_y;
  const int column_x = place.column + same + x.step * member + (is_source ? x.first : -x.padding);
  const bool inside = row_y >= 0 && row_y < y.source && column_x >= 0 && column_x < x.source;
  const int to = is_source ? plan.rows * plan.one_pitch + row * plan.two_pitch + same * plan.two_columns
                           : row * plan.one_pitch + same * plan.members();
  const float* map = is_source ? two : one;
  return {inside ? map + int64_t(row_y) * x.source + column_x : map, to + member, inside};
}

__device__ inline void read(float (&to)[kVector], const float* from) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}

template <int kCells>
__global__ void __launch_bounds__(most_threads(kCells), 2) forward_kernel(
    const float* one, const float* two, float* out, int channels, BandAxis y, BandAxis x, TiledPlan plan) {
  constexpr int kReach = kMembers + kCells - 1;
  extern __shared__ float4 shared[];
  Copy* copies = reinterpret_cast<Copy*>(shared);
  const int positions = plan.positions(x.patch), plane = plan.plane;
  float* slices = reinterpret_cast<float*>(shared) + positions * int(sizeof(Copy) / sizeof(float));
  const Place place(blockIdx.x, y, x, plan.parts);
  const int64_t map_plane = int64_t(y.source) * x.source;
  one += place.batch * channels * map_plane;
  two += place.batch * channels * map_plane;
  for (int at = threadIdx.x; at < positions; at += blockDim.x) {
    copies[at] = find_copy(at, one, two, place, y, x, plan);
  }
  __syncthreads();

  const auto load = [&](int slice, int buffer) {
    const int count = min(kSlice, channels - slice * kSlice);
    const int64_t skip = slice * kSlice * map_plane;
    float* to_buffer = slices + buffer * kSlice * plane;
    for (int at = threadIdx.x; at < positions; at += blockDim.x) {
      const Copy copy = copies[at];
      const float* from = copy.from + skip;
      float* to = to_buffer + copy.to;
      const int bytes = copy.inside ? sizeof(float) : 0;
      if (count == kSlice) {
#pragma unroll
        for (int c = 0; c < kSlice; ++c) {
          copy_async<sizeof(float)>(to, from, bytes);
          to += plane;
          from += map_plane;
        }
      } else { // zeros for the channels that the map has not
        for (int c = 0; c < kSlice; ++c) {
          copy_async<sizeof(float)>(to, from, c < count ? bytes : 0);
          to += plane;
          from += c + 1 < count ? map_plane : 0;
        }
      }
    }
  };

  int rest = min(static_cast<int>(threadIdx.x), plan.threads() - 1); // the block is whole warps
  const int py = rest % plan.patch_rows; // fastest: neighbours share destinations, and their sources' banks differ
  const int k = (rest /= plan.patch_rows) % plan.rows;
  const int same = (rest /= plan.rows) % plan.together;
  const int group = (rest /= plan.together) % plan.groups, cell_group = rest / plan.groups;
  const int first_cell = cell_group * advance_of(kCells);
  const int at_one = k * plan.one_pitch + same * plan.members() + group * kMembers;
  const int line_two = plan.rows * plan.one_pitch + (k + py) * plan.two_pitch + same * plan.two_columns;
  const int at_two = line_two + group * kMembers + first_cell;
  float sums[kMembers][kCells] = {};
  const int count = (channels + kSlice - 1) / kSlice;
  for (int slice = 0; slice + 1 < plan.buffers; ++slice) {
    if (slice < count) {
      load(slice, slice);
    }
    copies_begun();
  }
  int buffer = 0, free_buffer = plan.buffers - 1;
  for (int slice = 0; slice < count; ++slice) {
    copies_done(plan.buffers - 2);
    __syncthreads(); // the slice is there, and all threads are through with the one before: its place is free
    if (slice + plan.buffers - 1 < count) {
      load(slice + plan.buffers - 1, free_buffer);
    }
    copies_begun();
    const float* values = slices + buffer * kSlice * plane;
    free_buffer = buffer;
    buffer = buffer + 1 < plan.buffers ? buffer + 1 : 0;
#pragma unroll 2
    for (int channel = 0; channel < kSlice; ++channel) {
      float a[kMembers / kVector][kVector];
#pragma unroll
      for (int u = 0; u < kMembers; u += kVector) {
        read(a[u / kVector], values + at_one + u);
      }
#pragma unroll
      for (int v = 0; v < kReach; v += kVector) {
        float b[kVector];
        read(b, values + at_two + v);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
#pragma unroll
          for (int u = 0; u < kMembers; ++u) {
            if (v + i - u >= 0 && v + i - u < kCells) {
              sums[u][v + i - u] = fmaf(a[u / kVector][u % kVector], b[i], sums[u][v + i - u]);
            }
          }
        }
      }
      values += plane;
    }
  }
  __syncthreads();

  // By shared memory, [row][patch row][cell][member][class], so that neighbouring threads write neighbouring outputs.
  const int tile = plan.tile(), pitch = tile + 1, stage = plan.stage(x.patch);
#pragma unroll
  for (int p = 0; p < kCells; ++p) {
    const bool is_own = p < advance_of(kCells) || cell_group + 1 == plan.cell_groups; // where cell groups overlap
    if (is_own && first_cell + p < x.patch && threadIdx.x < plan.threads()) {
      float* line = slices + (k * plan.patch_rows + py) * stage + (first_cell + p) * pitch + same;
#pragma unroll
      for (int u = 0; u < kMembers; ++u) {
        line[(group * kMembers + u) * plan.together] = sums[u][p];
      }
    }
  }
  __syncthreads();
  const int64_t out_plane = int64_t(y.count) * x.count;
  const int across = min(tile, static_cast<int>(blockDim.x)), line_step = blockDim.x / across;
  for (int u = threadIdx.x % across; u < tile; u += across) {
    const int column = place.column + u % plan.together + x.step * (u / plan.together);
    for (int line = threadIdx.x / across; line < plan.rows * plan.patch_rows; line += line_step) {
      const int row = place.row + y.step * (line / plan.patch_rows);
      const int patch_row = place.part * plan.patch_rows + line % plan.patch_rows;
      if (column >= x.count || row >= y.count || patch_row >= y.patch || threadIdx.x >= across * line_step) {
        continue;
      }
      const int64_t cell = (int64_t(place.batch) * y.patch + patch_row) * x.patch;
      const bool meets = is_inside(row - y.padding, y.source) && is_inside(column - x.padding, x.source) &&
          is_inside(row + y.first + y.step * patch_row, y.source);
      float* to = out + (cell * y.count + row) * x.count + column;
      const float* from = slices + line * stage + u;
#pragma unroll 4
      for (int p = 0; p < x.patch; ++p) { // where one map ends, zero, though the other one may be NaN
        *to = meets && is_inside(column + x.first + x.step * p, x.source) ? from[p * pitch] : 0.f;
        to += out_plane;
      }
    }
  }
}

} // namespace

void tiled_forward(const float* one, const float* two, float* out, const Geometry& g, cudaStream_t stream) {
  const TiledPlan plan = tiled_plan(g);
  const BandAxis y = forward_band(g.y, plan.rows), x = forward_band(g.x, plan.members(), plan.together);
  const int64_t blocks = int64_t(g.batch) * plan.parts * y.blocks() * x.blocks();
  const auto kernel = plan.cells == 21 ? forward_kernel<21>
      : plan.cells == 9                ? forward_kernel<9>
      : plan.cells == 8                ? forward_kernel<8>
                                       : forward_kernel<4>;
  launch(kernel, blocks, plan.warps() * 32, plan.shared, stream, one, two, out, g.channels, y, x, plan);
}

} // namespace memcnp
