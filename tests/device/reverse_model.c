/* The second of two models in one firmware, in the arena of the first (pair_model.c): 40 bytes in, 40 out, two layers.
     layer 0: turned[i] = input[39 - i]
     layer 1: output[i] = turned[i] + 1 */

#include "../../firmware/model.h"

enum { BYTES = 40, SHARED_BYTES = 1216, ARENA_BYTES = 720, LAYERS = 2 };
enum { INPUT = 600, TURNED = 640, OUTPUT = 680 }; /* places in the arena, the input over one of the first model */

extern int32_t arena_words[SHARED_BYTES / 4];
extern const struct mcuq_model mcuq_model_1;
#define ARENA ((int8_t *)arena_words)

static const int8_t one[1] = {1};

static void run(void)
{
    for (int i = 0; i < BYTES; i++)
        ARENA[TURNED + i] = ARENA[INPUT + BYTES - 1 - i];
    mcuq_layer_done(0);
    for (int i = 0; i < BYTES; i++)
        ARENA[OUTPUT + i] = (int8_t)(uint8_t)(ARENA[TURNED + i] + one[0]);
    mcuq_layer_done(1);
}

static const struct mcuq_tensor inputs[] = {{(int8_t *)arena_words + INPUT, BYTES}};
static const struct mcuq_tensor outputs[] = {{(int8_t *)arena_words + OUTPUT, BYTES}};
static const struct mcuq_constant constants[] = {{one, sizeof one}};
static uint32_t layer_cycles[LAYERS];

#if defined(MCUQ_KEEPS_INPUT)
static int8_t kept_input[BYTES];
#define KEPT_INPUT kept_input
#else
#define KEPT_INPUT 0
#endif

const struct mcuq_model mcuq_model_1 = {
    .name = "reverse",
    .digest = 0x0badcafe,
    .input_bytes = BYTES,
    .output_bytes = BYTES,
    .arena_bytes = ARENA_BYTES,
    .arena = ARENA,
    .inputs = inputs,
    .outputs = outputs,
    .constants = constants,
    .kept_input = KEPT_INPUT,
    .layer_cycles = layer_cycles,
    .run = run,
    .n_inputs = 1,
    .n_outputs = 1,
    .n_constants = 1,
    .layers = LAYERS,
};
