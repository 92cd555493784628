/* SPDX-License-Identifier: Apache-2.0
 *
 * What C99 does not say and compilers say differently. The generator copies what follows into its C file.
 */
#ifndef MCUQ_COMPILER_H
#define MCUQ_COMPILER_H

/* GCC, Clang and their like take assembly and attributes; for others there is plain C beside them. */
#if defined(__GNUC__) && !defined(__CC_ARM) && !defined(__ICCARM__)
#define MCUQ_GNU 1
#define MCUQ_NOINLINE __attribute__((noinline))
#define MCUQ_MEMCPY __builtin_memcpy
#else
#include <string.h>
#define MCUQ_GNU 0
#define MCUQ_NOINLINE
#define MCUQ_MEMCPY memcpy
#endif

#endif
