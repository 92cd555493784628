/* SPDX-License-Identifier: Apache-2.0 */
/* A board of Espressif's under ESP-IDF (5.0 or later), by its public drivers alone (ESP-IDF Programming Guide, API
   reference: UART, CPU, system; FreeRTOS). ESP-IDF starts the chip and calls app_main(), which runs the firmware as a
   task on a stack of its own, so that its high-water mark can be measured. The driver's own buffer holds what arrives
   while the model computes; it clears receive errors itself. */

#include "board.h"

#include "driver/uart.h"
#include "esp_cpu.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#define PORT UART_NUM_0
#define TASK_STACK_BYTES 8192 /* the model's, ESP-IDF's UART driver's, and the registers of an interrupted task */
#define DRAIN_TICKS 100
enum { RECEIVE_BUFFER_BYTES = 4096, TAKEN_BYTES = 64 };

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* The symbols that a linker script defines on other boards. */
__asm__(".pushsection .bss.mcuq_stack,\"aw\",@nobits\n\t"
        ".balign 16\n\t"
        ".globl mcuq_stack_bottom\n"
        "mcuq_stack_bottom:\n\t"
        ".zero " TEXT(TASK_STACK_BYTES) "\n\t"
        ".globl mcuq_stack_top\n"
        "mcuq_stack_top:\n\t"
        ".popsection\n");

static StaticTask_t task;
static uint8_t taken[TAKEN_BYTES];
static uint32_t n_taken, next_taken;

void app_main(void);

static void run(void *argument)
{
    (void)argument;
    mcuq_main();
}

void app_main(void)
{
    StackType_t *const stack = (StackType_t *)mcuq_stack_bottom;

    (void)xTaskCreateStatic(run, "mcuq", TASK_STACK_BYTES, 0, tskIDLE_PRIORITY + 1, stack, &task);
}

void board_start(void)
{
    const uart_config_t settings = {
        .baud_rate = MCUQ_UART_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };

    if (uart_driver_install(PORT, RECEIVE_BUFFER_BYTES, 0, 0, 0, 0) != ESP_OK ||
        uart_param_config(PORT, &settings) != ESP_OK ||
        uart_set_pin(PORT, MCUQ_UART_TX_PIN, MCUQ_UART_RX_PIN, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE) != ESP_OK)
        esp_restart();
}

/* Many at a time: each call of the driver takes a lock. */
int board_receive(void)
{
    if (next_taken == n_taken) {
        const int n_bytes = uart_read_bytes(PORT, taken, TAKEN_BYTES, 0);

        n_taken = n_bytes > 0 ? (uint32_t)n_bytes : 0;
        next_taken = 0;
        if (n_taken == 0)
            return -1;
    }
    return taken[next_taken++];
}

void board_send(uint8_t byte)
{
    (void)uart_write_bytes(PORT, &byte, 1);
}

uint32_t board_cycles(void)
{
    return (uint32_t)esp_cpu_get_cycle_count();
}

void board_reset(void)
{
    (void)uart_wait_tx_done(PORT, DRAIN_TICKS);
    esp_restart();
}
