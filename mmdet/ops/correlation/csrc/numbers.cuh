// Conversions of the half types by name: torch builds extensions with the implicit ones switched off.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace memcnp {

template <typename S>
__device__ inline S widen(S number) {
  return number;
}
template <typename S>
__device__ inline S widen(__half number) {
  return __half2float(number);
}
template <typename S>
__device__ inline S widen(__nv_bfloat16 number) {
  return __bfloat162float(number);
}

template <typename T, typename S>
__device__ inline T narrow(S number) {
  return number;
}
template <>
__device__ inline __half narrow<__half, float>(float number) {
  return __float2half_rn(number);
}
template <>
__device__ inline __nv_bfloat16 narrow<__nv_bfloat16, float>(float number) {
  return __float2bfloat16_rn(number);
}

} // namespace memcnp
