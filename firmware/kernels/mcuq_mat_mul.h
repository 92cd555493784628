/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a computed matrix for kernels of CPUs without vectors. */
#ifndef MCUQ_MAT_MUL_H
#define MCUQ_MAT_MUL_H

#include "mcuq_compiler.h"

#include <stdint.h>

