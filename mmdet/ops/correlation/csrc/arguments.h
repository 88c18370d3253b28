// Spatial correlation: from the arguments of the ops to the geometry, and the checks of both.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/ArrayRef.h>
#include <c10/util/Exception.h>

#include <string>

#include "geometry.h"

namespace memcnp {

// Messages are put together without streams: a compiler that links its own C++ library into the extension has a second
// set of them, which crashes.
inline std::string text(at::IntArrayRef numbers) {
  std::string result = "[";
  for (size_t i = 0; i < numbers.size(); ++i) {
    result += (i ? ", " : "") + std::to_string(numbers[i]);
  }
  return result + "]";
}

inline Axis make_axis(
    int64_t size,
    size_t direction,
    at::IntArrayRef kernel_size,
    at::IntArrayRef patch_size,
    at::IntArrayRef stride,
    at::IntArrayRef padding,
    at::IntArrayRef dilation,
    at::IntArrayRef dilation_patch) {
  constexpr int64_t kMost = 1 << 24; // keeps sums of positions within int
  const auto pick = [direction](at::IntArrayRef pair, const char* name, int64_t least) {
    const bool fits = pair.size() == 2 && pair[direction] >= least && pair[direction] < kMost;
    TORCH_CHECK(fits, std::string("correlation: ") + name + " is " + text(pair));
    return static_cast<int>(pair[direction]);
  };
  TORCH_CHECK(size >= 0 && size < kMost, "correlation: a map is " + std::to_string(size) + " positions high or wide");
  Axis axis{};
  axis.size = static_cast<int>(size);
  axis.kernel = pick(kernel_size, "kernel_size", 1);
  axis.patch = pick(patch_size, "patch_size", 1);
  axis.stride = pick(stride, "stride", 1);
  axis.padding = pick(padding, "padding", 0);
  axis.dilation = pick(dilation, "dilation", 1);
  axis.dilation_patch = pick(dilation_patch, "dilation_patch", 1);
  const int64_t room = size + 2 * int64_t(axis.padding) - (int64_t(axis.dilation) * (axis.kernel - 1) + 1);
  TORCH_CHECK(room >= 0, "correlation: a window larger than the padded map of " + std::to_string(size) + " positions");
  const int64_t reach = int64_t(axis.dilation_patch) * axis.patch;
  TORCH_CHECK(reach < (1 << 30), "correlation: a patch that reaches over " + std::to_string(reach) + " positions");
  axis.out = static_cast<int>(room / axis.stride) + 1;
  return axis;
}

// Check what Python has checked in friendlier words already: the op can be called without it.
inline void check_maps(const at::Tensor& one, const at::Tensor& two) {
  const bool one_shape = one.dim() == 4 && one.sizes() == two.sizes();
  TORCH_CHECK(one_shape, "correlation: maps of " + text(one.sizes()) + " and " + text(two.sizes()));
  const bool alike = one.scalar_type() == two.scalar_type() && one.device() == two.device();
  TORCH_CHECK(alike, "correlation: maps that differ in dtype or device");
}

inline void check_grad(const at::Tensor& grad, const at::Tensor& other, const Geometry& g) {
  const bool fits = grad.sizes() == at::IntArrayRef({g.batch, g.y.patch, g.x.patch, g.y.out, g.x.out});
  TORCH_CHECK(fits, "correlation_backward: gradient of " + text(grad.sizes()));
  const bool alike = grad.scalar_type() == other.scalar_type() && grad.device() == other.device();
  TORCH_CHECK(alike, "correlation_backward: gradient and map differ in dtype or device");
}

} // namespace memcnp

// The arguments of both ops that describe the geometry, and the geometry from them.
#define MEMCNP_PAIRS                                                                                       \
  at::IntArrayRef kernel_size, at::IntArrayRef patch_size, at::IntArrayRef stride, at::IntArrayRef padding, \
      at::IntArrayRef dilation, at::IntArrayRef dilation_patch
#define MEMCNP_GEOMETRY(maps)                                                                                      \
  memcnp::Geometry {                                                                                               \
    static_cast<int>((maps).size(0)), static_cast<int>((maps).size(1)),                                            \
        memcnp::make_axis(                                                                                         \
            (maps).size(2), 0, kernel_size, patch_size, stride, padding, dilation, dilation_patch),                \
        memcnp::make_axis((maps).size(3), 1, kernel_size, patch_size, stride, padding, dilation, dilation_patch)   \
  }
