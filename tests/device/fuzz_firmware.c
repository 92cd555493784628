/* Feeds a firmware with random, damaged and valid frames and asks after each bunch whether it still answers.

     fuzz_firmware SEED FRAMES

   Compiled with the model's or, with -DFUZZ_LOADER, the loader's sources. Ends with 0 when FRAMES frames have gone in
   and, after each bunch, a HELLO and an ECHO were answered; sanitizers end it at the first fault. Whatever the device
   sends must be good frames. A reset starts mcuq_main() again, with all variables as they are: none may matter.
   With MCUQ_WINDOW_BYTES bytes arrive at any moment, as from an interrupt, and those without room are lost. */

#define _GNU_SOURCE
#include "../../firmware/board.h"
#include "../../firmware/loader/jump.h"
#include "../../firmware/protocol/crc32.h"
#include "../../firmware/protocol/frame.h"
#include "../../firmware/protocol/little_endian.h"
#include "../../firmware/protocol/ring.h"
#include "../../firmware/protocol/session.h"
#include "../../firmware/slots/flash.h"
#include "../../firmware/slots/slot.h"
#include "xorshift.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_BYTES = 131072, STREAM_BYTES = 1 << 20, BUNCH_FRAMES = 200, MOST_BODY_BYTES = 2 * MCUQ_PAYLOAD_BYTES };
enum { INPUT_BYTES = 605, IMAGE_BYTES = 600, MAPPED_BYTES = MCUQ_SLOT_BYTES + 4096 };

void fuzz_idle(void);

unsigned char mcuq_stack_bottom[STACK_BYTES] __attribute__((aligned(4096)));
__asm__(".globl mcuq_stack_top\n.set mcuq_stack_top, mcuq_stack_bottom + 131072\n");

static uint8_t stream[STREAM_BYTES];
static size_t stream_bytes, next_in_stream, questions_at; /* questions_at: from there on nothing may be lost */
static uint8_t question[MCUQ_PAYLOAD_BYTES];              /* ECHO's body */
static uint16_t question_bytes;
static uint8_t question_sequence;
static uint8_t sent[MCUQ_FRAME_BYTES + MCUQ_PAYLOAD_BYTES];
static struct mcuq_decoder decoder;
static int has_hello, has_echo, has_reset;
static unsigned long frames, wanted_frames, bunches, answers, resets;
static jmp_buf reset_target;
static pthread_t core;

static void fail(const char *what)
{
    fprintf(stderr, "bunch %lu: %s\n", bunches, what);
    abort();
}

static uint32_t below(uint32_t n)
{
    return random_u32() % n;
}

/* Numbers at which something ends, and others. */
static uint32_t odd_number(void)
{
    static const uint32_t ends[] = {
        0,    1,    2,    3,     4,     5,          599,        600,        601,        604,        605,
        606,  1023, 1024, 1208, 1216, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff,
    };
    const uint32_t end = ends[below(sizeof ends / sizeof ends[0])];

    return below(4) == 0 ? random_u32() : end;
}

static void put_byte(uint8_t byte)
{
    if (stream_bytes < sizeof stream)
        stream[stream_bytes++] = byte;
}

static void put_plain_frame(uint8_t type, uint8_t sequence, const uint8_t *body, uint32_t body_bytes)
{
    static uint8_t bytes[MCUQ_FRAME_BYTES + MOST_BODY_BYTES];

    bytes[0] = type;
    bytes[1] = sequence;
    memcpy(bytes + MCUQ_FRAME_HEAD_BYTES, body, body_bytes);
    mcuq_encode(bytes, (uint16_t)(MCUQ_FRAME_HEAD_BYTES + body_bytes), put_byte);
    frames++;
}

/* Where there are several models, most frames are about one of them, or one that is not there. */
static void put_frame(uint8_t type, uint8_t sequence, const uint8_t *body, uint32_t body_bytes)
{
#if defined(MCUQ_MODELS)
    static uint8_t bytes[MOST_BODY_BYTES] = {0};
    const uint32_t kept_bytes = body_bytes < MOST_BODY_BYTES - 2 ? body_bytes : MOST_BODY_BYTES - 2;

    if (below(8) != 0) {
        bytes[0] = (uint8_t)(below(20) == 0 ? 2 : below(MCUQ_MODELS));
        bytes[1] = type;
        memcpy(bytes + 2, body, kept_bytes);
        put_plain_frame(MCUQ_OF_MODEL, sequence, bytes, 2 + kept_bytes);
        return;
    }
#endif
    put_plain_frame(type, sequence, body, body_bytes);
}

static uint8_t known_type(void)
{
    static const uint8_t types[] = {0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x12, 0x13, 0x14,
                                    0x15, 0x16, 0x17, 0x18, 0x20, 0x21, 0x22, 0x23};

    return types[below(sizeof types)];
}

/* A CRC of fewer bytes than a frame must have. */
static void put_short_frame(void)
{
    uint8_t bytes[MCUQ_FRAME_BYTES] = {known_type()};

    mcuq_encode(bytes, (uint16_t)below(MCUQ_FRAME_HEAD_BYTES), put_byte);
    frames++;
}

static void fill_randomly(uint8_t *bytes, uint32_t n_bytes)
{
    const uint32_t kind = below(4);

    for (uint32_t i = 0; i < n_bytes; i++) {
        const uint32_t r = random_u32();
        bytes[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? r % 2 * 255 : kind == 2 ? 1 + r % 255 : r & 255);
    }
}

static void put_random_body(void)
{
    static uint8_t body[MOST_BODY_BYTES];
    const uint32_t kind = below(20);
    const uint32_t n_bytes = kind == 0   ? below(MOST_BODY_BYTES + 1)
                             : kind == 1 ? MCUQ_PAYLOAD_BYTES - 3 + below(6)
                                         : below(24);

    fill_randomly(body, n_bytes);
    put_frame(below(8) == 0 ? (uint8_t)(random_u32() & 255) : known_type(), (uint8_t)below(4), body, n_bytes);
}

/* A request whose numbers have the places that its message gives them, and values at the edges. */
static void put_request(void)
{
    uint8_t body[32], *end = body;
    const uint8_t type = known_type();

    switch (type) {
    case MCUQ_RESET:
        *end++ = (uint8_t)below(3);
        break;
    case MCUQ_RUN:
        end = mcuq_put_u16(end, below(3));
        *end++ = (uint8_t)below(3);
        end = mcuq_put_u16(end, below(4));
        end = mcuq_put_u32(end, random_u32());
        break;
    case MCUQ_READ_OUTPUT:
        end = mcuq_put_u32(end, random_u32());
        /* fall through */
    case MCUQ_READ_ARENA:
        end = mcuq_put_u32(end, odd_number());
        end = mcuq_put_u16(end, odd_number());
        break;
    case MCUQ_CONTINUE:
        *end++ = (uint8_t)below(3);
        end = mcuq_put_u16(end, below(4));
        break;
    case MCUQ_LAYER_CYCLES:
        end = mcuq_put_u16(end, below(5));
        end = mcuq_put_u16(end, below(8) == 0 ? odd_number() : below(5));
        break;
    case MCUQ_MARKS:
        *end++ = (uint8_t)below(4);
        break;
    case MCUQ_COMMIT:
        end = mcuq_put_u32(end, odd_number());
        /* fall through */
    case MCUQ_ERASE:
        end = mcuq_put_u32(end, odd_number());
        break;
    case MCUQ_WRITE_INPUT:
    case MCUQ_WRITE:
        end = mcuq_put_u32(end, odd_number());
        for (uint32_t n = below(9); n > 0; n--)
            *end++ = (uint8_t)(random_u32() & 255);
        break;
    default:
        break;
    }
    put_frame(type, (uint8_t)below(4), body, (uint32_t)(end - body));
}

/* A model that really runs, an image that really is loaded: what comes next meets another state. */
static void put_work(void)
{
    static uint8_t body[4 + INPUT_BYTES];
    uint8_t run[9], *end = run;
    const uint8_t sequence = (uint8_t)below(256);

#if defined(FUZZ_LOADER)
    put_frame(MCUQ_ERASE, sequence, body, (uint32_t)(mcuq_put_u32(body, IMAGE_BYTES) - body));
    fill_randomly(body + 4, IMAGE_BYTES);
    mcuq_put_u32(body, 0);
    put_frame(MCUQ_WRITE, (uint8_t)(sequence + 1), body, 4 + IMAGE_BYTES);
    end = mcuq_put_u32(end, IMAGE_BYTES);
    end = mcuq_put_u32(end, mcuq_crc32(0, body + 4, IMAGE_BYTES));
    put_frame(MCUQ_COMMIT, (uint8_t)(sequence + 2), run, (uint32_t)(end - run));
#else
    fill_randomly(body + 4, INPUT_BYTES);
    if (below(2) == 0) {
        put_frame(MCUQ_INFER, sequence, body + 4, INPUT_BYTES);
        return;
    }
    mcuq_put_u32(body, 0);
    put_frame(MCUQ_WRITE_INPUT, sequence, body, sizeof body);
    end = mcuq_put_u16(end, 1 + below(2));
    *end++ = (uint8_t)below(2);
    end = mcuq_put_u16(end, below(4));
    end = mcuq_put_u32(end, mcuq_crc32(0, body + 4, INPUT_BYTES));
    for (uint32_t n = 1 + below(2); n > 0; n--)
        put_frame(MCUQ_RUN, (uint8_t)(sequence + 1), run, (uint32_t)(end - run));
    end = run;
    *end++ = (uint8_t)below(2);
    end = mcuq_put_u16(end, below(4));
    for (uint32_t n = below(3); n > 0; n--)
        put_frame(MCUQ_CONTINUE, (uint8_t)(sequence + 2), run, (uint32_t)(end - run));
    mcuq_put_u32(body, mcuq_crc32(0, body + 4, INPUT_BYTES));
    end = mcuq_put_u32(body + 4, odd_number());
    end = mcuq_put_u16(end, odd_number());
    put_frame(MCUQ_READ_OUTPUT, (uint8_t)(sequence + 3), body, (uint32_t)(end - body));
#endif
}

static void put_noise(void)
{
    const uint32_t n_bytes = below(20) == 0 ? below(4096) : below(30);
    const uint32_t zeros = below(3);

    for (uint32_t i = 0; i < n_bytes; i++) {
        const uint32_t r = random_u32();
        put_byte((uint8_t)(zeros == 0 ? 1 + r % 255 : zeros == 1 ? r & 255 : r % 3));
    }
    put_byte(0);
    frames++;
}

/* Changes what was put at stream[start] and later: one to three of flip, overwrite, drop, double, insert, cut. */
static void mutate(size_t start)
{
    for (uint32_t n = 1 + below(3); n > 0 && stream_bytes > start; n--) {
        const size_t place = start + below((uint32_t)(stream_bytes - start));
        uint8_t *at = stream + place;
        const size_t rest = stream_bytes - place;

        switch (below(6)) {
        case 0:
            *at = (uint8_t)(*at ^ (1u << below(8)));
            break;
        case 1:
            *at = (uint8_t)(random_u32() & 255);
            break;
        case 2:
            memmove(at, at + 1, rest - 1);
            stream_bytes--;
            break;
        case 3:
        case 4:
            if (stream_bytes < sizeof stream) {
                memmove(at + 1, at, rest);
                stream_bytes++;
                if (below(2) == 0)
                    *at = (uint8_t)(random_u32() & 255);
            }
            break;
        default:
            stream_bytes = place;
            break;
        }
    }
}

static void put_bunch(void)
{
    stream_bytes = next_in_stream = 0;
    for (int i = 0; i < BUNCH_FRAMES; i++) {
        const size_t start = stream_bytes;
        const uint32_t kind = below(16);

        if (kind < 2)
            put_noise();
        else if (kind < 3)
            put_short_frame();
        else if (kind < 5)
            put_random_body();
        else if (kind < 6)
            put_work();
        else
            put_request();
        if (kind >= 3 && below(3) == 0)
            mutate(start);
    }
    questions_at = stream_bytes;
    put_byte(0);
    question_sequence = (uint8_t)(random_u32() & 255);
    question_bytes = (uint16_t)below(MCUQ_MOST_ANSWER_BYTES + 1);
    fill_randomly(question, question_bytes);
    put_plain_frame(MCUQ_HELLO, question_sequence, question, 0);
    put_plain_frame(MCUQ_ECHO, question_sequence, question, question_bytes);
    if (stream_bytes == sizeof stream)
        fail("a bunch is longer than the harness has room for");
}

/* Whether a byte may come now; an interrupt brings some at any moment. */
static int has_next(void)
{
    return next_in_stream < stream_bytes;
}

static void interrupt(uint32_t n_bytes)
{
#if MCUQ_WINDOW_BYTES > 0
    for (; n_bytes > 0 && has_next() && (next_in_stream < questions_at || mcuq_ring_has_room()); n_bytes--)
        mcuq_received(stream[next_in_stream++]);
#else
    (void)n_bytes;
#endif
}

int board_receive(void)
{
    return MCUQ_WINDOW_BYTES == 0 && has_next() ? stream[next_in_stream++] : -1;
}

static void take_frame(void)
{
    const uint8_t *bytes = decoder.bytes;
    const uint16_t body_bytes = (uint16_t)(decoder.n_bytes - MCUQ_FRAME_HEAD_BYTES);

    answers++;
    if (bytes[0] < MCUQ_ANSWER || body_bytes < 1 || body_bytes > MCUQ_PAYLOAD_BYTES)
        fail("sends something that is no answer, or too long");
    if (has_hello && bytes[0] == (MCUQ_ANSWER | MCUQ_ECHO) && bytes[1] == question_sequence && bytes[2] == MCUQ_OK)
        has_echo = body_bytes == 1 + question_bytes && memcmp(bytes + 3, question, question_bytes) == 0;
    has_hello = has_hello || (bytes[0] == (MCUQ_ANSWER | MCUQ_HELLO) && bytes[1] == question_sequence &&
                              bytes[2] == MCUQ_OK && bytes[3] == MCUQ_PROTOCOL_VERSION && bytes[4] == mcuq_role);
    if (has_reset && bytes[0] != MCUQ_STARTED)
        fail("starts with another frame than STARTED");
    has_reset = 0;
}

void board_send(uint8_t byte)
{
    const int decoded = mcuq_decode(&decoder, byte);

    interrupt(below(3));
    if (decoded == MCUQ_GOOD_FRAME)
        take_frame();
    else if (decoded != MCUQ_NO_FRAME)
        fail("sends a damaged frame");
}

uint32_t board_cycles(void)
{
    static uint32_t cycles;

    interrupt(below(40));
    return cycles += below(1000);
}

void board_start(void)
{
}

void board_reset(void)
{
    resets++;
    longjmp(reset_target, 1);
}

/* The device waits for bytes: give it some, or end the bunch. */
void fuzz_idle(void)
{
    if (has_next()) {
        interrupt(1 + below(200));
        return;
    }
    if (bunches > 0 && !(has_hello && has_echo))
        fail("does not answer a valid HELLO and ECHO any more");
    if (frames >= wanted_frames) {
        printf("%lu frames, %lu answers, %lu resets\n", frames, answers, resets);
        exit(EXIT_SUCCESS);
    }
    bunches++;
    has_hello = has_echo = 0;
    put_bunch();
}

#if defined(FUZZ_LOADER)

/* No word of an image may change below a valid header. */
static void check_change(uint32_t address)
{
    if (mcuq_slot_header(MCUQ_SLOT_ADDRESS) != 0 && address >= MCUQ_SLOT_ADDRESS + MCUQ_PAGE_BYTES)
        fail("changes an image that is committed");
    if (address < MCUQ_SLOT_ADDRESS || address >= MCUQ_SLOT_ADDRESS + MCUQ_SLOT_BYTES || address % 4 != 0)
        fail("changes what is no word of the slot");
}

void mcuq_flash_erase_page(uint32_t address)
{
    check_change(address);
    memset((void *)(uintptr_t)address, 0xff, MCUQ_PAGE_BYTES);
}

void mcuq_flash_write_word(uint32_t address, uint32_t word)
{
    check_change(address);
    *(uint32_t *)(uintptr_t)address &= word;
}

void mcuq_jump(uint32_t address)
{
    if (address != MCUQ_SLOT_ADDRESS + MCUQ_PAGE_BYTES || !mcuq_slot_is_whole(MCUQ_SLOT_ADDRESS))
        fail("jumps to what is no image");
    resets++;
    *(volatile uint32_t *)(uintptr_t)MCUQ_SLOT_ADDRESS = 0; /* else it would start the image for ever */
    longjmp(reset_target, 1);
}

#endif

static void *run(void *unused)
{
    /* A reset loses what was received and may cut what is sent. */
    if (setjmp(reset_target) != 0) {
        has_reset = 1;
        if (next_in_stream > questions_at)
            next_in_stream = questions_at;
    }
    mcuq_main();
    return unused;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;

    if (argc != 3)
        return EXIT_FAILURE;
    random_state = (uint32_t)strtoul(argv[1], NULL, 10) * 2654435761u + 1;
    wanted_frames = strtoul(argv[2], NULL, 10);
    if (mmap((void *)(uintptr_t)MCUQ_SLOT_ADDRESS, MAPPED_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)(uintptr_t)MCUQ_SLOT_ADDRESS)
        fail("no memory at the slot's address");
    mcuq_decoder_start(&decoder, sent, sizeof sent);
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, mcuq_stack_bottom, STACK_BYTES) != 0 ||
        pthread_create(&core, &attributes, run, NULL) != 0)
        fail("no stack");
    pthread_join(core, NULL);
    return EXIT_FAILURE;
}
