// The scan: one cell over all steps of a group of rows, forwards and backwards through time.
//
// Sizes: n rows of a group, H hidden units padded to Hq (whole vectors), G gates, D gradients of gates (G, or G + 1
// for a cell with a reset gate). An entry is one row at one step; a chunk is the entries of some steps in a row.
// Rows are independent, so a team of threads owns a group for all steps. Within a team each thread owns some hidden
// units and waits for the others once a step.
#ifndef RECURRA_SCAN_H
#define RECURRA_SCAN_H

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

// Exactly ``a`` where the share of b is 0, exactly b where it is 1.
template <class T>
RECURRA_INLINE Vec<T> mix(Vec<T> a, Vec<T> b, Vec<T> share) {
  return share < same<T>(T(0.5)) ? a + share * (b - a) : b - (b - a) * (T(1) - share);
}

struct Entry {
  int64_t at;      // row * T + time
  int64_t before;  // the same one step earlier, or -1 where its row begins
  int32_t slot;
  bool real;  // takes part: neither masked nor outside its row's steps
  bool last;  // of its row
};

constexpr int64_t vectors_back = 4;  // of a panel in the backward products
constexpr int64_t forward_chunk_bytes = 384 << 10, backward_chunk_bytes = 512 << 10;

// The sizes of a call and the places of everything in its arrays.
template <class T, class C>
struct Sizes {
  static constexpr int L = lanes<T>(), G = C::blocks, D = C::blocks + C::reset;
  static constexpr int saved_blocks = C::saved + C::memory;
  static_assert(G * C::together <= max_vectors, "a panel of this cell is wider than any product");
  static_assert(C::saved >= G, "the sums of the inputs lie where the gates will be saved");

  const Call &call;
  int64_t batch, steps, inputs, units, vectors, Hq, Hp, input_vectors, Iq, width;

  explicit Sizes(const Call &call)
      : call(call), batch(call.scan.batch), steps(call.scan.steps), inputs(call.scan.input), units(call.scan.hidden) {
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
  T *saved(int64_t at) const { return static_cast<T *>(call.scan.saved) + at * width; }
  const T *input(int64_t at) const { return static_cast<const T *>(call.scan.x) + at * inputs; }
  Range units_of(int rank) const { return share(vectors, rank, call.team_size); }
  // The block of the weights whose gradient with respect to the old output is the j-th of them.
  static int old_output_block(int j) { return C::order[(j + D - G) % G]; }

  Entry entry(const Slot &slot, int64_t number, int64_t step) const {
    const int64_t at = slot.row * steps + time(step), before = slot.row * steps + time(step - 1);
    const bool real = step >= slot.start && step < slot.end && !(slot.holes && !call.scan.mask[at]);
    return {at, step == slot.start ? -1 : before, static_cast<int32_t>(number), real, step + 1 == slot.end};
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

// What all threads share in a forward pass, and what a team has for itself.
template <class T, class C>
struct ForwardMemory {
  T *weight_ih, *weight_hh, *bias_ih, *bias_hh;  // panels: (vectors in pieces)(K)(gate)(vector)
  T *h = nullptr, *next = nullptr, *c = nullptr, *projected = nullptr;
  Entry *entries = nullptr;
  int64_t chunk_steps, bytes;

  ForwardMemory(const Sizes<T, C> &z, int thread) {
    using S = Sizes<T, C>;
    const Call &call = z.call;
    const int64_t gate_numbers = z.Hq * S::G, rows = call.most_rows;
    chunk_steps = z.self_fed() ? 1 : z.chunk_steps(forward_chunk_bytes, S::G, rows);
    Memory memory = {call.memory, 0};
    weight_ih = memory.take<T>(gate_numbers * z.inputs);
    weight_hh = memory.take<T>(gate_numbers * z.units);
    bias_ih = memory.take<T>(gate_numbers);
    bias_hh = memory.take<T>(gate_numbers);
    for (int other = 0; other < call.threads; ++other) {
      if (other % call.team_size == 0) {
        T *const own[] = {memory.take<T>(rows * z.Hq), memory.take<T>(rows * z.Hq),
                          memory.take<T>(C::memory ? rows * z.Hq : 0),
                          memory.take<T>(call.scan.saved ? 0 : chunk_steps * rows * S::G * z.Hp)};
        if (other / call.team_size == thread / call.team_size) h = own[0], next = own[1], c = own[2], projected = own[3];
      }
      Entry *list = memory.take<Entry>(chunk_steps * rows);
      if (other == thread) entries = list;
    }
    bytes = memory.used;
  }
};

// Lay a (G·H, K) matrix out in panels of G gates times some vectors of units; pad with zeros.
template <class T, class C>
void pack_gates(const Sizes<T, C> &z, const T *weight, int64_t depth, T *panels, int64_t first, int width) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  T *to = panels + first * G * L * depth;
  for (int gate = 0; gate < G; ++gate)
    for (int lane = 0; lane < width * L; ++lane) {
      const int64_t unit = first * L + lane;
      T *out = to + gate * width * L + lane;
      const T *from = weight ? weight + (C::order[gate] * z.units + unit) * depth : nullptr;
      if (!weight || unit >= z.units)
        for (int64_t k = 0; k < depth; ++k) out[k * G * width * L] = 0;
      else
        for (int64_t k = 0; k < depth; ++k) out[k * G * width * L] = from[k];
    }
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
      pack_gates<T, C>(z, z.weight(call.scan.weight_hh), z.units, m.weight_hh, first, width);
      pack_gates<T, C>(z, z.weight(call.scan.bias_ih), 1, m.bias_ih, first, width);
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
        meet();
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
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces(own, C::together, [&](int64_t first, int width) {
      const T *panel = m.weight_ih + first * G * L * z.inputs, *bias = m.bias_ih + first * G * L;
      for_pieces({0, count}, rows_for(G * width), [&](int64_t begin, int rows) {
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
      const T *panel = m.weight_hh + first * G * L * z.units, *bias = m.bias_hh + first * G * L;
      for_pieces({0, count}, rows_for(G * width), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r) at[r] = h + (begin + r) * z.Hq;
        product<T>(Rows<T>{at}, rows, G * width, z.units, panel, bias, 0, tile);
        gates(number + begin, rows, tile, first, width);
      });
    });
  }

  // The gate maths of some entries for ``width`` vectors of units.
  void gates(int64_t number, int rows, const T *recurrent, int64_t first, int width) const {
    // Copies, because the compiler must think that every store below may change what it reads through a pointer.
    const recurra_scan &scan = z.call.scan;
    const T *const keep_share = static_cast<const T *>(scan.keep), *const old_h = h;
    T *const new_h = next, *const c = m.c, *const outputs = static_cast<T *>(scan.outputs);
    const bool saves = scan.saved, masked = scan.mask;
    const int64_t Hp = z.Hp, Hq = z.Hq, units = z.units;
    for (int r = 0; r < rows; ++r) {
      const Entry entry = m.entries[number + r];
      T *const place_of = place(number + r);
      for (int v = 0; v < width; ++v) {
        const int64_t unit = (first + v) * L, here = entry.slot * Hq + unit, left = units - unit;
        T *const at = place_of + unit;
        Vec<T> x[G], u[G], a[C::saved];
        for (int gate = 0; gate < G; ++gate) {
          x[gate] = load(at + gate * Hp);
          u[gate] = load(recurrent + ((r * G + gate) * width + v) * L);
        }
        const State<Vec<T>> before = {load(old_h + here), C::memory ? load(c + here) : Vec<T>{}};
        State<Vec<T>> state = before;
        C::template forward<T>(x, u, state, a);
        if (keep_share) {
          const Vec<T> keep = load_some(keep_share + entry.at * units + unit, left);
          state.h = mix<T>(state.h, before.h, keep);
          if (C::memory) state.c = mix<T>(state.c, before.c, keep);
        }
        if (!entry.real) state = before;
        store(new_h + here, state.h);
        if (C::memory) store(c + here, state.c);
        store_some(outputs + entry.at * units + unit, entry.real ? state.h : Vec<T>{}, left);
        if (saves) {
          for (int n = 0; n < C::saved; ++n) store(at + n * Hp, a[n]);
          if (C::memory) store(at + C::saved * Hp, state.c);
          if (masked) store(at + S::saved_blocks * Hp, state.h);
        }
        if (entry.last) finish(entry.slot, unit, state);
      }
    }
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

// A sum over all entries of gradients times what they met: (panel of vectors)(G·Hq rows)(vector).
template <class T, class C>
struct BackwardMemory {
  T *weight_ih, *weight_hh, *zeros;  // panels: (vectors in pieces)(G·Hq)(vector)
  T *dh = nullptr, *dc = nullptr, *g = nullptr, *met = nullptr;  // met: old outputs and inputs of a chunk, as panels
  T *d_weight_hh = nullptr, *d_weight_ih = nullptr, *d_bias = nullptr;
  Entry *entries = nullptr;
  int64_t chunk_steps, stride, sums, team_stride = 0, bytes;  // team_stride: from one team's sums to the next one's

  BackwardMemory(const Sizes<T, C> &z, int thread) {
    using S = Sizes<T, C>;
    const Call &call = z.call;
    const int64_t rows = call.most_rows;
    sums = S::G * z.Hq;
    // One vector more than a row needs, or every row would begin in the same set of the cache.
    stride = S::D * z.Hq + S::L;
    chunk_steps = z.chunk_steps(backward_chunk_bytes, S::D, rows);
    const int64_t entry_count = chunk_steps * rows;
    Memory memory = {call.memory, 0};
    weight_ih = memory.take<T>(sums * z.Iq);
    weight_hh = memory.take<T>(sums * z.Hq);
    zeros = memory.take<T>(max_vectors * S::L);
    const int64_t before = memory.used;
    for (int other = 0; other < call.threads; ++other) {
      if (other % call.team_size == 0) {
        T *const own[] = {memory.take<T>(sums * z.Hq),   memory.take<T>(sums * z.Iq),
                          memory.take<T>(S::D * z.Hq),   memory.take<T>(rows * z.Hq),
                          memory.take<T>(C::memory ? rows * z.Hq : 0), memory.take<T>(entry_count * stride),
                          memory.take<T>(entry_count * (z.Hq + z.Iq))};
        if (other / call.team_size == thread / call.team_size) {
          d_weight_hh = own[0], d_weight_ih = own[1], d_bias = own[2];
          dh = own[3], dc = own[4], g = own[5], met = own[6];
        }
      }
      Entry *list = memory.take<Entry>(entry_count);
      if (other == thread) entries = list;
      if (other == call.team_size - 1) team_stride = (memory.used - before) / static_cast<int64_t>(sizeof(T));
    }
    bytes = memory.used;
  }
};

// Lay a (G·H, N) matrix out in panels of ``width`` vectors of its columns; rows in the order of the gradients.
template <class T, class C>
void pack_back(const Sizes<T, C> &z, const T *weight, int64_t columns, bool of_h, T *panels, int64_t first, int width) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  T *to = panels + first * L * G * z.Hq;
  for (int gate = 0; gate < G; ++gate) {
    const int block = of_h ? Sizes<T, C>::old_output_block(gate) : C::order[gate];
    for (int64_t unit = 0; unit < z.Hq; ++unit, to += width * L)
      for (int v = 0; v < width; ++v) {
        const int64_t column = (first + v) * L;
        const T *from = weight + (block * z.units + unit) * columns + column;
        store(to + v * L, unit < z.units ? load_some(from, columns - column) : Vec<T>{});
      }
  }
}

template <class T, class C>
void pack_backward(const Call &call, int thread) {
  const Sizes<T, C> z(call);
  const BackwardMemory<T, C> m(z, thread);
  int64_t number = 0;
  for (int rank = 0; rank < call.team_size; ++rank)
    for_pieces(z.units_of(rank), vectors_back, [&](int64_t first, int width) {
      if (number++ % call.threads != thread) return;
      pack_back<T, C>(z, z.weight(call.scan.weight_hh), z.units, true, m.weight_hh, first, width);
      if (z.self_fed()) pack_back<T, C>(z, z.weight(call.scan.weight_ih), z.units, false, m.weight_ih, first, width);
    });
  if (call.grads->d_x)
    for_pieces({0, z.input_vectors}, vectors_back, [&](int64_t first, int width) {
      if (number++ % call.threads == thread)
        pack_back<T, C>(z, z.weight(call.scan.weight_ih), z.inputs, false, m.weight_ih, first, width);
    });
  if (thread == 0) memset(m.zeros, 0, max_vectors * Sizes<T, C>::L * sizeof(T));
}

template <class T, class C>
struct Backward {
  using S = Sizes<T, C>;
  static constexpr int L = S::L, G = S::G, D = S::D;

  const S z;
  const BackwardMemory<T, C> m;
  const int rank;
  const Range own;
  Barrier &barrier;
  const recurra_grads &grads;
  const bool wants_hh, wants_ih, wants_bias;
  const Group *group = nullptr;

  Backward(const Call &call, int thread)
      : z(call),
        m(z, thread),
        rank(thread % call.team_size),
        own(z.units_of(rank)),
        barrier(call.barriers[thread / call.team_size]),
        grads(*call.grads),
        wants_hh(grads.d_weight_hh),
        wants_ih(grads.d_weight_ih),
        wants_bias(grads.d_bias_ih || grads.d_bias_hh) {
    clear(m.d_weight_hh, m.sums * z.Hq);
    clear(m.d_weight_ih, m.sums * z.Iq);
    clear(m.d_bias, D * z.Hq);
    meet();
  }

  void clear(T *numbers, int64_t count) const {
    const Range part = share(count, rank, z.call.team_size);
    memset(numbers + part.first, 0, static_cast<size_t>(part.size()) * sizeof(T));
  }
  void meet() const {
    if (z.call.team_size > 1) wait_for_all(barrier, z.call.team_size);
  }

  void run(const Group &of) {
    group = &of;
    begin();
    for (int64_t last = group->steps; last > 0; last -= m.chunk_steps) {
      const int64_t first = most(last - m.chunk_steps, 0);
      const int64_t count = z.list(*group, first, last, m.entries);
      int64_t number = count;
      for (int64_t step = last - 1; step >= first; --step) {
        number -= group->active[step];
        gates(group->active[step], number);
        meet();
        carry(group->active[step], number);
      }
      collect(count);
    }
    end();
    meet();
  }

  void begin() const {
    for (int64_t slot = 0; slot < group->count; ++slot) {
      const int64_t row = group->slots[slot].row;
      for (int64_t v = own.first; v < own.last; ++v) {
        const int64_t from = row * z.units + v * L, to = slot * z.Hq + v * L, left = z.units - v * L;
        store(m.dh + to, grads.d_h ? load_some(z.weight(grads.d_h) + from, left) : Vec<T>{});
        if (C::memory) store(m.dc + to, grads.d_c ? load_some(z.weight(grads.d_c) + from, left) : Vec<T>{});
      }
      if (z.call.scan.mask && grads.d_x && rank == 0)
        memset(static_cast<T *>(grads.d_x) + row * z.steps * z.inputs, 0,
               static_cast<size_t>(z.steps * z.inputs) * sizeof(T));
    }
  }

  void end() const {
    for (int64_t slot = 0; slot < group->count; ++slot)
      for (int64_t v = own.first; v < own.last; ++v) {
        const int64_t to = group->slots[slot].row * z.units + v * L, from = slot * z.Hq + v * L, left = z.units - v * L;
        if (grads.d_h0) store_some(static_cast<T *>(grads.d_h0) + to, load(m.dh + from), left);
        if (C::memory && grads.d_c0) store_some(static_cast<T *>(grads.d_c0) + to, load(m.dc + from), left);
      }
  }

  // The state of a row before a step: given, saved (rows padded), or read from the outputs.
  const T *old_h(const Entry &entry) const {
    if (entry.before < 0) return z.weight(z.call.scan.h0) + group->slots[entry.slot].row * z.units;
    if (z.call.scan.mask) return z.saved(entry.before) + S::saved_blocks * z.Hp;
    return static_cast<const T *>(z.call.scan.outputs) + entry.before * z.units;
  }
  const T *old_c(const Entry &entry) const {
    if (!C::memory) return nullptr;
    if (entry.before < 0) return z.weight(z.call.scan.c0) + group->slots[entry.slot].row * z.units;
    return z.saved(entry.before) + C::saved * z.Hp;
  }

  // From the gradient of the new state to that of the gates, and what passes by the product to the old state.
  void gates(int64_t count, int64_t number) const {
    for (int64_t i = number; i < number + count; ++i) {
      const Entry entry = m.entries[i];
      if (entry.real)
        gates_of(entry, m.g + i * m.stride);
      else
        for (int gate = 0; gate < D; ++gate)
          for (int64_t v = own.first; v < own.last; ++v) store(m.g + i * m.stride + gate * z.Hq + v * L, Vec<T>{});
    }
  }

  RECURRA_INLINE void gates_of(const Entry &entry, T *to) const {
    const T *const saved = z.saved(entry.at), *const h = old_h(entry), *const c = old_c(entry);
    const T *const d_outputs = grads.d_outputs ? z.weight(grads.d_outputs) + entry.at * z.units : nullptr;
    const T *const keep_share = z.call.scan.keep ? z.weight(z.call.scan.keep) + entry.at * z.units : nullptr;
    T *const dh = m.dh + entry.slot * z.Hq, *const dc = m.dc + entry.slot * z.Hq;
    const int64_t Hp = z.Hp, Hq = z.Hq, units = z.units, end = own.last * L;
    for (int64_t unit = own.first * L; unit < end; unit += L) {
      const int64_t left = units - unit;
      Vec<T> a[C::saved], g[D];
      for (int n = 0; n < C::saved; ++n) a[n] = load(saved + n * Hp + unit);
      const State<Vec<T>> before = {load_some(h + unit, left), C::memory ? load_some(c + unit, left) : Vec<T>{}};
      State<Vec<T>> d = {load(dh + unit), C::memory ? load(dc + unit) : Vec<T>{}}, past = {};
      if (d_outputs) d.h += load_some(d_outputs + unit, left);
      if (keep_share) {
        const Vec<T> keep = load_some(keep_share + unit, left);
        past = {keep * d.h, keep * d.c};
        d = {d.h - past.h, d.c - past.c};
      }
      C::template backward<T>(a, before, d, g);
      store(dh + unit, d.h + past.h);
      if (C::memory) store(dc + unit, d.c + past.c);
      for (int gate = 0; gate < D; ++gate) store(to + gate * Hq + unit, g[gate]);
    }
  }

  // Through the recurrent weights, and through those of the inputs where these are old outputs: dh += U' g.
  void carry(int64_t count, int64_t number) const {
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces(own, vectors_back, [&](int64_t first, int width) {
      const int64_t panel = first * L * m.sums;
      for_pieces({0, count}, rows_for(width), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r) at[r] = m.g + (number + begin + r) * m.stride + (D - G) * z.Hq;
        product<T>(Rows<T>{at}, rows, width, m.sums, m.weight_hh + panel, m.zeros, 0, tile);
        if (z.self_fed()) {
          for (int r = 0; r < rows; ++r) at[r] -= (D - G) * z.Hq;
          product<T>(Rows<T>{at}, rows, width, m.sums, m.weight_ih + panel, tile, width * L, tile);
        }
        for (int r = 0; r < rows; ++r) {
          T *dh = m.dh + (begin + r) * z.Hq + first * L;
          for (int v = 0; v < width; ++v) store(dh + v * L, load(dh + v * L) + load(tile + (r * width + v) * L));
        }
      });
    });
  }

  // What a chunk of gate gradients adds to the gradients of the inputs and of the weights.
  void collect(int64_t count) const {
    if (grads.d_x) inputs(count);
    if (wants_hh || wants_ih) remember(count);
    meet();
    if (wants_hh) add(m.d_weight_hh, z.vectors, D - G, m.met, count);
    if (wants_ih) add(m.d_weight_ih, z.input_vectors, 0, m.met + count * z.Hq, count);
    if (wants_bias) add_bias(count);
    meet();
  }

  void inputs(int64_t count) const {
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces({0, z.input_vectors}, vectors_back, [&](int64_t first, int width) {
      const T *panel = m.weight_ih + first * L * m.sums;
      for_pieces(share(count, rank, z.call.team_size), rows_for(width), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r) at[r] = m.g + (begin + r) * m.stride;
        product<T>(Rows<T>{at}, rows, width, m.sums, panel, m.zeros, 0, tile);
        for (int r = 0; r < rows; ++r) {
          T *to = static_cast<T *>(grads.d_x) + m.entries[begin + r].at * z.inputs + first * L;
          for (int v = 0; v < width; ++v)
            store_some(to + v * L, load(tile + (r * width + v) * L), z.inputs - (first + v) * L);
        }
      });
    });
  }

  // Copy the old outputs and the inputs of a chunk into panels. What is masked must not count, not even a NaN.
  void remember(int64_t count) const {
    const Range part = share(count, rank, z.call.team_size);
    for (int64_t number = part.first; number < part.last; ++number) {
      const Entry &entry = m.entries[number];
      const T *const h = entry.real ? old_h(entry) : nullptr;
      remember_row(number, count, h, z.units, m.met);
      remember_row(number, count, h && !z.self_fed() ? z.input(entry.at) : h, z.inputs, m.met + count * z.Hq);
    }
  }

  void remember_row(int64_t number, int64_t count, const T *from, int64_t size, T *panels) const {
    for_pieces({0, (size + L - 1) / L}, vectors_back, [&](int64_t first, int width) {
      T *to = panels + first * L * count + number * width * L;
      for (int v = 0; v < width; ++v) {
        const int64_t at = (first + v) * L;
        store(to + v * L, from ? load_some(from + at, size - at) : Vec<T>{});
      }
    });
  }

  // sums += (gate gradients)' · met, over the entries of a chunk.
  void add(T *sums, int64_t vectors, int first_gate, const T *met, int64_t count) const {
    for_pieces({0, vectors}, vectors_back, [&](int64_t first, int width) {
      const T *panel = met + first * L * count;
      T *to = sums + first * L * m.sums;
      for_pieces(share(m.sums, rank, z.call.team_size), rows_for(width), [&](int64_t begin, int rows) {
        T *const at = to + begin * width * L;
        product<T>(Columns<T>{m.g + first_gate * z.Hq + begin, m.stride}, rows, width, count, panel, at, width * L, at);
      });
    });
  }

  void add_bias(int64_t count) const {
    for (int gate = 0; gate < D; ++gate)
      for (int64_t v = own.first; v < own.last; ++v) {
        T *const to = m.d_bias + gate * z.Hq + v * L;
        const T *from = m.g + gate * z.Hq + v * L;
        Vec<T> sum = load(to);
        for (int64_t number = 0; number < count; ++number) sum += load(from + number * m.stride);
        store(to, sum);
      }
  }
};

template <class T, class C>
void run_backward(const Call &call, int thread) {
  Backward<T, C> backward(call, thread);
  for (int g = thread / call.team_size; g < call.group_count; g += call.teams()) backward.run(call.groups[g]);
}

template <class T, class C>
int64_t backward_bytes(const Call &call) {
  const Sizes<T, C> z(call);
  return BackwardMemory<T, C>(z, 0).bytes;
}

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
  finish.matrix(call.grads->d_weight_hh, finish.m.d_weight_hh, call.scan.hidden, true);
  finish.matrix(call.grads->d_weight_ih, finish.m.d_weight_ih, call.scan.input, false);
  finish.bias(call.grads->d_bias_ih, false);
  finish.bias(call.grads->d_bias_hh, true);
}

inline void nothing(const Call &, int) {}

template <class T, class C>
constexpr Kernel forward_kernel() {
  return {forward_bytes<T, C>, pack_forward<T, C>, run_forward<T, C>, nothing};
}
template <class T, class C>
constexpr Kernel backward_kernel() {
  return {backward_bytes<T, C>, pack_backward<T, C>, run_backward<T, C>, finish_backward<T, C>};
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
