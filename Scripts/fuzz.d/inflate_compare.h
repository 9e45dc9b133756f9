// Decodes the same bytes with CInflate and with zlib, in pieces, and ends the program where they disagree.
#ifndef INFLATE_COMPARE_H
#define INFLATE_COMPARE_H

#include "CInflate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum verdict { TRUNCATED, COMPLETE, DAMAGED };

/// More output than this is not asked for, so that no input takes long.
enum { OUTPUT_LIMIT = 1 << 19 };

struct decoded {
    enum verdict verdict;
    size_t consumed, size;
    unsigned char bytes[OUTPUT_LIMIT];
};

/// Sanitizers see an access behind a piece only where each is an allocation of its own.
static unsigned char *copied(const unsigned char *bytes, size_t size) {
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size > 0) memcpy(copy, bytes, size);
    return copy;
}

static void decode_own(struct decoded *result, const unsigned char *bytes, size_t size, size_t in_piece, size_t out_piece) {
    struct gunzip *decoder = gunzip_create();
    if (!decoder) abort();
    result->consumed = result->size = 0;
    size_t room = 0;
    unsigned char *out = NULL;
    enum gunzip_result code = GUNZIP_MORE;
    while (code == GUNZIP_MORE && result->size < OUTPUT_LIMIT) {
        size_t wanted = size - result->consumed < in_piece ? size - result->consumed : in_piece;
        size_t left = OUTPUT_LIMIT - result->size, consumed = 0, produced = 0;
        if (room != (left < out_piece ? left : out_piece)) {
            room = left < out_piece ? left : out_piece;
            free(out);
            out = malloc(room);
            if (!out) abort();
        }
        unsigned char *in = copied(bytes + result->consumed, wanted);
        code = gunzip_decode(decoder, in, wanted, &consumed, out, room, &produced);
        if (consumed > wanted || produced > room) abort();
        memcpy(result->bytes + result->size, out, produced);
        free(in);
        result->consumed += consumed;
        result->size += produced;
        if (code == GUNZIP_MORE && consumed == 0 && produced == 0) {
            if (wanted > 0) abort();  // It must go on while there is input and room.
            break;
        }
    }
    free(out);
    result->verdict = code == GUNZIP_MEMBER_END ? COMPLETE : code == GUNZIP_CORRUPT ? DAMAGED : TRUNCATED;
    gunzip_destroy(decoder);
}

static void decode_zlib(struct decoded *result, const unsigned char *bytes, size_t size) {
    z_stream stream = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)size};
    stream.next_out = result->bytes;
    stream.avail_out = OUTPUT_LIMIT;
    if (inflateInit2(&stream, 15 + 16) != Z_OK) abort();
    int code = inflate(&stream, Z_NO_FLUSH);
    result->consumed = size - stream.avail_in;
    result->size = OUTPUT_LIMIT - stream.avail_out;
    result->verdict = code == Z_STREAM_END ? COMPLETE : code == Z_OK || code == Z_BUF_ERROR ? TRUNCATED : DAMAGED;
    inflateEnd(&stream);
}

/// The same verdict, the same output up to there, and of a complete member the same end. Where zlib still waits for input to
/// refuse, refusing at once is as good: nothing more was written.
static enum verdict compare(const unsigned char *bytes, size_t size, size_t in_piece, size_t out_piece) {
    static struct decoded own, other;
    decode_own(&own, bytes, size, in_piece, out_piece);
    decode_zlib(&other, bytes, size);
    int is_same = own.size == other.size && memcmp(own.bytes, other.bytes, own.size) == 0 &&
        (own.verdict == COMPLETE) == (other.verdict == COMPLETE) && (own.verdict != COMPLETE || own.consumed == other.consumed) &&
        !(own.verdict == TRUNCATED && other.verdict == DAMAGED);
    if (!is_same) {
        fprintf(stderr, "pieces of %zu and %zu: verdict %d, %zu of %zu bytes read, %zu written; zlib %d, %zu, %zu\n", in_piece,
                out_piece, own.verdict, own.consumed, size, own.size, other.verdict, other.consumed, other.size);
        abort();
    }
    return own.verdict;
}

#endif
