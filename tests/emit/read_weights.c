/* Gives a model weights and runs it. From stdin: the input, then for each blob how many bytes (UINT32_MAX: none, NULL), by
   how many it lies off its alignment, and those bytes. To stdout: for each what ID_set_weights and then ID_run return,
   and the output, all bytes of which are 0x55 before. With an argument the first blob is that file, mapped into memory.
   Each blob is allocated on its own and exactly as large as it is told to be; what is taken stays. */
#include MODEL_HEADER

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static INPUT_TYPE input[INPUT_ELEMENTS];
static OUTPUT_TYPE output[OUTPUT_ELEMENTS];

static void answer(const void *blob, uint32_t n_bytes)
{
    int32_t said[2];

    memset(output, 0x55, sizeof output);
    said[0] = SET_WEIGHTS(blob, n_bytes);
    said[1] = RUN(input, output);
    fwrite(said, sizeof said, 1, stdout);
    fwrite(output, sizeof output, 1, stdout);
}

int main(int count, char **arguments)
{
    uint32_t told[2];

    if (fread(input, sizeof input, 1, stdin) != 1)
        return 1;
    if (count > 1) {
        const int file = open(arguments[1], O_RDONLY);
        const off_t n_bytes = lseek(file, 0, SEEK_END);
        const void *const mapped = mmap(NULL, (size_t)n_bytes, PROT_READ, MAP_PRIVATE, file, 0);
        if (mapped == MAP_FAILED)
            return 2;
        answer(mapped, (uint32_t)n_bytes);
    }
    while (fread(told, sizeof told, 1, stdin) == 1) {
        if (told[0] == UINT32_MAX) {
            answer(NULL, 0);
            continue;
        }
        unsigned char *const room = malloc((size_t)told[0] + told[1]);
        if (room == NULL || (told[0] > 0 && fread(room + told[1], told[0], 1, stdin) != 1))
            return 3;
        answer(room + told[1], told[0]);
    }
    return 0;
}
