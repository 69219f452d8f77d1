// The scan forwards: weights laid out in panels, then for every step a product and the gates.
#ifndef RECURRA_FORWARD_H
#define RECURRA_FORWARD_H

#include "layout.h"
#include "normalised.h"

namespace recurra {
namespace RECURRA_ISA {

constexpr int64_t forward_chunk_bytes = 384 << 10;

// What all threads share in a forward pass, and what a team has for itself.
template <class T, class C>
struct ForwardMemory {
  T *weight_ih, *weight_hh, *bias_ih, *bias_hh;  // panels: (vectors in pieces)(K)(gate)(vector)
  T *h = nullptr, *next = nullptr, *c = nullptr, *projected = nullptr;
  T *sums = nullptr, *fresh = nullptr;  // of a step, to be normalised: products (rows)(G·Hq), and a row's new memory
  Entry *entries = nullptr;
  int64_t chunk_steps, bytes;

  ForwardMemory(const Sizes<T, C> &z, int thread) {
    using S = Sizes<T, C>;
    const Call &call = z.call;
    const int64_t gate_numbers = z.Hq * S::G, rows = call.most_rows;
    chunk_steps = z.self_fed() ? 1 : z.chunk_steps(forward_chunk_bytes, S::G, rows);
    Memory memory = {call.memory, 0};
    weight_ih = memory.take<T>(gate_numbers * z.inputs);
    weight_hh = memory.take<T>(gate_numbers * z.recurrences());
    bias_ih = memory.take<T>(gate_numbers);
    bias_hh = memory.take<T>(C::recurrent ? gate_numbers : 0);
    for (int other = 0; other < call.threads; ++other) {
      if (other % call.team_size == 0) {
        T *const own[] = {memory.take<T>(rows * z.Hq), memory.take<T>(rows * z.Hq),
                          memory.take<T>(C::memory ? rows * z.Hq : 0),
                          memory.take<T>(call.scan.saved ? 0 : chunk_steps * rows * S::G * z.Hp),
                          memory.take<T>(C::normalised ? rows * S::G * z.Hq : 0),
                          memory.take<T>(C::normalised ? z.Hq : 0)};
        if (other / call.team_size == thread / call.team_size) {
          h = own[0], next = own[1], c = own[2], projected = own[3], sums = own[4], fresh = own[5];
        }
      }
      Entry *list = memory.take<Entry>(chunk_steps * rows);
      if (other == thread) entries = list;
    }
    bytes = memory.used;
  }
};

// to[k * apart + row] = from[row * stride + k] for ``count`` rows, of which the first ``real`` are there; the others are
// zero. In blocks, so that a cache line that is written is written whole.
template <class T>
void transpose(const T *from, int64_t stride, int64_t real, int64_t depth, T *to, int64_t apart, int64_t count) {
  constexpr int64_t block = 64 / sizeof(T);
  for (int64_t first = 0; first < depth; first += block) {
    const int64_t last = least(first + block, depth);
    for (int64_t row = 0; row < count; ++row)
      for (int64_t k = first; k < last; ++k) to[k * apart + row] = row < real ? from[row * stride + k] : T(0);
  }
}

// Lay a (G·H, K) matrix out in panels of G gates times some vectors of units; pad with zeros.
template <class T, class C>
void pack_gates(const Sizes<T, C> &z, const T *weight, int64_t depth, T *panels, int64_t first, int width) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  T *to = panels + first * G * L * depth;
  for (int gate = 0; gate < G; ++gate)
    transpose(weight ? weight + (C::order[gate] * z.units + first * L) * depth : nullptr, depth,
              weight ? z.units - first * L : 0, depth, to + gate * width * L, G * width * L, width * L);
  round_panel(to, depth, G * width);
}

template <class T, class C>
void pack_forward(const Call &call, int thread) {
  const Sizes<T, C> z(call);
  const ForwardMemory<T, C> m(z, thread);
  int64_t number = 0;
  for (int rank = 0; rank < call.team_size; ++rank)
    for_pieces(z.units_of(rank), C::together, [&](int64_t first, int width) {
      if (number++ % call.threads != thread) return;
      pack_gates<T, C>(z, z.weight(call.scan.weight_ih), z.inputs, m.weight_ih, first, width);
      pack_gates<T, C>(z, z.weight(call.scan.bias_ih), 1, m.bias_ih, first, width);
      if (!C::recurrent) return;
      pack_gates<T, C>(z, z.weight(call.scan.weight_hh), z.units, m.weight_hh, first, width);
      pack_gates<T, C>(z, z.weight(call.scan.bias_hh), 1, m.bias_hh, first, width);
    });
}

template <class T, class C>
struct Forward {
  using S = Sizes<T, C>;
  static constexpr int L = S::L, G = S::G;

  const S z;
  const ForwardMemory<T, C> m;
  const Range own;
  Barrier &barrier;
  const Group *group = nullptr;
  T *h, *next;

  Forward(const Call &call, int thread)
      : z(call),
        m(z, thread),
        own(z.units_of(thread % call.team_size)),
        barrier(call.barriers[thread / call.team_size]) {}

  void meet() const {
    if (z.call.team_size > 1) wait_for_all(barrier, z.call.team_size);
  }
  T *place(int64_t number) const {
    return z.call.scan.saved ? z.saved(m.entries[number].at) : m.projected + number * G * z.Hp;
  }

  void run(const Group &of) {
    group = &of;
    h = m.h, next = m.next;
    begin();
    for (int64_t first = 0; first < group->steps; first += m.chunk_steps) {
      const int64_t last = least(first + m.chunk_steps, group->steps);
      project(z.list(*group, first, last, m.entries));
      for (int64_t step = first, number = 0; step < last; number += group->active[step++]) {
        advance(group->active[step], number);
        if (z.linked()) meet();
        T *const swap = h;
        h = next, next = swap;
      }
    }
    meet();
  }

  // States in, outputs of masked steps and last states of rows without a step out.
  void begin() {
    for (int64_t slot = 0; slot < group->count; ++slot) {
      const Slot &at = group->slots[slot];
      for (int64_t v = own.first; v < own.last; ++v) {
        const int64_t from = at.row * z.units + v * L, to = slot * z.Hq + v * L, left = z.units - v * L;
        const Vec<T> first = load_some(z.weight(z.call.scan.h0) + from, left);
        store(h + to, first);
        store(next + to, first);
        if (at.end <= at.start) store_some(static_cast<T *>(z.call.scan.h) + from, first, left);
        if (!C::memory) continue;
        const Vec<T> memory = load_some(z.weight(z.call.scan.c0) + from, left);
        store(m.c + to, memory);
        if (at.end <= at.start) store_some(static_cast<T *>(z.call.scan.c) + from, memory, left);
      }
      if (z.call.scan.mask) clear_outputs(at);
    }
    meet();
  }

  void clear_outputs(const Slot &at) const {
    const int64_t from = own.first * L, size = least(own.last * L, z.units) - from;
    for (int64_t step = 0; step < z.steps; ++step) {
      if (step == at.start && at.end > at.start) step = at.end;
      if (step >= z.steps || size <= 0) return;
      memset(static_cast<T *>(z.call.scan.outputs) + (at.row * z.steps + z.time(step)) * z.units + from, 0,
             static_cast<size_t>(size) * sizeof(T));
    }
  }

  // What the inputs of a chunk contribute to the gates, into the place where the gates will be.
  void project(int64_t count) const {
    if constexpr (C::normalised) return copy_inputs(*this, count);
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces(own, C::together, [&](int64_t first, int width) {
      const T *panel = m.weight_ih + first * G * L * z.inputs, *bias = m.bias_ih + first * G * L;
      for_pieces({0, count}, rows_for<T>(G * width, z.inputs), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r)
          at[r] = z.self_fed() ? h + m.entries[begin + r].slot * z.Hq : z.input(m.entries[begin + r].at);
        product<T>(Rows<T>{at}, rows, G * width, z.inputs, panel, bias, 0, tile);
        for (int r = 0; r < rows; ++r) {
          T *to = place(begin + r) + first * L;
          const T *from = tile + r * G * width * L;
          for (int gate = 0; gate < G; ++gate)
            for (int v = 0; v < width; ++v, from += L) store(to + gate * z.Hp + v * L, load(from));
        }
      });
    });
  }

  void advance(int64_t count, int64_t number) const {
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces(own, C::together, [&](int64_t first, int width) {
      if (!C::recurrent) return gates(number, static_cast<int>(count), nullptr, first, width);
      const T *panel = m.weight_hh + first * G * L * z.units, *bias = m.bias_hh + first * G * L;
      for_pieces({0, count}, rows_for<T>(G * width, z.units), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r) at[r] = h + (begin + r) * z.Hq;
        product<T>(Rows<T>{at}, rows, G * width, z.units, panel, bias, 0, tile);
        if constexpr (C::normalised)
          keep_sums(*this, begin, rows, tile, first, width);
        else
          gates(number + begin, rows, tile, first, width);
      });
    });
    if constexpr (C::normalised) normalise(*this, count, number);
  }

  // The gate maths of some entries for ``width`` vectors of units.
  void gates(int64_t number, int rows, const T *recurrent, int64_t first, int width) const {
    const Ends ends(*this);
    const T *const old_h = h, *const c = m.c;
    const int64_t Hp = z.Hp, Hq = z.Hq;
    const bool saves = ends.saves;
    for (int r = 0; r < rows; ++r) {
      const Entry entry = m.entries[number + r];
      T *const place_of = place(number + r);
      for (int v = 0; v < width; ++v) {
        const int64_t unit = (first + v) * L, here = entry.slot * Hq + unit;
        T *const at = place_of + unit;
        Vec<T> x[G], u[G], a[C::saved];
        for (int gate = 0; gate < G; ++gate) {
          x[gate] = load(at + gate * Hp);
          u[gate] = C::recurrent ? load(recurrent + ((r * G + gate) * width + v) * L) : Vec<T>{};
        }
        const State<Vec<T>> before = {load(old_h + here), C::memory ? load(c + here) : Vec<T>{}};
        State<Vec<T>> state = before;
        if constexpr (C::per_unit > 0 && !C::normalised) {
          Vec<T> p[S::P];
          z.per_unit(unit, p);
          C::template forward<T>(x, u, p, state, a);
        } else {
          C::template forward<T>(x, u, state, a);
        }
        if (saves)
          for (int n = 0; n < C::saved; ++n) store(at + n * Hp, a[n]);
        settle(ends, entry, unit, before, state, at);
      }
    }
  }

  // Copies, because the compiler must think that every store of a step may change what it reads through a pointer.
  struct Ends {
    const T *keep_share;
    T *h, *c, *outputs;
    bool saves, masked;
    int64_t Hp, Hq, units;

    RECURRA_INLINE explicit Ends(const Forward &of)
        : keep_share(static_cast<const T *>(of.z.call.scan.keep)),
          h(of.next),
          c(of.m.c),
          outputs(static_cast<T *>(of.z.call.scan.outputs)),
          saves(of.z.call.scan.saved),
          masked(of.z.call.scan.mask),
          Hp(of.z.Hp),
          Hq(of.z.Hq),
          units(of.z.units) {}
  };

  // The end of a step for some units of a row: zoneout, the mask, and all the places where the new state goes.
  RECURRA_INLINE void settle(const Ends &ends, const Entry &entry, int64_t unit, const State<Vec<T>> &before,
                             State<Vec<T>> state, T *at) const {
    const int64_t here = entry.slot * ends.Hq + unit, left = ends.units - unit;
    if (ends.keep_share) {
      const Vec<T> keep = load_some(ends.keep_share + entry.at * ends.units + unit, left);
      state.h = mix<T>(state.h, before.h, keep);
      if (C::memory) state.c = mix<T>(state.c, before.c, keep);
    }
    if (!entry.real) state = before;
    store(ends.h + here, state.h);
    if (C::memory) store(ends.c + here, state.c);
    store_some(ends.outputs + entry.at * ends.units + unit, entry.real ? state.h : Vec<T>{}, left);
    if (ends.saves) {
      if (C::memory) store(at + C::saved * ends.Hp, state.c);
      if (ends.masked) store(at + S::saved_blocks * ends.Hp, state.h);
    }
    if (entry.last) finish(entry.slot, unit, state);
  }

  __attribute__((noinline)) void finish(int64_t slot, int64_t unit, const State<Vec<T>> &state) const {
    const int64_t to = group->slots[slot].row * z.units + unit, left = z.units - unit;
    store_some(static_cast<T *>(z.call.scan.h) + to, state.h, left);
    if (C::memory) store_some(static_cast<T *>(z.call.scan.c) + to, state.c, left);
  }
};

template <class T, class C>
void run_forward(const Call &call, int thread) {
  Forward<T, C> forward(call, thread);
  for (int g = thread / call.team_size; g < call.group_count; g += call.teams()) forward.run(call.groups[g]);
}

template <class T, class C>
int64_t forward_bytes(const Call &call) {
  const Sizes<T, C> z(call);
  return ForwardMemory<T, C>(z, 0).bytes;
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
