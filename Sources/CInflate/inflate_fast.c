// The part of decoding in which the time goes.
//
// Safety: a round begins only where FAST_INPUT bytes can be read and FAST_OUTPUT bytes written, which is more than it can use,
// wide loads and stores included. A match's distance is checked against what was written before its first byte is read.
#include "inflate.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_ENDIAN_64(value) __builtin_bswap64(value)
#else
#define LITTLE_ENDIAN_64(value) (value)
#endif

static inline uint64_t load64(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return LITTLE_ENDIAN_64(value);
}

static inline void copy8(uint8_t *to, const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    memcpy(to, &value, sizeof value);
}

struct sixteen { uint64_t parts[2]; };

static inline void copy16(uint8_t *to, const uint8_t *from) {
    struct sixteen value;
    memcpy(&value, from, sizeof value);
    memcpy(to, &value, sizeof value);
}

/// Copies a match inside the output; writes up to 31 bytes more than `length`.
static inline __attribute__((always_inline)) void copy_wide(uint8_t *to, size_t distance, size_t length) {
    const uint8_t *from = to - distance, *end = to + length;
    if (distance >= 16) {
        copy16(to, from);
        copy16(to + 16, from + 16);
        for (to += 32, from += 32; to < end; to += 32, from += 32) {
            copy16(to, from);
            copy16(to + 16, from + 16);
        }
    } else if (distance == 1) {
        memset(to, *from, 16);
        for (to += 16; to < end; to += 16) memset(to, *from, 16);
    } else if (distance >= 8) {
        for (; to < end; to += 8, from += 8) copy8(to, from);
    } else {
        // Each store makes `distance` more bytes right.
        for (; to < end; to += distance, from += distance) copy8(to, from);
    }
}

/// A match that begins in an earlier call's output; returns where it ends.
static __attribute__((noinline)) uint8_t *copy_across(
    const struct gunzip *decoder, const struct flow *flow, uint8_t *out, unsigned distance, unsigned length
) {
    unsigned copied = copy_from_window(decoder, flow, out, distance, length);
    out += copied;
    for (length -= copied; length > 0; length--, out++) *out = *(out - distance);
    return out;
}

// At least 56 bits. What lies above `count` in `bits` is right already, and is read again by the next refill; only the lowest
// 8 bits of `count` mean anything.
#define REFILL() \
    do { \
        bits |= load64(in) << (count & 63); \
        in += 7 - (count >> 3 & 7); \
        count |= 56; \
    } while (0)

#define TAKE(entry) \
    do { \
        bits >>= (entry) & 63; \
        count -= (entry); \
    } while (0)

#define LOOK_UP() literals[bits & ((1u << LITERAL_PRIMARY) - 1)]

#define VALUE(entry, saved) \
    (entry_base(entry) + (unsigned)(((saved) & (((uint64_t)1 << ((entry) & 63)) - 1)) >> entry_code_length(entry)))

static inline __attribute__((always_inline)) enum progress decode(struct gunzip *decoder, struct flow *flow) {
    const entry_t *literals = decoder->literals, *distances = decoder->distances;
    const uint8_t *in = flow->in, *in_limit = flow->in_end - FAST_INPUT;
    uint8_t *out = flow->out, *out_begin = flow->out_begin, *out_limit = flow->out_end - FAST_OUTPUT;
    uint64_t bits = decoder->bits;
    size_t count = decoder->bit_count;
    enum progress progress = NEEDS_MORE;

    REFILL();
    entry_t entry = LOOK_UP();
    do {
        // Up to three look-ups of literals take 33 bits; 15 + 5 of a length then need a refill only after the third.
        if (entry & ENTRY_LITERAL) {
            *out++ = (uint8_t)entry_base(entry);
            TAKE(entry);
            entry = LOOK_UP();
            if (entry & ENTRY_LITERAL) {
                *out++ = (uint8_t)entry_base(entry);
                TAKE(entry);
                entry = LOOK_UP();
                if (entry & ENTRY_LITERAL) {
                    *out++ = (uint8_t)entry_base(entry);
                    TAKE(entry);
                    entry = LOOK_UP();
                    REFILL();
                    continue;
                }
            }
        }
        if (entry & ENTRY_NOT_PLAIN) {
            if (entry_is_subtable(entry)) {
                entry = literals[entry_base(entry) + (bits >> LITERAL_PRIMARY & ((1u << entry_code_length(entry)) - 1))];
                if (entry & ENTRY_LITERAL) {
                    *out++ = (uint8_t)entry_base(entry);
                    TAKE(entry);
                    REFILL();
                    entry = LOOK_UP();
                    continue;
                }
            }
            if (entry & ENTRY_NOT_PLAIN) {
                progress = entry & ENTRY_END_OF_BLOCK ? DONE : CORRUPT;
                TAKE(entry);
                break;
            }
        }
        unsigned length = VALUE(entry, bits);
        TAKE(entry);
        REFILL();
        entry = distances[bits & ((1u << DISTANCE_PRIMARY) - 1)];
        if (entry & ENTRY_NOT_PLAIN) {
            if (entry_is_subtable(entry))
                entry = distances[entry_base(entry) + (bits >> DISTANCE_PRIMARY & ((1u << entry_code_length(entry)) - 1))];
            if (entry & ENTRY_NOT_PLAIN) {
                progress = CORRUPT;
                break;
            }
        }
        unsigned distance = VALUE(entry, bits);
        TAKE(entry);
        // 28 bits are left at least: the next look-up need not wait for its refill.
        entry = LOOK_UP();
        REFILL();
        if (__builtin_expect(distance > (size_t)(out - out_begin), 0)) {
            if (distance > (size_t)(out - out_begin) + decoder->window_size) {
                progress = CORRUPT;
                break;
            }
            out = copy_across(decoder, flow, out, distance, length);
        } else {
            copy_wide(out, distance, length);
            out += length;
        }
    } while (in <= in_limit && out <= out_limit);

    count &= 63;
    decoder->bits = bits & (((uint64_t)1 << count) - 1);
    decoder->bit_count = (unsigned)count;
    flow->in = in;
    flow->out = out;
    return progress;
}

#if defined(__x86_64__)
#include <cpuid.h>

/// With the shifts of BMI2, which take their count from any register.
__attribute__((target("bmi,bmi2"))) static enum progress decode_bmi2(struct gunzip *decoder, struct flow *flow) {
    return decode(decoder, flow);
}

static enum progress decode_plain(struct gunzip *decoder, struct flow *flow) { return decode(decoder, flow); }

enum progress inflate_fast(struct gunzip *decoder, struct flow *flow) {
    return decoder->has_bmi2 ? decode_bmi2(decoder, flow) : decode_plain(decoder, flow);
}
#else
enum progress inflate_fast(struct gunzip *decoder, struct flow *flow) { return decode(decoder, flow); }
#endif
