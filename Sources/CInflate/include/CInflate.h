// Decompresses gzip (RFC 1952) and the deflate data in it (RFC 1951), piece by piece, some three times as fast as zlib.
#ifndef MINIRUN_CINFLATE_H
#define MINIRUN_CINFLATE_H

// Nothing of glibc: a Swift file that sees this beside CLinux would see two definitions of its types.
#include <stddef.h>

/// The state of one decoder: some 70 KiB, whatever the data says. One thread at a time.
struct gunzip;

enum gunzip_result {
    /// All input was taken, or the output is full: call again with more of what ran out.
    GUNZIP_MORE = 0,
    /// The member is complete and both its checks were right. What was not consumed belongs to whatever follows.
    GUNZIP_MEMBER_END = 1,
    /// No gzip data, or damaged: what zlib refuses, this refuses too. Only `gunzip_reset` leads on.
    GUNZIP_CORRUPT = -1,
};

/// A decoder at the start of a member; NULL where there is no memory.
struct gunzip *gunzip_create(void);
void gunzip_destroy(struct gunzip *decoder);

/// Begins the next member.
void gunzip_reset(struct gunzip *decoder);

/// Decodes as much as fits. Input and output may be of any size, the output in another place at each call; large pieces of
/// output (256 KiB and more) are the fastest. `consumed` and `produced` are set whatever the result is.
enum gunzip_result gunzip_decode(
    struct gunzip *decoder,
    const unsigned char *input, size_t input_size, size_t *consumed,
    unsigned char *output, size_t output_size, size_t *produced
);

enum { CRC32_SHIFTS = 24 };

/// The CRC-32 of gzip, for whoever needs a fast check of bytes: some 20 GB/s where the processor can multiply without carrying.
struct crc32 {
    unsigned tables[8][256];
    /// What 2^n bytes of zeros multiply a check by.
    unsigned zeros[CRC32_SHIFTS];
    int has_carryless, has_wide_carryless;
};

void crc32_prepare(struct crc32 *check);

/// The check of more bytes: `crc` is that of the bytes before, 0 for none.
unsigned crc32_update(const struct crc32 *check, unsigned crc, const unsigned char *bytes, size_t size);

/// What bytes do to a check wherever they stand: the CRC without either inversion, as if `behind` zeros followed them (less than
/// 2^CRC32_SHIFTS). The CRC-32 of bytes that come in any order is the exclusive or of these, and of the CRC-32 of as many zeros.
unsigned crc32_part(const struct crc32 *check, const unsigned char *bytes, size_t size, size_t behind);

#endif
