// Deflate's blocks (RFC 1951), one step at a time: it may stop at every byte of input and of output, and go on in the next call.
#include "inflate.h"

static enum progress begin_block(struct gunzip *decoder, struct flow *flow) {
    if (!need_bits(decoder, flow, 3)) return NEEDS_MORE;
    decoder->is_last = take_bits(decoder, 1);
    switch (take_bits(decoder, 2)) {
    case 0:
        take_bits(decoder, decoder->bit_count & 7);
        decoder->state = STORED_SIZE;
        return DONE;
    case 1:
        if (!decoder->has_fixed) {
            for (unsigned i = 0; i < LITERAL_SYMBOLS; i++) decoder->lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
            build_table(decoder->fixed_literals, LITERAL_CODE, decoder->lengths, LITERAL_SYMBOLS);
            memset(decoder->lengths, 5, DISTANCE_SYMBOLS);
            build_table(decoder->fixed_distances, DISTANCE_CODE, decoder->lengths, DISTANCE_SYMBOLS);
            decoder->has_fixed = true;
        }
        decoder->literals = decoder->fixed_literals;
        decoder->distances = decoder->fixed_distances;
        decoder->state = SYMBOLS;
        return DONE;
    case 2: decoder->state = CODE_COUNTS; return DONE;
    default: return CORRUPT;
    }
}

static enum progress read_stored_size(struct gunzip *decoder, struct flow *flow) {
    if (!need_bits(decoder, flow, 32)) return NEEDS_MORE;
    unsigned size = take_bits(decoder, 16), complement = take_bits(decoder, 16);
    if (size != (complement ^ 0xffff)) return CORRUPT;
    decoder->left = size;
    decoder->state = STORED;
    return DONE;
}

static enum progress copy_stored(struct gunzip *decoder, struct flow *flow) {
    // Whole bytes that were taken ahead come first.
    while (decoder->left > 0 && decoder->bit_count > 0 && flow->out < flow->out_end) {
        *flow->out++ = (uint8_t)take_bits(decoder, 8);
        decoder->left--;
    }
    if (decoder->bit_count == 0) {
        size_t size = decoder->left, in = (size_t)(flow->in_end - flow->in), out = (size_t)(flow->out_end - flow->out);
        if (size > in) size = in;
        if (size > out) size = out;
        if (size > 0) memcpy(flow->out, flow->in, size);
        flow->in += size;
        flow->out += size;
        decoder->left -= (unsigned)size;
    }
    if (decoder->left > 0) return NEEDS_MORE;
    decoder->state = BLOCK;
    return DONE;
}

static enum progress read_code_counts(struct gunzip *decoder, struct flow *flow) {
    if (!need_bits(decoder, flow, 14)) return NEEDS_MORE;
    decoder->literal_count = take_bits(decoder, 5) + 257;
    decoder->distance_count = take_bits(decoder, 5) + 1;
    decoder->code_length_count = take_bits(decoder, 4) + 4;
    // Lengths have 286 symbols and distances 30; zlib refuses more, and so does this.
    if (decoder->literal_count > 286 || decoder->distance_count > 30) return CORRUPT;
    memset(decoder->lengths, 0, 19);
    decoder->have = 0;
    decoder->state = CODE_LENGTHS;
    return DONE;
}

static enum progress read_code_lengths(struct gunzip *decoder, struct flow *flow) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    while (decoder->have < decoder->code_length_count) {
        if (!need_bits(decoder, flow, 3)) return NEEDS_MORE;
        decoder->lengths[order[decoder->have++]] = (uint8_t)take_bits(decoder, 3);
    }
    if (!build_table(decoder->code_length_table, CODE_LENGTH_CODE, decoder->lengths, 19)) return CORRUPT;
    decoder->have = 0;
    decoder->state = SYMBOL_LENGTHS;
    return DONE;
}

/// One entry of the list of lengths: a length, or how often one is repeated.
static enum progress read_symbol_length(struct gunzip *decoder, struct flow *flow) {
    // As many bits as there are, up to 7 of the code and 7 of the count.
    bool is_enough = need_bits(decoder, flow, 14);
    entry_t entry = decoder->code_length_table[decoder->bits & ((1 << CODE_LENGTH_PRIMARY) - 1)];
    unsigned length = entry_bits(entry), symbol = entry_base(entry);
    if (!is_enough && length > decoder->bit_count) return NEEDS_MORE;
    if (entry & ENTRY_NOT_PLAIN) return CORRUPT;
    if (symbol < 16) {
        take_bits(decoder, length);
        decoder->lengths[decoder->have++] = (uint8_t)symbol;
        return DONE;
    }
    unsigned extra = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
    if (!is_enough && length + extra > decoder->bit_count) return NEEDS_MORE;
    if (symbol == 16 && decoder->have == 0) return CORRUPT;
    take_bits(decoder, length);
    uint8_t repeated = symbol == 16 ? decoder->lengths[decoder->have - 1] : 0;
    unsigned count = take_bits(decoder, extra) + (symbol == 18 ? 11 : 3);
    if (count > decoder->literal_count + decoder->distance_count - decoder->have) return CORRUPT;
    memset(decoder->lengths + decoder->have, repeated, count);
    decoder->have += count;
    return DONE;
}

static enum progress read_symbol_lengths(struct gunzip *decoder, struct flow *flow) {
    while (decoder->have < decoder->literal_count + decoder->distance_count) {
        enum progress progress = read_symbol_length(decoder, flow);
        if (progress != DONE) return progress;
    }
    // A block without an end.
    if (decoder->lengths[256] == 0) return CORRUPT;
    const uint8_t *distances = decoder->lengths + decoder->literal_count;
    if (!build_table(decoder->literal_table, LITERAL_CODE, decoder->lengths, decoder->literal_count) ||
        !build_table(decoder->distance_table, DISTANCE_CODE, distances, decoder->distance_count))
        return CORRUPT;
    decoder->literals = decoder->literal_table;
    decoder->distances = decoder->distance_table;
    decoder->state = SYMBOLS;
    return DONE;
}

static entry_t look_up(const entry_t *table, unsigned primary, uint64_t bits) {
    entry_t entry = table[bits & ((1u << primary) - 1)];
    if (!entry_is_subtable(entry)) return entry;
    return table[entry_base(entry) + (bits >> primary & ((1u << entry_code_length(entry)) - 1))];
}

/// The base with the extra bits behind the code.
static unsigned value(entry_t entry, uint64_t bits) {
    uint64_t mask = ((uint64_t)1 << entry_bits(entry)) - 1;
    return entry_base(entry) + (unsigned)((bits & mask) >> entry_code_length(entry));
}

/// One literal, or the length and distance of a match, whole or not at all: 48 bits at most.
static enum progress read_symbol(struct gunzip *decoder, struct flow *flow) {
    need_bits(decoder, flow, 48);
    entry_t entry = look_up(decoder->literals, LITERAL_PRIMARY, decoder->bits);
    unsigned bits = entry_bits(entry);
    if (bits > decoder->bit_count) return NEEDS_MORE;
    if (entry & ENTRY_LITERAL) {
        if (flow->out == flow->out_end) return NEEDS_MORE;
        take_bits(decoder, bits);
        *flow->out++ = (uint8_t)entry_base(entry);
        return DONE;
    }
    if (entry & ENTRY_NOT_PLAIN) {
        if (!(entry & ENTRY_END_OF_BLOCK)) return CORRUPT;
        take_bits(decoder, bits);
        decoder->state = BLOCK;
        return DONE;
    }
    uint64_t rest = decoder->bits >> bits;
    entry_t far = look_up(decoder->distances, DISTANCE_PRIMARY, rest);
    if (bits + entry_bits(far) > decoder->bit_count) return NEEDS_MORE;
    if (far & ENTRY_NOT_PLAIN) return CORRUPT;
    decoder->match_length = value(entry, decoder->bits);
    decoder->match_distance = value(far, rest);
    if (decoder->match_distance > (size_t)(flow->out - flow->out_begin) + decoder->window_size) return CORRUPT;
    take_bits(decoder, bits);
    take_bits(decoder, entry_bits(far));
    decoder->state = MATCH;
    return DONE;
}

unsigned copy_from_window(const struct gunzip *decoder, const struct flow *flow, uint8_t *out, unsigned distance, unsigned length) {
    size_t back = distance - (size_t)(out - flow->out_begin);
    unsigned count = back < length ? (unsigned)back : length;
    unsigned from = (decoder->window_next + WINDOW - (unsigned)back) % WINDOW;
    unsigned first = WINDOW - from < count ? WINDOW - from : count;
    memcpy(out, decoder->window + from, first);
    memcpy(out + first, decoder->window, count - first);
    return count;
}

static enum progress copy_match(struct gunzip *decoder, struct flow *flow) {
    size_t room = (size_t)(flow->out_end - flow->out);
    unsigned count = decoder->match_length < room ? decoder->match_length : (unsigned)room;
    decoder->match_length -= count;
    if (count > 0 && decoder->match_distance > (size_t)(flow->out - flow->out_begin)) {
        unsigned copied = copy_from_window(decoder, flow, flow->out, decoder->match_distance, count);
        flow->out += copied;
        count -= copied;
    }
    for (; count > 0; count--, flow->out++) *flow->out = *(flow->out - decoder->match_distance);
    if (decoder->match_length > 0) return NEEDS_MORE;
    decoder->state = SYMBOLS;
    return DONE;
}

static enum progress step(struct gunzip *decoder, struct flow *flow) {
    switch (decoder->state) {
    case BLOCK: return begin_block(decoder, flow);
    case STORED_SIZE: return read_stored_size(decoder, flow);
    case STORED: return copy_stored(decoder, flow);
    case CODE_COUNTS: return read_code_counts(decoder, flow);
    case CODE_LENGTHS: return read_code_lengths(decoder, flow);
    case SYMBOL_LENGTHS: return read_symbol_lengths(decoder, flow);
    case MATCH: return copy_match(decoder, flow);
    default: break;
    }
    if (flow->in_end - flow->in >= FAST_INPUT && flow->out_end - flow->out >= FAST_OUTPUT) {
        enum progress progress = inflate_fast(decoder, flow);
        if (progress == DONE) decoder->state = BLOCK;
        if (progress != NEEDS_MORE) return progress;
    }
    return read_symbol(decoder, flow);
}

enum progress inflate_blocks(struct gunzip *decoder, struct flow *flow) {
    do {
        enum progress progress = step(decoder, flow);
        if (progress != DONE) return progress;
    } while (decoder->state != BLOCK || !decoder->is_last);
    return DONE;
}
