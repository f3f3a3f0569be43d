
/*
 * An instruction at a time: the processor's trap flag raises SIGTRAP after
 * each one, and the handler calls a function of the test's.  In there nothing
 * is stepped through.
 */


#ifndef _UNIT_STEPS_H_INCLUDED_
#define _UNIT_STEPS_H_INCLUDED_


#include "unit.h"

#include <ucontext.h>


#if (__x86_64__)

#define UNIT_STEPS      1

#define TRAP_FLAG       0x100


/* single steps, how many there were the time before, what to do after each */

static volatile ngx_uint_t  stepping, inside, steps, total;
static void               (*volatile at_step)(void);


/* The flag is off in the handler; what it returns with is to be told. */

static ngx_inline void
unit_steps_trap(int signo, siginfo_t *info, void *context)
{
    ucontext_t  *uc;

    (void) signo;
    (void) info;

    if (stepping && inside) {
        inside = 0;
        steps++;
        at_step();
        inside = 1;
    }

    uc = context;

    if (stepping) {
        uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;

    } else {
        uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    }
}


/* To be called first. */

static ngx_inline void
unit_steps_init(void)
{
    struct sigaction  sa;

    ngx_memzero(&sa, sizeof(struct sigaction));
    sa.sa_sigaction = unit_steps_trap;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &sa, NULL);
}


/* What runs between these two calls runs in single steps. */

static ngx_inline void
unit_steps_begin(void (*function)(void))
{
    steps = 0;
    at_step = function;
    stepping = 1;

    raise(SIGTRAP);

    inside = 1;
}


static ngx_inline void
unit_steps_end(void)
{
    inside = 0;
    stepping = 0;
    total = steps;
}

#endif


#endif /* _UNIT_STEPS_H_INCLUDED_ */
