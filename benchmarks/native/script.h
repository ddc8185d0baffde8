/* What each connection of the load client says: read from a file that the harness has written. */
#ifndef SCRIPT_H
#define SCRIPT_H
#include <stddef.h>

/* One connection: its file descriptor, the port it goes to (0: that of the command line), its room, its lines, and what
 * became of it so far. */
struct connection {
    int fd, port, room;
    char **starts, **patterns;          /* said once at the start; said again and again, @ being a running number */
    int start_count, pattern_count;
    volatile unsigned answered;         /* replies so far, those to the starts included */
    unsigned long number, heard;        /* commands sent; publications got */
    double sent;                        /* when the command on its way left */
    unsigned char *rest;                /* the beginning of a frame whose end has not come yet */
    size_t held;
};

/* Read a script: "=" or "= ROOM PORT" begins a connection, "> text" is a start, "@ text" a pattern. The number of connections, or -1. */
int read_script(const char *path, struct connection **found);

#endif
