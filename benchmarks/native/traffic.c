/* What the threads of the load client do: send commands, read frames, count them, and send the next command. */
#define _GNU_SOURCE
#include "load.h"
#include "wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, LONGEST = 16000 };

static const char PUBLICATION[] = "{\"push\":{\"channel\":\"ch_";
enum { PREFIX = sizeof PUBLICATION - 1, AFTER_ID = PREFIX + 20 + 3 }; /* an id's characters; quote, comma, quote */

static atomic_int got_it[SLOTS]; /* of each broadcast on its way: how many connections have it, and when it left */
static double began[SLOTS];
static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

void say(struct connection *c, const char *text, size_t length) {
    unsigned char frame[LONGEST + 14];
    if (load.raw) write_all(c->fd, text, length);
    else if (length <= LONGEST) write_all(c->fd, frame, make_frame(frame, text, length));
}

/* Send the connection's next command. Its patterns take turns. */
static void ask(struct connection *c) {
    char text[LONGEST];
    if (load.window) pthread_mutex_lock(&sending);
    size_t length = fill_in(text, sizeof text, c->patterns[c->number % c->pattern_count], c->number + 1);
    c->sent = now();
    if (load.window) began[c->number % SLOTS] = c->sent;
    c->number++;
    say(c, text, length);
    if (load.window) pthread_mutex_unlock(&sending);
}

/* A command has had its effect: note how long that took, and send the next one if the round goes on. */
static void done(struct worker *w, struct connection *c, double since) {
    double t = now();
    if (w->time_count == w->time_room)
        w->times = realloc(w->times, (w->time_room = w->time_room * 2 + 4096) * sizeof *w->times);
    w->times[w->time_count++] = t - since;
    w->tally.done++;
    w->tally.last = t;
    if (t < load.deadline) ask(c);
    else atomic_fetch_sub(&load.flying, 1);
}

static void note(struct worker *w, const void *text, size_t length) {
    if (length >= sizeof w->said) length = sizeof w->said - 1;
    for (size_t i = 0; i < length; i++) {
        char letter = ((const char *)text)[i];
        w->said[i] = letter < ' ' || letter == '"' || letter == '\\' ? '\'' : letter;
    }
    w->said[length] = 0;
}

static void lose(struct worker *w, struct connection *c, const void *why, size_t length) {
    w->tally.lost++;
    note(w, why, length);
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1;
    if (!load.window && c->pattern_count) atomic_fetch_sub(&load.flying, 1);
}

static void publication(struct worker *w, struct connection *c, const struct frame *f) {
    w->tally.deliveries++;
    w->tally.bytes += f->size;
    unsigned long slot = c->heard++ % SLOTS;
    if (load.window && atomic_fetch_add(&got_it[slot], 1) + 1 == load.count) {
        atomic_store(&got_it[slot], 0);
        done(w, &load.all[0], began[slot]);
    }
}

static void reply(struct worker *w, struct connection *c, const struct frame *f) {
    int refused = memmem(f->payload, f->length < 40 ? f->length : 40, "\"error\":", 8) != NULL;
    if (refused) note(w, f->payload, f->length);
    w->tally.errors += refused;
    c->answered++;
    if (c->answered <= (unsigned)c->start_count) return;
    w->tally.replies++;
    if (load.window) return;
    if (refused) atomic_fetch_sub(&load.flying, 1);
    else done(w, c, c->sent);
}

static void heard(struct worker *w, struct connection *c, const struct frame *f) {
    if (f->length > AFTER_ID + 3 && !memcmp(f->payload, PUBLICATION, PREFIX) && !memcmp(f->payload + AFTER_ID, "pub", 3))
        publication(w, c, f);
    else if (f->length > 6 && !memcmp(f->payload, "{\"id\":", 6))
        reply(w, c, f);
    else if (f->opcode == CLOSE)
        lose(w, c, f->length > 2 ? f->payload + 2 : f->payload, f->length > 2 ? f->length - 2 : 0);
    else if (f->length == 2)
        say(c, "{}", 2); /* a ping of the protocol, and its pong */
    else
        w->tally.others++;
}

static void take_in(struct worker *w, struct connection *c) {
    struct frame f;
    if (c->held) memcpy(w->room, c->rest, c->held);
    ssize_t got = read(c->fd, w->room + c->held, ROOM - c->held);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) lose(w, c, "the connection broke", 20);
        return;
    }
    size_t at = 0, end = c->held + got;
    for (; c->fd >= 0 && next_frame(w->room + at, end - at, &f); at += f.size) heard(w, c, &f);
    c->held = end - at;
    if (c->held) c->rest = memcpy(realloc(c->rest, c->held), w->room + at, c->held);
}

static void begin(struct worker *w) {
    for (int i = w->index; i < load.count; i += load.threads) {
        struct connection *c = &load.all[i];
        int commands = load.window ? (i == 0 ? load.window : 0) : c->fd >= 0 && c->pattern_count;
        while (commands--) ask(c);
    }
}

static void *work(void *argument) {
    struct worker *w = argument;
    struct epoll_event events[256];
    unsigned long told;
    for (;;) {
        int ready = epoll_wait(w->epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) take_in(w, events[i].data.ptr);
            else if (read(w->wake, &told, sizeof told) > 0) begin(w);
        }
    }
    return NULL;
}

void start_workers(void) {
    for (int i = 0; i < load.threads; i++) {
        struct worker *w = &load.workers[i];
        struct epoll_event event = {.events = EPOLLIN};
        *w = (struct worker){.epoll = epoll_create1(0), .wake = eventfd(0, 0), .index = i, .room = malloc(ROOM)};
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event);
        pthread_create(&w->thread, NULL, work, w);
    }
}
