
/* The header of a part: which field it is, and what is refused, in pieces. */


#include "unit.h"

#include "ngx_wassiit_part.h"


#define CD          "Content-Disposition: form-data; "
#define CT          "Content-Type: "
#define END         "\r\n\r\n"

#define unit_count_of(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char         *header;
    const char         *says;       /* see unit_part_says() */
} unit_part_t;


static void unit_part_headers(void);
static void unit_part_sizes(void);
static void unit_part_goes_on(void);
static void unit_part_again(void);
static void unit_part_random(void);
static ngx_uint_t unit_part_is(const char *header, size_t len,
    const char *expected);
static const char *unit_part_says(ngx_wassiit_part_t *part,
    const char *header, size_t len, size_t step);


static const unit_part_t  unit_parts[] = {

    { CD "name=to" END, "to" },
    { CD "name=\"to\"" END, "to" },
    { "CONTENT-disposition:FORM-data;NAME=to" END, "to" },
    { CD "name=file" END, "file" },
    { CD "name=file; filename=a.mp3" END, "file filed named audio" },
    { CD "name=file; filename=a.MP3" END, "file filed named audio" },
    { CD "name=file; filename=a.txt" END, "file filed named" },
    { CD "name=file; filename=mp3" END, "file filed named" },
    { CD "name=file; filename=\"\"" END, "file filed" },
    { CD "filename=\"a.ogg\"; name=\"file\"" END, "file filed named audio" },
    { CD "name=file; filename=\"C:\\dir\\a.wav\"" END,
      "file filed named audio" },
    { CD "name=file; filename=\"/x.mp3/a\"" END, "file filed named" },
    { CD "name=file; filename=a.mp3; filename*=utf-8''a.mp3" END,
      "file filed named audio" },
    { CD "name=file; filename=\"=?utf-8?B?YS5tcDM=?=\"; "
      "filename*=utf-8''a.mp3" END, "file filed named audio" },
    { CD "name=x; filename=a.mp3" END, "other filed" },
    { CD "name=To" END, "other" },
    { "X: y\r\n" CD "name=to\r\nZ:" END, "to" },
    { CD "x=y;\r\n\tname=to;\r\n  z=1" END, "to" },
    { "X: y" END, "none" },
    { "\r\n", "none" },

    { CD "name=to\r\n" CT "audio/ogg" END, "to typed sound" },
    { CT "AUDIO/x; codecs=opus\r\n" CD "name=to" END, "to typed sound" },
    { CD "name=to\r\n" CT "application/octet-stream" END, "to typed bytes" },
    { CD "name=to\r\n" CT "text/plain; charset=utf-8" END, "to typed" },
    { CD "name=to\r\n" CT "text/plain; charset=utf-16" END,
      "to typed mistyped" },
    { CD "name=to\r\n" CT "text/plain; charset=utf-8; charset=utf-8" END,
      "to typed mistyped" },
    { CD "name=to\r\n" CT "text/plain; charset*=utf-8''utf-8" END,
      "to typed mistyped" },
    { CD "name=to\r\n" CT "text" END, "to typed mistyped" },
    { CD "name=to\r\n" CT END, "to typed" },
    { CD "name=to\r\nContent-Length: 12" END, "to measured 12" },
    { CD "name=to\r\nContent-Length: 999999999999999999" END,
      "to measured 999999999999999999" },
    { CD "name=to\r\nContent-Transfer-Encoding: Binary" END, "to encoded" },

    { CD "name=to\r\n" CD "name=to" END,
      "to! a part has two Content-Disposition headers" },
    { CD "name=to; filename=x" END, "other filed! \"to\" has a file name" },
    { CD "name=file; filename*=utf-8''a" END,
      "file filed named! a part has a filename* without a filename" },
    { CD "name=file; filename=a.mp3; filename*=utf-8''b.mp3" END,
      "file filed named! a part has two file names" },
    { CD "name=file; filename=.." END,
      "file filed named! a part has a file name of which nothing is left "
      "without its folder" },
    { CD "name=a; name=b" END, "none! a part has two names" },
    { CD "name*=utf-8''to" END, "none! a part has a name*" },
    { CD "filename*=x" END, "none! the filename* of a part is malformed" },
    { CD "name=t; name*1=o" END,
      "none! a part has a parameter with \"*\" in its name" },
    { CD "name=\"to" END,
      "none! the Content-Disposition of a part is malformed" },
    { "Content-Disposition: file; name=to" END,
      "none! the Content-Disposition of a part is not form-data" },
    { CD "filename=x" END, "other filed! a part has no name" },
    { CD "name=\" to\"" END,
      "other! a part has a name that some take for another" },
    { CD "name=\"to[]\"" END,
      "other! a part has a name that some take for another" },
    { CD "name=_charset_" END,
      "other! a part has a name by which some read the others in another "
      "way" },
    { CT "a/b\r\n" CT "a/b" END,
      "none typed! a part has two Content-Type headers" },
    { CT "multipart/mixed; boundary=x" END,
      "none typed! a part has a Content-Type by which some look for parts in "
      "it" },
    { "Content-Length: 1\r\nContent-Length: 1" END,
      "none measured 1! a part has two Content-Length headers" },
    { "Content-Length: 1000000000000000000" END,
      "none measured 0! a part has a Content-Length that is not its length" },
    { "Content-Length:" END,
      "none measured 0! a part has a Content-Length that is not its length" },
    { "Content-Transfer-Encoding: base64" END,
      "none encoded! a part has a Content-Transfer-Encoding" },
    { "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 7bit" END,
      "none encoded! a part has two Content-Transfer-Encoding headers" },
    { "hello" END, "none! the header of a part has a line without a colon" },
    { "X : y" END, "none! the header of a part has a malformed name" },
    { ": y" END, "none! the header of a part has a malformed name" },
    { "X: \001" END,
      "none! the header of a part has a control character" },
    { "X: \377" END, "none! the header of a part is not UTF-8" },
    { "X: y\n\r\n", "none! the header of a part has a line that ends in LF, "
      "not CRLF" },
    { "X: y\rz" END,
      "none! the header of a part has a CR that ends no line" },
    { "X: y\r\n z" END,
      "none! the header of a part has a line that is continued elsewhere "
      "than behind \";\"" }
};


int
main(void)
{
    unit_start();

    unit_part_headers();
    unit_part_sizes();
    unit_part_goes_on();
    unit_part_again();
    unit_part_random();

    return unit_done();
}


static void
unit_part_headers(void)
{
    size_t              i;
    const unit_part_t  *part;

    for (i = 0; i < unit_count_of(unit_parts); i++) {
        part = &unit_parts[i];
        (void) unit_part_is(part->header, strlen(part->header), part->says);
    }
}


/* A line may have 4096 bytes, all lines together 8192. */

static void
unit_part_sizes(void)
{
    char    *header, *p;
    size_t   n;

    header = malloc(16384);

    for (n = 4095; n <= 4098; n++) {
        memset(header, 'x', n);
        memcpy(header, "X: ", 3);
        memcpy(header + n, END, 4);

        unit_part_is(header, n + 4, (n > 4096)
                     ? "none! the header of a part has a line of more than "
                       "4096 bytes" : "none");
    }

    for (n = 8191; n <= 8193; n++) {
        p = header + sprintf(header, CD "name=to\r\n");

        while (n - (p - header) > 2000) {
            p += sprintf(p, "X: %0995d\r\n", 0);
        }

        p += sprintf(p, "X: %0*d" END, (int) (n - (p - header) - 7), 0);

        unit_is(p - header, n, "as long as it should be");
        unit_part_is(header, n, (n > 8192)
                     ? "to! the header of a part has more than 8192 bytes"
                     : "to");
    }

    free(header);
}


/* Of a header that isn't over, and of what follows one that is. */

static void
unit_part_goes_on(void)
{
    const u_char        *p, *last;
    ngx_wassiit_part_t   part;

    static const u_char  header[] = CD "name=to\r\nX: y\r\n\r\ndata\r\n--b";

    memset(&part, 0xa5, sizeof(part));
    ngx_wassiit_part_init(&part);

    p = header;
    last = header + sizeof(CD "name=to\r\n") - 1;
    unit_is(ngx_wassiit_part_parse(&part, &p, last), NGX_AGAIN,
            "the header goes on");
    unit_ok(p == last && !part.disposition
            && part.role == NGX_WASSIIT_PART_OTHER,
            "nothing is known of a line before the next one begins");

    last += 1;
    unit_is(ngx_wassiit_part_parse(&part, &p, last), NGX_AGAIN, "it does");
    unit_ok(p == last && part.disposition && part.role == NGX_WASSIIT_PART_TO,
            "then it counts");

    unit_is(ngx_wassiit_part_parse(&part, &p, last), NGX_AGAIN,
            "no bytes are none");

    last = header + sizeof(header) - 1;
    unit_is(ngx_wassiit_part_parse(&part, &p, last), NGX_OK,
            "it ends with the empty line");
    unit_ok(strcmp((const char *) p, "data\r\n--b") == 0,
            "and what follows is left");
}


static void
unit_part_again(void)
{
    const char          *header;
    const u_char        *p;
    ngx_wassiit_part_t   part;

    header = CD "name=file; filename=a.mp3\r\n" CT "audio/x\r\n"
             "Content-Length: 5" END;
    (void) unit_part_says(&part, header, strlen(header), 7);

    ngx_wassiit_part_init(&part);
    header = CD "name=to" END;
    p = (const u_char *) header;

    unit_ok(ngx_wassiit_part_parse(&part, &p, p + strlen(header)) == NGX_OK
            && part.role == NGX_WASSIIT_PART_TO && !part.filed
            && !part.named && !part.audio && !part.sound && !part.typed
            && !part.measured && part.error == NULL,
            "of the part before, nothing is left");
}


/* Lines of headers in any order, in one piece and in many. */

static void
unit_part_random(void)
{
    char                 header[8192], one[256];
    size_t               len, n, size;
    ngx_uint_t           i, k, wrong;
    const char          *line;
    ngx_wassiit_part_t   part;

    wrong = 0;

    for (i = 0; i < 50000; i++) {
        len = 0;

        for (k = unit_random(4); k; k--) {
            line = unit_parts[unit_random(unit_count_of(unit_parts))].header;
            size = strlen(line);
            n = ngx_min(size, 2);
            n = size - unit_random(3) * n;
            n = ngx_min(n, size);

            memcpy(header + len, line, n);
            len += n;

            if (len && unit_random(20) == 0) {
                header[unit_random(len)] = "\r\n;=\"\\ :*"[unit_random(9)];
            }
        }

        snprintf(one, sizeof(one), "%s",
                 unit_part_says(&part, header, len, len + 1));

        for (n = 1; n < 40; n += 12) {
            wrong += (strcmp(unit_part_says(&part, header, len, n), one)
                      != 0);
        }
    }

    unit_is(wrong, 0, "it doesn't depend on pieces");
}


static ngx_uint_t
unit_part_is(const char *header, size_t len, const char *expected)
{
    size_t               i, step;
    char                 name[64];
    const char          *got;
    ngx_wassiit_part_t   part;

    static const size_t  steps[] = { 16384, 1, 2, 3, 7, 100 };

    for (i = 0; i < len && i < sizeof(name) - 1; i++) {
        name[i] = (header[i] >= 0x20 && header[i] < 0x7f && header[i] != '#')
                  ? header[i] : '.';
    }

    name[i] = '\0';

    for (i = 0; i < unit_count_of(steps); i++) {
        step = steps[i];
        got = unit_part_says(&part, header, len, step);

        if (strcmp(got, expected) != 0) {
            unit_ok(0, "%s", name);
            unit_note("in pieces of %u: got %s, expected %s", (unsigned) step,
                      got, expected);
            return 0;
        }
    }

    return unit_ok(1, "%s: %s", name, expected);
}


/* What is known of the part, "!" and the error, or "..." if it goes on. */

static const char *
unit_part_says(ngx_wassiit_part_t *part, const char *header, size_t len,
    size_t step)
{
    char          *s;
    size_t         i, n;
    u_char        *piece;
    ngx_int_t      rc;
    const u_char  *p;

    static char         says[256];
    static const char  *roles[] = { "other", "to", "file" };

    memset(part, 0xa5, sizeof(ngx_wassiit_part_t));
    ngx_wassiit_part_init(part);
    rc = NGX_AGAIN;

    for (i = 0; i < len && rc == NGX_AGAIN; i += n) {
        n = ngx_min(step, len - i);

        /* a sanitizer sees a read past the end */
        piece = malloc(n);
        memcpy(piece, header + i, n);

        p = piece;
        rc = ngx_wassiit_part_parse(part, &p, piece + n);

        if (rc == NGX_AGAIN && p != piece + n) {
            free(piece);
            return "bytes are left";
        }

        free(piece);
    }

    if ((rc == NGX_ERROR) != (part->error != NULL)) {
        return "an error that is none";
    }

    s = says + sprintf(says, "%s",
                       part->disposition ? roles[part->role] : "none");

    s += sprintf(s, "%s%s%s%s%s%s%s%s", part->filed ? " filed" : "",
                 part->named ? " named" : "", part->audio ? " audio" : "",
                 part->typed ? " typed" : "", part->sound ? " sound" : "",
                 part->bytes ? " bytes" : "",
                 part->mistyped ? " mistyped" : "",
                 part->encoded ? " encoded" : "");

    if (part->measured) {
        s += sprintf(s, " measured %llu", (unsigned long long) part->length);
    }

    if (rc == NGX_ERROR) {
        sprintf(s, "! %s", part->error);

    } else if (rc == NGX_AGAIN) {
        sprintf(s, "...");
    }

    return says;
}
