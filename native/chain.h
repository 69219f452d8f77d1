// A linear-chain conditional random field: the sum over all label sequences, its gradients, the best sequence.
//
// All is double. A step goes from sums as logarithms to sums as numbers and back: of a row of sums r (reached), with the
// greatest of them m, w_i = exp(r_i - m) is at most 1, and c_j = sum_i w_i exp(A_ij - A_max) (carried) is a product with
// a matrix. Where c_j is so small that what was lost below the smallest number could count, the sum is done once more in
// logarithms; c_j is then written down as 0, which tells the backward pass to do the same. So nothing is ever lost.
//
// Sizes: B batch, T steps, K labels; P is K up to whole vectors.
#ifndef RECURRA_CHAIN_H
#define RECURRA_CHAIN_H

#include <math.h>

#include "job.h"
#include "maths.h"
#include "product.h"

namespace recurra {
namespace RECURRA_ISA {

constexpr double chain_tiny = 1e-140;    // what was lost below 1e-308 is nothing beside it
constexpr double chain_lowest = -700.0;  // exp of less is taken for 0

RECURRA_INLINE int64_t chain_padded(int64_t labels) {
  return (labels + lanes<double>() - 1) / lanes<double>() * lanes<double>();
}

// Of one thread: four matrices, six vectors, and the ways back of a row. The pads of all of them stay zero.
struct ChainMemory {
  double *follow, *turned;    // (K, P) exp(A - A_max), from the row to the column; the same with rows for columns
  double *pairs, *exact;      // (K, P) gradients of A: to be multiplied by ``follow`` yet, and those in logarithms
  double *w, *d, *q, *next;   // (P)
  double *d_first, *d_last;   // (P)
  double *ways;               // (T, P)
  double highest;             // A_max
};

inline int64_t chain_numbers(const recurra_chain &job) {
  const int64_t padded = chain_padded(job.labels);
  return (4 * job.labels + 6 + job.steps) * padded;
}

inline int64_t chain_bytes(const recurra_chain &job) { return (chain_numbers(job) * 8 + 63) / 64 * 64; }

RECURRA_INLINE Vec<double> chain_exp(Vec<double> x) {
  return x < same<double>(chain_lowest) ? Vec<double>{} : exponential<double>(x);
}

// The greatest of some numbers; minus infinity of none, and never NaN.
inline double chain_highest(const double *numbers, int64_t count) {
  double highest = -INFINITY;
  for (int64_t i = 0; i < count; ++i) highest = numbers[i] > highest ? numbers[i] : highest;
  return highest;
}

inline double chain_log_sum(const double *numbers, int64_t count) {
  const double highest = chain_highest(numbers, count);
  double sum = 0;
  if (highest == -INFINITY) {  // nothing is possible, or nothing is a number
    for (int64_t i = 0; i < count; ++i) sum += numbers[i];
    return sum;
  }
  for (int64_t i = 0; i < count; ++i) sum += exp(numbers[i] - highest);
  return highest + log(sum);
}

inline ChainMemory chain_memory(const recurra_chain &job, int thread) {
  const int64_t labels = job.labels, padded = chain_padded(labels), matrix = labels * padded;
  double *at = reinterpret_cast<double *>(static_cast<char *>(job.memory) + chain_bytes(job) * thread);
  memset(at, 0, static_cast<size_t>((4 * labels + 6) * padded) * sizeof(double));
  ChainMemory own;
  double **const matrices[] = {&own.follow, &own.turned, &own.pairs, &own.exact};
  for (double **one : matrices) *one = at, at += matrix;
  double **const vectors[] = {&own.w, &own.d, &own.q, &own.next, &own.d_first, &own.d_last};
  for (double **one : vectors) *one = at, at += padded;
  own.ways = at;
  const double *transitions = static_cast<const double *>(job.transitions);
  const double highest = chain_highest(transitions, labels * labels);
  own.highest = highest == -INFINITY ? 0.0 : highest;
  for (int64_t i = 0; i < labels; ++i)
    for (int64_t j = 0; j < labels; j += lanes<double>()) {
      const int64_t left = labels - j;
      const Vec<double> row = chain_exp(load_some(transitions + i * labels + j, left) - own.highest);
      store_some(own.follow + i * padded + j, row, left);
    }
  for (int64_t i = 0; i < labels; ++i)
    for (int64_t j = 0; j < labels; ++j) own.turned[j * padded + i] = own.follow[i * padded + j];
  return own;
}

// Some columns of the product of a row with a matrix: N vectors of them stay in registers.
template <int N>
RECURRA_INLINE void chain_columns(const double *row, const double *matrix, int64_t count, int64_t padded, double *to) {
  Vec<double> sums[N] = {};
  for (int64_t i = 0; i < count; ++i, matrix += padded) {
    const Vec<double> factor = same<double>(row[i]);
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sums[n] += factor * load(matrix + n * lanes<double>());
  }
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) store(to + n * lanes<double>(), sums[n]);
}

// row (K) times matrix (K, P) is to (P).
inline void chain_product(const double *row, const double *matrix, int64_t count, int64_t padded, double *to) {
  int64_t at = 0;
  constexpr int width = lanes<double>();
  for (; at + 6 * width <= padded; at += 6 * width) chain_columns<6>(row, matrix + at, count, padded, to + at);
  switch ((padded - at) / width) {
    case 5: chain_columns<5>(row, matrix + at, count, padded, to + at); break;
    case 4: chain_columns<4>(row, matrix + at, count, padded, to + at); break;
    case 3: chain_columns<3>(row, matrix + at, count, padded, to + at); break;
    case 2: chain_columns<2>(row, matrix + at, count, padded, to + at); break;
    case 1: chain_columns<1>(row, matrix + at, count, padded, to + at); break;
    default: break;
  }
}

// w = exp(reached - m), and m.
inline double chain_weights(const double *reached, int64_t labels, double *w) {
  const double highest = chain_highest(reached, labels);
  const double by = highest == -INFINITY ? 0.0 : highest;
  for (int64_t j = 0; j < labels; j += lanes<double>())
    store_some(w + j, chain_exp(load_some(reached + j, labels - j) - by), labels - j);
  return by;
}

inline int64_t chain_length(const recurra_chain &job, int64_t row) {
  return job.lengths ? job.lengths[row] : job.steps;
}

// The sum at label j in logarithms, from the sums of the step before; ``spare`` has room for K numbers.
inline double chain_exactly(const double *transitions, const double *before, int64_t labels, int64_t j, double *spare) {
  for (int64_t i = 0; i < labels; ++i) spare[i] = before[i] + transitions[i * labels + j];
  return chain_log_sum(spare, labels);
}

// One row; returns the logarithm of its sum.
inline double chain_row_forward(const recurra_chain &job, const ChainMemory &own, int64_t row) {
  const int64_t labels = job.labels, length = chain_length(job, row), offset = row * job.steps * labels;
  const double *scores = static_cast<const double *>(job.scores) + offset;
  const double *transitions = static_cast<const double *>(job.transitions);
  const double *first = static_cast<const double *>(job.first), *last = static_cast<const double *>(job.last);
  double *reached = static_cast<double *>(job.reached) + offset;
  double *carried = static_cast<double *>(job.carried) + offset;
  for (int64_t j = 0; j < labels; ++j) reached[j] = first[j] + scores[j];
  for (int64_t step = 1; step < length; ++step) {
    const double *before = reached;
    scores += labels, reached += labels, carried += labels;
    const double by = chain_weights(before, labels, own.w) + own.highest;
    chain_product(own.w, own.follow, labels, chain_padded(labels), own.next);
    bool small = false;
    for (int64_t j = 0; j < labels; j += lanes<double>()) {
      const int64_t left = labels - j;
      const Vec<double> sums = load(own.next + j), score = load_some(scores + j, left);
      store_some(reached + j, logarithm<double>(sums) + by + score, left);
      store_some(carried + j, sums, left);
      for (int lane = 0; lane < lanes<double>() && lane < left; ++lane) small |= !(sums[lane] >= chain_tiny);
    }
    if (!small) continue;
    for (int64_t j = 0; j < labels; ++j)
      if (!(carried[j] >= chain_tiny)) {
        carried[j] = 0;
        reached[j] = scores[j] == -INFINITY ? scores[j] : chain_exactly(transitions, before, labels, j, own.q) + scores[j];
      }
  }
  for (int64_t j = 0; j < labels; ++j) own.next[j] = reached[j] + last[j];
  return chain_log_sum(own.next, labels);
}

// The score of the path that is seen.
inline double chain_seen(const recurra_chain &job, int64_t row) {
  const int64_t labels = job.labels, length = chain_length(job, row);
  const double *scores = static_cast<const double *>(job.scores) + row * job.steps * labels;
  const double *transitions = static_cast<const double *>(job.transitions);
  const int64_t *path = job.path + row * job.steps;
  double sum = static_cast<const double *>(job.first)[path[0]] + scores[path[0]];
  for (int64_t step = 1; step < length; ++step)
    sum += transitions[path[step - 1] * labels + path[step]] + scores[step * labels + path[step]];
  return sum + static_cast<const double *>(job.last)[path[length - 1]];
}

inline void chain_forward(const recurra_chain &job, int thread) {
  const ChainMemory own = chain_memory(job, thread);
  const Range rows = share(job.batch, thread, job.threads);
  for (int64_t row = rows.first; row < rows.last; ++row) {
    const double log_z = chain_row_forward(job, own, row);
    static_cast<double *>(job.log_z)[row] = log_z;
    static_cast<double *>(job.value)[row] = job.path ? chain_seen(job, row) - log_z : log_z;
  }
}

// From the gradients d of the sums at a step to those ``next`` of the step before, and of the transitions between.
inline void chain_step_back(const recurra_chain &job, const ChainMemory &own, const double *reached,
                            const double *carried, const double *scores) {
  const int64_t labels = job.labels, padded = chain_padded(labels);
  const double *before = reached - labels;
  chain_weights(before, labels, own.w);
  for (int64_t j = 0; j < labels; ++j) own.q[j] = carried[j] > 0 ? own.d[j] / carried[j] : 0.0;
  chain_product(own.q, own.turned, labels, padded, own.next);
  for (int64_t i = 0; i < padded; i += lanes<double>()) store(own.next + i, load(own.next + i) * load(own.w + i));
  double *pairs = own.pairs;
  for (int64_t i = 0; i < labels; ++i, pairs += padded) {
    const Vec<double> factor = same<double>(own.w[i]);
    for (int64_t j = 0; j < padded; j += lanes<double>()) store(pairs + j, load(pairs + j) + factor * load(own.q + j));
  }
  const double *transitions = static_cast<const double *>(job.transitions);
  for (int64_t j = 0; j < labels; ++j) {
    if (carried[j] > 0 || own.d[j] == 0) continue;
    const double sum = reached[j] - scores[j];
    for (int64_t i = 0; i < labels; ++i) {
      const double part = own.d[j] * exp(before[i] + transitions[i * labels + j] - sum);
      own.exact[i * padded + j] += part;
      own.next[i] += part;
    }
  }
}

// A row: gradients of the sum flow from its end to its begin, each as much as the way over it is probable.
inline void chain_row_backward(const recurra_chain &job, ChainMemory &own, int64_t row) {
  const int64_t labels = job.labels, padded = chain_padded(labels), length = chain_length(job, row);
  const int64_t begin = row * job.steps * labels, end = begin + (length - 1) * labels;
  const double *scores = static_cast<const double *>(job.scores) + end, *last = static_cast<const double *>(job.last);
  const double *reached = static_cast<const double *>(job.reached) + end;
  const double *carried = static_cast<const double *>(job.carried) + end;
  double *d_scores = static_cast<double *>(job.d_scores) + end;
  const double given = static_cast<const double *>(job.d_value)[row], log_z = static_cast<double *>(job.log_z)[row];
  const double of_sum = job.path ? -given : given;
  memset(d_scores + labels, 0, static_cast<size_t>((job.steps - length) * labels) * sizeof(double));
  for (int64_t j = 0; j < labels; ++j) {
    const double share = reached[j] + last[j] - log_z;
    own.d[j] = share == -INFINITY ? 0.0 : of_sum * exp(share);
    own.d_last[j] += own.d[j];
  }
  const int64_t *path = job.path ? job.path + row * job.steps : nullptr;
  for (int64_t step = length - 1;; --step) {
    memcpy(d_scores, own.d, static_cast<size_t>(labels) * sizeof(double));
    if (path) d_scores[path[step]] += given;
    if (step == 0) break;
    chain_step_back(job, own, reached, carried, scores);
    if (path) own.exact[path[step - 1] * padded + path[step]] += given;
    double *const done = own.d;
    own.d = own.next, own.next = done;
    reached -= labels, carried -= labels, scores -= labels, d_scores -= labels;
  }
  for (int64_t j = 0; j < labels; ++j) own.d_first[j] += own.d[j];
  if (path) own.d_first[path[0]] += given, own.d_last[path[length - 1]] += given;
}

inline void chain_backward(const recurra_chain &job, int thread) {
  ChainMemory own = chain_memory(job, thread);
  const int64_t labels = job.labels, padded = chain_padded(labels);
  const Range rows = share(job.batch, thread, job.threads);
  for (int64_t row = rows.first; row < rows.last; ++row) chain_row_backward(job, own, row);
  double *d_transitions = static_cast<double *>(job.d_transitions) + thread * labels * labels;
  for (int64_t i = 0; i < labels; ++i)
    for (int64_t j = 0; j < labels; ++j) {
      const int64_t at = i * padded + j;
      d_transitions[i * labels + j] = own.pairs[at] * own.follow[at] + own.exact[at];
    }
  memcpy(static_cast<double *>(job.d_first) + thread * labels, own.d_first, static_cast<size_t>(labels) * sizeof(double));
  memcpy(static_cast<double *>(job.d_last) + thread * labels, own.d_last, static_cast<size_t>(labels) * sizeof(double));
}

// Viterbi's algorithm: of equal ways the first.
inline void chain_row_best(const recurra_chain &job, ChainMemory &own, int64_t row) {
  const int64_t labels = job.labels, padded = chain_padded(labels), length = chain_length(job, row);
  const double *scores = static_cast<const double *>(job.scores) + row * job.steps * labels;
  const double *transitions = static_cast<const double *>(job.transitions);
  const double *first = static_cast<const double *>(job.first), *last = static_cast<const double *>(job.last);
  for (int64_t j = 0; j < labels; ++j) own.d[j] = first[j] + scores[j];
  for (int64_t step = 1; step < length; ++step) {
    scores += labels;
    for (int64_t j = 0; j < labels; j += lanes<double>()) {
      const int64_t left = labels - j;
      Vec<double> best = same<double>(-INFINITY), way = {};
      for (int64_t i = 0; i < labels; ++i) {
        const Vec<double> reached = own.d[i] + load_some(transitions + i * labels + j, left);
        const auto better = reached > best;
        best = better ? reached : best;
        way = better ? same<double>(static_cast<double>(i)) : way;
      }
      store_some(own.next + j, best + load_some(scores + j, left), left);
      store(own.ways + step * padded + j, way);
    }
    double *const done = own.d;
    own.d = own.next, own.next = done;
  }
  int64_t at = 0;
  for (int64_t j = 0; j < labels; ++j) own.d[j] += last[j];
  for (int64_t j = 1; j < labels; ++j)
    if (own.d[j] > own.d[at]) at = j;
  static_cast<double *>(job.value)[row] = own.d[at];
  int64_t *best = job.best + row * job.steps;
  for (int64_t step = length; step < job.steps; ++step) best[step] = 0;
  for (int64_t step = length - 1;; --step) {
    best[step] = at;
    if (step == 0) break;
    at = static_cast<int64_t>(own.ways[step * padded + at]);
  }
}

inline void chain_best(const recurra_chain &job, int thread) {
  ChainMemory own = chain_memory(job, thread);
  const Range rows = share(job.batch, thread, job.threads);
  for (int64_t row = rows.first; row < rows.last; ++row) chain_row_best(job, own, row);
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
