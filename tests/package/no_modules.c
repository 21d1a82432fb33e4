/* In place of glibc's loader of modules (elf/dl-libc.c) in a static program: there are none. The C
   library then goes on to the next source that nsswitch.conf names. */
#include <stddef.h>

void *__libc_dlopen_mode (const char *name, int mode) { return NULL; }
void *__libc_dlsym (void *map, const char *name) { return NULL; }
void *__libc_dlvsym (void *map, const char *name, const char *version) { return NULL; }
int __libc_dlclose (void *map) { return 0; }
