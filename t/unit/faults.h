
/* What the payload rules have found wrong, as text to compare. */


#ifndef _UNIT_FAULTS_H_INCLUDED_
#define _UNIT_FAULTS_H_INCLUDED_


#include "unit.h"

#include "ngx_wassiit_rules.h"


#define UNIT_FAULTS_SIZE    16384


/* A line for each fault: its pointer and its detail, and nothing else. */

static ngx_inline const char *
unit_faults(json_t *errors)
{
    size_t        i, n;
    json_t       *fault;
    const char   *pointer, *detail;

    static char  lines[UNIT_FAULTS_SIZE];

    n = 0;
    lines[0] = '\0';

    json_array_foreach(errors, i, fault) {
        pointer = json_string_value(json_object_get(fault, "pointer"));
        detail = json_string_value(json_object_get(fault, "detail"));

        if (pointer == NULL || detail == NULL || json_object_size(fault) != 2
            || strlen(detail)
               != json_string_length(json_object_get(fault, "detail")))
        {
            return "a fault that is none\n";
        }

        n += snprintf(lines + n, sizeof(lines) - n, "%s: %s\n", pointer,
                      detail);
    }

    return lines;
}


/* faults, or a body, with what would end a line of TAP made visible */

static ngx_inline void
unit_visible(const char *what, const char *text)
{
    printf("# %s: ", what);

    for ( ; *text; text++) {

        if (*text == '\n') {
            printf("\\n");

        } else if (*text == '\r') {
            printf("\\r");

        } else {
            putchar(*text);
        }
    }

    putchar('\n');
}


#endif /* _UNIT_FAULTS_H_INCLUDED_ */
