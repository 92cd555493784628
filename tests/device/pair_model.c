/* A model by hand for tests of the firmware, in the form that mcuq/build/firmware.py generates: two inputs of 600 and 5
   bytes, three layers, two outputs of 600 and 2 bytes.
     layer 0: sum[i] = long[i] + short[i % 5]
     layer 1: turned[i] = sum[599 - i]           over the inputs, which are gone then
     layer 2: first output[i] = turned[i] ^ 85; second = sum of the first's bytes, least significant byte first
   All modulo 256. */

#include "../../firmware/model.h"

enum { LONG_BYTES = 600, SHORT_BYTES = 5, ARENA_BYTES = 1216, LAYERS = 3 };
enum { SUM = 8, LONG = 608, SHORT = 1208, TOTAL = 1208 }; /* places in the arena */

/* With MCUQ_MODELS it is the first of two, which share its arena: reverse_model.c has the other. */
#if defined(MCUQ_MODELS)
#define mcuq_model_pair mcuq_model_0
extern int32_t arena_words[ARENA_BYTES / 4];
int32_t arena_words[ARENA_BYTES / 4];
extern const struct mcuq_model mcuq_model_0, mcuq_model_1;
#else
#define mcuq_model_pair mcuq_model
static int32_t arena_words[ARENA_BYTES / 4];
#endif
#define ARENA ((int8_t *)arena_words)

static const int8_t mask[2] = {85, -86};
static const uint16_t reach[3] = {1, 600, 0x1234};

static uint8_t *byte_at(int place)
{
    return (uint8_t *)ARENA + place;
}

static void run(void)
{
    unsigned total = 0;

    for (int i = 0; i < LONG_BYTES; i++)
        *byte_at(SUM + i) = (uint8_t)((*byte_at(LONG + i) + *byte_at(SHORT + i % SHORT_BYTES)) & 255);
    mcuq_layer_done(0);
    for (int i = 0; i < LONG_BYTES; i++)
        *byte_at(LONG + i) = *byte_at(SUM + LONG_BYTES - 1 - i);
    mcuq_layer_done(1);
    for (int i = 0; i < LONG_BYTES; i++) {
        *byte_at(SUM + i) = (uint8_t)(*byte_at(LONG + i) ^ (uint8_t)mask[0]);
        total += *byte_at(SUM + i);
    }
    *byte_at(TOTAL) = (uint8_t)(total & 255);
    *byte_at(TOTAL + 1) = (uint8_t)(total >> 8 & 255);
    mcuq_layer_done(2);
}

static const struct mcuq_tensor inputs[] = {{ARENA + LONG, LONG_BYTES}, {ARENA + SHORT, SHORT_BYTES}};
static const struct mcuq_tensor outputs[] = {{ARENA + SUM, LONG_BYTES}, {ARENA + TOTAL, 2}};
static const struct mcuq_constant constants[] = {{mask, sizeof mask}, {reach, sizeof reach}};
static uint32_t layer_cycles[LAYERS];

#if defined(MCUQ_KEEPS_INPUT)
static int8_t kept_input[LONG_BYTES + SHORT_BYTES];
#define KEPT_INPUT kept_input
#else
#define KEPT_INPUT 0
#endif

const struct mcuq_model mcuq_model_pair = {
    .name = "pair",
    .digest = 0x1f0c9a3e,
    .input_bytes = LONG_BYTES + SHORT_BYTES,
    .output_bytes = LONG_BYTES + 2,
    .arena_bytes = ARENA_BYTES,
    .arena = ARENA,
    .inputs = inputs,
    .outputs = outputs,
    .constants = constants,
    .kept_input = KEPT_INPUT,
    .layer_cycles = layer_cycles,
    .run = run,
    .n_inputs = 2,
    .n_outputs = 2,
    .n_constants = 2,
    .layers = LAYERS,
};

#if defined(MCUQ_MODELS)
const struct mcuq_model *const mcuq_models[MCUQ_MODELS] = {&mcuq_model_0, &mcuq_model_1};
#endif
