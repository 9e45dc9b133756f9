// gzip's framing (RFC 1952) around the deflate data, and what a call begins and ends with.
#include "inflate.h"
#include <stdlib.h>

enum { FLAG_CHECK = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0, METHOD_DEFLATE = 8 };

#if defined(__x86_64__)
#include <cpuid.h>

static void detect_processor(struct gunzip *decoder) {
    unsigned a, b, c, d;
    // CPUID leaf 7: EBX bit 3 BMI1, bit 8 BMI2.
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) decoder->has_bmi2 = (b >> 3 & 1) && (b >> 8 & 1);
}
#else
static void detect_processor(struct gunzip *decoder) { (void)decoder; }
#endif

struct gunzip *gunzip_create(void) {
    struct gunzip *decoder = malloc(sizeof *decoder);
    if (!decoder) return NULL;
    memset(decoder, 0, sizeof *decoder);
    detect_processor(decoder);
    crc32_prepare(&decoder->check);
    gunzip_reset(decoder);
    return decoder;
}

void gunzip_destroy(struct gunzip *decoder) { free(decoder); }

void gunzip_reset(struct gunzip *decoder) {
    decoder->state = HEADER;
    decoder->bits = 0;
    decoder->bit_count = 0;
    decoder->field_size = 0;
    decoder->header_crc = 0;
    decoder->crc = 0;
    decoder->size = 0;
    decoder->window_next = 0;
    decoder->window_size = 0;
}

/// Fills `field` up to `size` bytes; false where the input ends before.
static bool read_field(struct gunzip *decoder, struct flow *flow, unsigned size) {
    while (decoder->field_size < size) {
        if (flow->in == flow->in_end) return false;
        decoder->field[decoder->field_size++] = *flow->in++;
    }
    decoder->field_size = 0;
    return true;
}

static unsigned field16(const struct gunzip *decoder) { return decoder->field[0] | (unsigned)decoder->field[1] << 8; }

static void check_header(struct gunzip *decoder, const uint8_t *bytes, size_t size) {
    if (decoder->flags & FLAG_CHECK) decoder->header_crc = crc32_update(&decoder->check, decoder->header_crc, bytes, size);
}

static enum progress read_fixed_header(struct gunzip *decoder, struct flow *flow) {
    bool is_whole = read_field(decoder, flow, 10);
    const uint8_t *field = decoder->field;
    // What is wrong is refused as soon as it is there, as zlib does.
    unsigned known = is_whole ? 10 : decoder->field_size;
    if ((known > 0 && field[0] != 0x1f) || (known > 1 && field[1] != 0x8b) || (known > 2 && field[2] != METHOD_DEFLATE) ||
        (known > 3 && field[3] & FLAGS_RESERVED))
        return CORRUPT;
    if (!is_whole) return NEEDS_MORE;
    decoder->flags = field[3];
    check_header(decoder, field, 10);
    decoder->state = HEADER_EXTRA_SIZE;
    return DONE;
}

static enum progress read_extra_size(struct gunzip *decoder, struct flow *flow) {
    decoder->left = 0;
    if (decoder->flags & FLAG_EXTRA) {
        if (!read_field(decoder, flow, 2)) return NEEDS_MORE;
        check_header(decoder, decoder->field, 2);
        decoder->left = field16(decoder);
    }
    decoder->state = HEADER_EXTRA;
    return DONE;
}

static enum progress skip_extra(struct gunzip *decoder, struct flow *flow) {
    size_t size = (size_t)(flow->in_end - flow->in);
    if (size > decoder->left) size = decoder->left;
    check_header(decoder, flow->in, size);
    flow->in += size;
    decoder->left -= (unsigned)size;
    if (decoder->left > 0) return NEEDS_MORE;
    decoder->state = HEADER_NAME;
    return DONE;
}

/// A name or a comment: up to a NUL.
static enum progress skip_text(struct gunzip *decoder, struct flow *flow, unsigned flag, enum state next) {
    if (decoder->flags & flag) {
        size_t size = (size_t)(flow->in_end - flow->in);
        const uint8_t *end = size > 0 ? memchr(flow->in, 0, size) : NULL;
        if (end) size = (size_t)(end - flow->in) + 1;
        check_header(decoder, flow->in, size);
        flow->in += size;
        if (!end) return NEEDS_MORE;
    }
    decoder->state = next;
    return DONE;
}

static enum progress read_header_check(struct gunzip *decoder, struct flow *flow) {
    if (decoder->flags & FLAG_CHECK) {
        if (!read_field(decoder, flow, 2)) return NEEDS_MORE;
        if (field16(decoder) != (decoder->header_crc & 0xffff)) return CORRUPT;
    }
    decoder->is_last = false;
    decoder->state = BLOCK;
    return DONE;
}

static enum progress read_header(struct gunzip *decoder, struct flow *flow) {
    switch (decoder->state) {
    case HEADER: return read_fixed_header(decoder, flow);
    case HEADER_EXTRA_SIZE: return read_extra_size(decoder, flow);
    case HEADER_EXTRA: return skip_extra(decoder, flow);
    case HEADER_NAME: return skip_text(decoder, flow, FLAG_NAME, HEADER_COMMENT);
    case HEADER_COMMENT: return skip_text(decoder, flow, FLAG_COMMENT, HEADER_CHECK);
    default: return read_header_check(decoder, flow);
    }
}

/// CRC-32 and size. The bits that were taken ahead are never more than these eight bytes: 63, less one at least for the end of
/// the last block.
static enum progress read_trailer(struct gunzip *decoder, struct flow *flow) {
    uint64_t expected = (uint64_t)decoder->size << 32 | decoder->crc;
    for (; decoder->field_size < 8; decoder->field_size++) {
        if (!need_bits(decoder, flow, 8)) return NEEDS_MORE;
        if (take_bits(decoder, 8) != (expected >> 8 * decoder->field_size & 255)) return CORRUPT;
    }
    decoder->field_size = 0;
    decoder->state = ENDED;
    return DONE;
}

/// Counts what was written, and keeps its last 32 KiB for the next call.
static void remember(struct gunzip *decoder, const uint8_t *bytes, size_t size) {
    decoder->crc = crc32_update(&decoder->check, decoder->crc, bytes, size);
    decoder->size += (uint32_t)size;
    if (size >= WINDOW) {
        memcpy(decoder->window, bytes + size - WINDOW, WINDOW);
        decoder->window_next = 0;
        decoder->window_size = WINDOW;
        return;
    }
    size_t first = WINDOW - decoder->window_next;
    if (first > size) first = size;
    memcpy(decoder->window + decoder->window_next, bytes, first);
    memcpy(decoder->window, bytes + first, size - first);
    decoder->window_next = (unsigned)(decoder->window_next + size) % WINDOW;
    decoder->window_size = decoder->window_size + size < WINDOW ? decoder->window_size + (unsigned)size : WINDOW;
}

static enum progress decode_body(struct gunzip *decoder, struct flow *flow) {
    if (decoder->state < TRAILER) {
        enum progress progress = inflate_blocks(decoder, flow);
        if (flow->out > flow->out_begin) remember(decoder, flow->out_begin, (size_t)(flow->out - flow->out_begin));
        if (progress != DONE) return progress;
        // The rest of the last block's last byte.
        take_bits(decoder, decoder->bit_count & 7);
        decoder->state = TRAILER;
    }
    return read_trailer(decoder, flow);
}

enum gunzip_result gunzip_decode(
    struct gunzip *decoder,
    const unsigned char *input, size_t input_size, size_t *consumed,
    unsigned char *output, size_t output_size, size_t *produced
) {
    struct flow flow = {
        .in = input, .in_end = input + input_size, .out_begin = output, .out = output, .out_end = output + output_size
    };
    enum progress progress = decoder->state < ENDED ? DONE : CORRUPT;
    while (progress == DONE && decoder->state < BLOCK) progress = read_header(decoder, &flow);
    if (progress == DONE) progress = decode_body(decoder, &flow);
    *consumed = (size_t)(flow.in - input);
    *produced = (size_t)(flow.out - output);
    if (progress == CORRUPT) decoder->state = FAILED;
    return progress == CORRUPT ? GUNZIP_CORRUPT : progress == DONE ? GUNZIP_MEMBER_END : GUNZIP_MORE;
}
