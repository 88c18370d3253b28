// Spatial correlation on CUDA: chooses the kernel. geometry.h holds the mathematics, kernels.h lists the kernels.
//
// kernel_size 1 and stride 1 run fast: both maps are copied to channels-last order unless they are in it, then half types
// run on tensor cores and float on its own units, in full float32. Everything else, and double, runs one thread a result.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <torch/library.h>

#include <utility>

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

// Return one or two maps as [map][b][y][x][channels], channels rounded up to a multiple.
Tensor packed(const Tensor& one, const Tensor& two, int maps, const Geometry& g, int multiple, cudaStream_t stream) {
  const int64_t channels = (g.channels + multiple - 1) / multiple * multiple;
  Tensor result = at::empty({maps, g.batch, g.y.size, g.x.size, channels}, one.options());
  const int count = static_cast<int>(channels);
  if (one.element_size() == sizeof(float)) {
    memcnp::pack(view<float>(one), view<float>(two), maps, result.data_ptr<float>(), count, g, stream);
  } else {
    auto* to = static_cast<uint16_t*>(result.data_ptr());
    memcnp::pack(view<uint16_t>(one), view<uint16_t>(two), maps, to, count, g, stream);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

Tensor packed(const Tensor& map, const Geometry& g, int multiple, cudaStream_t stream) {
  return is_packed(map, g, multiple) ? map.permute({0, 2, 3, 1}) : packed(map, map, 1, g, multiple, stream)[0];
}

std::pair<Tensor, Tensor> packed(
    const Tensor& one, const Tensor& two, const Geometry& g, int multiple, cudaStream_t stream) {
  if (is_packed(one, g, multiple) || is_packed(two, g, multiple)) {
    return {packed(one, g, multiple, stream), packed(two, g, multiple, stream)};
  }
  const Tensor both = packed(one, two, 2, g, multiple, stream);
  return {both[0], both[1]};
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
void on_tensor_cores(const Tensor& one, const Tensor& two, Tensor& out, const Geometry& g, cudaStream_t stream) {
  memcnp::tensor_core_forward(
      static_cast<const T*>(one.const_data_ptr()), static_cast<const T*>(two.const_data_ptr()),
      static_cast<T*>(out.data_ptr()), static_cast<int>(one.size(3)), g, stream);
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
    const auto [first, second] = packed(one, two, g, memcnp::kTiledChannels, stream);
    memcnp::tiled_forward(
        first.const_data_ptr<float>(), second.const_data_ptr<float>(), out.data_ptr<float>(),
        static_cast<int>(first.size(3)), g, stream);
  } else if (memcnp::tensor_cores_fit(g)) {
    const auto [first, second] = packed(one, two, g, memcnp::kTensorCoreChannels, stream);
    one.scalar_type() == at::kHalf ? on_tensor_cores<__half>(first, second, out, g, stream)
                                   : on_tensor_cores<__nv_bfloat16>(first, second, out, g, stream);
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
