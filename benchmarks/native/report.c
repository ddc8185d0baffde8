/* The figures of a round, as one line of JSON. */
#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double processor_time(struct worker *w) {
    clockid_t clock;
    struct timespec t;
    pthread_getcpuclockid(w->thread, &clock);
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* All threads' times of one kind in order, with a zero behind them; `between`: those from the first connection to the last. */
static struct series sorted_times(int between) {
    struct series all = {0};
    for (int i = 0; i < load.threads; i++) all.room += between ? load.workers[i].between.count : load.workers[i].took.count;
    all.times = malloc((all.room + 1) * sizeof *all.times);
    for (int i = 0; i < load.threads; i++) {
        const struct series *some = between ? &load.workers[i].between : &load.workers[i].took;
        if (some->count) memcpy(all.times + all.count, some->times, some->count * sizeof *all.times);
        all.count += some->count;
    }
    qsort(all.times, all.count, sizeof *all.times, by_size);
    all.times[all.count] = 0;
    return all;
}

static struct tally sum(double start) {
    struct tally all = {.last = start};
    for (int i = 0; i < load.threads; i++) {
        const struct tally *t = &load.workers[i].tally;
        all.done += t->done, all.deliveries += t->deliveries, all.bytes += t->bytes, all.replies += t->replies;
        all.errors += t->errors, all.others += t->others, all.lost += t->lost;
        if (t->last > all.last) all.last = t->last;
    }
    return all;
}

void report(double start, double busiest) {
    const char *said = "";
    struct series took = sorted_times(0), between = sorted_times(1);
    struct tally t = sum(start);
    double seconds = t.last > start ? t.last - start : 1e-9;
    for (int i = 0; i < load.threads; i++)
        if (load.workers[i].said[0]) said = load.workers[i].said;
    printf("{\"seconds\":%.6f,\"done\":%lu,\"deliveries\":%lu,\"bytes\":%lu,\"replies\":%lu,\"errors\":%lu,\"others\":%lu,"
           "\"lost\":%lu,\"unfinished\":%ld,\"busiest\":%.3f,\"p50\":%.6f,\"p99\":%.6f,\"worst\":%.6f,\"between\":%.6f,\"said\":\"%s\"}\n",
           seconds, t.done, t.deliveries, t.bytes, t.replies, t.errors, t.others, t.lost, atomic_load(&load.flying),
           busiest / seconds, took.times[took.count / 2], took.times[took.count * 99 / 100], took.times[took.count ? took.count - 1 : 0],
           between.times[between.count / 2], said);
    fflush(stdout);
    free(took.times);
    free(between.times);
}
