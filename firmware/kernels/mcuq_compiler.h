/* SPDX-License-Identifier: Apache-2.0
 *
 * What C99 does not say and compilers say differently. The generator copies into its C file
 * what that uses.
 */
#ifndef MCUQ_COMPILER_H
#define MCUQ_COMPILER_H

/* item MCUQ_GNU, MCUQ_NOINLINE, MCUQ_MEMCPY: */
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

/* item MCUQ_ASSUME: needs MCUQ_GNU */
/* Tells the compiler what the generator has made sure of. */
#if MCUQ_GNU
#define MCUQ_ASSUME(condition) do { if (!(condition)) __builtin_unreachable(); } while (0)
#else
#define MCUQ_ASSUME(condition) ((void)0)
#endif

/* item MCUQ_MEMORY_CHANGES_TYPE: needs MCUQ_GNU */
/* Layers take over memory that others used for elements of another type; no access may move past this. */
#if MCUQ_GNU
#define MCUQ_MEMORY_CHANGES_TYPE() __asm__ volatile("" ::: "memory")
#else
#define MCUQ_MEMORY_CHANGES_TYPE() ((void)0)
#endif

#endif
