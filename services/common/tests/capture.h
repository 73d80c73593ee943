/* What a test's code wrote to standard error: between begin and end, fd 2 is a temporary file. */
#ifndef GH_TESTS_CAPTURE_H
#define GH_TESTS_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
    FILE *file;
    int saved_fd;
    char text[65536];
};

static inline void capture_begin(struct capture *capture)
{
    memset(capture, 0, sizeof *capture);
    capture->file = tmpfile();
    assert_non_null(capture->file);
    capture->saved_fd = dup(STDERR_FILENO);
    assert_true(capture->saved_fd >= 0);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

static inline const char *capture_end(struct capture *capture)
{
    dup2(capture->saved_fd, STDERR_FILENO);
    close(capture->saved_fd);
    rewind(capture->file);
    const size_t n = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[n] = '\0';
    fclose(capture->file);
    return capture->text;
}

#endif
