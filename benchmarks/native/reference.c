/* The reference "C send()": writes one pre-built frame to every socket, with one send() for each delivery.
 *
 * reference FRAME_FILE CONNECTIONS ROOMS: listens on a free loopback port, prints it, takes that many connections, the first
 * of each room, then the next ones and so on in turn, and from then on answers every byte that any of them sends with one
 * frame to all of its room. Ends when standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int listening(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&here, &size);
    printf("port %d\n", ntohs(here.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd, int place) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (unsigned long)place << 32 | fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

/* The sockets block: a reader that is behind is waited for, so that every frame is one complete send(). */
static void to_all(const int *sockets, int first, int step, int count, const char *frame, size_t length) {
    for (int i = first; i < count; i += step)
        if (send(sockets[i], frame, length, MSG_NOSIGNAL) != (ssize_t)length) die("send");
}

int main(int argc, char **argv) {
    char frame[65536], asked[256];
    if (argc != 4) return 2;
    FILE *file = fopen(argv[1], "rb");
    if (!file) die(argv[1]);
    size_t length = fread(frame, 1, sizeof frame, file);
    int count = atoi(argv[2]), rooms = atoi(argv[3]), epoll = epoll_create1(0), door = listening();
    int *sockets = calloc(count, sizeof *sockets);
    for (int i = 0; i < count; i++) {
        sockets[i] = accept(door, NULL, NULL);
        if (sockets[i] < 0) die("accept");
        watch(epoll, sockets[i], i);
    }
    watch(epoll, STDIN_FILENO, 0);
    struct epoll_event events[64];
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            ssize_t triggers = read(events[i].data.u64 & 0xffffffff, asked, sizeof asked);
            int place = events[i].data.u64 >> 32;
            if (triggers <= 0) return 0;
            while (triggers--) to_all(sockets, place % rooms, rooms, count, frame, length);
        }
    }
}
