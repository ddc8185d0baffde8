/* What goes over the load client's sockets: WebSocket frames, opened from inside a buffer and made around a text. */
#ifndef WIRE_H
#define WIRE_H
#include <stddef.h>

enum { CLOSE = 8, PING = 9 };

/* One frame as it lies in a buffer: `size` bytes in all, `length` of them payload. */
struct frame {
    int opcode;
    const unsigned char *payload;
    size_t length, size;
};

/* Look at the frame at the start of `data`; 0 if it is not complete. Servers do not mask (RFC 6455, 5.1). */
int next_frame(const unsigned char *data, size_t length, struct frame *found);

/* A text as a masked frame in `out`, which holds 14 bytes more than the text; its size. The mask is zero, which is
 * a legal one and leaves the text as it is. */
size_t make_frame(unsigned char *out, const char *text, size_t length);

/* Connect to a port on loopback, and with `upgrade` make a WebSocket of it; the descriptor, or -1. */
int dial(int port, int upgrade);

/* Write all of it to a non-blocking socket; 0 when that went well. */
int write_all(int fd, const void *data, size_t length);

/* A template with every @ replaced by a number; its length. */
size_t fill_in(char *out, size_t room, const char *pattern, unsigned long number);

#endif
