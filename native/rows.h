// Where the numbers of a block's rows are.
#ifndef RECURRA_ROWS_H
#define RECURRA_ROWS_H

#include "simd.h"

namespace recurra {
namespace RECURRA_ISA {

// Anywhere, each row with its numbers side by side ...
template <class T>
struct Rows {
  const T *const *at;
  RECURRA_INLINE T operator()(int row, int64_t k) const { return at[row][k]; }
};

// ... or the rows side by side, number after number (a transposed matrix).
template <class T>
struct Columns {
  const T *at;
  int64_t stride;
  RECURRA_INLINE T operator()(int row, int64_t k) const { return at[k * stride + row]; }
};

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
