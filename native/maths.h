// exp, sigmoid, tanh and log of vectors. The first three start from e^r − 1 on |r| ≤ ln(2)/2 by a polynomial fitted to the least
// greatest relative error (2.3e-8 in float, 3.9e-17 in double), so tanh keeps its relative error near zero.
#ifndef RECURRA_MATHS_H
#define RECURRA_MATHS_H

#include "simd.h"

namespace recurra {
namespace RECURRA_ISA {

template <class T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float ln2_high = 0.693145751953125f, ln2_low = 1.42860682030941723e-6f;
  static constexpr float largest = 126.0f;   // of the exponent n: 2^n and 2^-n stay normal numbers
  static constexpr float one_at = 9.5f;      // from here on tanh rounds to 1
  static constexpr int atanh_terms = 4;
  static constexpr int terms = 5;
  static constexpr float poly[terms] = {0.5f, 0.1666657667f, 0.04166655421f, 0.008363232884f, 0.001392625083f};
};

template <>
struct Constants<double> {
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double ln2_high = 0.69314718036912381649, ln2_low = 1.9082149292705877e-10;
  static constexpr double largest = 1022.0;
  static constexpr double one_at = 19.5;
  static constexpr int atanh_terms = 10;
  static constexpr int terms = 10;
  static constexpr double poly[terms] = {
      0.50000000000000010314,    0.1666666666666666746,     0.041666666666623820532,  0.0083333333333300381973,
      0.0013888888917367080562,  0.00019841269863171556026, 0.000024801521057868205199, 2.7557268276905696187e-6,
      2.7620201591031548792e-7,  2.5100472505694996003e-8};
};

// x where it lies between the bounds; NaN stays NaN.
template <class T>
RECURRA_INLINE Vec<T> clamp(Vec<T> x, T low, T high) {
  return at_most(at_least(x, same<T>(low)), same<T>(high));
}

// e^x = scale * (1 + fraction), for |x| below largest * ln(2).
template <class T>
struct Split {
  Vec<T> fraction, scale;
};

template <class T>
RECURRA_INLINE Split<T> split(Vec<T> x) {
  using K = Constants<T>;
  using Bits = typename Vector<T>::bits;
  const Vec<T> shifted = x * static_cast<T>(1.44269504088896340736) + K::magic;
  const Vec<T> n = shifted - K::magic;
  const Vec<T> r = (x - n * K::ln2_high) - n * K::ln2_low;
  Vec<T> p = same<T>(K::poly[K::terms - 1]);
#pragma GCC unroll 16
  for (int i = K::terms - 2; i >= 0; --i) p = p * r + K::poly[i];
  // The low bits of ``shifted`` are n: moved up, they are the exponent of 2^n.
  const Bits exponent = ((Bits)shifted << K::mantissa) +
                        (static_cast<decltype(Bits{}[0] + 0)>(K::bias) << K::mantissa);
  return {r + r * r * p, (Vec<T>)exponent};
}

// Of x beyond ±largest * ln(2) this is the value at the bound.
template <class T>
RECURRA_INLINE Vec<T> exponential(Vec<T> x) {
  constexpr T bound = Constants<T>::largest * static_cast<T>(0.6931471805599453);
  const Split<T> e = split<T>(clamp<T>(x, -bound, bound));
  return e.scale + e.scale * e.fraction;
}

template <class T>
RECURRA_INLINE Vec<T> sigmoid(Vec<T> x) {
  constexpr T bound = Constants<T>::largest * static_cast<T>(0.6931471805599453);
  const Vec<T> value = reciprocal<T>(static_cast<T>(1) + exponential<T>(-x));
  return x < -same<T>(bound) ? Vec<T>{} : value;  // 0 times infinity must be NaN, as it is in the reference
}

template <class T>
RECURRA_INLINE Vec<T> tanh(Vec<T> x) {
  const Split<T> e = split<T>(clamp<T>(x + x, -2 * Constants<T>::one_at, 2 * Constants<T>::one_at));
  const Vec<T> less_one = e.scale * e.fraction + (e.scale - static_cast<T>(1));  // e^2x − 1
  return less_one * reciprocal<T>(less_one + static_cast<T>(2));
}

// Of normal numbers above zero. x = 2^n m with m near 1, and log m = 2 atanh((m − 1) / (m + 1)) by its series.
template <class T>
RECURRA_INLINE Vec<T> logarithm(Vec<T> x) {
  using K = Constants<T>;
  using Bits = typename Vector<T>::bits;
  const Bits root_half = (Bits)same<T>(static_cast<T>(0.70710678118654752440));
  const Bits n = ((Bits)x - root_half) >> K::mantissa;
  const Vec<T> fraction = (Vec<T>)((Bits)x - (n << K::mantissa)) - static_cast<T>(1);
  // A whole number that is small, without an instruction that not every set has: magic + n, less magic.
  const Vec<T> whole = (Vec<T>)(n + (Bits)same<T>(K::magic)) - K::magic;
  const Vec<T> s = fraction / (fraction + static_cast<T>(2)), z = s * s;
  Vec<T> p = same<T>(static_cast<T>(1) / (2 * K::atanh_terms + 1));
#pragma GCC unroll 16
  for (int i = K::atanh_terms - 1; i > 0; --i) p = p * z + static_cast<T>(1) / static_cast<T>(2 * i + 1);
  // log m = fraction − s (fraction − 2 z p): what is exact comes first, and small numbers are added to it.
  const Vec<T> small = s * (fraction - static_cast<T>(2) * z * p);
  return whole * K::ln2_high + (fraction - (small - whole * K::ln2_low));
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
