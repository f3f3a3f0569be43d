
/*
 * Uploads: bodies in all sorts of pieces, and random ones held against a
 * reading of the whole that looks for boundaries with memmem().
 */


#include "faults.h"

#include "ngx_wassiit_multipart.h"


#define UNIT_MULTIPART_TRIES    30000
#define UNIT_MULTIPART_BODY     65536

#define TYPE        "multipart/form-data; boundary=b"

#define DISPOSITION "Content-Disposition: form-data; "
#define PART(rest)  "--b\r\n" DISPOSITION rest "\r\n\r\n"
#define TO          PART("name=\"to\"") "+237671234567\r\n"
#define FILE_PART(rest)  PART("name=\"file\"; " rest) "data\r\n"
#define SONG        FILE_PART("filename=\"a.mp3\"")
#define LAST        "--b--\r\n"

#define TO_TYPED(lines)                                                       \
    "--b\r\n" DISPOSITION "name=to\r\n" lines "\r\n\r\n+237671234567\r\n"
#define SONG_NAMED(name)    FILE_PART("filename=" name)

/* a file without a sound file's name, with header lines more */
#define TYPED(lines)                                                          \
    "--b\r\n" DISPOSITION "name=file; filename=x\r\n" lines "\r\n\r\ndata\r\n"

#define E164 "#/to: must be a phone number such as \"+212600000000\" (E.164: "\
             "\"+\" and 7 to 15 digits, the first not 0)"
#define NO_TO       "#/to: is missing\n"
#define TWO_TOS     "#/to: must stand once\n"
#define NO_FILE     "#/file: is missing\n"
#define TWO_FILES   "#/file: must stand once\n"
#define NO_NAME     "#/file: must have a file name\n"
#define EMPTY       "#/file: must not be empty\n"
#define NO_SOUND    "#/file: must be a sound file: of a type audio/*, or "    \
                    "with a name that ends as one's\n"

#define NO_LAST     "#: the last boundary is missing\n"
#define NO_BOUNDARY "#: the boundary that Content-Type names is not in the "  \
                    "body\n"
#define NAMELESS    "#: a part has no name\n"
#define TWO_NAMES   "#: a part has two names\n"
#define TWICE       "#: a part has two Content-Disposition headers\n"
#define MALFORMED   "#: the Content-Disposition of a part is malformed\n"
#define NOT_FORM    "#: the Content-Disposition of a part is not form-data\n"
#define EXTENDED    "#: the filename* of a part is malformed\n"
#define COLON       "#: the header of a part has a line without a colon\n"
#define BAD_CR      "#: the header of a part has a CR that ends no line\n"
#define BAD_LF      "#: the header of a part has a line that ends in LF, "    \
                    "not CRLF\n"
#define TOO_LONG    "#: the header of a part has a line of more than 4096 "   \
                    "bytes\n"
#define TOO_MANY    "#: has more than 1000 parts\n"
#define BEFORE      "#: has text before the first boundary\n"
#define AFTER       "#: has text behind the last boundary\n"
#define BEHIND      "#: has text behind a boundary\n"
#define BLANK       "#: has a blank behind a boundary\n"
#define BARE        "#: has a boundary that no CRLF of its own precedes\n"
#define STARRED     "#: a part has a name*\n"
#define TWO_FILE_NAMES  "#: a part has two file names\n"
#define TO_FILE     "#: \"to\" has a file name\n"
#define ALIKE       "#: a part has a name that some take for another\n"
#define BAD_NAME    "#: the header of a part has a malformed name\n"
#define FOLDED      "#: the header of a part has a line that is continued "    \
                    "elsewhere than behind \";\"\n"
#define CONTROL     "#: the header of a part has a control character\n"
#define NOT_UTF8    "#: the header of a part is not UTF-8\n"
#define NO_PLAIN    "#: a part has a filename* without a filename\n"
#define PIECES      "#: a part has a parameter with \"*\" in its name\n"
#define NO_BASE     "#: a part has a file name of which nothing is left "      \
                    "without its folder\n"
#define TWO_TYPES   "#: a part has two Content-Type headers\n"
#define BAD_CHARSET "#: a part has a Content-Type that is malformed, or of a " \
                    "charset that is not UTF-8\n"
#define TO_BYTES    "#: \"to\" has a Content-Type that some take for a "     \
                    "file's\n"
#define NESTED      "#: a part has a Content-Type by which some look for "    \
                    "parts in it\n"
#define TWO_CODINGS "#: a part has two Content-Transfer-Encoding headers\n"
#define BAD_LENGTH  "#: a part has a Content-Length that is not its length\n"
#define TWO_LENGTHS "#: a part has two Content-Length headers\n"
#define SPECIAL     "#: a part has a name by which some read the others in "   \
                    "another way\n"
#define MANY_FILES  "#: has more than 20 files\n"
#define LONG_HEADER "#: the header of a part has more than 8192 bytes\n"
#define ENCODED     "#: a part has a Content-Transfer-Encoding\n"

#define NOT_MULTIPART   "not multipart\n"
#define BAD_TYPE        "no boundary\n"

#define unit_count_of(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char         *name;
    const char         *body;
    const char         *faults;     /* as an upload of a file */
    const char         *audio;      /* of sound; NULL: the same */
} unit_body_t;


/* what a line of a part's header means to the reference */

typedef enum {
    UNIT_LINE_OTHER = 0,
    UNIT_LINE_TO,
    UNIT_LINE_FILE,
    UNIT_LINE_FIELD,
    UNIT_LINE_SOUND,
    UNIT_LINE_BAD,
    UNIT_LINE_BROKEN                /* no disposition, and bad anywhere */
} unit_line_e;


typedef struct {
    const char         *text;
    unit_line_e         meaning;
    ngx_uint_t          named;
    ngx_uint_t          audio;
    const char         *error;
} unit_line_t;


/* the reference's notes; data lies in the body */

typedef struct {
    const char         *error;
    ngx_uint_t          begun;
    ngx_uint_t          end;        /* the last boundary is there */
    ngx_uint_t          tos;
    ngx_uint_t          files;
    unit_line_e         role;
    ngx_uint_t          disposition;
    ngx_uint_t          sound;
    ngx_uint_t          typed;
    ngx_uint_t          encoded;
    ngx_uint_t          named;
    ngx_uint_t          audio;
    const u_char       *to;
    size_t              to_len;
    size_t              file_len;
    size_t              data_len;   /* of the part at hand */
    ngx_uint_t          unknown;    /* a line the reference can't read */
} unit_reference_t;


static void unit_multipart_bodies(void);
static void unit_multipart_file_names(void);
static void unit_multipart_types(void);
static void unit_multipart_boundaries(void);
static void unit_multipart_data(void);
static void unit_multipart_bytes(void);
static void unit_multipart_header_sizes(void);
static void unit_multipart_parts(void);
static void unit_multipart_large(void);
static void unit_multipart_ends(void);
static void unit_multipart_random(void);
static void unit_multipart_garbage(void);
static void unit_multipart_memory(void);

static ngx_uint_t unit_multipart_is(const char *type, const void *body,
    size_t len, ngx_uint_t audio, const char *expected, const char *name);
static const char *unit_multipart_says(const char *type, const void *body,
    size_t len, ngx_uint_t audio, size_t at, size_t step);

static size_t unit_multipart_make(char *body);
static size_t unit_multipart_put(char *body, size_t len, const char *token);
static ngx_uint_t unit_multipart_expect(char *expected, const u_char *body,
    size_t len, ngx_uint_t audio);
static const u_char *unit_multipart_boundary(unit_reference_t *ref,
    const u_char *p, const u_char *last);
static const u_char *unit_multipart_behind(unit_reference_t *ref,
    const u_char *p, const u_char *last);
static ngx_uint_t unit_multipart_blank(const u_char *p, const u_char *last);
static const u_char *unit_multipart_header(unit_reference_t *ref,
    const u_char *p, const u_char *last);
static ngx_uint_t unit_multipart_line(unit_reference_t *ref, const u_char *p,
    size_t len);

static void *unit_multipart_malloc(size_t size);
static void unit_multipart_free(void *p);


static const unit_line_t  unit_lines[] = {
    { DISPOSITION "name=\"to\"", UNIT_LINE_TO, 0, 0, NULL },
    { "content-DISPOSITION:form-data;name=to", UNIT_LINE_TO, 0, 0, NULL },
    { DISPOSITION "name=file; filename=a.mp3", UNIT_LINE_FILE, 1, 1, NULL },
    { DISPOSITION "name=file; filename=\"a;.txt\"", UNIT_LINE_FILE, 1, 0,
      NULL },
    { DISPOSITION "filename=\"\"; name=\"file\"", UNIT_LINE_FILE, 0, 0, NULL },
    { DISPOSITION "name=\"x\"", UNIT_LINE_FIELD, 0, 0, NULL },
    { DISPOSITION "name=\"x", UNIT_LINE_BAD, 0, 0, MALFORMED },
    { DISPOSITION "filename=x", UNIT_LINE_BAD, 0, 0, NAMELESS },
    { "Content-Disposition: file; name=x", UNIT_LINE_BAD, 0, 0, NOT_FORM },
    { "Content-Type: audio/ogg", UNIT_LINE_SOUND, 0, 0, NULL },
    { "Content-Type: text/plain", UNIT_LINE_OTHER, 0, 0, NULL },
    { "X-Y: Content-Type: audio/ogg", UNIT_LINE_OTHER, 0, 0, NULL },
    { "no colon", UNIT_LINE_BROKEN, 0, 0, COLON },
    { "X : y", UNIT_LINE_BROKEN, 0, 0, BAD_NAME },
    { "Content-Transfer-Encoding: 8BIT", UNIT_LINE_OTHER, 0, 0, NULL },
    { "Content-Transfer-Encoding: base64", UNIT_LINE_BROKEN, 0, 0, ENCODED },
    { DISPOSITION "name=to; filename=x", UNIT_LINE_BAD, 0, 0, TO_FILE },
    { DISPOSITION "name=x; name*=''to", UNIT_LINE_BAD, 0, 0, STARRED },
    { DISPOSITION "name=\"to[]\"", UNIT_LINE_BAD, 0, 0, ALIKE },
    { DISPOSITION "name=file; filename=x; filename*=utf-8''x", UNIT_LINE_FILE,
      1, 0, NULL },
    { DISPOSITION "name=t; name*1=o", UNIT_LINE_BAD, 0, 0, PIECES },
    { DISPOSITION "name = to", UNIT_LINE_BAD, 0, 0, MALFORMED }
};


static ngx_int_t   unit_room = -1;      /* allocations left; -1: any number */
static ngx_int_t   unit_live;


int
main(void)
{
    unit_start();

    unit_multipart_bodies();
    unit_multipart_file_names();
    unit_multipart_types();
    unit_multipart_boundaries();
    unit_multipart_data();
    unit_multipart_bytes();
    unit_multipart_header_sizes();
    unit_multipart_parts();
    unit_multipart_large();
    unit_multipart_ends();
    unit_multipart_random();
    unit_multipart_garbage();
    unit_multipart_memory();

    return unit_done();
}


static void
unit_multipart_bodies(void)
{
    size_t              i, len;
    const unit_body_t  *b;

    static const unit_body_t  bodies[] = {

        { "a good body", TO SONG LAST, "", NULL },
        { "the other way round", SONG TO LAST, "", NULL },
        { "other parts besides", PART("name=x") "1\r\n" TO
          PART("name=\"x to\"") "2\r\n" SONG PART("name=To") "\r\n" LAST,
          "", NULL },
        { "without the last line end", TO SONG "--b--", "", NULL },
        { "a preamble", "Hello\r\n--x\r\n\r\n" TO SONG LAST, BEFORE, NULL },
        { "a preamble of a letter", "x\r\n" TO SONG LAST, BEFORE, NULL },
        { "a preamble of a letter and a bare LF", "x\n" TO SONG LAST, BEFORE,
          NULL },
        { "a preamble of a dash", "-\r\n" TO SONG LAST, BEFORE, NULL },
        { "a preamble of a line end", "\r\n" TO SONG LAST, "", NULL },
        { "a preamble of blanks", " \t\r\n\r\r\n\n\t \r\n" TO SONG LAST, "",
          NULL },
        { "a preamble of a bare LF", "\n" TO SONG LAST, BARE, NULL },
        { "a preamble of a bare CR", "\r" TO SONG LAST, BEFORE, NULL },
        { "a blank before the first boundary", " " TO SONG LAST, BEFORE,
          NULL },
        { "a preamble that begins like the boundary", "--\r\n--a-\r\n"
          TO SONG LAST, BEFORE, NULL },
        { "the last boundary as a preamble", LAST TO SONG LAST, AFTER, NULL },
        { "a preamble that ends without a line end", "Hello" TO SONG LAST,
          BEFORE, NULL },
        { "an epilogue", TO SONG LAST "Bye\r\n" TO SONG "--b\r\nx", AFTER,
          NULL },
        { "an epilogue of blanks", TO SONG LAST " \t\r\n\n\r", "", NULL },
        { "an epilogue behind blanks", TO SONG LAST "\r\n \n-", AFTER, NULL },
        { "text behind the last dashes", TO SONG "--b--x", AFTER, NULL },
        { "three dashes", TO SONG "--b---\r\n", AFTER, NULL },
        { "the last boundary twice", TO SONG LAST LAST, AFTER, NULL },
        { "an epilogue, and faults", TO TO PART("name=x") "1\r\n" LAST "x",
          AFTER TWO_TOS, NULL },
        { "blanks behind delimiters",
          "--b \t \r\n" DISPOSITION "name=to\r\n\r\n+237671234567\r\n"
          "--b\t\r\n" DISPOSITION "name=file; filename=a.mp3\r\n\r\ndata\r\n"
          "--b-- \t\r\n", BLANK, NULL },
        { "blanks behind the last delimiter", TO SONG "--b-- \t\r\n", "",
          NULL },

        /* to */

        { "to is missing", SONG LAST, NO_TO, NULL },
        { "to stands twice", TO TO SONG LAST, TWO_TOS, NULL },
        { "to stands thrice", TO SONG TO TO LAST, TWO_TOS, NULL },
        { "to is empty", PART("name=to") "\r\n" SONG LAST,
          E164 ", not \"\"\n", NULL },
        { "to has no line", PART("name=to") SONG LAST, BARE, NULL },
        { "to ends in a bare LF", PART("name=to") "+237671234567\n" SONG
          LAST, BARE, NULL },
        { "to isn't of E.164", PART("name=to") "237671234567\r\n" SONG LAST,
          E164 ", not \"237671234567\"\n", NULL },
        { "to has 15 digits", PART("name=to") "+123456789012345\r\n" SONG
          LAST, "", NULL },
        { "to has 7 digits", PART("name=to") "+1234567\r\n" SONG LAST, "",
          NULL },
        { "to has 6 digits", PART("name=to") "+123456\r\n" SONG LAST,
          E164 ", not \"+123456\"\n", NULL },
        { "to ends in a blank", PART("name=to") "+1234567 \r\n" SONG LAST,
          E164 ", not \"+1234567 \"\n", NULL },
        { "to ends in one line end more", PART("name=to") "+1234567\r\n\r\n"
          SONG LAST, E164 ", not \"+1234567\r\n\"\n", NULL },
        { "to ends in CR", PART("name=to") "+1234567\r\r\n" SONG LAST,
          E164 ", not \"+1234567\r\"\n", NULL },
        { "to is wrong, file is missing", PART("name=to") "0\r\n" LAST,
          E164 ", not \"0\"\n" NO_FILE, NULL },
        { "to may have a type", "--b\r\n" DISPOSITION
          "name=to\r\nContent-Type: text/plain\r\n\r\n"
          "+237671234567\r\n" SONG LAST, "", NULL },
        { "to has a file name", PART("name=to; filename=x")
          "+237671234567\r\n" SONG LAST, TO_FILE, NULL },
        { "to has a file name in front", PART("filename=x; name=to")
          "+237671234567\r\n" SONG LAST, TO_FILE, NULL },
        { "to has an empty file name", PART("name=to; filename=\"\"")
          "+237671234567\r\n" SONG LAST, TO_FILE, NULL },
        { "to has a file name of nothing", PART("name=to; filename=")
          "+237671234567\r\n" SONG LAST, MALFORMED, NULL },
        { "to has a filename*", PART("name=to; filename*=UTF-8''x")
          "+237671234567\r\n" SONG LAST, TO_FILE, NULL },
        { "to has an empty filename*", PART("name=to; filename*=utf-8''")
          "+237671234567\r\n" SONG LAST, TO_FILE, NULL },
        { "others may have a file name", TO SONG
          PART("name=x; filename=\"\"") "\r\n" LAST, "", NULL },
        { "names are told apart by case", PART("name=TO") "+237671234567\r\n"
          PART("name=File; filename=a.mp3") "data\r\n" LAST, NO_TO NO_FILE,
          NULL },

        /* file */

        { "file is missing", TO LAST, NO_FILE, NULL },
        { "both are missing", PART("name=x") "1\r\n" LAST, NO_TO NO_FILE,
          NULL },
        { "no part at all", LAST, NO_TO NO_FILE, NULL },
        { "file stands twice", TO SONG SONG LAST, TWO_FILES, NULL },
        { "both stand twice", TO TO SONG SONG LAST, TWO_TOS TWO_FILES, NULL },
        { "file has no name", TO PART("name=file") "data\r\n" LAST, NO_NAME,
          NULL },
        { "its name is empty", TO PART("name=file; filename=\"\"")
          "data\r\n" LAST, NO_NAME, NULL },
        { "its name is nothing", TO PART("name=file; filename=")
          "data\r\n" LAST, MALFORMED, NULL },
        { "without name and empty", TO PART("name=file") "\r\n" LAST, NO_NAME,
          NULL },
        { "file is empty", TO PART("name=file; filename=a.mp3") "\r\n" LAST,
          EMPTY, NULL },
        { "file has no line", TO PART("name=file; filename=a.mp3") LAST,
          BARE, NULL },
        { "empty, and no sound", TO PART("name=file; filename=a") "\r\n"
          LAST, EMPTY, NULL },
        { "file is a byte", TO PART("name=file; filename=a.mp3") "x\r\n" LAST,
          "", NULL },
        { "file is a line end", TO PART("name=file; filename=a.mp3")
          "\r\n\r\n" LAST, "", NULL },
        { "file is a CR", TO PART("name=file; filename=a.mp3")
          "\r\r\n" LAST, "", NULL },
        { "the second file is sound, and has a name", TO
          PART("name=file") "\r\n" SONG LAST, TWO_FILES, NULL },
        { "file ends in a bare LF", TO PART("name=file; filename=a.mp3")
          "data\n" LAST, BARE, NULL },

        /* sound, by type */

        { "file isn't sound", TO FILE_PART("filename=a.txt") LAST, "",
          NO_SOUND },
        { "of type audio", TO TYPED("Content-Type: audio/ogg") LAST, "", NULL },
        { "of type AUDIO", TO TYPED("CONTENT-type:AUDIO/OGG; codecs=opus")
          LAST, "", NULL },
        { "the type stands first", TO "--b\r\nContent-Type: audio/x\r\n"
          DISPOSITION "name=file; filename=x\r\n\r\ndata\r\n" LAST, "", NULL },
        { "of type audio/", TO TYPED("Content-Type: audio/") LAST, "",
          NO_SOUND },
        { "of type audio", TO TYPED("Content-Type: audio") LAST, "",
          NO_SOUND },
        { "of type audiox/y", TO TYPED("Content-Type: audiox/y") LAST, "",
          NO_SOUND },
        { "of type video/ogg", TO TYPED("Content-Type: video/ogg") LAST, "",
          NO_SOUND },
        { "of type x-audio/y", TO TYPED("Content-Type: x-audio/y") LAST, "",
          NO_SOUND },
        { "of a type that speaks of audio", TO
          TYPED("Content-Type: text/plain; x=audio/ogg") LAST, "", NO_SOUND },
        { "another header", TO TYPED("X-Content-Type: audio/ogg") LAST, "",
          NO_SOUND },
        { "another header, named alike", TO
          TYPED("Content-Typ: audio/ogg") LAST, "", NO_SOUND },
        { "sound by type and name, which differ", TO "--b\r\n" DISPOSITION
          "name=file; filename=a.mp3\r\nContent-Type: text/plain\r\n\r\nx\r\n"
          LAST, "", NULL },
        { "the type of another part", PART("name=x") "\r\n--b\r\n"
          DISPOSITION "name=y\r\nContent-Type: audio/ogg\r\n\r\n1\r\n" TO
          FILE_PART("filename=x") LAST, "", NO_SOUND },
        { "the type of a part behind", TO FILE_PART("filename=x") "--b\r\n"
          DISPOSITION "name=y\r\nContent-Type: audio/ogg\r\n\r\n1\r\n" LAST,
          "", NO_SOUND },
        { "the type of to", "--b\r\nContent-Type: audio/ogg\r\n" DISPOSITION
          "name=to\r\n\r\n+237671234567\r\n" FILE_PART("filename=x") LAST, "",
          NO_SOUND },

        /* headers */

        { "folded lines", TO "--b\r\nContent-Disposition: form-data;\r\n"
          "\tname=file;\r\n  filename=\"a .mp3\"\r\nX: y;\r\n\tz\r\n\r\n"
          "data\r\n" LAST, "", NULL },
        { "folded before a value", TO "--b\r\nContent-Disposition:\r\n "
          "form-data; name=file; filename=a.mp3\r\n\r\ndata\r\n" LAST, FOLDED,
          NULL },
        { "folded before a semicolon", TO "--b\r\nContent-Disposition: "
          "form-data\r\n ; name=file; filename=a.mp3\r\n\r\ndata\r\n" LAST,
          FOLDED, NULL },
        { "folded in quotes", TO "--b\r\n" DISPOSITION "name=file; "
          "filename=\"a\r\n .mp3\"\r\n\r\ndata\r\n" LAST, FOLDED, NULL },
        { "a folded type", TO TYPED("Content-Type:\r\n audio/ogg") LAST,
          FOLDED, NULL },
        { "a type folded behind a semicolon", TO
          TYPED("Content-Type: audio/ogg;\r\n x=y") LAST, "", NULL },
        { "a line folded of blanks", TO TYPED("X: y\r\n \t") LAST, FOLDED,
          NULL },
        { "a folded line is no line of its own", TO
          TYPED("X: y;\r\n Content-Type: audio/ogg") LAST, "", NO_SOUND },
        { "the first line folded", "--b\r\n " DISPOSITION "name=x\r\n\r\n"
          "\r\n" LAST, BAD_NAME, NULL },
        { "a file name folded at a tab", TO "--b\r\n" DISPOSITION
          "name=file; filename=\"a\r\n\t.mp3\"\r\n\r\ndata\r\n" LAST, FOLDED,
          NULL },
        { "names of headers in capitals", "--b\r\nCONTENT-DISPOSITION:"
          "FORM-DATA;NAME=to\r\n\r\n+237671234567\r\n" SONG LAST, "", NULL },
        { "blanks around parameters", "--b\r\nContent-Disposition: \t"
          "form-data ;\tname = \"to\" ; \r\n\r\n+237671234567\r\n" SONG LAST,
          MALFORMED, NULL },
        { "blanks behind semicolons", "--b\r\nContent-Disposition:\t"
          "form-data; \tx=y;name=\"to\"\r\n\r\n+237671234567\r\n" SONG LAST,
          "", NULL },
        { "a semicolon at the end", PART("name=to;") "+237671234567\r\n" SONG
          LAST, MALFORMED, NULL },
        { "a semicolon and a blank at the end", PART("name=to; ")
          "+237671234567\r\n" SONG LAST, MALFORMED, NULL },
        { "a blank at the end", PART("name=to ") "+237671234567\r\n" SONG
          LAST, MALFORMED, NULL },
        { "a line without a colon", "--b\r\nhello\r\n" DISPOSITION
          "name=x\r\n\r\n\r\n" LAST, COLON, NULL },
        { "the last line without a colon", TO "--b\r\n" DISPOSITION
          "name=file; filename=x\r\nhello\r\n\r\ndata\r\n" LAST, COLON, NULL },
        { "no header", "--b\r\n\r\n" TO SONG LAST, NAMELESS, NULL },
        { "a header of other lines", "--b\r\nX: y\r\n\r\n" LAST, NAMELESS,
          NULL },
        { "a name is missing", PART("filename=x") "1\r\n" LAST, NAMELESS,
          NULL },
        { "a name is empty", PART("name=\"\"") "1\r\n" LAST, NAMELESS, NULL },
        { "a name is nothing", PART("name=; x=y") "1\r\n" LAST, MALFORMED,
          NULL },
        { "no parameters", "--b\r\nContent-Disposition: form-data\r\n\r\n"
          LAST, NAMELESS, NULL },
        { "two names", PART("name=to; name=file") LAST, TWO_NAMES, NULL },
        { "two names, the first empty", PART("name=\"\"; name=to") LAST,
          TWO_NAMES, NULL },
        { "two dispositions", "--b\r\n" DISPOSITION "name=to\r\n" DISPOSITION
          "name=to\r\n\r\n+237671234567\r\n" SONG LAST, TWICE, NULL },
        { "two dispositions, not in a row", "--b\r\n" DISPOSITION "name=x\r\n"
          "X: y\r\n" DISPOSITION "name=y\r\n\r\n" LAST, TWICE, NULL },
        { "not form-data", "--b\r\nContent-Disposition: attachment; name=to"
          "\r\n\r\n" LAST, NOT_FORM, NULL },
        { "not quite form-data", "--b\r\nContent-Disposition: form-dat; "
          "name=to\r\n\r\n" LAST, NOT_FORM, NULL },
        { "an empty disposition", "--b\r\nContent-Disposition:\r\n\r\n" LAST,
          NOT_FORM, NULL },
        { "no semicolon", "--b\r\nContent-Disposition: form-data name=to"
          "\r\n\r\n" LAST, MALFORMED, NULL },
        { "a parameter without a value", PART("name") LAST, MALFORMED, NULL },
        { "a parameter without a name", PART("=to") LAST, MALFORMED, NULL },
        { "two semicolons", PART("x=y;; name=to") LAST, MALFORMED, NULL },
        { "a blank in a parameter", PART("na me=to") LAST, MALFORMED, NULL },
        { "a blank in a value", PART("name=t o") LAST, MALFORMED, NULL },
        { "text behind a quoted value", PART("name=\"to\"x") LAST, MALFORMED,
          NULL },
        { "a quote that doesn't end", PART("name=\"to") LAST, MALFORMED,
          NULL },
        { "a quote that ends in a backslash", PART("name=\"to\\\"") LAST,
          MALFORMED, NULL },
        { "a quote of a backslash", PART("name=\"\\") LAST, MALFORMED, NULL },
        { "an escaped name", PART("name=\"\\t\\o\"") "+237671234567\r\n" SONG
          LAST, ALIKE, NULL },

        /* what some take for another */

        { "a name*", PART("name=x; name*=UTF-8''to") LAST, STARRED, NULL },
        { "a NAME* in front", PART("NAME*=x; name=to") LAST, STARRED, NULL },
        { "a name* alone", PART("name*=UTF-8''to") LAST, STARRED, NULL },
        { "two file names", TO PART("name=file; filename=a; filename=b")
          LAST, TWO_FILE_NAMES, NULL },
        { "two file names, the first empty", TO
          PART("filename=\"\"; name=file; FILENAME=b") LAST, TWO_FILE_NAMES,
          NULL },
        { "two filename*", TO
          PART("name=file; filename=a; filename*=utf-8''a; "
               "filename*=utf-8''a") LAST,
          TWO_FILE_NAMES, NULL },
        { "two empty filename*", TO
          PART("name=file; filename=\"\"; filename*=utf-8''; "
               "filename*=utf-8''") LAST, TWO_FILE_NAMES,
          NULL },
        { "two file names of another part", PART("name=x; filename=a; "
          "filename=a") LAST, TWO_FILE_NAMES, NULL },
        { "a name that begins with a blank", PART("name=\" to\"") LAST, ALIKE,
          NULL },
        { "a name that ends with a blank", PART("name=\"to \"") LAST, ALIKE,
          NULL },
        { "a name of a blank", PART("name=\" \"") LAST, ALIKE, NULL },
        { "a bracket that nothing closes", PART("name=\"[x\"; filename=a")
          LAST, ALIKE, NULL },
        { "one that nothing opens", PART("name=\"x]\"; filename=a") LAST,
          ALIKE, NULL },
        { "text behind brackets", PART("name=\"x[y]z\"; filename=a") LAST,
          ALIKE, NULL },
        { "brackets of a list", TO SONG PART("name=\"x[y][]\"; filename=a")
          "data\r\n" LAST, "", NULL },
        { "half a bracket, of no file", TO SONG PART("name=\"[x\"") "data\r\n"
          LAST, "", NULL },
        { "a header line that begins with the boundary",
          TO_TYPED("--bontent-Type: text/plain") SONG LAST, BAD_NAME,
          NULL },
        { "a name in single quotes", PART("name='to'") LAST, MALFORMED,
          NULL },
        { "a quoted name in single quotes", PART("name=\"'to'\"") LAST, ALIKE,
          NULL },
        { "a name of a single quote", PART("name='") LAST, MALFORMED, NULL },
        { "a name with single quotes", PART("name=\"t'o'\"") "\r\n" TO SONG
          LAST, "", NULL },
        { "a name with a tab", PART("name=\"to\t\"") LAST, ALIKE, NULL },
        { "a name with DEL", PART("name=to\x7f") LAST, CONTROL, NULL },
        { "a name of other letters", PART("name=\"t\xc3\xb6\"") "\r\n" TO SONG
          LAST, "", NULL },
        { "a file name with a tab", TO
          PART("name=file; filename=\"a\t.mp3\"") LAST, ALIKE, NULL },
        { "a file name with a coded LF", TO
          PART("name=file; filename=x; filename*=utf-8''a%0a.mp3") LAST, ALIKE,
          NULL },
        { "a file name with a coded NUL", TO
          PART("name=file; filename=x; filename*=utf-8''a%00.mp3") LAST, ALIKE,
          NULL },
        { "another part's file name with DEL", PART("name=x; filename=\x7f")
          LAST, CONTROL, NULL },
        { "to[]", PART("name=\"to[]\"") LAST, ALIKE, NULL },
        { "to[x", PART("name=\"to[x\"") LAST, ALIKE, NULL },
        { "to[", PART("name=\"to[\"") LAST, ALIKE, NULL },
        { "file[]", PART("name=\"file[]\"; filename=a.mp3") LAST, ALIKE, NULL },
        { "file[0][1]", PART("name=\"file[0][1]\"") LAST, ALIKE, NULL },
        { "file[", PART("name=\"file[\"") LAST, ALIKE, NULL },
        { "names that only resemble these", PART("name=\"to]\"") "\r\n"
          PART("name=\"files[]\"") "\r\n" PART("name=\"x[to]\"") "\r\n"
          TO SONG LAST,
          "", NULL },
        { "a comma in a value", PART("name=to,x") LAST, MALFORMED, NULL },
        { "a comma behind a value", PART("name=to, x=y") LAST, MALFORMED,
          NULL },
        { "a comma in another value", PART("name=to; x=,") LAST, MALFORMED,
          NULL },
        { "a quote in a value", PART("name=t\"o\"") LAST, MALFORMED, NULL },
        { "a quote behind a value", PART("name=to\"") LAST, MALFORMED, NULL },
        { "a comma that is quoted", TO FILE_PART("filename=\"a,b.mp3\"")
          LAST, "", NULL },

        /* names of headers, encodings */

        { "a blank before the colon", "--b\r\nContent-Disposition : "
          "form-data; name=to\r\n\r\n" LAST, BAD_NAME, NULL },
        { "a tab before the colon", TO TYPED("X\t: y") LAST, BAD_NAME, NULL },
        { "a blank in a header's name", TO TYPED("X Y: z") LAST, BAD_NAME,
          NULL },
        { "a folded name", TO TYPED("X\r\n : y") LAST, FOLDED, NULL },
        { "a control character in a name", TO TYPED("X\x01: y") LAST,
          BAD_NAME, NULL },
        { "a name that isn't ASCII", TO TYPED("\xc3\x89: y") LAST, BAD_NAME,
          NULL },
        { "a value that isn't ASCII", TO TYPED("X: \xc3\xa9 y") LAST, "",
          NO_SOUND },
        { "binary", TO TYPED("Content-Transfer-Encoding: binary") LAST, "",
          NO_SOUND },
        { "8BIT", TO TYPED("content-transfer-ENCODING:8BIT") LAST, "",
          NO_SOUND },
        { "7bit", TO TYPED("Content-Transfer-Encoding: \t7bit") LAST, "",
          NO_SOUND },
        { "base64", TO TYPED("Content-Transfer-Encoding: base64") LAST,
          ENCODED, NULL },
        { "quoted-printable", "--b\r\nContent-Transfer-Encoding: "
          "quoted-printable\r\n" DISPOSITION "name=x\r\n\r\n" LAST, ENCODED,
          NULL },
        { "no encoding", TO TYPED("Content-Transfer-Encoding:") LAST, ENCODED,
          NULL },
        { "two encodings", TO TYPED("Content-Transfer-Encoding: 8bit, base64")
          LAST, ENCODED, NULL },

        { "an encoding twice", TO TYPED("Content-Transfer-Encoding: 8bit\r\n"
          "Content-Transfer-Encoding: 8bit") LAST, TWO_CODINGS, NULL },

        /* what others read in another way: see t/fuzz/readers */

        { "a name in pieces", PART("name=\"t\"; name*1=\"o\"") "x\r\n" TO SONG
          LAST, PIECES, NULL },
        { "a coded name in pieces", PART("name*0*=utf-8''to") "x\r\n" TO SONG
          LAST, PIECES, NULL },
        { "a file name in pieces", PART("name=\"to\"; filename*0=\"x\"")
          "+237671234567\r\n" SONG LAST, PIECES, NULL },
        { "a file name that goes on", TO PART("name=file; filename=\"a.ogg\"; "
          "filename*1=\".exe\"") "data\r\n" LAST, PIECES, NULL },
        { "another parameter in pieces", PART("name=x; y*0=z") "\r\n" TO SONG
          LAST, PIECES, NULL },
        { "blanks around =", PART("name = \"to\"") "+237671234567\r\n" SONG
          LAST, MALFORMED, NULL },
        { "a blank before =", PART("name =to") "+237671234567\r\n" SONG LAST,
          MALFORMED, NULL },
        { "a tab behind =", PART("name=\t\"to\"") "+237671234567\r\n" SONG LAST,
          MALFORMED, NULL },
        { "a blank before a semicolon", PART("name=to ; x=y")
          "+237671234567\r\n" SONG LAST, MALFORMED, NULL },
        { "a blank behind a boundary", "--b \r\n" DISPOSITION
          "name=to\r\n\r\n+237671234567\r\n" SONG LAST, BLANK, NULL },
        { "a tab behind a boundary", TO "--b\t\r\n" DISPOSITION "name=x\r\n\r\n"
          "\r\n" SONG LAST, BLANK, NULL },
        { "to in UTF-16", TO_TYPED("Content-Type: text/plain; "
          "charset=utf-16") SONG LAST, BAD_CHARSET, NULL },
        { "to in UTF-7", TO_TYPED("Content-Type: text/plain;charset=\"utf-7\"")
          SONG LAST, BAD_CHARSET, NULL },
        { "to in two charsets", TO_TYPED("Content-Type: text/plain; "
          "charset=utf-8; charset=utf-8") SONG LAST, BAD_CHARSET, NULL },
        { "to in a charset*", TO_TYPED("Content-Type: text/plain; "
          "charset*=utf-16''x") SONG LAST, BAD_CHARSET, NULL },
        { "to of a malformed type", TO_TYPED("Content-Type: text; x=y") SONG
          LAST, BAD_CHARSET, NULL },
        { "to of a type with a comma", TO_TYPED("Content-Type: text/plain, "
          "charset=utf-16") SONG LAST, BAD_CHARSET, NULL },
        { "to in US-ASCII", TO_TYPED("Content-Type: text/plain; "
          "charset=US-ASCII") SONG LAST, "", NULL },
        { "to in ISO-8859-1", TO_TYPED("Content-Type: text/plain; "
          "charset=ISO-8859-1") SONG LAST, "", NULL },
        { "to of an empty type", TO_TYPED("Content-Type:") SONG LAST, "",
          NULL },
        { "another field in UTF-16", "--b\r\nContent-Type: text/plain; "
          "charset=utf-16\r\n" DISPOSITION "name=x\r\n\r\n\r\n" TO SONG LAST,
          BAD_CHARSET, NULL },
        { "a file in UTF-16", TO "--b\r\n" DISPOSITION "name=file; "
          "filename=a.mp3\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n"
          "data\r\n" LAST, "", NULL },
        { "a file of no type", TO "--b\r\n" DISPOSITION "name=file; "
          "filename=a.mp3\r\nContent-Type: null\r\n\r\ndata\r\n" LAST, "",
          NULL },
        { "to as bytes", TO_TYPED("Content-Type: application/octet-stream")
          SONG LAST, TO_BYTES, NULL },
        { "two types", TO_TYPED("Content-Type: text/plain\r\n"
          "Content-Type: text/plain") SONG LAST, TWO_TYPES, NULL },
        { "a file of parts", TO TYPED("Content-Type: multipart/mixed; "
          "boundary=c") LAST, NESTED, NULL },
        { "a message", TO TYPED("Content-Type: Message/RFC822") LAST, NESTED,
          NULL },
        { "another field of parts", "--b\r\nContent-Type: multipart/mixed; "
          "boundary=c\r\n" DISPOSITION "name=x\r\n\r\n\r\n" TO SONG LAST,
          NESTED, NULL },
        { "a length", TO_TYPED("Content-Length: 13") SONG LAST, "", NULL },
        { "a length with zeros", TO_TYPED("Content-Length: 0013") SONG LAST, "",
          NULL },
        { "a length that is short", TO_TYPED("Content-Length: 12") SONG LAST,
          BAD_LENGTH, NULL },
        { "a length that is long", TO_TYPED("Content-Length: 14") SONG LAST,
          BAD_LENGTH, NULL },
        { "a length of nothing", TO_TYPED("Content-Length:") SONG LAST,
          BAD_LENGTH, NULL },
        { "a length in hex", TO_TYPED("Content-Length: 0xd") SONG LAST,
          BAD_LENGTH, NULL },
        { "a length of 19 digits", TO_TYPED("Content-Length: "
          "0000000000000000013") SONG LAST, BAD_LENGTH, NULL },
        { "two lengths", TO_TYPED("Content-Length: 13\r\nContent-Length: 13")
          SONG LAST, TWO_LENGTHS, NULL },
        { "the length of another part", PART("name=x") "1\r\n"
          TO_TYPED("Content-Length: 13") SONG LAST, "", NULL },
        { "a charset for all", PART("name=_charset_") "utf-16\r\n" TO SONG
          LAST, SPECIAL, NULL },
        { "PHP's largest size", PART("name=MAX_FILE_SIZE") "1\r\n" TO SONG
          LAST, SPECIAL, NULL },
        { "a name of RFC 2047", PART("name=\"=?utf-8?B?dG8=?=\"") "x\r\n" TO
          SONG LAST, ALIKE, NULL },
        { "a backslash in a name", PART("name=\"to\\\\\"") LAST, MALFORMED,
          NULL },
        { "a quote in another name", PART("name=\"x\\\"y\"") "\r\n" TO SONG
          LAST, "", NULL },
        { "CR before a boundary", TO PART("name=file; filename=a.mp3")
          "data\r--b\r\n" LAST, BARE, NULL },
        { "CR before the last boundary", TO PART("name=file; filename=a.mp3")
          "data\r--b--\r\n" LAST, BARE, NULL },
        { "CR before nearly a boundary", TO PART("name=file; filename=a.mp3")
          "data\r--c\r-\r--\r\r--a\r\n" LAST, "", NULL },
        { "a header that isn't UTF-8", TO TYPED("X: \xe9") LAST, NOT_UTF8,
          NULL },
        { "a header with a control character", TO TYPED("X: \x0b") LAST,
          CONTROL, NULL },

        /* what clients send: see also t/fuzz/corpus/multipart/client-* */

        { ".NET", "--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
          DISPOSITION "name=to\r\n\r\n+237671234567\r\n--b\r\n" DISPOSITION
          "name=file; filename=a.ogg; filename*=utf-8''a.ogg\r\n\r\ndata\r\n"
          LAST, "", NULL },
        { ".NET, of a name that isn't ASCII", TO "--b\r\n" DISPOSITION
          "name=file; filename=\"=?utf-8?B?w6kub2dn?=\"; "
          "filename*=utf-8''%C3%A9.ogg\r\n\r\ndata\r\n" LAST, "", NULL },
        { "Retrofit", "--b\r\n" DISPOSITION "name=\"to\"\r\n"
          "Content-Transfer-Encoding: binary\r\nContent-Type: text/plain; "
          "charset=UTF-8\r\nContent-Length: 13\r\n\r\n+237671234567\r\n" SONG
          LAST, "", NULL },
        { "a browser", TO SONG_NAMED("\"a%22b.ogg\"") LAST, "", NULL },

        /* line ends */

        { "lines that end in LF", "--b\nContent-Disposition: form-data; "
          "name=to\n\n+237671234567\n--b--\n", BEHIND, NULL },
        { "LF in a header", "--b\r\n" DISPOSITION "name=to\n\r\n"
          "+237671234567\r\n" LAST, BAD_LF, NULL },
        { "LF for an empty line", "--b\r\n" DISPOSITION "name=to\r\n\n"
          "+237671234567\r\n" LAST, BAD_LF, NULL },
        { "LF behind the first delimiter", "--b\n" DISPOSITION
          "name=to\r\n\r\n" TO SONG LAST, BEHIND, NULL },
        { "LF behind another delimiter", TO "--b\n" DISPOSITION
          "name=x\r\n\r\n\r\n" SONG LAST, BEHIND, NULL },
        { "LF before another delimiter", TO PART("name=x") "\n" SONG LAST,
          BARE, NULL },
        { "LF before the last delimiter", TO SONG PART("name=x") "1\n" LAST,
          BARE, NULL },
        { "a delimiter right behind a header", TO SONG PART("name=x") LAST,
          BARE, NULL },
        { "text behind a delimiter", TO SONG "--bx\r\n", BEHIND, NULL },
        { "it ends behind a delimiter and a wrong to", PART("name=to")
          "+1\r\n" PART("name=x") "\r\n--b-x",
          BEHIND E164 ", not \"+1\"\n", NULL },
        { "CR in a header", "--b\r\n" DISPOSITION "name=to\rX: y\r\n\r\n"
          LAST, BAD_CR, NULL },
        { "two CR in a header", "--b\r\n" DISPOSITION "name=to\r\r\n\r\n"
          LAST, BAD_CR, NULL },
        { "CR for an empty line", "--b\r\n" DISPOSITION "name=to\r\n\r"
          "+237671234567\r\n" LAST, BAD_CR, NULL },

        /* what breaks a body hides faults that its rest could mend */

        { "an empty body", "", NO_BOUNDARY, NULL },
        { "blanks alone", " \t\r\n\r", NO_BOUNDARY, NULL },
        { "a dash alone", "-", NO_BOUNDARY, NULL },
        { "dashes alone", "\n--", NO_BOUNDARY, NULL },
        { "no boundary", "Hello\r\n", BEFORE, NULL },
        { "another boundary", "--c\r\n" DISPOSITION "name=to\r\n\r\n1\r\n"
          "--c--\r\n", BEFORE, NULL },
        { "the boundary without its line end", "--b", NO_LAST, NULL },
        { "the boundary and a CR", "--b\r", NO_LAST, NULL },
        { "the last boundary lacks a dash", TO SONG "--b-", NO_LAST, NULL },
        { "the last boundary is missing", TO SONG, NO_LAST, NULL },
        { "it ends in to", TO PART("name=to") "+1", NO_LAST TWO_TOS, NULL },
        { "it ends in the only to", SONG PART("name=to") "+1", NO_LAST,
          NULL },
        { "it ends behind a wrong to", PART("name=to") "+1\r\n" SONG,
          NO_LAST E164 ", not \"+1\"\n", NULL },
        { "it ends behind a wrong to, in a header", PART("name=to")
          "+1\r\n--b\r\nX", NO_LAST E164 ", not \"+1\"\n", NULL },
        { "it ends in a file", TO PART("name=file; filename=x"), NO_LAST,
          NULL },
        { "it ends in a file without a name", TO PART("name=file") "d",
          NO_LAST NO_NAME, NULL },
        { "it ends behind an empty file", TO PART("name=file; filename=x")
          "\r\n" PART("name=x"), NO_LAST EMPTY, NULL },
        { "it ends behind a file that isn't sound", TO
          FILE_PART("filename=x") PART("name=x"), NO_LAST, NO_LAST NO_SOUND },
        { "it ends in a file that isn't sound", TO PART("name=file; "
          "filename=x") "data", NO_LAST, NULL },
        { "it ends in a header", TO "--b\r\n" DISPOSITION "name=file; filena",
          NO_LAST, NULL },
        { "it ends behind a header's line", TO "--b\r\n" DISPOSITION
          "name=file\r\n", NO_LAST, NULL },
        { "it breaks with to and file missing", PART("name=x") "\r\n"
          "--b\r\nx\r\n\r\n", COLON, NULL },
        { "it breaks behind two of each", TO TO SONG SONG "--b\r\nx\r\n\r\n",
          COLON TWO_TOS TWO_FILES, NULL },
        { "it breaks in the header of a to", "--b\r\n" DISPOSITION
          "name=to\r\nx\r\n\r\n", COLON, NULL },
        { "it breaks in the header of a file", "--b\r\n" DISPOSITION
          "name=file; filename=x\r\nx\r\n\r\n", COLON, NULL }
    };

    for (i = 0; i < unit_count_of(bodies); i++) {
        b = &bodies[i];
        len = strlen(b->body);

        unit_multipart_is(TYPE, b->body, len, 0, b->faults, b->name);
        unit_multipart_is(TYPE, b->body, len, 1,
                          b->audio ? b->audio : b->faults, b->name);
    }
}


/* Is it a name, one of a sound file, or what breaks the body? */

static void
unit_multipart_file_names(void)
{
    char    body[1024];
    size_t  i, len;

    static const struct {
        const char  *parameter;
        const char  *faults;
    } names[] = {
        { "filename=a.mp3", "" },
        { "filename=\"a.mp3\"", "" },
        { "FileName=A.MP3", "" },
        { "filename=a.b.OgG", "" },
        { "filename=.wav", "" },
        { "filename=a.3gp", "" },
        { "filename=a.aac", "" },
        { "filename=a.aif", "" },
        { "filename=a.aiff", "" },
        { "filename=a.amr", "" },
        { "filename=a.caf", "" },
        { "filename=a.flac", "" },
        { "filename=a.m4a", "" },
        { "filename=a.m4b", "" },
        { "filename=a.mid", "" },
        { "filename=a.midi", "" },
        { "filename=a.mka", "" },
        { "filename=a.mp2", "" },
        { "filename=a.mpga", "" },
        { "filename=a.oga", "" },
        { "filename=a.opus", "" },
        { "filename=a.weba", "" },
        { "filename=a.wma", "" },
        { "filename=a.mp4", NO_SOUND },
        { "filename=a.mp", NO_SOUND },
        { "filename=a.mp3x", NO_SOUND },
        { "filename=a.mp3.txt", NO_SOUND },
        { "filename=a.", NO_SOUND },
        { "filename=mp3", NO_SOUND },
        { "filename=amp3", NO_SOUND },

        /* quoted, with what would else end a value */
        { "filename=\"a;b.mp3\"", "" },
        { "filename=\"a.mp3;b\"", NO_SOUND },
        { "filename=\"a\\\"b.mp3\"", "" },
        { "filename=\"a.mp3\\\"\"", NO_SOUND },
        { "filename=\"a\\\\\"", MALFORMED },
        { "filename=\"a\\\\\\\\\"", MALFORMED },
        { "filename=\"a\\\\b.mp3\"", "" },
        { "filename=\"\\\\\\\"; x.mp3\"", "" },
        { "filename=\"\\\\\"; x.mp3\"", MALFORMED },
        { "filename=\"a.\\m\\p\\3\"", NO_SOUND },
        { "filename=\"; name=\\\"to\\\"; .ogg\"", "" },
        { "filename=\" a.mp3\"", ALIKE },
        { "filename=\"a.mp3 \"", ALIKE },
        { "filename=\" \"", ALIKE },
        { "filename=\"\xc3\xa9.mp3\"", "" },
        { "filename=\"\xe9.mp3\"", NOT_UTF8 },
        { "filename=\"\xed\xa0\x80.mp3\"", NOT_UTF8 },
        { "filename=\"\xf4\x90\x80\x80.mp3\"", NOT_UTF8 },
        { "filename=\"\xc0\xae.mp3\"", NOT_UTF8 },
        { "filename=\"\xf0\x9f\x98\x80.mp3\"", "" },
        { "filename=\"a.mp3", MALFORMED },
        { "filename=\"a.mp3\\\"", MALFORMED },
        { "filename=\"a\"b.mp3\"", MALFORMED },
        { "filename=a b.mp3", MALFORMED },
        { "filename=\xc3\xa9.mp3", MALFORMED },
        { "filename=a'b.mp3", MALFORMED },
        { "filename=\"a'b.mp3\"", "" },
        { "filename=a/b.mp3", MALFORMED },

        /* folders, which some take off */
        { "filename=\"/tmp/a.mp3\"", "" },
        { "filename=\"C:\\x\\a.mp3\"", "" },
        { "filename=\"a.mp3/b\"", NO_SOUND },
        { "filename=\"a.mp3\\b\"", NO_SOUND },
        { "filename=\"a.mp3/\"", NO_BASE },
        { "filename=\"/\"", NO_BASE },
        { "filename=\"a\\\\\\..\"", NO_BASE },
        { "filename=.", NO_BASE },
        { "filename=..", NO_BASE },
        { "filename=\"a.mp3/..\"", NO_BASE },
        { "filename=\"a\\/b.mp3\"", MALFORMED },
        { "filename=\"a\\;b.mp3\"", MALFORMED },

        /* RFC 8187, with the plain one that it repeats */
        { "filename=a.mp3; filename*=UTF-8''a.mp3", "" },
        { "filename*=utf-8''a.mp3; filename=\"a.mp3\"", "" },
        { "filename=\"\xc3\xa9.mp3\"; FILENAME*=utf-8''%c3%A9%2Emp3", "" },
        { "filename=a.mp3; filename*=UTF-8''a.%6D%70%33", "" },
        { "filename=a.txt; filename*=UTF-8''a.txt", NO_SOUND },
        { "filename=\"=?utf-8?B?w6kub2dn?=\"; filename*=utf-8''%C3%A9.ogg",
          "" },
        { "filename=\"=?UTF-8?b?w6kub2dn?=\"; filename*=utf-8''%C3%A9.txt",
          TWO_FILE_NAMES },
        { "filename=\"=?utf-8?B?!?=\"; filename*=utf-8''a.ogg",
          TWO_FILE_NAMES },
        { "filename=\"=?utf-8?B?w6kub2dn?=\"", NO_SOUND },
        { "filename*=UTF-8''a.mp3", NO_PLAIN },
        { "filename=a.mp3; filename*=utf-8'en'a.mp3", EXTENDED },
        { "filename=a.mp3; filename*=''a.mp3", EXTENDED },
        { "filename=a.mp3; filename*=ISO-8859-1''a.mp3", EXTENDED },
        { "filename=\"a'.mp3\"; filename*=UTF-8''a'.mp3", EXTENDED },
        { "filename=a.mp3; filename*=\"UTF-8''a.mp3\"", EXTENDED },
        { "filename*=UTF-8''a.mp3; filename=a.txt", TWO_FILE_NAMES },
        { "filename=a.txt; filename*=UTF-8''a.mp3", TWO_FILE_NAMES },
        { "filename=a.ogg; filename*=UTF-8''b.ogg", TWO_FILE_NAMES },
        { "filename=\"\"; filename*=UTF-8''a.mp3", TWO_FILE_NAMES },
        { "filename=\"\"; filename*=UTF-8''", NO_NAME },
        { "filename=a.mp3; filename=a.mp3", TWO_FILE_NAMES },
        { "filename=a.mp3; filename*=utf-8''a.mp3; filename*=utf-8''a.mp3",
          TWO_FILE_NAMES },
        { "filename=a,b.mp3", MALFORMED },
        { "filename=a\"b.mp3", MALFORMED },
        { "filename=\"a\x01.mp3\"", CONTROL },
        { "filename=\"a\\\t.mp3\"", ALIKE },
        { "filename=a.mp3; filename*=UTF-8''a%09.mp3", ALIKE },
        { "filename=a.mp3; filename*=UTF-8''a%7F.mp3", ALIKE },
        { "filename=a.mp3; filename*=UTF-8''a%80%20.mp3", EXTENDED },
        { "filename*=UTF-8''; filename=a.mp3", TWO_FILE_NAMES },
        { "filename=a.mp3; filename*=UTF-8''a.mp3%", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''a.mp3%4", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''a%4x.mp3", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''a%x4.mp3", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''a%4g.mp3", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''a%G4.mp3", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8''%%41.mp3", EXTENDED },
        { "filename=a.mp3; filename*=UTF-8'a.mp3", EXTENDED },
        { "filename=a.mp3; filename*=a.mp3", EXTENDED },
        { "filename=a.mp3; filename*=", MALFORMED },
        { "filename=a.mp3; filename*=\"\"", EXTENDED },
        { "filename=a.mp3; filename*='", EXTENDED },
        { "filename=a.mp3; filename**=UTF-8''a.mp3", PIECES }
    };

    for (i = 0; i < unit_count_of(names); i++) {
        len = sprintf(body, TO "--b\r\n" DISPOSITION "name=file; %s\r\n\r\n"
                      "data\r\n" LAST, names[i].parameter);

        unit_multipart_is(TYPE, body, len, 1, names[i].faults,
                          names[i].parameter);

        len = sprintf(body, TO "--b\r\n" DISPOSITION "%s; name=\"file\"\r\n"
                      "\r\ndata\r\n" LAST, names[i].parameter);

        unit_multipart_is(TYPE, body, len, 0,
                          strcmp(names[i].faults, NO_SOUND) == 0
                          ? "" : names[i].faults, names[i].parameter);
    }
}


static void
unit_multipart_types(void)
{
    size_t  i;

    static const struct {
        const char  *type;
        const char  *faults;
    } types[] = {
        { "multipart/form-data; boundary=b", "" },
        { "multipart/form-data; boundary=\"b\"", "" },
        { "Multipart/Form-Data;BOUNDARY=b", "" },
        { "multipart/form-data;\tboundary=b;charset=UTF-8", "" },
        { "multipart/form-data; charset=us-ascii; boundary=b", "" },
        { "multipart/form-data ; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary =b", BAD_TYPE },
        { "multipart/form-data; boundary= b", BAD_TYPE },
        { "multipart/form-data; boundary=b ; x=y", BAD_TYPE },
        { "multipart/form-data; charset=utf-16; boundary=b", BAD_TYPE },
        { "multipart/form-data; charset*=utf-8''x; boundary=b", BAD_TYPE },
        { "multipart/form-data; x=\"boundary=c\"; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=\"a;boundary=c\"", BAD_TYPE },
        { "multipart/form-data; boundary=b;", BAD_TYPE },
        { "multipart/form-data; boundary=b; ", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=y; z=\"a, b\"", "" },
        { "multipart/form-data; boundaryx=c; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary*0=c; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b; Boundary*=c", BAD_TYPE },
        { "multipart/form-data; boundary=B", BEFORE },
        { "multipart/form-data; boundary=bb", BEFORE },
        { "multipart/form-data; boundary=\"b b\"", BEFORE },
        { "multipart/form-data; boundary=----WebKitFormBoundary0", BEFORE },
        { "multipart/form-data; boundary=boundary", BEFORE },
        { "multipart/form-data; boundary=\"a boundary\"", BEFORE },
        { "multipart/form-data; x=y; boundary=aBoundary", BEFORE },
        { "multipart/form-data; boundary=aBoundary; x=y", BAD_TYPE },
        { "multipart/form-data; boundary=aBoundary=b", BAD_TYPE },
        { "multipart/form-data; x=aBoundary; boundary=b", BAD_TYPE },
        { "multipart/form-data; Boundary=aboundary", BAD_TYPE },
        { "multipart/form-data; BOUNDARY=aBOUNDARY", BAD_TYPE },
        { "multipart/form-data; Boundary=b", "" },

        { "", NOT_MULTIPART },
        { "; boundary=b", NOT_MULTIPART },
        { "application/json", NOT_MULTIPART },
        { "multipart/mixed; boundary=b", NOT_MULTIPART },
        { "multipart/form-dat; boundary=b", NOT_MULTIPART },
        { "multipart/form-data2; boundary=b", NOT_MULTIPART },
        { "multipart/form-data,multipart/form-data; boundary=b",
          NOT_MULTIPART },
        { "application/json; x=\"\\\"\"", NOT_MULTIPART },
        { "x-multipart/form-data; boundary=b", NOT_MULTIPART },

        { "multipart/form-data", BAD_TYPE },
        { "multipart/form-data;", BAD_TYPE },
        { "multipart/form-data; ", BAD_TYPE },
        { "multipart/form-data; charset=utf-8", BAD_TYPE },
        { "multipart/form-data boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary", BAD_TYPE },
        { "multipart/form-data; boundary=", BAD_TYPE },
        { "multipart/form-data; boundary=; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=y; BOUNDARY=c", BAD_TYPE },
        { "multipart/form-data; boundary=b; boundary=", BAD_TYPE },
        { "multipart/form-data; boundary=b; boundary=\"\"", BAD_TYPE },
        { "multipart/form-data; xboundary=c; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b; x-BOUNDARY=c", BAD_TYPE },
        { "multipart/form-data; xboundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=\"\\b\"", BAD_TYPE },
        { "multipart/form-data; boundary=\\b", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=\"\\y\"", BAD_TYPE },
        { "multipart/form-data; boundary=b\\", BAD_TYPE },
        { "multipart/form-data; boundary=b,c", BAD_TYPE },
        { "multipart/form-data; boundary=b, multipart/mixed", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\", x=y", BAD_TYPE },
        { "multipart/form-data; x=y,z; boundary=b", BAD_TYPE },
        { "multipart/form-data; x,y=z; boundary=b", BAD_TYPE },
        { "multipart/form-data; boundary=b\"", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=y\"z\"", BAD_TYPE },
        { "multipart/form-data; boundary=b; x\"y=z", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\"b", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\"\"b\"", BAD_TYPE },
        { "multipart/form-data; boundary=b c", BAD_TYPE },
        { "multipart/form-data; boundary=b; x", BAD_TYPE },
        { "multipart/form-data; boundary=b;; x=y", BAD_TYPE },
        { "multipart/form-data; boundary=b; x=\"y", BAD_TYPE },
        { "multipart/form-data; boundary=\"b;\"", BAD_TYPE },
        { "multipart/form-data; boundary=\" b\"", BAD_TYPE },
        { "multipart/form-data; boundary=\"\"", BAD_TYPE },
        { "multipart/form-data; boundary=\"b", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\\\"", BAD_TYPE },
        { "multipart/form-data; boundary=\"b \"", BAD_TYPE },
        { "multipart/form-data; boundary=\" \"", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\r\"", BAD_TYPE },
        { "multipart/form-data; boundary=\"b\tc\"", BAD_TYPE },
        { "multipart/form-data; boundary=\x1f", BAD_TYPE },
        { "multipart/form-data; boundary=\x7f", BAD_TYPE },
        { "multipart/form-data; boundary=\xc3\xa9", BAD_TYPE },
        { "multipart/form-data; x; boundary=b", BAD_TYPE },
        { "multipart/form-data; x=\"y\"z; boundary=b", BAD_TYPE },
        { "multipart/form-data;; boundary=b", BAD_TYPE }
    };

    for (i = 0; i < unit_count_of(types); i++) {
        unit_multipart_is(types[i].type, TO SONG LAST,
                          sizeof(TO SONG LAST) - 1, 1, types[i].faults,
                          types[i].type);
    }
}


/* Of 1 to 71 characters, with what they may have; a type of 4096 and 4097. */

static void
unit_multipart_boundaries(void)
{
    char     type[8192], boundary[80], body[2048];
    size_t   i, n, len, pad;

    static const char  alphabet[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "'()+_,-./:=? ";

    for (n = 1; n <= 71; n++) {

        for (i = 0; i < n; i++) {
            boundary[i] = alphabet[(7 * i + n) % (sizeof(alphabet) - 1)];
        }

        boundary[n] = '\0';

        if (boundary[n - 1] == ' ') {
            boundary[n - 1] = '=';
        }

        sprintf(type, "multipart/form-data; boundary=\"%s\"", boundary);

        len = sprintf(body, "--%s\r\n" DISPOSITION "name=to\r\n\r\n"
                      "+237671234567\r\n"
                      "--%s\r\n" DISPOSITION "name=file; filename=a.mp3\r\n"
                      "\r\ndata\r\n--%.*s\r\n--%s--\r\n", boundary, boundary,
                      (int) n - 1, boundary, boundary);

        unit_multipart_is(type, body, len, 1, n <= 70 ? "" : BAD_TYPE,
                          boundary);
    }

    for (pad = 4096; pad <= 4097; pad++) {
        strcpy(type, "multipart/form-data; x=");
        n = strlen(type);
        memset(type + n, 'y', pad - n);
        strcpy(type + pad - strlen("; boundary=b"), "; boundary=b");

        unit_multipart_is(type, TO SONG LAST, sizeof(TO SONG LAST) - 1, 1,
                          pad == 4096 ? "" : BAD_TYPE,
                          "a Content-Type of 4096 or 4097 bytes");
    }
}


/*
 * What begins like a delimiter is data: shown by a "to" that holds it, as the
 * fault quotes it, and by a "file" that isn't empty.  A whole one with others
 * behind it, or without a CRLF before it, breaks the body.
 */

static void
unit_multipart_data(void)
{
    char    body[1024], expected[1024], type[64];
    size_t  i, len;

    static const char  *data[] = {
        "--b", "--bx", "-", "--", "--x", "---b", "--B", "-b", "b", "--b:",
        "\r", "\r\r", "\r\r\r\r", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r\n-",
        "\r\n--", "\r\n--x", "\r\n--\r\n--", "\r\n-\r\n-", "\n--b\n",
        "\r--b\r", "x--b\r\n", "--b--"
    };

    static const struct {
        const char  *text;
        const char  *faults;
    } breaks[] = {
        { "\r\n--bx", BEHIND },
        { "\r\n--bb", BEHIND },
        { "\r\n--b-x", BEHIND },
        { "\r\n--b-\n", BEHIND },
        { "\r\n--b-\r\n", BEHIND },
        { "\r\n--b x", BLANK },
        { "\r\n--b \tx", BLANK },
        { "\r\n--b\t-", BLANK },
        { "\r\n--b --", BLANK },
        { "\r\n--b\n", BEHIND },
        { "\r\n--b \n", BLANK },
        { "\r\n--b\rx", BEHIND },
        { "\r\n--b\r\r\n", BEHIND },
        { "\r\n--b\t\rx", BLANK },
        { "x\r\r\n--b:", BEHIND },
        { "\r\n--b--x", AFTER },
        { "\r\n--b--", AFTER },
        { "--b", BARE },
        { "--bx", BARE },
        { "--b-x", BARE },
        { "--b--", BARE },
        { "--b \tx", BARE },
        { "\n--b", BARE },
        { "\n--bx", BARE },
        { "x\n--b--", BARE },
        { "\r\n\n--b", BARE },
        { "\n\n--b", BARE },
        { "\r\n--\n--b", BARE }
    };

    for (i = 0; i < unit_count_of(data); i++) {

        /* here the boundary is "b0", and the data what begins as it does */

        strcpy(type, "multipart/form-data; boundary=b0");

        len = sprintf(body, "--b0\r\n" DISPOSITION "name=to\r\n\r\n%s\r\n"
                      "--b0\r\n" DISPOSITION "name=file; filename=a.mp3\r\n"
                      "\r\n%s\r\n--b0--\r\n", data[i], data[i]);

        sprintf(expected, E164 ", not \"%s\"\n", data[i]);
        unit_multipart_is(type, body, len, 1, expected,
                          "what begins like a delimiter is data");
    }

    for (i = 0; i < unit_count_of(breaks); i++) {
        len = sprintf(body, "--b\r\n" DISPOSITION "name=to\r\n\r\n%s\r\n"
                      SONG LAST, breaks[i].text);

        unit_multipart_is(TYPE, body, len, 1, breaks[i].faults,
                          "what is nearly a delimiter breaks a body");

        len = sprintf(body, TO "--b\r\n" DISPOSITION "name=file; "
                      "filename=a.mp3\r\n\r\n%s\r\n" LAST, breaks[i].text);

        unit_multipart_is(TYPE, body, len, 1, breaks[i].faults,
                          "also in a file");
    }

    /* a CR that isn't a delimiter's is data, before one, or breaks the body */

    for (i = 1; i < 8; i++) {
        len = sprintf(body, TO PART("name=file; filename=a.mp3")
                      "%.*s\r\n--b--", (int) i, "\r\r\r\r\r\r\r");

        unit_multipart_is(TYPE, body, len, 1, "", "CR upon CR is data");

        len = sprintf(body, SONG PART("name=to") "%.*s\r\n--b--", (int) i,
                      "\r\r\r\r\r\r\r");

        sprintf(expected, E164 ", not \"%.*s\"\n", (int) i,
                "\r\r\r\r\r\r\r");
        unit_multipart_is(TYPE, body, len, 1, expected, "all but the last");

        len = sprintf(body, TO PART("name=file; filename=a.mp3")
                      "x\r\n--b%.*s\r\n--b--", (int) i, "\r\r\r\r\r\r\r");

        unit_multipart_is(TYPE, body, len, 1, BEHIND, "CR behind a delimiter");

        len = sprintf(body, TO PART("name=file; filename=a.mp3")
                      "x\r\n--b %.*s\r\n--b--", (int) i, "\r\r\r\r\r\r\r");

        unit_multipart_is(TYPE, body, len, 1, BLANK, "and behind blanks");
    }
}


/* Each byte where not all may stand. */

static void
unit_multipart_bytes(void)
{
    char                      body[1024];
    size_t                    len;
    u_char                    c;
    ngx_uint_t                wrong, blank, control, token;
    const char               *got, *line, *other;
    ngx_wassiit_multipart_t  *mp;

    static const char  boundary[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "'()+_,-./:=? ";

    mp = malloc(sizeof(ngx_wassiit_multipart_t));
    wrong = 0;
    c = 0;

    do {
        blank = (c == ' ' || c == '\t');
        control = (c < 0x20 || c == 0x7f);
        line = (c == '\r') ? BAD_CR : (c == '\n') ? BAD_LF : NULL;

        /* "--b?\r\n": a delimiter, if ? is a blank */

        len = sprintf(body, TO PART("name=file; filename=a.mp3") "\r\n--b");
        body[len++] = c;
        len += sprintf(body + len, "\r\n" DISPOSITION "name=x\r\n\r\n\r\n"
                       LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, blank ? BLANK : BEHIND) != 0;

        /* before the first, and behind the last */

        body[0] = c;
        len = 1 + sprintf(body + 1, "\r\n" TO SONG LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, blank || c == '\r' || c == '\n' ? "" : BEFORE)
                 != 0;

        len = sprintf(body, TO SONG "--b--");
        body[len++] = c;

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, blank || c == '\r' || c == '\n' ? "" : AFTER)
                 != 0;

        /* a byte in a header is text but for CR and LF */

        len = sprintf(body, TO "--b\r\nX: ");
        body[len++] = c;
        len += sprintf(body + len, "\r\n" DISPOSITION "name=file; "
                       "filename=x\r\n\r\nz\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        other = line ? NULL : (control && c != '\t') ? CONTROL
                : (c >= 0x80) ? NOT_UTF8 : NULL;
        line = line ? line : other;
        wrong += strcmp(got, line ? line : "") != 0;

        /* in a header's name it has to be of a token's */

        token = (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);

        len = sprintf(body, TO SONG "--b\r\n" DISPOSITION "name=x\r\nX");
        body[len++] = c;
        len += sprintf(body + len, "Y: z\r\n\r\n\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, line && !other ? line
                             : c < 0x80 && (isalnum(c) || c == ':' || token)
                             ? "" : BAD_NAME)
                 != 0;

        /* names have no control characters */

        len = sprintf(body, TO SONG PART("name=x; filename=x") "\r\n--b\r\n"
                      DISPOSITION "name=\"x");
        body[len++] = c;
        len += sprintf(body + len, "y\"\r\n\r\n\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, line ? line : control || c == '\\' ? ALIKE
                             : c == '"' ? MALFORMED : "")
                 != 0;

        len = sprintf(body, TO "--b\r\n" DISPOSITION "name=file; filename=\"");
        body[len++] = 'x';
        body[len++] = (c == '"' || c == '\\') ? 'y' : c;
        len += sprintf(body + len, "\"\r\n\r\nz\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, line ? line : control || c == ' ' ? ALIKE
                             : c == '/' ? NO_BASE : "")
                 != 0;

        len = sprintf(body, TO PART("name=file; filename=x; "
                      "filename*=utf-8''%%%02x") "z\r\n" LAST, c);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, control || c == ' ' ? ALIKE
                             : c >= 0x80 ? EXTENDED
                             : c != 'x' ? TWO_FILE_NAMES : "")
                 != 0;

        /* and in the data it counts, whatever it is */

        len = sprintf(body, TO PART("name=file; filename=a.mp3"));
        body[len++] = c;
        len += sprintf(body + len, "\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, 0, len, len);
        wrong += strcmp(got, "") != 0;

    } while (++c != 0);

    unit_is(wrong, 0, "each byte around a delimiter, in a header, in data");

    wrong = 0;

    do {
        len = sprintf(body, "multipart/form-data; boundary=\"b");
        body[len++] = c;
        len += sprintf(body + len, "b\"");

        if (ngx_wassiit_multipart_init(mp, (u_char *) body, len)
            != (memchr(boundary, c, sizeof(boundary) - 1) ? NGX_OK : NGX_ERROR)
            && wrong++ == 0)
        {
            unit_note("first: %02x", c);
        }
    } while (++c != 0);

    unit_is(wrong, 0, "each byte in a boundary");

    free(mp);
}


/* The parser has room for 4096 bytes of a line with those that continue it. */

static void
unit_multipart_header_sizes(void)
{
    char    *body, *p;
    size_t   n, folded, last;

    body = malloc(UNIT_MULTIPART_BODY);

    for (last = 0; last < 2; last++) {
        for (folded = 0; folded < 2; folded++) {
            for (n = 4095; n <= 4098; n++) {
                p = body + sprintf(body, TO "--b\r\n");

                if (last) {
                    p += sprintf(p, DISPOSITION "name=file; filename=a.mp3"
                                 "\r\n");
                }

                memset(p, 'x', n);
                memcpy(p, "X: ", 3);

                if (folded) {
                    /* the line end itself isn't kept */
                    memcpy(p + 1999, ";\r\n ", 4);
                    memset(p + n, 'x', 2);
                    p += 2;
                }

                p += n;

                p += sprintf(p, "\r\n");

                if (!last) {
                    p += sprintf(p, DISPOSITION "name=file; filename=a.mp3"
                                 "\r\n");
                }

                p += sprintf(p, "\r\ndata\r\n" LAST);

                if (strcmp(unit_multipart_says(TYPE, body, p - body, 0,
                                               p - body, 1),
                           unit_multipart_says(TYPE, body, p - body, 0, 0, 1))
                    != 0)
                {
                    unit_ok(0, "it doesn't depend on pieces");
                }

                unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 0,
                                                   0, 0),
                               n > 4096 ? TOO_LONG : "")
                        == 0,
                        "a%s line of %u bytes, the %s of a header",
                        folded ? " folded" : "", (unsigned) n,
                        last ? "last" : "first");
            }
        }
    }

    /* all lines together, with the one that ends the header */

    for (n = 8192; n <= 8193; n++) {
        p = body + sprintf(body, TO "--b\r\n");
        last = (p - body) + n;
        p += sprintf(p, DISPOSITION "name=file; filename=a.mp3\r\n");

        while ((size_t) (p - body) + 1000 < last) {
            p += sprintf(p, "X: %0900d\r\n", 0);
        }

        p += sprintf(p, "X: %0*d\r\n\r\n", (int) (last - (p - body) - 7), 0);
        p += sprintf(p, "data\r\n" LAST);

        unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, 0, 7),
                       n == 8192 ? "" : LONG_HEADER)
                == 0, "a header of %u bytes", (unsigned) n);
    }

    /* a name of 4096 bytes with its header, escapes in it */

    p = body + sprintf(body, TO "--b\r\n");
    n = sprintf(p, DISPOSITION "name=file; filename=\"");
    memset(p + n, '\\', 4096 - n);
    memcpy(p + 4096 - 6, "x.mp3\"", 6);

    if ((4096 - 6 - n) % 2) {
        p[n] = 'x';
    }

    p += 4096;
    p += sprintf(p, "\r\n\r\ndata\r\n" LAST);

    unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, 0, 7), "")
            == 0, "a file name that fills the room");

    /* nothing behind the room is escaped */

    p = body + sprintf(body, TO "--b\r\n");
    n = sprintf(p, DISPOSITION "name=file; filename=\"");
    memset(p + n, 'x', 4096 - n);
    p[4095] = '\\';
    p += 4096;
    p += sprintf(p, "\r\n\r\ndata\r\n" LAST);

    unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, 0, 7),
                   MALFORMED)
            == 0, "a file name that fills the room and ends in a backslash");

    free(body);
}


static void
unit_multipart_parts(void)
{
    char                     *body, *p;
    size_t                    n, i, at;
    json_t                   *errors;
    ngx_wassiit_multipart_t  *mp;

    body = malloc(UNIT_MULTIPART_BODY);
    mp = malloc(sizeof(ngx_wassiit_multipart_t));

    for (n = 999; n <= 1002; n++) {
        p = body + sprintf(body, TO SONG);
        at = 0;

        for (i = 2; i < n; i++) {
            p += sprintf(p, "--b\r\n");

            if (i == 1000) {
                at = p - body;
            }

            p += sprintf(p, DISPOSITION "name=x\r\n\r\n\r\n");
        }

        p += sprintf(p, LAST);

        unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, p - body,
                                           1),
                       n > 1000 ? TOO_MANY : "") == 0,
                "%u parts", (unsigned) n);
        unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, 0, 1),
                       n > 1000 ? TOO_MANY : "") == 0,
                "%u parts, byte by byte", (unsigned) n);

        if (at == 0) {
            continue;
        }

        (void) ngx_wassiit_multipart_init(mp, (u_char *) TYPE,
                                          sizeof(TYPE) - 1);

        for (i = 0; i < (size_t) (p - body); i++) {
            if (ngx_wassiit_multipart_parse(mp, (u_char *) body + i, 1)
                != NGX_OK)
            {
                break;
            }
        }

        unit_is(i, at - 1, "refused at once, when the line is there");

        errors = NULL;
        (void) ngx_wassiit_multipart_check(mp, 1, &errors);
        unit_ok(strcmp(unit_faults(errors), TOO_MANY) == 0,
                "and that alone is said");
        json_decref(errors);
    }

    /* PHP leaves out what is behind 20 files */

    for (n = 20; n <= 21; n++) {
        p = body + sprintf(body, TO SONG);

        for (i = 1; i < n; i++) {
            p += sprintf(p, PART("name=x; filename=\"\"") "\r\n");
        }

        p += sprintf(p, LAST);

        unit_ok(strcmp(unit_multipart_says(TYPE, body, p - body, 1, 0, 9),
                       n > 20 ? MANY_FILES : "")
                == 0, "%u files", (unsigned) n);
    }

    free(mp);
    free(body);
}


/* Data far longer than all that is kept, with what looks like delimiters. */

static void
unit_multipart_large(void)
{
    char         *body;
    size_t        i, k, len, wrong;
    const char   *got;

    static const char  *pieces[] = {
        "\r\n--", "\r\n-", "\r", "\n", "-", "data", "--b--", "\r\n--a\r\n",
        "\r\n\r\n", " ", "\n--", "\r--"
    };

    body = malloc(UNIT_MULTIPART_BODY);
    wrong = 0;

    for (i = 0; i < 200; i++) {
        len = sprintf(body, TO PART("name=file; filename=x") "x");

        /* nothing here is "\n--b" */

        while (len < UNIT_MULTIPART_BODY - 1000) {
            k = unit_random(unit_count_of(pieces));
            len += sprintf(body + len, "%sx", pieces[k]);
        }

        len += sprintf(body + len, "\r\n" LAST);

        got = unit_multipart_says(TYPE, body, len, i & 1, unit_random(len), 0);
        wrong += strcmp(got, (i & 1) ? NO_SOUND : "") != 0;
    }

    unit_is(wrong, 0, "files of 64 KB");

    /* blanks behind the last delimiter, more than there is room for */

    for (k = 0; k < 2; k++) {
        len = sprintf(body, TO SONG "--b--");
        memset(body + len, ' ', 5000);
        len += 5000;
        len += sprintf(body + len, "%s\r\n", k ? "x" : "");

        got = unit_multipart_says(TYPE, body, len, 0, 0, 0);
        unit_ok(strcmp(got, k ? AFTER : "") == 0,
                "5000 blanks are padding%s", k ? ", unless text follows" : "");
    }

    len = sprintf(body, SONG PART("name=to"));
    memset(body + len, '1', 40000);
    body[len] = '+';
    len += 40000;
    len += sprintf(body + len, "\r\n" LAST);

    got = unit_multipart_says(TYPE, body, len, 1, 0, 0);
    unit_ok(strncmp(got, E164 ", not \"+111111111111111",
                    sizeof(E164 ", not \"+111111111111111") - 1) == 0
            && strlen(got) < sizeof(E164) + 80,
            "a to of 40,000 digits, of which few are quoted");

    /* a number, were it cut where the parser's room for it ends */

    for (k = 15; k < 18; k++) {
        len = sprintf(body, SONG PART("name=to") "+%.*s\r\n" LAST, (int) k,
                      "12345678901234567");

        got = unit_multipart_says(TYPE, body, len, 1, 0, 0);
        unit_ok((*got == '\0') == (k == 15), "a to of %u digits",
                (unsigned) k);
    }

    free(body);
}


/* No beginning of a good body is one, but for what follows the last dashes. */

static void
unit_multipart_ends(void)
{
    size_t       len, whole;
    ngx_uint_t   good, broken;
    const char  *got;

    static const char  body[] = " \t\r\n" TO SONG PART("name=x")
                                "\r\n--b--";

    good = 0;
    broken = 0;
    whole = sizeof(body) - 1;

    for (len = 0; len < whole; len++) {
        got = unit_multipart_says(TYPE, body, len, 1, len, 1);
        good += (*got == '\0');
        broken += (strcmp(got, NO_LAST) == 0
                   || strcmp(got, NO_BOUNDARY) == 0);
    }

    unit_is(good, 0, "no beginning of a body is a whole one");
    unit_is(broken, whole, "nothing else is said of any");

    for (len = 0; len < sizeof(TYPE) - 1; len++) {
        char  type[sizeof(TYPE)];

        sprintf(type, "%.*s", (int) len, TYPE);
        got = unit_multipart_says(type, body, whole, 1, 0, 0);
        good += (*got == '\0');
    }

    unit_is(good, 0, "no beginning of the Content-Type is one");
}


static void
unit_multipart_random(void)
{
    char         expected[UNIT_FAULTS_SIZE], *body;
    size_t       i, len;
    ngx_uint_t   audio, wrong, cut, known, good, faulty, broken;
    const char  *got;

    body = malloc(UNIT_MULTIPART_BODY);

    wrong = 0;
    cut = 0;
    known = 0;
    good = 0;
    faulty = 0;
    broken = 0;

    for (i = 0; i < UNIT_MULTIPART_TRIES; i++) {
        len = unit_multipart_make(body);
        audio = unit_random(2);

        if (unit_multipart_expect(expected, (u_char *) body, len, audio)) {
            known++;
            good += (expected[0] == '\0');
            faulty += (strncmp(expected, "#/", 2) == 0);
            broken += (strncmp(expected, "#:", 2) == 0);

            got = unit_multipart_says(TYPE, body, len, audio, len, 1);

            if (strcmp(got, expected) != 0 && wrong++ == 0) {
                body[len] = '\0';
                unit_visible("got", got);
                unit_visible("expected", expected);
                unit_visible("body", body);
            }

        } else {
            strcpy(expected, unit_multipart_says(TYPE, body, len, audio, len,
                                                 1));
        }

        got = unit_multipart_says(TYPE, body, len, audio, unit_random(len + 1),
                                  unit_random(2));
        cut += strcmp(got, expected) != 0;
    }

    unit_is(wrong, 0, "random bodies, as another reading has them");
    unit_is(cut, 0, "random bodies in random pieces");

    if (!unit_ok(known > i * 9 / 10 && good > i / 100 && faulty > i / 10
                 && broken > i / 10,
                 "good, faulty and broken ones were among them"))
    {
        unit_note("known %u, good %u, faulty %u, broken %u", (unsigned) known,
                  (unsigned) good, (unsigned) faulty, (unsigned) broken);
    }

    free(body);
}


/* A good body with some bytes changed: no overrun, and no piece matters. */

static void
unit_multipart_garbage(void)
{
    char         whole[UNIT_FAULTS_SIZE], type[128], body[2048];
    size_t       i, k, len;
    ngx_uint_t   wrong, good, bad;

    static const char  text[] =
        " \r\n" TO "--b\r\nContent-Type: audio/x\r\n" DISPOSITION
        "name=\"file\"; filename=\"a\\\"b\"; filename*=UTF-8''a%22b;\r\n"
        " x=y\r\nX-Folded: a;\r\n\tb\r\n\r\ndata\r\n--ax\r\n" LAST;
    static const char  bytes[] = "\r\n\r\n-b\"\\;=:%' \t*\0\xff";

    wrong = 0;
    good = 0;
    bad = 0;

    for (i = 0; i < UNIT_MULTIPART_TRIES; i++) {
        len = sizeof(text) - 1;
        memcpy(body, text, len);
        strcpy(type, "multipart/form-data; x=\"y;z\"; boundary=\"b\"; z=y");

        for (k = unit_random(4); k; k--) {
            body[unit_random(len)] = bytes[unit_random(sizeof(bytes) - 1)];
        }

        if (unit_random(4) == 0) {
            type[unit_random(strlen(type))] =
                                        bytes[unit_random(sizeof(bytes) - 3)];
        }

        k = unit_random(2);
        strcpy(whole, unit_multipart_says(type, body, len, k, len, 1));
        good += (whole[0] == '\0');
        bad += (whole[0] != '\0');

        wrong += strcmp(unit_multipart_says(type, body, len, k, 0, 1), whole)
                 != 0;
        wrong += strcmp(unit_multipart_says(type, body, len, k,
                                            unit_random(len), 0), whole)
                 != 0;
    }

    unit_is(wrong, 0, "changed bodies, in pieces or not");

    if (!unit_ok(good > 1000 && bad > 1000, "of which some are still good")) {
        unit_note("good %u, bad %u", (unsigned) good, (unsigned) bad);
    }
}


/* Memory that runs short is told, and what was taken given back. */

static void
unit_multipart_memory(void)
{
    json_t                   *errors;
    ngx_int_t                 n, rc;
    ngx_uint_t                refused, wrong;
    ngx_wassiit_multipart_t  *mp;

    static const char  body[] = PART("name=to") "0\r\n" PART("name=file")
                                "x\r\n";

    mp = malloc(sizeof(ngx_wassiit_multipart_t));
    json_set_alloc_funcs(unit_multipart_malloc, unit_multipart_free);

    refused = 0;
    wrong = 0;

    for (n = 0; n < 1000; n++) {
        (void) ngx_wassiit_multipart_init(mp, (u_char *) TYPE,
                                          sizeof(TYPE) - 1);
        (void) ngx_wassiit_multipart_parse(mp, (u_char *) body,
                                           sizeof(body) - 1);

        errors = NULL;
        unit_room = n;
        rc = ngx_wassiit_multipart_check(mp, 0, &errors);

        refused += (rc == NGX_ERROR);
        wrong += (rc != NGX_ERROR
                  && (rc != NGX_OK || json_array_size(errors) != 3));

        if (unit_room > 0) {
            wrong += (rc != NGX_OK);
            n = 1000;
        }

        unit_room = -1;
        json_decref(errors);
        wrong += (unit_live != 0);
    }

    unit_ok(wrong == 0 && refused > 10, "memory that is short is told");

    json_set_alloc_funcs(malloc, free);
    free(mp);
}


/* as a whole, in two pieces at every byte, byte by byte, at random */

static ngx_uint_t
unit_multipart_is(const char *type, const void *body, size_t len,
    ngx_uint_t audio, const char *expected, const char *name)
{
    size_t       at;
    const char  *got;

    for (at = 0; at <= len + 2; at++) {
        got = unit_multipart_says(type, body, len, audio,
                                  at <= len ? at : 0,
                                  at <= len ? len : at == len + 1 ? 1 : 0);

        if (strcmp(got, expected) != 0) {
            unit_ok(0, "%s", name);
            unit_visible("got", got);
            unit_visible("expected", expected);
            unit_note("cut at %u of %u", (unsigned) at, (unsigned) len);
            return 0;
        }
    }

    return unit_ok(1, "%s", name);
}


/*
 * What is said of a body: the first piece has at bytes, others step, or a
 * random number if it is 0.  Each lies in just as much memory, and the parser
 * in some that isn't zero.
 */

static const char *
unit_multipart_says(const char *type, const void *body, size_t len,
    ngx_uint_t audio, size_t at, size_t step)
{
    size_t                    n;
    json_t                   *errors;
    u_char                   *piece;
    ngx_int_t                 rc;
    const char               *said;
    const u_char             *p;
    ngx_wassiit_multipart_t  *mp;

    mp = malloc(sizeof(ngx_wassiit_multipart_t));
    memset(mp, 0xa5, sizeof(ngx_wassiit_multipart_t));

    n = strlen(type);
    piece = malloc(n ? n : 1);
    memcpy(piece, type, n);
    rc = ngx_wassiit_multipart_init(mp, piece, n);
    free(piece);

    if (rc != NGX_OK) {
        free(mp);
        return rc == NGX_DECLINED ? NOT_MULTIPART : BAD_TYPE;
    }

    said = NULL;
    p = body;
    n = at;

    for ( ;; ) {
        piece = malloc(n ? n : 1);
        memcpy(piece, p, n);

        /* once broken, it stays so */

        if (rc != NGX_OK && n) {
            if (ngx_wassiit_multipart_parse(mp, piece, n) != rc) {
                said = "broken no more\n";
            }

        } else if (rc == NGX_OK) {
            rc = ngx_wassiit_multipart_parse(mp, piece, n);
        }

        free(piece);

        if (rc != (mp->error ? NGX_ERROR : NGX_OK)) {
            said = "an error that isn't told\n";
        }

        p += n;
        len -= n;

        if (len == 0) {
            break;
        }

        n = step ? step : 1 + unit_random(40);
        n = ngx_min(n, len);
    }

    errors = NULL;

    if (ngx_wassiit_multipart_check(mp, audio, &errors) != NGX_OK) {
        said = "not checked\n";
    }

    if (said == NULL) {
        said = unit_faults(errors);
    }

    json_decref(errors);
    free(mp);

    return said;
}


/* A body that is nearly good: its tokens are lost or doubled now and then. */

static size_t
unit_multipart_make(char *body)
{
    size_t      n, len;
    ngx_uint_t  part, parts, kind;

    static const char  *tokens[] = {
        "\r\n", "\r\n", "\r", "\n", "--", "-", "--b", "\r\n--b", "\r\n--b--",
        "\r\n--b\r\n", "\r\n--b \r\n", "\r\n--bb", "+1234567", "x", " ", "\t",
        ":", "b", "\r\n--", "\r\n--b-", "\r\n\r\n", "\n--b", "\n--", "\r\n--a"
    };

    len = 0;

    for (n = unit_random(6) ? 0 : unit_random(4); n; n--) {
        len = unit_multipart_put(body, len,
                                 tokens[unit_random(unit_count_of(tokens))]);
    }

    parts = unit_random(5);

    for (part = 0; part < parts; part++) {
        len = unit_multipart_put(body, len, len ? "\r\n--b" : "--b");
        len = unit_multipart_put(body, len, unit_random(64) ? "" : " \t");
        len = unit_multipart_put(body, len, "\r\n");

        kind = (part < 2 && unit_random(8)) ? 2 * part : unit_random(6);
        kind = (unit_random(16) == 0) ? unit_random(unit_count_of(unit_lines))
               : (kind == 2) ? 2 + unit_random(2) : kind;

        if (unit_random(4) == 0) {
            len = unit_multipart_put(body, len,
                                     unit_lines[9 + unit_random(3)].text);
            len = unit_multipart_put(body, len, "\r\n");
        }

        len = unit_multipart_put(body, len, unit_lines[kind].text);
        len = unit_multipart_put(body, len, "\r\n");

        while (unit_random(4) == 0) {
            n = unit_random(2) ? 9 + unit_random(3)
                               : unit_random(unit_count_of(unit_lines));
            len = unit_multipart_put(body, len, unit_lines[n].text);
            len = unit_multipart_put(body, len, "\r\n");
        }

        len = unit_multipart_put(body, len, "\r\n");

        if (unit_random(2)) {
            len = unit_multipart_put(body, len, "+1234567");
        }

        for (n = unit_random(4) ? 0 : unit_random(5); n; n--) {
            len = unit_multipart_put(body, len,
                                     tokens[unit_random(
                                                unit_count_of(tokens))]);
        }
    }

    len = unit_multipart_put(body, len, len ? "\r\n--b--" : "--b--");

    for (n = unit_random(6) ? 0 : unit_random(4); n; n--) {
        len = unit_multipart_put(body, len,
                                 tokens[unit_random(unit_count_of(tokens))]);
    }

    return len;
}


static size_t
unit_multipart_put(char *body, size_t len, const char *token)
{
    size_t  n;

    n = unit_random(100);
    n = (n == 0) ? 0 : (n == 1) ? 2 : 1;

    while (n--) {
        len += sprintf(body + len, "%s", token);
    }

    return len;
}


/*
 * Reads the whole body at once.  Returns 0 if it holds a header that isn't
 * one of those above, and which only a parser could tell.
 */

static ngx_uint_t
unit_multipart_expect(char *expected, const u_char *body, size_t len,
    ngx_uint_t audio)
{
    u_char            *text;
    ngx_uint_t         whole;
    const u_char      *p, *last, *end, *data;
    unit_reference_t   ref;

    ngx_memzero(&ref, sizeof(unit_reference_t));

    /* as if a header had ended before it, and a line of its own */

    text = malloc(len + 3);
    memcpy(text, "\n\r\n", 3);
    memcpy(text + 3, body, len);
    last = text + 3 + len;

    end = memmem(text, last - text, "\n--b", 4);

    if (end == NULL) {
        /* dashes in the end might have become a boundary */

        end = last;

        if (memcmp(end - 2, "\n-", 2) == 0) {
            end--;

        } else if (memcmp(end - 3, "\n--", 3) == 0) {
            end -= 2;
        }
    }

    p = NULL;

    if (unit_multipart_blank(text, end)) {
        p = unit_multipart_boundary(&ref, text + 1, last);

    } else {
        ref.error = BEFORE;
    }

    while (p) {
        data = unit_multipart_header(&ref, p, last);

        if (data == NULL) {
            break;
        }

        p = unit_multipart_boundary(&ref, data, last);

        if (ref.role == UNIT_LINE_TO) {
            ref.to = data;
            ref.to_len = ref.data_len;

        } else if (ref.role == UNIT_LINE_FILE) {
            ref.file_len = ref.data_len;
        }
    }

    if (ref.error == NULL && !ref.end) {
        ref.error = ref.begun ? NO_LAST : NO_BOUNDARY;
    }

    whole = (ref.error == NULL);
    expected += sprintf(expected, "%s", whole ? "" : ref.error);

    if (ref.tos == 0 && whole) {
        expected += sprintf(expected, NO_TO);

    } else if (ref.tos > 1) {
        expected += sprintf(expected, TWO_TOS);

    } else if (ref.tos == 1 && (whole || ref.role != UNIT_LINE_TO)
               && (ref.to_len != 8 || memcmp(ref.to, "+1234567", 8) != 0))
    {
        /* no other number can be made of the tokens */

        expected += sprintf(expected, E164 ", not \"%.*s\"%s\n",
                            (int) ngx_min(ref.to_len, 64), ref.to,
                            ref.to_len > 64 ? "..." : "");
    }

    if (ref.files == 0 && whole) {
        expected += sprintf(expected, NO_FILE);

    } else if (ref.files > 1) {
        expected += sprintf(expected, TWO_FILES);

    } else if (ref.files == 1 && !ref.named) {
        expected += sprintf(expected, NO_NAME);

    } else if (ref.files == 1 && (whole || ref.role != UNIT_LINE_FILE)) {

        if (ref.file_len == 0) {
            expected += sprintf(expected, EMPTY);

        } else if (audio && !ref.audio) {
            expected += sprintf(expected, NO_SOUND);
        }
    }

    *expected = '\0';
    free(text);

    return !ref.unknown;
}


/*
 * Of data that begin at p, behind a line's end.  Returns where the next part
 * begins; NULL: there is none, or it is broken.
 */

static const u_char *
unit_multipart_boundary(unit_reference_t *ref, const u_char *p,
    const u_char *last)
{
    const u_char  *lf, *data;

    ref->data_len = 0;

    lf = memmem(p - 1, last - p + 1, "\n--b", 4);

    data = (lf ? lf : last);

    if (ref->begun && data > p && memmem(p, data - p, "\r--b", 4)) {
        ref->error = BARE;
        return NULL;
    }

    if (lf == NULL) {
        return NULL;
    }

    if (lf <= p || lf[-1] != '\r') {
        ref->error = BARE;
        return NULL;
    }

    ref->begun = 1;
    ref->data_len = lf - 1 - p;

    return unit_multipart_behind(ref, lf + 4, last);
}


/* Behind a boundary: two dashes and blank lines, or a line end. */

static const u_char *
unit_multipart_behind(unit_reference_t *ref, const u_char *p,
    const u_char *last)
{
    size_t  n;

    if (last - p >= 2 && memcmp(p, "--", 2) == 0) {
        ref->end = 1;

        if (!unit_multipart_blank(p + 2, last)) {
            ref->error = AFTER;
        }

        return NULL;
    }

    if (last - p == 1 && *p == '-') {
        return NULL;
    }

    if (p < last && (*p == ' ' || *p == '\t')) {
        ref->error = BLANK;
        return NULL;
    }

    n = ngx_min(last - p, 2);

    if (memcmp(p, "\r\n", n) != 0) {
        ref->error = BEHIND;
        return NULL;
    }

    return (n == 2) ? p + 2 : NULL;
}


static ngx_uint_t
unit_multipart_blank(const u_char *p, const u_char *last)
{
    for ( /* void */ ; p < last; p++) {
        if (memchr(" \t\r\n", *p, 4) == NULL) {
            return 0;
        }
    }

    return 1;
}


/* Returns where the data begins; NULL: it is broken, or ends before. */

static const u_char *
unit_multipart_header(unit_reference_t *ref, const u_char *p,
    const u_char *last)
{
    size_t         len;
    u_char        *line;
    const u_char  *eol;

    ref->role = UNIT_LINE_OTHER;
    ref->disposition = 0;
    ref->sound = 0;
    ref->typed = 0;
    ref->encoded = 0;

    /* the line at hand, with those that continue it */
    line = malloc(last - p + 1);
    len = 0;

    for ( ;; ) {
        for (eol = p; eol < last && *eol != '\r' && *eol != '\n'; eol++) {
            /* void */
        }

        if (eol > p && *p != ' ' && *p != '\t') {
            if (unit_multipart_line(ref, line, len)) {
                break;
            }

            len = 0;
        }

        if (eol > p && len && line[len - 1] != ';'
            && (*p == ' ' || *p == '\t'))
        {
            ref->error = FOLDED;
            break;
        }

        memcpy(line + len, p, eol - p);
        len += eol - p;

        if (eol == last || (*eol == '\r' && eol + 1 == last)) {
            break;
        }

        if (*eol == '\n') {
            ref->error = BAD_LF;
            break;
        }

        if (eol[1] != '\n') {
            ref->error = BAD_CR;
            break;
        }

        if (eol > p) {
            p = eol + 2;
            continue;
        }

        if (unit_multipart_line(ref, line, len)) {
            break;
        }

        free(line);

        if (!ref->disposition) {
            ref->error = NAMELESS;
            return NULL;
        }

        if (ref->role == UNIT_LINE_FILE && ref->sound) {
            ref->audio = 1;
        }

        return eol + 2;
    }

    free(line);

    return NULL;
}


/* Returns 1 if it breaks the body. */

static ngx_uint_t
unit_multipart_line(unit_reference_t *ref, const u_char *p, size_t len)
{
    size_t              i;
    const unit_line_t  *line;

    if (len == 0) {
        return 0;
    }

    if (memchr(p, ':', len) == NULL) {
        ref->error = COLON;
        return 1;
    }

    for (i = 0; p[i] != ':'; i++) {
        if (!isgraph(p[i]) || strchr("\"(),/;<=>?@[\\]{}", p[i])) {
            ref->error = BAD_NAME;
            return 1;
        }
    }

    if (i == 0 || (p[0] == '-' && p[1] == '-')) {
        ref->error = BAD_NAME;
        return 1;
    }

    for (i = 0; i < unit_count_of(unit_lines); i++) {
        line = &unit_lines[i];

        if (len == strlen(line->text) && memcmp(line->text, p, len) == 0) {
            break;
        }
    }

    if (i == unit_count_of(unit_lines)) {
        ref->unknown |= (len > 8 && strncasecmp((char *) p, "content-", 8)
                                    == 0);
        return 0;
    }

    if (strncmp(line->text, "Content-Type:", 13) == 0 && ref->typed++) {
        ref->error = TWO_TYPES;
        return 1;
    }

    if (strncmp(line->text, "Content-Transfer-", 17) == 0 && ref->encoded++) {
        ref->error = TWO_CODINGS;
        return 1;
    }

    if (line->meaning == UNIT_LINE_SOUND) {
        ref->sound = 1;
        return 0;
    }

    if (line->meaning == UNIT_LINE_OTHER) {
        return 0;
    }

    if (line->meaning == UNIT_LINE_BROKEN) {
        ref->error = line->error;
        return 1;
    }

    if (ref->disposition) {
        ref->error = TWICE;
        return 1;
    }

    if (line->meaning == UNIT_LINE_BAD) {
        ref->error = line->error;
        return 1;
    }

    ref->disposition = 1;
    ref->role = line->meaning;

    if (line->meaning == UNIT_LINE_TO) {
        ref->tos++;

    } else if (line->meaning == UNIT_LINE_FILE) {
        ref->files++;
        ref->named = line->named;
        ref->audio = line->audio;
    }

    return 0;
}


static void *
unit_multipart_malloc(size_t size)
{
    void  *p;

    if (unit_room == 0) {
        return NULL;
    }

    if (unit_room > 0) {
        unit_room--;
    }

    p = malloc(size);
    unit_live += (p != NULL);

    return p;
}


static void
unit_multipart_free(void *p)
{
    unit_live -= (p != NULL);
    free(p);
}
