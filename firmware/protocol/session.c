/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "../board.h"
#include "../memory.h"
#include "frame.h"
#include "little_endian.h"
#include "mailbox.h"
#include "ring.h"
#include "self_test.h"

/* No UART that a board file may name holds more than this many bytes that it has still to send. */
enum { MOST_UART_BYTES = 64, HELLO_TEXTS = 3 };

typedef char mcuq_payload_holds_hello[MCUQ_PAYLOAD_BYTES >= 64 && MCUQ_PAYLOAD_BYTES <= 32767 ? 1 : -1];

/* Which of several models a request is about. */
#if defined(MCUQ_MODELS)
#include "../model/models.h"
enum { MORE_MODELS = MCUQ_MODELS - 1 };
#else
#define mcuq_for_model(message, handle) handle(message)
enum { MORE_MODELS = 0 };
#endif

/* What to do while nothing arrives, where the build has something to do. */
#if defined(MCUQ_IDLE)
void MCUQ_IDLE(void);
#else
#define MCUQ_IDLE() ((void)0)
#endif

static uint8_t frame[MCUQ_FRAME_BYTES + MCUQ_PAYLOAD_BYTES];
static struct mcuq_decoder decoder;

static void receive(void)
{
#if MCUQ_WINDOW_BYTES == 0
    while (mcuq_ring_has_room()) {
        const int byte = board_receive();
        if (byte < 0)
            return;
        mcuq_received((uint8_t)byte);
    }
#endif
}

static void send(uint8_t byte)
{
    receive();
    board_send(byte);
}

static void send_frame(uint8_t type, uint8_t sequence, uint16_t body_bytes)
{
    frame[0] = type;
    frame[1] = sequence;
    mcuq_encode(frame, (uint16_t)(MCUQ_FRAME_HEAD_BYTES + body_bytes), send);
}

/* A text that does not fit before `end` is cut between two characters of UTF-8. */
static uint8_t *put_text(uint8_t *to, const uint8_t *end, const char *text)
{
    uint8_t *n_bytes = to++;

    for (*n_bytes = 0; *text != 0 && to != end && *n_bytes != 255; (*n_bytes)++)
        *to++ = (uint8_t)*text++;
    for (; (*text & 0xc0) == 0x80 && *n_bytes > 0; (*n_bytes)--) {
        text--;
        to--;
    }
    return to;
}

/* Where there is no room for all texts the last ones are cut first. */
static uint8_t hello(struct mcuq_message *message)
{
    const char *const text[HELLO_TEXTS] = {MCUQ_BOARD_NAME, mcuq_hello_name(), MCUQ_BUILD_TEXT};
    uint8_t *next = message->answer;
    const uint8_t *end = message->answer + MCUQ_MOST_ANSWER_BYTES - HELLO_TEXTS;
    uint8_t flags = mcuq_hello_flags();

    if (message->n_bytes != 0)
        return MCUQ_BAD_LENGTH;
    if (mcuq_cycles_move())
        flags |= MCUQ_COUNTS_CYCLES;
#if defined(MCUQ_IS_EMULATED) && MCUQ_IS_EMULATED
    flags |= MCUQ_EMULATED_TIME;
#endif
    *next++ = MCUQ_PROTOCOL_VERSION;
    *next++ = mcuq_role;
    next = mcuq_put_u16(next, MCUQ_PAYLOAD_BYTES);
    next = mcuq_put_u16(next, MCUQ_WINDOW_BYTES);
    *next++ = flags;
    *next++ = MORE_MODELS;
    next = mcuq_put_u32(next, MCUQ_CLOCK_HZ);
    mcuq_hello_numbers(next);
    next += MCUQ_HELLO_ROLE_BYTES;
    for (int i = 0; i < HELLO_TEXTS; i++)
        next = put_text(next, ++end, text[i]);
    message->answer_bytes = (uint16_t)(next - message->answer);
    return MCUQ_OK;
}

static uint8_t echo(struct mcuq_message *message)
{
    if (message->n_bytes > MCUQ_MOST_ANSWER_BYTES)
        return MCUQ_BAD_LENGTH;
    memmove(message->answer, message->body, message->n_bytes);
    message->answer_bytes = message->n_bytes;
    return MCUQ_OK;
}

static uint8_t self_test(struct mcuq_message *message)
{
    uint32_t failed;

    if (message->n_bytes != 0)
        return MCUQ_BAD_LENGTH;
    failed = mcuq_self_test();
    mcuq_put_u32(message->answer, failed);
    message->answer_bytes = 4;
    return failed == 0 ? MCUQ_OK : MCUQ_SELF_TEST_FAILED;
}

static uint8_t reset(struct mcuq_message *message)
{
    uint8_t target;

    if (message->n_bytes != 1)
        return MCUQ_BAD_LENGTH;
    target = message->body[0];
    if (target > MCUQ_RESET_INTO_LOADER || (target == MCUQ_RESET_INTO_LOADER && !mcuq_has_loader()))
        return MCUQ_UNSUPPORTED;
    mcuq_session_answer(message, MCUQ_OK);
    mcuq_session_drain();
    mcuq_mailbox_put(target == MCUQ_RESET_INTO_LOADER);
    board_reset();
    return MCUQ_ANSWERED_LATER;
}

static uint8_t handle(struct mcuq_message *message)
{
    switch (message->type) {
    case MCUQ_HELLO:
        return hello(message);
    case MCUQ_ECHO:
        return echo(message);
    case MCUQ_SELF_TEST:
        return self_test(message);
    case MCUQ_RESET:
        return reset(message);
    default:
        return mcuq_handle(message);
    }
}

void mcuq_session_open_answer(struct mcuq_message *message, uint8_t type, uint8_t sequence)
{
    message->type = type;
    message->sequence = sequence;
    message->n_bytes = 0;
    message->body = frame + MCUQ_FRAME_HEAD_BYTES;
    message->answer = frame + MCUQ_FRAME_HEAD_BYTES + 1;
    message->answer_bytes = 0;
}

void mcuq_session_answer(struct mcuq_message *message, uint8_t status)
{
    frame[MCUQ_FRAME_HEAD_BYTES] = status;
    send_frame((uint8_t)(message->type | MCUQ_ANSWER), message->sequence, (uint16_t)(1 + message->answer_bytes));
    mcuq_mailbox_answered();
}

void mcuq_session_drain(void)
{
    for (int i = 0; i < MOST_UART_BYTES; i++)
        send(0);
}

/* The 0 ends what a reset may have cut in the middle. */
void mcuq_session_start(void)
{
    mcuq_ring_clear();
    mcuq_decoder_start(&decoder, frame, sizeof frame);
    send(0);
    frame[MCUQ_FRAME_HEAD_BYTES] = mcuq_role;
    send_frame(MCUQ_STARTED, 0, 1);
}

void mcuq_session_step(void)
{
    struct mcuq_message message;
    int byte, decoded = MCUQ_NO_FRAME;
    uint8_t status;

    receive();
    while (decoded == MCUQ_NO_FRAME) {
        byte = mcuq_ring_take();
        if (byte < 0) {
            MCUQ_IDLE();
            return;
        }
        decoded = mcuq_decode(&decoder, (uint8_t)byte);
    }
    if (decoded != MCUQ_GOOD_FRAME) {
        frame[MCUQ_FRAME_HEAD_BYTES] = (uint8_t)decoded;
        send_frame(MCUQ_DAMAGED, 0, 1);
        return;
    }
    mcuq_session_open_answer(&message, frame[0], frame[1]);
    message.n_bytes = (uint16_t)(decoder.n_bytes - MCUQ_FRAME_HEAD_BYTES);
    if (message.type < MCUQ_FIRST_REQUEST || message.type > MCUQ_LAST_REQUEST)
        return;
    status = mcuq_for_model(&message, handle);
    if (status != MCUQ_ANSWERED_LATER)
        mcuq_session_answer(&message, status);
}
