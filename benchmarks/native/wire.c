/* See wire.h. */
#define _GNU_SOURCE
#include "wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int next_frame(const unsigned char *data, size_t length, struct frame *found) {
    if (length < 2) return 0;
    size_t payload = data[1] & 127, header = payload == 126 ? 4 : payload == 127 ? 10 : 2;
    if (length < header) return 0;
    if (header > 2) {
        payload = 0;
        for (size_t i = 2; i < header; i++) payload = payload << 8 | data[i];
    }
    if (length - header < payload) return 0;
    *found = (struct frame){data[0] & 15, data + header, payload, header + payload};
    return 1;
}

size_t make_frame(unsigned char *out, const char *text, size_t length) {
    size_t bytes = length < 126 ? 0 : length < 65536 ? 2 : 8, at = 2;
    out[0] = 0x81;
    out[1] = 0x80 | (bytes == 0 ? length : bytes == 2 ? 126 : 127);
    while (bytes--) out[at++] = length >> 8 * bytes & 255;
    memset(out + at, 0, 4);
    memcpy(out + at + 4, text, length);
    return at + 4 + length;
}

int write_all(int fd, const void *data, size_t length) {
    for (const char *from = data; length > 0;) {
        ssize_t written = send(fd, from, length, MSG_NOSIGNAL);
        if (written > 0) {
            from += written;
            length -= written;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, 1000);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static int upgraded(int fd, int port) {
    char text[1024];
    int length = snprintf(text, sizeof text,
        "GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: d2FybWxpbmUtYmVuY2gtMQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", port);
    if (write_all(fd, text, length)) return 0;
    for (length = 0; length < (int)sizeof text - 1;) {
        if (read(fd, text + length, 1) != 1) return 0;
        text[++length] = 0;
        if (length > 4 && !strcmp(text + length - 4, "\r\n\r\n")) return strstr(text, " 101 ") != NULL;
    }
    return 0;
}

int dial(int port, int upgrade) {
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&there, sizeof there) || (upgrade && !upgraded(fd, port))) {
        close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

size_t fill_in(char *out, size_t room, const char *pattern, unsigned long number) {
    char digits[24];
    size_t length = 0, width = snprintf(digits, sizeof digits, "%lu", number);
    for (; *pattern && length + width < room; pattern++) {
        if (*pattern == '@') {
            memcpy(out + length, digits, width);
            length += width;
        } else {
            out[length++] = *pattern;
        }
    }
    return length;
}
