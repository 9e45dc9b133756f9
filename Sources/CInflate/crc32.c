// CRC-32 as gzip has it (RFC 1952, section 8): reflected, polynomial 0xedb88320.
#include "inflate.h"

/// Eight bytes at a time: tables[n][b] is what byte b does to the register n bytes later.
static void fill_tables(unsigned tables[8][256]) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        tables[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++) {
        for (int byte = 0; byte < 256; byte++) tables[n][byte] = tables[n - 1][byte] >> 8 ^ tables[0][tables[n - 1][byte] & 255];
    }
}

/// Over the register itself, which is neither inverted before nor after.
static uint32_t by_tables(const unsigned tables[8][256], uint32_t crc, const uint8_t *bytes, size_t size) {
    for (; size >= 8; size -= 8, bytes += 8) {
        uint32_t next = 0;
        crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
        for (int n = 0; n < 4; n++) next ^= tables[7 - n][crc >> 8 * n & 255] ^ tables[3 - n][bytes[4 + n]];
        crc = next;
    }
    for (; size > 0; size--) crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 255];
    return crc;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/// Carries a register of 128 bits on over some distance, which the constants stand for, and adds the bytes that are there.
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i value, __m128i constants, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(value, constants, 0x00), high = _mm_clmulepi64_si128(value, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// Folds whole blocks of 16 bytes into one that has the same CRC as all of them. At least 64 bytes.
/// (Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.)
__attribute__((target("pclmul,sse4.1"))) static void fold_blocks(uint8_t result[16], uint32_t crc, const uint8_t *bytes, size_t size) {
    const __m128i *next = (const __m128i *)bytes, *end = next + size / 16;
    // x^(512+32) and x^(512-32), x^(128+32) and x^(128-32), modulo the polynomial and reflected.
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i sums[4];
    for (int lane = 0; lane < 4; lane++) sums[lane] = _mm_loadu_si128(next++);
    sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128((int)crc));
    for (; end - next >= 4; next += 4) {
        for (int lane = 0; lane < 4; lane++) sums[lane] = fold(sums[lane], by_512, _mm_loadu_si128(next + lane));
    }
    __m128i sum = sums[0];
    for (int lane = 1; lane < 4; lane++) sum = fold(sum, by_128, sums[lane]);
    while (next < end) sum = fold(sum, by_128, _mm_loadu_si128(next++));
    _mm_storeu_si128((__m128i *)result, sum);
}
#endif

void crc32_prepare(struct crc32 *check) {
    fill_tables(check->tables);
    check->has_carryless = 0;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    // CPUID leaf 1: ECX bit 1 PCLMULQDQ, bit 19 SSE4.1.
    if (__get_cpuid(1, &a, &b, &c, &d)) check->has_carryless = (c >> 1 & 1) && (c >> 19 & 1);
#endif
}

unsigned crc32_update(const struct crc32 *check, unsigned crc, const unsigned char *bytes, size_t size) {
    crc = ~crc;
#if defined(__x86_64__)
    if (check->has_carryless && size >= 64) {
        uint8_t folded[16];
        fold_blocks(folded, crc, bytes, size);
        crc = by_tables(check->tables, 0, folded, sizeof folded);
        bytes += size & ~(size_t)15;
        size &= 15;
    }
#endif
    return ~by_tables(check->tables, crc, bytes, size);
}
