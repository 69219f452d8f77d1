// The entry points: choose the instruction set, split the batch among threads, run the kernel.
#include "recurra.h"

#include <string.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#if defined(RECURRA_OWN_THREADS)
#include <thread>
#elif defined(_OPENMP)
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(RECURRA_HAS_BFLOAT16)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "job.h"
#include "pool.h"

namespace recurra {

#if defined(RECURRA_HAS_BFLOAT16)
namespace bfloat16 {
extern const Instructions instructions;
}
#endif
#if defined(RECURRA_HAS_AVX512)
namespace avx512 {
extern const Instructions instructions;
}
#endif
#if defined(RECURRA_HAS_AVX2)
namespace avx2 {
extern const Instructions instructions;
}
#endif
namespace plain {
extern const Instructions instructions;
}

namespace {

std::vector<const Instructions *> available() {
  std::vector<const Instructions *> sets;
#if defined(RECURRA_HAS_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    sets.push_back(&avx512::instructions);
#endif
#if defined(RECURRA_HAS_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&avx2::instructions);
#endif
  sets.push_back(&plain::instructions);
  return sets;
}

const std::vector<const Instructions *> &instruction_sets() {
  static const std::vector<const Instructions *> sets = available();
  return sets;
}

const Instructions *&chosen() {
  static const Instructions *set = instruction_sets().front();
  return set;
}

#if defined(RECURRA_HAS_BFLOAT16)
// Tiles are large, so that Linux saves them for no process that has not asked for it.
bool may_use_tiles() {
  constexpr int ask_for = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  constexpr unsigned bfloat16_tiles = 1u << 22, tiles = 1u << 24, bfloat16_vectors = 1u << 5;
  unsigned a, b, c, of_tiles, of_vectors;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &of_tiles) || !__get_cpuid_count(7, 1, &of_vectors, &b, &c, &a)) return false;
  const bool there = (of_tiles & bfloat16_tiles) && (of_tiles & tiles) && (of_vectors & bfloat16_vectors);
  return there && syscall(SYS_arch_prctl, ask_for, tile_data) == 0;
}
#endif

// The instruction set that rounds the factors of products, or null.
const Instructions *rounding() {
#if defined(RECURRA_HAS_BFLOAT16)
  static const bool there = strcmp(instruction_sets().front()->name, "avx512") == 0 && may_use_tiles();
  return there ? &bfloat16::instructions : nullptr;
#else
  return nullptr;
#endif
}

bool is_float(const recurra_scan &scan) { return scan.dtype != RECURRA_DOUBLE; }
int64_t bytes_of_number(const recurra_scan &scan) { return is_float(scan) ? 4 : 8; }
int type_of(const recurra_scan &scan) { return is_float(scan) ? 0 : 1; }

const CellKernels &cell_of(const recurra_scan &scan) {
  const Instructions *const rounded = scan.dtype == RECURRA_ROUNDED ? rounding() : nullptr;
  return (rounded ? rounded : chosen())->cells[scan.cell];
}

// Never destroyed: at the end of the process some thread may still scan.
Pool &pool() {
  static Pool &pool = *new Pool;
  return pool;
}

// The threads of a team do not exist in a forked child, and asking OpenMP for them would wait for ever.
bool forked = false;

struct ForkWatch {
  ForkWatch() {
#if !defined(_WIN32)
    pthread_atfork([] { pool().lock(); }, [] { pool().unlock(); },
                   [] {
                     pool().unlock();
                     forked = true;
                   });
#endif
  }
} fork_watch;

int64_t processors() {
#if defined(RECURRA_OWN_THREADS)
  return 4;  // whatever the machine has: what is looked for are races
#elif defined(_OPENMP)
  return omp_get_num_procs();
#else
  return 1;
#endif
}

int threads_for(int32_t asked) {
#if defined(RECURRA_OWN_THREADS) || defined(_OPENMP)
  return forked ? 1 : std::max(1, asked);
#else
  (void)asked;
  return 1;
#endif
}

constexpr int64_t rows_of_a_group = 64;
// Measured on two cores with 1 MB of cache each. Below so many multiplications per thread and row a step is over sooner
// than the threads could meet ...
constexpr int64_t shared_step = 1 << 13;
// ... and from so many bytes on, the recurrent weights come from far away for every step and thread.
constexpr int64_t far_bytes = 8 << 20;
// Every team sums the gradients of the weights by itself: so much memory may go into that.
constexpr int64_t bytes_of_sums = 128 << 20;

// How threads share a call: teams have rows, the threads of a team have hidden units.
struct Sharing {
  int teams, team_size;
};

Sharing share_among(const recurra_scan &scan, int64_t threads) {
  const CellKernels &cell = cell_of(scan);
  const int64_t weights = cell.recurrent ? cell.blocks * scan.hidden * scan.hidden : 0;
  const int64_t inputs = cell.blocks * scan.hidden * scan.input;
  const int64_t size = bytes_of_number(scan);
  // A team waits at every step, so it must not be larger than what can run at once.
  const int64_t largest = std::max<int64_t>(1, std::min({threads, processors(), scan.hidden / RECURRA_PAD}));
  if (weights * size > far_bytes && scan.batch < 16 * threads && !cell.normalised) return {1, static_cast<int>(largest)};
  const int64_t affordable = std::max<int64_t>(1, bytes_of_sums / std::max<int64_t>(1, (weights + inputs) * size));
  const int64_t teams = std::max<int64_t>(1, std::min({threads, scan.batch, affordable}));
  // Without a product there is no waiting; means over all units would have to be waited for three times a step.
  const int64_t worth = cell.normalised ? 1 : cell.recurrent ? weights / shared_step : threads;
  const int64_t team_size = std::min({threads / teams, largest, worth});
  return {static_cast<int>(teams), static_cast<int>(scan.batch < threads ? std::max<int64_t>(1, team_size) : 1)};
}

// The rows of the batch in groups, and which of them take part at each step.
struct Split {
  std::vector<Slot> slots;
  std::vector<int32_t> active;
  std::vector<Group> groups;
  int64_t most_rows = 0;
};

Slot slot_of(const recurra_scan &scan, int64_t row) {
  Slot slot = {row, 0, scan.steps, false};
  if (!scan.mask) return slot;
  const uint8_t *mask = scan.mask + row * scan.steps;
  auto real = [&](int64_t step) { return mask[scan.reverse ? scan.steps - 1 - step : step] != 0; };
  while (slot.start < slot.end && !real(slot.start)) ++slot.start;
  while (slot.end > slot.start && !real(slot.end - 1)) --slot.end;
  for (int64_t step = slot.start; step < slot.end; ++step) slot.holes |= !real(step);
  if (slot.start == slot.end) slot.start = slot.end = 0;
  return slot;
}

// Longest first; where all end together, those that begin first. Either way the rows that take part come first.
void split_rows(const recurra_scan &scan, int teams, Split &split) {
  std::vector<Slot> all(static_cast<size_t>(scan.batch));
  for (int64_t row = 0; row < scan.batch; ++row) all[static_cast<size_t>(row)] = slot_of(scan, row);
  const auto ends_early = [&](const Slot &slot) { return slot.end < scan.steps; };
  if (std::none_of(all.begin(), all.end(), ends_early))
    std::stable_sort(all.begin(), all.end(), [](const Slot &a, const Slot &b) { return a.start < b.start; });
  else
    std::stable_sort(all.begin(), all.end(), [](const Slot &a, const Slot &b) { return a.end > b.end; });
  const int64_t each = (scan.batch + teams - 1) / teams;
  const int64_t count = std::min<int64_t>(scan.batch, teams * ((each + rows_of_a_group - 1) / rows_of_a_group));
  split.slots.reserve(all.size());
  split.active.assign(static_cast<size_t>(count * scan.steps), 0);
  for (int64_t number = 0; number < count; ++number) {
    // Dealt like cards, so that every group has short and long rows.
    const size_t first = split.slots.size();
    for (int64_t n = number; n < scan.batch; n += count) split.slots.push_back(all[static_cast<size_t>(n)]);
    Group group = {split.slots.data() + first, split.active.data() + number * scan.steps,
                   static_cast<int64_t>(split.slots.size() - first), 0};
    int32_t *active = split.active.data() + number * scan.steps;
    for (int64_t slot = 0; slot < group.count; ++slot) {
      const Slot &at = group.slots[slot];
      group.steps = std::max(group.steps, at.end);
      for (int64_t step = at.start; step < at.end; ++step) active[step] = static_cast<int32_t>(slot + 1);
    }
    split.groups.push_back(group);
    split.most_rows = std::max(split.most_rows, group.count);
  }
}

// Ask for large pages: what a scan saves is fresh memory each time, and page by small page the kernel needs longer to
// hand it out than the scan to fill it.
void use_large_pages(void *memory, int64_t bytes) {
#if defined(__linux__)
  constexpr uintptr_t page = 2 << 20;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory), end = begin + static_cast<uintptr_t>(bytes);
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}

int64_t saved_bytes(const recurra_scan &scan) {
  const int64_t padded = (scan.hidden + RECURRA_PAD - 1) / RECURRA_PAD * RECURRA_PAD;
  return scan.batch * scan.steps * recurra_saved_blocks(scan.cell, scan.mask != nullptr) * padded *
         bytes_of_number(scan);
}

// Everything about a call but its memory.
struct Prepared {
  Call call;
  Split split;
  std::vector<Barrier> barriers;

  Prepared(const recurra_scan &scan, const recurra_grads *grads, int threads) {
    const Sharing sharing = share_among(scan, threads);
    split_rows(scan, sharing.teams, split);
    barriers.assign(static_cast<size_t>(sharing.teams), Barrier{});
    call = {scan,
            grads,
            sharing.teams * sharing.team_size,
            sharing.team_size,
            split.groups.data(),
            static_cast<int>(split.groups.size()),
            split.most_rows,
            barriers.data(),
            nullptr};
  }
};

void run_alone(const Kernel &kernel, const Call &call) {
  kernel.pack(call, 0);
  kernel.scan(call, 0);
  kernel.finish(call, 0);
}

// Returns false, and has done nothing, if it does not get the threads that the work was split for: inside another
// parallel region, or under a limit, they may be fewer.
bool run_together(const Kernel &kernel, const Call &call) {
  bool complete = true;
#if defined(RECURRA_OWN_THREADS)
  // ThreadSanitizer does not see how the threads of OpenMP wait for each other, and would call all they share a race.
  Barrier barrier = {};
  const auto work = [&](int thread) {
    kernel.pack(call, thread);
    wait_for_all(barrier, call.threads);
    kernel.scan(call, thread);
    wait_for_all(barrier, call.threads);
    kernel.finish(call, thread);
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < call.threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread &other : others) other.join();
#elif defined(_OPENMP)
#pragma omp parallel num_threads(call.threads)
  {
    const int thread = omp_get_thread_num();
    if (omp_get_num_threads() == call.threads) {
      kernel.pack(call, thread);
#pragma omp barrier
      kernel.scan(call, thread);
#pragma omp barrier
      kernel.finish(call, thread);
    } else if (thread == 0) {
      complete = false;
    }
  }
#endif
  return complete;
}

bool run_on(int threads, const Kernel &kernel, const recurra_scan &scan, const recurra_grads *grads) {
  Prepared prepared(scan, grads, threads);
  Call &call = prepared.call;
  Block memory = pool().take(kernel.bytes(call));
  call.memory = memory.begin();
  if (!call.memory) throw std::bad_alloc();
  const bool done = call.threads > 1 ? run_together(kernel, call) : (run_alone(kernel, call), true);
  pool().give(std::move(memory));
  return done;
}

// Whether the caller knows the structs as this library does.
template <class Struct>
bool fits(const Struct &given) {
  return given.version == RECURRA_VERSION && given.size == static_cast<int32_t>(sizeof(Struct));
}

int32_t run(const Kernel &kernel, const recurra_scan &scan, const recurra_grads *grads) try {
  if (scan.saved && !grads) use_large_pages(scan.saved, saved_bytes(scan));
  if (!run_on(threads_for(scan.threads), kernel, scan, grads)) run_on(1, kernel, scan, grads);
  return RECURRA_OK;
} catch (const std::exception &) {  // no memory, or a batch of more steps than a vector can have
  return RECURRA_NO_MEMORY;
}

// Fewer rows take a thread as long: until then it waits for the weights.
constexpr int64_t fewest_rows = 4;

// A cell that looks at a memory: each thread has some rows.
Call attending(int threads, const recurra_scan &scan, const recurra_attend &attend, const recurra_attend_grads *grads) {
  Call call = {};
  call.scan = scan;
  call.threads = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, scan.batch / fewest_rows)));
  call.team_size = 1;
  call.attend = &attend;
  call.attend_grads = grads;
  return call;
}

int32_t run(const Kernel &kernel, Call call) {
  for (;; call.threads = 1) {
    Block memory = pool().take(kernel.bytes(call));
    call.memory = memory.begin();
    if (!call.memory) return RECURRA_NO_MEMORY;
    const bool done = call.threads > 1 ? run_together(kernel, call) : (run_alone(kernel, call), true);
    pool().give(std::move(memory));
    if (done) return RECURRA_OK;
  }
}

// Parts that know nothing of each other: whoever is there takes the next one.
template <class Job>
void run_parts(void (*kernel)(const Job &, int), const Job &job) {
#if defined(RECURRA_OWN_THREADS)
  std::vector<std::thread> others;
  for (int thread = 1; thread < job.threads; ++thread) others.emplace_back(kernel, std::cref(job), thread);
  kernel(job, 0);
  for (std::thread &other : others) other.join();
#elif defined(_OPENMP)
#pragma omp parallel for schedule(static, 1) num_threads(job.threads) if (job.threads > 1)
  for (int thread = 0; thread < job.threads; ++thread) kernel(job, thread);
#else
  kernel(job, 0);
#endif
}

int32_t run(const EnergyKernel kernels[2], const recurra_energy &energy) {
  if (!fits(energy)) return RECURRA_OTHER_VERSION;
  recurra_energy job = energy;
  job.threads = threads_for(energy.threads);
  run_parts(kernels[job.dtype], job);
  return RECURRA_OK;
}

int32_t run(const SparseKernel kernels[2], const recurra_sparse &sparse) {
  if (!fits(sparse)) return RECURRA_OTHER_VERSION;
  recurra_sparse job = sparse;
  job.threads = threads_for(sparse.threads);
  Block memory = pool().take(2 * 64 * job.hidden * job.threads);  // two states of as many rows as the widest vector has
  job.memory = memory.begin();
  if (!job.memory) return RECURRA_NO_MEMORY;
  run_parts(kernels[job.dtype], job);
  pool().give(std::move(memory));
  return RECURRA_OK;
}

int32_t run(ChainKernel kernel, const recurra_chain &chain) {
  if (!fits(chain)) return RECURRA_OTHER_VERSION;
  const int64_t bytes = chosen()->chain_bytes(chain);
  const int32_t parts = std::max(1, chain.threads), threads = threads_for(parts);
  Block memory = pool().take(bytes * parts);
  recurra_chain job = chain;
  job.threads = parts;
  job.memory = memory.begin();
  if (!job.memory) return RECURRA_NO_MEMORY;
  if (threads == parts) {
    run_parts(kernel, job);
  } else {
    for (int32_t part = 0; part < parts; ++part) kernel(job, part);
  }
  pool().give(std::move(memory));
  return RECURRA_OK;
}

// A stepper keeps its own weights, laid out once, and the memory of a scan of one step.
struct Stepper {
  Stepper(const recurra_scan &scan, const Kernel &kernel) : kernel(kernel), prepared(scan, nullptr, 1) {}

  const Kernel &kernel;
  Prepared prepared;
  Block memory;
  std::vector<char> outputs;
};

}  // namespace

constexpr int most_spins = 200;  // some microseconds

void wait_for_all(Barrier &barrier, int32_t size) {
  const int32_t round = __atomic_load_n(&barrier.round, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&barrier.arrived, 1, __ATOMIC_ACQ_REL) == size) {
    __atomic_store_n(&barrier.arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&barrier.round, round + 1, __ATOMIC_RELEASE);
    return;
  }
  int spins = 0;
  while (__atomic_load_n(&barrier.round, __ATOMIC_ACQUIRE) == round) {
    if (spins < most_spins) {
      ++spins;
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#endif
    } else {
#if !defined(_WIN32)
      sched_yield();  // the thread that is waited for may want this core
#endif
    }
  }
}

}  // namespace recurra

extern "C" {

const char *recurra_cells(void) {
  static const std::string names = [] {
    std::string joined;
    const recurra::Instructions &set = *recurra::chosen();
    for (int cell = 0; cell < set.cell_count; ++cell) joined += std::string(",") + set.cells[cell].name;
    return joined.substr(1);
  }();
  return names.c_str();
}

int32_t recurra_cell(const char *name) {
  const recurra::Instructions &set = *recurra::chosen();
  for (int32_t cell = 0; cell < set.cell_count; ++cell)
    if (strcmp(set.cells[cell].name, name) == 0) return cell;
  return -1;
}

int32_t recurra_saved_blocks(int32_t cell, int32_t masked) {
  return recurra::chosen()->cells[cell].saved + (masked ? 1 : 0);
}

int32_t recurra_cell_resets(int32_t cell) { return recurra::chosen()->cells[cell].reset; }

int32_t recurra_number(int32_t which) {
  constexpr size_t numbers[] = {RECURRA_VERSION,         sizeof(recurra_scan),  sizeof(recurra_grads),
                                sizeof(recurra_energy),  sizeof(recurra_sparse), sizeof(recurra_chain),
                                sizeof(recurra_attend),  sizeof(recurra_attend_grads)};
  const bool known = which >= 0 && which < static_cast<int32_t>(sizeof(numbers) / sizeof(*numbers));
  return known ? static_cast<int32_t>(numbers[which]) : -1;
}

int32_t recurra_forward(const recurra_scan *scan) {
  if (!recurra::fits(*scan)) return RECURRA_OTHER_VERSION;
  return recurra::run(recurra::cell_of(*scan).forward[recurra::type_of(*scan)], *scan, nullptr);
}

int32_t recurra_backward(const recurra_scan *scan, const recurra_grads *grads) {
  if (!recurra::fits(*scan) || !recurra::fits(*grads)) return RECURRA_OTHER_VERSION;
  return recurra::run(recurra::cell_of(*scan).backward[recurra::type_of(*scan)], *scan, grads);
}

int32_t recurra_energy_forward(const recurra_energy *energy) {
  return recurra::run(recurra::chosen()->energy_forward, *energy);
}

int32_t recurra_energy_backward(const recurra_energy *energy) {
  return recurra::run(recurra::chosen()->energy_backward, *energy);
}

int32_t recurra_sparse_forward(const recurra_sparse *sparse) {
  return recurra::run(recurra::chosen()->sparse_forward, *sparse);
}

int32_t recurra_chain_forward(const recurra_chain *chain) {
  return recurra::run(recurra::chosen()->chain_forward, *chain);
}

int32_t recurra_chain_backward(const recurra_chain *chain) {
  return recurra::run(recurra::chosen()->chain_backward, *chain);
}

int32_t recurra_chain_best(const recurra_chain *chain) { return recurra::run(recurra::chosen()->chain_best, *chain); }

int32_t recurra_attend_forward(const recurra_scan *scan, const recurra_attend *attend) {
  if (!recurra::fits(*scan) || !recurra::fits(*attend)) return RECURRA_OTHER_VERSION;
  const int threads = recurra::threads_for(scan->threads);
  if (scan->saved) recurra::use_large_pages(scan->saved, recurra::saved_bytes(*scan));
  return recurra::run(recurra::cell_of(*scan).attend_forward[recurra::type_of(*scan)],
                      recurra::attending(threads, *scan, *attend, nullptr));
}

int32_t recurra_attend_backward(const recurra_scan *scan, const recurra_attend *attend,
                                const recurra_attend_grads *grads) {
  if (!recurra::fits(*scan) || !recurra::fits(*attend) || !recurra::fits(*grads)) return RECURRA_OTHER_VERSION;
  const int threads = recurra::threads_for(scan->threads);
  return recurra::run(recurra::cell_of(*scan).attend_backward[recurra::type_of(*scan)],
                      recurra::attending(threads, *scan, *attend, grads));
}

int64_t recurra_attend_pack(const recurra_scan *scan, const recurra_attend *attend, void *to) {
  if (!recurra::fits(*scan) || !recurra::fits(*attend)) return -1;
  return recurra::cell_of(*scan).attend_pack[recurra::type_of(*scan)](recurra::attending(1, *scan, *attend, nullptr), to);
}

void *recurra_stepper_new(const recurra_scan *scan) try {
  if (!recurra::fits(*scan)) return nullptr;
  recurra_scan one = *scan;
  one.steps = 1;
  one.threads = 1;
  one.reverse = one.self_fed = 0;
  one.mask = nullptr;
  one.keep = one.saved = nullptr;
  auto *stepper = new recurra::Stepper(one, recurra::cell_of(one).forward[recurra::type_of(one)]);
  recurra::Call &call = stepper->prepared.call;
  stepper->memory = recurra::Block::of(stepper->kernel.bytes(call));
  call.memory = stepper->memory.begin();
  if (!call.memory) {
    delete stepper;
    return nullptr;
  }
  stepper->kernel.pack(call, 0);
  stepper->outputs.resize(static_cast<size_t>(one.batch * one.hidden * 8));
  call.scan.outputs = stepper->outputs.data();
  return stepper;
} catch (const std::bad_alloc &) {
  return nullptr;
}

void recurra_stepper_step(void *stepper, const void *x, void *h, void *c) {
  auto *own = static_cast<recurra::Stepper *>(stepper);
  recurra_scan &scan = own->prepared.call.scan;
  scan.x = x;
  scan.h0 = scan.h = h;
  scan.c0 = scan.c = c;
  own->kernel.scan(own->prepared.call, 0);
}

void recurra_stepper_free(void *stepper) { delete static_cast<recurra::Stepper *>(stepper); }

const char *recurra_instruction_sets(void) {
  static const std::string names = [] {
    std::string joined;
    for (const recurra::Instructions *set : recurra::instruction_sets()) joined += std::string(",") + set->name;
    return joined.substr(1);
  }();
  return names.c_str();
}

const char *recurra_instruction_set(void) { return recurra::chosen()->name; }

int32_t recurra_use_instruction_set(const char *name) {
  for (const recurra::Instructions *set : recurra::instruction_sets())
    if (strcmp(set->name, name) == 0) {
      recurra::chosen() = set;
      return 0;
    }
  return -1;
}

int32_t recurra_rounds(void) { return recurra::rounding() ? 1 : 0; }

int32_t recurra_map(const char *function, int32_t dtype, int64_t n, const void *in, void *out) {
  return recurra::chosen()->map(function, dtype, n, in, out);
}

}  // extern "C"
