
/*
 * jansson's memory: in the arena that the thread has entered, in the heap where
 * it has entered none or finds no room, and nothing left where it is wiped.
 * (arena.h is of windows' memory, and has nothing to do with this.)
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_arena.h"

#include <malloc.h>
#include <pthread.h>


#define ARENA_SIZE      16384
#define ARENA_PAINT     0x77
#define ARENA_PARTS     200
#define ARENA_LARGE     4000        /* bytes that malloc() keeps no list of */


/* there if this is built with ASan */
extern int __sanitizer_get_ownership(const volatile void *p)
    __attribute__((weak));


static void unit_arena_installs(void);
static void unit_arena_outside(void);
static void unit_arena_inside(void);
static void unit_arena_parts(void);
static void unit_arena_room(void);
static void unit_arena_elsewhere(void);
static void unit_arena_frees(void);
static void unit_arena_fails(void);
static void unit_arena_wipes(void);
static void unit_arena_others(void);
static void unit_arena_threads(void);
static void *unit_arena_thread(void *data);
static ngx_uint_t unit_arena_all_in(json_t *json);
static ngx_uint_t unit_arena_is(const u_char *p, size_t len, u_char c);


/* what a text is parsed into here, and one more byte of neither */

static u_char                    unit_arena_memory[ARENA_SIZE + 1]
                                     __attribute__((aligned(16)));
static u_char                    unit_arena_second[ARENA_SIZE]
                                     __attribute__((aligned(16)));
static ngx_http_wassiit_arena_t  unit_arena;
static json_malloc_t             unit_arena_alloc;
static json_free_t               unit_arena_free;

static pthread_barrier_t         unit_arena_turn;


static const char  unit_arena_text[] =
    "{\"id\":\"atlas\",\"list\":[1,2.5,\"a string that isn't short\",null,true,"
    "{\"deep\":{\"er\":[\"s3cret-s3cret-s3cret\"]}}],\"number\":-12,"
    "\"and\":\"so\",\"on\":\"\\u00e9\\ud83d\\ude00\"}";


int
main(void)
{
    unit_start();

    unit_arena_installs();
    unit_arena_outside();
    unit_arena_inside();
    unit_arena_parts();
    unit_arena_room();
    unit_arena_elsewhere();
    unit_arena_frees();
    unit_arena_fails();
    unit_arena_wipes();
    unit_arena_others();
    unit_arena_threads();

    return unit_done();
}


/* ---- helpers */

/* An empty arena of so many bytes, painted. */

static void
unit_arena_new(size_t size)
{
    memset(unit_arena_memory, ARENA_PAINT, sizeof(unit_arena_memory));

    unit_arena.start = unit_arena_memory;
    unit_arena.size = size;

    /* entering sets the rest */
    unit_arena.used = (size_t) -1;
    unit_arena.elsewhere = 99;
}


static ngx_uint_t
unit_arena_has(const void *p)
{
    return (u_char *) p >= unit_arena.start
           && (u_char *) p < unit_arena.start + unit_arena.used;
}


static ngx_uint_t
unit_arena_is(const u_char *p, size_t len, u_char c)
{
    size_t  i;

    for (i = 0; i < len && p[i] == c; i++) { /* void */ }

    return i == len;
}


/* Do a value and all of its values lie in the arena? */

static ngx_uint_t
unit_arena_all_in(json_t *json)
{
    size_t       i;
    json_t      *value;
    ngx_uint_t   in;
    const char  *key;

    /* these are no one's */

    if (json_is_null(json) || json_is_boolean(json)) {
        return 1;
    }

    in = unit_arena_has(json);

    if (json_is_string(json)) {
        in &= unit_arena_has(json_string_value(json));
    }

    json_array_foreach(json, i, value) {
        in &= unit_arena_all_in(value);
    }

    json_object_foreach(json, key, value) {
        in &= unit_arena_has(key) && unit_arena_all_in(value);
    }

    return in;
}


/* Is it what the text says? */

static ngx_uint_t
unit_arena_right(json_t *json)
{
    json_t  *list;

    list = json_object_get(json, "list");

    return json_object_size(json) == 5 && json_array_size(list) == 6
           && json_real_value(json_array_get(list, 1)) == 2.5
           && json_integer_value(json_object_get(json, "number")) == -12
           && strcmp(json_string_value(json_array_get(list, 2)),
                     "a string that isn't short")
              == 0
           && strcmp(json_string_value(json_object_get(json, "on")),
                     "\303\251\360\237\230\200")
              == 0;
}


/*
 * What is in use of the heap, or of this part of it: as it was taken, unless
 * it has been freed.
 */

static size_t
unit_arena_heap(const void *p)
{
    return __sanitizer_get_ownership ? (size_t) __sanitizer_get_ownership(p)
                                     : mallinfo2().uordblks;
}


/* ---- the tests */

static void
unit_arena_installs(void)
{
    json_t         *json;
    json_free_t     free_fn;
    json_malloc_t   alloc;

    json = json_loads(unit_arena_text, 0, NULL);

    json_get_alloc_funcs(&alloc, &free_fn);
    ngx_http_wassiit_arena_install();
    json_get_alloc_funcs(&unit_arena_alloc, &unit_arena_free);

    unit_ok(unit_arena_alloc != alloc && unit_arena_free != free_fn
            && unit_arena_alloc && unit_arena_free,
            "jansson has other functions");

    unit_ok(unit_arena_right(json), "what was made before is whole");
    json_decref(json);

    ngx_http_wassiit_arena_install();
    json_get_alloc_funcs(&alloc, &free_fn);
    unit_ok(unit_arena_alloc == alloc && unit_arena_free == free_fn,
            "once more they are the same");
}


/* Who has entered none has nginx's memory. */

static void
unit_arena_outside(void)
{
    void    *p;
    size_t   before;
    json_t  *json;

    unit_alloc_fails = 1;
    json = json_loads(unit_arena_text, 0, NULL);
    unit_ok(json == NULL && unit_alloc_fails == 0,
            "without an arena jansson asks the heap");
    unit_alloc_fails = 0;

    json = json_loads(unit_arena_text, 0, NULL);
    unit_ok(unit_arena_right(json), "and has it");
    json_decref(json);

    before = mallinfo2().uordblks;
    p = unit_arena_alloc(ARENA_LARGE);
    unit_ok(p && unit_arena_is(p, ARENA_LARGE, 0xa5),
            "as ngx_alloc() gives it");

    if (__sanitizer_get_ownership) {
        before = 0;
    }

    unit_ok(unit_arena_heap(p) > before, "in use");
    unit_arena_free(p);
    unit_is(unit_arena_heap(p), before, "until it is freed");

    unit_arena_free(NULL);
}


static void
unit_arena_inside(void)
{
    char    *text;
    size_t   used;
    json_t  *json;

    unit_arena_new(ARENA_SIZE);
    ngx_http_wassiit_arena_enter(&unit_arena);
    unit_ok(unit_arena.used == 0 && unit_arena.elsewhere == 0,
            "an arena that is entered is empty");

    /* not once is the heap asked */

    unit_alloc_fails = 1;
    json = json_loads(unit_arena_text, 0, NULL);
    text = json_dumps(json, JSON_COMPACT);

    unit_ok(unit_arena_right(json), "a text is parsed");
    unit_ok(unit_arena_all_in(json), "all of it lies in the arena");
    unit_ok(text && unit_arena_has(text), "so does its text");
    unit_is(unit_alloc_fails, 1, "the heap has nothing of it");
    unit_is(unit_arena.elsewhere, 0, "which is told");
    unit_ok(unit_arena_is(unit_arena_memory + unit_arena.used,
                          sizeof(unit_arena_memory) - unit_arena.used,
                          ARENA_PAINT),
            "what isn't used is untouched");

    /* and without being freed it may go: else ASan tells of it */

    ngx_http_wassiit_arena_leave();
    used = unit_arena.used;
    unit_ok(used > strlen(unit_arena_text), "it is as large as it is");

    unit_is(unit_alloc_fails, 1, "leaving asks for nothing");
    json = json_object();
    unit_ok(json == NULL && unit_alloc_fails == 0 && unit_arena.used == used,
            "from then on the heap is asked");

    json = json_loads(unit_arena_text, 0, NULL);
    unit_ok(json && !unit_arena_has(json) && unit_arena.used == used,
            "and gives");
    json_decref(json);

    ngx_http_wassiit_arena_leave();

    /* the next one has all of it */

    ngx_http_wassiit_arena_enter(&unit_arena);
    json = json_loads(unit_arena_text, 0, NULL);
    unit_ok(unit_arena.used < used && (u_char *) json < unit_arena.start + 64
            && unit_arena_right(json),
            "entered again, it is used from its start");
    ngx_http_wassiit_arena_leave();
}


/* Parts of all sizes: each is aligned, and lies where no other does. */

static void
unit_arena_parts(void)
{
    u_char      *parts[ARENA_PARTS];
    size_t       sizes[ARENA_PARTS];
    ngx_uint_t   i, other, round, wrong;

    wrong = 0;

    for (round = 0; round < 20; round++) {
        unit_arena_new(ARENA_SIZE - unit_random(8));
        ngx_http_wassiit_arena_enter(&unit_arena);

        for (i = 0; i < ARENA_PARTS; i++) {
            sizes[i] = 1 + unit_random((i % 5) ? 40 : 1000);
            parts[i] = unit_arena_alloc(sizes[i]);
            wrong += ((uintptr_t) parts[i] % NGX_ALIGNMENT != 0);
            memset(parts[i], (int) i, sizes[i]);

            /* what is freed in the arena gives no room to what comes then */

            other = unit_random(i + 1);

            if (unit_arena_has(parts[other])) {
                unit_arena_free(parts[other]);
            }
        }

        for (i = 0; i < ARENA_PARTS; i++) {
            wrong += !unit_arena_is(parts[i], sizes[i], (u_char) i);
        }

        wrong += !unit_arena_is(unit_arena.start + unit_arena.size,
                                unit_arena_memory + sizeof(unit_arena_memory)
                                - (unit_arena.start + unit_arena.size),
                                ARENA_PAINT);

        /* those that lie in the heap have to be freed, and are counted */

        for (i = 0; i < ARENA_PARTS; i++) {
            unit_arena.elsewhere -= !unit_arena_has(parts[i]);
            unit_arena_free(parts[i]);
        }

        wrong += (unit_arena.elsewhere != 0);

        ngx_http_wassiit_arena_leave();
    }

    unit_is(wrong, 0, "each part is aligned, whole, and its own");
}


/* Up to the last byte, and none more. */

static void
unit_arena_room(void)
{
    void        *p;
    size_t       size, len, whole;
    ngx_uint_t   wrong;

    wrong = 0;

    for (size = 0; size <= 64; size++) {
        for (len = 1; len <= 80; len++) {
            unit_arena_new(size);
            ngx_http_wassiit_arena_enter(&unit_arena);

            /* what comes next is to be aligned */
            whole = (len + NGX_ALIGNMENT - 1) / NGX_ALIGNMENT * NGX_ALIGNMENT;

            p = unit_arena_alloc(len);

            if (whole <= size) {
                wrong += (p != unit_arena.start || unit_arena.used != whole
                          || unit_arena.elsewhere != 0);

            } else {
                wrong += (p == NULL || unit_arena_has(p)
                          || unit_arena.used != 0
                          || unit_arena.elsewhere != 1);
            }

            memset(p, 0, len);
            unit_arena_free(p);

            wrong += !unit_arena_is(unit_arena_memory + size,
                                    sizeof(unit_arena_memory) - size,
                                    ARENA_PAINT);
            ngx_http_wassiit_arena_leave();
        }
    }

    unit_is(wrong, 0, "an arena is filled, and no byte more");

    unit_arena_new(64);
    ngx_http_wassiit_arena_enter(&unit_arena);
    (void) unit_arena_alloc(48);
    p = unit_arena_alloc(24);
    unit_ok(p && !unit_arena_has(p) && unit_arena.used == 48
            && unit_arena.elsewhere == 1, "what finds no room lies elsewhere");
    unit_arena_free(p);
    unit_ok(unit_arena_alloc(16) == unit_arena_memory + 48
            && unit_arena.used == 64 && unit_arena.elsewhere == 1,
            "what finds some then does not");
    p = unit_arena_alloc(1);
    unit_ok(p && !unit_arena_has(p) && unit_arena.elsewhere == 2,
            "each that doesn't is counted");
    unit_arena_free(p);
    ngx_http_wassiit_arena_leave();
}


/* A text that is larger: it is parsed, and freed, wherever it lies. */

static void
unit_arena_elsewhere(void)
{
    size_t       size, before;
    json_t      *json;
    ngx_uint_t   wrong, many;

    wrong = 0;
    many = 0;
    before = 0;

    for (size = 0; size < 2500; size += 8) {

        if (size == 8) {
            before = mallinfo2().uordblks;
        }

        unit_arena_new(size);
        ngx_http_wassiit_arena_enter(&unit_arena);

        json = json_loads(unit_arena_text, 0, NULL);
        wrong += (!unit_arena_right(json)
                  || unit_arena.used > size
                  || (unit_arena.elsewhere == 0) != unit_arena_all_in(json));
        many += unit_arena.elsewhere;

        json_decref(json);
        ngx_http_wassiit_arena_leave();
    }

    unit_is(wrong, 0, "a text is parsed, however small the arena is");
    unit_ok(many > 1000, "of which much lies elsewhere");
    unit_ok(__sanitizer_get_ownership || mallinfo2().uordblks == before,
            "and is freed");
}


static void
unit_arena_frees(void)
{
    void     *p, *q, *t;
    size_t    before, used;
    json_t   *json, *value;

    /* of the heap, before it was entered or since */

    before = __sanitizer_get_ownership ? 0 : mallinfo2().uordblks;
    p = unit_arena_alloc(ARENA_LARGE);

    unit_arena_new(ARENA_LARGE / 2);
    ngx_http_wassiit_arena_enter(&unit_arena);
    unit_ok(unit_arena_heap(p) > before, "a part of the heap");
    unit_arena_free(p);
    unit_is(unit_arena_heap(p), before, "is freed in an arena");

    p = unit_arena_alloc(ARENA_LARGE);
    unit_ok(unit_arena.elsewhere == 1 && unit_arena_heap(p) > before,
            "one that found no room");
    unit_arena_free(p);
    unit_is(unit_arena_heap(p), before, "is, too");

    p = unit_arena_alloc(ARENA_LARGE);
    ngx_http_wassiit_arena_leave();
    unit_arena_free(p);
    unit_is(unit_arena_heap(p), before, "also when the arena was left");

    /* right at its end */

    p = unit_arena_alloc(ARENA_LARGE);
    q = unit_arena_alloc(ARENA_LARGE);

    if (p > q) {
        t = p;
        p = q;
        q = t;
    }

    unit_arena.start = p;
    unit_arena.size = (u_char *) q - (u_char *) p;
    ngx_http_wassiit_arena_enter(&unit_arena);
    unit_arena_free(q);
    unit_arena_free(p);
    ngx_http_wassiit_arena_leave();
    unit_ok(__sanitizer_get_ownership
            ? !unit_arena_heap(q) && unit_arena_heap(p)
            : unit_arena_heap(p) > before && unit_arena_heap(p) < before
                                              + 2 * ARENA_LARGE,
            "the part behind an arena isn't its own, that at its start is");
    unit_arena_free(p);
    unit_is(unit_arena_heap(p), before, "both are freed now");

    /* in the arena, values go and come */

    unit_arena_new(ARENA_SIZE);
    ngx_http_wassiit_arena_enter(&unit_arena);
    json = json_loads(unit_arena_text, 0, NULL);
    used = unit_arena.used;
    value = json_object_get(json, "list");
    json_incref(value);
    json_decref(json);
    unit_is(unit_arena.used, used, "to free there is to forget");
    unit_is(json_array_size(value), 6, "what is still held is whole");
    json = json_string("another");
    unit_ok(unit_arena_has(json) && unit_arena.used > used
            && json_real_value(json_array_get(value, 1)) == 2.5,
            "nor does another value take its place");
    json_decref(value);
    json_decref(json);
    unit_is(unit_arena.elsewhere, 0, "none is elsewhere");
    ngx_http_wassiit_arena_leave();
}


/* No memory: jansson is told, and nothing lies anywhere. */

static void
unit_arena_fails(void)
{
    void        *p;
    json_t      *json;
    ngx_uint_t   i, failed;

    unit_arena_new(64);
    ngx_http_wassiit_arena_enter(&unit_arena);
    unit_alloc_fails = 1;
    p = unit_arena_alloc(65);
    unit_ok(p == NULL && unit_alloc_fails == 0 && unit_arena.used == 0,
            "the heap has no room either");
    ngx_http_wassiit_arena_leave();

    failed = 0;

    for (i = 1; i < 100; i++) {
        unit_arena_new(256);
        ngx_http_wassiit_arena_enter(&unit_arena);
        unit_alloc_fails = i;
        json = json_loads(unit_arena_text, 0, NULL);
        failed += (json == NULL);
        json_decref(json);
        ngx_http_wassiit_arena_leave();
    }

    unit_ok(failed > 10 && failed < 90, "jansson is told each time");
    unit_alloc_fails = 0;
}


static void
unit_arena_wipes(void)
{
    void    *p;
    size_t   used;
    json_t  *json;

    unit_arena_new(ARENA_SIZE);
    ngx_http_wassiit_arena_enter(&unit_arena);
    json = json_loads(unit_arena_text, 0, NULL);
    unit_ok(unit_arena_right(json), "a text is parsed");
    ngx_http_wassiit_arena_leave();
    used = unit_arena.used;

    unit_ok(memmem(unit_arena_memory, used, "s3cret-s3cret", 13) != NULL,
            "a secret lies in the arena");
    ngx_http_wassiit_arena_wipe(&unit_arena);
    unit_ok(unit_arena_is(unit_arena_memory, used, 0), "until it is wiped");
    unit_is(unit_arena.used, 0, "then it is empty");
    unit_ok(unit_arena_is(unit_arena_memory + used,
                          sizeof(unit_arena_memory) - used, ARENA_PAINT),
            "nothing else is touched");

    ngx_http_wassiit_arena_wipe(&unit_arena);
    unit_is(unit_arena.used, 0, "an empty one stays so");

    /* also the last byte of the last part, and what was freed */

    unit_arena_new(64);
    ngx_http_wassiit_arena_enter(&unit_arena);
    p = unit_arena_alloc(33);
    memset(p, 0xff, 33);
    unit_arena_free(p);
    p = unit_arena_alloc(24);
    memset(p, 0xff, 24);
    ngx_http_wassiit_arena_wipe(&unit_arena);
    unit_ok(unit_arena_is(unit_arena_memory, 64, 0)
            && unit_arena_memory[64] == ARENA_PAINT,
            "a full one is wiped up to its last byte");

    /* and may be filled once more, as it is still entered */

    p = unit_arena_alloc(64);
    unit_ok(p == unit_arena_memory && unit_arena.elsewhere == 0,
            "it has all of its room again");
    ngx_http_wassiit_arena_leave();
}


/* The one that was entered last is the only one. */

static void
unit_arena_others(void)
{
    json_t                    *json;
    ngx_http_wassiit_arena_t   second;

    second.start = unit_arena_second;
    second.size = ARENA_SIZE;

    unit_arena_new(ARENA_SIZE);
    ngx_http_wassiit_arena_enter(&unit_arena);
    (void) unit_arena_alloc(16);
    ngx_http_wassiit_arena_enter(&second);
    unit_ok(unit_arena_alloc(16) == unit_arena_second && second.used == 16
            && unit_arena.used == 16, "another arena is entered");

    ngx_http_wassiit_arena_leave();
    json = json_object();
    unit_ok(json && second.used == 16 && unit_arena.used == 16
            && !unit_arena_has(json), "when it is left there is none");
    json_decref(json);
}


/* Each thread has its own, by functions that were installed once. */

static void
unit_arena_threads(void)
{
    int                        rc;
    void                      *json;
    size_t                     used;
    pthread_t                  thread;
    ngx_http_wassiit_arena_t   second;

    second.start = unit_arena_second;
    second.size = ARENA_SIZE;
    second.used = 0;

    unit_arena_new(ARENA_SIZE);
    ngx_http_wassiit_arena_enter(&unit_arena);

    rc = pthread_barrier_init(&unit_arena_turn, NULL, 2);
    rc |= pthread_create(&thread, NULL, unit_arena_thread, &second);

    if (rc != 0) {
        perror("pthread_create()");
        exit(2);
    }

    /* it asks the heap, then enters its own */

    (void) pthread_barrier_wait(&unit_arena_turn);
    unit_is(unit_arena.used, 0, "another thread doesn't use our arena");
    unit_ok(unit_arena_has(unit_arena_alloc(8)), "which is still ours");
    (void) pthread_barrier_wait(&unit_arena_turn);
    (void) pthread_barrier_wait(&unit_arena_turn);

    used = second.used;
    unit_ok(used > 0 && unit_arena.used == 8, "it has entered its own");
    unit_ok(unit_arena_has(unit_arena_alloc(8)) && second.used == used,
            "of which we use nothing");

    (void) pthread_barrier_wait(&unit_arena_turn);
    (void) pthread_join(thread, &json);

    unit_ok((u_char *) json >= second.start
            && (u_char *) json < second.start + used,
            "where its values lie");
    unit_ok(unit_arena_has(unit_arena_alloc(8)) && unit_arena.used == 24,
            "when it has left that, we haven't left ours");
    ngx_http_wassiit_arena_leave();
    (void) pthread_barrier_destroy(&unit_arena_turn);
}


static void *
unit_arena_thread(void *data)
{
    ngx_http_wassiit_arena_t  *arena = data;

    json_t  *json;

    json = json_loads(unit_arena_text, 0, NULL);
    json_decref(json);
    (void) pthread_barrier_wait(&unit_arena_turn);

    /* the other one looks */
    (void) pthread_barrier_wait(&unit_arena_turn);

    ngx_http_wassiit_arena_enter(arena);
    json = json_loads(unit_arena_text, 0, NULL);
    (void) pthread_barrier_wait(&unit_arena_turn);

    (void) pthread_barrier_wait(&unit_arena_turn);
    ngx_http_wassiit_arena_leave();

    return json;
}
