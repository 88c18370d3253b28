// Run lengths of many masks at once: to and from COCO's compressed counts, and the overlap of tracks of such masks.
// mmdet/ops/masks/runs.py describes the tensors and has the same in numpy. Everything is checked: counts are
// read from files.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

namespace {

constexpr uint8_t kCodeBase = 48;  // a character is 48 + a digit of 5 bits, lowest first, + 32 if more follow
constexpr uint8_t kDigit = 0x1f;
constexpr uint8_t kSign = 0x10;  // of a number: the top bit of its last digit
constexpr uint8_t kMore = 0x20;
constexpr int kBits = 5;  // of a digit
constexpr int kMaxBits = 6 * kBits;
constexpr int kLongest = 7;  // characters of a difference of 32-bit numbers
constexpr int64_t kMalformed = -1;

void check(const at::Tensor& tensor, at::ScalarType type, const char* name) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.scalar_type() == type && tensor.is_contiguous(),
              std::string(name) + " is no contiguous CPU tensor of type " + c10::toString(type));
}

// Reads one number of any length; false if it is cut off, too long or holds anything but digits.
bool read_number(const uint8_t*& text, const uint8_t* end, int64_t& number) {
  number = 0;
  for (int bits = 0; text < end && bits < kMaxBits; bits += kBits) {
    const uint8_t digit = static_cast<uint8_t>(*text++ - kCodeBase);
    if (digit > (kMore | kDigit)) return false;
    number |= static_cast<int64_t>(digit & kDigit) << bits;
    if (!(digit & kMore)) {
      if (digit & kSign) number -= int64_t{1} << (bits + kBits);
      return true;
    }
  }
  return false;
}

// The same without a branch for numbers of one and two digits, which nearly all are, in no order one could predict.
inline bool read_short_number(const uint8_t*& text, const uint8_t* end, int64_t& number) {
  if (end - text >= 2) {
    const uint8_t low = static_cast<uint8_t>(text[0] - kCodeBase), high = static_cast<uint8_t>(text[1] - kCodeBase);
    const bool more = low & kMore;
    const int one = ((low & kDigit) ^ kSign) - kSign, upper = ((high & kDigit) ^ kSign) - kSign;
    const bool is_short = low <= (kMore | kDigit) && (!more | (high <= kDigit));
    if (is_short) {
      number = more ? upper * (1 << kBits) + (low & kDigit) : one;
      text += 1 + more;
      return true;
    }
  }
  return read_number(text, end, number);
}

// Writes the runs of one mask, an even number of them, behind `run` and moves it on; returns the mask's area, or
// kMalformed unless the runs fill `pixels`. There is room for one run per character and one more.
int64_t decode(const uint8_t* text, const uint8_t* end, int64_t pixels, int32_t*& run) {
  // From the fourth on numbers are differences to the one before the last; the third is as if to 0.
  int64_t background = 0, foreground = 0, total = 0, area = 0;
  const auto is_run = [pixels](int64_t number) { return static_cast<uint64_t>(number) <= static_cast<uint64_t>(pixels); };
  for (bool is_first = true; text < end; is_first = false) {
    int64_t number = 0;
    if (!read_short_number(text, end, number)) return kMalformed;
    number += background;
    if (!is_run(number)) return kMalformed;
    if (!is_first) background = number;
    *run++ = static_cast<int32_t>(number);
    total += number;
    if (text == end) {
      *run++ = 0;
      break;
    }
    if (!read_short_number(text, end, number)) return kMalformed;
    foreground += number;
    if (!is_run(foreground)) return kMalformed;
    *run++ = static_cast<int32_t>(foreground);
    area += foreground;
  }
  return total + area == pixels ? area : kMalformed;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> rle_decode(const at::Tensor& counts, const at::Tensor& ends,
                                                          const at::Tensor& pixels) {
  check(counts, at::kByte, "counts");
  check(ends, at::kLong, "ends");
  check(pixels, at::kLong, "pixels");
  const int64_t num_masks = ends.numel();
  TORCH_CHECK(pixels.numel() == num_masks, "ends and pixels have unequal numbers of entries");
  auto runs = at::empty({counts.numel() + num_masks}, ends.options().dtype(at::kInt));
  auto starts = at::empty({num_masks + 1}, ends.options());
  auto areas = at::empty({num_masks}, ends.options());
  const uint8_t* const text = counts.const_data_ptr<uint8_t>();
  const int64_t* const end = ends.const_data_ptr<int64_t>();
  const int64_t* const size = pixels.const_data_ptr<int64_t>();
  int64_t* const start = starts.mutable_data_ptr<int64_t>();
  int32_t* const first = runs.mutable_data_ptr<int32_t>();
  int32_t* run = first;
  int64_t begin = 0;
  for (int64_t mask = 0; mask < num_masks; ++mask) {
    TORCH_CHECK(begin <= end[mask] && end[mask] <= counts.numel(), "ends leave the counts");
    TORCH_CHECK(0 <= size[mask] && size[mask] <= std::numeric_limits<int32_t>::max(),
                "a mask of " + std::to_string(size[mask]) + " pixels");
    start[mask] = run - first;
    const int64_t area = decode(text + begin, text + end[mask], size[mask], run);
    if (area == kMalformed) run = first + start[mask];
    areas.mutable_data_ptr<int64_t>()[mask] = area;
    begin = end[mask];
  }
  start[num_masks] = run - first;
  return {runs.narrow(0, 0, start[num_masks]), starts, areas};
}

// Writes one number at `text`, returns the end; pointers go by value, as one in memory would be read after each byte.
uint8_t* write_number(int64_t number, uint8_t* text) {
  while (true) {
    const int64_t digit = number & kDigit;
    number >>= kBits;
    const bool more = number != (digit & kSign ? -1 : 0);
    *text++ = static_cast<uint8_t>(kCodeBase + digit + (more ? kMore : 0));
    if (!more) return text;
  }
}

// The same without a branch for numbers of one and two digits, as in `read_short_number`; there is room for two.
inline uint8_t* write_short_number(int64_t number, uint8_t* text) {
  constexpr int64_t kOneDigit = kSign, kTwoDigits = kSign << kBits;
  if (number < -kTwoDigits || number >= kTwoDigits) return write_number(number, text);
  const bool more = number < -kOneDigit || number >= kOneDigit;
  text[0] = static_cast<uint8_t>(kCodeBase + (number & kDigit) + (more ? kMore : 0));
  text[1] = static_cast<uint8_t>(kCodeBase + ((number >> kBits) & kDigit));
  return text + 1 + more;
}

std::tuple<at::Tensor, at::Tensor> rle_encode(const at::Tensor& runs, const at::Tensor& starts) {
  check(runs, at::kInt, "runs");
  check(starts, at::kLong, "starts");
  TORCH_CHECK(starts.numel() > 0, "starts have no entry, not even the end");
  const int64_t num_masks = starts.numel() - 1;
  const int64_t* const start = starts.const_data_ptr<int64_t>();
  const int32_t* const run = runs.const_data_ptr<int32_t>();
  for (int64_t mask = 0; mask < num_masks; ++mask) {
    TORCH_CHECK(0 <= start[mask] && start[mask] <= start[mask + 1] && start[mask + 1] <= runs.numel(),
                "starts leave the runs");
  }
  const int64_t num_runs = start[num_masks] - start[0];
  auto counts = at::empty({kLongest * num_runs}, runs.options().dtype(at::kByte));
  auto ends = at::empty({num_masks}, starts.options());
  uint8_t* const first = counts.mutable_data_ptr<uint8_t>();
  uint8_t* text = first;
  for (int64_t mask = 0; mask < num_masks; ++mask) {
    for (int64_t i = start[mask]; i < start[mask + 1]; ++i) {
      const bool is_difference = i - start[mask] > 2;  // from the fourth on, to the number before the last
      text = write_short_number(int64_t{run[i]} - (is_difference ? run[i - 2] : 0), text);
    }
    ends.mutable_data_ptr<int64_t>()[mask] = text - first;
  }
  return {counts.narrow(0, 0, text - first), ends};
}

// Pixels in both of two masks, given as runs of background and foreground in turn.
int64_t intersection(const int32_t* a, const int32_t* a_end, const int32_t* b, const int32_t* b_end) {
  int64_t common = 0, a_from = 0, b_from = 0, a_to = 0, b_to = 0;
  const auto next = [](const int32_t*& run, int64_t& from, int64_t& to) {
    from = to + run[0];
    to = from + run[1];
    run += 2;
  };
  if (a == a_end || b == b_end) return 0;
  next(a, a_from, a_to);
  next(b, b_from, b_to);
  while (true) {
    common += std::max<int64_t>(0, std::min(a_to, b_to) - std::max(a_from, b_from));
    if (a_to <= b_to) {
      if (a == a_end) return common;
      next(a, a_from, a_to);
    } else {
      if (b == b_end) return common;
      next(b, b_from, b_to);
    }
  }
}

at::Tensor rle_overlaps(const at::Tensor& runs, const at::Tensor& starts, const at::Tensor& first,
                        const at::Tensor& second) {
  check(runs, at::kInt, "runs");
  check(starts, at::kLong, "starts");
  check(first, at::kLong, "first");
  check(second, at::kLong, "second");
  TORCH_CHECK(first.dim() == 2 && second.dim() == 2, "tracks are (N, T)");
  const int64_t frames = std::min(first.size(1), second.size(1));
  const int64_t num_masks = starts.numel() - 1;
  for (const auto& tracks : {first, second}) {
    const int64_t* masks = tracks.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < tracks.numel(); ++i) {
      TORCH_CHECK(masks[i] < num_masks, "there is no mask " + std::to_string(masks[i]));
    }
  }
  const int32_t* run = runs.const_data_ptr<int32_t>();
  const int64_t* start = starts.const_data_ptr<int64_t>();
  auto sums = at::zeros({first.size(0), second.size(0)}, starts.options());
  for (int64_t row = 0; row < first.size(0); ++row) {
    const int64_t* a = first.const_data_ptr<int64_t>() + row * first.size(1);
    for (int64_t column = 0; column < second.size(0); ++column) {
      const int64_t* b = second.const_data_ptr<int64_t>() + column * second.size(1);
      int64_t sum = 0;
      for (int64_t frame = 0; frame < frames; ++frame) {
        if (a[frame] < 0 || b[frame] < 0) continue;
        sum += intersection(run + start[a[frame]], run + start[a[frame] + 1], run + start[b[frame]],
                            run + start[b[frame] + 1]);
      }
      sums.mutable_data_ptr<int64_t>()[row * second.size(0) + column] = sum;
    }
  }
  return sums;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(memcnp, library) {
  library.def("rle_decode(Tensor counts, Tensor ends, Tensor pixels) -> (Tensor, Tensor, Tensor)");
  library.def("rle_encode(Tensor runs, Tensor starts) -> (Tensor, Tensor)");
  library.def("rle_overlaps(Tensor runs, Tensor starts, Tensor first, Tensor second) -> Tensor");
}

TORCH_LIBRARY_IMPL(memcnp, CPU, library) {
  library.impl("rle_decode", rle_decode);
  library.impl("rle_encode", rle_encode);
  library.impl("rle_overlaps", rle_overlaps);
}
