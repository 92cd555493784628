/* SPDX-License-Identifier: Apache-2.0 */
/* A board that is a process on this computer (Linux), for tests without an emulator. What speaks to it sees what it
   sees of a board: bytes, resets, a loader whose slot and mailbox outlive a reset.

     firmware [--pty | --port PATH] [--slot FILE]

   The UART is stdin and stdout; with --pty a new pseudo-terminal, whose path is the first line of stdout; with --port
   a terminal that exists. FILE holds slot and mailbox, page by page as the firmware writes them, so that killing the
   process is cutting the power; without it they are lost at a reset. argv[0] must be a path: a reset executes it again.
   SIGUSR1 is the reset button. The end of the input switches the board off.

   With MCUQ_WINDOW_BYTES a signal plays the UART's interrupt, and bytes for which the ring has no room are lost.
   The image in the slot is an executable file; the loader jumps to it by executing it with the same UART and FILE.
   One cycle is one nanosecond: the build gives MCUQ_CLOCK_HZ 1000000000. */

#define _GNU_SOURCE
#include "../../board.h"
#include "../../loader/jump.h"
#include "../../protocol/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 262144, CHUNK_BYTES = 1024, IDLE_MS = 20, SEND_MS = 1000, FAILURE = 3, MAILBOX_BYTES = 4096 };

void host_idle(void);

unsigned char mcuq_stack_bottom[STACK_BYTES] __attribute__((aligned(4096)));
__asm__(".globl mcuq_stack_top\n.set mcuq_stack_top, mcuq_stack_bottom + 262144\n");

static char **arguments;
static const char *slot_file;
static int in = STDIN_FILENO, out = STDOUT_FILENO;
static volatile sig_atomic_t has_ended;

static unsigned char received[CHUNK_BYTES];
static size_t received_bytes, next_received;
static unsigned char unsent[CHUNK_BYTES];
static size_t unsent_bytes;

static pthread_t core;
static sem_t interrupt_done;

static void fail(const char *what)
{
    perror(what);
    exit(FAILURE);
}

static int wait_for(int file, short events, int timeout_ms)
{
    struct pollfd poller = {.fd = file, .events = events, .revents = 0};

    return poll(&poller, 1, timeout_ms) > 0;
}

/* What nobody reads for a second is lost, as on a line. */
static void flush(void)
{
    size_t sent = 0;

    while (sent < unsent_bytes && wait_for(out, POLLOUT, SEND_MS)) {
        const ssize_t n = write(out, unsent + sent, unsent_bytes - sent);
        if (n < 0 && errno != EINTR)
            break;
        sent += n > 0 ? (size_t)n : 0;
    }
    unsent_bytes = 0;
}

int board_receive(void)
{
    if (next_received == received_bytes) {
        ssize_t n;
        if (has_ended || !wait_for(in, POLLIN, 0))
            return -1;
        n = read(in, received, sizeof received);
        if (n <= 0) {
            has_ended = n == 0 || errno != EINTR;
            return -1;
        }
        received_bytes = (size_t)n;
        next_received = 0;
    }
    return received[next_received++];
}

void board_send(uint8_t byte)
{
    unsent[unsent_bytes++] = byte;
    if (byte == 0 || unsent_bytes == sizeof unsent)
        flush();
}

uint32_t board_cycles(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * UINT32_C(1000000000) + (uint32_t)now.tv_nsec;
}

/* Called while no byte is there: spares the computer. */
void host_idle(void)
{
    const struct timespec moment = {.tv_sec = 0, .tv_nsec = 200000};

    if (next_received != received_bytes)
        return;
    if (has_ended)
        exit(EXIT_SUCCESS);
    if (MCUQ_WINDOW_BYTES > 0)
        nanosleep(&moment, NULL);
    else
        wait_for(in, POLLIN, IDLE_MS);
}

static void execute(int program, const char *path)
{
    char uart[64];
    char *argv[6] = {arguments[0], "--files", uart, NULL, NULL, NULL};

    snprintf(uart, sizeof uart, "%d,%d", in, out);
    if (slot_file != NULL) {
        argv[3] = "--slot";
        argv[4] = (char *)(uintptr_t)slot_file;
    }
    if (program >= 0)
        fexecve(program, argv, environ);
    else
        execv(path, argv);
    fail(path);
}

void board_reset(void)
{
    execute(-1, arguments[0]);
}

static void press_reset(int signal_number)
{
    (void)signal_number;
    execute(-1, arguments[0]);
}

static void interrupt(int signal_number)
{
    const int saved = errno;

    (void)signal_number;
    for (int byte = board_receive(); byte >= 0; byte = board_receive())
        mcuq_received((uint8_t)byte);
    errno = saved;
    sem_post(&interrupt_done);
}

void board_start(void)
{
}

#if defined(MCUQ_MAILBOX_ADDRESS)

/* Slot and mailbox at their addresses, which the build gives one behind the other. */
static void map_memory(void)
{
    const size_t n_bytes = MCUQ_MAILBOX_ADDRESS - MCUQ_SLOT_ADDRESS + MAILBOX_BYTES;
    const int protection = PROT_READ | PROT_WRITE;
    int file = -1;
    void *memory;

    if (slot_file != NULL) {
        file = open(slot_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || ftruncate(file, (off_t)n_bytes) != 0)
            fail(slot_file);
    }
    memory = mmap((void *)(uintptr_t)MCUQ_SLOT_ADDRESS, n_bytes, protection,
                  MAP_SHARED | MAP_FIXED_NOREPLACE | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
    if (memory != (void *)(uintptr_t)MCUQ_SLOT_ADDRESS)
        fail("the slot's address");
}

void mcuq_jump(uint32_t address)
{
    const int program = memfd_create("image", MFD_CLOEXEC);
    const char *image = (const char *)(uintptr_t)address;
    const char *end = (const char *)(uintptr_t)(MCUQ_SLOT_ADDRESS + MCUQ_SLOT_BYTES);

    while (image < end) {
        const ssize_t n = write(program, image, (size_t)(end - image));
        if (n <= 0)
            fail("the image");
        image += n;
    }
    execute(program, "the image");
}

#else

static void map_memory(void)
{
}

#endif

static void make_raw(int terminal)
{
    struct termios settings;

    if (tcgetattr(terminal, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(terminal, TCSANOW, &settings);
    }
}

/* The other end stays open here too, so that the board outlives whoever speaks to it. */
static void open_pty(void)
{
    int other_end;

    in = out = posix_openpt(O_RDWR | O_NOCTTY);
    if (in < 0 || grantpt(in) != 0 || unlockpt(in) != 0)
        fail("--pty");
    other_end = open(ptsname(in), O_RDWR | O_NOCTTY);
    if (other_end < 0)
        fail("--pty");
    make_raw(other_end);
    printf("%s\n", ptsname(in));
    fflush(stdout);
}

static void open_port(const char *path)
{
    in = out = open(path, O_RDWR | O_NOCTTY);
    if (in < 0)
        fail(path);
    make_raw(in);
}

static void read_arguments(int argc)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--pty") == 0) {
            open_pty();
            continue;
        }
        if (strcmp(arguments[i], "--port") == 0)
            open_port(value);
        else if (strcmp(arguments[i], "--slot") == 0)
            slot_file = value;
        else if (strcmp(arguments[i], "--files") != 0 || sscanf(value, "%d,%d", &in, &out) != 2) {
            fprintf(stderr, "%s: unknown argument; use --pty, --port PATH, --slot FILE\n", arguments[i]);
            exit(FAILURE);
        }
        i++;
    }
}

static void *start(void *unused)
{
    mcuq_main();
    return unused;
}

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal_number, &action, NULL);
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    sigset_t all;

    arguments = argv;
    read_arguments(argc);
    map_memory();
    sem_init(&interrupt_done, 0, 0);
    handle(SIGUSR1, press_reset);
    handle(SIGUSR2, interrupt);
    sigemptyset(&all); /* a signal that was being handled when the program was executed is still blocked */
    sigprocmask(SIG_SETMASK, &all, NULL);

    for (size_t i = 0; i < STACK_BYTES / sizeof(uint32_t); i++)
        ((volatile uint32_t *)(void *)mcuq_stack_bottom)[i] = MCUQ_STACK_PAINT;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, mcuq_stack_bottom, STACK_BYTES) != 0 ||
        pthread_create(&core, &attributes, start, NULL) != 0)
        fail("the stack");
    while (MCUQ_WINDOW_BYTES > 0 && !has_ended) {
        if (!wait_for(in, POLLIN, -1))
            continue;
        pthread_kill(core, SIGUSR2);
        while (sem_wait(&interrupt_done) != 0)
            ;
    }
    pthread_join(core, NULL);
    return EXIT_SUCCESS;
}
