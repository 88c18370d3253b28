// The CUDA kernels as functions over raw pointers, so that their files compile without torch's headers.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "geometry.h"

namespace memcnp {

// A map (B, C, H, W) of any strides, in elements.
template <typename T>
struct Map {
  const T* data;
  int64_t b, c, y, x;
};

// Any parameters, slow: one thread per output or gradient. T: float, double, __half, __nv_bfloat16.
template <typename T>
void generic_forward(Map<T> one, Map<T> two, T* out, const Geometry& g, cudaStream_t stream);
template <typename T>
void generic_backward(const T* grad, Map<T> other, T* result, const Geometry& g, bool mirrored, cudaStream_t stream);

// Copy a map to [b][y][x][channels], channels beyond its own zero. T: float, uint16_t for half types.
template <typename T>
void pack(Map<T> map, T* packed, int channels, const Geometry& g, cudaStream_t stream);

// kernel_size 1 and stride 1, in float32: forward over contiguous maps, backward over a packed map of `channels`
// channels, a multiple of the constant. Not for a patch too large for a block's shared memory: `tiles_fit` says so.
constexpr int kTiledChannels = 16;
constexpr int kMostPatch = 512;
bool tiles_fit(const Geometry& g); // by device and sizes
int tiled_backward_shared(const Geometry& g); // bytes of a block
void tiled_forward(const float* one, const float* two, float* out, const Geometry& g, cudaStream_t stream);
void tiled_backward(
    const float* grad, const float* other, float* result, int channels, const Geometry& g, bool mirrored,
    cudaStream_t stream);

// The same by tensor cores; T: __half, __nv_bfloat16. Neither for GPUs, nor where the code was built for ones, older
// than compute capability 8.0. Forward over contiguous maps with rows of whole words, and only for classes so few that
// enough of the products are kept: see the kernel. `width`: of the maps before they were padded to the geometry's.
constexpr int kWord = 4; // bytes
constexpr int kVectorColumns = 8; // of the widest copy
constexpr int kTensorCoreChannels = 64;
bool tensor_cores_fit(const Geometry& g);
bool tensor_cores_fit_forward(const Geometry& g);
template <typename T>
void tensor_core_forward(const T* one, const T* two, T* out, int width, const Geometry& g, cudaStream_t stream);
template <typename T>
void tensor_core_backward(
    const T* grad, const T* other, T* result, int channels, const Geometry& g, bool mirrored, cudaStream_t stream);

} // namespace memcnp
