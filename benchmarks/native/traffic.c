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
    size_t length = fill_in(text, sizeof text, c->patterns[c->number % c->pattern_count], c->number + 1);
    c->number++;
    c->sent = now();
    say(c, text, length);
}

/* Have the next room send a burst of broadcasts, all in one frame. */
static void broadcast(void) {
    char text[LONGEST];
    size_t length = 0;
    pthread_mutex_lock(&sending);
    struct room *r = &load.rooms[atomic_fetch_add(&load.turn, 1) % load.room_count];
    struct connection *c = r->sender;
    double t = now();
    for (int n = 0; n < load.burst; n++) {
        if (n && !load.raw) text[length++] = '\n';
        length += fill_in(text + length, sizeof text - length, c->patterns[c->number % c->pattern_count], c->number + 1);
        c->number++;
        r->began[r->asked++ % SLOTS] = t;
    }
    say(c, text, length);
    pthread_mutex_unlock(&sending);
}

static void add(struct series *s, double seconds) {
    if (s->count == s->room) s->times = realloc(s->times, (s->room = s->room * 2 + 4096) * sizeof *s->times);
    s->times[s->count++] = seconds;
}

/* A command has had its effect. */
static double count(struct worker *w, double since) {
    double t = now();
    add(&w->took, t - since);
    w->tally.done++;
    return w->tally.last = t;
}

/* So has a burst, and all in it: go on if the round does. With a pause nothing else is on its way, so a thread may sleep. */
static void go_on(void) {
    if (load.pause) usleep(load.pause * 1000);
    if (now() < load.deadline) broadcast();
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
    if (!load.window) return;
    struct room *r = &load.rooms[c->room];
    unsigned long number = c->heard++, slot = number % SLOTS;
    int have_it = atomic_fetch_add(&r->got_it[slot], 1) + 1;
    if (have_it == 1) r->first[slot] = now();
    if (have_it < r->members) return;
    atomic_store(&r->got_it[slot], 0);
    double t = count(w, r->began[slot]);
    add(&w->between, r->members > 1 ? t - r->first[slot] : 0);
    if ((number + 1 - r->base) % load.burst == 0) go_on();
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
    else if (count(w, c->sent) < load.deadline) ask(c);
    else atomic_fetch_sub(&load.flying, 1);
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
    for (int n = w->index; n < load.window; n += load.threads) broadcast();
    for (int i = w->index; !load.window && i < load.count; i += load.threads)
        if (load.all[i].fd >= 0 && load.all[i].pattern_count) ask(&load.all[i]);
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
