#include "inflate.h"

// RFC 1951, 3.2.5.
static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                         193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

/// What a symbol means, without its code: extra bits in 0…7, and the rest as in a table.
static entry_t meaning(enum code_kind kind, unsigned symbol) {
    if (kind == CODE_LENGTH_CODE) return symbol << 16;
    if (kind == DISTANCE_CODE) {
        if (symbol >= 30) return ENTRY_NOT_PLAIN;
        return (entry_t)distance_base[symbol] << 16 | (symbol < 4 ? 0 : (symbol - 2) / 2);
    }
    if (symbol < 256) return symbol << 16 | ENTRY_LITERAL;
    if (symbol == 256) return ENTRY_NOT_PLAIN | ENTRY_END_OF_BLOCK;
    if (symbol > 285) return ENTRY_NOT_PLAIN;
    return (entry_t)length_base[symbol - 257] << 16 | length_extra[symbol - 257];
}

static entry_t entry_for(enum code_kind kind, unsigned symbol, unsigned length) {
    return meaning(kind, symbol) + length + (length << 12);
}

/// The code after `code` of `length` bits, both with their first bit lowest; `code` is not the last.
static unsigned next_code(unsigned code, unsigned length) {
    unsigned bit = 1u << (31 - __builtin_clz(code ^ ((1u << length) - 1)));
    return (code & (bit - 1)) | bit;
}

struct builder {
    entry_t *table;
    enum code_kind kind;
    unsigned primary;
    unsigned counts[MAX_CODE + 1];
    uint16_t sorted[LITERAL_SYMBOLS];
};

/// Counts the lengths and sorts the symbols by them. False for lengths that no decoder can use; `used` is how many codes there are.
static bool sort_symbols(struct builder *builder, const uint8_t *lengths, unsigned count, unsigned *used) {
    memset(builder->counts, 0, sizeof builder->counts);
    for (unsigned symbol = 0; symbol < count; symbol++) builder->counts[lengths[symbol]]++;
    *used = count - builder->counts[0];
    builder->counts[0] = 0;
    unsigned offsets[MAX_CODE + 1] = {0};
    int left = 1;
    for (unsigned length = 1; length <= MAX_CODE; length++) {
        offsets[length] = offsets[length - 1] + builder->counts[length - 1];
        left = left * 2 - (int)builder->counts[length];
        if (left < 0) return false;
    }
    // Left over: as zlib, only a single code of one bit may be (and no code at all).
    bool is_single = *used == 1 && builder->counts[1] == 1 && builder->kind != CODE_LENGTH_CODE;
    if (left > 0 && *used > 0 && !is_single) return false;
    for (unsigned symbol = 0; symbol < count; symbol++) {
        if (lengths[symbol]) builder->sorted[offsets[lengths[symbol]]++] = (uint16_t)symbol;
    }
    return true;
}

/// Fills subtables from the first code that is longer than the primary bits.
static void fill_subtables(struct builder *builder, unsigned position, unsigned code, unsigned length) {
    unsigned primary = builder->primary, end = 1u << primary, start = 0, size = 0, prefix = ~0u;
    unsigned left = builder->counts[length];
    for (;;) {
        if ((code & ((1u << primary) - 1)) != prefix) {
            // A new subtable, just large enough for the codes that share its prefix.
            prefix = code & ((1u << primary) - 1);
            unsigned bits = length - primary, used = left;
            while (used < 1u << bits) used = used * 2 + builder->counts[primary + ++bits];
            start = end;
            size = 1u << bits;
            end += size;
            builder->table[prefix] = (entry_t)start << 16 | bits << 12 | ENTRY_NOT_PLAIN;
        }
        entry_t entry = entry_for(builder->kind, builder->sorted[position++], length);
        for (unsigned at = code >> primary; at < size; at += 1u << (length - primary)) builder->table[start + at] = entry;
        if (code == (1u << length) - 1) return;
        code = next_code(code, length);
        left--;
        while (left == 0) left = builder->counts[++length];
    }
}

bool build_table(entry_t *table, enum code_kind kind, const uint8_t *lengths, unsigned count) {
    static const unsigned primaries[] = {LITERAL_PRIMARY, DISTANCE_PRIMARY, CODE_LENGTH_PRIMARY};
    struct builder builder = {.table = table, .kind = kind, .primary = primaries[kind]};
    unsigned used;
    if (!sort_symbols(&builder, lengths, count, &used)) return false;
    unsigned primary = builder.primary, whole = 1u << primary;
    if (used < 2) {
        // Whatever is not the single code is refused when it is met.
        entry_t single = used ? entry_for(kind, builder.sorted[0], 1) : ENTRY_INVALID;
        for (unsigned index = 0; index < whole; index++) table[index] = index & 1 ? ENTRY_INVALID : single;
    } else {
        // Codes by length: the table has as many entries as codes of that length could be, and doubles for the next.
        unsigned length = 1, code = 0, position = 0;
        while (builder.counts[length] == 0) length++;
        unsigned left = builder.counts[length], filled = 1u << (length < primary ? length : primary);
        bool is_full = false;
        while (length <= primary) {
            table[code] = entry_for(kind, builder.sorted[position++], length);
            left--;
            if (code == (1u << length) - 1) { is_full = true; break; }
            code = next_code(code, length);
            while (left == 0) {
                left = builder.counts[++length];
                if (length > primary) continue;
                memcpy(table + filled, table, filled * sizeof *table);
                filled *= 2;
            }
        }
        if (is_full) {
            for (; filled < whole; filled *= 2) memcpy(table + filled, table, filled * sizeof *table);
        } else {
            fill_subtables(&builder, position, code, length);
        }
    }
    return true;
}
