
/* A file in a folder of the harness's own, in memory if it can be. */


#ifndef _FUZZ_FOLDER_H_INCLUDED_
#define _FUZZ_FOLDER_H_INCLUDED_


#include "fuzz.h"

#include <sys/stat.h>


static char  fuzz_folder[128];


static void
fuzz_folder_end(void)
{
    char         path[256];
    ngx_uint_t   i;

    static const char  *names[] = { "secret", "partners", "partners.compact" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", fuzz_folder, names[i]);
        (void) unlink(path);
    }

    (void) rmdir(fuzz_folder);
}


static ngx_inline void
fuzz_folder_file(ngx_str_t *file, const char *name)
{
    char  path[256];

    unit_folder(fuzz_folder, sizeof(fuzz_folder),
                access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL, "fuzz");

    atexit(fuzz_folder_end);

    snprintf(path, sizeof(path), "%s/%s", fuzz_folder, name);

    file->len = strlen(path);
    file->data = (u_char *) strdup(path);
}


static ngx_inline void
fuzz_folder_write(ngx_str_t *file, const uint8_t *data, size_t size)
{
    int  fd;

    fd = open((char *) file->data, O_WRONLY|O_CREAT|O_TRUNC, 0600);

    if (fd == -1 || write(fd, data, size) != (ssize_t) size || close(fd) != 0)
    {
        perror((char *) file->data);
        exit(2);
    }
}


#endif /* _FUZZ_FOLDER_H_INCLUDED_ */
