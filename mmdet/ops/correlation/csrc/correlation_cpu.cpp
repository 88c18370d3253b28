// Spatial correlation on the CPU, and the ops' schemas. geometry.h holds the mathematics.
//
// Both maps are copied once to rows [b][y][c][phase][m], a position x being phase = x mod stride, m = x div stride,
// with a zero margin as wide as any access. Then neighbouring outputs read neighbouring numbers, whatever the stride,
// and no inner loop asks whether a position lies outside. half and bfloat16 are computed in float, sums included.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "arguments.h"

// Compile the inner loops for several generations of processors; the loader picks one.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define MEMCNP_CLONES __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define MEMCNP_CLONES
#endif
#define MEMCNP_INLINE inline __attribute__((always_inline))

namespace {

using at::Tensor;
using memcnp::Axis;
using memcnp::Geometry;

constexpr int kOutputs = 16; // neighbouring outputs kept in registers
constexpr int kOffsets = 4; // horizontal offsets that share what is read of map one
constexpr int kChannels = 16; // channels whose gradient rows stay in the nearest cache

// sums[p][j] = sum over c of one[c * row + j] * two[p][c * row + j]
template <typename T>
MEMCNP_INLINE void sum_products(T (*sums)[kOutputs], const T* one, const T* const* two, int64_t channels, int64_t row) {
  T total[kOffsets][kOutputs] = {};
  for (int64_t c = 0; c < channels; ++c) {
    for (int p = 0; p < kOffsets; ++p) {
      for (int j = 0; j < kOutputs; ++j) {
        total[p][j] += one[c * row + j] * two[p][c * row + j];
      }
    }
  }
  for (int p = 0; p < kOffsets; ++p) {
    std::copy(total[p], total[p] + kOutputs, sums[p]);
  }
}

// to[c * row + j] += factor[j] * from[c * row + j]
template <typename T>
MEMCNP_INLINE void add_products(T* to, const T* factor, const T* from, int64_t channels, int64_t row, int64_t n) {
  for (int64_t c = 0; c < channels; ++c) {
    T* __restrict__ sum = to + c * row;
    const T* term = from + c * row;
    for (int64_t j = 0; j < n; ++j) {
      sum[j] += factor[j] * term[j];
    }
  }
}

MEMCNP_CLONES void products(float (*s)[kOutputs], const float* one, const float* const* two, int64_t c, int64_t row) {
  sum_products(s, one, two, c, row);
}
MEMCNP_CLONES void products(
    double (*s)[kOutputs], const double* one, const double* const* two, int64_t c, int64_t row) {
  sum_products(s, one, two, c, row);
}
MEMCNP_CLONES void add(float* to, const float* factor, const float* from, int64_t c, int64_t row, int64_t n) {
  add_products(to, factor, from, c, row, n);
}
MEMCNP_CLONES void add(double* to, const double* factor, const double* from, int64_t c, int64_t row, int64_t n) {
  add_products(to, factor, from, c, row, n);
}

// Where horizontal positions lie in a row.
struct Columns {
  int64_t stride, first, per_phase; // first: the m of the first entry of each phase

  explicit Columns(const Axis& x) : stride(x.stride) {
    const int64_t lowest = std::min<int64_t>({0, x.position(0, 0), x.position(0, 0) + x.offset(0)});
    const int64_t last = x.position(x.out - 1, x.kernel - 1);
    const int64_t highest = std::max<int64_t>({x.size - 1, last, last + x.offset(x.patch - 1)});
    first = divide(lowest);
    per_phase = divide(highest) - first + 1 + kOutputs; // outputs are read kOutputs at a time, also the last few
  }
  int64_t divide(int64_t position) const { // rounding down
    return position >= 0 ? position / stride : -((-position + stride - 1) / stride);
  }
  int64_t at(int64_t position) const {
    const int64_t m = divide(position);
    return (position - m * stride) * per_phase + m - first;
  }
  int64_t row() const { return stride * per_phase; }
};

// The outputs whose tap k of map one and its partner of patch cell p both lie inside the maps: others sum nothing there,
// not even a margin's zero times what is not finite.
struct Meeting {
  int64_t begin, end;

  Meeting(const Axis& x, int k, int p) {
    const int64_t one = x.position(0, k), two = one + x.offset(p);
    const int64_t before = std::max<int64_t>(0, -std::min(one, two)), room = x.size - std::max(one, two);
    begin = (before + x.stride - 1) / x.stride;
    end = room > 0 ? std::min<int64_t>(x.out, (room + x.stride - 1) / x.stride) : 0;
  }
};

template <typename T>
Tensor pack(const Tensor& map, const Geometry& g, const Columns& columns) {
  Tensor packed = at::zeros({g.batch, g.y.size, g.channels, columns.row()}, map.options());
  T* to = packed.data_ptr<T>();
  const T* from = map.data_ptr<T>();
  const auto strides = map.strides();
  at::parallel_for(0, int64_t(g.batch) * g.y.size, 1, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const T* start = from + line / g.y.size * strides[0] + line % g.y.size * strides[2];
      for (int64_t c = 0; c < g.channels; ++c) {
        T* row = to + (line * g.channels + c) * columns.row();
        for (int64_t x = 0; x < g.x.size; ++x) {
          row[columns.at(x)] = start[c * strides[1] + x * strides[3]];
        }
      }
    }
  });
  return packed;
}

template <typename T>
void forward(const Tensor& one, const Tensor& two, Tensor& out, const Geometry& g) {
  const Columns columns(g.x);
  const Tensor packed_one = pack<T>(one, g, columns), packed_two = pack<T>(two, g, columns);
  const int64_t row = columns.row(), line = g.channels * row, plane = int64_t(g.y.out) * g.x.out;
  at::parallel_for(0, int64_t(g.batch) * g.y.out * g.y.patch, 1, [&](int64_t begin, int64_t end) {
    T sums[kOffsets][kOutputs];
    const T* starts[kOffsets];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / g.y.patch / g.y.out, i = task / g.y.patch % g.y.out, py = task % g.y.patch;
      T* to = out.data_ptr<T>() + (b * g.y.patch + py) * g.x.patch * plane + i * g.x.out;
      for (int ky = 0; ky < g.y.kernel; ++ky) {
        const int64_t y1 = g.y.position(i, ky), y2 = y1 + g.y.offset(py);
        if (y1 < 0 || y1 >= g.y.size || y2 < 0 || y2 >= g.y.size) {
          continue;
        }
        const T* line_one = packed_one.data_ptr<T>() + (b * g.y.size + y1) * line;
        const T* line_two = packed_two.data_ptr<T>() + (b * g.y.size + y2) * line;
        for (int kx = 0; kx < g.x.kernel; ++kx) {
          const int64_t x = g.x.position(0, kx);
          for (int px = 0; px < g.x.patch; px += kOffsets) {
            const int n = std::min(kOffsets, g.x.patch - px);
            for (int64_t j = 0; j < g.x.out; j += kOutputs) {
              for (int p = 0; p < kOffsets; ++p) { // the last offset stands in for those beyond it
                starts[p] = line_two + columns.at(x + g.x.offset(px + std::min(p, n - 1))) + j;
              }
              products(sums, line_one + columns.at(x) + j, starts, g.channels, row);
              for (int p = 0; p < n; ++p) {
                const Meeting outputs(g.x, kx, px + p);
                for (int64_t o = std::max(j, outputs.begin); o < std::min(j + kOutputs, outputs.end); ++o) {
                  to[(px + p) * plane + o] += sums[p][o - j];
                }
              }
            }
          }
        }
      }
    }
  });
}

// Add to a row of gradient, laid out as the packed maps, what outputs (py, i) with tap ky contribute.
template <typename T>
void add_outputs(
    T* to, const T* grad, const T* other, int c, int channels, const Geometry& g, const Columns& columns,
    bool mirrored) {
  const int64_t row = columns.row(), plane = int64_t(g.y.out) * g.x.out;
  for (int kx = 0; kx < g.x.kernel; ++kx) {
    const int64_t x = g.x.position(0, kx);
    for (int px = 0; px < g.x.patch; ++px) {
      const Meeting outputs(g.x, kx, px);
      const int64_t skip = c * row + outputs.begin;
      const int64_t at_one = columns.at(x) + skip, at_two = columns.at(x + g.x.offset(px)) + skip;
      const T* factors = grad + px * plane + outputs.begin;
      const T* from = other + (mirrored ? at_one : at_two);
      add(to + (mirrored ? at_two : at_one), factors, from, channels, row, outputs.end - outputs.begin);
    }
  }
}

template <typename T>
void backward(const Tensor& grad, const Tensor& other, Tensor& result, const Geometry& g, bool mirrored) {
  const Columns columns(g.x);
  const Tensor packed = pack<T>(other, g, columns);
  const int64_t row = columns.row(), plane = int64_t(g.y.out) * g.x.out;
  at::parallel_for(0, int64_t(g.batch) * g.y.size, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> sums(g.channels * row);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / g.y.size, y = task % g.y.size;
      std::fill(sums.begin(), sums.end(), T(0));
      for (int c = 0; c < g.channels; c += kChannels) {
        for (int py = 0; py < g.y.patch; ++py) {
          const int64_t y1 = mirrored ? y - g.y.offset(py) : y, partner = mirrored ? y1 : y + g.y.offset(py);
          if (partner < 0 || partner >= g.y.size) {
            continue;
          }
          for (int ky = 0; ky < g.y.kernel; ++ky) {
            const int64_t i = g.y.output_at(static_cast<int>(y1), ky);
            if (i >= 0) {
              const T* row_of_grad =
                  grad.data_ptr<T>() + (b * g.y.patch + py) * g.x.patch * plane + i * g.x.out;
              const T* line = packed.data_ptr<T>() + (b * g.y.size + partner) * g.channels * row;
              add_outputs(
                  sums.data(), row_of_grad, line, c, std::min(kChannels, g.channels - c), g, columns, mirrored);
            }
          }
        }
      }
      for (int64_t c = 0; c < g.channels; ++c) {
        T* to = result.data_ptr<T>() + ((b * g.channels + c) * g.y.size + y) * g.x.size;
        for (int64_t x = 0; x < g.x.size; ++x) {
          to[x] = sums[c * row + columns.at(x)];
        }
      }
    }
  });
}

Tensor correlation(const Tensor& input1, const Tensor& input2, MEMCNP_PAIRS) {
  memcnp::check_maps(input1, input2);
  const Geometry g = MEMCNP_GEOMETRY(input1);
  const auto dtype = input1.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor out = at::zeros({g.batch, g.y.patch, g.x.patch, g.y.out, g.x.out}, input1.options().dtype(dtype));
  const Tensor one = input1.to(dtype), two = input2.to(dtype);
  if (out.numel() > 0) {
    dtype == at::kDouble ? forward<double>(one, two, out, g) : forward<float>(one, two, out, g);
  }
  return out.to(input1.scalar_type());
}

Tensor correlation_backward(const Tensor& grad, const Tensor& other, MEMCNP_PAIRS, bool mirrored) {
  const Geometry g = MEMCNP_GEOMETRY(other);
  memcnp::check_grad(grad, other, g);
  const auto dtype = other.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor result = at::zeros(other.sizes(), other.options().dtype(dtype));
  const Tensor factors = grad.to(dtype).contiguous(), map = other.to(dtype);
  if (result.numel() > 0) {
    dtype == at::kDouble ? backward<double>(factors, map, result, g, mirrored)
                         : backward<float>(factors, map, result, g, mirrored);
  }
  return result.to(other.scalar_type());
}

} // namespace

TORCH_LIBRARY_FRAGMENT(memcnp, library) {
  library.def(
      "correlation(Tensor input1, Tensor input2, int[2] kernel_size, int[2] patch_size, int[2] stride, "
      "int[2] padding, int[2] dilation, int[2] dilation_patch) -> Tensor");
  library.def(
      "correlation_backward(Tensor grad, Tensor other, int[2] kernel_size, int[2] patch_size, int[2] stride, "
      "int[2] padding, int[2] dilation, int[2] dilation_patch, bool mirrored) -> Tensor");
}

TORCH_LIBRARY_IMPL(memcnp, CPU, library) {
  library.impl("correlation", &correlation);
  library.impl("correlation_backward", &correlation_backward);
}
