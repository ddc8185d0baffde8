/* What the parts of the load client share: load.c (connecting, rounds), traffic.c (sending and counting), report.c (figures). */
#ifndef LOAD_H
#define LOAD_H
#include "script.h"
#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 16, SLOTS = 64 };

/* What one thread has counted in one round. */
struct tally {
    unsigned long done, deliveries, bytes, replies, errors, others, lost;
    double last; /* when something was done last */
};

/* Times in seconds. */
struct series {
    float *times;
    size_t count, room;
};

/* Connections that get the same broadcasts, and the broadcasts on their way: how many have each, when it left, and when
 * the first had it. Places are used in turn. */
struct room {
    struct connection *sender;
    int members;
    unsigned long asked, base; /* broadcasts so far; and when this round began */
    atomic_int got_it[SLOTS];
    double began[SLOTS], first[SLOTS];
};

struct worker {
    pthread_t thread;
    int epoll, wake, index;
    struct tally tally;
    struct series took, between; /* of each command: until all had it; of these, from the first connection to the last */
    char said[256]; /* the last refusal, or why a connection was lost */
    unsigned char *room;
};

struct load {
    struct connection *all;
    struct room *rooms;
    int count, room_count, threads, window, burst, pause, raw; /* pause: in milliseconds */
    struct worker workers[MAX_THREADS];
    atomic_long flying; /* commands, or with a window groups of broadcasts, on their way */
    atomic_ulong turn;  /* which room is asked next */
    volatile double deadline;
};
extern struct load load;

double now(void);

/* traffic.c */
void say(struct connection *c, const char *text, size_t length);
void start_workers(void);

/* report.c: a worker's processor time so far, and the JSON of a round */
double processor_time(struct worker *w);
void report(double start, double busiest);

#endif
