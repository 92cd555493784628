/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes requests from the UART and answers them: those of both roles here, the others by the role's mcuq_handle().
 */
#ifndef MCUQ_SESSION_H
#define MCUQ_SESSION_H

#include <stdint.h>

#include "numbers.h"

/* Largest body of a frame, both ways. */
#if !defined(MCUQ_PAYLOAD_BYTES)
#define MCUQ_PAYLOAD_BYTES 1024
#endif

/* A request, and then, in the same memory, its answer. */
struct mcuq_message {
    uint8_t type;
    uint8_t sequence;
    uint16_t n_bytes;      /* of `body` */
    const uint8_t *body;   /* the request's; gone once `answer` is written */
    uint8_t *answer;       /* room for MCUQ_MOST_ANSWER_BYTES, behind the status */
    uint16_t answer_bytes; /* 0 when the role gets it */
};

enum { MCUQ_MOST_ANSWER_BYTES = MCUQ_PAYLOAD_BYTES - 1 };

/* Prepares reception and sends STARTED. */
void mcuq_session_start(void);

/* Looks at what has arrived; answers at most one request. */
void mcuq_session_step(void);

/* Makes `message` the answer to a request that was taken before; writing it ends the one in the frame buffer. */
void mcuq_session_open_answer(struct mcuq_message *message, uint8_t type, uint8_t sequence);

/* Sends the answer that `message` holds. */
void mcuq_session_answer(struct mcuq_message *message, uint8_t status);

/* Sends what is in the UART's own buffers out of it: empty frames behind it, more than any UART holds. */
void mcuq_session_drain(void);

/* The parts that differ between model and loader; main.c and loader/main.c provide them. */
extern const uint8_t mcuq_role;

/* Answers a request of the role: puts it into message->answer and returns its status, or MCUQ_ANSWERED_LATER. */
enum { MCUQ_ANSWERED_LATER = 0xff };
uint8_t mcuq_handle(struct mcuq_message *message);

/* HELLO's bits and numbers of this role; the latter are written at `bytes` and MCUQ_HELLO_ROLE_BYTES long. */
uint8_t mcuq_hello_flags(void);
void mcuq_hello_numbers(uint8_t *bytes);
enum { MCUQ_HELLO_ROLE_BYTES = 22 };

/* The model's name, or "". */
const char *mcuq_hello_name(void);

#endif
