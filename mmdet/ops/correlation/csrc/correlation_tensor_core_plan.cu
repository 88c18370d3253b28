// Which division of its work the forward pass on tensor cores takes. tensor_core_plan.cuh says what there is to choose.
#include <algorithm>
#include <cmath>

#include "plan.h"
#include "tensor_core_plan.cuh"

namespace memcnp {
namespace {

constexpr int kMostRows = 8;
constexpr int kMostGroups = 4;
constexpr int kMostClasses = 4; // of columns: one product in so many is kept

constexpr int round_up(int number, int multiple) { return divide_up(number, multiple) * multiple; }

TensorPlan make_plan(const Geometry& g, TensorShape shape, int rows, int groups, int buffers) {
  TensorPlan plan{};
  plan.wides = shape.wides;
  plan.depth = shape.depth;
  plan.rows = rows;
  plan.groups = groups;
  plan.parts = divide_up(g.y.patch, plan.patch_rows());
  plan.buffers = buffers;
  plan.shift = round_up(g.x.center(), kWide) - g.x.center();
  plan.columns = round_up(plan.shift + kTile + g.x.dilation_patch * (g.x.patch - 1), kWide);
  plan.chunks = divide_up(plan.columns, shape.wides * kWide);
  const int source_rows = rows + plan.patch_rows() - 1, halves = rows * kTile + source_rows * plan.width();
  plan.plane = (halves / kWide | 1) * kWide; // odd: the rows of an 8 x 8 matrix lie in different banks
  const int positions = (rows * kTile + source_rows * plan.columns) / (kWord / int(sizeof(uint16_t)));
  const int slices = positions * int(sizeof(VectorCopy)) + buffers * kChannels * plan.plane * int(sizeof(uint16_t));
  plan.shared = std::max(slices, rows * plan.patch_rows() * g.x.patch * kStage * int(sizeof(uint16_t)));
  return plan;
}

// Cycles of a multiprocessor with all blocks of a plan, per slice: products and what is copied take their time, with few
// warps longer, and blocks that run together wait once. The constants fit plans of eight sizes measured on an H200.
double cycles(const TensorPlan& plan, const Geometry& g, const Device& device) {
  constexpr int kEnough = 8; // warps
  constexpr double kProduct = 3, kBytes = 128, kWait = 800; // cycles of a product; bytes copied in one; cycles
  const BandAxis y = forward_band(g.y, plan.rows), x = tile_columns(g.x);
  const double blocks = double(g.batch) * plan.parts * y.blocks() * x.tiles;
  const double products = plan.warps() * plan.wides * plan.depth * (kChannels / kDepth);
  const double halves = kChannels * (plan.rows * kTile + (plan.rows + plan.patch_rows() - 1) * plan.columns);
  const double work = products * kProduct + halves * sizeof(uint16_t) / kBytes;
  const int by_threads = most_tensor_threads(plan.wides * plan.depth) / (plan.warps() * kWarp);
  const int resident = std::max(1, std::min(by_threads, device.shared / (plan.shared + kReserved)));
  const double mine = std::ceil(blocks / device.multiprocessors);
  const double rounds = std::floor(mine / resident), rest = mine - rounds * resident;
  const auto round = [&](double together) { return work * std::max(together, double(kEnough) / plan.warps()) + kWait; };
  return rounds * round(resident) + (rest > 0 ? round(rest) : 0);
}

// The plan that is through first, by the count above, and of equal ones that of more buffers; no rows where none fits.
TensorPlan best_plan(const Geometry& g, const Device& device) {
  TensorPlan best{};
  double least = 0;
  for (const TensorShape shape : kShapes) {
    for (int rows = 1; rows <= kMostRows; ++rows) {
      for (int groups = 1; groups <= std::min(kMostGroups, divide_up(g.y.patch, shape.depth)); ++groups) {
        for (int buffers = 3; buffers >= 2; --buffers) {
          const TensorPlan plan = make_plan(g, shape, rows, groups, buffers);
          const int most = most_tensor_threads(shape.wides * shape.depth) / kWarp; // warps
          const bool fits = plan.warps() <= most && plan.shared <= device.block_shared;
          const double cost = fits ? cycles(plan, g, device) : INFINITY;
          if (fits && (best.rows == 0 || cost < least)) {
            least = cost;
            best = plan;
          }
        }
      }
    }
  }
  return best;
}

} // namespace

TensorPlan tensor_plan(const Geometry& g) { return remembered(g, best_plan); }

bool tensor_cores_fit_forward(const Geometry& g) {
  return g.x.dilation_patch <= kMostClasses && tensor_cores_fit(g) && tensor_plan(g).rows > 0;
}

} // namespace memcnp
