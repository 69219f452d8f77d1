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
  static constexpr int together = 1;
  static constexpr bool reset = false, memory = false;
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

// Every cell there is.
template <class... C>
struct List {};
using Cells = List<Tanh, Relu, Lstm, Gru, Coupled, LstmGru, FullLstmGru>;

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
