// The product of some rows with a packed panel of weights, blocked for registers.
//
// A panel is (K, N vectors) of numbers side by side, so that it is read once from front to back. A block of R rows
// times N vectors of sums stays in registers over all of K. The caller walks the panels in its outer loop and the
// blocks of rows in its inner one, so a panel stays in the cache while all rows meet it.
#ifndef RECURRA_PRODUCT_H
#define RECURRA_PRODUCT_H

#include "rounded.h"
#include "rows.h"
#include "simd.h"

namespace recurra {
namespace RECURRA_ISA {

constexpr int max_vectors = 6;  // of a panel
constexpr int exact_rows = 8;   // of a block, in registers
constexpr int max_rows = rounds<float>() ? 16 : exact_rows;  // of any block

// Sums for which there are registers; the rest hold the panel's vectors and a row's number.
constexpr int sums = RECURRA_REGISTERS == 32 ? 24 : 12;

constexpr int exact_rows_for(int vectors) {
  return sums / vectors < exact_rows ? sums / vectors : exact_rows;
}

// How many rows a block of a product over ``depth`` numbers has, at most.
template <class T>
RECURRA_INLINE int rows_for(int vectors, int64_t depth) {
  return rounded<T>(depth) ? max_rows : exact_rows_for(vectors);
}

template <class T, class A, int R, int N>
void product_of(A rows, int64_t depth, const T *panel, const T *start, int64_t start_stride, T *out) {
  constexpr int L = lanes<T>();
  Vec<T> sum[R][N];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[r][n] = load(start + r * start_stride + n * L);
#pragma GCC unroll 1
  for (int64_t k = 0; k < depth; ++k) {
    Vec<T> b[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) b[n] = load(panel + n * L);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec<T> a = same<T>(rows(r, k));
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[r][n] += a * b[n];
    }
    panel += N * L;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) store(out + (r * N + n) * L, sum[r][n]);
}

template <class T, class A>
using Product = void (*)(A, int64_t, const T *, const T *, int64_t, T *);

template <class T, class A, int N>
struct ProductsOf {
  static Product<T, A> pick(int rows) {
    static const Product<T, A> of_rows[exact_rows] = {
        product_of<T, A, exact_rows_for(N) < 1 ? 1 : 1, N>,
        product_of<T, A, exact_rows_for(N) < 2 ? 1 : 2, N>,
        product_of<T, A, exact_rows_for(N) < 3 ? 1 : 3, N>,
        product_of<T, A, exact_rows_for(N) < 4 ? 1 : 4, N>,
        product_of<T, A, exact_rows_for(N) < 5 ? 1 : 5, N>,
        product_of<T, A, exact_rows_for(N) < 6 ? 1 : 6, N>,
        product_of<T, A, exact_rows_for(N) < 7 ? 1 : 7, N>,
        product_of<T, A, exact_rows_for(N) < 8 ? 1 : 8, N>,
    };
    return of_rows[rows - 1];
  }
};

// out (rows, vectors) = start + rows · panel. ``rows`` is at most rows_for(vectors, depth); a start_stride of 0 gives every
// row the same start (a bias).
template <class T, class A>
RECURRA_INLINE void product(A block, int rows, int vectors, int64_t depth, const T *panel, const T *start,
                            int64_t start_stride, T *out) {
  if constexpr (rounds<T>()) {
    if (rounded<T>(depth)) return rounded_product(block, rows, vectors, depth, panel, start, start_stride, out);
  }
  Product<T, A> run;
  switch (vectors) {
    case 1: run = ProductsOf<T, A, 1>::pick(rows); break;
    case 2: run = ProductsOf<T, A, 2>::pick(rows); break;
    case 3: run = ProductsOf<T, A, 3>::pick(rows); break;
    case 4: run = ProductsOf<T, A, 4>::pick(rows); break;
    case 5: run = ProductsOf<T, A, 5>::pick(rows); break;
    default: run = ProductsOf<T, A, 6>::pick(rows); break;
  }
  run(block, depth, panel, start, start_stride, out);
}

// A part of ``count`` things: share ``number`` of ``shares`` nearly equal ones.
struct Range {
  int64_t first, last;
  RECURRA_INLINE int64_t size() const { return last - first; }
};

RECURRA_INLINE Range share(int64_t count, int64_t number, int64_t shares) {
  return {count * number / shares, count * (number + 1) / shares};
}

// Call ``each(first, size)`` for nearly equal pieces of ``range`` of at most ``most``.
template <class F>
RECURRA_INLINE void for_pieces(Range range, int64_t most, F each) {
  const int64_t pieces = (range.size() + most - 1) / most;
  for (int64_t i = 0; i < pieces; ++i) {
    const Range part = share(range.size(), i, pieces);
    each(range.first + part.first, static_cast<int>(part.size()));
  }
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
