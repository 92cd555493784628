/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a board provides: five functions, in firmware/boards/FAMILY/board.c, and one that few need.
 */
#ifndef MCUQ_BOARD_H
#define MCUQ_BOARD_H

#include <stdint.h>

/* Clocks, wait states, pins, UART, cycle counter. Called once, after start-up has prepared RAM. */
void board_start(void);

/* Lets memories work that do not after a reset, where a family has such; called before constants are copied into one, and
 * by board_start(). */
void board_memory_start(void);

/* The next byte that the UART holds, or -1; never waits. Clears receive errors (overrun, framing, parity) itself and
 * drops the byte: the frame's CRC finds that it is missing. */
int board_receive(void);

/* Waits for room, then sends. Ends always: a UART drains whether or not somebody listens. */
void board_send(uint8_t byte);

/* A free-running 32-bit count of core clock cycles, or of the best timer that the board has. */
uint32_t board_cycles(void);

/* Resets the chip; does not return. */
void board_reset(void);

/* What start-up calls once RAM is prepared; main.c or loader/main.c provides it. Does not return. */
void mcuq_main(void);

/* The whole stack, from the linker script. Start-up fills it with words of MCUQ_STACK_PAINT. */
extern unsigned char mcuq_stack_bottom[], mcuq_stack_top[];
#define MCUQ_STACK_PAINT UINT32_C(0xa5a5a5a5)

#endif
