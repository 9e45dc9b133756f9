// Fuzzes CInflate: whatever zlib says of the bytes, it must say too.
//
// The first byte chooses the pieces, and whether a header is put in front so that what follows is deflate data at once.
#include "inflate_compare.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t pieces[] = {1, 7, 61, 1 << 20};
    static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    if (size == 0) return 0;
    size_t offset = data[0] & 16 ? 0 : sizeof header;
    uint8_t *bytes = malloc(offset + size);
    if (!bytes) abort();
    memcpy(bytes, header, offset);
    memcpy(bytes + offset, data + 1, size - 1);
    compare(bytes, offset + size - 1, pieces[data[0] & 3], pieces[data[0] >> 2 & 3] * 330);
    free(bytes);
    return 0;
}
