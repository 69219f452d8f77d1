// Products of floats whose factors are rounded to bfloat16, and whose sums are floats: AVX512-BF16, and AMX for more
// than a few rows. Only the instruction set "bfloat16" has them, and only a call that allows it runs on that.
//
// A panel of such a product has two numbers of K in a place, as both instructions read it: (K / 2, N vectors of 16
// pairs), with zeros behind K up to whole tiles. It is made of a panel of floats where that lies, of which it takes half.
#ifndef RECURRA_ROUNDED_H
#define RECURRA_ROUNDED_H

#include "rows.h"
#include "simd.h"

namespace recurra {
namespace RECURRA_ISA {

#if defined(__AVX512BF16__) && defined(__AMX_BF16__)
template <class T>
constexpr bool rounds() {
  return sizeof(T) == sizeof(float);
}
constexpr int tile_rows = 16;
constexpr int64_t tile_depth = 32;    // numbers of a row of a tile
constexpr int64_t piece_depth = 512;  // numbers of the rows that are rounded at once
constexpr int few_rows = 4;           // up to which a tile of sixteen would be mostly empty

// Products over less than this are left as they are: a panel needs room for a whole tile.
template <class T>
RECURRA_INLINE bool rounded(int64_t depth) {
  return rounds<T>() && depth >= tile_depth;
}

RECURRA_INLINE __m512i round_to_low(__m512 numbers) {
  return _mm512_maskz_cvtepu16_epi32(0xffff, (__m256i)_mm512_cvtneps_pbh(numbers));
}

// Two vectors of numbers as one of pairs.
RECURRA_INLINE __m512i pairs(__m512 first, __m512 second) {
  return _mm512_or_si512(round_to_low(first), _mm512_maskz_slli_epi32(0xffff, round_to_low(second), 16));
}

RECURRA_INLINE void round_panel(float *panel, int64_t depth, int vectors) {
  if (depth < tile_depth) return;
  const int64_t all = (depth + tile_depth - 1) / tile_depth * tile_depth;
  for (int64_t k = 0; k < all; k += 2)
    for (int v = 0; v < vectors; ++v) {
      const float *from = panel + (k * vectors + v) * 16;
      const __m512 none = _mm512_setzero_ps();
      const __m512 first = k < depth ? _mm512_loadu_ps(from) : none;
      const __m512 second = k + 1 < depth ? _mm512_loadu_ps(from + vectors * 16) : none;
      _mm512_storeu_si512(panel + (k / 2 * vectors + v) * 16, pairs(first, second));
    }
}
RECURRA_INLINE void round_panel(double *, int64_t, int) {}

// The compiler does not know that instructions for tiles read and write memory.
RECURRA_INLINE void settle_memory() { __asm__ volatile("" ::: "memory"); }

// What a thread sets before it multiplies tiles, and sets back after it: somebody else may have set them otherwise. No
// object that ends by itself, as that would need what unwinds the stack.
struct Tiles {
  alignas(64) uint8_t before[64];

  RECURRA_INLINE void begin() {
    // Palette 1; of all eight tiles the bytes of a row, and how many rows.
    alignas(64) static const uint8_t whole[64] = {1,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 64, 0, 64, 0, 64, 0,
                                                  64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0,
                                                  0,  0, 0,  0, 16, 16, 16, 16, 16, 16, 16, 16};
    _tile_storeconfig(before);
    _tile_loadconfig(whole);
  }
  RECURRA_INLINE void end() {
    settle_memory();
    _tile_loadconfig(before);
  }
};

// Turn 16 rows of 16 pairs round: in four steps blocks of 1, 2, 4 and 8 change places.
RECURRA_INLINE void turn(__m512i (&rows)[16]) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#pragma GCC unroll 4
  for (int step = 0; step < 4; ++step) {
    const int apart = 1 << step;
    const __mmask16 upper = step == 0 ? 0xaaaa : step == 1 ? 0xcccc : step == 2 ? 0xf0f0 : 0xff00;
    const __m512i by = _mm512_set1_epi32(apart), other = _mm512_set1_epi32(16);
    // Numbers below 16 are lanes of the first row, those from it on lanes of the second one.
    const __m512i low = _mm512_mask_add_epi32(lane, upper, _mm512_sub_epi32(lane, by), other);
    const __m512i high = _mm512_mask_add_epi32(_mm512_add_epi32(lane, by), upper, lane, other);
#pragma GCC unroll 16
    for (int row = 0; row < 16; ++row) {
      if (row & apart) continue;
      const __m512i a = rows[row], b = rows[row + apart];
      rows[row] = _mm512_permutex2var_epi32(a, low, b);
      rows[row + apart] = _mm512_permutex2var_epi32(a, high, b);
    }
  }
}

// Rows of numbers as they lie in tiles: (tiles, 16 rows, 32 numbers). What is not there is zero.
RECURRA_INLINE void round_rows(const Rows<float> &block, int rows, int64_t first, int64_t depth, uint16_t *to) {
  const int all = rows <= few_rows ? rows : tile_rows;
  for (int64_t k = 0; k < depth; k += tile_depth, to += tile_rows * tile_depth) {
    const int64_t left = depth - k;
    const __mmask16 low = left >= 16 ? 0xffff : (1 << left) - 1;
    const __mmask16 high = left >= 32 ? 0xffff : left > 16 ? (1 << (left - 16)) - 1 : 0;
    for (int r = 0; r < rows; ++r) {
      const float *const from = block.at[r] + first + k;
      const __m512 a = _mm512_maskz_loadu_ps(low, from), b = _mm512_maskz_loadu_ps(high, from + 16);
      _mm512_storeu_si512(to + r * tile_depth, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
    for (int r = rows; r < all; ++r) _mm512_storeu_si512(to + r * tile_depth, _mm512_setzero_si512());
  }
}

RECURRA_INLINE void round_rows(const Columns<float> &block, int rows, int64_t first, int64_t depth, uint16_t *to) {
  const __mmask16 there = rows >= 16 ? 0xffff : (1 << rows) - 1;
  for (int64_t k = 0; k < depth; k += tile_depth, to += tile_rows * tile_depth) {
    __m512i both[16];
#pragma GCC unroll 16
    for (int pair = 0; pair < 16; ++pair) {
      const float *const from = block.at + (first + k + 2 * pair) * block.stride;
      const __mmask16 one = k + 2 * pair < depth ? there : 0, other = k + 2 * pair + 1 < depth ? there : 0;
      both[pair] = pairs(_mm512_maskz_loadu_ps(one, from), _mm512_maskz_loadu_ps(other, from + block.stride));
    }
    turn(both);
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) _mm512_storeu_si512(to + r * tile_depth, both[r]);
  }
}

// sums (16, N vectors) += tiles of rows · a panel.
template <int N>
void multiply_tiles(const uint16_t *rows, int64_t tiles, const float *panel, float *sums) {
  constexpr int64_t stride = N * 64;
  settle_memory();
  if constexpr (N > 0) _tile_loadd(0, sums, stride);
  if constexpr (N > 1) _tile_loadd(1, sums + 16, stride);
  if constexpr (N > 2) _tile_loadd(2, sums + 32, stride);
  if constexpr (N > 3) _tile_loadd(3, sums + 48, stride);
  if constexpr (N > 4) _tile_loadd(4, sums + 64, stride);
  if constexpr (N > 5) _tile_loadd(5, sums + 80, stride);
  for (int64_t tile = 0; tile < tiles; ++tile, rows += tile_rows * tile_depth, panel += 16 * N * 16) {
    _tile_loadd(6, rows, 64);
    if constexpr (N > 0) {
      _tile_loadd(7, panel, stride);
      _tile_dpbf16ps(0, 6, 7);
    }
    if constexpr (N > 1) {
      _tile_loadd(7, panel + 16, stride);
      _tile_dpbf16ps(1, 6, 7);
    }
    if constexpr (N > 2) {
      _tile_loadd(7, panel + 32, stride);
      _tile_dpbf16ps(2, 6, 7);
    }
    if constexpr (N > 3) {
      _tile_loadd(7, panel + 48, stride);
      _tile_dpbf16ps(3, 6, 7);
    }
    if constexpr (N > 4) {
      _tile_loadd(7, panel + 64, stride);
      _tile_dpbf16ps(4, 6, 7);
    }
    if constexpr (N > 5) {
      _tile_loadd(7, panel + 80, stride);
      _tile_dpbf16ps(5, 6, 7);
    }
  }
  if constexpr (N > 0) _tile_stored(0, sums, stride);
  if constexpr (N > 1) _tile_stored(1, sums + 16, stride);
  if constexpr (N > 2) _tile_stored(2, sums + 32, stride);
  if constexpr (N > 3) _tile_stored(3, sums + 48, stride);
  if constexpr (N > 4) _tile_stored(4, sums + 64, stride);
  if constexpr (N > 5) _tile_stored(5, sums + 80, stride);
  settle_memory();
}

// The same for R rows, in registers.
template <int R, int N>
void multiply_few(const uint16_t *rows, int64_t tiles, const float *panel, float *sums) {
  __m512 sum[R][N];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 6
    for (int n = 0; n < N; ++n) sum[r][n] = _mm512_loadu_ps(sums + (r * N + n) * 16);
  for (int64_t tile = 0; tile < tiles; ++tile, rows += tile_rows * tile_depth)
    for (int pair = 0; pair < 16; ++pair, panel += N * 16) {
      __m512bh b[N];
#pragma GCC unroll 6
      for (int n = 0; n < N; ++n) b[n] = (__m512bh)_mm512_loadu_si512(panel + n * 16);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        int32_t both;
        memcpy(&both, rows + r * tile_depth + pair * 2, sizeof(both));
        const __m512bh a = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 6
        for (int n = 0; n < N; ++n) sum[r][n] = _mm512_dpbf16_ps(sum[r][n], a, b[n]);
      }
    }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 6
    for (int n = 0; n < N; ++n) _mm512_storeu_ps(sums + (r * N + n) * 16, sum[r][n]);
}

template <int N>
void multiply_rounded(int rows, const uint16_t *numbers, int64_t tiles, const float *panel, float *sums) {
  switch (rows) {
    case 1: return multiply_few<1, N>(numbers, tiles, panel, sums);
    case 2: return multiply_few<2, N>(numbers, tiles, panel, sums);
    case 3: return multiply_few<3, N>(numbers, tiles, panel, sums);
    case 4: return multiply_few<4, N>(numbers, tiles, panel, sums);
    default: return multiply_tiles<N>(numbers, tiles, panel, sums);
  }
}

// out (rows, vectors) = start + rows · panel, as ``product`` has it, of a panel that was rounded.
template <class A>
void rounded_product(const A &block, int rows, int vectors, int64_t depth, const float *panel, const float *start,
                     int64_t start_stride, float *out) {
  alignas(64) float own[tile_rows * 6 * 16];
  alignas(64) uint16_t numbers[tile_rows * piece_depth];
  float *const sums = rows <= few_rows || rows == tile_rows ? out : own;
  const int64_t width = vectors * 16;
  if (sums != start || start_stride != width)
    for (int row = 0; row < rows; ++row)
      for (int64_t k = 0; k < width; k += 16)
        _mm512_storeu_ps(sums + row * width + k, _mm512_loadu_ps(start + row * start_stride + k));
  for (int64_t first = 0; first < depth; first += piece_depth) {
    const int64_t size = depth - first < piece_depth ? depth - first : piece_depth;
    const int64_t tiles = (size + tile_depth - 1) / tile_depth;
    round_rows(block, rows, first, size, numbers);
    const float *const part = panel + first / 2 * width;
    switch (vectors) {
      case 1: multiply_rounded<1>(rows, numbers, tiles, part, sums); break;
      case 2: multiply_rounded<2>(rows, numbers, tiles, part, sums); break;
      case 3: multiply_rounded<3>(rows, numbers, tiles, part, sums); break;
      case 4: multiply_rounded<4>(rows, numbers, tiles, part, sums); break;
      case 5: multiply_rounded<5>(rows, numbers, tiles, part, sums); break;
      default: multiply_rounded<6>(rows, numbers, tiles, part, sums); break;
    }
  }
  if (sums == own)
    for (int row = 0; row < rows; ++row)
      for (int64_t k = 0; k < width; k += 16)
        _mm512_storeu_ps(out + row * width + k, _mm512_loadu_ps(own + row * width + k));
}

#else
template <class T>
constexpr bool rounds() {
  return false;
}
template <class T>
constexpr bool rounded(int64_t) {
  return false;
}
template <class T>
RECURRA_INLINE void round_panel(T *, int64_t, int) {}
struct Tiles {
  RECURRA_INLINE void begin() {}
  RECURRA_INLINE void end() {}
};
#endif

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
