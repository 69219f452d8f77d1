// The scan backwards through time: gradients of the gates, of the states, of the inputs, and sums for the weights.
#ifndef RECURRA_BACKWARD_H
#define RECURRA_BACKWARD_H

#include "layout.h"
#include "normalised.h"

namespace recurra {
namespace RECURRA_ISA {

constexpr int64_t vectors_back = 4;  // of a panel in the backward products
constexpr int64_t backward_chunk_bytes = 512 << 10;

// A sum over all entries of gradients times what they met: (panel of vectors)(G·Hq rows)(vector).
template <class T, class C>
struct BackwardMemory {
  T *weight_ih, *weight_hh, *zeros;  // panels: (vectors in pieces)(G·Hq)(vector)
  T *dh = nullptr, *dc = nullptr, *g = nullptr, *met = nullptr;  // met: old outputs and inputs of a chunk, as panels
  T *d_weight_hh = nullptr, *d_weight_ih = nullptr, *d_bias = nullptr, *d_per_unit = nullptr;
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
    weight_hh = memory.take<T>(C::recurrent ? sums * z.Hq : 0);
    zeros = memory.take<T>(max_vectors * S::L);
    const int64_t before = memory.used;
    for (int other = 0; other < call.threads; ++other) {
      if (other % call.team_size == 0) {
        T *const own[] = {memory.take<T>(C::recurrent ? sums * z.Hq : 0), memory.take<T>(sums * z.Iq),
                          memory.take<T>(S::D * z.Hq), memory.take<T>(rows * z.Hq),
                          memory.take<T>(C::memory ? rows * z.Hq : 0), memory.take<T>(entry_count * stride),
                          memory.take<T>(entry_count * (z.Hq + z.Iq)), memory.take<T>(S::P * z.Hq)};
        if (other / call.team_size == thread / call.team_size) {
          d_weight_hh = own[0], d_weight_ih = own[1], d_bias = own[2];
          dh = own[3], dc = own[4], g = own[5], met = own[6], d_per_unit = own[7];
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
  round_panel(panels + first * L * G * z.Hq, G * z.Hq, width);
}

template <class T, class C>
void pack_backward(const Call &call, int thread) {
  const Sizes<T, C> z(call);
  const BackwardMemory<T, C> m(z, thread);
  int64_t number = 0;
  for (int rank = 0; rank < call.team_size; ++rank)
    for_pieces(z.units_of(rank), vectors_back, [&](int64_t first, int width) {
      if (number++ % call.threads != thread) return;
      if (C::recurrent) pack_back<T, C>(z, z.weight(call.scan.weight_hh), z.units, true, m.weight_hh, first, width);
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
        wants_hh(C::recurrent && grads.d_weight_hh),
        wants_ih(grads.d_weight_ih),
        wants_bias(grads.d_bias_ih || grads.d_bias_hh) {
    if (C::recurrent) clear(m.d_weight_hh, m.sums * z.Hq);
    clear(m.d_weight_ih, m.sums * z.Iq);
    clear(m.d_bias, D * z.Hq);
    clear(m.d_per_unit, S::P * z.Hq);
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
        if (!z.linked()) continue;
        meet();
        carry(group->active[step], number);
      }
      if (!z.linked()) meet();
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
        memset(static_cast<T *>(grads.d_x) + row * z.steps * z.call.scan.input, 0,
               static_cast<size_t>(z.steps * z.call.scan.input) * sizeof(T));
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
      if (entry.real) {
        if constexpr (C::normalised)
          normalised_gates(*this, entry, m.g + i * m.stride);
        else
          gates_of(entry, m.g + i * m.stride);
      } else {
        for (int gate = 0; gate < D; ++gate)
          for (int64_t v = own.first; v < own.last; ++v) store(m.g + i * m.stride + gate * z.Hq + v * L, Vec<T>{});
      }
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
      if constexpr (C::per_unit > 0) {
        Vec<T> p[S::P], dp[S::P];
        z.per_unit(unit, p);
        C::template backward<T>(a, before, p, d, g, dp);
        for (int j = 0; j < S::P; ++j) add_per_unit(j, unit, dp[j]);
      } else {
        C::template backward<T>(a, before, d, g);
      }
      store(dh + unit, d.h + past.h);
      if (C::memory) store(dc + unit, d.c + past.c);
      for (int gate = 0; gate < D; ++gate) store(to + gate * Hq + unit, g[gate]);
    }
  }

  RECURRA_INLINE void add_per_unit(int j, int64_t unit, Vec<T> more) const {
    T *const to = m.d_per_unit + j * z.Hq + unit;
    store(to, load(to) + more);
  }

  // Through the recurrent weights, and through those of the inputs where these are old outputs: dh += U' g.
  void carry(int64_t count, int64_t number) const {
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces(own, vectors_back, [&](int64_t first, int width) {
      const int64_t panel = first * L * m.sums;
      for_pieces({0, count}, rows_for<T>(width, m.sums), [&](int64_t begin, int rows) {
        const T *at[max_rows];
        for (int r = 0; r < rows; ++r) at[r] = m.g + (number + begin + r) * m.stride + (D - G) * z.Hq;
        if (C::recurrent) product<T>(Rows<T>{at}, rows, width, m.sums, m.weight_hh + panel, m.zeros, 0, tile);
        if (z.self_fed()) {
          for (int r = 0; r < rows; ++r) at[r] -= (D - G) * z.Hq;
          const T *const start = C::recurrent ? tile : m.zeros;
          product<T>(Rows<T>{at}, rows, width, m.sums, m.weight_ih + panel, start, C::recurrent ? width * L : 0, tile);
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
    if (rounded<T>(count) && (wants_hh || wants_ih)) round_met(count);
    if (wants_hh) add(m.d_weight_hh, z.vectors, D - G, m.met, count);
    if (wants_ih) add(m.d_weight_ih, z.input_vectors, 0, m.met + count * z.Hq, count);
    if (wants_bias) add_bias(count);
    meet();
  }

  void inputs(int64_t count) const {
    if constexpr (C::normalised) return copy_input_gradients(*this, count);
    alignas(64) T tile[max_rows * max_vectors * L];
    for_pieces({0, z.input_vectors}, vectors_back, [&](int64_t first, int width) {
      const T *panel = m.weight_ih + first * L * m.sums;
      for_pieces(share(count, rank, z.call.team_size), rows_for<T>(width, m.sums), [&](int64_t begin, int rows) {
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
      if (C::recurrent) remember_row(number, count, h, z.units, m.met);
      if (C::normalised) continue;
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

  void round_met(int64_t count) const {
    int number = 0;
    const auto panels = [&](T *met, int64_t vectors) {
      for_pieces({0, vectors}, vectors_back, [&](int64_t first, int width) {
        if (number++ % z.call.team_size == rank) round_panel(met + first * L * count, count, width);
      });
    };
    if (wants_hh) panels(m.met, z.vectors);
    if (wants_ih) panels(m.met + count * z.Hq, z.input_vectors);
    meet();
  }

  // sums += (gate gradients)' · met, over the entries of a chunk.
  void add(T *sums, int64_t vectors, int first_gate, const T *met, int64_t count) const {
    for_pieces({0, vectors}, vectors_back, [&](int64_t first, int width) {
      const T *panel = met + first * L * count;
      T *to = sums + first * L * m.sums;
      for_pieces(share(m.sums, rank, z.call.team_size), rows_for<T>(width, count), [&](int64_t begin, int rows) {
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

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
