/* The load client: many WebSocket connections in a few threads, closed loop.
 *
 * load PORT SCRIPT THREADS WINDOW [raw]
 *   WINDOW 0: every connection that has patterns keeps one command on its way; a reply ends it.
 *   WINDOW n: n broadcasts are on their way, one room after the other; the first connection of a room that has patterns sends
 *     them, and one ends when every connection of the room has got it.
 *   raw: no handshake, and commands go out as they stand: for the reference.
 *
 * Prints "ready N" when all have connected and all starts are answered. Then each line "go SECONDS" on standard input is one
 * round, answered by one line of JSON; "go SECONDS WINDOW BURST PAUSE" changes the window, from 1 up, sends so many broadcasts
 * at once, the next ones when all of these have ended, and then so many milliseconds later. Ends when standard input does, or
 * after half an hour.
 */
#define _GNU_SOURCE
#include "load.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MOST_UNANSWERED = 32, CONNECT_SECONDS = 150, DRAIN_SECONDS = 10, LIMIT_SECONDS = 1800 };

struct load load;

/* Connections whose starts are not all answered yet; those that were lost count as well. */
static int unanswered(int upto) {
    int waiting = 0;
    for (int i = 0; i < upto; i++) waiting += load.all[i].answered < (unsigned)load.all[i].start_count;
    return waiting;
}

static int connect_all(int port) {
    double patience = now() + CONNECT_SECONDS;
    for (int i = 0; i < load.count; i++) {
        struct connection *c = &load.all[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if ((c->fd = dial(c->port ? c->port : port, !load.raw)) < 0) return 0;
        epoll_ctl(load.workers[i % load.threads].epoll, EPOLL_CTL_ADD, c->fd, &event);
        for (int n = 0; n < c->start_count; n++) say(c, c->starts[n], strlen(c->starts[n]));
        while (unanswered(i + 1) > MOST_UNANSWERED && now() < patience) usleep(500);
    }
    while (unanswered(load.count) && now() < patience) usleep(1000);
    return !unanswered(load.count);
}

/* Find out who is in which room. Rooms are numbered from 0; a room without a sender makes the script wrong. */
static int make_rooms(void) {
    for (int i = 0; i < load.count; i++)
        if (load.all[i].room >= load.room_count) load.room_count = load.all[i].room + 1;
    load.rooms = calloc(load.room_count, sizeof *load.rooms);
    for (int i = 0; i < load.count; i++) {
        struct room *r = &load.rooms[load.all[i].room];
        r->members++;
        if (!r->sender && load.all[i].pattern_count) r->sender = &load.all[i];
    }
    for (int i = 0; load.window && i < load.room_count; i++)
        if (!load.rooms[i].sender) return 0;
    return 1;
}

/* Whether no room can have more broadcasts on their way than there are places for. */
static int fits(int window, int burst) {
    return window > 0 && burst > 0 && (window + load.room_count - 1) / load.room_count * burst <= SLOTS / 2;
}

static void round_of(double seconds) {
    double before[MAX_THREADS], busiest = 0, start = now();
    unsigned long one = 1;
    int senders = 0;
    for (int i = 0; i < load.count; i++) senders += load.all[i].fd >= 0 && load.all[i].pattern_count > 0;
    for (int i = 0; i < load.threads; i++) {
        load.workers[i].tally = (struct tally){0};
        load.workers[i].took.count = load.workers[i].between.count = 0;
        before[i] = processor_time(&load.workers[i]);
    }
    for (int i = 0; i < load.room_count; i++) load.rooms[i].base = load.rooms[i].asked;
    atomic_store(&load.flying, load.window ? load.window : senders);
    load.deadline = start + seconds;
    for (int i = 0; i < load.threads; i++)
        if (write(load.workers[i].wake, &one, sizeof one) < 0) exit(1);
    while (atomic_load(&load.flying) > 0 && now() < load.deadline + DRAIN_SECONDS) usleep(1000);
    for (int i = 0; i < load.threads; i++) {
        double spent = processor_time(&load.workers[i]) - before[i];
        if (spent > busiest) busiest = spent;
    }
    report(start, busiest);
}

int main(int argc, char **argv) {
    char line[64];
    double seconds;
    if (argc < 5) return 2;
    alarm(LIMIT_SECONDS);
    load.threads = atoi(argv[3]);
    load.window = atoi(argv[4]);
    load.burst = 1;
    load.raw = argc > 5;
    load.count = read_script(argv[2], &load.all);
    if (load.count < 1 || load.threads < 1 || load.threads > MAX_THREADS || load.window < 0 || !make_rooms())
        return 2;
    if (load.window && !fits(load.window, load.burst)) return 2;
    start_workers();
    if (!connect_all(atoi(argv[1]))) {
        for (int i = 0; i < load.threads; i++) fprintf(stderr, "%s\n", load.workers[i].said);
        fprintf(stderr, "%d of %d connections were not answered\n", unanswered(load.count), load.count);
        return 1;
    }
    printf("ready %d\n", load.count);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int window = load.window, burst = 1, pause = 0, given = sscanf(line, "go %lf %d %d %d", &seconds, &window, &burst, &pause);
        if (given < 1 || (given > 1 && (!load.window || !fits(window, burst)))) return 2;
        load.window = window, load.burst = burst, load.pause = pause;
        round_of(seconds);
    }
    return 0;
}
