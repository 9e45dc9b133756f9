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

/// `fold` of two values at once.
__attribute__((target("vpclmulqdq,pclmul,avx2"))) static inline __m256i fold_wide(__m256i value, __m256i constants, __m256i next) {
    __m256i low = _mm256_clmulepi64_epi128(value, constants, 0x00), high = _mm256_clmulepi64_epi128(value, constants, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(low, high), next);
}

/// Folds blocks of 128 bytes into one that has the same CRC, which `fold_blocks` goes on with. At least 128 bytes.
__attribute__((target("vpclmulqdq,pclmul,avx2"))) static void fold_wide_blocks(uint8_t result[128], uint32_t crc, const uint8_t *bytes, size_t size) {
    const __m256i *next = (const __m256i *)bytes, *end = next + size / 128 * 4;
    // x^(1024+32) and x^(1024-32).
    const __m256i by_1024 = _mm256_set_epi64x(0x14a7fe880, 0x1e88ef372, 0x14a7fe880, 0x1e88ef372);
    __m256i sums[4];
    for (int lane = 0; lane < 4; lane++) sums[lane] = _mm256_loadu_si256(next++);
    sums[0] = _mm256_xor_si256(sums[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)crc)));
    for (; next < end; next += 4) {
        for (int lane = 0; lane < 4; lane++) sums[lane] = fold_wide(sums[lane], by_1024, _mm256_loadu_si256(next + lane));
    }
    for (int lane = 0; lane < 4; lane++) _mm256_storeu_si256((__m256i *)result + lane, sums[lane]);
}

/// AVX2 and VPCLMULQDQ, and a kernel that keeps their registers.
static int detect_wide(void) {
    unsigned a, b, c, d;
    // CPUID leaf 1: ECX bit 27 OSXSAVE; leaf 7: EBX bit 5 AVX2, ECX bit 10 VPCLMULQDQ; XCR0: bits 1 and 2.
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 5 & 1) || !(c >> 10 & 1)) return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & 6) == 6;
}
#endif

/// The product of two polynomials modulo that of the CRC, all reflected: bit 31 is 1, bit 30 is x.
static uint32_t product(uint32_t a, uint32_t b) {
    uint32_t sum = 0;
    for (; a; a <<= 1) {
        if (a & 0x80000000) sum ^= b;
        b = b >> 1 ^ (b & 1 ? 0xedb88320 : 0);
    }
    return sum;
}

/// x^8, and what squaring makes of it.
static void fill_zeros(unsigned zeros[CRC32_SHIFTS]) {
    uint32_t power = 0x80000000 >> 8;
    for (int n = 0; n < CRC32_SHIFTS; n++, power = product(power, power)) zeros[n] = power;
}

void crc32_prepare(struct crc32 *check) {
    fill_tables(check->tables);
    fill_zeros(check->zeros);
    check->has_carryless = check->has_wide_carryless = 0;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    // CPUID leaf 1: ECX bit 1 PCLMULQDQ, bit 19 SSE4.1.
    if (__get_cpuid(1, &a, &b, &c, &d)) check->has_carryless = (c >> 1 & 1) && (c >> 19 & 1);
    check->has_wide_carryless = check->has_carryless && detect_wide();
#endif
}

unsigned crc32_update(const struct crc32 *check, unsigned crc, const unsigned char *bytes, size_t size) {
    crc = ~crc;
#if defined(__x86_64__)
    if (check->has_wide_carryless && size >= 256) {
        uint8_t wide[128], folded[16];
        fold_wide_blocks(wide, crc, bytes, size);
        fold_blocks(folded, 0, wide, sizeof wide);
        crc = by_tables(check->tables, 0, folded, sizeof folded);
        bytes += size & ~(size_t)127;
        size &= 127;
    }
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

unsigned crc32_part(const struct crc32 *check, const unsigned char *bytes, size_t size, size_t behind) {
    uint32_t crc = ~crc32_update(check, ~0u, bytes, size);
    for (int n = 0; behind > 0; n++, behind >>= 1) {
        if (behind & 1) crc = product(crc, check->zeros[n]);
    }
    return crc;
}
