// Many threads that scan and score at once, alone and in teams, from the same weights: a program for ThreadSanitizer, which ends
// it at the first race. It ends by itself with 1 if a thread gets other numbers than it would get alone.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cstddef>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "recurra.h"

namespace {

using Numbers = std::vector<float>;

constexpr int64_t most_gates = 6, most_saved = 12;  // of any cell
constexpr int callers = 4, rounds = 2;

// What all threads read.
struct Problem {
  int32_t cell;
  int64_t batch, steps, input, hidden;
  Numbers x, weight_ih, weight_hh, bias, per_unit, h0, keep;
  std::vector<uint8_t> mask;
};

Numbers drawn(int64_t count, std::mt19937 &source) {
  std::uniform_real_distribution<float> draw(-0.3f, 0.3f);
  Numbers numbers(static_cast<size_t>(count));
  for (float &number : numbers) number = draw(source);
  return numbers;
}

Problem problem_of(const std::string &name, int64_t batch, int64_t steps, int64_t hidden) {
  const int32_t cell = recurra_cell(name.c_str());
  std::mt19937 source(static_cast<unsigned>(cell));
  // A cell that normalises is given what the inputs contribute.
  const int64_t input = name == "ln_lstm" ? 4 * hidden : name == "ln_gru" ? 3 * hidden : 5, gates = most_gates * hidden;
  Problem p = {cell, batch, steps, input, hidden, drawn(batch * steps * input, source), drawn(gates * input, source),
               drawn(gates * hidden, source), drawn(gates, source), drawn(10 * hidden, source), drawn(batch * hidden, source),
               drawn(batch * steps * hidden, source), {}};
  for (float &share : p.keep) share += 0.3f;
  for (int64_t i = 0; i < batch * steps; ++i) p.mask.push_back(i % 5 != 2);
  return p;
}

recurra_scan scan_of(const Problem &p, int threads, bool masked) {
  recurra_scan scan = {};
  scan.version = RECURRA_VERSION, scan.size = sizeof(scan);
  scan.cell = p.cell, scan.dtype = RECURRA_FLOAT, scan.threads = threads;
  scan.batch = p.batch, scan.steps = p.steps, scan.input = p.input, scan.hidden = p.hidden;
  scan.x = p.x.data(), scan.weight_ih = p.weight_ih.data(), scan.weight_hh = p.weight_hh.data();
  scan.bias_ih = scan.bias_hh = p.bias.data(), scan.per_unit = p.per_unit.data();
  scan.h0 = scan.c0 = p.h0.data();
  if (masked) scan.mask = p.mask.data(), scan.keep = p.keep.data();
  return scan;
}

// Outputs, last state and all gradients, one after the other.
Numbers scanned(const Problem &p, int threads, bool masked) {
  const int64_t whole = p.batch * p.steps * p.hidden, last = p.batch * p.hidden;
  const int64_t sizes[] = {whole, last, last, p.batch * p.steps * p.input, static_cast<int64_t>(p.weight_ih.size()),
                           static_cast<int64_t>(p.weight_hh.size()), static_cast<int64_t>(p.bias.size()),
                           static_cast<int64_t>(p.bias.size()), static_cast<int64_t>(p.per_unit.size()), last, last};
  int64_t count = 0;
  for (const int64_t size : sizes) count += size;
  Numbers all(static_cast<size_t>(count)), ones(static_cast<size_t>(whole), 1.0f);
  Numbers saved(static_cast<size_t>(p.batch * p.steps * most_saved * (p.hidden + RECURRA_PAD)));
  float *at = all.data();
  const auto next = [&](int which) {
    float *const piece = at;
    at += sizes[which];
    return piece;
  };
  recurra_scan scan = scan_of(p, threads, masked);
  scan.saved = saved.data(), scan.outputs = next(0), scan.h = next(1), scan.c = next(2);
  recurra_grads grads = {};
  grads.version = RECURRA_VERSION, grads.size = sizeof(grads);
  grads.d_outputs = grads.d_h = grads.d_c = ones.data();
  grads.d_x = next(3), grads.d_weight_ih = next(4), grads.d_weight_hh = next(5), grads.d_bias_ih = next(6);
  grads.d_bias_hh = next(7), grads.d_per_unit = next(8), grads.d_h0 = next(9), grads.d_c0 = next(10);
  if (recurra_forward(&scan) != RECURRA_OK || recurra_backward(&scan, &grads) != RECURRA_OK) all.clear();
  return all;
}

Numbers stepped(const Problem &p) {
  const recurra_scan scan = scan_of(p, 1, false);
  Numbers h = p.h0, c = p.h0;
  void *const stepper = recurra_stepper_new(&scan);
  if (!stepper) return {};
  for (int step = 0; step < 4; ++step) recurra_stepper_step(stepper, p.x.data(), h.data(), c.data());
  recurra_stepper_free(stepper);
  return h;
}

// Energies and all their gradients, one after the other.
Numbers scored(int threads) {
  const int64_t batch = 5, queries = 3, steps = 20, width = 50;
  std::mt19937 source(1);
  const Numbers query = drawn(batch * queries * width, source), keys = drawn(batch * steps * width, source);
  const Numbers vector = drawn(width, source), d_energies = drawn(batch * queries * steps, source);
  Numbers energies(d_energies.size()), d_query(query.size()), d_keys(keys.size()), d_vector(vector.size());
  recurra_energy energy = {};
  energy.version = RECURRA_VERSION, energy.size = sizeof(energy), energy.dtype = RECURRA_FLOAT, energy.threads = threads;
  energy.batch = batch, energy.queries = queries, energy.steps = steps, energy.width = width;
  energy.query = query.data(), energy.keys = keys.data(), energy.vector = vector.data();
  energy.energies = energies.data(), energy.d_energies = d_energies.data();
  energy.d_query = d_query.data(), energy.d_keys = d_keys.data(), energy.d_vector = d_vector.data();
  if (recurra_energy_forward(&energy) != RECURRA_OK || recurra_energy_backward(&energy) != RECURRA_OK) return {};
  Numbers all;
  for (const Numbers *part : {&energies, &d_query, &d_keys, &d_vector}) all.insert(all.end(), part->begin(), part->end());
  return all;
}

// Sums over the labels of a chain, all their gradients and the best labels, one after the other.
Numbers chained(int threads) {
  const int64_t batch = 7, steps = 9, labels = 11, all = batch * steps * labels, pairs = labels * labels;
  std::mt19937 source(2);
  const auto doubles = [&](int64_t count) {
    const Numbers numbers = drawn(count, source);
    return std::vector<double>(numbers.begin(), numbers.end());
  };
  const std::vector<double> scores = doubles(all), transitions = doubles(pairs), ends = doubles(labels);
  const std::vector<double> d_value = doubles(batch);
  std::vector<double> value(static_cast<size_t>(batch)), log_z(value), reached(scores), carried(scores), d_scores(scores);
  std::vector<double> d_transitions(static_cast<size_t>(threads * pairs)), d_first(static_cast<size_t>(threads * labels));
  std::vector<double> d_last(d_first);
  std::vector<int64_t> path(static_cast<size_t>(batch * steps), 1), best(path);
  recurra_chain chain = {};
  chain.version = RECURRA_VERSION, chain.size = sizeof(chain), chain.threads = threads;
  chain.batch = batch, chain.steps = steps, chain.labels = labels;
  chain.scores = scores.data(), chain.transitions = transitions.data(), chain.first = chain.last = ends.data();
  chain.path = path.data(), chain.value = value.data(), chain.log_z = log_z.data();
  chain.reached = reached.data(), chain.carried = carried.data(), chain.d_value = d_value.data();
  chain.d_scores = d_scores.data(), chain.d_transitions = d_transitions.data();
  chain.d_first = d_first.data(), chain.d_last = d_last.data(), chain.best = best.data();
  if (recurra_chain_forward(&chain) != RECURRA_OK || recurra_chain_backward(&chain) != RECURRA_OK) return {};
  Numbers found;
  for (const std::vector<double> *part : {&value, &d_scores, &d_transitions, &d_first, &d_last})
    found.insert(found.end(), part->begin(), part->end());
  if (recurra_chain_best(&chain) != RECURRA_OK) return {};
  found.insert(found.end(), best.begin(), best.end());
  return found;
}

// A cell that looks at a memory: all that comes out and all gradients, one after the other, and a step of packed weights.
Numbers attended(const char *name, int64_t gates, bool additive, int threads) {
  const int64_t batch = 13, steps = 3, hidden = 40, memory = 6, keys = additive ? 24 : 40, values = 30;
  std::mt19937 source(3);
  const auto draw = [&](int64_t count) { return drawn(count, source); };
  const Numbers x = draw(batch * steps * gates * hidden), feed = draw(gates * hidden * hidden), recurrent = draw(gates * hidden * hidden);
  const Numbers bias = draw(gates * hidden), state = draw(batch * hidden), key = draw(batch * memory * keys);
  const Numbers value = draw(batch * memory * values), query = draw(keys * hidden), vector = draw(keys);
  const Numbers combine = draw(hidden * (values + hidden)), ends = draw(batch * steps * hidden);
  std::vector<uint8_t> mask;
  for (int64_t i = 0; i < batch * memory; ++i) mask.push_back(i % 5 != 2);
  Numbers all(static_cast<size_t>(batch * steps * (4 * hidden + 2 * memory + 2 * values + 2 * keys + 2 * gates * hidden) +
                                  batch * (5 * hidden + memory * (keys + values) + keys)));
  float *at = all.data();
  const auto next = [&](int64_t count) {
    float *const piece = at;
    at += count;
    return piece;
  };
  recurra_scan scan = {};
  scan.version = RECURRA_VERSION, scan.size = sizeof(scan), scan.cell = recurra_cell(name), scan.threads = threads;
  scan.batch = batch, scan.steps = steps, scan.input = scan.hidden = hidden, scan.x = x.data(), scan.weight_ih = feed.data();
  scan.weight_hh = recurrent.data(), scan.bias_hh = bias.data(), scan.h0 = scan.c0 = state.data();
  Numbers saved(static_cast<size_t>(batch * steps * recurra_saved_blocks(scan.cell, 0) * (hidden + RECURRA_PAD)));
  scan.saved = saved.data(), scan.outputs = next(batch * steps * hidden);
  scan.h = next(batch * hidden), scan.c = next(batch * hidden);
  recurra_attend attend = {};
  attend.version = RECURRA_VERSION, attend.size = sizeof(attend), attend.additive = additive, attend.scale = 0.5;
  attend.memory_steps = memory, attend.key_width = keys, attend.value_width = values;
  attend.keys = key.data(), attend.values = value.data(), attend.mask = mask.data(), attend.combine = combine.data();
  attend.first = state.data(), attend.outputs = next(batch * steps * hidden);
  attend.weights = next(batch * steps * memory), attend.contexts = next(batch * steps * values);
  if (additive) attend.query_weight = query.data(), attend.vector = vector.data(), attend.queries = next(batch * steps * keys);
  recurra_attend_grads grads = {};
  grads.version = RECURRA_VERSION, grads.size = sizeof(grads), grads.d_outputs = grads.d_h = grads.d_c = ends.data();
  grads.d_x = next(batch * steps * gates * hidden), grads.d_recurrent = next(batch * steps * gates * hidden);
  grads.d_combined = next(batch * steps * hidden), grads.d_contexts = next(batch * steps * values);
  grads.d_energies = next(batch * steps * memory), grads.d_keys = next(batch * memory * keys);
  grads.d_values = next(batch * memory * values), grads.d_h0 = next(batch * hidden), grads.d_c0 = next(batch * hidden);
  grads.d_first = next(batch * hidden);
  if (additive) grads.d_queries = next(batch * steps * keys), grads.d_vector = next(batch * keys);
  if (recurra_attend_forward(&scan, &attend) != RECURRA_OK) return {};
  if (recurra_attend_backward(&scan, &attend, &grads) != RECURRA_OK) return {};
  std::vector<std::max_align_t> packed(static_cast<size_t>(recurra_attend_pack(&scan, &attend, nullptr)) / sizeof(std::max_align_t) + 8);
  void *const aligned = reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(packed.data()) + 63) / 64 * 64);
  recurra_attend_pack(&scan, &attend, aligned);
  Numbers once(all.begin(), all.begin() + (at - all.data()));  // what one step writes goes over the first steps of all
  scan.steps = 1, scan.saved = nullptr, attend.packed = aligned;
  if (recurra_attend_forward(&scan, &attend) != RECURRA_OK) return {};
  once.insert(once.end(), all.begin(), all.begin() + batch * hidden);
  return once;
}

std::vector<Numbers> answers(const std::vector<Problem> &problems) {
  std::vector<Numbers> all;
  for (const Problem &problem : problems) {
    for (const int threads : {1, 3, 4})
      for (const bool masked : {false, true}) all.push_back(scanned(problem, threads, masked));
    all.push_back(stepped(problem));
  }
  for (const int threads : {1, 3, 4}) {
    all.push_back(scored(threads)), all.push_back(chained(threads));
    all.push_back(attended("lstm", 4, true, threads)), all.push_back(attended("gru", 3, false, threads));
  }
  return all;
}

}  // namespace

int main() {
  std::vector<Problem> problems;
  std::istringstream names(recurra_cells());
  for (std::string name; std::getline(names, name, ',');) {
    problems.push_back(problem_of(name, 1, 7, 200));   // a team shares the units of one row
    problems.push_back(problem_of(name, 70, 4, 20));   // teams share the rows
    problems.push_back(problem_of(name, 2, 150, 70));  // several chunks of steps
  }
  const std::vector<Numbers> alone = answers(problems);
  std::vector<int> wrong(callers, 0);
  std::vector<std::thread> threads;
  for (int caller = 0; caller < callers; ++caller)
    threads.emplace_back([&, caller] {
      for (int round = 0; round < rounds; ++round) {
        const std::vector<Numbers> ours = answers(problems);
        for (size_t i = 0; i < alone.size(); ++i)
          wrong[static_cast<size_t>(caller)] +=
              alone[i].empty() || memcmp(ours[i].data(), alone[i].data(), alone[i].size() * sizeof(float)) != 0;
      }
    });
  int sum = 0;
  for (int caller = 0; caller < callers; ++caller) {
    threads[static_cast<size_t>(caller)].join();
    sum += wrong[static_cast<size_t>(caller)];
  }
  printf("%zu answers by %d threads at once, %d of them with other numbers than alone\n", alone.size(), callers, sum);
  return sum ? 1 : 0;
}
