// How the float32 forward pass divides its work. correlation_tiled_plan.cu chooses, correlation_tiled.cu computes.
#pragma once

#include "band.cuh"

namespace memcnp {

constexpr int kMembers = 8; // outputs of a thread in a row, of one class
constexpr int kSlice = 8; // channels
constexpr int kVector = 4; // floats read at once

// By their registers, two blocks on a multiprocessor.
__host__ __device__ constexpr int most_threads(int cells) { return cells > 9 ? 128 : 256; }
// Neighbouring groups of cells start whole reads apart and may overlap.
__host__ __device__ constexpr int advance_of(int cells) { return cells / kVector * kVector; }

// Where a position of a slice is copied from, in the first channel, and to; zeros are copied outside the map.
struct alignas(16) Copy {
  const float* from;
  int to, inside;
};

struct TiledPlan {
  int cells; // patch cells of a thread
  int groups; // of members, in a row and class
  int together; // classes of columns
  int rows; // of destinations
  int cell_groups;
  int patch_rows; // of a block
  int parts; // blocks that share the patch's rows
  int buffers; // slices in shared memory: 2 or 3
  int one_pitch; // floats of a row of destinations
  int two_columns, two_pitch; // floats of a class of sources and of a row of them
  int plane; // floats of a channel
  int shared; // bytes of a block

  __host__ __device__ int threads() const { return groups * together * cell_groups * patch_rows * rows; }
  __host__ __device__ int warps() const { return (threads() + 31) / 32; }
  __host__ __device__ int members() const { return groups * kMembers; }
  __host__ __device__ int tile() const { return members() * together; }
  __host__ __device__ int one_positions() const { return rows * tile(); }
  __host__ __device__ int row_positions(int patch) const { return (members() + patch - 1) * together; }
  __host__ __device__ int positions(int patch) const {
    return one_positions() + (rows + patch_rows - 1) * row_positions(patch);
  }
  // Floats of the outputs of a row and patch row, odd, so that patch rows lie in different banks.
  __host__ __device__ int stage(int patch) const { return patch * (tile() + 1) | 1; }
};

TiledPlan tiled_plan(const Geometry& g);

} // namespace memcnp
