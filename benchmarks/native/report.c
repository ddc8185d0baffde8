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

/* All threads' times in order, with a zero behind them. */
static float *sorted_times(size_t *found) {
    size_t count = 0;
    for (int i = 0; i < load.threads; i++) count += load.workers[i].time_count;
    float *times = malloc((count + 1) * sizeof *times);
    *found = count;
    count = 0;
    for (int i = 0; i < load.threads; i++) {
        struct worker *w = &load.workers[i];
        if (w->time_count) memcpy(times + count, w->times, w->time_count * sizeof *times);
        count += w->time_count;
    }
    qsort(times, count, sizeof *times, by_size);
    times[count] = 0;
    return times;
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
    size_t count;
    const char *said = "";
    float *times = sorted_times(&count);
    struct tally t = sum(start);
    double seconds = t.last > start ? t.last - start : 1e-9;
    for (int i = 0; i < load.threads; i++)
        if (load.workers[i].said[0]) said = load.workers[i].said;
    printf("{\"seconds\":%.6f,\"done\":%lu,\"deliveries\":%lu,\"bytes\":%lu,\"replies\":%lu,\"errors\":%lu,\"others\":%lu,"
           "\"lost\":%lu,\"unfinished\":%ld,\"busiest\":%.3f,\"p50\":%.6f,\"p99\":%.6f,\"worst\":%.6f,\"said\":\"%s\"}\n",
           seconds, t.done, t.deliveries, t.bytes, t.replies, t.errors, t.others, t.lost, atomic_load(&load.flying),
           busiest / seconds, times[count / 2], times[count * 99 / 100], times[count ? count - 1 : 0], said);
    fflush(stdout);
    free(times);
}
