// inflate_generated [ROUNDS]: compares CInflate with zlib on streams of every level and strategy, whole, cut at every byte, and
// with bits turned over. Prints how many were compared.
#include "inflate_compare.h"
#include <stdint.h>

static uint64_t seed = 88172645463325252;

static unsigned below(unsigned limit) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 16) % limit;
}

/// Bytes of one of several kinds: noise, text of few letters, runs, copies from before near and far, and all of them mixed.
static void fill(unsigned char *bytes, size_t size, unsigned kind) {
    size_t at = 0;
    while (at < size) {
        unsigned now = kind == 4 ? below(4) : kind;
        size_t count = 1 + below(600);
        if (count > size - at) count = size - at;
        unsigned letters = 2 + below(60), letter = below(256), distance = at > 0 ? 1 + below(at < 32768 ? (unsigned)at : 32768) : 0;
        if (at > 0 && below(2)) distance = 1 + below(at < 20 ? (unsigned)at : 20);
        for (size_t i = 0; i < count; i++, at++) {
            if (now == 3 && distance > 0) bytes[at] = bytes[at - distance];
            else bytes[at] = (unsigned char)(now == 0 ? below(256) : now == 1 ? 'a' + below(letters) : letter);
        }
    }
}

/// The bytes as a gzip member with some flags in its header; `*size` is its size.
static unsigned char *compress_member(unsigned char *bytes, size_t count, int level, int strategy, size_t *size) {
    z_stream stream = {.next_in = bytes, .avail_in = (unsigned)count};
    unsigned char extra[50] = "extra", name[] = "a name", comment[] = "a comment";
    gz_header header = {.hcrc = (int)below(2)};
    if (below(2)) header.extra = extra, header.extra_len = below(50);
    if (below(2)) header.name = name;
    if (below(2)) header.comment = comment;
    if (deflateInit2(&stream, level, Z_DEFLATED, 9 + (int)below(7) + 16, 1 + (int)below(9), strategy) != Z_OK) abort();
    if (deflateSetHeader(&stream, &header) != Z_OK) abort();
    size_t room = count + count / 8 + 4096;
    unsigned char *out = malloc(room);
    if (!out) abort();
    stream.next_out = out;
    stream.avail_out = (unsigned)room;
    // Flushes make empty stored blocks and small blocks.
    while (stream.avail_in > 0) {
        unsigned left = stream.avail_in, part = below(4) == 0 ? 1 + below(left) : left;
        stream.avail_in = part;
        if (deflate(&stream, part < left ? (int)(below(2) ? Z_FULL_FLUSH : Z_PARTIAL_FLUSH) : Z_NO_FLUSH) != Z_OK) abort();
        stream.avail_in += left - part;
    }
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) abort();
    *size = room - stream.avail_out;
    deflateEnd(&stream);
    return out;
}

int main(int count, char **arguments) {
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED};
    static const size_t pieces[] = {1, 3, 100, 1000, 70000, 500000};
    unsigned rounds = count > 1 ? (unsigned)atoi(arguments[1]) : 400;
    unsigned long compared = 0, verdicts[3] = {0};
    for (unsigned round = 0; round < rounds; round++) {
        // Mostly small, so that every cut can be tried; some larger than the window and the loops' margins.
        size_t size = below(8) == 0 ? below(300000) : below(3000), packed_size;
        unsigned char *bytes = malloc(size + 1);
        if (!bytes) abort();
        fill(bytes, size, below(5));
        unsigned char *packed = compress_member(bytes, size, (int)below(11) - 1, strategies[below(5)], &packed_size);
        for (unsigned i = 0; i < 6; i++, compared++) {
            if (compare(packed, packed_size, pieces[below(i ? 6 : 1)], pieces[i]) != COMPLETE) abort();
        }
        for (size_t cut = 0; cut < packed_size; cut += packed_size < 3000 ? 1 : packed_size / 50, compared++) {
            verdicts[compare(packed, cut, pieces[below(6)], pieces[2 + below(4)])]++;
        }
        for (unsigned i = 0; i < 100; i++, compared++) {
            size_t at = below((unsigned)packed_size);
            unsigned char before = packed[at];
            packed[at] ^= (unsigned char)(1 << below(8));
            verdicts[compare(packed, packed_size, pieces[1 + below(5)], pieces[2 + below(4)])]++;
            if (below(3)) packed[at] = before;
        }
        free(packed);
        free(bytes);
    }
    printf("%lu streams compared: cut or damaged %lu incomplete, %lu complete, %lu refused\n", compared, verdicts[TRUNCATED],
           verdicts[COMPLETE], verdicts[DAMAGED]);
    return 0;
}
