// Steps of cells that normalise: each sum of a gate needs the mean over all units of its row, so there are several
// passes over a row where other cells have one. The team of such a cell is one thread.
#ifndef RECURRA_NORMALISED_H
#define RECURRA_NORMALISED_H

#include "layout.h"

namespace recurra {
namespace RECURRA_ISA {

template <class T, class C>
struct Forward;
template <class T, class C>
struct Backward;

// Zero from the lane ``count`` on.
template <class T>
RECURRA_INLINE Vec<T> only(Vec<T> value, int64_t count) {
  if (count >= lanes<T>()) return value;
  alignas(64) T numbers[lanes<T>()];
  store(numbers, value);
  return load_some(numbers, count);
}

// What brings numbers to mean 0 and variance 1.
template <class T>
struct Normal {
  T mean, scale;
  RECURRA_INLINE Vec<T> of(Vec<T> numbers) const { return (numbers - mean) * scale; }
};

constexpr int alone[] = {0};

// Of those pieces (units, padded with zeros) of a row that are of the ``wanted`` group.
template <class T, class C>
Normal<T> normal_of(const Sizes<T, C> &z, const T *row, int pieces, const int *group, int wanted) {
  constexpr int L = Sizes<T, C>::L;
  T count = 0;
  Vec<T> total = {}, squares = {};
  for (int piece = 0; piece < pieces; ++piece) {
    if (group[piece] != wanted) continue;
    count += static_cast<T>(z.units);
    for (int64_t unit = 0; unit < z.Hq; unit += L) total += load(row + piece * z.Hq + unit);
  }
  const T mean = sum_of<T>(total) / count;
  for (int piece = 0; piece < pieces; ++piece) {
    if (group[piece] != wanted) continue;
    for (int64_t unit = 0; unit < z.Hq; unit += L) {
      const Vec<T> apart = only<T>(load(row + piece * z.Hq + unit) - mean, z.units - unit);
      squares += apart * apart;
    }
  }
  return {mean, T(1) / static_cast<T>(__builtin_sqrt(sum_of<T>(squares) / count + T(1e-5)))};
}

template <class C>
constexpr int groups() {
  return C::group[C::blocks - 1] + 1;
}

// What the inputs contribute comes from outside: lay it where the gates will be.
template <class T, class C>
void copy_inputs(const Forward<T, C> &f, int64_t count) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  for (int64_t number = 0; number < count; ++number)
    for (int gate = 0; gate < G; ++gate) {
      const T *const from = f.z.input(f.m.entries[number].at) + C::order[gate] * f.z.units;
      T *const to = f.place(number) + gate * f.z.Hp;
      for (int64_t unit = 0; unit < f.z.Hq; unit += L) store(to + unit, load_some(from + unit, f.z.units - unit));
    }
}

// A tile of products, into the sums of whole rows.
template <class T, class C>
void keep_sums(const Forward<T, C> &f, int64_t begin, int rows, const T *tile, int64_t first, int width) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  for (int r = 0; r < rows; ++r)
    for (int gate = 0; gate < G; ++gate)
      for (int v = 0; v < width; ++v, tile += L)
        store(f.m.sums + ((begin + r) * G + gate) * f.z.Hq + (first + v) * L, load(tile));
}

// The sums of a row with mean 0 and variance 1 in each group, times a gain, plus a bias; ``kept`` is for the way back.
template <class T, class C>
void normalise_row(const Sizes<T, C> &z, T *row, T *kept) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  if (kept) memset(kept + G * z.Hp, 0, static_cast<size_t>(z.Hp) * sizeof(T));
  for (int wanted = 0; wanted < groups<C>(); ++wanted) {
    const Normal<T> normal = normal_of(z, row, G, C::group, wanted);
    if (kept) kept[G * z.Hp + wanted] = normal.scale;
    for (int gate = 0; gate < G; ++gate) {
      if (C::group[gate] != wanted) continue;
      T *const at = row + gate * z.Hq;
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        const Vec<T> value = only<T>(normal.of(load(at + unit)), z.units - unit);
        if (kept) store(kept + gate * z.Hp + unit, value);
        store(at + unit, z.per_unit(C::order[gate], unit) * value + z.per_unit(G + C::order[gate], unit));
      }
    }
  }
}

// A step of one entry with a memory that is shown normalised: the memory of all units, then the output.
template <class T, class C>
void step_memory(const Forward<T, C> &f, int64_t number, const T *row) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  const Sizes<T, C> &z = f.z;
  const Entry entry = f.m.entries[number];
  const T *const old_h = f.h + entry.slot * z.Hq, *const old_c = f.m.c + entry.slot * z.Hq;
  T *const at = f.place(number), *const fresh = f.m.fresh;
  for (int64_t unit = 0; unit < z.Hq; unit += L) {
    Vec<T> x[G], u[G], a[C::saved];
    for (int gate = 0; gate < G; ++gate) {
      x[gate] = load(at + gate * z.Hp + unit);
      u[gate] = load(row + gate * z.Hq + unit);
    }
    State<Vec<T>> state = {load(old_h + unit), load(old_c + unit)};
    C::template forward<T>(x, u, state, a);
    for (int n = 0; n < C::saved; ++n) store(at + n * z.Hp + unit, a[n]);
    store(fresh + unit, state.c);
  }
  const Normal<T> normal = normal_of(z, static_cast<const T *>(fresh), 1, alone, 0);
  const typename Forward<T, C>::Ends ends(f);
  for (int64_t unit = 0; unit < z.Hq; unit += L) {
    const State<Vec<T>> before = {load(old_h + unit), load(old_c + unit)};
    const Vec<T> value = only<T>(normal.of(load(fresh + unit)), z.units - unit);
    const Vec<T> shown = z.per_unit(2 * G, unit) * value + z.per_unit(2 * G + 1, unit);
    const State<Vec<T>> state = {C::template show<T>(load(at + C::o * z.Hp + unit), shown), load(fresh + unit)};
    f.settle(ends, entry, unit, before, state, at + unit);
  }
}

// One step of ``count`` entries, from the sums of their products on.
template <class T, class C>
void normalise(const Forward<T, C> &f, int64_t count, int64_t number) {
  using S = Sizes<T, C>;
  for (int64_t r = 0; r < count; ++r) {
    T *const row = f.m.sums + r * S::G * f.z.Hq;
    normalise_row(f.z, row, f.z.call.scan.saved ? f.place(number + r) + S::normal_at * f.z.Hp : nullptr);
    if constexpr (C::memory) step_memory(f, number + r, row);
  }
  if constexpr (!C::memory) f.gates(number, static_cast<int>(count), f.m.sums, 0, static_cast<int>(f.z.vectors));
}

// The gradient of numbers from that of their normal form: scale · (d − mean d − normal · mean(d · normal)).
template <class T>
struct NormalBack {
  T scale, mean, slope;
  RECURRA_INLINE Vec<T> of(Vec<T> d, Vec<T> normal) const { return scale * (d - mean - normal * slope); }
};

// The gradient of an entry's new state, and the share that zoneout hands to the old one.
template <class T, class C>
struct Incoming {
  const T *d_outputs, *keep_share, *dh, *dc;
  int64_t units;

  Incoming(const Backward<T, C> &b, const Entry &entry)
      : d_outputs(b.grads.d_outputs ? b.z.weight(b.grads.d_outputs) + entry.at * b.z.units : nullptr),
        keep_share(b.z.call.scan.keep ? b.z.weight(b.z.call.scan.keep) + entry.at * b.z.units : nullptr),
        dh(b.m.dh + entry.slot * b.z.Hq),
        dc(C::memory ? b.m.dc + entry.slot * b.z.Hq : nullptr),
        units(b.z.units) {}

  RECURRA_INLINE State<Vec<T>> at(int64_t unit, State<Vec<T>> &past) const {
    State<Vec<T>> d = {load(dh + unit), C::memory ? load(dc + unit) : Vec<T>{}};
    if (d_outputs) d.h += load_some(d_outputs + unit, units - unit);
    past = {Vec<T>{}, Vec<T>{}};
    if (!keep_share) return d;
    const Vec<T> keep = load_some(keep_share + unit, units - unit);
    past = {keep * d.h, keep * d.c};
    return {d.h - past.h, d.c - past.c};
  }
};

// Through the output of an entry to its normalised memory: the gradient of the output gate, and into ``room`` the
// memory in normal form and the gradient of that form.
template <class T, class C>
NormalBack<T> show_back(const Backward<T, C> &b, const Entry &entry, T *to, T *room) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  const Sizes<T, C> &z = b.z;
  const Incoming<T, C> incoming(b, entry);
  const T *const saved = z.saved(entry.at), *const old_c = b.old_c(entry);
  const auto gates_at = [&](int64_t unit, Vec<T> *a) {
    for (int n = 0; n < C::saved; ++n) a[n] = load(saved + n * z.Hp + unit);
  };
  for (int64_t unit = 0; unit < z.Hq; unit += L) {
    Vec<T> a[C::saved];
    gates_at(unit, a);
    store(room + unit, only<T>(C::template renew<T>(a, load_some(old_c + unit, z.units - unit)), z.units - unit));
  }
  const Normal<T> normal = normal_of(z, static_cast<const T *>(room), 1, alone, 0);
  Vec<T> sum = {}, products = {};
  for (int64_t unit = 0; unit < z.Hq; unit += L) {
    Vec<T> a[C::saved], g[G];
    State<Vec<T>> past;
    gates_at(unit, a);
    const Vec<T> gain = z.per_unit(2 * G, unit);
    const Vec<T> value = only<T>(normal.of(load(room + unit)), z.units - unit);
    const Vec<T> shown = gain * value + z.per_unit(2 * G + 1, unit);
    const Vec<T> d = C::template hide<T>(a, shown, incoming.at(unit, past).h, g);
    b.add_per_unit(2 * G, unit, d * value);
    b.add_per_unit(2 * G + 1, unit, d);
    store(to + C::o * z.Hq + unit, g[C::o]);
    store(room + unit, value);
    store(room + z.Hq + unit, gain * d);
    sum += gain * d;
    products += gain * d * value;
  }
  const T count = static_cast<T>(z.units);
  return {normal.scale, sum_of<T>(sum) / count, sum_of<T>(products) / count};
}

// From the gradient of an entry's new state to those of its gates: G for what the inputs contribute, then G for the
// products, which are behind a normal form of their own.
template <class T, class C>
void normalised_gates(const Backward<T, C> &b, const Entry &entry, T *to) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G, N = groups<C>();
  const Sizes<T, C> &z = b.z;
  const Incoming<T, C> incoming(b, entry);
  const T *const saved = z.saved(entry.at), *const h = b.old_h(entry), *const c = b.old_c(entry);
  const T *const normal = saved + Sizes<T, C>::normal_at * z.Hp;
  T *const of_products = to + G * z.Hq, *const dh = b.m.dh + entry.slot * z.Hq;
  NormalBack<T> shown = {};
  if constexpr (C::memory) shown = show_back(b, entry, to, of_products);
  Vec<T> sum[N] = {}, products[N] = {};
  for (int64_t unit = 0; unit < z.Hq; unit += L) {
    const int64_t left = z.units - unit;
    Vec<T> a[C::saved], g[G + C::reset];
    for (int n = 0; n < C::saved; ++n) a[n] = load(saved + n * z.Hp + unit);
    const State<Vec<T>> before = {load_some(h + unit, left), C::memory ? load_some(c + unit, left) : Vec<T>{}};
    State<Vec<T>> past, d = incoming.at(unit, past);
    if constexpr (C::memory) {
      d.c += shown.of(load(of_products + z.Hq + unit), load(of_products + unit));
      g[C::o] = load(to + C::o * z.Hq + unit);
    }
    C::template backward<T>(a, before, d, g);
    store(dh + unit, d.h + past.h);
    if (C::memory) store(b.m.dc + entry.slot * z.Hq + unit, d.c + past.c);
    for (int gate = 0; gate < G; ++gate) {
      const Vec<T> d_sum = C::reset && gate == 0 ? g[G + C::reset - 1] : g[gate];
      const Vec<T> value = load(normal + gate * z.Hp + unit), d_value = d_sum * z.per_unit(C::order[gate], unit);
      store(to + gate * z.Hq + unit, g[gate]);
      b.add_per_unit(C::order[gate], unit, d_sum * value);
      b.add_per_unit(G + C::order[gate], unit, d_sum);
      store(of_products + gate * z.Hq + unit, d_value);
      sum[C::group[gate]] += d_value;
      products[C::group[gate]] += d_value * value;
    }
  }
  for (int wanted = 0; wanted < N; ++wanted) {
    T count = 0;
    for (int gate = 0; gate < G; ++gate) count += static_cast<T>(C::group[gate] == wanted ? z.units : 0);
    const NormalBack<T> back = {normal[G * z.Hp + wanted], sum_of<T>(sum[wanted]) / count,
                                sum_of<T>(products[wanted]) / count};
    for (int gate = 0; gate < G; ++gate) {
      if (C::group[gate] != wanted) continue;
      for (int64_t unit = 0; unit < z.Hq; unit += L) {
        T *const at = of_products + gate * z.Hq + unit;
        store(at, back.of(load(at), load(normal + gate * z.Hp + unit)));
      }
    }
  }
}

// The gradients of what the inputs contribute are those of ``x``.
template <class T, class C>
void copy_input_gradients(const Backward<T, C> &b, int64_t count) {
  constexpr int L = Sizes<T, C>::L, G = Sizes<T, C>::G;
  for (int64_t number = 0; number < count; ++number)
    for (int gate = 0; gate < G; ++gate) {
      const T *const from = b.m.g + number * b.m.stride + gate * b.z.Hq;
      T *const to = static_cast<T *>(b.grads.d_x) + b.m.entries[number].at * b.z.call.scan.input +
                    C::order[gate] * b.z.units;
      for (int64_t unit = 0; unit < b.z.Hq; unit += L) store_some(to + unit, load(from + unit), b.z.units - unit);
    }
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
