// Where everything of a call lies: its sizes, the entries that take part, pieces of memory.
//
// Sizes: n rows of a group, H hidden units padded to Hq (whole vectors), G gates, D gradients of gates (G, or G + 1
// for a cell with a reset gate). An entry is one row at one step; a chunk is the entries of some steps in a row.
// Rows are independent, so a team of threads owns a group for all steps. Within a team each thread owns some hidden
// units and waits for the others once a step.
#ifndef RECURRA_LAYOUT_H
#define RECURRA_LAYOUT_H

#include "cells.h"
#include "job.h"
#include "product.h"

namespace recurra {
namespace RECURRA_ISA {

RECURRA_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
RECURRA_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
RECURRA_INLINE int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Hands out pieces of memory, each on its own cache line; from null it only counts.
struct Memory {
  char *begin;
  int64_t used;

  template <class T>
  T *take(int64_t count) {
    T *piece = reinterpret_cast<T *>(begin + used);
    used += round_up(count * static_cast<int64_t>(sizeof(T)), 64);
    return piece;
  }
};

struct Entry {
  int64_t at;      // row * T + time
  int64_t before;  // the same one step earlier, or -1 where its row begins
  int32_t slot;
  bool real;  // takes part: neither masked nor outside its row's steps
  bool last;  // of its row
};

// The sizes of a call and the places of everything in its arrays.
template <class T, class C>
struct Sizes {
  // Of the gradients of the gates the first G are those of what the input contributes, the last G those of the old
  // output; they are the same but for a reset gate, and apart where sums are normalised.
  static constexpr int L = lanes<T>(), G = C::blocks, D = C::normalised ? 2 * G : G + C::reset, P = C::per_unit;
  // The gates, c, and where sums are normalised, these before gain and bias, and what they were divided by.
  static constexpr int normal_at = C::saved + C::memory, saved_blocks = normal_at + (C::normalised ? G + 1 : 0);
  static_assert(G * C::together <= max_vectors, "a panel of this cell is wider than any product");
  static_assert(C::saved >= G, "the sums of the inputs lie where the gates will be saved");

  const Call &call;
  int64_t batch, steps, inputs, units, vectors, Hq, Hp, input_vectors, Iq, width;

  explicit Sizes(const Call &call)
      : call(call), batch(call.scan.batch), steps(call.scan.steps), units(call.scan.hidden) {
    inputs = C::normalised ? 0 : call.scan.input;
    vectors = (units + L - 1) / L;
    Hq = vectors * L;
    Hp = round_up(units, RECURRA_PAD);
    input_vectors = (inputs + L - 1) / L;
    Iq = input_vectors * L;
    width = (saved_blocks + (call.scan.mask != nullptr)) * Hp;
  }

  int64_t time(int64_t step) const { return call.scan.reverse ? steps - 1 - step : step; }
  const T *weight(const void *of) const { return static_cast<const T *>(of); }
  bool self_fed() const { return call.scan.self_fed; }
  // Whether a step needs all units of the step before; if not, the threads of a team go on without waiting.
  bool linked() const { return C::recurrent || self_fed(); }
  int64_t recurrences() const { return C::recurrent ? units : 0; }  // numbers of the old output in a gate's product
  T *saved(int64_t at) const { return static_cast<T *>(call.scan.saved) + at * width; }
  const T *input(int64_t at) const { return static_cast<const T *>(call.scan.x) + at * call.scan.input; }
  Range units_of(int rank) const { return share(vectors, rank, call.team_size); }
  // The block of the weights whose gradient with respect to the old output is the j-th of them.
  static int old_output_block(int j) { return C::order[(j + D - G) % G]; }

  Entry entry(const Slot &slot, int64_t number, int64_t step) const {
    const int64_t at = slot.row * steps + time(step), before = slot.row * steps + time(step - 1);
    const bool real = step >= slot.start && step < slot.end && !(slot.holes && !call.scan.mask[at]);
    return {at, step == slot.start ? -1 : before, static_cast<int32_t>(number), real, step + 1 == slot.end};
  }
  // What the cell has for every unit, the j-th of it, for some units.
  Vec<T> per_unit(int j, int64_t unit) const {
    return load_some(weight(call.scan.per_unit) + j * units + unit, units - unit);
  }
  void per_unit(int64_t unit, Vec<T> *p) const {
    for (int j = 0; j < P; ++j) p[j] = per_unit(j, unit);
  }
  // List the entries of some steps, step by step; return how many they are.
  int64_t list(const Group &group, int64_t first, int64_t last, Entry *entries) const {
    int64_t count = 0;
    for (int64_t step = first; step < last; ++step)
      for (int64_t slot = 0; slot < group.active[step]; ++slot) entries[count++] = entry(group.slots[slot], slot, step);
    return count;
  }
  int64_t chunk_steps(int64_t bytes, int64_t blocks, int64_t rows) const {
    const int64_t entries = least(most(bytes / static_cast<int64_t>(blocks * Hq * sizeof(T)), 64), 4096);
    return least(most(entries / most(rows, 1), 1), steps);
  }
};

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
