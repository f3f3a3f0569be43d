
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_store.h"
#include "ngx_http_wassiit_zone.h"


static ngx_int_t ngx_http_wassiit_name_taken(ngx_shm_zone_t *shm_zone,
    void *data);
static char *ngx_http_wassiit_zone_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size);
static void ngx_http_wassiit_no_zone(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_only_zone(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_uint_t n);
static ngx_int_t ngx_http_wassiit_map_zone(ngx_conf_t *cf,
    ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_digest(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_read_store(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_drop_zone(void *data);
static void ngx_http_wassiit_drop_store(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_turn_begins(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_turn_ends(ngx_event_t *ev);
static void ngx_http_wassiit_retire_claims(ngx_cycle_t *cycle,
    ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_leave_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);
static ngx_uint_t ngx_http_wassiit_same(ngx_str_t *a, ngx_str_t *b);


static const char  ngx_http_wassiit_zone_syntax[] =
    "zone=NAME:SIZE file=PATH [rate=RATE]";


char *
ngx_http_wassiit_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    char                     *rv;
    ssize_t                   size;
    ngx_str_t                *value, name, file, s;
    ngx_uint_t                i, n;
    ngx_shm_zone_t           *shm_zone;
    ngx_wassiit_rate_t        rate;
    ngx_http_wassiit_zone_t  *zone;

    static const ngx_str_t  names[] = {
        ngx_string("zone="),
        ngx_string("file="),
        ngx_string("rate=")
    };

    size = 0;
    ngx_str_null(&name);
    ngx_str_null(&file);

    rate.limit = 100;
    rate.seconds = 60;

    value = cf->args->elts;

    for (i = 1; i + 1 < cf->args->nelts; i++) {
        if (ngx_strncmp(value[i].data, "rate=", 5) == 0
            && ngx_strncmp(value[i + 1].data, "r/", 2) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid rate \"%V %V\", write it without a "
                               "blank: \"%V%V\"", &value[i], &value[i + 1],
                               &value[i], &value[i + 1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_wassiit_conf_count(cf, 2, 3, ngx_http_wassiit_zone_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 1; n < i; n++) {
            /* "zone=", "file=" and "rate=" */

            if (ngx_strncmp(value[i].data, value[n].data, 5) == 0) {
                return ngx_http_wassiit_conf_twice(cf, &value[i]);
            }
        }

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            rv = ngx_http_wassiit_zone_size(cf, &value[i], &name, &size);

            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "file=", 5) == 0
            && value[i].len > 5)
        {
            file.len = value[i].len - 5;
            file.data = value[i].data + 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            s.len = value[i].len - 5;
            s.data = value[i].data + 5;

            if (ngx_wassiit_rate_parse(s.data, s.len, &rate) != NGX_OK) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid rate \"%V\", it must be 1 to %d "
                                   "r/s, r/m, r/h or r/d, as in "
                                   "\"rate=100r/m\"", &value[i],
                                   NGX_WASSIIT_RATE_MAX);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        return ngx_http_wassiit_conf_unknown(cf, &value[i], names, 3,
                                             ngx_http_wassiit_zone_syntax);
    }

    if (name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"zone\", as in "
                           "\"zone=partners:10m\"", &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"file\", as in "
                           "\"file=partners.jsonl\"", &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    zone = ngx_http_wassiit_get_zone(cf, wmcf, &name);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->size) {
        return ngx_http_wassiit_conf_second(cf, &name, zone->conf_file,
                                            zone->conf_line);
    }

    zone->conf_file = cf->conf_file->file.name.data;
    zone->conf_line = cf->conf_file->line;
    zone->file = file;
    zone->rate = rate;
    zone->size = size;

    /*
     * No other module's zone is to have the name.  What nginx itself shares
     * isn't inherited by another program, so it is as small as it may be.
     */

    shm_zone = ngx_shared_memory_add(cf, &zone->name, 8 * ngx_pagesize,
                                     &ngx_http_wassiit_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_wassiit_name_taken;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_wassiit_name_taken(ngx_shm_zone_t *shm_zone, void *data)
{
    return NGX_OK;
}


/* zone=NAME:SIZE */

static char *
ngx_http_wassiit_zone_size(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *name,
    ssize_t *size)
{
    u_char      c, *p;
    size_t      i;
    ngx_str_t   s;

    name->data = value->data + 5;
    p = (u_char *) ngx_strchr(name->data, ':');

    if (p == NULL || p == name->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be zone=NAME:SIZE, "
                           "as in \"zone=partners:10m\"",
                           value);
        return NGX_CONF_ERROR;
    }

    name->len = p - name->data;

    /* it stands in headers and in quotes */

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            break;
        }
    }

    if (i < name->len
        || (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\", it must be printable "
                           "ASCII without blanks and quotes, and not \"off\"",
                           name);
        return NGX_CONF_ERROR;
    }

    if (name->len > NGX_HTTP_WASSIIT_ZONE_NAME_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone name \"%V\" is too long, it may have %d "
                           "bytes at most", name,
                           NGX_HTTP_WASSIIT_ZONE_NAME_LEN);
        return NGX_CONF_ERROR;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\", it must be bytes, or a "
                           "number with k or m behind it, as in "
                           "\"zone=partners:10m\"", value);
        return NGX_CONF_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, the least is %uzk",
                           value, 8 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_http_wassiit_zone_t *
ngx_http_wassiit_get_zone(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_str_t *name)
{
    ngx_str_t                 *args;
    ngx_uint_t                 i;
    ngx_http_wassiit_zone_t   *zone, **zones;

    args = cf->args->elts;
    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->name.len == name->len
            && ngx_strncmp(zones[i]->name.data, name->data, name->len) == 0)
        {
            return zones[i];
        }
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_zone_t));
    zones = ngx_array_push(&wmcf->zones);

    if (zone == NULL || zones == NULL) {
        return NULL;
    }

    zone->name = *name;
    zone->directive = args[0];
    zone->conf_file = cf->conf_file->file.name.data;
    zone->conf_line = cf->conf_file->line;

    *zones = zone;

    return zone;
}


ngx_int_t
ngx_http_wassiit_read_zones(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_zone_t  **zones;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {

        if (zones[i]->size == 0) {
            ngx_http_wassiit_no_zone(cf, wmcf, zones[i]);
            return NGX_ERROR;
        }

        if (ngx_http_wassiit_only_zone(cf, wmcf, i) != NGX_OK
            || ngx_http_wassiit_map_zone(cf, zones[i]) != NGX_OK
            || ngx_http_wassiit_zone_digest(cf, wmcf, zones[i]) != NGX_OK
            || ngx_http_wassiit_read_store(cf, wmcf, zones[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (zones[i]->sh
            && ngx_http_wassiit_zone_check_load(zones[i], cf->log) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_no_zone(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_http_wassiit_zone_t *zone)
{
    ngx_str_t                  *names;
    ngx_uint_t                  i, n;
    const ngx_str_t            *nearest;
    ngx_http_wassiit_zone_t   **zones;

    if (ngx_strncmp(zone->name.data, "zone=", 5) == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown wassiit_zone \"%V\", write it without "
                      "\"zone=\": \"%s\" in %s:%ui",
                      &zone->name, zone->name.data + 5, zone->conf_file,
                      zone->conf_line);
        return;
    }

    if (ngx_strcmp(zone->name.data, "on") == 0
        && ngx_strcmp(zone->directive.data, "wassiit_access") == 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown wassiit_zone \"on\": \"wassiit_access\" takes "
                      "the name of a zone, or \"off\" in %s:%ui",
                      zone->conf_file, zone->conf_line);
        return;
    }

    zones = wmcf->zones.elts;

    names = ngx_palloc(cf->temp_pool, wmcf->zones.nelts * sizeof(ngx_str_t));
    if (names == NULL) {
        return;
    }

    for (i = 0, n = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->size) {
            names[n++] = zones[i]->name;
        }
    }

    nearest = ngx_wassiit_nearest(zone->name.data, zone->name.len, names, n);

    if (nearest || n) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown wassiit_zone \"%V\", %s \"%V\" in %s:%ui",
                      &zone->name, nearest ? "the nearest is"
                                   : n == 1 ? "the only one is"
                                            : "the first of those there are is",
                      nearest ? nearest : names, zone->conf_file,
                      zone->conf_line);
        return;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown wassiit_zone \"%V\", declare it in the http block: "
                  "\"wassiit_zone zone=NAME:10m file=PATH\" in %s:%ui",
                  &zone->name, zone->conf_file, zone->conf_line);
}


/* What one zone's writer does to a file is nothing that another could know. */

static ngx_int_t
ngx_http_wassiit_only_zone(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_file_info_t            fi, other;
    ngx_http_wassiit_zone_t  **zones;

    zones = wmcf->zones.elts;

    if (ngx_file_info(zones[n]->file.data, &fi) == NGX_FILE_ERROR) {
        /* who reads it says so */
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        if (ngx_file_info(zones[i]->file.data, &other) != NGX_FILE_ERROR
            && fi.st_dev == other.st_dev && fi.st_ino == other.st_ino)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "wassiit_zone \"%V\" and \"%V\" have the same file, "
                          "\"%V\": each needs one of its own in %s:%ui",
                          &zones[i]->name, &zones[n]->name, &zones[n]->file,
                          zones[n]->conf_file, zones[n]->conf_line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_map_zone(ngx_conf_t *cf, ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t                      i, inherited;
    ngx_pool_cleanup_t             *cln;
    ngx_http_wassiit_zone_t        *former, **zones;
    ngx_http_wassiit_main_conf_t   *owmcf;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_wassiit_drop_zone;
    cln->data = zone;

    if (ngx_process == NGX_PROCESS_SIGNALLER) {
        /* it tells the master something, and has no use for memory */
        return NGX_OK;
    }

    owmcf = ngx_http_wassiit_former(cf->cycle);
    zones = owmcf ? owmcf->zones.elts : NULL;
    former = NULL;

    for (i = 0; owmcf && i < owmcf->zones.nelts; i++) {
        if (ngx_http_wassiit_same(&zones[i]->name, &zone->name)) {
            former = zones[i];
        }
    }

    /* what was inherited is looked for by a program's first configuration */

    inherited = ngx_is_init_cycle(cf->cycle->old_cycle);

    if (ngx_http_wassiit_board_map(&zone->board, &zone->name,
                                   former ? &former->board : NULL, inherited,
                                   cf->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_wassiit_zone_map(zone, former, inherited, cf->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (zone->claims.nodes == 0) {
        return NGX_OK;
    }

    /* what was lent or claimed is of these windows, and of no others */

    return ngx_http_wassiit_claims_map(&zone->claims, &zone->name, zone->size,
                           former ? &former->claims : NULL, inherited,
                           zone->source == NGX_HTTP_WASSIIT_ZONE_KEPT
                           || zone->source == NGX_HTTP_WASSIIT_ZONE_INHERITED,
                           cf->log);
}


/* What a line of the partners' file means depends on all that is in here. */

static ngx_int_t
ngx_http_wassiit_zone_digest(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone)
{
    u_char     *p, *text;
    uint64_t    set;
    ngx_str_t   name;

    text = ngx_pnalloc(cf->temp_pool, zone->file.len + 1 + 2 * NGX_INT32_LEN
                                      + NGX_WASSIIT_SCOPES_MAX
                                        * (3 + NGX_WASSIIT_SCOPE_LEN));
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text, "%V%Z%uD/%uD", &zone->file, zone->rate.limit,
                    zone->rate.seconds);

    for (set = wmcf->scopes.declared; set; /* void */) {
        p = ngx_sprintf(p, " %d", __builtin_ctzll(set));
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        p = ngx_cpymem(p, name.data, name.len);
    }

    ngx_wassiit_key_digest(text, p - text, zone->digest);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_read_store(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone)
{
    ngx_log_t                     *log;
    ngx_uint_t                     i;
    ngx_core_conf_t               *ccf;
    ngx_http_wassiit_zone_t      **zones;
    ngx_http_wassiit_load_t        load;
    ngx_http_wassiit_journals_t   *former;
    ngx_http_wassiit_main_conf_t  *owmcf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    owmcf = ngx_http_wassiit_former(cf->cycle);
    former = NULL;

    /* what the running configuration knows of this file */

    zones = owmcf ? owmcf->zones.elts : NULL;

    for (i = 0; owmcf && i < owmcf->zones.nelts; i++) {
        if (zones[i]->sh && ngx_http_wassiit_same(&zones[i]->file, &zone->file))
        {
            former = ngx_http_wassiit_zone_journals(zones[i]);
        }
    }

    if (former == NULL && zone->sh) {
        /* what the program before this one knew, if this is its memory */
        former = ngx_http_wassiit_zone_journals(zone);
    }

    load.scopes = &wmcf->scopes;
    load.user = ngx_http_wassiit_user(cf->cycle);
    load.group = ccf->group;
    load.waited = wmcf->waited;
    load.former = former;
    load.loaded = zone->sh
                  ? ngx_http_wassiit_zone_loaded(zone, &load.partners) : NULL;
    load.write = zone->admin;

    log = ngx_http_wassiit_conf_log(cf, "wassiit_zone", zone->conf_file,
                                    zone->conf_line);
    if (log == NULL) {
        return NGX_ERROR;
    }

    zone->store = ngx_http_wassiit_store_load(&zone->file, &load, log);

    wmcf->waited = load.waited;

    return zone->store ? NGX_OK : NGX_ERROR;
}


uid_t
ngx_http_wassiit_user(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;
    struct passwd    *pwd;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return ccf->user;
    }

    pwd = getpwnam(NGX_USER);

    return pwd ? pwd->pw_uid : 0;
}


/*
 * A configuration has gone, or has failed.  A worker that ends keeps the memory
 * to the last: the system is to find the mutexes in it that it has.
 */

static void
ngx_http_wassiit_drop_zone(void *data)
{
    ngx_http_wassiit_zone_t  *zone = data;

    ngx_http_wassiit_drop_store(zone);

    if (ngx_process != NGX_PROCESS_WORKER) {
        ngx_http_wassiit_board_unmap(&zone->board);
        ngx_http_wassiit_claims_unmap(&zone->claims);
        ngx_http_wassiit_zone_unmap(zone);
    }
}


static void
ngx_http_wassiit_drop_store(ngx_http_wassiit_zone_t *zone)
{
    if (zone->store) {
        ngx_http_wassiit_store_destroy(zone->store);
        zone->store = NULL;
    }
}


void
ngx_http_wassiit_load_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    uid_t                      uid;
    ngx_uint_t                 i;
    ngx_core_conf_t           *ccf;
    ngx_http_wassiit_zone_t  **zones;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    uid = (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || geteuid() != 0)
          ? (uid_t) -1 : ccf->user;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->admin) {
            ngx_http_wassiit_store_settle(zones[i]->store, uid);
        }

        ngx_http_wassiit_zone_log_map(zones[i], cycle->log);
        ngx_http_wassiit_zone_load(zones[i], cycle->log);
        ngx_http_wassiit_retire_claims(cycle, zones[i]);
        ngx_http_wassiit_zone_divide(zones[i]);
    }

    if (wmcf->zones.nelts) {
        ngx_http_wassiit_zone_keep_scopes(&wmcf->scopes, cycle->log);
    }

    /* as long as the files are locked: no change may get into what is left */
    ngx_http_wassiit_leave_zones(cycle, wmcf);
    ngx_http_wassiit_drop_inherited(cycle, wmcf);

    for (i = 0; i < wmcf->zones.nelts; i++) {
        ngx_http_wassiit_drop_store(zones[i]);
    }
}


/* What the configuration before shared of this zone, if that was otherwise. */

static void
ngx_http_wassiit_retire_claims(ngx_cycle_t *cycle,
    ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t                      i;
    ngx_http_wassiit_zone_t       **former;
    ngx_http_wassiit_main_conf_t   *owmcf;

    owmcf = ngx_http_wassiit_former(cycle);
    former = owmcf ? owmcf->zones.elts : NULL;

    for (i = 0; owmcf && i < owmcf->zones.nelts; i++) {
        if (former[i]->sh == zone->sh && former[i]->claims.sh
            && former[i]->claims.sh != zone->claims.sh)
        {
            ngx_http_wassiit_claims_retire(&former[i]->claims);
        }
    }
}


void
ngx_http_wassiit_seclude_zones(ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_zone_t  **zones;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        ngx_http_wassiit_memory_seclude(zones[i]->memory);
        ngx_http_wassiit_memory_seclude(zones[i]->board.memory);

        if (zones[i]->claims.memory) {
            ngx_http_wassiit_memory_seclude(zones[i]->claims.memory);
            ngx_http_wassiit_memory_seclude(zones[i]->claims.counted);
        }
    }

    ngx_http_wassiit_zone_seclude_scopes();
}


void
ngx_http_wassiit_drop_inherited(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i, found;
    ngx_http_wassiit_zone_t  **zones;

    if (!ngx_is_init_cycle(cycle->old_cycle)) {
        return;
    }

    zones = wmcf ? wmcf->zones.elts : NULL;
    found = 0;

    for (i = 0; wmcf && i < wmcf->zones.nelts; i++) {
        found |= (zones[i]->source != NGX_HTTP_WASSIIT_ZONE_NEW);
    }

    if (ngx_inherited && wmcf && wmcf->zones.nelts && !found) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "all zones of wassiit_zone start anew, with empty "
                      "windows: the program before has left no memory to this "
                      "one, and each makes changes that the other doesn't see "
                      "before it is reloaded");
    }

    ngx_http_wassiit_zone_drop_inherited(zones, wmcf ? wmcf->zones.nelts : 0,
                                         cycle->log);
}


ngx_int_t
ngx_http_wassiit_join_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i;
    ngx_event_t               *ev;
    ngx_http_wassiit_zone_t  **zones;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        ev = ngx_pcalloc(cycle->pool, sizeof(ngx_event_t));
        if (ev == NULL) {
            return NGX_ERROR;
        }

        ev->handler = ngx_http_wassiit_turn_ends;
        ev->data = zones[i];
        ev->log = cycle->log;

        ngx_http_wassiit_zone_join(zones[i], ngx_http_wassiit_turn_begins, ev);
        ngx_http_wassiit_board_join(&zones[i]->board);
    }

    return NGX_OK;
}


/* Posted events are handled last in a turn of the event loop. */

static void
ngx_http_wassiit_turn_begins(ngx_http_wassiit_zone_t *zone)
{
    ngx_event_t  *ev = zone->data;

    ngx_post_event(ev, &ngx_posted_events);
}


static void
ngx_http_wassiit_turn_ends(ngx_event_t *ev)
{
    ngx_http_wassiit_zone_unpin(ev->data);
}


/*
 * A zone whose size or name has changed is a new one, and the former's memory
 * is still what workers use that drain.
 */

static void
ngx_http_wassiit_leave_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                      i, n;
    ngx_http_wassiit_zone_t       **zones, **former;
    ngx_http_wassiit_main_conf_t   *owmcf;

    owmcf = ngx_http_wassiit_former(cycle);

    if (owmcf == NULL) {
        return;
    }

    zones = wmcf->zones.elts;
    former = owmcf->zones.elts;

    for (i = 0; i < owmcf->zones.nelts; i++) {

        for (n = 0; n < wmcf->zones.nelts; n++) {
            if (zones[n]->sh == former[i]->sh) {
                break;
            }
        }

        if (n < wmcf->zones.nelts) {
            /* it is still one of ours */
            continue;
        }

        for (n = 0; n < wmcf->zones.nelts; n++) {
            if ((zones[n]->admin || former[i]->admin)
                && (ngx_http_wassiit_same(&zones[n]->name, &former[i]->name)
                    || ngx_http_wassiit_same(&zones[n]->file,
                                             &former[i]->file)))
            {
                if (former[i]->memory->inherited
                    && ngx_inherited && getppid() == ngx_parent)
                {
                    /* the program before goes on in it */
                    ngx_http_wassiit_zone_supersede(former[i]->memory);
                    continue;
                }

                ngx_http_wassiit_zone_leave(former[i], zones[n]);
            }
        }
    }
}


ngx_http_wassiit_main_conf_t *
ngx_http_wassiit_former(ngx_cycle_t *cycle)
{
    ngx_uint_t    i;
    ngx_cycle_t  *old;

    old = cycle->old_cycle;

    if (old == NULL || old->conf_ctx == NULL || old->modules == NULL) {
        return NULL;
    }

    for (i = 0; old->modules[i]; i++) {
        if (old->modules[i] == &ngx_http_wassiit_module) {
            return ngx_http_cycle_get_module_main_conf(old,
                                                     ngx_http_wassiit_module);
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_wassiit_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}
