// How the forward pass on tensor cores divides its work. correlation_tensor_core_plan.cu chooses,
// correlation_tensor_core.cu computes.
#pragma once

#include "band.cuh"
#include "tensor_core.cuh"

namespace memcnp {

constexpr int kChannels = 2 * kDepth; // of a slice: what one read of four matrices holds of kWide columns
constexpr int kStage = kTile + 2; // halves of a tile's outputs in shared memory: cells lie in different banks

// The part of the products that a warp keeps sums of: wides * kWide columns of sources, and patch rows. These few were
// the best of nine at eight sizes on an H200, or within a few percent of it.
struct TensorShape {
  int wides, depth;
};
constexpr TensorShape kShapes[] = {{4, 9}, {4, 3}, {6, 4}};

// Of a multiprocessor, by the registers of a thread: four hold the sums of a product, of wides * depth ones.
__host__ __device__ constexpr int most_tensor_threads(int products) { return products > 24 ? 256 : 512; }

// Where a vector of a slice is copied from, in the first channel, and to; zeros are copied outside the map.
struct alignas(16) VectorCopy {
  const void* from;
  int to, inside;
};

struct TensorPlan {
  int wides; // of columns of sources, of a warp
  int depth; // patch rows of a warp
  int rows; // of destinations: a warp has one, kTile columns of it
  int groups; // of `depth` patch rows
  int chunks; // of `wides` columns of sources
  int parts; // blocks that share the patch's rows
  int buffers; // slices in shared memory: 2 or 3
  int shift; // the first source of a tile lies so far behind a multiple of kWide columns
  int columns; // of a row of sources, from that multiple on, a multiple of kWide
  int plane; // halves of a channel
  int shared; // bytes of a block

  __host__ __device__ int warps() const { return rows * groups * chunks; }
  __host__ __device__ int patch_rows() const { return groups * depth; }
  __host__ __device__ int width() const { return chunks * wides * kWide; } // halves of a row of sources
};

// Tiles start at multiples of kTile in map one: so many columns of the first one lie before the output.
__host__ __device__ constexpr int lead(int padding) { return (kTile - padding % kTile) % kTile; }

TensorPlan tensor_plan(const Geometry& g);

// The blocks' positions in columns are tiles, whatever their class; in rows as in band.cuh.
inline BandAxis tile_columns(const Axis& axis) {
  BandAxis x = forward_band(axis, kTile);
  x.tiles = (axis.out + lead(axis.padding) + kTile - 1) / kTile;
  return x;
}

} // namespace memcnp
