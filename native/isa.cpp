// Everything that runs vectors, for one instruction set: compiled once for each with -DRECURRA_ISA=name.
#include "attend.h"
#include "chain.h"
#include "energy.h"
#include "finish.h"
#include "forward.h"
#include "sparse.h"

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
  else if (strcmp(name, "log") == 0)
    map_numbers<T, logarithm<T>>(n, in, out);
  else
    return -1;
  return 0;
}

int32_t map(const char *function, int32_t dtype, int64_t n, const void *in, void *out) {
  return dtype == RECURRA_FLOAT ? map_named<float>(function, n, in, out) : map_named<double>(function, n, in, out);
}

inline void nothing(const Call &, int) {}

template <void (*run)(const Call &, int)>
void with_tiles(const Call &call, int thread) {
  Tiles tiles;
  tiles.begin();
  run(call, thread);
  tiles.end();
}

template <class T, class C>
constexpr Kernel forward_kernel() {
  return {forward_bytes<T, C>, pack_forward<T, C>, with_tiles<run_forward<T, C>>, nothing};
}
template <class T, class C>
constexpr Kernel backward_kernel() {
  return {backward_bytes<T, C>, pack_backward<T, C>, with_tiles<run_backward<T, C>>, finish_backward<T, C>};
}
template <class T, class C>
constexpr Kernel attend_forward_kernel() {
  if constexpr (C::normalised)
    return {};
  else
    return {attend_forward_bytes<T, C>, pack_attend_forward<T, C>, with_tiles<run_attend_forward<T, C>>, nothing};
}
template <class T, class C>
constexpr Kernel attend_backward_kernel() {
  if constexpr (C::normalised)
    return {};
  else
    return {attend_backward_bytes<T, C>, pack_attend_backward<T, C>, with_tiles<run_attend_backward<T, C>>, nothing};
}
template <class T, class C>
constexpr AttendPack attend_packer() {
  if constexpr (C::normalised)
    return nullptr;
  else
    return pack_attend<T, C>;
}
template <class C>
constexpr CellKernels kernels_of() {
  return {C::name,
          C::blocks,
          Sizes<float, C>::saved_blocks,
          C::recurrent,
          C::normalised,
          C::reset,
          {forward_kernel<float, C>(), forward_kernel<double, C>()},
          {backward_kernel<float, C>(), backward_kernel<double, C>()},
          {attend_forward_kernel<float, C>(), attend_forward_kernel<double, C>()},
          {attend_backward_kernel<float, C>(), attend_backward_kernel<double, C>()},
          {attend_packer<float, C>(), attend_packer<double, C>()}};
}

template <class Cells>
struct Table;
template <class... C>
struct Table<List<C...>> {
  static constexpr int count = sizeof...(C);
  static constexpr CellKernels rows[] = {kernels_of<C>()...};
};

#define RECURRA_STRING_OF(name) #name
#define RECURRA_STRING(name) RECURRA_STRING_OF(name)

extern const Instructions instructions;
const Instructions instructions = {RECURRA_STRING(RECURRA_ISA),
                                   Table<Cells>::rows,
                                   Table<Cells>::count,
                                   {energy_forward<float>, energy_forward<double>},
                                   {energy_backward<float>, energy_backward<double>},
                                   {sparse_forward<float>, sparse_forward<double>},
                                   chain_forward,
                                   chain_backward,
                                   chain_best,
                                   chain_bytes,
                                   map};

}  // namespace RECURRA_ISA
}  // namespace recurra
