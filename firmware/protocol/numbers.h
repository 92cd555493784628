/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of docs/protocol.md; a test compares the two.
 */
#ifndef MCUQ_NUMBERS_H
#define MCUQ_NUMBERS_H

enum { MCUQ_PROTOCOL_VERSION = 1 };

/* Frames of other types are ignored, so that a line which sends a device its own answers back rests. */
enum { MCUQ_FIRST_REQUEST = 0x01, MCUQ_LAST_REQUEST = 0x7d };

/* The first byte of a frame. A request's answer has MCUQ_ANSWER added; DAMAGED and STARTED answer nothing. */
enum {
    MCUQ_HELLO = 0x01,
    MCUQ_ECHO = 0x02,
    MCUQ_SELF_TEST = 0x03,
    MCUQ_RESET = 0x04,
    MCUQ_INFER = 0x10,
    MCUQ_WRITE_INPUT = 0x11,
    MCUQ_RUN = 0x12,
    MCUQ_READ_OUTPUT = 0x13,
    MCUQ_READ_ARENA = 0x14,
    MCUQ_CONTINUE = 0x15,
    MCUQ_LAYER_CYCLES = 0x16,
    MCUQ_MARKS = 0x17,
    MCUQ_CHECKSUM = 0x18,
    MCUQ_OF_MODEL = 0x19,
    MCUQ_ERASE_WEIGHTS = 0x1a,
    MCUQ_WRITE_WEIGHTS = 0x1b,
    MCUQ_USE_WEIGHTS = 0x1c,
    MCUQ_ERASE = 0x20,
    MCUQ_WRITE = 0x21,
    MCUQ_COMMIT = 0x22,
    MCUQ_BOOT = 0x23,
    MCUQ_ANSWER = 0x80,
    MCUQ_STARTED = 0xfe,
    MCUQ_DAMAGED = 0xff
};

/* The first byte of an answer's body. */
enum {
    MCUQ_OK = 0,
    MCUQ_UNKNOWN_TYPE = 1,
    MCUQ_BAD_LENGTH = 2,
    MCUQ_BAD_ADDRESS = 3,
    MCUQ_WRONG_INPUT = 4,
    MCUQ_NO_RESULT = 5,
    MCUQ_WRONG_STATE = 6,
    MCUQ_UNSUPPORTED = 7,
    MCUQ_WRONG_IMAGE = 8,
    MCUQ_FLASH_FAILED = 9,
    MCUQ_SELF_TEST_FAILED = 10
};

/* The body of DAMAGED. */
enum { MCUQ_BAD_COBS = 1, MCUQ_BAD_CRC = 2, MCUQ_TOO_LONG = 3, MCUQ_TOO_SHORT = 4 };

enum { MCUQ_ROLE_MODEL = 0, MCUQ_ROLE_LOADER = 1 };

/* HELLO's flags */
enum {
    MCUQ_KEEPS_ITS_INPUT = 1,
    MCUQ_COUNTS_CYCLES = 2,
    MCUQ_EMULATED_TIME = 4,
    MCUQ_IS_PAUSED = 8,
    MCUQ_TAKES_ROWS = 16,
    MCUQ_TAKES_WEIGHTS = 32
};

/* RESET's target */
enum { MCUQ_RESET_NORMALLY = 0, MCUQ_RESET_INTO_LOADER = 1 };

/* Flags of RUN and CONTINUE, and the state in their answers */
enum { MCUQ_PAUSE = 1 };
enum { MCUQ_STATE_DONE = 0, MCUQ_STATE_PAUSED = 1 };

/* MARKS' task */
enum { MCUQ_MARKS_READ = 0, MCUQ_MARKS_PAINT_A5 = 1, MCUQ_MARKS_PAINT_5A = 2 };

/* SELF_TEST's failed checks */
enum { MCUQ_CRC_FAILS = 1, MCUQ_COBS_FAILS = 2, MCUQ_ARITHMETIC_FAILS = 4, MCUQ_CYCLES_FAIL = 8 };

#endif
