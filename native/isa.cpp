// Everything that runs vectors, for one instruction set: compiled once for each with -DRECURRA_ISA=name.
#include "scan.h"

namespace recurra {
namespace RECURRA_ISA {

template <class T, Vec<T> (*function)(Vec<T>)>
void map_numbers(int64_t n, const void *in, void *out) {
  const T *from = static_cast<const T *>(in);
  T *to = static_cast<T *>(out);
  for (int64_t i = 0; i < n; i += lanes<T>()) store_some(to + i, function(load_some(from + i, n - i)), n - i);
}

template <class T>
int32_t map_named(const char *name, int64_t n, const void *in, void *out) {
  if (strcmp(name, "exp") == 0)
    map_numbers<T, exponential<T>>(n, in, out);
  else if (strcmp(name, "sigmoid") == 0)
    map_numbers<T, sigmoid<T>>(n, in, out);
  else if (strcmp(name, "tanh") == 0)
    map_numbers<T, tanh<T>>(n, in, out);
  else
    return -1;
  return 0;
}

int32_t map(const char *function, int32_t dtype, int64_t n, const void *in, void *out) {
  return dtype == RECURRA_FLOAT ? map_named<float>(function, n, in, out) : map_named<double>(function, n, in, out);
}

#define RECURRA_STRING_OF(name) #name
#define RECURRA_STRING(name) RECURRA_STRING_OF(name)
#define RECURRA_FORWARD(cell, name, gates, saves) {forward_kernel<float, cell>(), forward_kernel<double, cell>()},
#define RECURRA_BACKWARD(cell, name, gates, saves) {backward_kernel<float, cell>(), backward_kernel<double, cell>()},
#define RECURRA_CHECK(cell, name, gates, saves) \
  static_assert(cell::blocks == gates && cell::saved + cell::memory == saves, name " differs from its line in job.h");

RECURRA_CELLS(RECURRA_CHECK)

extern const Instructions instructions;
const Instructions instructions = {
    RECURRA_STRING(RECURRA_ISA), {RECURRA_CELLS(RECURRA_FORWARD)}, {RECURRA_CELLS(RECURRA_BACKWARD)}, map};

}  // namespace RECURRA_ISA
}  // namespace recurra
