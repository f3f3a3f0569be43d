/*
 * The epochs of src/ngx_wassiit_epoch.c, and who waits for them: readers that
 * follow a pointer, and writers, one at a time, that put another object in its
 * place and use the former one's memory again (src/ngx_http_wassiit_room.c).
 *
 * A statement is one access to shared memory.  Spin goes through all orders of
 * them, in which each may stop for any time, and die between any two (DIES).
 * A store may be seen late, until a fence, as on processors of today.
 *
 * FAULT plants a fault by the name of what is left out.
 */

#ifndef READERS
#define READERS     2
#endif
#ifndef READS
#define READS       2       /* of each */
#endif
#ifndef WRITES
#define WRITES      2
#endif
#ifndef DEATHS
#define DEATHS      1       /* at most */
#endif
#ifndef SLOTS
#define SLOTS       2
#endif
#define OBJECTS     3

#define PIN_FENCE   1       /* the fence after a pin */
#define WAIT_FENCE  2       /* the fence before a writer looks at readers */
#define STAMP       3       /* the next epoch in a stamp */
#define CLAIMED     4       /* the claim's telling how far to look */
#define ALIVE       5       /* the look at whether a reader lives */
#define DEAD        6       /* the unpinning of a reader that died */
#define OTHERS      7       /* the look at readers without a slot */
#define LOST        8       /* the stamp of what a dead writer left */
#ifndef FAULT
#define FAULT       0
#endif

#define NOBODY      0
#define DIED        255     /* a robust mutex whose owner has */

byte epoch = 1;
byte others;
byte claimed;
byte since[SLOTS];
byte owner[SLOTS];          /* a reader's number, NOBODY or DIED */

byte current;               /* the object that is published */
bool used[OBJECTS];
byte life[OBJECTS];         /* how often it was used */
byte retired[OBJECTS];      /* its stamp, or 0 */
byte unswept;
byte mutex;                 /* of writers: whether one is, or DIED */

/* stores that aren't seen yet */
bool late_since[SLOTS];
byte late_since_value[SLOTS];
bool late_current, late_epoch;
byte late_current_value, late_epoch_value;

byte deaths, pinned_for_ever, gone;

#define DIES(what)                                                           \
    if                                                                       \
    :: skip                                                                  \
    :: deaths < DEATHS -> deaths++; goto what                                \
    fi

inline store_since(s, value)
{
    d_step {
        !late_since[s] -> late_since[s] = 1;
        late_since_value[s] = value
    }
}

/* Stores are seen, of each process in its order. */

proctype memory()
{
    byte s;

end:
    do
    :: d_step { late_current -> current = late_current_value; late_current = 0 }
    :: d_step {
           late_epoch && !late_current -> epoch = late_epoch_value;
           late_epoch = 0
       }
    :: d_step { late_since[0] -> since[0] = late_since_value[0]; late_since[0] = 0 }
#if SLOTS > 1
    :: d_step { late_since[1] -> since[1] = late_since_value[1]; late_since[1] = 0 }
#endif
    od
}

/* The slot is ours, which was nobody's, or that of a reader that died. */

inline ngx_wassiit_epoch_own(s, me, done)
{
    atomic {
        if
        :: owner[s] == NOBODY -> owner[s] = me; done = 1
        :: owner[s] == DIED && FAULT != DEAD -> owner[s] = me; done = 1
        :: else -> done = (FAULT == ALIVE)
        fi
    }

    if
    :: done && owner[s] == me -> since[s] = 0
    :: done && owner[s] != me -> since[s] = 0
    :: else
    fi
}

proctype reader(byte me)
{
    byte slot, s, x, was, reads, seen;
    bool done;

    /* ngx_wassiit_epoch_claim() */
    slot = SLOTS;

    for (s : 0 .. SLOTS - 1) {
        if
        :: slot == SLOTS ->
           if
           :: FAULT != CLAIMED ->
              atomic { claimed = (claimed <= s -> s + 1 : claimed) }
           :: else
           fi;

           atomic {
               if
               :: owner[s] == NOBODY || owner[s] == DIED ->
                  owner[s] = me;
                  slot = s
               :: else
               fi
           }

           if
           :: slot == s -> since[s] = 0; DIES(dead)
           :: else
           fi
        :: else
        fi
    }

    do
    :: reads == READS -> break
    :: else ->
       reads++;

       /* ngx_wassiit_epoch_pin() */
       if
       :: slot == SLOTS -> others++
       :: else ->
          seen = epoch;
          store_since(slot, seen);
          if
          :: FAULT == PIN_FENCE
          :: else -> !late_since[slot]
          fi
       fi;

       DIES(dead);

       d_step { x = current; was = life[x]; assert(used[x]) }

       DIES(dead);

       /* it isn't used again while it is looked at */
       assert(used[x] && life[x] == was);

       /* ngx_wassiit_epoch_unpin() */
       if
       :: slot == SLOTS -> others--
       :: else -> store_since(slot, 0)
       fi
    od;

    /* the end of a process is a death to its mutex */
    goto over;

dead:
    pinned_for_ever = pinned_for_ever + (slot == SLOTS);

over:
    atomic {
        if
        :: slot != SLOTS ->
           /* what it stored is seen before it is known to be dead */
           !late_since[slot];
           owner[slot] = DIED
        :: else
        fi;
        gone++
    }
}

/* Sets p to the highest stamp that no reader holds up. */

inline ngx_wassiit_epoch_passed()
{
    d_step {
        !late_epoch -> p = epoch + 1;
        late_epoch = 1;
        late_epoch_value = p
    }

    if
    :: FAULT == WAIT_FENCE
    :: else -> !late_epoch
    fi;

    if
    :: others && FAULT != OTHERS -> p = 0
    :: else ->
       last = claimed;

       for (s : 0 .. SLOTS - 1) {
           if
           :: s < last ->
              pinned = since[s];
              if
              :: pinned == 0 || pinned >= p
              :: else ->
                 /* ngx_wassiit_epoch_dead() */
                 ngx_wassiit_epoch_own(s, 100, done);
                 if
                 :: done -> owner[s] = (owner[s] == 100 -> NOBODY : owner[s])
                 :: else -> p = pinned
                 fi
              fi
           :: else
           fi
       }
    fi
}

inline ngx_wassiit_epoch_stamp()
{
    stamp = (late_epoch -> late_epoch_value : epoch) + (FAULT != STAMP)
}

/* ngx_http_wassiit_room_return(), and, if all has passed, a sweep */

inline free_what_passed()
{
    for (o : 0 .. OBJECTS - 1) {
        if
        :: retired[o] && retired[o] <= p ->
           retired[o] = 0;
           DIES(dead);
           used[o] = 0
        :: else
        fi
    }

    /* ngx_http_wassiit_room_sweep() */
    if
    :: unswept && unswept <= p ->
       for (o : 0 .. OBJECTS - 1) {
           if
           :: retired[o] == 0 && o != current -> used[o] = 0
           :: else
           fi
       }
       unswept = 0
    :: else
    fi
}

proctype writer()
{
    byte writes, o, s, new, old, stamp, p, last, pinned;
    bool done;

    do
    :: writes == WRITES -> break
    :: else ->
       writes++;

       atomic {
           mutex != 1 ->
           done = (mutex == DIED);
           mutex = 1
       }

       /* ngx_http_wassiit_room_mend(), in ngx_http_wassiit_mend_lock() */
       if
       :: done ->
          ngx_wassiit_epoch_stamp();
          unswept = (FAULT == LOST -> 1 : stamp)
       :: else
       fi;

       /* ngx_http_wassiit_room_alloc() */
       d_step {
           new = OBJECTS;
           for (o : 0 .. OBJECTS - 1) {
               if
               :: !used[o] && new == OBJECTS -> new = o
               :: else
               fi
           }
       }

       if
       :: new < OBJECTS ->
          d_step { used[new] = 1; life[new]++ }
          DIES(dead);

          /* ngx_http_wassiit_partner_publish() */
          d_step {
              !late_current -> old = current;
              late_current = 1;
              late_current_value = new
          }
          DIES(dead);

          /* ngx_http_wassiit_room_retire() */
          ngx_wassiit_epoch_stamp();
          retired[old] = stamp;
          DIES(dead)
       :: else
       fi;

       ngx_wassiit_epoch_passed();
       DIES(dead);
       free_what_passed();

       atomic { !late_current && !late_epoch -> mutex = 0 }
    od;

    atomic { gone++; done = (gone == READERS + 2) }

    /* who has died isn't waited for, but for one who had no slot */
    if
    :: done && deaths == 0 ->
       mutex == 0;
       ngx_wassiit_epoch_passed();
       assert(p == late_epoch_value && others == 0)
    :: done && deaths ->
       ngx_wassiit_epoch_passed();
       assert(pinned_for_ever || p == late_epoch_value)
    :: else
    fi;
    goto over;

dead:
    atomic { !late_current && !late_epoch -> mutex = DIED; gone++ }

over:
    skip
}

init
{
    byte k;

    atomic {
        used[0] = 1;
        for (k : 1 .. READERS) {
            run reader(k)
        }
        run writer();
        run writer();
        run memory()
    }
}
