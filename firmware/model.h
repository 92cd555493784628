/* SPDX-License-Identifier: Apache-2.0
 *
 * What the firmware knows of a model. The build generates one C file that includes the model's C, so that its static arrays
 * can be named here, and calls mcuq_layer_done() after each layer.
 */
#ifndef MCUQ_MODEL_H
#define MCUQ_MODEL_H

#include <stdint.h>

/* One input or output at its own place in the arena, or a part of the arena. */
struct mcuq_tensor {
    int8_t *address;
    uint32_t n_bytes;
};

/* One constant array of the model's C. */
struct mcuq_constant {
    const void *data;
    uint32_t n_bytes;
};

struct mcuq_model {
    const char *name;                      /* UTF-8 */
    uint32_t digest;                       /* MODEL_DIGEST of the model's header */
    uint32_t input_bytes;                  /* sum over `inputs` */
    uint32_t output_bytes;                 /* sum over `outputs` */
    uint32_t arena_bytes;
#if defined(MCUQ_ARENAS)
    const struct mcuq_tensor *arenas;      /* the MCUQ_ARENAS parts of the model's own arena; aligned to 4 */
#else
    int8_t *arena;                         /* first byte of the model's own arena; aligned to 4 */
#endif
    const struct mcuq_tensor *inputs;      /* in the model's order */
    const struct mcuq_tensor *outputs;     /* in the model's order */
    const struct mcuq_constant *constants; /* in the order of the C file */
    int8_t *kept_input;                    /* input_bytes outside the arena (MCUQ_KEEPS_INPUT), or 0 */
    uint32_t *layer_cycles;                /* one for each layer */
    void (*run)(void);                     /* one inference on the arena, or of the row: calls mcuq_layer_done */
    uint16_t n_inputs;
    uint16_t n_outputs;
    uint16_t n_constants;
    uint16_t layers;                       /* how many call mcuq_layer_done, as 0, 1, ... layers - 1 */
    int8_t *row;                           /* where a row of an input that comes row by row is put, or 0 */
    uint32_t row_bytes;
    void (*reset)(void);                   /* where there is a row: the next one is the first of an input */
    int32_t (*start)(void);                /* gives it its weights, to be called before the first, or 0 */
#if defined(MCUQ_WEIGHTS_ADDRESS)          /* weights can be replaced: */
    int32_t (*set_weights)(const void *blob, uint32_t bytes);
    const void *blob;                      /* those of the program */
    uint32_t blob_bytes;
#endif
};

/* The model that a request is about, and the one that has run last. A build for several has MCUQ_MODELS of them, the first
 * of which is meant where a request names none; without it nothing is chosen, and no code is there that does. */
#if defined(MCUQ_MODELS)
extern const struct mcuq_model *const mcuq_models[MCUQ_MODELS];
extern const struct mcuq_model *mcuq_asked, *mcuq_ran;
#define MCUQ_MODEL (*mcuq_asked)
#define MCUQ_RAN (*mcuq_ran)
#define mcuq_is_asked(model) ((model) == mcuq_asked)
#else
extern const struct mcuq_model mcuq_model;
#define MCUQ_MODEL mcuq_model
#define MCUQ_RAN mcuq_model
#define mcuq_is_asked(model) 1
#endif

/* A byte of the arena, whose parts follow one another. */
static inline int8_t *mcuq_arena_byte(uint32_t offset)
{
#if defined(MCUQ_ARENAS)
    const struct mcuq_tensor *part = MCUQ_MODEL.arenas;

    for (; offset >= part->n_bytes; part++)
        offset -= part->n_bytes;
    return part->address + offset;
#else
    return MCUQ_MODEL.arena + offset;
#endif
}

/* Called by the model's code after the last statement of its layer; model/run.c provides it. */
void mcuq_layer_done(uint16_t layer);

#endif
