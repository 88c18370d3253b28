// What the choice of a plan needs: facts about the device, and a memory, as a search takes longer than a launch.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstring>

#include "geometry.h"

namespace memcnp {

constexpr int kWarp = 32;
constexpr int kReserved = 1024; // bytes of shared memory that the driver adds to a block

constexpr int divide_up(int number, int divisor) { return (number + divisor - 1) / divisor; }

struct Device {
  int index = 0;
  int multiprocessors = 0;
  int shared = 0; // bytes of a multiprocessor
  int block_shared = 0; // of a block, at most

  static Device current() {
    Device device;
    cudaGetDevice(&device.index);
    const auto get = [&device](int& value, cudaDeviceAttr name) { cudaDeviceGetAttribute(&value, name, device.index); };
    get(device.multiprocessors, cudaDevAttrMultiProcessorCount);
    get(device.shared, cudaDevAttrMaxSharedMemoryPerMultiprocessor);
    get(device.block_shared, cudaDevAttrMaxSharedMemoryPerBlockOptin);
    return device;
  }
};

// Return search(g, device), of this thread's last searches where it was among them.
template <typename Search>
auto remembered(const Geometry& g, Search search) {
  constexpr int kPlans = 16; // sizes that take turns, say of a training run
  struct Entry {
    int device = -1;
    Geometry geometry{};
    decltype(search(g, Device{})) plan{};
  };
  thread_local std::array<Entry, kPlans> entries;
  thread_local int next = 0;
  int index = 0;
  cudaGetDevice(&index);
  for (const Entry& entry : entries) {
    if (entry.device == index && std::memcmp(&entry.geometry, &g, sizeof(Geometry)) == 0) {
      return entry.plan;
    }
  }
  Entry& entry = entries[next++ % kPlans];
  entry = {index, g, search(g, Device::current())};
  return entry.plan;
}

} // namespace memcnp
