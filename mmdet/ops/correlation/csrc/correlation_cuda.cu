// Spatial correlation on CUDA: chooses the kernel. geometry.h holds the mathematics, kernels.h lists the kernels.
//
// kernel_size 1 and stride 1 run fast: half types on tensor cores and float on its own units, in full float32. Forward
// they read contiguous maps, backward a copy in channels-last order, unless the map is in it. Everything else, and
// double, runs one thread per result.
#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <torch/library.h>

#include "arguments.h"
#include "kernels.h"

namespace {

using at::Tensor;
using memcnp::Geometry;

template <typename T>
memcnp::Map<T> view(const Tensor& map) {
  return {static_cast<const T*>(map.const_data_ptr()), map.stride(0), map.stride(1), map.stride(2), map.stride(3)};
}

bool is_fast(const Geometry& g, at::ScalarType dtype) {
  const bool plain = g.y.kernel == 1 && g.x.kernel == 1 && g.y.stride == 1 && g.x.stride == 1;
  return plain && dtype != at::kDouble && memcnp::tiles_fit(g);
}

bool is_packed(const Tensor& map, const Geometry& g, int multiple) {
  const bool aligned = reinterpret_cast<uintptr_t>(map.const_data_ptr()) % 16 == 0; // bytes of a copy to shared memory
  return aligned && g.channels % multiple == 0 && map.permute({0, 2, 3, 1}).is_contiguous();
}

// Return a map as [b][y][x][channels], channels rounded up to a multiple.
Tensor packed(const Tensor& map, const Geometry& g, int multiple, cudaStream_t stream) {
  if (is_packed(map, g, multiple)) {
    return map.permute({0, 2, 3, 1});
  }
  const int64_t channels = (g.channels + multiple - 1) / multiple * multiple;
  Tensor result = at::empty({g.batch, g.y.size, g.x.size, channels}, map.options());
  const int count = static_cast<int>(channels);
  if (map.element_size() == sizeof(float)) {
    memcnp::pack(view<float>(map), result.data_ptr<float>(), count, g, stream);
  } else {
    memcnp::pack(view<uint16_t>(map), static_cast<uint16_t*>(result.data_ptr()), count, g, stream);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

// Return a map of half types, contiguous and `width` columns wide, the further ones zero, at an address of whole words.
Tensor widened(const Tensor& map, int64_t width) {
  const Tensor plain = map.contiguous();
  const Tensor wide = width > map.size(3) ? at::constant_pad_nd(plain, {0, width - map.size(3)}) : plain;
  return reinterpret_cast<uintptr_t>(wide.const_data_ptr()) % memcnp::kWord == 0 ? wide : wide.clone();
}

template <typename T>
void generic(const Tensor& one, const Tensor& two, Tensor& out, const Geometry& g, cudaStream_t stream) {
  memcnp::generic_forward(view<T>(one), view<T>(two), static_cast<T*>(out.data_ptr()), g, stream);
}

template <typename T>
void generic(
    const Tensor& grad, const Tensor& other, Tensor& result, const Geometry& g, bool mirrored, cudaStream_t stream) {
  memcnp::generic_backward(
      static_cast<const T*>(grad.const_data_ptr()), view<T>(other), static_cast<T*>(result.data_ptr()), g, mirrored,
      stream);
}

// Call `generic` for the tensors' dtype.
template <typename... Arguments>
void any_dtype(at::ScalarType dtype, Arguments&&... arguments) {
  switch (dtype) {
    case at::kFloat: return generic<float>(arguments...);
    case at::kDouble: return generic<double>(arguments...);
    case at::kHalf: return generic<__half>(arguments...);
    case at::kBFloat16: return generic<__nv_bfloat16>(arguments...);
    default: TORCH_CHECK(false, std::string("correlation: no kernel for ") + c10::toString(dtype));
  }
}

template <typename T>
void on_tensor_cores(
    const Tensor& one, const Tensor& two, Tensor& out, int width, const Geometry& g, cudaStream_t stream) {
  memcnp::tensor_core_forward(
      static_cast<const T*>(one.const_data_ptr()), static_cast<const T*>(two.const_data_ptr()),
      static_cast<T*>(out.data_ptr()), width, g, stream);
}

template <typename T>
void on_tensor_cores(
    const Tensor& grad, const Tensor& other, Tensor& result, const Geometry& g, bool mirrored, cudaStream_t stream) {
  memcnp::tensor_core_backward(
      static_cast<const T*>(grad.const_data_ptr()), static_cast<const T*>(other.const_data_ptr()),
      static_cast<T*>(result.data_ptr()), static_cast<int>(other.size(3)), g, mirrored, stream);
}

void fast(const Tensor& one, const Tensor& two, Tensor& out, const Geometry& g, cudaStream_t stream) {
  if (one.scalar_type() == at::kFloat) {
    const Tensor first = one.contiguous(), second = two.contiguous();
    memcnp::tiled_forward(
        first.const_data_ptr<float>(), second.const_data_ptr<float>(), out.data_ptr<float>(), g, stream);
  } else if (memcnp::tensor_cores_fit_forward(g)) {
    Geometry wide = g;
    if (g.x.size % 2 != 0) { // rows of whole words are asked for: make them whole vectors, as that takes a copy anyway
      wide.x.size += memcnp::kVectorColumns - g.x.size % memcnp::kVectorColumns;
    }
    const Tensor first = widened(one, wide.x.size), second = widened(two, wide.x.size);
    one.scalar_type() == at::kHalf ? on_tensor_cores<__half>(first, second, out, g.x.size, wide, stream)
                                   : on_tensor_cores<__nv_bfloat16>(first, second, out, g.x.size, wide, stream);
  } else {
    Tensor wide = at::empty(out.sizes(), out.options().dtype(at::kFloat));
    fast(one.to(at::kFloat), two.to(at::kFloat), wide, g, stream);
    out.copy_(wide);
  }
}

void fast(
    const Tensor& grad, const Tensor& other, Tensor& result, const Geometry& g, bool mirrored, cudaStream_t stream) {
  if (other.scalar_type() == at::kFloat) {
    const Tensor map = packed(other, g, memcnp::kTiledChannels, stream);
    memcnp::tiled_backward(
        grad.const_data_ptr<float>(), map.const_data_ptr<float>(), result.data_ptr<float>(),
        static_cast<int>(map.size(3)), g, mirrored, stream);
  } else if (memcnp::tensor_cores_fit(g)) {
    const Tensor map = packed(other, g, memcnp::kTensorCoreChannels, stream);
    other.scalar_type() == at::kHalf ? on_tensor_cores<__half>(grad, map, result, g, mirrored, stream)
                                     : on_tensor_cores<__nv_bfloat16>(grad, map, result, g, mirrored, stream);
  } else {
    Tensor wide = at::empty(result.sizes(), result.options().dtype(at::kFloat));
    fast(grad.to(at::kFloat), other.to(at::kFloat), wide, g, mirrored, stream);
    result.copy_(wide);
  }
}

Tensor correlation(const Tensor& input1, const Tensor& input2, MEMCNP_PAIRS) {
  memcnp::check_maps(input1, input2);
  const Geometry g = MEMCNP_GEOMETRY(input1);
  const c10::cuda::CUDAGuard guard(input1.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  Tensor out = at::empty({g.batch, g.y.patch, g.x.patch, g.y.out, g.x.out}, input1.options());
  if (out.numel() == 0 || input1.numel() == 0) {
    return out.zero_();
  }
  if (is_fast(g, input1.scalar_type())) {
    fast(input1, input2, out, g, stream);
  } else {
    any_dtype(input1.scalar_type(), input1, input2, out, g, stream);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor correlation_backward(const Tensor& grad, const Tensor& other, MEMCNP_PAIRS, bool mirrored) {
  const Geometry g = MEMCNP_GEOMETRY(other);
  memcnp::check_grad(grad, other, g);
  const c10::cuda::CUDAGuard guard(other.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  Tensor result = at::empty(other.sizes(), other.options());
  if (result.numel() == 0) {
    return result;
  }
  const Tensor factors = grad.contiguous();
  if (is_fast(g, other.scalar_type())) {
    fast(factors, other, result, g, mirrored, stream);
  } else {
    any_dtype(other.scalar_type(), factors, other, result, g, mirrored, stream);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

} // namespace

TORCH_LIBRARY_IMPL(memcnp, CUDA, library) {
  library.impl("correlation", &correlation);
  library.impl("correlation_backward", &correlation_backward);
}
