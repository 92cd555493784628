/* SPDX-License-Identifier: Apache-2.0 */
#include "mailbox.h"

#include <stdint.h>

#if defined(MCUQ_MAILBOX_ADDRESS)

/* Each number lies beside its complement: RAM that has just been powered holds neither but by chance. */
#define STAY UINT32_C(0x59415453)
#define WORDS ((volatile uint32_t *)(uintptr_t)MCUQ_MAILBOX_ADDRESS)
enum { WISH = 0, STARTS = 2 };
enum { MOST_STARTS = 3 };

static uint32_t number_at(int place)
{
    const uint32_t number = WORDS[place];

    return WORDS[place + 1] == ~number ? number : 0;
}

static void put_number(int place, uint32_t number)
{
    WORDS[place] = number;
    WORDS[place + 1] = ~number;
}

int mcuq_has_loader(void)
{
    return 1;
}

void mcuq_mailbox_put(int stay)
{
    put_number(WISH, stay ? STAY : 0);
}

int mcuq_mailbox_take(void)
{
    const int stay = number_at(WISH) == STAY;

    mcuq_mailbox_put(0);
    return stay;
}

int mcuq_mailbox_count_start(void)
{
    const uint32_t starts = number_at(STARTS);

    /* Beyond MOST_STARTS it is no count. */
    put_number(STARTS, starts < MOST_STARTS ? starts + 1 : starts > MOST_STARTS ? 1 : 0);
    return starts != MOST_STARTS;
}

void mcuq_mailbox_answered(void)
{
    put_number(STARTS, 0);
}

#else

int mcuq_has_loader(void)
{
    return 0;
}

void mcuq_mailbox_put(int stay)
{
    (void)stay;
}

int mcuq_mailbox_take(void)
{
    return 0;
}

int mcuq_mailbox_count_start(void)
{
    return 1;
}

void mcuq_mailbox_answered(void)
{
}

#endif
