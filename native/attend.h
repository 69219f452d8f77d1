// A cell that looks at a memory after each step and is fed with what it saw (Luong's attention with input feeding):
//
//   s = cell(x + F o, s),  a = softmax(score(s, keys)),  c = a . values,  o = tanh(W [c; s])
//
// forwards, and backwards to the gradients of all sums. What weights and their inputs have in common over all steps is
// one large product each, which is left to the caller.
//
// Sizes: as in layout.h; M steps of the memory, A the width of keys, V that of values. Rows of the batch know nothing of
// each other, so each thread has some of them for all steps, and none waits for another.
#ifndef RECURRA_ATTEND_H
#define RECURRA_ATTEND_H

#include "backward.h"
#include "forward.h"

namespace recurra {
namespace RECURRA_ISA {

// Lay some columns of a matrix (depth, columns) out in a panel of ``width`` vectors.
template <class T>
void pack_columns(const T *weight, int64_t depth, int64_t columns, int64_t stride, T *panels, int64_t first, int width) {
  constexpr int L = lanes<T>();
  T *to = panels + first * L * depth;
  for (int64_t k = 0; k < depth; ++k)
    for (int v = 0; v < width; ++v, to += L) {
      const int64_t column = (first + v) * L;
      store(to, load_some(weight + k * stride + column, columns - column));
    }
  round_panel(panels + first * L * depth, depth, width);
}

// Rows of numbers, and the panels that they are multiplied with.
template <class T>
struct Term {
  const T *panels;
  int64_t depth;
  const T *rows;
  int64_t stride;
};

// So many numbers of the rows at once: that much of a panel stays in the nearest cache while all rows meet it.
constexpr int64_t nearest_depth = 128;

// tiles (rows, vectors) = start + rows · one panel of ``term``; a start_stride of 0 gives every row the same start.
template <class T>
RECURRA_INLINE void fill(const Term<T> &term, int64_t panel, int vectors, int64_t count, const T *start, int64_t start_stride,
                         T *tiles) {
  constexpr int L = lanes<T>();
  const int64_t at_once = rounded<T>(term.depth) ? term.depth : nearest_depth;  // rounded ones come in pieces anyway
  for (int64_t k = 0; k < term.depth; k += at_once) {
    const int64_t depth = least(at_once, term.depth - k);
    const T *const numbers = term.panels + panel + k * vectors * L;
    for_pieces({0, count}, rows_for<T>(vectors, depth), [&](int64_t begin, int rows) {
      // What comes next lies behind: a share of it for each piece of rows, or the first of them would wait for all.
      const Range ahead = {depth * vectors * begin / count, depth * vectors * (begin + rows) / count};
      for (int64_t v = ahead.first; v < ahead.last; ++v) __builtin_prefetch(numbers + (depth * vectors + v) * L, 0, 2);
      const T *at[max_rows];
      for (int r = 0; r < rows; ++r) at[r] = term.rows + (begin + r) * term.stride + k;
      product<T>(Rows<T>{at}, rows, vectors, depth, numbers, start + begin * start_stride,
                 start_stride, tiles + begin * vectors * L);
    });
    start = tiles, start_stride = vectors * L;
  }
}

// The sum of ``terms`` for ``count`` rows: each(row, first vector, width, numbers of the row). ``tiles`` is for
// vectors_back vectors of every row.
template <class T, int N, class Each>
RECURRA_INLINE void multiply(const Term<T> (&terms)[N], int64_t vectors, int64_t count, T *tiles, Each each) {
  constexpr int L = lanes<T>();
  alignas(64) static const T zeros[max_vectors * L] = {};
  for_pieces({0, vectors}, vectors_back, [&](int64_t first, int width) {
    for (int n = 0; n < N; ++n)
      fill(terms[n], first * L * terms[n].depth, width, count, n ? tiles : zeros, n ? width * L : 0, tiles);
    for (int64_t row = 0; row < count; ++row) each(row, first, width, tiles + row * width * L);
  });
}

// The sizes of a call, and which rows and arrays are those of a thread.
template <class T, class C>
struct AttendSizes {
  using S = Sizes<T, C>;
  static constexpr int L = S::L, G = S::G;
  const S z;
  const recurra_attend &look;
  const int64_t steps, M, A, V, key_vectors, value_vectors;
  const int64_t stride, key_stride, value_stride;  // of rows in memory, one vector more than a row needs
  const int64_t most_rows;                         // of any thread
  const bool feeds;                                // whether what was said is read again
  const Range rows;

  AttendSizes(const Call &call, int thread)
      : z(call),
        look(*call.attend),
        steps(call.scan.steps),
        M(look.memory_steps),
        A(look.key_width),
        V(look.value_width),
        key_vectors((A + L - 1) / L),
        value_vectors((V + L - 1) / L),
        stride(z.Hq + L),
        key_stride(key_vectors * L + L),
        value_stride(value_vectors * L + L),
        most_rows((z.batch + call.threads - 1) / call.threads),
        feeds(call.scan.weight_ih),
        rows(share(z.batch, thread, call.threads)) {}

  int64_t at(int64_t slot, int64_t step) const { return (rows.first + slot) * steps + step; }
  int64_t memory_row(int64_t slot) const { return look.rows ? look.rows[rows.first + slot] : rows.first + slot; }
  const T *keys(int64_t slot) const { return z.weight(look.keys) + memory_row(slot) * M * A; }
  const T *values(int64_t slot) const { return z.weight(look.values) + memory_row(slot) * M * V; }

  // The steps that a row may look at; returns how many.
  int64_t allowed(int64_t slot, int64_t *which) const {
    const uint8_t *mask = look.mask ? look.mask + memory_row(slot) * M : nullptr;
    int64_t count = 0;
    for (int64_t j = 0; j < M; ++j)
      if (!mask || mask[j]) which[count++] = j;
    return count;
  }
};

// numbers[i] = vector . matrix[which[i]], four of them at once, as one sum waits for itself.
template <class T>
void inner_products(const T *vector, const T *matrix, int64_t width, const int64_t *which, int64_t count, T *numbers) {
  constexpr int L = lanes<T>(), together = 4;
  for (int64_t first = 0; first < count; first += together) {
    const T *at[together];
    Vec<T> sums[together] = {};
    for (int64_t n = 0; n < together; ++n) at[n] = matrix + which[least(first + n, count - 1)] * width;
    int64_t k = 0;
    for (; k + L <= width; k += L)
      for (int n = 0; n < together; ++n) sums[n] += load(vector + k) * load(at[n] + k);
    if (k < width)
      for (int n = 0; n < together; ++n) sums[n] += load_some(vector + k, width - k) * load_some(at[n] + k, width - k);
    for (int64_t n = 0; n < least(together, count - first); ++n) numbers[first + n] = sum_of<T>(sums[n]);
  }
}

// to = the sum of shares[i] * matrix[which[i]], padded.
template <class T>
void weighted_sum(const T *shares, const T *matrix, int64_t width, const int64_t *which, int64_t count, T *to) {
  constexpr int L = lanes<T>();
  for_pieces({0, (width + L - 1) / L}, 8, [&](int64_t first, int vectors) {
    Vec<T> sums[8] = {};
    for (int64_t i = 0; i < count; ++i) {
      const T *row = matrix + which[i] * width;
      const Vec<T> share_of = same<T>(shares[i]);
      for (int v = 0; v < vectors; ++v) {
        const int64_t k = (first + v) * L;
        sums[v] += share_of * load_some(row + k, width - k);
      }
    }
    for (int v = 0; v < vectors; ++v) store(to + (first + v) * L, sums[v]);
  });
}

// ---------------------------------------------------------------------------------------------------------- forwards

// The weights as the kernel reads them; ``recurra_attend_pack`` keeps them for many calls.
template <class T, class C>
struct AttendPanels {
  T *recurrent, *feed, *bias, *of_context, *of_state, *query;
  int64_t bytes;

  AttendPanels(const AttendSizes<T, C> &of, char *begin) {
    const Sizes<T, C> &z = of.z;
    Memory memory = {begin, 0};
    recurrent = memory.take<T>(z.Hq * z.G * z.recurrences());
    feed = memory.take<T>(of.feeds ? z.Hq * z.G * z.units : 0);
    bias = memory.take<T>(z.Hq * z.G);
    of_context = memory.take<T>(z.Hq * of.V);
    of_state = memory.take<T>(z.Hq * z.units);
    query = memory.take<T>(of.look.query_weight ? of.key_vectors * z.L * z.units : 0);
    bytes = memory.used;
  }
};

template <class T, class C>
struct AttendMemory {
  char *packed;
  T *h = nullptr, *next = nullptr, *c = nullptr, *out = nullptr, *context = nullptr, *query = nullptr;
  T *energies = nullptr, *tiles = nullptr, *old = nullptr, *fed = nullptr;  // old and fed: sums of a step, panel by panel
  int64_t *allowed = nullptr;
  int64_t bytes;

  AttendMemory(const AttendSizes<T, C> &of, int thread) {
    const Call &call = of.z.call;
    Memory memory = {call.memory, 0};
    packed = static_cast<char *>(const_cast<void *>(of.look.packed));
    if (!packed) packed = memory.take<char>(AttendPanels<T, C>(of, nullptr).bytes);
    const int64_t states = of.most_rows * of.stride, sums = of.most_rows * of.z.G * of.z.Hq;
    for (int other = 0; other < call.threads; ++other) {
      T *const own[] = {memory.take<T>(states),
                        memory.take<T>(states),
                        memory.take<T>(C::memory ? states : 0),
                        memory.take<T>(states),
                        memory.take<T>(of.most_rows * of.value_stride),
                        memory.take<T>(of.look.query_weight ? of.most_rows * of.key_stride : 0),
                        memory.take<T>(of.M + of.L),
                        memory.take<T>(of.most_rows * vectors_back * of.L),
                        memory.take<T>(C::recurrent && C::reset ? sums : 0),
                        memory.take<T>(sums)};
      int64_t *const list = memory.take<int64_t>(of.M);
      if (other != thread) continue;
      h = own[0], next = own[1], c = own[2], out = own[3], context = own[4], query = own[5], energies = own[6];
      tiles = own[7], old = own[8], fed = own[9], allowed = list;
    }
    bytes = memory.used;
  }
};

template <class T, class C>
void pack_attend_into(const AttendSizes<T, C> &of, const AttendPanels<T, C> &to, int thread, int threads) {
  const Sizes<T, C> &z = of.z;
  const recurra_scan &scan = z.call.scan;
  int64_t number = 0;
  const auto mine = [&] { return number++ % threads == thread; };
  for_pieces({0, z.vectors}, C::together, [&](int64_t first, int width) {
    if (!mine()) return;
    if (of.feeds) pack_gates<T, C>(z, z.weight(scan.weight_ih), z.units, to.feed, first, width);
    if (C::recurrent) pack_gates<T, C>(z, z.weight(scan.weight_hh), z.units, to.recurrent, first, width);
    pack_gates<T, C>(z, z.weight(scan.bias_hh), 1, to.bias, first, width);
  });
  const auto pack = [&](const T *weight, int64_t rows, int64_t depth, int64_t stride, T *panels) {
    for_pieces({0, (rows + z.L - 1) / z.L}, vectors_back, [&](int64_t first, int width) {
      if (!mine()) return;
      const int64_t begin = first * z.L;
      transpose(weight + begin * stride, stride, rows - begin, depth, panels + begin * depth, width * z.L,
                width * z.L);
      round_panel(panels + begin * depth, depth, width);
    });
  };
  pack(z.weight(of.look.combine), z.units, of.V, of.V + z.units, to.of_context);
  pack(z.weight(of.look.combine) + of.V, z.units, z.units, of.V + z.units, to.of_state);
  if (of.look.query_weight) pack(z.weight(of.look.query_weight), of.A, z.units, z.units, to.query);
}

template <class T, class C>
void pack_attend_forward(const Call &call, int thread) {
  const AttendSizes<T, C> of(call, thread);
  if (of.look.packed) return;
  pack_attend_into<T, C>(of, AttendPanels<T, C>(of, AttendMemory<T, C>(of, thread).packed), thread, call.threads);
}

template <class T, class C>
struct AttendForward {
  using S = Sizes<T, C>;
  static constexpr int L = S::L, G = S::G;
  // Where the two sums of a gate are only added, they are one.
  static constexpr bool one_sum = C::recurrent && !C::reset;

  const AttendSizes<T, C> of;
  const S &z;
  const AttendMemory<T, C> m;
  const AttendPanels<T, C> p;
  const int64_t count;
  T *h, *next;

  AttendForward(const Call &call, int thread)
      : of(call, thread), z(of.z), m(of, thread), p(of, m.packed), count(of.rows.size()), h(m.h), next(m.next) {}

  void run() {
    begin();
    for (int64_t step = 0; step < of.steps; ++step) {
      gates(step);
      ask(step);
      for (int64_t slot = 0; slot < count; ++slot) look(slot, step);
      combine(step);
      T *const swap = h;
      h = next, next = swap;
    }
  }

  void begin() const {
    if (!of.feeds && !one_sum) memset(m.fed, 0, static_cast<size_t>(count * G * z.Hq) * sizeof(T));
    for (int64_t slot = 0; slot < count; ++slot)
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        const int64_t from = (of.rows.first + slot) * z.units + unit, to = slot * of.stride + unit, left = z.units - unit;
        store(h + to, load_some(z.weight(z.call.scan.h0) + from, left));
        store(m.out + to, load_some(z.weight(of.look.first) + from, left));
        if (C::memory) store(m.c + to, load_some(z.weight(z.call.scan.c0) + from, left));
      }
  }

  // First all products, panel by panel, then all gates, row by row: what is saved of a row lies far from the next one's.
  void gates(int64_t step) const {
    alignas(64) static const T zeros[max_vectors * L] = {};
    const Term<T> recurrent = {p.recurrent, z.units, h, of.stride}, feed = {p.feed, z.units, m.out, of.stride};
    const auto panels = [&](auto each) { for_pieces({0, z.vectors}, C::together, each); };
    panels([&](int64_t first, int width) {
      const int64_t panel = first * G * L, at = panel * count;
      T *const fed = m.fed + at, *const old = one_sum ? fed : m.old + at;
      if (C::recurrent) fill(recurrent, panel * z.units, G * width, count, p.bias + panel, 0, old);
      if (of.feeds) fill(feed, panel * z.units, G * width, count, one_sum ? fed : zeros, one_sum ? G * width * L : 0, fed);
    });
    for (int64_t slot = 0; slot < count; ++slot)
      panels([&](int64_t first, int width) {
        const int64_t at = first * G * L * count + slot * G * width * L;
        for (int v = 0; v < width; ++v)
          renew(slot, step, (first + v) * L, m.old + at + v * L, m.fed + at + v * L, width * L);
      });
  }

  // The gate maths of a row for a vector of units.
  RECURRA_INLINE void renew(int64_t slot, int64_t step, int64_t unit, const T *old, const T *fed, int64_t apart) const {
    const recurra_scan &scan = z.call.scan;
    const int64_t at = of.at(slot, step), here = slot * of.stride + unit, left = z.units - unit;
    const T *const projected = z.weight(scan.x) + at * G * z.units + unit;
    Vec<T> x[G], u[G], a[C::saved];
    for (int gate = 0; gate < G; ++gate) {
      x[gate] = load_some(projected + C::order[gate] * z.units, left) + load(fed + gate * apart);
      u[gate] = C::recurrent && !one_sum ? load(old + gate * apart) : Vec<T>{};
    }
    State<Vec<T>> state = {load(h + here), C::memory ? load(m.c + here) : Vec<T>{}};
    if constexpr (C::per_unit > 0) {
      Vec<T> numbers[S::P];
      z.per_unit(unit, numbers);
      C::template forward<T>(x, u, numbers, state, a);
    } else {
      C::template forward<T>(x, u, state, a);
    }
    store(next + here, state.h);
    if (C::memory) store(m.c + here, state.c);
    store_some(static_cast<T *>(scan.outputs) + at * z.units + unit, state.h, left);
    if (scan.saved) {
      T *const to = z.saved(at) + unit;
      for (int n = 0; n < C::saved; ++n) store(to + n * z.Hp, a[n]);
      if (C::memory) store(to + C::saved * z.Hp, state.c);
    }
    if (step + 1 < of.steps) return;
    const int64_t last = (of.rows.first + slot) * z.units + unit;
    store_some(static_cast<T *>(scan.h) + last, state.h, left);
    if (C::memory) store_some(static_cast<T *>(scan.c) + last, state.c, left);
  }

  void ask(int64_t step) const {
    if (!of.look.query_weight) return;
    const Term<T> terms[] = {{p.query, z.units, next, of.stride}};
    multiply<T>(terms, of.key_vectors, count, m.tiles, [&](int64_t slot, int64_t first, int width, const T *sums) {
      T *to = static_cast<T *>(of.look.queries) + of.at(slot, step) * of.A;
      for (int v = 0; v < width; ++v) {
        const int64_t k = (first + v) * L;
        store(m.query + slot * of.key_stride + k, load(sums + v * L));
        store_some(to + k, load(sums + v * L), of.A - k);
      }
    });
  }

  void look(int64_t slot, int64_t step) const {
    const int64_t n = of.allowed(slot, m.allowed);
    T *const e = m.energies, *const weights = static_cast<T *>(of.look.weights) + of.at(slot, step) * of.M;
    score(slot, n, e);
    T highest = n ? e[0] : T(0), sum = 0;
    for (int64_t i = 1; i < n; ++i) highest = e[i] > highest ? e[i] : highest;
    for (int64_t i = 0; i < n; i += L) store_some(e + i, exponential<T>(load_some(e + i, n - i) - highest), n - i);
    for (int64_t i = 0; i < n; ++i) sum += e[i];
    if (n < of.M) memset(weights, 0, static_cast<size_t>(of.M) * sizeof(T));
    for (int64_t i = 0; i < n; ++i) weights[m.allowed[i]] = e[i] = e[i] / sum;
    T *const context = m.context + slot * of.value_stride;
    weighted_sum(e, of.values(slot), of.V, m.allowed, n, context);
    T *const shown = static_cast<T *>(of.look.contexts) + of.at(slot, step) * of.V;
    memcpy(shown, context, static_cast<size_t>(of.V) * sizeof(T));
  }

  RECURRA_INLINE void score(int64_t slot, int64_t n, T *energies) const {
    const T *const query = of.look.query_weight ? m.query + slot * of.key_stride : next + slot * of.stride;
    const T *const keys = of.keys(slot), *const vector = z.weight(of.look.vector);
    if (!of.look.additive) {
      inner_products(query, keys, of.A, m.allowed, n, energies);
      for (int64_t i = 0; i < n; ++i) energies[i] *= static_cast<T>(of.look.scale);
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      const T *key = keys + m.allowed[i] * of.A;
      Vec<T> sum = {};
      for (int64_t k = 0; k < of.A; k += L)
        sum += load_some(vector + k, of.A - k) * tanh<T>(load(query + k) + load_some(key + k, of.A - k));
      energies[i] = sum_of<T>(sum);
    }
  }

  void combine(int64_t step) const {
    const Term<T> terms[] = {{p.of_context, of.V, m.context, of.value_stride}, {p.of_state, z.units, next, of.stride}};
    multiply<T>(terms, z.vectors, count, m.tiles, [&](int64_t slot, int64_t first, int width, const T *sums) {
      T *to = static_cast<T *>(of.look.outputs) + of.at(slot, step) * z.units;
      for (int v = 0; v < width; ++v) {
        const int64_t unit = (first + v) * L;
        const Vec<T> said = tanh<T>(load(sums + v * L));
        store(m.out + slot * of.stride + unit, said);
        store_some(to + unit, said, z.units - unit);
      }
    });
  }
};

template <class T, class C>
void run_attend_forward(const Call &call, int thread) {
  AttendForward<T, C>(call, thread).run();
}

template <class T, class C>
int64_t attend_forward_bytes(const Call &call) {
  return AttendMemory<T, C>(AttendSizes<T, C>(call, 0), 0).bytes;
}

// What recurra_attend_pack writes: all of it by one thread.
template <class T, class C>
int64_t pack_attend(const Call &call, void *to) {
  const AttendSizes<T, C> of(call, 0);
  const AttendPanels<T, C> panels(of, static_cast<char *>(to));
  if (to) pack_attend_into<T, C>(of, panels, 0, 1);
  return panels.bytes;
}

// --------------------------------------------------------------------------------------------------------- backwards

template <class T, class C>
struct AttendBackMemory {
  T *recurrent, *feed, *of_context, *of_state, *query;  // panels
  T *dh = nullptr, *dc = nullptr, *d_out = nullptr, *d_sum = nullptr, *d_context = nullptr, *d_query = nullptr;
  T *g = nullptr, *numbers = nullptr, *tiles = nullptr;
  int64_t *allowed = nullptr;
  int64_t g_stride, bytes;

  AttendBackMemory(const AttendSizes<T, C> &of, int thread) {
    const Sizes<T, C> &z = of.z;
    const Call &call = z.call;
    const int64_t gates = z.G * z.Hq, states = of.most_rows * of.stride;
    g_stride = z.D * z.Hq + z.L;
    Memory memory = {call.memory, 0};
    recurrent = memory.take<T>(C::recurrent ? gates * z.Hq : 0);
    feed = memory.take<T>(gates * z.Hq);
    of_context = memory.take<T>(z.units * of.value_vectors * z.L);
    of_state = memory.take<T>(z.units * z.Hq);
    query = memory.take<T>(of.look.query_weight ? of.A * z.Hq : 0);
    for (int other = 0; other < call.threads; ++other) {
      T *const own[] = {memory.take<T>(states),
                        memory.take<T>(C::memory ? states : 0),
                        memory.take<T>(states),
                        memory.take<T>(states),
                        memory.take<T>(of.most_rows * of.value_stride),
                        memory.take<T>(of.most_rows * of.key_stride),
                        memory.take<T>(of.most_rows * g_stride),
                        memory.take<T>(of.M + of.L),
                        memory.take<T>(of.most_rows * vectors_back * of.L)};
      int64_t *const list = memory.take<int64_t>(of.M);
      if (other != thread) continue;
      dh = own[0], dc = own[1], d_out = own[2], d_sum = own[3], d_context = own[4], d_query = own[5], g = own[6];
      numbers = own[7], tiles = own[8], allowed = list;
    }
    bytes = memory.used;
  }
};

template <class T, class C>
void pack_attend_backward(const Call &call, int thread) {
  const AttendSizes<T, C> of(call, thread);
  const Sizes<T, C> &z = of.z;
  const AttendBackMemory<T, C> m(of, thread);
  int64_t number = 0;
  const auto mine = [&] { return number++ % call.threads == thread; };
  for_pieces({0, z.vectors}, vectors_back, [&](int64_t first, int width) {
    if (!mine()) return;
    if (C::recurrent) pack_back<T, C>(z, z.weight(call.scan.weight_hh), z.units, true, m.recurrent, first, width);
    pack_back<T, C>(z, z.weight(call.scan.weight_ih), z.units, false, m.feed, first, width);
  });
  const auto pack = [&](const T *weight, int64_t depth, int64_t columns, int64_t stride, T *panels) {
    for_pieces({0, (columns + z.L - 1) / z.L}, vectors_back, [&](int64_t first, int width) {
      if (mine()) pack_columns(weight, depth, columns, stride, panels, first, width);
    });
  };
  const T *const combine = z.weight(of.look.combine);
  pack(combine, z.units, of.V, of.V + z.units, m.of_context);
  pack(combine + of.V, z.units, z.units, of.V + z.units, m.of_state);
  if (of.look.query_weight) pack(z.weight(of.look.query_weight), of.A, z.units, z.units, m.query);
}

template <class T, class C>
struct AttendBackward {
  using S = Sizes<T, C>;
  static constexpr int L = S::L, G = S::G, D = S::D;

  const AttendSizes<T, C> of;
  const S &z;
  const AttendBackMemory<T, C> m;
  const recurra_attend_grads &grads;
  const int64_t count;

  AttendBackward(const Call &call, int thread)
      : of(call, thread), z(of.z), m(of, thread), grads(*call.attend_grads), count(of.rows.size()) {}

  void run() const {
    begin();
    for (int64_t step = of.steps - 1; step >= 0; --step) {
      said(step);
      through_combine(step);
      for (int64_t slot = 0; slot < count; ++slot) look(slot, step);
      if (of.look.query_weight) through_query();
      for (int64_t slot = 0; slot < count; ++slot) gates(slot, step);
      carry();
    }
    for (int64_t slot = 0; slot < count; ++slot) collect(slot);
    end();
  }

  T *out(void *array) const { return static_cast<T *>(array); }

  void begin() const {
    for (int64_t slot = 0; slot < count; ++slot) {
      const int64_t row = of.rows.first + slot;
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        const int64_t from = row * z.units + unit, to = slot * of.stride + unit, left = z.units - unit;
        store(m.dh + to, grads.d_h ? load_some(z.weight(grads.d_h) + from, left) : Vec<T>{});
        if (C::memory) store(m.dc + to, grads.d_c ? load_some(z.weight(grads.d_c) + from, left) : Vec<T>{});
        store(m.d_out + to, Vec<T>{});
      }
      if (S::P) memset(out(grads.d_per_unit) + row * S::P * z.units, 0, static_cast<size_t>(S::P * z.units) * sizeof(T));
    }
  }

  void end() const {
    for (int64_t slot = 0; slot < count; ++slot)
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        const int64_t to = (of.rows.first + slot) * z.units + unit, from = slot * of.stride + unit, left = z.units - unit;
        store_some(out(grads.d_h0) + to, load(m.dh + from), left);
        if (C::memory) store_some(out(grads.d_c0) + to, load(m.dc + from), left);
        store_some(out(grads.d_first) + to, load(m.d_out + from), left);
      }
  }

  // From the gradient of o to that of W [c; s].
  void said(int64_t step) const {
    for (int64_t slot = 0; slot < count; ++slot) {
      const int64_t at = of.at(slot, step) * z.units;
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        const int64_t here = slot * of.stride + unit, left = z.units - unit;
        const Vec<T> o = load_some(z.weight(of.look.outputs) + at + unit, left);
        Vec<T> d = load(m.d_out + here);
        if (grads.d_outputs) d += load_some(z.weight(grads.d_outputs) + at + unit, left);
        d *= T(1) - o * o;
        store(m.d_sum + here, d);
        store_some(out(grads.d_combined) + at + unit, d, left);
      }
    }
  }

  // To c and s.
  void through_combine(int64_t step) const {
    const Term<T> to_context[] = {{m.of_context, z.units, m.d_sum, of.stride}};
    multiply<T>(to_context, of.value_vectors, count, m.tiles, [&](int64_t slot, int64_t first, int width, const T *sums) {
      T *to = out(grads.d_contexts) + of.at(slot, step) * of.V;
      for (int v = 0; v < width; ++v) {
        const int64_t k = (first + v) * L;
        store(m.d_context + slot * of.value_stride + k, load(sums + v * L));
        store_some(to + k, load(sums + v * L), of.V - k);
      }
    });
    const Term<T> to_state[] = {{m.of_state, z.units, m.d_sum, of.stride}};
    add_to_states(to_state);
  }

  template <int N>
  void add_to_states(const Term<T> (&terms)[N]) const {
    multiply<T>(terms, z.vectors, count, m.tiles, [&](int64_t slot, int64_t first, int width, const T *sums) {
      T *to = m.dh + slot * of.stride + first * L;
      for (int v = 0; v < width; ++v) store(to + v * L, load(to + v * L) + load(sums + v * L));
    });
  }

  void through_query() const {
    const Term<T> terms[] = {{m.query, of.A, m.d_query, of.key_stride}};
    add_to_states(terms);
  }

  // What a row asked with at a step.
  const T *query(int64_t slot, int64_t step) const {
    const int64_t at = of.at(slot, step);
    return of.look.query_weight ? z.weight(of.look.queries) + at * of.A : z.weight(z.call.scan.outputs) + at * z.units;
  }

  // From c and the weights to the energies, and from them to the query.
  void look(int64_t slot, int64_t step) const {
    const int64_t n = of.allowed(slot, m.allowed), at = of.at(slot, step) * of.M;
    const T *const weights = z.weight(of.look.weights) + at;
    T *const d = m.numbers, *const d_energies = out(grads.d_energies) + at;
    inner_products(m.d_context + slot * of.value_stride, of.values(slot), of.V, m.allowed, n, d);
    T mean = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (grads.d_weights) d[i] += z.weight(grads.d_weights)[at + m.allowed[i]];
      mean += weights[m.allowed[i]] * d[i];
    }
    const T scale = of.look.additive ? T(1) : static_cast<T>(of.look.scale);
    if (n < of.M) memset(d_energies, 0, static_cast<size_t>(of.M) * sizeof(T));
    for (int64_t i = 0; i < n; ++i)
      d_energies[m.allowed[i]] = d[i] = weights[m.allowed[i]] * (d[i] - mean) * scale;
    T *const d_query = m.d_query + slot * of.key_stride;
    if (of.look.additive)
      ask_additive(slot, step, n, d_query);
    else
      weighted_sum(d, of.keys(slot), of.A, m.allowed, n, d_query);
    if (of.look.query_weight) {
      memcpy(out(grads.d_queries) + of.at(slot, step) * of.A, d_query, static_cast<size_t>(of.A) * sizeof(T));
      return;
    }
    T *const dh = m.dh + slot * of.stride;
    for (int64_t unit = 0; unit < z.Hq; unit += L) store(dh + unit, load(dh + unit) + load(d_query + unit));
  }

  RECURRA_INLINE void ask_additive(int64_t slot, int64_t step, int64_t n, T *d_query) const {
    const T *const asked = query(slot, step), *const keys = of.keys(slot);
    for (int64_t k = 0; k < of.A; k += L) {
      const int64_t left = of.A - k;
      const Vec<T> q = load_some(asked + k, left);
      Vec<T> sum = {};
      for (int64_t i = 0; i < n; ++i) {
        const Vec<T> hidden = tanh<T>(q + load_some(keys + m.allowed[i] * of.A + k, left));
        sum += m.numbers[i] * (T(1) - hidden * hidden);
      }
      store(d_query + k, sum * load_some(z.weight(of.look.vector) + k, left));
    }
  }

  void gates(int64_t slot, int64_t step) const {
    const recurra_scan &scan = z.call.scan;
    const int64_t row = of.rows.first + slot, at = of.at(slot, step);
    const T *const saved = z.saved(at);
    const T *const h = step ? z.weight(scan.outputs) + (at - 1) * z.units : z.weight(scan.h0) + row * z.units;
    const T *const c = !C::memory ? nullptr : step ? z.saved(at - 1) + C::saved * z.Hp : z.weight(scan.c0) + row * z.units;
    for (int64_t unit = 0; unit < z.Hq; unit += L) {
      const int64_t here = slot * of.stride + unit, left = z.units - unit;
      Vec<T> a[C::saved], g[D];
      for (int n = 0; n < C::saved; ++n) a[n] = load(saved + n * z.Hp + unit);
      const State<Vec<T>> before = {load_some(h + unit, left), C::memory ? load_some(c + unit, left) : Vec<T>{}};
      State<Vec<T>> d = {load(m.dh + here), C::memory ? load(m.dc + here) : Vec<T>{}};
      if constexpr (C::per_unit > 0) {
        Vec<T> p[S::P], dp[S::P];
        z.per_unit(unit, p);
        C::template backward<T>(a, before, p, d, g, dp);
        for (int j = 0; j < S::P; ++j) {
          T *const to = out(grads.d_per_unit) + (row * S::P + j) * z.units + unit;
          store_some(to, load_some(static_cast<const T *>(to), left) + dp[j], left);
        }
      } else {
        C::template backward<T>(a, before, d, g);
      }
      store(m.dh + here, d.h);
      if (C::memory) store(m.dc + here, d.c);
      for (int gate = 0; gate < D; ++gate) store(m.g + slot * m.g_stride + gate * z.Hq + unit, g[gate]);
      for (int gate = 0; gate < G; ++gate) {
        store_some(out(grads.d_x) + (at * G + C::order[gate]) * z.units + unit, g[gate], left);
        if (C::reset)
          store_some(out(grads.d_recurrent) + (at * G + S::old_output_block(gate)) * z.units + unit, g[gate + D - G], left);
      }
    }
  }

  // To the old s and the old o.
  void carry() const {
    if (C::recurrent) {
      const Term<T> terms[] = {{m.recurrent, G * z.Hq, m.g + (D - G) * z.Hq, m.g_stride}};
      add_to_states(terms);
    }
    const Term<T> fed[] = {{m.feed, G * z.Hq, m.g, m.g_stride}};
    multiply<T>(fed, z.vectors, count, m.tiles, [&](int64_t slot, int64_t first, int width, const T *sums) {
      for (int v = 0; v < width; ++v) store(m.d_out + slot * of.stride + (first + v) * L, load(sums + v * L));
    });
  }

  // What all steps together add to keys, values and the vector.
  void collect(int64_t slot) const {
    const int64_t row = of.rows.first + slot, at = of.at(slot, 0);
    T *const d_keys = out(grads.d_keys) + row * of.M * of.A;
    const T *const weights = z.weight(of.look.weights) + at * of.M, *const d_energies = z.weight(grads.d_energies) + at * of.M;
    outer(weights, z.weight(grads.d_contexts) + at * of.V, of.V, out(grads.d_values) + row * of.M * of.V);
    if (!of.look.additive) return outer(d_energies, query(slot, 0), of.A, d_keys);
    const T *const vector = z.weight(of.look.vector), *const keys = of.keys(slot);
    for (int64_t k = 0; k < of.A; k += L) {
      const int64_t left = of.A - k;
      const Vec<T> v = load_some(vector + k, left);
      Vec<T> of_vector = {};
      for (int64_t j = 0; j < of.M; ++j) {
        const bool real = !of.look.mask || of.look.mask[row * of.M + j];
        const Vec<T> key = real ? load_some(keys + j * of.A + k, left) : Vec<T>{};
        Vec<T> sum = {};
        for (int64_t step = 0; real && step < of.steps; ++step) {
          const Vec<T> given = same<T>(d_energies[step * of.M + j]);
          const Vec<T> hidden = tanh<T>(key + load_some(query(slot, step) + k, left));
          of_vector += given * hidden;
          sum += given * (T(1) - hidden * hidden);
        }
        store_some(d_keys + j * of.A + k, sum * v, left);
      }
      store_some(out(grads.d_vector) + row * of.A + k, of_vector, left);
    }
  }

  // to (M, width) = shares' (M, T) · met (T, width).
  void outer(const T *shares, const T *met, int64_t width, T *to) const {
    for (int64_t k = 0; k < width; k += L) {
      const int64_t left = width - k;
      for (int64_t j = 0; j < of.M; j += 4) {
        Vec<T> sums[4] = {};
        const int64_t n = least(4, of.M - j);
        for (int64_t step = 0; step < of.steps; ++step) {
          const Vec<T> numbers = load_some(met + step * width + k, left);
          for (int64_t i = 0; i < n; ++i) sums[i] += shares[step * of.M + j + i] * numbers;
        }
        for (int64_t i = 0; i < n; ++i) store_some(to + (j + i) * width + k, sums[i], left);
      }
    }
  }
};

template <class T, class C>
void run_attend_backward(const Call &call, int thread) {
  AttendBackward<T, C>(call, thread).run();
}

template <class T, class C>
int64_t attend_backward_bytes(const Call &call) {
  return AttendBackMemory<T, C>(AttendSizes<T, C>(call, 0), 0).bytes;
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
