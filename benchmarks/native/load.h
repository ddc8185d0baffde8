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

struct worker {
    pthread_t thread;
    int epoll, wake, index;
    struct tally tally;
    float *times; /* how long each command took, in seconds */
    size_t time_count, time_room;
    char said[256]; /* the last refusal, or why a connection was lost */
    unsigned char *room;
};

struct load {
    struct connection *all;
    int count, threads, window, raw;
    struct worker workers[MAX_THREADS];
    atomic_long flying; /* commands on their way */
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
