/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of idf.h on this computer: the UART is stdin and stdout, the task runs on its own stack, a restart starts
 * this program again. "settings" as the only argument prints what board.c asks the UART's driver for.
 */
#define _GNU_SOURCE
#include "idf.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

void app_main(void);

static char **arguments;
static int installed, configured;

esp_err_t uart_driver_install(uart_port_t uart_num, int rx_buffer_size, int tx_buffer_size, int queue_size,
                              QueueHandle_t *uart_queue, int intr_alloc_flags)
{
    /* API reference: the receive buffer is larger than the hardware's, of 128 bytes */
    if (uart_num != UART_NUM_0 || rx_buffer_size <= 128 || tx_buffer_size != 0 || queue_size != 0 || uart_queue != 0 ||
        intr_alloc_flags != 0)
        return ESP_FAIL;
    installed = 1;
    return ESP_OK;
}

esp_err_t uart_param_config(uart_port_t uart_num, const uart_config_t *c)
{
    if (uart_num != UART_NUM_0 || c->data_bits != UART_DATA_8_BITS || c->parity != UART_PARITY_DISABLE ||
        c->stop_bits != UART_STOP_BITS_1 || c->flow_ctrl != UART_HW_FLOWCTRL_DISABLE ||
        c->source_clk != UART_SCLK_DEFAULT)
        return ESP_FAIL;
    configured = c->baud_rate;
    return ESP_OK;
}

esp_err_t uart_set_pin(uart_port_t uart_num, int tx_io_num, int rx_io_num, int rts_io_num, int cts_io_num)
{
    if (uart_num != UART_NUM_0 || rts_io_num != UART_PIN_NO_CHANGE || cts_io_num != UART_PIN_NO_CHANGE)
        return ESP_FAIL;
    if (arguments[1] != 0 && strcmp(arguments[1], "settings") == 0) {
        printf("%d baud, TX %d, RX %d\n", configured, tx_io_num, rx_io_num);
        exit(0);
    }
    return ESP_OK;
}

esp_err_t uart_wait_tx_done(uart_port_t uart_num, TickType_t ticks_to_wait)
{
    return uart_num == UART_NUM_0 && ticks_to_wait > 0 ? ESP_OK : ESP_FAIL;
}

int uart_write_bytes(uart_port_t uart_num, const void *src, size_t size)
{
    if (uart_num != UART_NUM_0 || !installed)
        return -1;
    return (int)write(1, src, size);
}

/* Waits a little where nothing is there, so that this computer rests; the driver itself would not. */
int uart_read_bytes(uart_port_t uart_num, void *buf, uint32_t length, TickType_t ticks_to_wait)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};

    if (uart_num != UART_NUM_0 || !installed || ticks_to_wait != 0)
        return -1;
    if (poll(&input, 1, 1) <= 0)
        return 0;
    const ssize_t n_bytes = read(0, buf, length);
    if (n_bytes == 0)
        exit(0);
    return (int)n_bytes;
}

uint32_t esp_cpu_get_cycle_count(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * UINT32_C(1000000000) + (uint32_t)now.tv_nsec;
}

void esp_restart(void)
{
    execv("/proc/self/exe", arguments);
    abort();
}

static ucontext_t main_context, task_context;
static TaskFunction_t task_code;

static void task_entry(void)
{
    task_code(0);
}

TaskHandle_t xTaskCreateStatic(TaskFunction_t code, const char *name, uint32_t stack_depth, void *parameters,
                               UBaseType_t priority, StackType_t *stack_buffer, StaticTask_t *task_buffer)
{
    if (name == 0 || parameters != 0 || priority == tskIDLE_PRIORITY || task_buffer == 0)
        abort();
    getcontext(&task_context);
    task_code = code;
    task_context.uc_stack.ss_sp = stack_buffer;
    task_context.uc_stack.ss_size = stack_depth;
    task_context.uc_link = &main_context;
    makecontext(&task_context, task_entry, 0);
    return (TaskHandle_t)(void *)task_buffer;
}

int main(int argc, char **argv)
{
    (void)argc;
    arguments = argv;
    app_main();
    swapcontext(&main_context, &task_context);
    return 1;
}
