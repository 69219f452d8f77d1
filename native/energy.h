// The additive score of attention, e_qj = v . tanh(s_q + k_j), and its gradients. The tanh of every query with every key
// is never kept: computing it again costs less than writing it down, and nobody needs the memory.
//
// Sizes: B batch, Q queries, T keys of each row, A their width.
#ifndef RECURRA_ENERGY_H
#define RECURRA_ENERGY_H

#include "job.h"
#include "maths.h"
#include "product.h"

namespace recurra {
namespace RECURRA_ISA {

// Each thread answers some queries.
template <class T>
void energy_forward(const recurra_energy &job, int thread) {
  const int64_t width = job.width, steps = job.steps;
  const T *vector = static_cast<const T *>(job.vector);
  const Range rows = share(job.batch * job.queries, thread, job.threads);
  for (int64_t row = rows.first; row < rows.last; ++row) {
    const T *query = static_cast<const T *>(job.query) + row * width;
    const T *keys = static_cast<const T *>(job.keys) + row / job.queries * steps * width;
    T *energies = static_cast<T *>(job.energies) + row * steps;
    for (int64_t step = 0; step < steps; ++step, keys += width) {
      Vec<T> sum = {};
      for (int64_t at = 0; at < width; at += lanes<T>()) {
        const int64_t left = width - at;
        sum += load_some(vector + at, left) * tanh<T>(load_some(query + at, left) + load_some(keys + at, left));
      }
      energies[step] = sum_of<T>(sum);
    }
  }
}

// Each thread has some columns of everything that is A wide, so that none adds to what another one adds to.
template <class T>
void energy_backward(const recurra_energy &job, int thread) {
  const int64_t width = job.width, steps = job.steps;
  const T one = 1;
  const Range vectors = share((width + lanes<T>() - 1) / lanes<T>(), thread, job.threads);
  for (int64_t at = vectors.first * lanes<T>(); at < vectors.last * lanes<T>(); at += lanes<T>()) {
    const int64_t left = width - at;
    const Vec<T> vector = load_some(static_cast<const T *>(job.vector) + at, left);
    Vec<T> d_vector = {};
    for (int64_t row = 0; row < job.batch * job.queries; ++row) {
      const int64_t batch = row / job.queries;
      const bool first = row % job.queries == 0;  // of the queries that look at these keys
      const T *keys = static_cast<const T *>(job.keys) + batch * steps * width + at;
      T *d_keys = static_cast<T *>(job.d_keys) + batch * steps * width + at;
      const T *d_energies = static_cast<const T *>(job.d_energies) + row * steps;
      const Vec<T> query = load_some(static_cast<const T *>(job.query) + row * width + at, left);
      Vec<T> of_query = {}, of_vector = {};
      for (int64_t step = 0; step < steps; ++step, keys += width, d_keys += width) {
        const Vec<T> given = same<T>(d_energies[step]);
        const Vec<T> hidden = tanh<T>(query + load_some(keys, left));
        const Vec<T> slope = given * (one - hidden * hidden);
        of_query += slope;
        of_vector += given * hidden;
        const Vec<T> before = first ? Vec<T>{} : load_some(static_cast<const T *>(d_keys), left);
        store_some(d_keys, before + slope * vector, left);
      }
      store_some(static_cast<T *>(job.d_query) + row * width + at, of_query * vector, left);
      d_vector += of_vector;
    }
    store_some(static_cast<T *>(job.d_vector) + at, d_vector, left);
  }
}

}  // namespace RECURRA_ISA
}  // namespace recurra

#endif
