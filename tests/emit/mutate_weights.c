/* Gives a model so many mutations of its weights: mutate_weights COUNT SEED BLOB. Each is refused, or equal to the blob
   as far as that goes, and then gives the same output; anything else ends with 1. To stdout: how many of each status. */
#include MODEL_HEADER

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, STATUSES = 8 };

static unsigned char blob[MOST_BYTES];
static uint32_t state;
static INPUT_TYPE input[INPUT_ELEMENTS];
static OUTPUT_TYPE wanted[OUTPUT_ELEMENTS], output[OUTPUT_ELEMENTS];

/* xorshift32 */
static uint32_t below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (uint32_t)(((uint64_t)state * limit) >> 32);
}

static uint32_t place(uint32_t n_bytes)
{
    return below(below(2) != 0 && n_bytes > 64 ? 64 : n_bytes); /* the head half of the time */
}

static void mutate(unsigned char *bytes, uint32_t n_bytes)
{
    uint32_t i, from, length;

    for (uint32_t times = 1 + below(3); times > 0; times--) {
        i = place(n_bytes);
        length = 1 + below(n_bytes - i < 16 ? n_bytes - i : 16);
        from = below(n_bytes - length + 1);
        switch (below(6)) {
        case 0:
            bytes[i] = (unsigned char)(bytes[i] ^ (1u << below(8)));
            break;
        case 1:
            bytes[i] = (unsigned char)below(256);
            break;
        case 2:
            memset(bytes + i, below(2) != 0 ? 0xff : 0, length);
            break;
        case 3:
            memmove(bytes + i, bytes + from, length);
            break;
        case 4:
            for (uint32_t k = 0; k < length; k++)
                bytes[i + k] = (unsigned char)below(256);
            break;
        default:
            bytes[i] = (unsigned char)(bytes[i] + (below(2) != 0 ? 1 : 255));
        }
    }
}

int main(int count, char **arguments)
{
    uint32_t seen[STATUSES] = {0};
    FILE *const file = count == 4 ? fopen(arguments[3], "rb") : NULL;
    const uint32_t n_bytes = file == NULL ? 0 : (uint32_t)fread(blob, 1, MOST_BYTES, file);
    unsigned char *const kept = malloc(n_bytes);

    if (kept == NULL || n_bytes == 0)
        return 2;
    memcpy(kept, blob, n_bytes);
    for (size_t i = 0; i < INPUT_ELEMENTS; i++)
        input[i] = (INPUT_TYPE)(i * 37 % 101);
    if (SET_WEIGHTS(kept, n_bytes) != 0 || RUN(input, wanted) != 0)
        return 2;
    state = (uint32_t)strtoul(arguments[2], NULL, 10);
    for (unsigned long left = strtoul(arguments[1], NULL, 10); left > 0; left--) {
        const uint32_t shift = below(16) == 0 ? 1 + below(7) : 0;
        const uint32_t room = below(8) == 0 ? below(n_bytes + 1) : n_bytes + below(2) * below(32);
        unsigned char *const start = calloc(1, shift + room + 1u);
        int32_t said, ran;

        if (start == NULL)
            return 2;
        unsigned char *const exact = realloc(start, shift + room == 0 ? 1 : shift + room);
        if (exact == NULL)
            return 2;
        memcpy(exact + shift, blob, room < n_bytes ? room : n_bytes);
        if (room > 0)
            mutate(exact + shift, room);
        said = SET_WEIGHTS(exact + shift, room);
        if (said < 0 || said >= STATUSES)
            return 1;
        seen[said]++;
        if (said == 0) {
            memset(output, 0x55, sizeof output);
            ran = RUN(input, output);
            if (room < n_bytes || memcmp(exact + shift, blob, n_bytes) != 0 || ran != 0 ||
                memcmp(output, wanted, sizeof wanted) != 0)
                return 1;
            SET_WEIGHTS(kept, n_bytes);
        }
        free(exact);
    }
    for (int i = 0; i < STATUSES; i++)
        printf("%u\n", (unsigned)seen[i]);
    return 0;
}
