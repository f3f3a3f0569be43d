
/*
 * Reads a file of JSON lines and has jansson parse them, and no more, for
 * t/bench/run: prints the seconds of CPU.  jansson's memory is a piece that
 * is used again for each line.
 */


#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define PARSE_ARENA     65536
#define PARSE_LINE      4096


static char    arena[PARSE_ARENA] __attribute__ ((aligned(16)));
static size_t  used;


static void *
parse_alloc(size_t size)
{
    size_t  at;

    at = used;
    used += (size + 15) & ~(size_t) 15;

    return used <= PARSE_ARENA ? arena + at : NULL;
}


static void
parse_free(void *p)
{
    /* all of it at once */
}


int
main(int argc, char **argv)
{
    FILE          *in;
    char           line[PARSE_LINE];
    json_error_t   error;

    in = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (in == NULL) {
        fprintf(stderr, "parse: no such file\n");
        return 1;
    }

    json_set_alloc_funcs(parse_alloc, parse_free);

    while (fgets(line, sizeof(line), in)) {
        used = 0;

        if (json_loads(line, JSON_REJECT_DUPLICATES, &error) == NULL) {
            fprintf(stderr, "parse: not JSON\n");
            return 1;
        }
    }

    printf("%.3f\n", (double) clock() / CLOCKS_PER_SEC);

    return 0;
}
