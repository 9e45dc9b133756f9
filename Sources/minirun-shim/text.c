#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text text_in(char *space, size_t size) {
    if (size) space[0] = 0;
    return (struct text){.bytes = space, .size = size, .fits = size > 0};
}

void add_bytes(struct text *text, const char *bytes, size_t count) {
    if (!text->size) return;
    size_t room = text->size - 1 - text->length;
    if (count > room) {
        text->fits = false;
        count = room;
    }
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = 0;
}

void add(struct text *text, const char *more) { add_bytes(text, more, strlen(more)); }

void add_format(struct text *text, const char *format, ...) {
    if (!text->size) return;
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->size - text->length;
    int length = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room) {
        text->fits = false;
        length = length < 0 ? 0 : (int)room - 1;
    }
    text->length += (size_t)length;
    text->bytes[text->length] = 0;
}
