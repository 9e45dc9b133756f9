// What the files of the decoder share.
#ifndef MINIRUN_INFLATE_H
#define MINIRUN_INFLATE_H

#include "CInflate.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// --- Huffman tables
//
// A table is indexed by the next PRIMARY bits of the input; longer codes go on in a subtable behind it. Entries are of 32 bits:
//
//   0…7    how many bits it takes: the code, and the extra bits that follow it
//   8      LITERAL
//   10     NOT_PLAIN: neither literal nor length nor distance, but a subtable, the end of the block, or no valid code
//   11     END_OF_BLOCK
//   12…15  the length of the code; of a subtable pointer, the bits that index the subtable
//   16…    the literal; the base of the length or distance; where the subtable begins
//
// Two literals in one entry were tried: they cost more, at each block's table, than the look-ups that they save.
typedef uint32_t entry_t;

enum {
    LITERAL_PRIMARY = 11,
    DISTANCE_PRIMARY = 8,
    CODE_LENGTH_PRIMARY = 7,
    MAX_CODE = 15,
    // The most that complete codes of 288 and 32 symbols need (zlib's examples/enough.c: `enough 288 11 15`, `enough 32 8 15`).
    LITERAL_TABLE = 2342,
    DISTANCE_TABLE = 402,
    LITERAL_SYMBOLS = 288,
    DISTANCE_SYMBOLS = 32,
    WINDOW = 32768,
};

#define ENTRY_LITERAL 0x100u
#define ENTRY_NOT_PLAIN 0x400u
#define ENTRY_END_OF_BLOCK 0x800u
#define ENTRY_INVALID (ENTRY_NOT_PLAIN | 1)

static inline unsigned entry_bits(entry_t entry) { return entry & 0xff; }
static inline unsigned entry_code_length(entry_t entry) { return entry >> 12 & 15; }
static inline unsigned entry_base(entry_t entry) { return entry >> 16; }
/// A subtable pointer takes no bits itself: its entries count those of the whole code.
static inline bool entry_is_subtable(entry_t entry) { return (entry & ENTRY_NOT_PLAIN) && entry_bits(entry) == 0; }

enum code_kind { LITERAL_CODE, DISTANCE_CODE, CODE_LENGTH_CODE };

/// Builds the table for codes of these lengths (0: the symbol is not used). False where they are over-subscribed or leave
/// codes unused, except for a single code of one bit, and for no code at all.
bool build_table(entry_t *table, enum code_kind kind, const uint8_t *lengths, unsigned count);

// --- The decoder

enum state {
    HEADER, HEADER_EXTRA_SIZE, HEADER_EXTRA, HEADER_NAME, HEADER_COMMENT, HEADER_CHECK,
    BLOCK, STORED_SIZE, STORED, CODE_COUNTS, CODE_LENGTHS, SYMBOL_LENGTHS, SYMBOLS, MATCH,
    TRAILER, ENDED, FAILED,
};

struct gunzip {
    enum state state;
    bool has_bmi2;  // what this processor can do

    // Input that was taken and not used: the lowest bit is next. Bits from `bit_count` on are zero between calls.
    uint64_t bits;
    unsigned bit_count;

    // The member's header: its first ten bytes or a field's size, how much of it was read, its flags and its own check.
    uint8_t field[10];
    unsigned field_size;
    unsigned flags;
    uint32_t header_crc;

    // What was written: its check, its size modulo 2^32, and the last 32 KiB in a ring, of which `window_size` are valid and
    // `window_next` is where the next byte goes.
    uint32_t crc;
    uint32_t size;
    unsigned window_next, window_size;

    // The block.
    bool is_last;
    unsigned left;  // of a stored block, or of the header's extra field, in bytes
    unsigned match_length, match_distance;
    unsigned literal_count, distance_count, code_length_count, have;
    uint8_t lengths[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
    const entry_t *literals, *distances;

    bool has_fixed;
    entry_t literal_table[LITERAL_TABLE], distance_table[DISTANCE_TABLE], code_length_table[1 << CODE_LENGTH_PRIMARY];
    entry_t fixed_literals[LITERAL_TABLE], fixed_distances[DISTANCE_TABLE];
    uint8_t window[WINDOW];
    struct crc32 check;
};

/// One call's input and output; `in` and `out` move on.
struct flow {
    const uint8_t *in, *in_end;
    uint8_t *out_begin, *out, *out_end;
};

enum progress {
    NEEDS_MORE,  // input or room
    DONE,
    CORRUPT,
};

/// Goes on with the deflate data: DONE after its last block.
enum progress inflate_blocks(struct gunzip *decoder, struct flow *flow);

/// Decodes symbols while there is plenty of input and room. DONE at the end of the block, NEEDS_MORE where it has to go on slowly.
enum progress inflate_fast(struct gunzip *decoder, struct flow *flow);

enum {
    // What one round of the fast loop may read and write, with what its wide loads and stores touch behind that:
    // three refills of 8 bytes; two literals, a match of 258, and 40 bytes of overrun.
    FAST_INPUT = 32,
    FAST_OUTPUT = 320,
};

/// Writes a match's first bytes out of the ring: those that were written in an earlier call. Returns how many, at most `length`;
/// the caller has checked that the distance does not lead before the start.
unsigned copy_from_window(const struct gunzip *decoder, const struct flow *flow, uint8_t *out, unsigned distance, unsigned length);

/// Takes bytes until `bit_count` is at least `count` (at most 56); false where the input ends before.
static inline bool need_bits(struct gunzip *decoder, struct flow *flow, unsigned count) {
    while (decoder->bit_count < count) {
        if (flow->in == flow->in_end) return false;
        decoder->bits |= (uint64_t)*flow->in++ << decoder->bit_count;
        decoder->bit_count += 8;
    }
    return true;
}

static inline unsigned take_bits(struct gunzip *decoder, unsigned count) {
    unsigned value = (unsigned)(decoder->bits & (((uint64_t)1 << count) - 1));
    decoder->bits >>= count;
    decoder->bit_count -= count;
    return value;
}

#endif
