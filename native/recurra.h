// The C interface of the native engine: raw pointers in, raw pointers out, no PyTorch and no Python.
//
// Shapes: B batch, T steps, I inputs, H hidden units, G gate blocks. Every array is contiguous and row-major, every
// number of a call has its type (float or double). Null means: not given, or not wanted.
#ifndef RECURRA_H
#define RECURRA_H

#include <stdint.h>

#if defined(_WIN32)
#define RECURRA_API __declspec(dllexport)
#else
#define RECURRA_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

// Rounded: floats, but the factors of products may be rounded to bfloat16 where the machine multiplies these faster; sums
// are floats. What was packed for a call, and the call, are of one type.
enum { RECURRA_FLOAT = 0, RECURRA_DOUBLE = 1, RECURRA_ROUNDED = 2 };
enum { RECURRA_OK = 0, RECURRA_NO_MEMORY = 1, RECURRA_OTHER_VERSION = 2 };

// Of this interface. It rises with every change to what follows, so that a library that was built for another one is
// told from this one. All structs begin with it and with their own size, which the library compares with its own.
enum { RECURRA_VERSION = 6 };

// Hidden sizes are padded to a multiple of this inside ``saved``, whatever the machine's vectors are.
enum { RECURRA_PAD = 16 };

// One cell over one sequence of steps: weights laid out as in torch.nn.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_scan)
  int32_t cell;      // from recurra_cell()
  int32_t dtype;     // RECURRA_FLOAT, RECURRA_DOUBLE or RECURRA_ROUNDED
  int32_t reverse;   // from the last step to the first
  int32_t threads;   // at most so many
  int32_t self_fed;  // the input of a step is the old output: x is not read, and I is H
  int64_t batch, steps, input, hidden;
  const void *x;          // (B, T, I); (B, T, G*H) what the inputs contribute, for a cell that normalises
  const void *weight_ih;  // (G*H, I); null for a cell that normalises, as its biases are
  const void *weight_hh;  // (G*H, H); null for a cell whose gates read the input alone
  const void *bias_ih;    // (G*H), or null
  const void *bias_hh;    // (G*H), or null; null where weight_hh is
  const void *per_unit;   // (P*H), what else a cell has for every unit, in the order of cells.h; or null
  const void *h0;         // (B, H)
  const void *c0;         // (B, H); null for a cell without memory
  const uint8_t *mask;    // (B, T), or null: where 0 the state is kept and the output is 0
  const void *keep;       // (B, T, H), or null: the share of the old state that stays (zoneout)
  void *outputs;          // (B, T, H)
  void *h, *c;            // (B, H) after the last step; c null for a cell without memory
  void *saved;            // (B, T, recurra_saved_blocks() * padded H) for the backward pass, or null
} recurra_scan;

// What the backward pass reads and writes, beside the scan with its ``outputs`` and ``saved``.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_grads)
  const void *d_outputs;  // (B, T, H), or null for zeros
  const void *d_h, *d_c;  // (B, H), or null for zeros
  void *d_x;              // (B, T, I), or null if nobody asks
  void *d_weight_ih, *d_weight_hh, *d_bias_ih, *d_bias_hh, *d_per_unit;  // shaped as the weights; null if nobody asks
  void *d_h0, *d_c0;      // (B, H); null if nobody asks
} recurra_grads;

// The additive score of attention: Q queries of each row with T keys, both A wide.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_energy)
  int32_t dtype;          // RECURRA_FLOAT or RECURRA_DOUBLE
  int32_t threads;        // at most so many
  int64_t batch, queries, steps, width;
  const void *query;       // (B, Q, A)
  const void *keys;        // (B, T, A)
  const void *vector;      // (A)
  void *energies;          // (B, Q, T): the sum over A of vector * tanh(query + keys); written in the forward pass
  const void *d_energies;  // (B, Q, T), read in the backward pass, which writes what follows
  void *d_query, *d_keys, *d_vector;  // shaped as their namesakes; Q and T at least 1
} recurra_energy;

// A leaky plain cell whose recurrent weights U are mostly zero: h' = h + a (tanh(x + U h) - h), without gradients.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_sparse)
  int32_t dtype;          // RECURRA_FLOAT or RECURRA_DOUBLE
  int32_t threads;        // at most so many
  int32_t reverse;        // from the last step to the first
  double leak;            // a
  int64_t batch, steps, hidden;
  const void *x;            // (B, T, H), what the inputs contribute
  const void *weights;      // those of U that are not zero, row by row
  const int32_t *columns;   // where each of them lies in its row
  const int64_t *ends;      // (H), behind the last of them in each row
  const void *h0;           // (B, H)
  const uint8_t *mask;      // (B, T), or null: where 0 the state is kept and the output is 0
  void *outputs;            // (B, T, H)
  void *h;                  // (B, H) after the last step
  void *memory;             // of the library
} recurra_sparse;

// A linear-chain conditional random field: K labels, of which one follows another at every step. Its numbers are
// logarithms, all double; minus infinity is what is forbidden.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_chain)
  int32_t threads;        // exactly so many parts, each of which has its own gradients of the parameters
  int64_t batch, steps, labels;  // B, T, K, the last two at least 1
  const void *scores;       // (B, T, K)
  const void *transitions;  // (K, K), from the row to the column
  const void *first, *last; // (K)
  const int64_t *lengths;   // (B), how many steps of a row are real, at least 1; null: all of them
  const int64_t *path;      // (B, T), labels that are seen, each below K; or null
  void *value;              // (B): the logarithm of the sum over all sequences; with a path, what that is short of it
  void *log_z;              // (B): the logarithm of the sum in any case
  void *reached;            // (B, T, K), sums over the ways to each label, written in the forward pass
  void *carried;            // (B, T, K), what of them comes from the step before; so is this
  const void *d_value;      // (B), read in the backward pass, which writes what follows, all of it
  void *d_scores;           // (B, T, K)
  void *d_transitions;      // (threads, K, K)
  void *d_first, *d_last;   // (threads, K)
  int64_t *best;            // (B, T), the best labels of all; 0 behind the end
  void *memory;             // of the library
} recurra_chain;

// A cell that looks at a memory after each step of a scan, and is fed with what it saw (native/attend.h). Of the scan, x
// is (B, T, G*H) what the inputs contribute, weight_ih (G*H, H) is for what was said before (null forwards: that is not
// read again), and outputs are those of the cell, which may lie where h does if T is 1, as h0 and c0 may lie where h and
// c do, and first where outputs do; there is no bias_ih, no mask, no keep, no direction, no self_fed, and no cell that normalises.
// M rows of memory of S steps, A the width of keys, V that of values.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_attend)
  int32_t additive;       // the score: the sum over A of vector * tanh(query + key), or of scale * query * key
  int64_t memory_steps, key_width, value_width;  // S, A, V
  double scale;
  const void *keys;          // (M, S, A)
  const void *values;        // (M, S, V)
  const uint8_t *mask;       // (M, S), or null: where 0 nothing is seen, nor read
  const int64_t *rows;       // (B), the row of memory that each looks at; null: its own, and M is B
  const void *query_weight;  // (A, H), or null: the output is the query, and A is H
  const void *vector;        // (A), or null
  const void *combine;       // (H, V+H)
  const void *first;         // (B, H) what was said before the first step
  const void *packed;        // what recurra_attend_pack wrote of the same weights, or null
  void *outputs;             // (B, T, H) what is said
  void *weights;             // (B, T, S) where each step looked
  void *contexts;            // (B, T, V) what it saw
  void *queries;             // (B, T, A), null where query_weight is
} recurra_attend;

// What the backward pass reads and writes, all of it, beside the scan and what the forward pass wrote. The gradients of
// the weights are products of these: of weight_ih, d_x with what was said before; of weight_hh, d_recurrent with the old
// outputs; of combine, d_combined with [contexts; outputs of the cell]; of query_weight, d_queries with those outputs.
typedef struct {
  int32_t version, size;  // RECURRA_VERSION, sizeof(recurra_attend_grads)
  const void *d_outputs;  // (B, T, H), or null for zeros
  const void *d_weights;  // (B, T, S), or null for zeros
  const void *d_h, *d_c;  // (B, H), or null for zeros
  void *d_x;              // (B, T, G*H)
  void *d_recurrent;      // (B, T, G*H); null for a cell without a reset gate, where it would be d_x
  void *d_combined;       // (B, T, H)
  void *d_contexts;       // (B, T, V)
  void *d_energies;       // (B, T, S)
  void *d_queries;        // (B, T, A), null where query_weight is
  void *d_keys, *d_values;  // (B, S, A) and (B, S, V)
  void *d_vector;         // (B, A), of each row; null where vector is
  void *d_per_unit;       // (B, P*H), of each row; null where per_unit is
  void *d_h0, *d_c0, *d_first;  // (B, H)
} recurra_attend_grads;

// What this library was built for: 0 is the version of the interface, 1 to 7 are the sizes of the seven structs; -1 beyond.
RECURRA_API int32_t recurra_number(int32_t which);

// The names of all cells: a comma-separated list.
RECURRA_API const char *recurra_cells(void);

// The number of a cell by its name, or -1.
RECURRA_API int32_t recurra_cell(const char *name);

// How many blocks of padded H numbers a step saves; a scan with a mask saves one more.
RECURRA_API int32_t recurra_saved_blocks(int32_t cell, int32_t masked);

// Whether the gradients of what inputs and old outputs contribute to a gate differ, as one multiplies the other.
RECURRA_API int32_t recurra_cell_resets(int32_t cell);

// Both return RECURRA_OK, RECURRA_NO_MEMORY or RECURRA_OTHER_VERSION. T must be at least 1; B may be 0. The memory for
// their work is kept for later calls, at most 64 MB of it in the process, and given back when it has lain idle.
RECURRA_API int32_t recurra_forward(const recurra_scan *scan);
RECURRA_API int32_t recurra_backward(const recurra_scan *scan, const recurra_grads *grads);

// Both return RECURRA_OK or RECURRA_OTHER_VERSION, and need no memory.
RECURRA_API int32_t recurra_energy_forward(const recurra_energy *energy);
RECURRA_API int32_t recurra_energy_backward(const recurra_energy *energy);

// Returns RECURRA_OK, RECURRA_NO_MEMORY or RECURRA_OTHER_VERSION.
RECURRA_API int32_t recurra_sparse_forward(const recurra_sparse *sparse);

// All return RECURRA_OK, RECURRA_NO_MEMORY or RECURRA_OTHER_VERSION. ``best`` reads no path and writes ``value``, the score
// of the best labels, and ``best``.
RECURRA_API int32_t recurra_chain_forward(const recurra_chain *chain);
RECURRA_API int32_t recurra_chain_backward(const recurra_chain *chain);
RECURRA_API int32_t recurra_chain_best(const recurra_chain *chain);

// Both return RECURRA_OK, RECURRA_NO_MEMORY or RECURRA_OTHER_VERSION. T and S must be at least 1; B may be 0. Gradients are
// for scans with ``saved`` and memories without ``rows``.
RECURRA_API int32_t recurra_attend_forward(const recurra_scan *scan, const recurra_attend *attend);
RECURRA_API int32_t recurra_attend_backward(const recurra_scan *scan, const recurra_attend *attend,
                                            const recurra_attend_grads *grads);

// Lays the weights out as ``packed``, which the forward pass does each time where it gets none, and returns how many
// bytes that takes, or -1 if a struct is of another version. With ``to`` null it only counts. ``to`` must lie on a
// multiple of 64.
RECURRA_API int64_t recurra_attend_pack(const recurra_scan *scan, const recurra_attend *attend, void *to);

// Streaming. A stepper holds its own copy of the weights, laid out for the kernel (of ``scan`` it reads the cell, the
// type, the sizes but T, and the weights); a step moves h and c (B, H) on in place and allocates nothing. One stepper
// must not be used by two threads at once. recurra_stepper_new returns null if there is no memory, or if ``scan`` is of
// another version.
RECURRA_API void *recurra_stepper_new(const recurra_scan *scan);
RECURRA_API void recurra_stepper_step(void *stepper, const void *x, void *h, void *c);
RECURRA_API void recurra_stepper_free(void *stepper);

// The instruction sets of this library that the machine can run, fastest first: a comma-separated list of names
// (avx512, avx2, plain; plain is NEON on ARM). The first one is in use until another one is chosen; choosing is for
// tests, and must not happen while something runs or between a forward pass and its backward pass. Returns 0, or -1 if
// it cannot be had.
RECURRA_API const char *recurra_instruction_sets(void);
RECURRA_API const char *recurra_instruction_set(void);
RECURRA_API int32_t recurra_use_instruction_set(const char *name);

// Whether this library and this machine round what is RECURRA_ROUNDED; else that is computed as RECURRA_FLOAT.
RECURRA_API int32_t recurra_rounds(void);

// The vectorised functions by themselves, for tests of their error: "exp", "sigmoid" or "tanh" of n numbers.
RECURRA_API int32_t recurra_map(const char *function, int32_t dtype, int64_t n, const void *in, void *out);

#ifdef __cplusplus
}
#endif

#endif
