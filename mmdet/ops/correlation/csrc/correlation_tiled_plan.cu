// Which division of its work the float32 forward pass takes. tiled.cuh says what there is to choose.
#include <algorithm>
#include <cmath>

#include "plan.h"
#include "tiled.cuh"

namespace memcnp {
namespace {

constexpr int kMostTogether = 4; // classes of columns in a block
constexpr int kMostRows = 8;
constexpr int kMostGroups = 4;

constexpr int round_up(int number, int multiple) { return divide_up(number, multiple) * multiple; }

// An odd number of reads: neighbouring rows lie in different banks.
constexpr int odd_pitch(int floats) { return (divide_up(floats, kVector) | 1) * kVector; }

int cell_groups_of(const Geometry& g, int cells) {
  return 1 + divide_up(std::max(0, g.x.patch - cells), advance_of(cells));
}

int together_of(const Geometry& g) {
  const int classes = classes_of(g.x, g.x.out);
  return classes <= kMostTogether ? classes : 1;
}

TiledPlan make_plan(const Geometry& g, int cells, int groups, int rows, int parts, int buffers) {
  TiledPlan plan{};
  const int patch = g.x.patch;
  plan.cells = cells;
  plan.groups = groups;
  plan.together = together_of(g);
  plan.rows = rows;
  plan.cell_groups = cell_groups_of(g, cells);
  plan.patch_rows = divide_up(g.y.patch, parts);
  plan.parts = divide_up(g.y.patch, plan.patch_rows);
  plan.buffers = buffers;
  plan.one_pitch = odd_pitch(plan.tile());
  plan.two_columns = round_up(plan.members() + (plan.cell_groups - 1) * advance_of(cells) + cells - 1, kVector);
  plan.two_pitch = odd_pitch(plan.two_columns * plan.together);
  plan.plane = rows * plan.one_pitch + (rows + plan.patch_rows - 1) * plan.two_pitch;
  const int outputs = rows * plan.patch_rows * plan.stage(patch);
  const int floats = std::max(buffers * kSlice * plan.plane, outputs);
  plan.shared = plan.positions(patch) * int(sizeof(Copy)) + floats * int(sizeof(float));
  return plan;
}

// Cycles of a multiprocessor with all blocks of a plan, a channel: it issues four instructions in one, and serves one
// row of banks. Blocks hide each other's waiting for a slice, which is longer with two buffers; a block alone does not.
// The constants fit the plans of eight sizes as measured on an H200.
double cycles(const TiledPlan& plan, const Geometry& g, const Device& device) {
  constexpr int kIssue = 4; // instructions at once, of as many warps
  constexpr int kLoop = 12, kCopy = 20; // instructions of a channel beside its sums and reads, and of a copy
  constexpr double kWait = 10;
  const BandAxis y = forward_band(g.y, plan.rows), x = forward_band(g.x, plan.members(), plan.together);
  const double blocks = double(g.batch) * plan.parts * y.blocks() * x.blocks();
  const double copies = double(plan.positions(g.x.patch)) / kWarp;
  const int reads = divide_up(kMembers + plan.cells - 1, kVector) + kMembers / kVector;
  const double issue = (plan.warps() * (kMembers * plan.cells + reads + kLoop) + kCopy * copies) / kIssue;
  const double work = std::max(issue, double(plan.warps() * kVector * reads));
  const double alone = work * std::max(1.0, double(kIssue) / plan.warps()) + kWait / (plan.buffers - 1);
  const int by_threads = 2 * most_threads(plan.cells) / (plan.warps() * kWarp);
  const int resident = std::max(1, std::min(by_threads, device.shared / (plan.shared + kReserved)));
  const double mine = std::ceil(blocks / device.multiprocessors);
  const double rounds = std::floor(mine / resident), rest = mine - rounds * resident;
  return rounds * std::max(resident * work, alone) + (rest > 0 ? std::max(rest * work, alone) : 0);
}

// The plan that is through first, by the count above, and of equal ones that of less memory, which leaves more to the
// cache; cells 0 where none fits.
TiledPlan best_plan(const Geometry& g, const Device& device) {
  TiledPlan best{};
  double least = 0;
  for (const int cells : {21, 9, 8, 4}) {
    for (int groups = 1; groups <= kMostGroups; ++groups) {
      for (int rows = 1; rows <= kMostRows; ++rows) {
        const int most = most_threads(cells) / (groups * together_of(g) * cell_groups_of(g, cells) * rows);
        for (int buffers = 2; most > 0 && buffers <= 3; ++buffers) {
          const TiledPlan plan = make_plan(g, cells, groups, rows, divide_up(g.y.patch, most), buffers);
          const double cost = plan.shared <= device.block_shared ? cycles(plan, g, device) : INFINITY;
          if (std::isfinite(cost) && (best.cells == 0 || cost < least)) {
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

TiledPlan tiled_plan(const Geometry& g) { return remembered(g, best_plan); }

bool tiles_fit(const Geometry& g) {
  const int64_t image = int64_t(g.y.size) * g.x.size * (g.channels + kTensorCoreChannels);
  return g.x.patch <= kMostPatch && tiled_plan(g).cells > 0 && image < INT32_MAX &&
      tiled_backward_shared(g) <= shared_memory_limit();
}

} // namespace memcnp
