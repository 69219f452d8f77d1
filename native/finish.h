// The end of a backward pass: what the teams have summed, added up and laid out as the weights are.
#ifndef RECURRA_FINISH_H
#define RECURRA_FINISH_H

#include "backward.h"

namespace recurra {
namespace RECURRA_ISA {

// Add up what the teams have summed, and lay it out as the weights are.
template <class T, class C>
struct Finish {
  using S = Sizes<T, C>;
  const S z;
  const BackwardMemory<T, C> m;
  const Range units;

  Finish(const Call &call, int thread) : z(call), m(z, 0), units(share(z.units, thread, call.threads)) {}

  void matrix(void *to, const T *sums, int64_t columns, bool of_h) const {
    constexpr int L = S::L;
    if (!to) return;
    for (int gate = 0; gate < S::G; ++gate)
      for (int64_t unit = units.first; unit < units.last; ++unit) {
        const int block = of_h ? S::old_output_block(gate) : C::order[gate];
        T *row = static_cast<T *>(to) + (block * z.units + unit) * columns;
        for_pieces({0, (columns + L - 1) / L}, vectors_back, [&](int64_t first, int width) {
          const T *from = sums + first * L * m.sums + (gate * z.Hq + unit) * width * L;
          for (int v = 0; v < width; ++v) {
            Vec<T> sum = load(from + v * L);
            for (int team = 1; team < z.call.teams(); ++team) sum += load(from + team * m.team_stride + v * L);
            store_some(row + (first + v) * L, sum, columns - (first + v) * L);
          }
        });
      }
  }

  void per_unit(void *to) const {
    if (!to) return;
    for (int j = 0; j < S::P; ++j)
      for (int64_t unit = units.first; unit < units.last; ++unit) {
        T sum = 0;
        for (int team = 0; team < z.call.teams(); ++team) sum += m.d_per_unit[team * m.team_stride + j * z.Hq + unit];
        static_cast<T *>(to)[j * z.units + unit] = sum;
      }
  }

  void bias(void *to, bool of_h) const {
    if (!to) return;
    for (int gate = 0; gate < S::G; ++gate)
      for (int64_t unit = units.first; unit < units.last; ++unit) {
        const int block = of_h ? S::old_output_block(gate) : C::order[gate];
        const T *from = m.d_bias + (gate + (of_h ? S::D - S::G : 0)) * z.Hq + unit;
        T sum = 0;
        for (int team = 0; team < z.call.teams(); ++team) sum += from[team * m.team_stride];
        static_cast<T *>(to)[block * z.units + unit] = sum;
      }
  }
};

template <class T, class C>
void finish_backward(const Call &call, int thread) {
  const Finish<T, C> finish(call, thread);
  if (C::recurrent) finish.matrix(call.grads->d_weight_hh, finish.m.d_weight_hh, call.scan.hidden, true);
  finish.matrix(call.grads->d_weight_ih, finish.m.d_weight_ih, finish.z.inputs, false);
  finish.per_unit(call.grads->d_per_unit);
  finish.bias(call.grads->d_bias_ih, false);
  if (C::recurrent) finish.bias(call.grads->d_bias_hh, true);
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
