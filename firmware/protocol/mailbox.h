/* SPDX-License-Identifier: Apache-2.0
 *
 * Four words at the end of RAM that nobody initializes: what the program before a reset tells the loader after it.
 */
#ifndef MCUQ_MAILBOX_H
#define MCUQ_MAILBOX_H

/* Whether a loader is there to read the mailbox: the build gives MCUQ_MAILBOX_ADDRESS. */
int mcuq_has_loader(void);

/* Leaves the wish to stay in the loader, or none. */
void mcuq_mailbox_put(int stay);

/* Whether there was the wish to stay in the loader; takes it out. */
int mcuq_mailbox_take(void);

/* Counts a start of the image. Returns 0 where it has been started three times and has answered nothing: it is not to
 * be started then, and the count begins again. */
int mcuq_mailbox_count_start(void);

/* A request was answered: the count of starts begins again. */
void mcuq_mailbox_answered(void);

#endif
