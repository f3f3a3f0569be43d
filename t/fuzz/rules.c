
/*
 * The rules for JSON.  An input's first byte chooses the rule, the rest is the
 * body.  Nesting is the same in pieces, and the one that jansson's values have;
 * the verdict is that of a second reading; each fault points into the body.
 */


#include "fuzz.h"

#include "ngx_wassiit_rules.h"

#include <regex.h>


#define FUZZ_RULES_FLAGS                                                     \
    (JSON_REJECT_DUPLICATES|JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL          \
     |JSON_ALLOW_NUL)


static ngx_int_t fuzz_rules_nesting(const u_char *p, size_t len);
static ngx_uint_t fuzz_rules_depth(json_t *json);
static ngx_uint_t fuzz_rules_good(ngx_wassiit_rule_e rule, json_t *body);
static ngx_uint_t fuzz_rules_matches(json_t *value, const char *pattern);
static ngx_uint_t fuzz_rules_variables(json_t *value);
static void fuzz_rules_faults(json_t *errors, json_t *body);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char              *copy;
    json_t              *body, *errors;
    ngx_int_t            deep;
    ngx_wassiit_rule_e   rule;

    if (size == 0 || size > FUZZ_SIZE) {
        return 0;
    }

    rule = data[0] % 3;
    data++;
    size--;

    fuzz_seed(data, size);

    copy = fuzz_copy(data, size);
    deep = fuzz_rules_nesting(copy, size);

    body = (deep == NGX_OK)
           ? json_loadb((char *) copy, size, FUZZ_RULES_FLAGS, NULL) : NULL;

    free(copy);

    if (body == NULL) {
        return 0;
    }

    fuzz_check(fuzz_rules_depth(body) <= NGX_WASSIIT_JSON_DEPTH);

    errors = NULL;
    fuzz_check(ngx_wassiit_rules_check(rule, body, &errors) == NGX_OK);
    fuzz_check((errors == NULL) == fuzz_rules_good(rule, body));

    if (errors) {
        fuzz_rules_faults(errors, body);
        json_decref(errors);
    }

    json_decref(body);

    return 0;
}


static ngx_int_t
fuzz_rules_nesting(const u_char *p, size_t len)
{
    size_t               i, n;
    json_t              *body;
    ngx_int_t            rc, pieces;
    ngx_wassiit_depth_t  whole, split;

    memset(&whole, 0, sizeof(whole));
    rc = ngx_wassiit_depth(&whole, p, len);

    memset(&split, 0, sizeof(split));
    pieces = NGX_OK;

    for (i = 0; i < len && pieces == NGX_OK; i += n) {
        n = fuzz_piece(len - i);
        pieces = ngx_wassiit_depth(&split, p + i, n);
    }

    fuzz_check(rc == pieces);
    fuzz_check(rc != NGX_OK
               || (whole.depth == split.depth && whole.string == split.string
                   && whole.escape == split.escape));

    /* what has few brackets isn't deep */

    fuzz_check(rc == NGX_OK || !ngx_wassiit_shallow(p, len));

    if (rc != NGX_OK && len < 4096) {
        /* and what is, if it is JSON, is told so rightly */

        body = json_loadb((char *) p, len, FUZZ_RULES_FLAGS, NULL);
        fuzz_check(body == NULL
                   || fuzz_rules_depth(body) > NGX_WASSIIT_JSON_DEPTH);
        json_decref(body);
    }

    return rc;
}


static ngx_uint_t
fuzz_rules_depth(json_t *json)
{
    size_t       i;
    json_t      *value;
    ngx_uint_t   most, depth;
    const char  *name;

    most = 0;

    json_array_foreach(json, i, value) {
        depth = fuzz_rules_depth(value);
        most = ngx_max(most, depth);
    }

    json_object_foreach(json, name, value) {
        depth = fuzz_rules_depth(value);
        most = ngx_max(most, depth);
    }

    return most + (json_is_array(json) || json_is_object(json));
}


static ngx_uint_t
fuzz_rules_good(ngx_wassiit_rule_e rule, json_t *body)
{
    size_t       n;
    double       number;
    json_t      *value;
    const char  *p;

    if (!json_is_object(body)) {
        return 0;
    }

    if (rule != NGX_WASSIIT_RULE_AUTOMATION) {

        if (!fuzz_rules_matches(json_object_get(body, "to"),
                                "^\\+[1-9][0-9]{6,14}$"))
        {
            return 0;
        }

        if (rule == NGX_WASSIIT_RULE_CALL) {
            return fuzz_rules_matches(json_object_get(body, "type"),
                                      "^(voice|video)$");
        }

        value = json_object_get(body, "text");
        p = json_string_value(value);
        n = 0;

        if (p == NULL) {
            return 0;
        }

        /* by what a character begins with: RFC 3629, section 3 */

        while (p < json_string_value(value) + json_string_length(value)) {
            p += (u_char) *p < 0x80 ? 1 : (u_char) *p < 0xe0 ? 2
                 : (u_char) *p < 0xf0 ? 3 : 4;
            n++;
        }

        return n >= 1 && n <= 4096;
    }

    value = json_object_get(body, "reference");
    number = json_real_value(value);

    if (!fuzz_rules_matches(value, "^[0-9]+$")
        && !(json_is_real(value) && number - number == 0
             && number == __builtin_floor(number)))
    {
        return 0;
    }

    value = json_object_get(body, "country");

    if (!json_is_string(value) || json_string_length(value) != 2
        || !ngx_wassiit_iso3166((u_char *) json_string_value(value), 2))
    {
        return 0;
    }

    value = json_object_get(body, "recipient");

    if (!fuzz_rules_matches(value, "^[0-9]{4,14}$")
        || fuzz_rules_matches(value, "^00"))
    {
        return 0;
    }

    value = json_object_get(body, "scheduled");

    return json_is_string(value)
           && ngx_wassiit_iso8601((u_char *) json_string_value(value),
                                  json_string_length(value))
           && fuzz_rules_variables(json_object_get(body, "variables"));
}


static ngx_uint_t
fuzz_rules_variables(json_t *value)
{
    json_t      *variable;
    const char  *name;

    if (value == NULL) {
        return 1;
    }

    if (!json_is_object(value)) {
        return json_is_array(value) && json_array_size(value) == 0;
    }

    json_object_foreach(value, name, variable) {
        switch (json_typeof(variable)) {

        case JSON_OBJECT:
        case JSON_ARRAY:
        case JSON_NULL:
            return 0;

        default:
            break;
        }
    }

    return 1;
}


/* A string that holds no zero, and is of this form. */

static ngx_uint_t
fuzz_rules_matches(json_t *value, const char *pattern)
{
    ngx_uint_t   i;
    const char  *text;

    static regex_t      compiled[8];
    static const char  *patterns[8];

    text = json_string_value(value);

    if (text == NULL || strlen(text) != json_string_length(value)) {
        return 0;
    }

    for (i = 0; patterns[i] != pattern; i++) {

        if (patterns[i] == NULL) {
            if (regcomp(&compiled[i], pattern, REG_EXTENDED|REG_NOSUB) != 0) {
                abort();
            }

            patterns[i] = pattern;
            break;
        }
    }

    return regexec(&compiled[i], text, 0, NULL, 0) == 0;
}


static void
fuzz_rules_faults(json_t *errors, json_t *body)
{
    char         step[NGX_WASSIIT_POINTER], *text;
    size_t       i;
    json_t      *fault, *variable;
    ngx_uint_t   found;
    const char  *pointer, *name;

    static const char  *fields[] = {
        "#", "#/to", "#/text", "#/type", "#/reference", "#/country",
        "#/recipient", "#/scheduled", "#/variables", NULL
    };

    fuzz_check(json_array_size(errors) > 0
               && json_array_size(errors) <= NGX_WASSIIT_FAULTS + 1);

    json_array_foreach(errors, i, fault) {
        pointer = json_string_value(json_object_get(fault, "pointer"));
        text = (char *) json_string_value(json_object_get(fault, "detail"));

        fuzz_check(pointer != NULL && text != NULL && *text);
        fuzz_check(strlen(text) < 256 + 4 * NGX_WASSIIT_QUOTE);

        for (found = 0; fields[found]; found++) {
            if (strcmp(pointer, fields[found]) == 0) {
                break;
            }
        }

        if (fields[found]) {
            continue;
        }

        fuzz_check(strncmp(pointer, "#/variables/", 12) == 0);

        found = 0;

        json_object_foreach(json_object_get(body, "variables"), name,
                            variable)
        {
            ngx_wassiit_rules_pointer(step, name);
            found |= (strcmp(pointer + 11, step) == 0
                      && !json_is_string(variable)
                      && !json_is_number(variable)
                      && !json_is_boolean(variable));
        }

        fuzz_check(found);
    }

    text = json_dumps(errors, JSON_ENSURE_ASCII);
    fuzz_check(text != NULL);
    free(text);
}
