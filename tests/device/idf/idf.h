/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of ESP-IDF as firmware/esp_idf/board.c uses, declared from the API reference of the ESP-IDF Programming Guide
 * (UART, System, CPU; FreeRTOS), for tests where ESP-IDF is not installed. Numbers and layouts are not ESP-IDF's.
 */
#ifndef IDF_H
#define IDF_H

#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL (-1)

typedef enum { UART_NUM_0, UART_NUM_1 } uart_port_t;
typedef enum { UART_DATA_7_BITS = 2, UART_DATA_8_BITS } uart_word_length_t;
typedef enum { UART_PARITY_DISABLE, UART_PARITY_EVEN = 2 } uart_parity_t;
typedef enum { UART_STOP_BITS_1 = 1, UART_STOP_BITS_2 = 3 } uart_stop_bits_t;
typedef enum { UART_HW_FLOWCTRL_DISABLE, UART_HW_FLOWCTRL_RTS } uart_hw_flowcontrol_t;
typedef enum { UART_SCLK_DEFAULT = 1 } uart_sclk_t;
#define UART_PIN_NO_CHANGE (-1)

typedef struct {
    int baud_rate;
    uart_word_length_t data_bits;
    uart_parity_t parity;
    uart_stop_bits_t stop_bits;
    uart_hw_flowcontrol_t flow_ctrl;
    uint8_t rx_flow_ctrl_thresh;
    uart_sclk_t source_clk;
} uart_config_t;

typedef uint32_t TickType_t;
typedef unsigned int UBaseType_t;
typedef uint8_t StackType_t;
typedef struct queue *QueueHandle_t;
typedef struct task *TaskHandle_t;
typedef void (*TaskFunction_t)(void *);
typedef struct { uint32_t words[88]; } StaticTask_t;
#define tskIDLE_PRIORITY ((UBaseType_t)0)

esp_err_t uart_driver_install(uart_port_t uart_num, int rx_buffer_size, int tx_buffer_size, int queue_size,
                              QueueHandle_t *uart_queue, int intr_alloc_flags);
esp_err_t uart_param_config(uart_port_t uart_num, const uart_config_t *uart_config);
esp_err_t uart_set_pin(uart_port_t uart_num, int tx_io_num, int rx_io_num, int rts_io_num, int cts_io_num);
esp_err_t uart_wait_tx_done(uart_port_t uart_num, TickType_t ticks_to_wait);
int uart_write_bytes(uart_port_t uart_num, const void *src, size_t size);
int uart_read_bytes(uart_port_t uart_num, void *buf, uint32_t length, TickType_t ticks_to_wait);
uint32_t esp_cpu_get_cycle_count(void);
void esp_restart(void) __attribute__((noreturn));
TaskHandle_t xTaskCreateStatic(TaskFunction_t code, const char *name, uint32_t stack_depth, void *parameters,
                               UBaseType_t priority, StackType_t *stack_buffer, StaticTask_t *task_buffer);

#endif
