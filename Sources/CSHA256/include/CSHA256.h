// SHA-256 (FIPS 180-4) with the processor's own instructions, of two streams at once where there are two: each instruction waits for
// the one before it, so that a second stream costs next to nothing.
#ifndef MINIRUN_CSHA256_H
#define MINIRUN_CSHA256_H

// Nothing of glibc: a Swift file that sees this beside CLinux would see two definitions of its types.
#include <stddef.h>

/// A running hash. A value: a copy goes on by itself.
struct sha256 {
    unsigned state[8];
    unsigned long long count;
    /// The bytes behind the last whole block.
    unsigned char rest[64];
};

/// Whether this processor has the instructions. Nothing else here may be called where it has not.
int sha256_is_supported(void);

void sha256_begin(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const unsigned char *bytes, size_t size);

/// Updates both, as two calls of `sha256_update` would; as far as both have bytes, in the time of one.
void sha256_update_both(
    struct sha256 *one, const unsigned char *bytes, size_t size,
    struct sha256 *other, const unsigned char *other_bytes, size_t other_size
);

/// The hash of all that came. Leaves `hash` as it is, so that more may follow.
void sha256_digest(const struct sha256 *hash, unsigned char digest[32]);

#endif
