/* See script.h. */
#define _GNU_SOURCE
#include "script.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(char ***lines, int *count, const char *text) {
    *lines = realloc(*lines, (*count + 1) * sizeof **lines);
    (*lines)[(*count)++] = strdup(text);
}

int read_script(const char *path, struct connection **found) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    int count = 0;
    if (!file) return -1;
    for (ssize_t length; (length = getline(&line, &room, file)) > 0;) {
        line[length - 1] = 0;
        if (line[0] == '=') {
            *found = realloc(*found, (count + 1) * sizeof **found);
            struct connection made = {.fd = -1};
            sscanf(line + 1, "%d %d", &made.room, &made.port);
            (*found)[count++] = made;
        } else if (count && length > 2) {
            struct connection *last = &(*found)[count - 1];
            if (line[0] == '>') append(&last->starts, &last->start_count, line + 2);
            if (line[0] == '@') append(&last->patterns, &last->pattern_count, line + 2);
        }
    }
    free(line);
    fclose(file);
    return count;
}
