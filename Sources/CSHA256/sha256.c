#include "CSHA256.h"
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 };

void sha256_begin(struct sha256 *hash) {
    static const unsigned start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(hash->state, start, sizeof start);
    hash->count = 0;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

int sha256_is_supported(void) {
    unsigned a, b, c, d;
    // CPUID leaf 1: ECX bit 9 SSSE3, bit 19 SSE4.1; leaf 7: EBX bit 29 SHA.
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 9 & 1) || !(c >> 19 & 1)) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

/// One stream on its way through the blocks.
struct lane {
    // The state as the instructions want it: words F E B A and H G D C, from the lowest.
    __m128i abef, cdgh;
    const uint8_t *next;
};

WITH_SHA static inline struct lane open_lane(const struct sha256 *hash, const uint8_t *bytes) {
    __m128i dcba = _mm_loadu_si128((const __m128i *)hash->state), hgfe = _mm_loadu_si128((const __m128i *)(hash->state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (struct lane){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0), bytes};
}

WITH_SHA static inline void close_lane(struct sha256 *hash, const struct lane *lane) {
    __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1b), dchg = _mm_shuffle_epi32(lane->cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)hash->state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(hash->state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/// So many blocks of each of `count` lanes, of which one or two are in use.
WITH_SHA static inline __attribute__((always_inline)) void hash_blocks(struct lane *lanes, int count, size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (; blocks > 0; blocks--) {
        __m128i words[2][4], abef[2], cdgh[2];
        for (int l = 0; l < count; l++) {
            abef[l] = lanes[l].abef, cdgh[l] = lanes[l].cdgh;
            for (int i = 0; i < 4; i++)
                words[l][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(lanes[l].next + 16 * i)), big_endian);
            lanes[l].next += BLOCK;
        }
#pragma GCC unroll 16
        for (int round = 0; round < 16; round++) {
            // Four rounds; then the four words that are used 16 rounds later.
            __m128i constant = _mm_load_si128((const __m128i *)(constants + 4 * round));
            for (int l = 0; l < count; l++) {
                __m128i *word = words[l], sum = _mm_add_epi32(word[round & 3], constant);
                lanes[l].cdgh = _mm_sha256rnds2_epu32(lanes[l].cdgh, lanes[l].abef, sum);
                lanes[l].abef = _mm_sha256rnds2_epu32(lanes[l].abef, lanes[l].cdgh, _mm_shuffle_epi32(sum, 0x0e));
                if (round >= 12) continue;
                __m128i last = word[(round + 3) & 3];
                __m128i next = _mm_sha256msg1_epu32(word[round & 3], word[(round + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(last, word[(round + 2) & 3], 4));
                word[round & 3] = _mm_sha256msg2_epu32(next, last);
            }
        }
        for (int l = 0; l < count; l++) {
            lanes[l].abef = _mm_add_epi32(lanes[l].abef, abef[l]);
            lanes[l].cdgh = _mm_add_epi32(lanes[l].cdgh, cdgh[l]);
        }
    }
}

WITH_SHA static void hash_one(struct sha256 *hash, const uint8_t *bytes, size_t blocks) {
    struct lane lane = open_lane(hash, bytes);
    hash_blocks(&lane, 1, blocks);
    close_lane(hash, &lane);
}

WITH_SHA static void hash_both(
    struct sha256 *one, const uint8_t *bytes, struct sha256 *other, const uint8_t *other_bytes, size_t blocks
) {
    struct lane lanes[2] = {open_lane(one, bytes), open_lane(other, other_bytes)};
    hash_blocks(lanes, 2, blocks);
    close_lane(one, &lanes[0]);
    close_lane(other, &lanes[1]);
}
#else
int sha256_is_supported(void) { return 0; }

static void hash_one(struct sha256 *hash, const uint8_t *bytes, size_t blocks) {
    (void)hash, (void)bytes, (void)blocks;
    __builtin_trap();
}

static void hash_both(
    struct sha256 *one, const uint8_t *bytes, struct sha256 *other, const uint8_t *other_bytes, size_t blocks
) {
    hash_one(one, bytes, blocks);
    hash_one(other, other_bytes, blocks);
}
#endif

/// Counts the bytes, and completes a block that was begun; gives how many of them that took.
static size_t complete(struct sha256 *hash, const uint8_t *bytes, size_t size) {
    size_t filled = hash->count % BLOCK, taken = 0;
    hash->count += size;
    if (filled > 0) {
        taken = size < BLOCK - filled ? size : BLOCK - filled;
        if (taken > 0) memcpy(hash->rest + filled, bytes, taken);
        if (filled + taken == BLOCK) hash_one(hash, hash->rest, 1);
    }
    return taken;
}

/// The whole blocks, and what is left over: a block has been completed, or nothing is left.
static void finish(struct sha256 *hash, const uint8_t *bytes, size_t size) {
    size_t blocks = size / BLOCK, left = size % BLOCK;
    if (blocks > 0) hash_one(hash, bytes, blocks);
    if (left > 0) memcpy(hash->rest, bytes + blocks * BLOCK, left);
}

void sha256_update(struct sha256 *hash, const unsigned char *bytes, size_t size) {
    size_t taken = complete(hash, bytes, size);
    if (size > taken) finish(hash, bytes + taken, size - taken);
}

void sha256_update_both(
    struct sha256 *one, const unsigned char *bytes, size_t size,
    struct sha256 *other, const unsigned char *other_bytes, size_t other_size
) {
    size_t taken = complete(one, bytes, size), other_taken = complete(other, other_bytes, other_size);
    size -= taken, other_size -= other_taken;
    size_t both = (size < other_size ? size : other_size) / BLOCK * BLOCK;
    if (both > 0) hash_both(one, bytes + taken, other, other_bytes + other_taken, both / BLOCK);
    if (size > both) finish(one, bytes + taken + both, size - both);
    if (other_size > both) finish(other, other_bytes + other_taken + both, other_size - both);
}

void sha256_digest(const struct sha256 *hash, unsigned char digest[32]) {
    struct sha256 last = *hash;
    unsigned char end[BLOCK + 8] = {0x80};
    // Up to where the length ends a block.
    size_t size = (BLOCK * 2 - 8 - hash->count % BLOCK - 1) % BLOCK + 1;
    for (int i = 0; i < 8; i++) end[size + (size_t)i] = (unsigned char)(hash->count * 8 >> (56 - 8 * i));
    sha256_update(&last, end, size + 8);
    for (int i = 0; i < 32; i++) digest[i] = (unsigned char)(last.state[i / 4] >> (24 - 8 * (i % 4)));
}
