/*
 * The journal of src/ngx_http_wassiit_journal.c, the file that it is of, and a
 * change to that: src/ngx_http_wassiit_change.c, _recover.c.  One value, a
 * version of a partner, is in the zone and in the last line of the file.
 *
 * Writers, one at a time by the file's lock, tell the journal that a line is
 * written, write it (in two pieces), sync it, put it into the zone and tell the
 * journal where the file ends.  Each may die between any two steps, and the
 * next one mends that.  The power may fail, too: of what was not synced, any
 * beginning is on the disk, and the zone is loaded from that.
 * Readers copy the journal without a lock.
 *
 * FAULT plants a fault by the name of what is left out.
 */

#ifndef CHANGES
#define CHANGES     2
#endif
#ifndef DEATHS
#define DEATHS      2       /* at most, power cuts included */
#endif
#ifndef WRITERS
#define WRITERS     1       /* at once; the one that dies is another anew */
#endif
#ifndef READERS
#define READERS     1
#endif

#define VERSION     1       /* the second look at the version */
#define COPY        2       /* the other copy: the one in force is written */
#define ORDER       3       /* the copy's being whole before its version */
#define SYNC        4       /* the line's sync before it is in force */
#define TAIL        5       /* the taking over of a line that a dead one wrote */
#define CUT         6       /* the cutting off of half a line */
#define WRITING     7       /* the journal's word that a line is written */
#define SYNC_TAIL   8       /* the sync of a line that a dead one wrote */
#ifndef FAULT
#define FAULT       0
#endif


typedef journal {
    byte size;
    byte crc;               /* the same as the size, if it is whole */
    byte mtime;             /* the file's, at this size */
    bool writing;
};

byte version;
journal copies[2];

/*
 * The file: whole lines, each a version of the partner, and perhaps half a line
 * more.  Synced is what a power cut leaves at least.
 */
byte lines, synced;
bool half;
byte stamp;                 /* the file's time: grows by each write */
byte value[CHANGES + 4];    /* of each line */

byte zone;                  /* the version that requests find */
byte next;                  /* version to come */
byte answered;              /* the newest that an operator was told of */
bool lock;                  /* of the file, which dies with its owner */
byte deaths;
bool foreign;
byte boots;                 /* power cuts so far */

#define DIES                                                                 \
    if                                                                       \
    :: skip                                                                  \
    :: deaths < DEATHS -> deaths++; goto dead                                \
    :: deaths < DEATHS -> deaths++; goto power                               \
    fi

/* Puts the caller's journal in force. */

inline ngx_http_wassiit_journal_set(w)
{
    at = version + 1;
    at = (FAULT == COPY -> version : at) % 2;

    if
    :: FAULT == ORDER -> version++; DIES
    :: else
    fi;

    copies[at].size = size;
    DIES;
    copies[at].crc = size;
    copies[at].mtime = mtime;
    copies[at].writing = w;
    DIES;

    if
    :: FAULT == ORDER
    :: else -> version++
    fi
}

/* It takes no lock, and no step of a writer's, dead or alive, disturbs it. */

inline ngx_http_wassiit_journal_get()
{
    do
    :: v = version;
       size = copies[v % 2].size;
       crc = copies[v % 2].crc;
       mtime = copies[v % 2].mtime;
       writing = copies[v % 2].writing;
       if
       :: version == v || FAULT == VERSION -> break
       :: else
       fi
    od;

    /* the old one or the new one, whole */
    assert(size == crc || boots != boot)
}

proctype reader()
{
    byte v, size, crc, mtime, was, boot;
    bool writing;

    boot = boots;

    ngx_http_wassiit_journal_get();
    was = size;
    ngx_http_wassiit_journal_get();

    /* what is in memory grows */
    assert(size >= was || boots != boot)
}

/* The file has more than the journal says, or its time is another. */

inline ngx_http_wassiit_recover()
{
    if
    :: lines == size && !half && stamp != mtime && !writing ->
       /* ngx_http_wassiit_file_check(): someone else has */
       foreign = 1
    :: else
    fi;

    /* ngx_http_wassiit_recover_tail() */
    if
    :: half && FAULT != CUT ->
       /* ngx_http_wassiit_file_cut() */
       atomic { half = 0; stamp++ }
       DIES
    :: else
    fi;

    if
    :: lines > size && FAULT != TAIL ->
       if
       :: FAULT == SYNC_TAIL
       :: else -> synced = lines; DIES      /* ngx_http_wassiit_file_sync() */
       fi;

       /* ngx_http_wassiit_zone_apply() */
       assert(synced == lines);
       zone = value[lines];
       DIES
    :: else
    fi;

    /* ngx_http_wassiit_file_known() */
    d_step { size = lines; mtime = stamp; writing = 0 }
}

proctype ngx_http_wassiit_change()
{
    byte v, size, crc, mtime, at, made, boot;
    bool writing;

again:
    do
    :: next == CHANGES -> break
    :: else ->
       /* ngx_http_wassiit_file_open() */
       atomic { !lock -> lock = 1; boot = boots }

       ngx_http_wassiit_journal_get();
       ngx_http_wassiit_recover();

       /* a file that only writers touch is never taken for another's */
       assert(!foreign);

       /* the zone has what the file has, and what was answered is in both */
       assert(zone == value[lines] && !half);
       assert(zone >= answered);

       if
       :: next == CHANGES -> ngx_http_wassiit_journal_set(0);
          lock = 0;
          break
       :: else -> next++; made = next
       fi;

       /* ngx_http_wassiit_change_write() */
       if
       :: FAULT == WRITING
       :: else -> ngx_http_wassiit_journal_set(1)
       fi;

       DIES;

       /* ngx_http_wassiit_file_append() */
       atomic { half = 1; stamp++ }
       DIES;
       atomic { half = 0; lines++; value[lines] = made; stamp++ }
       DIES;
       if
       :: FAULT == SYNC
       :: else -> synced = lines; DIES      /* ngx_http_wassiit_file_flush() */
       fi;

       /* ngx_http_wassiit_change_apply() */
       assert(synced == lines);
       zone = made;
       DIES;

       /* ngx_http_wassiit_file_known() */
       d_step { size = lines; mtime = stamp }

       /* ngx_http_wassiit_zone_tell() */
       ngx_http_wassiit_journal_set(0);
       DIES;

       /* ngx_http_wassiit_file_close() */
       d_step { lock = 0; answered = made }
    od;
    goto over;

power:
    /* of what wasn't synced, any beginning stays; all is loaded anew */
    atomic {
        do
        :: lines > synced -> lines--; half = 0
        :: half -> half = 0
        :: break
        od;

        /* ngx_http_wassiit_store_load() */
        half = 0;
        zone = value[lines];
        synced = lines;
        copies[version % 2].mtime = stamp;
        boots++;
        copies[version % 2].size = lines;
        copies[version % 2].crc = lines;
        copies[version % 2].writing = 0;

        /* what was answered, or served, isn't lost */
        assert(zone >= answered);
        lock = 0
    }
    goto again;

dead:
    lock = 0;
    goto again;

over:
    skip
}

init
{
    byte k;

    atomic {
        for (k : 1 .. WRITERS) {
            run ngx_http_wassiit_change()
        }
        for (k : 1 .. READERS) {
            run reader()
        }
    }
}
