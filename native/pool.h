// Memory for calls, kept from call to call, as fresh pages cost more than a small scan: one pool for all threads, so
// that a process keeps at most ``kept_bytes`` however many threads call, and gives back what lies idle.
#ifndef RECURRA_POOL_H
#define RECURRA_POOL_H

#include <stdint.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <utility>

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#endif

namespace recurra {

// Some pages, given back when the block goes.
class Block {
 public:
  Block() = default;
  Block(Block &&other) noexcept { swap(other); }
  Block &operator=(Block &&other) noexcept {
    Block(std::move(other)).swap(*this);
    return *this;
  }
  ~Block();

  // Without memory for it, the block is empty.
  static Block of(int64_t bytes);
  char *begin() const { return begin_; }
  int64_t size() const { return size_; }

 private:
  void swap(Block &other) {
    std::swap(begin_, other.begin_);
    std::swap(size_, other.size_);
  }

  char *begin_ = nullptr;
  int64_t size_ = 0;
};

// From the system and not from malloc, which may keep what is freed; from malloc where every access is watched.
#if defined(_WIN32) || defined(RECURRA_WATCHED)
inline Block Block::of(int64_t bytes) {
  Block block;
  bytes = (bytes + 63) / 64 * 64;
  block.begin_ = static_cast<char *>(aligned_alloc(64, static_cast<size_t>(bytes)));
  block.size_ = block.begin_ ? bytes : 0;
  return block;
}
inline Block::~Block() { free(begin_); }
#else
inline Block Block::of(int64_t bytes) {
  Block block;
  bytes = (bytes + 4095) / 4096 * 4096;
  void *pages = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return block;
  block.begin_ = static_cast<char *>(pages);
  block.size_ = bytes;
  return block;
}
inline Block::~Block() {
  if (begin_) munmap(begin_, static_cast<size_t>(size_));
}
#endif

class Pool {
 public:
  static constexpr int most_blocks = 16;
  static constexpr int64_t kept_bytes = 64 << 20;
  static constexpr std::chrono::seconds idle{10};

  // The smallest kept block that is large enough, or a new one. Not one that is many times too large: a small scan
  // now and then would keep it from ever lying idle.
  Block take(int64_t bytes) {
    {
      const Held held(*this);
      int best = -1;
      int64_t least = 4 * bytes + (64 << 10);
      for (int i = 0; i < count_; ++i) {
        const int64_t size = kept_[i].block.size();
        if (size >= bytes && size < least) best = i, least = size;
      }
      if (best >= 0) return remove(best);
    }
    return Block::of(bytes);
  }

  // Keep a block for later calls. What then is too much goes back to the system, the longest unused first; so does
  // what nobody has used for some seconds.
  void give(Block block) {
    if (block.size() > kept_bytes) return;
    Block gone[most_blocks];  // given back without the lock
    const auto now = Clock::now();
    const Held held(*this);
    int out = 0;
    while (count_ > 0 && (count_ == most_blocks || bytes_ + block.size() > kept_bytes || now - kept_[0].since > idle))
      gone[out++] = remove(0);
    bytes_ += block.size();
    kept_[count_++] = {std::move(block), now};
  }

  void lock() {
    while (locked_.test_and_set(std::memory_order_acquire)) {
#if !defined(_WIN32)
      sched_yield();
#endif
    }
  }
  void unlock() { locked_.clear(std::memory_order_release); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    Block block;
    Clock::time_point since;
  };
  struct Held {
    explicit Held(Pool &pool) : pool(pool) { pool.lock(); }
    ~Held() { pool.unlock(); }
    Pool &pool;
  };

  Block remove(int place) {
    Block block = std::move(kept_[place].block);
    bytes_ -= block.size();
    for (int i = place + 1; i < count_; ++i) kept_[i - 1] = std::move(kept_[i]);
    --count_;
    return block;
  }

  Kept kept_[most_blocks];  // in the order in which they came back
  int count_ = 0;
  int64_t bytes_ = 0;
  std::atomic_flag locked_ = ATOMIC_FLAG_INIT;
};

}  // namespace recurra

#endif
