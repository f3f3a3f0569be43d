/*
 * The sliding window of src/ngx_wassiit_window.c: takers, a clock, and, as
 * chosen, one who puts another window in its place (MOVE) or who lowers and
 * raises the cap (CAPS).
 *
 * A statement is one access to shared memory; what is atomic touches none, or
 * one.  Spin goes through all orders of them.  A process that dies takes no
 * step any more, which is so in some of these orders: there is no lock, so
 * nothing else tells the others.
 *
 * Times are whole: how they are cut to the bits of a word is for the unit
 * tests, as are pauses, which end what a narrow ring knows.  Memory is ordered,
 * but for the cap, whose store may come late until the fence.
 *
 * FAULT plants a fault by the name of what is left out.
 */

#ifndef N
#define N           2       /* N of window 1 */
#endif
#ifndef N2
#define N2          N       /* N of window 2 */
#endif
#ifndef BATCH
#define BATCH       1
#endif
#ifndef TAKERS
#define TAKERS      2
#endif
#ifndef TAKES
#define TAKES       2       /* of each */
#endif
#ifndef MORE
#define MORE        TAKES   /* of the last one */
#endif
#ifndef W
#define W           2
#endif
#ifndef TICKS
#define TICKS       3
#endif

#define FILL        1       /* the look at the head before a cell's swap */
#define TIME        2       /* an earlier admission's later time */
#define TAIL_SWAP   3       /* another try if the tail's swap fails */
#define CLOSE       4       /* the head's closing before a move */
#define FENCE       5       /* the fence after the cap's store */
#define CAP         6       /* the look at the cap after the swap */
#define SETTLE      7       /* what the older window admitted */
#define NEW_HEAD    8       /* the head's swap: a store instead */
#ifndef FAULT
#define FAULT       0
#endif

#define MOST        (N > N2 -> N : N2)
#define CELLS       4       /* of any ring, at most */

#define HEAD_NONE           7
#define HEAD_CLOSED         8
#define HEAD(time, count, index)    ((time) << 7 | (count) << 4 | (index))
#define HEAD_TIME(head)     ((head) >> 7)
#define HEAD_COUNT(head)    ((head) >> 4 & 7)
#define HEAD_INDEX(head)    ((head) & 7)
#define TAIL_SET            16
#define TAIL_CLOSED         8
#define TAIL(time, index)   ((time) << 5 | TAIL_SET | (index))
#define TAIL_TIME(tail)     ((tail) >> 5)
#define TAIL_INDEX(tail)    ((tail) & 7)

/* a cell: the time of a batch's last admission, and 1; 0: never filled */
#define VALUE(time)         ((time) + 1)

#define OK          0
#define AGAIN       1
#define DECLINED    2

typedef window {
    short head;
    short tail;
    byte cell[CELLS];
    byte limit;
    byte cells;
    byte from;              /* the window to take over from, or 0 */
    byte cap;
    byte held;
};

window w[3];                /* 1 and 2; 0 names none */
byte current = 1;           /* the one that is published */
byte now = 1;               /* the clock */

/* what was admitted last, the newest at 0, and which of it was so for sure */
#define LOG         4
byte log_time[LOG];         /* 0: none */
bool log_sure[LOG];
byte logged;

/* a store of the cap that isn't seen yet */
bool late;
byte late_cap;

byte force = N;              /* the cap in force, as one who lowers is told */

#define left(time, t)       ((t) >= (time) && (t) - (time) >= W)
#define back(x, i, n)       (((i) + w[x].cells - (n)) % w[x].cells)
#define depth(x)            (w[x].limit / BATCH)

#define swap(word, old, value, done)                                         \
    atomic {                                                                 \
        if                                                                   \
        :: word == old -> word = value; done = 1                             \
        :: else -> done = 0                                                  \
        fi                                                                   \
    }

#define VIEW                                                                 \
    short v_head, v_tail;                                                    \
    byte v_since, v_last, v_index, v_recent, v_open;                         \
    byte rc, n, cell, word, time, i, count, keep, total, number, age, lefts; \
    short head;                                                              \
    bool done

inline ngx_wassiit_window_look(x)
{
    do
    :: v_tail = w[x].tail;
       v_head = w[x].head;
       if
       :: w[x].tail == v_tail -> break
       :: else
       fi
    od;

    atomic {
        v_since = TAIL_TIME(v_tail);
        v_last = HEAD_TIME(v_head);
        v_index = HEAD_INDEX(v_head);
        v_recent = back(x, v_index, TAIL_INDEX(v_tail));
        v_open = (HEAD_COUNT(v_head) < BATCH -> HEAD_COUNT(v_head) : 0);
        rc = (v_head == 0 -> DECLINED
                          : ((v_head & HEAD_CLOSED) -> AGAIN : OK))
    }
}

/* Of the newest v_recent, n haven't left: from the oldest on, a cell a step. */

inline ngx_wassiit_window_count(x, t)
{
    n = v_recent;

    if
    :: n == 0 || left(v_last, t) -> n = 0
    :: else ->
       do
       :: n > 1 ->
          cell = w[x].cell[back(x, v_index, n - 1)];
          if
          :: left(cell - 1, t) -> n--
          :: else -> break
          fi
       :: else -> break
       od
    fi
}

/* Of all that is known, n batches. */

inline ngx_wassiit_window_walk(x)
{
    n = 0;

    if
    :: HEAD_COUNT(v_head) == HEAD_NONE
    :: else ->
       do
       :: n++;
          if
          :: n >= w[x].cells -> break
          :: else ->
             cell = w[x].cell[back(x, v_index, n)];
             if
             :: cell == 0 -> break
             :: else
             fi
          fi
       od
    fi
}

inline ngx_wassiit_window_close(x)
{
    do
    :: FAULT == CLOSE -> break
    :: else ->
       head = w[x].head;
       if
       :: head & HEAD_CLOSED -> break
       :: else ->
          swap(w[x].head, head, (head | HEAD_CLOSED), done);
          if
          :: done -> break
          :: else
          fi
       fi
    od;

    do
    :: ngx_wassiit_window_look(x);
       if
       :: v_tail & TAIL_CLOSED -> break
       :: else ->
          ngx_wassiit_window_walk(x);
          swap(w[x].tail, v_tail,
               (TAIL((v_recent -> v_since : v_last + W), n) | TAIL_CLOSED),
               done)
       fi
    od
}

inline ngx_wassiit_window_move(x, old)
{
    ngx_wassiit_window_close(old);

    atomic {
        n = TAIL_INDEX(v_tail);
        total = (n - (v_open != 0 -> 1 : 0)) * BATCH + v_open;
        keep = (total < (w[x].cells - 1) * BATCH
                -> total : (w[x].cells - 1) * BATCH);
        keep = (FAULT == SETTLE -> 0 : keep)
    }

    if
    :: keep == 0 ->
       swap(w[x].head, 0, HEAD(0, HEAD_NONE, 0), done)
    :: else ->
       atomic {
           count = (keep + BATCH - 1) / BATCH;
           lefts = count;
           i = count;
           age = 0;
           time = v_last
       }

       do
       :: i == 0 || w[x].head != 0 -> break
       :: else ->
          number = total - keep + (i * BATCH < keep -> i * BATCH : keep) - 1;
          do
          :: age < n - 1 - number / BATCH ->
             age++;
             time = w[old].cell[back(old, v_index, age)] - 1
          :: else -> break
          od;
          if
          :: !left(time, (v_last > v_since -> v_last : v_since)) -> lefts = i - 1
          :: else
          fi;
          if
          :: i < count -> swap(w[x].cell[i], 0, VALUE(time), done)
          :: else
          fi;
          i--
       od;

       keep = keep - (count - 1) * BATCH;
       swap(w[x].tail, 0,
            TAIL((v_last > v_since -> v_last : v_since), lefts), done);
       swap(w[x].head, 0, HEAD(v_last, keep, count), done)
    fi
}

inline ngx_wassiit_window_settle(x)
{
    if
    :: w[x].head == 0 ->
       assert(x == 2 && w[x].from == 1);
       ngx_wassiit_window_move(2, 1)
    :: else
    fi
}

/* An admission that the head names from now on. */

inline admitted(x, t)
{
    assert(t >= reading && t <= now);

    /* times never decrease */
    assert(log_time[0] == 0 || t >= log_time[0]);

    /* no more than N in any W: the N-th before it has left */
    assert(log_time[w[x].limit - 1] == 0
           || t - log_time[w[x].limit - 1] >= W);

    log_time[3] = log_time[2]; log_sure[3] = log_sure[2];
    log_time[2] = log_time[1]; log_sure[2] = log_sure[1];
    log_time[1] = log_time[0]; log_sure[1] = log_sure[0];
    log_time[0] = t; log_sure[0] = 0;
    logged++;
    mine = logged
}

#define within(k, t)    (log_time[k] && log_time[k] <= (t)                   \
                         && (t) - log_time[k] < W -> 1 : 0)
#define sure(k, t)      (log_sure[k] && within(k, t) -> 1 : 0)
#define all_sure(t)     (sure(0, t) + sure(1, t) + sure(2, t) + sure(3, t))
#define all_within(t)   (within(0, t) + within(1, t) + within(2, t)          \
                         + within(3, t))

/* It is told so: no more than the cap in force, in any W that it is in. */

inline is_sure(x)
{
    log_sure[logged - mine] = 1;

    for (i : 0 .. LOG - 1) {
        assert(log_time[i] == 0 || !within(logged - mine, log_time[i])
               || all_sure(log_time[i]) <= force)
    }
}

proctype ngx_wassiit_window_take_within(byte most)
{
    VIEW;
    byte x, reading, seen, t, cap, takes, mine;

next:
    if
    :: takes == most -> goto end
    :: else -> takes++
    fi;

    reading = now;

again:
    x = current;

again_here:
    ngx_wassiit_window_look(x);

    if
    :: rc == DECLINED ->
       ngx_wassiit_window_settle(x);
       goto again_here
    :: rc == AGAIN -> goto again
    :: else
    fi;

    atomic {
        seen = reading;
        seen = (FAULT != TIME && v_recent && v_last > seen -> v_last : seen);
        t = seen;
        t = (FAULT != TIME && (v_tail & TAIL_SET) && v_since > t
             -> v_since : t)
    }

    ngx_wassiit_window_count(x, t);

    if
    :: n == 0 && v_open -> n = 1
    :: else
    fi;

    if
    :: n != v_recent || !(v_tail & TAIL_SET) ||
       (t >= v_since && t - v_since >= W) ->
       swap(w[x].tail, v_tail, TAIL(t, back(x, v_index, n)), done);
       if
       :: !done && FAULT != TAIL_SWAP -> goto again_here
       :: else
       fi
    :: else
    fi;

    cap = w[x].cap / BATCH;

    if
    :: n + (v_open == 0 -> 1 : 0) > cap ->
       atomic {
           if
           :: w[x].head != v_head -> done = 0
           :: else ->
              done = 1;
#if !defined(CAPS) && BATCH == 1
              /* none is refused with less than N within W */
              assert(all_within(seen) >= w[x].limit)
#endif
           fi
       }
       if
       :: done -> goto next
       :: else -> goto again_here
       fi
    :: else
    fi;

    atomic {
        n = n - (v_open != 0 -> 1 : 0);
        i = v_index
    }

    if
    :: v_open == 0 && HEAD_COUNT(v_head) != HEAD_NONE ->
       /* ngx_wassiit_window_fill() */
       do
       :: word = w[x].cell[v_index];
          if
          :: w[x].head != v_head && FAULT != FILL -> goto again_here
          :: else
          fi;
          if
          :: word == VALUE(v_last) -> break
          :: else ->
             swap(w[x].cell[v_index], word, VALUE(v_last), done);
             if
             :: done -> break
             :: else
             fi
          fi
       od
    :: else
    fi;

    if
    :: v_open == 0 -> i = (i + 1 == w[x].cells -> 0 : i + 1)
    :: else
    fi;

    /* ngx_wassiit_swap_ordered() */
    atomic {
        if
        :: w[x].head == v_head || FAULT == NEW_HEAD ->
           w[x].head = HEAD(t, v_open + 1, i);
           done = 1;
           admitted(x, t)
        :: else -> done = 0
        fi
    }

    if
    :: !done -> goto again_here
    :: else
    fi;

#ifdef CAPS
    /* ngx_wassiit_load_ordered() */
    atomic {
        if
        :: n < w[x].cap / BATCH || FAULT == CAP -> done = 1; is_sure(x)
        :: else -> done = 0
        fi
    }

    if
    :: !done -> goto again_here
    :: else
    fi;
#endif

    goto next;

end:
    skip
}

#ifdef MOVE

/* Another window is published before the older one is closed. */

proctype changer()
{
    VIEW;

    atomic {
        w[2].from = 1;
        w[2].limit = N2;
        w[2].cap = N2;
        w[2].cells = MOST / BATCH + 2
    }
    current = 2;
    ngx_wassiit_window_settle(2)
}

#endif

#ifdef CAPS

proctype drain()
{
end:
    do
    :: atomic { late -> w[1].cap = late_cap; late = 0 }
    od
}

inline store_cap(value)
{
    /* stores of one process are seen in their order */
    atomic { !late -> late = 1; late_cap = value }
}

proctype ngx_wassiit_window_hold()
{
    VIEW;
    byte reading, times, low, held;

    do
    :: times == 2 -> break
    :: else ->
       times++;
       reading = now;
       held = w[1].held;

       if
       :: low = 0
       :: held > 1 -> low = 1
       fi;

       store_cap(low);

       if
       :: FAULT == FENCE
       :: else -> !late         /* ngx_wassiit_fence() */
       fi;

       do
       :: ngx_wassiit_window_look(1);
          ngx_wassiit_window_count(1, reading);
          if
          :: w[1].head == v_head -> break
          :: else
          fi
       od;

       if
       :: n > low ->
          low = (n < held -> n : held);
          if
          :: store_cap(low)     /* ngx_wassiit_window_lower() */
          :: skip               /* ngx_wassiit_window_sink() */
          fi
       :: else
       fi;

       w[1].held = low;
       force = low;

       if
       :: skip
       :: /* ngx_wassiit_window_raise() */
          force = N;
          w[1].held = N;
          store_cap(N)
       fi
    od
}

#endif

proctype clock()
{
    do
    :: now < 1 + TICKS -> now++
    :: else -> break
    od
}

init
{
    byte k;

    atomic {
        w[1].limit = N;
        w[1].cap = N;
        w[1].held = N;
        w[1].cells = N / BATCH + 1;
        w[1].head = HEAD(0, HEAD_NONE, 0);

        run clock();
        for (k : 1 .. TAKERS) {
            run ngx_wassiit_window_take_within((k < TAKERS -> TAKES : MORE))
        }
#ifdef MOVE
        run changer()
#endif
#ifdef CAPS
        run drain();
        run ngx_wassiit_window_hold()
#endif
    }
}
