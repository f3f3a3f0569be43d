
/*
 * A line of the partners' file: one partner as JSON, read and written.  These
 * sources alone spell a line's fields.
 */


#ifndef _NGX_HTTP_WASSIIT_RECORD_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_arena.h"
#include "ngx_http_wassiit_record_id.h"
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_key.h"
#include "ngx_wassiit_rate.h"
#include "ngx_wassiit_scope.h"


#define NGX_HTTP_WASSIIT_KEYS       8       /* of one partner */

/* a line is shorter, its LF included */
#define NGX_HTTP_WASSIIT_LINE       65536

/* what jansson makes of a line, a strange one excepted */
#define NGX_HTTP_WASSIIT_LINE_ARENA 65536

/* the highest rev: any program can read and write numbers up to this one */
#define NGX_HTTP_WASSIIT_REV_MAX    (((uint64_t) 1 << 53) - 1)


typedef struct {
    u_char                            digest[NGX_WASSIIT_DIGEST_LEN];
    ngx_str_t                         id;
    int64_t                           created;  /* Unix seconds, inclusive */
    int64_t                           expires;  /* Unix seconds, exclusive */
    ngx_uint_t                        made;     /* works before created, too */
} ngx_http_wassiit_key_t;


/*
 * What a partner shares with us, as HMAC keys; all of it zero if unset.  While
 * the partner changes a secret over, it has two: until former_expires the
 * former hmac counts as well, and from next_expires on the next webhook alone.
 */

typedef struct {
    ngx_wassiit_hmac_key_t            hmac;
    ngx_wassiit_hmac_key_t            webhook;
    uint32_t                          has_hmac;
    uint32_t                          has_webhook;
    uint32_t                          has_former;   /* only beside has_hmac */
    uint32_t                          has_next;     /* beside has_webhook */
    int64_t                           former_expires;   /* Unix seconds */
    int64_t                           next_expires;
} ngx_http_wassiit_secrets_t;


/* the second ones, which follow the first ones directly if it has any */

typedef struct {
    ngx_wassiit_hmac_key_t            former_hmac;
    ngx_wassiit_hmac_key_t            next_webhook;
} ngx_http_wassiit_overlap_t;


typedef struct ngx_http_wassiit_record_s  ngx_http_wassiit_record_t;

struct ngx_http_wassiit_record_s {
    ngx_str_t                         id;
    ngx_str_t                         name;
    uint64_t                          scopes;
    uint64_t                          rev;      /* 0: it has none */
    ngx_wassiit_rate_t                rate;     /* limit 0: the zone's */
    ngx_http_wassiit_key_t           *keys;
    ngx_http_wassiit_secrets_t       *secrets;  /* NULL: it has none */
    unsigned                          nkeys:8;
    unsigned                          enabled:1;
    unsigned                          deleted:1;
    ngx_uint_t                        line;     /* its number in the file, */
    off_t                             offset;   /* where it begins, */
    size_t                            len;      /* and its bytes, LF included */
    uint32_t                          former;   /* the zone's own */
    ngx_http_wassiit_record_t        *next;
};


/* what lines are parsed with, and what is told of the last one */

typedef struct {
    const ngx_wassiit_scopes_t       *scopes;
    u_char                           *pos;      /* of the memory that is left */
    ngx_uint_t                        secrets;  /* are there any in it? */
    ngx_uint_t                        is_json;  /* or jansson's error: */
    ngx_uint_t                        error;    /* its code, */
    size_t                            error_at; /* and the byte it is at */
    ngx_uint_t                        zeros;    /* are there zero bytes? */
    size_t                            fault_len;
    u_char                            fault[NGX_MAX_ERROR_STR / 2];
} ngx_http_wassiit_parse_t;


/*
 * Memory for so many lines of so many bytes together: a record for each and
 * its secrets; what is copied is no longer than the line, and a key and what a
 * change-over adds are shorter than three times their text.
 */
#define NGX_HTTP_WASSIIT_PARSE_SIZE(lines, bytes)                            \
    ((lines) * (sizeof(ngx_http_wassiit_record_t)                            \
                + sizeof(ngx_http_wassiit_secrets_t) + 3 * NGX_ALIGNMENT)    \
     + 3 * (bytes))


/*
 * Parses one line, without its LF.  All it takes comes from parse->pos, of
 * which NGX_HTTP_WASSIIT_PARSE_SIZE() must be left, and from the arena, which
 * is wiped.  Returns NGX_OK and sets rec; NGX_DONE: a blank line; NGX_ERROR:
 * parse->fault tells why, "field: reason", with nothing in it that is secret,
 * and if the line got so far, rec->id is set.  rec->line, rec->offset and
 * rec->len are the caller's to set.
 */
ngx_int_t ngx_http_wassiit_record_parse(ngx_http_wassiit_parse_t *parse,
    ngx_http_wassiit_arena_t *arena, u_char *p, size_t len,
    ngx_http_wassiit_record_t **rec);

/*
 * Does a line that can't be parsed have an id with this value, which is quoted,
 * len bytes with its quotes?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_record_names(u_char *p, u_char *last,
    u_char *quoted, size_t len);


/* The bytes of secrets, with those of a change-over that follow them. */

static ngx_inline size_t
ngx_http_wassiit_record_secrets_size(const ngx_http_wassiit_secrets_t *secrets)
{
    return sizeof(ngx_http_wassiit_secrets_t)
           + ((secrets->has_former || secrets->has_next)
              ? sizeof(ngx_http_wassiit_overlap_t) : 0);
}


/* Those of a change-over, if there is one. */

static ngx_inline ngx_http_wassiit_overlap_t *
ngx_http_wassiit_record_overlap(ngx_http_wassiit_secrets_t *secrets)
{
    return (ngx_http_wassiit_overlap_t *) (secrets + 1);
}


/* a secret that the partner shares with us */

typedef enum {
    NGX_HTTP_WASSIIT_SECRET_HMAC = 0,           /* base64 */
    NGX_HTTP_WASSIIT_SECRET_WEBHOOK             /* the text itself */
} ngx_http_wassiit_secret_e;


/*
 * To write a line, its JSON is made by one of the first three of these, changed
 * by others, and written; in an arena, if one is entered.  What returns a
 * json_t of a line gives it to the caller, who releases it, or returns NULL:
 * memory is short.
 */

/* A new partner with these fields, checked, of name, scopes and rate. */
json_t *ngx_http_wassiit_record_create(const ngx_str_t *id, json_t *fields);

/* What says that the partner is deleted. */
json_t *ngx_http_wassiit_record_delete(const ngx_str_t *id);

/* The line of a partner, len bytes without its LF, that was parsed before. */
json_t *ngx_http_wassiit_record_load(const u_char *line, size_t len);

/* The rev of a line: which change of its partner it is of; 0: it has none. */
uint64_t ngx_http_wassiit_record_get_rev(json_t *json);

/* Sets it, if it isn't 0.  Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_record_set_rev(json_t *json, uint64_t rev);

/*
 * Sets fields, checked, of name, scopes, rate and enabled, or takes them away:
 * those that are null.  Returns NGX_OK, or NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_record_update(json_t *json, json_t *fields);

/*
 * The array of a line's keys, which the line keeps, made if it has none.
 * Returns NULL if memory is short.
 */
json_t *ngx_http_wassiit_record_get_keys(json_t *json);

/* The index of the key with this id; NGX_ERROR: there is none. */
ngx_int_t ngx_http_wassiit_record_find_key(json_t *keys, const u_char *id,
    size_t len);

/*
 * Appends a key by the SHA-256 of its text, created at this Unix time in
 * seconds.  Returns NGX_OK, or NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_record_add_key(json_t *keys, const u_char *id,
    size_t len, const u_char *digest, int64_t created);

/* When a key of the array expires: Unix seconds; INT64_MAX: never. */
int64_t ngx_http_wassiit_record_get_expires(json_t *key);

/* Sets that time.  Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_record_set_expires(json_t *key, int64_t seconds);

/*
 * Sets a secret to the len bytes of p.  The one before it, if there is one,
 * stays beside it until expires, Unix seconds: of webhooks, that is when the
 * new one takes over.  With expires 0, and if there was none, the new one is
 * alone at once.  No third one stays, whether its time is over or not.  Returns
 * NGX_OK, or NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_record_set_secret(json_t *json,
    ngx_http_wassiit_secret_e secret, const u_char *p, size_t len,
    int64_t expires);

/*
 * Writes the line, without an LF, to buf of size bytes.  Returns its length: if
 * that is more than size, only so much was written; 0: memory is short.
 */
size_t ngx_http_wassiit_record_write(json_t *json, u_char *buf, size_t size);


#endif /* _NGX_HTTP_WASSIIT_RECORD_H_INCLUDED_ */
