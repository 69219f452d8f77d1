// Vectors of one instruction set. Every header below isa.cpp lives in a namespace named after the instruction set,
// because the same source is compiled once for each and the linker must not mix them up. For the same reason
// nothing in them may use a template of the standard library.
#ifndef RECURRA_SIMD_H
#define RECURRA_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define RECURRA_VECTOR_BYTES 64
#define RECURRA_REGISTERS 32
#elif defined(__AVX2__)
#define RECURRA_VECTOR_BYTES 32
#define RECURRA_REGISTERS 16
#elif defined(__aarch64__)
#define RECURRA_VECTOR_BYTES 16
#define RECURRA_REGISTERS 32
#else
#define RECURRA_VECTOR_BYTES 16
#define RECURRA_REGISTERS 16
#endif

#define RECURRA_INLINE inline __attribute__((always_inline))

namespace recurra {
namespace RECURRA_ISA {

template <class T>
struct Vector;

template <>
struct Vector<float> {
  typedef float type __attribute__((vector_size(RECURRA_VECTOR_BYTES)));
  typedef int32_t bits __attribute__((vector_size(RECURRA_VECTOR_BYTES)));
  typedef float loose __attribute__((vector_size(RECURRA_VECTOR_BYTES), aligned(4), may_alias));
};

template <>
struct Vector<double> {
  typedef double type __attribute__((vector_size(RECURRA_VECTOR_BYTES)));
  typedef int64_t bits __attribute__((vector_size(RECURRA_VECTOR_BYTES)));
  typedef double loose __attribute__((vector_size(RECURRA_VECTOR_BYTES), aligned(8), may_alias));
};

template <class T>
using Vec = typename Vector<T>::type;

template <class T>
constexpr int lanes() {
  return RECURRA_VECTOR_BYTES / static_cast<int>(sizeof(T));
}

template <class T>
RECURRA_INLINE Vec<T> load(const T *from) {
  return *reinterpret_cast<const typename Vector<T>::loose *>(from);
}

template <class T>
RECURRA_INLINE void store(T *to, Vec<T> value) {
  *reinterpret_cast<typename Vector<T>::loose *>(to) = value;
}

// The first ``count`` lanes; the others are zero.
template <class T>
RECURRA_INLINE Vec<T> load_some(const T *from, int64_t count) {
  if (count >= lanes<T>()) return load(from);
  Vec<T> value = {};
  memcpy(&value, from, static_cast<size_t>(count) * sizeof(T));
  return value;
}

template <class T>
RECURRA_INLINE void store_some(T *to, Vec<T> value, int64_t count) {
  if (count >= lanes<T>())
    store(to, value);
  else
    memcpy(to, &value, static_cast<size_t>(count) * sizeof(T));
}

template <class T>
RECURRA_INLINE Vec<T> same(T value) {
  return value - Vec<T>{};
}

template <class T>
RECURRA_INLINE T sum_of(Vec<T> numbers) {
  T sum = 0;
  for (int lane = 0; lane < lanes<T>(); ++lane) sum += numbers[lane];
  return sum;
}

// The lesser and the greater of two; where ``x`` is NaN, so is the result.
template <class V>
RECURRA_INLINE V at_most(V x, V bound) {
  return x > bound ? bound : x;
}
template <class V>
RECURRA_INLINE V at_least(V x, V bound) {
  return x < bound ? bound : x;
}
template <class T>
RECURRA_INLINE Vec<T> reciprocal(Vec<T> x) {
  return static_cast<T>(1) / x;
}

// The compiler does not find these instructions by itself, and a division costs as much as the rest of a sigmoid.
#if defined(__AVX512F__)
template <>
RECURRA_INLINE Vec<float> at_most(Vec<float> x, Vec<float> bound) {
  return _mm512_maskz_min_ps(0xffff, bound, x);
}
template <>
RECURRA_INLINE Vec<float> at_least(Vec<float> x, Vec<float> bound) {
  return _mm512_maskz_max_ps(0xffff, bound, x);
}
template <>
RECURRA_INLINE Vec<float> reciprocal<float>(Vec<float> x) {
  const Vec<float> near = _mm512_maskz_rcp14_ps(0xffff, x);  // 14 bits, and one step of Newton's doubles them
  return near + near * (1.0f - x * near);
}
#elif defined(__AVX2__)
template <>
RECURRA_INLINE Vec<float> at_most(Vec<float> x, Vec<float> bound) {
  return _mm256_min_ps(bound, x);
}
template <>
RECURRA_INLINE Vec<float> at_least(Vec<float> x, Vec<float> bound) {
  return _mm256_max_ps(bound, x);
}
#endif

// Exactly ``a`` where the share of b is 0, exactly b where it is 1.
template <class T>
RECURRA_INLINE Vec<T> mix(Vec<T> a, Vec<T> b, Vec<T> share) {
  return share < same<T>(T(0.5)) ? a + share * (b - a) : b - (b - a) * (T(1) - share);
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
