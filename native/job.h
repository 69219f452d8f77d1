// What the entry points hand to the kernels of an instruction set: one call, split among threads. Plain data only.
#ifndef RECURRA_JOB_H
#define RECURRA_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "recurra.h"

namespace recurra {

// A row of the batch and the steps at which it takes part, counted in the order in which they are run.
struct Slot {
  int64_t row, start, end;
  bool holes;  // whether some steps between start and end are masked
};

// Rows that are run together. At step s the first active[s] slots are run; the others have not begun or are done.
struct Group {
  const Slot *slots;
  const int32_t *active;
  int64_t count, steps;
};

// Threads that share a group wait for each other at the end of a step. Waiting spins, as a step takes microseconds.
struct Barrier {
  alignas(64) int32_t arrived;
  alignas(64) int32_t round;
};

void wait_for_all(Barrier &barrier, int32_t size);

struct Call {
  recurra_scan scan;
  const recurra_grads *grads;  // null in a forward pass
  int threads, team_size;      // a team is the threads that share a group: each takes some of the hidden units
  const Group *groups;
  int group_count;
  int64_t most_rows;  // of any group
  Barrier *barriers;  // one per team
  char *memory;       // as much as the kernel's ``bytes`` asked for
  const recurra_attend *attend = nullptr;  // of a cell that looks at a memory; then there are no groups and no teams
  const recurra_attend_grads *attend_grads = nullptr;

  // Inlined everywhere: it must not be shared between instruction sets.
  inline __attribute__((always_inline)) int teams() const { return threads / team_size; }
};

// One cell in one type for one instruction set. All threads run ``pack``, meet, run ``scan``, meet, run ``finish``.
struct Kernel {
  int64_t (*bytes)(const Call &call);
  void (*pack)(const Call &call, int thread);
  void (*scan)(const Call &call, int thread);
  void (*finish)(const Call &call, int thread);
};

// Lays the weights of a cell that looks at a memory out, for many calls, and returns how many bytes that takes; to null
// it only counts.
using AttendPack = int64_t (*)(const Call &call, void *to);

// A cell as an instruction set knows it: all that is outside its struct in cells.h is computed from it.
struct CellKernels {
  const char *name;    // in Python
  int blocks, saved;   // gates; vectors that a step saves, h left out
  bool recurrent;      // whether there is a product with the old output
  bool normalised;     // whether a step needs all units of a row at once
  bool reset;          // whether a gate multiplies what the old output contributes to another one
  Kernel forward[2], backward[2];  // by type
  Kernel attend_forward[2], attend_backward[2];  // of a cell that looks at a memory; null where it is normalised
  AttendPack attend_pack[2];
};

// A part of an additive score: that of one thread of ``job.threads``.
using EnergyKernel = void (*)(const recurra_energy &job, int thread);

// A part of a sparse scan, likewise.
using SparseKernel = void (*)(const recurra_sparse &job, int thread);

// Some rows of a chain of labels, likewise, and the bytes of memory that each thread needs.
using ChainKernel = void (*)(const recurra_chain &job, int thread);
using ChainBytes = int64_t (*)(const recurra_chain &job);

struct Instructions {
  const char *name;
  const CellKernels *cells;
  int cell_count;
  EnergyKernel energy_forward[2], energy_backward[2];  // by type
  SparseKernel sparse_forward[2];
  ChainKernel chain_forward, chain_backward, chain_best;
  ChainBytes chain_bytes;
  int32_t (*map)(const char *function, int32_t dtype, int64_t n, const void *in, void *out);
};

}  // namespace recurra

#endif
