// A leaky plain cell whose recurrent weights are mostly zero, as in an echo state network, without gradients:
// h' = h + a (tanh(x + U h) - h). Rows of the batch are the lanes of a vector, so that a weight that is not zero costs one
// multiplication for all of them.
#ifndef RECURRA_SPARSE_H
#define RECURRA_SPARSE_H

#include "job.h"
#include "maths.h"
#include "product.h"

namespace recurra {
namespace RECURRA_ISA {

// What lies in the arrays at [row][unit] for the rows of one group, as vectors of one unit each.
template <class T>
struct Lanes {
  const recurra_sparse &job;
  int64_t first, count;

  Vec<T> take(const T *from, int64_t stride) const {
    Vec<T> value = {};
    for (int64_t row = 0; row < count; ++row) value[row] = from[(first + row) * stride];
    return value;
  }
  void put(T *to, int64_t stride, Vec<T> value) const {
    for (int64_t row = 0; row < count; ++row) to[(first + row) * stride] = value[row];
  }
  // 1 for the rows that take part in a step.
  Vec<T> real(int64_t time) const {
    Vec<T> value = same<T>(1);
    if (!job.mask) return value;
    for (int64_t row = 0; row < count; ++row) value[row] = job.mask[(first + row) * job.steps + time] ? T(1) : T(0);
    return value;
  }
};

// Sums that do not wait for each other: an addition takes as long as so many can begin meanwhile.
constexpr int64_t chains = 8;

template <class T>
RECURRA_INLINE Vec<T> state_of(const T *states, int64_t unit) {
  return load(states + unit * lanes<T>());
}

template <class T>
void sparse_step(const Lanes<T> &rows, int64_t time, const T *before, T *after) {
  const recurra_sparse &job = rows.job;
  const int64_t hidden = job.hidden;
  const T *weights = static_cast<const T *>(job.weights), *x = static_cast<const T *>(job.x) + time * hidden;
  T *outputs = static_cast<T *>(job.outputs) + time * hidden;
  const Vec<T> real = rows.real(time), share = real * static_cast<T>(job.leak);
  int64_t entry = 0;
  for (int64_t unit = 0; unit < hidden; ++unit) {
    Vec<T> sums[chains] = {rows.take(x + unit, job.steps * hidden)};
    for (; entry + chains <= job.ends[unit]; entry += chains)
#pragma GCC unroll 8
      for (int64_t n = 0; n < chains; ++n) sums[n] += weights[entry + n] * state_of<T>(before, job.columns[entry + n]);
    for (; entry < job.ends[unit]; ++entry) sums[0] += weights[entry] * state_of<T>(before, job.columns[entry]);
    Vec<T> sum = sums[0];
#pragma GCC unroll 8
    for (int64_t n = 1; n < chains; ++n) sum += sums[n];
    const Vec<T> old = load(before + unit * lanes<T>());
    // What is masked is never read: it may be no number.
    const Vec<T> moved = old + share * (tanh<T>(sum) - old);
    const Vec<T> now = real != Vec<T>{} ? moved : old;
    store(after + unit * lanes<T>(), now);
    rows.put(outputs + unit, job.steps * hidden, real != Vec<T>{} ? now : Vec<T>{});
  }
}

// Each thread has some groups of rows.
template <class T>
void sparse_forward(const recurra_sparse &job, int thread) {
  const int64_t hidden = job.hidden, size = hidden * lanes<T>();
  T *before = static_cast<T *>(job.memory) + 2 * size * thread, *after = before + size;
  const Range groups = share((job.batch + lanes<T>() - 1) / lanes<T>(), thread, job.threads);
  for (int64_t group = groups.first; group < groups.last; ++group) {
    const int64_t first = group * lanes<T>(), left = job.batch - first;
    const Lanes<T> rows = {job, first, left < lanes<T>() ? left : lanes<T>()};
    for (int64_t unit = 0; unit < hidden; ++unit)
      store(before + unit * lanes<T>(), rows.take(static_cast<const T *>(job.h0) + unit, hidden));
    for (int64_t step = 0; step < job.steps; ++step) {
      sparse_step(rows, job.reverse ? job.steps - 1 - step : step, before, after);
      T *const swapped = before;
      before = after;
      after = swapped;
    }
    for (int64_t unit = 0; unit < hidden; ++unit)
      rows.put(static_cast<T *>(job.h) + unit, hidden, load(before + unit * lanes<T>()));
  }
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
