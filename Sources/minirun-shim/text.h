// A text that is put together in a fixed space: the one way in which this program makes texts. What does not fit is left out,
// and `fits` says so, so that whoever uses the text decides whether half of it is an answer; it always ends with a NUL.
#ifndef MINIRUN_TEXT_H
#define MINIRUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes;
    size_t size;   // of the space, with the NUL
    size_t length; // of what is in it, without
    bool fits;
};

// An empty text in an array, not behind a pointer.
#define TEXT_IN(array) \
    text_in((array), sizeof(array) + 0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(array), __typeof__(&(array)[0]))]))
struct text text_in(char *space, size_t size);

void add_bytes(struct text *text, const char *bytes, size_t count);
void add(struct text *text, const char *more);
void add_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
