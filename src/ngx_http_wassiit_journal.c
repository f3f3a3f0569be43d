
#include "ngx_http_wassiit_journal.h"
#include "ngx_wassiit_atomic.h"


static int ngx_libc_cdecl ngx_http_wassiit_span_order(const void *one,
    const void *two);


void
ngx_http_wassiit_journal_get(ngx_http_wassiit_journals_t *journals,
    ngx_http_wassiit_journal_t *journal)
{
    uint64_t  version;

    do {
        version = ngx_wassiit_load_acquire(&journals->version);
        *journal = journals->copies[version & 1];

        ngx_wassiit_fence_acquire();

    } while (ngx_wassiit_load_relaxed(&journals->version) != version);
}


void
ngx_http_wassiit_journal_set(ngx_http_wassiit_journals_t *journals,
    ngx_http_wassiit_journal_t *journal)
{
    uint64_t  version;

    version = journals->version + 1;

    /*
     * The copy that is overwritten was in force before the last.  Whoever is
     * still copying it finds the version of the last one then, and tries again.
     */
    ngx_wassiit_fence_release();

    journals->copies[version & 1] = *journal;
    ngx_wassiit_store_release(&journals->version, version);
}


void
ngx_http_wassiit_journal_mark_dead(ngx_http_wassiit_journal_t *journal,
    uint64_t dev, uint64_t ino, off_t from, off_t to)
{
    journal->dead = 1;
    journal->dead_dev = dev;
    journal->dead_ino = ino;
    journal->dead_from = from;
    journal->dead_to = to;
}


ngx_uint_t
ngx_http_wassiit_journal_is_dead(ngx_http_wassiit_journal_t *journal,
    uint64_t dev, uint64_t ino, off_t size)
{
    return journal->dead && journal->dead_dev == dev
           && journal->dead_ino == ino && journal->dead_to <= size;
}


ngx_uint_t
ngx_http_wassiit_journal_is_open(ngx_http_wassiit_journal_t *journal)
{
    return journal->writing || journal->moving;
}


ngx_uint_t
ngx_http_wassiit_journal_moved(ngx_http_wassiit_journal_t *journal,
    uint64_t dev, uint64_t ino)
{
    if (!journal->moving) {
        return 0;
    }

    journal->moving = 0;
    journal->due = 0;

    if (journal->next_dev != dev || journal->next_ino != ino) {
        return 0;
    }

    journal->dev = journal->next_dev;
    journal->ino = journal->next_ino;
    journal->size = journal->next_size;
    journal->mtime = journal->next_mtime;
    journal->ctime = 0;
    journal->crc = journal->next_crc;
    journal->lines = journal->next_lines;
    journal->folder = 1;

    return 1;
}


void
ngx_http_wassiit_spans_sort(ngx_http_wassiit_span_t *spans, ngx_uint_t n)
{
    ngx_qsort(spans, n, sizeof(ngx_http_wassiit_span_t),
              ngx_http_wassiit_span_order);
}


static int ngx_libc_cdecl
ngx_http_wassiit_span_order(const void *one, const void *two)
{
    const ngx_http_wassiit_span_t  *a = one;
    const ngx_http_wassiit_span_t  *b = two;

    return (a->offset > b->offset) - (a->offset < b->offset);
}


void
ngx_http_wassiit_spans_pack(ngx_http_wassiit_span_t *spans, ngx_uint_t n)
{
    off_t       offset;
    ngx_uint_t  i;

    offset = 0;

    for (i = 0; i < n; i++) {
        spans[i].offset = offset;
        offset += spans[i].len;
    }
}
