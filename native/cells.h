// The gate maths of every cell, one vector of hidden units at a time: all that a new cell has to bring.
//
// ``x`` and ``u`` are what the input and the old output contribute to each gate; ``forward`` writes the new state over
// the old one and saves what ``backward`` needs. ``backward`` gets the gradient d of the new state, writes the
// gradients of the sums that went into the gates, and leaves in d what reaches the old state past the product.
//
//   name       in Python
//   blocks     gates, in the order of ``order``: position here -> block in the weights
//   saved      vectors saved per step (at least ``blocks``)
//   reset      the first gate is the candidate and a reset gate multiplies what the old output contributes to it:
//              its two gradients differ, so ``g`` has one more vector at the end, that of u[0]
//   memory     whether there is a c behind h
//   recurrent  whether the old output contributes to the gates by a product; if not, ``u`` is zero
//   per_unit   numbers that the cell has for every unit beside its biases, as the weights of peepholes: ``forward`` and
//              ``backward`` get them as ``p``, and ``backward`` writes what a step adds to their gradients into ``dp``
//   normalised ``x`` is normalised and ``u`` shall be, over the units of the gates of one ``group``: per_unit begins with
//              a gain and a bias for each block of the weights. With a memory, the output shows it normalised, too, with
//              a gain and a bias at the end of per_unit: ``show`` and ``hide`` are that and its derivative,
//              ``renew`` is the new memory once more.
//   together   vectors of hidden units in one panel of weights
#ifndef RECURRA_CELLS_H
#define RECURRA_CELLS_H

#include "maths.h"

namespace recurra {
namespace RECURRA_ISA {

template <class V>
struct State {
  V h, c;
};

// What most cells have in common: a cell names what is otherwise.
struct Facts {
  static constexpr int together = 1, per_unit = 0;
  static constexpr bool reset = false, memory = false, recurrent = true, normalised = false;
};

struct Tanh : Facts {
  static constexpr const char *name = "rnn";
  static constexpr int blocks = 1, saved = 1, together = 4;
  static constexpr int order[blocks] = {0};

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[0] = s.h = tanh<T>(x[0] + u[0]);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &, State<V> &d, V *g) {
    g[0] = d.h * (T(1) - a[0] * a[0]);
    d.h = V{};
  }
};

struct Relu : Facts {
  static constexpr const char *name = "rnn_relu";
  static constexpr int blocks = 1, saved = 1, together = 4;
  static constexpr int order[blocks] = {0};

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    const V sum = x[0] + u[0];
    a[0] = s.h = sum < V{} ? V{} : sum;  // NaN stays NaN
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &, State<V> &d, V *g) {
    g[0] = a[0] <= V{} ? V{} : d.h;
    d.h = V{};
  }
};

struct Lstm : Facts {
  static constexpr const char *name = "lstm";
  static constexpr int blocks = 4, saved = 4;
  static constexpr bool memory = true;
  static constexpr int order[blocks] = {0, 1, 2, 3};
  enum { i, f, n, o };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[i] = sigmoid<T>(x[i] + u[i]);
    a[f] = sigmoid<T>(x[f] + u[f]);
    a[n] = tanh<T>(x[n] + u[n]);
    a[o] = sigmoid<T>(x[o] + u[o]);
    s.c = a[f] * s.c + a[i] * a[n];
    s.h = a[o] * tanh<T>(s.c);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    const V shown = tanh<T>(a[f] * s.c + a[i] * a[n]);
    const V dc = d.c + d.h * a[o] * (T(1) - shown * shown);
    g[i] = dc * a[n] * a[i] * (T(1) - a[i]);
    g[f] = dc * s.c * a[f] * (T(1) - a[f]);
    g[n] = dc * a[i] * (T(1) - a[n] * a[n]);
    g[o] = d.h * shown * a[o] * (T(1) - a[o]);
    d = {V{}, dc * a[f]};
  }
};

struct Gru : Facts {
  static constexpr const char *name = "gru";
  static constexpr int blocks = 3, saved = 4;
  static constexpr bool reset = true;
  static constexpr int order[blocks] = {2, 0, 1};
  enum { n, r, z, rest };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[r] = sigmoid<T>(x[r] + u[r]);
    a[z] = sigmoid<T>(x[z] + u[z]);
    a[n] = tanh<T>(x[n] + a[r] * u[n]);
    a[rest] = u[n];
    s.h = a[n] + a[z] * (s.h - a[n]);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    g[n] = d.h * (T(1) - a[z]) * (T(1) - a[n] * a[n]);
    g[r] = g[n] * a[rest] * a[r] * (T(1) - a[r]);
    g[z] = d.h * (s.h - a[n]) * a[z] * (T(1) - a[z]);
    g[rest] = g[n] * a[r];
    d.h = d.h * a[z];
  }
};

struct Coupled : Facts {
  static constexpr const char *name = "coupled";
  static constexpr int blocks = 3, saved = 3;
  static constexpr bool memory = true;
  static constexpr int order[blocks] = {0, 1, 2};
  enum { i, n, o };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[i] = sigmoid<T>(x[i] + u[i]);
    a[n] = tanh<T>(x[n] + u[n]);
    a[o] = sigmoid<T>(x[o] + u[o]);
    s.c = s.c + a[i] * (a[n] - s.c);
    s.h = a[o] * tanh<T>(s.c);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    const V shown = tanh<T>(s.c + a[i] * (a[n] - s.c));
    const V dc = d.c + d.h * a[o] * (T(1) - shown * shown);
    g[i] = dc * (a[n] - s.c) * a[i] * (T(1) - a[i]);
    g[n] = dc * a[i] * (T(1) - a[n] * a[n]);
    g[o] = d.h * shown * a[o] * (T(1) - a[o]);
    d = {V{}, dc * (T(1) - a[i])};
  }
};

struct LstmGru : Facts {
  static constexpr const char *name = "lstm_gru";
  static constexpr int blocks = 4, saved = 5;
  static constexpr bool reset = true, memory = true;
  static constexpr int order[blocks] = {2, 0, 1, 3};
  enum { n, r, z, o, rest };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[r] = sigmoid<T>(x[r] + u[r]);
    a[z] = sigmoid<T>(x[z] + u[z]);
    a[o] = sigmoid<T>(x[o] + u[o]);
    a[n] = tanh<T>(x[n] + a[r] * u[n]);
    a[rest] = u[n];
    s.c = s.c + a[z] * (a[n] - s.c);
    s.h = a[o] * tanh<T>(s.c);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    const V shown = tanh<T>(s.c + a[z] * (a[n] - s.c));
    const V dc = d.c + d.h * a[o] * (T(1) - shown * shown);
    g[n] = dc * a[z] * (T(1) - a[n] * a[n]);
    g[r] = g[n] * a[rest] * a[r] * (T(1) - a[r]);
    g[z] = dc * (a[n] - s.c) * a[z] * (T(1) - a[z]);
    g[o] = d.h * shown * a[o] * (T(1) - a[o]);
    g[rest] = g[n] * a[r];
    d = {V{}, dc * (T(1) - a[z])};
  }
};

struct FullLstmGru : Facts {
  static constexpr const char *name = "lstm_gru_full";
  static constexpr int blocks = 6, saved = 7;
  static constexpr bool reset = true, memory = true;
  static constexpr int order[blocks] = {2, 0, 1, 3, 4, 5};
  enum { n, i, f, o, r, z, rest };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    for (int gate = i; gate <= z; ++gate) a[gate] = sigmoid<T>(x[gate] + u[gate]);
    a[n] = tanh<T>(x[n] + a[r] * u[n]);
    a[rest] = u[n];
    s.c = a[f] * s.c + a[i] * a[n];
    const V shown = a[o] * tanh<T>(s.c);
    s.h = shown + a[z] * (s.h - shown);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    const V squashed = tanh<T>(a[f] * s.c + a[i] * a[n]);
    const V shown = d.h * (T(1) - a[z]);  // the gradient of o ⊙ tanh(c)
    const V dc = d.c + shown * a[o] * (T(1) - squashed * squashed);
    g[n] = dc * a[i] * (T(1) - a[n] * a[n]);
    g[i] = dc * a[n] * a[i] * (T(1) - a[i]);
    g[f] = dc * s.c * a[f] * (T(1) - a[f]);
    g[o] = shown * squashed * a[o] * (T(1) - a[o]);
    g[r] = g[n] * a[rest] * a[r] * (T(1) - a[r]);
    g[z] = d.h * (s.h - a[o] * squashed) * a[z] * (T(1) - a[z]);
    g[rest] = g[n] * a[r];
    d = {d.h * a[z], dc * a[f]};
  }
};

struct Peephole : Facts {
  static constexpr const char *name = "peephole";
  static constexpr int blocks = 4, saved = 4, per_unit = 3;
  static constexpr bool memory = true;
  static constexpr int order[blocks] = {0, 1, 2, 3};
  enum { i, f, n, o };
  enum { to_i, to_f, to_o };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, const V *p, State<V> &s, V *a) {
    a[i] = sigmoid<T>(x[i] + u[i] + p[to_i] * s.c);
    a[f] = sigmoid<T>(x[f] + u[f] + p[to_f] * s.c);
    a[n] = tanh<T>(x[n] + u[n]);
    s.c = a[f] * s.c + a[i] * a[n];
    a[o] = sigmoid<T>(x[o] + u[o] + p[to_o] * s.c);
    s.h = a[o] * tanh<T>(s.c);
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, const V *p, State<V> &d, V *g, V *dp) {
    const V c = a[f] * s.c + a[i] * a[n], shown = tanh<T>(c);
    g[o] = d.h * shown * a[o] * (T(1) - a[o]);
    const V dc = d.c + d.h * a[o] * (T(1) - shown * shown) + g[o] * p[to_o];
    g[i] = dc * a[n] * a[i] * (T(1) - a[i]);
    g[f] = dc * s.c * a[f] * (T(1) - a[f]);
    g[n] = dc * a[i] * (T(1) - a[n] * a[n]);
    dp[to_i] = g[i] * s.c;
    dp[to_f] = g[f] * s.c;
    dp[to_o] = g[o] * c;
    d = {V{}, dc * a[f] + g[i] * p[to_i] + g[f] * p[to_f]};
  }
};

struct MinGru : Facts {
  static constexpr const char *name = "mingru";
  static constexpr int blocks = 2, saved = 2, together = 2;
  static constexpr bool recurrent = false;
  static constexpr int order[blocks] = {0, 1};
  enum { z, n };

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *, State<V> &s, V *a) {
    a[z] = sigmoid<T>(x[z]);
    a[n] = x[n];
    s.h = (T(1) - a[z]) * s.h + a[z] * a[n];
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    g[z] = d.h * (a[n] - s.h) * a[z] * (T(1) - a[z]);
    g[n] = d.h * a[z];
    d.h = d.h * (T(1) - a[z]);
  }
};

// The two gates are divided by their sum. σ(f) / (σ(f) + σ(i)) is 1 / (1 + σ(i) / σ(f)), in which no exponential
// overflows and nothing is divided by zero.
struct MinLstm : Facts {
  static constexpr const char *name = "minlstm";
  static constexpr int blocks = 3, saved = 4, together = 1;
  static constexpr bool recurrent = false;
  static constexpr int order[blocks] = {0, 1, 2};
  enum { i, f, n, kept };  // 1 − σ of both gates, the candidate, and the share that stays

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *, State<V> &s, V *a) {
    constexpr T bound = Constants<T>::largest * static_cast<T>(0.6931471805599453);
    const V zero = {}, one = same<T>(T(1));
    const V small_i = exponential<T>(-at_least(x[i], -x[i])), small_f = exponential<T>(-at_least(x[f], -x[f]));
    const V part_i = reciprocal<T>(one + small_i), part_f = reciprocal<T>(one + small_f);
    const V apart = at_most(x[i], zero) - at_most(x[f], zero);
    const V ratio = exponential<T>(apart) * (one + small_f) * part_i;
    a[i] = x[i] < zero ? part_i : small_i * part_i;
    a[f] = x[f] < zero ? part_f : small_f * part_f;
    a[n] = x[n];
    a[kept] = apart > same<T>(bound) ? zero : reciprocal<T>(one + ratio);
    s.h = a[kept] * s.h + (one - a[kept]) * a[n];
  }
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    const V moved = d.h * (s.h - a[n]) * a[kept] * (T(1) - a[kept]);
    g[i] = -moved * a[i];
    g[f] = moved * a[f];
    g[n] = d.h * (T(1) - a[kept]);
    d.h = d.h * a[kept];
  }
};

struct LnGru : Gru {
  static constexpr const char *name = "ln_gru";
  static constexpr int per_unit = 6;
  static constexpr bool normalised = true;
  static constexpr int group[blocks] = {0, 1, 1};
};

struct LnLstm : Lstm {
  static constexpr const char *name = "ln_lstm";
  static constexpr int per_unit = 10;
  static constexpr bool normalised = true;
  static constexpr int group[blocks] = {0, 0, 0, 0};

  template <class T, class V>
  static RECURRA_INLINE void forward(const V *x, const V *u, State<V> &s, V *a) {
    a[i] = sigmoid<T>(x[i] + u[i]);
    a[f] = sigmoid<T>(x[f] + u[f]);
    a[n] = tanh<T>(x[n] + u[n]);
    a[o] = sigmoid<T>(x[o] + u[o]);
    s.c = renew<T>(a, s.c);
  }
  template <class T, class V>
  static RECURRA_INLINE V renew(const V *a, V c) {
    return a[f] * c + a[i] * a[n];
  }
  template <class T, class V>
  static RECURRA_INLINE V show(V output_gate, V normal) {
    return output_gate * tanh<T>(normal);
  }
  // Returns the gradient of ``normal``, and writes that of the output gate's sum.
  template <class T, class V>
  static RECURRA_INLINE V hide(const V *a, V normal, V dh, V *g) {
    const V shown = tanh<T>(normal);
    g[o] = dh * shown * a[o] * (T(1) - a[o]);
    return dh * a[o] * (T(1) - shown * shown);
  }
  // d.c is the gradient of the new memory.
  template <class T, class V>
  static RECURRA_INLINE void backward(const V *a, const State<V> &s, State<V> &d, V *g) {
    g[i] = d.c * a[n] * a[i] * (T(1) - a[i]);
    g[f] = d.c * s.c * a[f] * (T(1) - a[f]);
    g[n] = d.c * a[i] * (T(1) - a[n] * a[n]);
    d = {V{}, d.c * a[f]};
  }
};

// Every cell there is.
template <class... C>
struct List {};
using Cells = List<Tanh, Relu, Lstm, Gru, Coupled, LstmGru, FullLstmGru, Peephole, MinGru, MinLstm, LnLstm, LnGru>;

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
