#include "support/redis_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX     64
#define READY_WAITS  3000 /* of 10 ms: only a guard against hanging for ever */
#define TEMPLATE     "/gatehouse-redis-XXXXXX"
#define DIR_MAX      80 /* the socket's path has to fit in sockaddr_un */
#define SOCKET_FIELD (DIR_MAX + 16)

struct redis_server {
    pid_t pid; /* 0: not running */
    pid_t janitor;
    int janitor_fd;
    char dir[DIR_MAX];
    char path[SOCKET_FIELD];
    char url[SOCKET_FIELD + 8];
    const char *args[ARGS_MAX];
    char *owned[ARGS_MAX]; /* copies of the extra arguments */
};

static const char *const base_args[] = {
    "redis-server", "--port",     "0",       "--save",      "",   "--appendonly",
    "no",           "--loglevel", "warning", "--daemonize", "no", "--enable-debug-command",
    "yes",          NULL,
};

static void set_args(struct redis_server *server, const char *const *extra)
{
    size_t n = 0;

    for (; base_args[n] != NULL; n++)
        server->args[n] = base_args[n];
    server->args[n++] = "--dir";
    server->args[n++] = server->dir;
    server->args[n++] = "--unixsocket";
    server->args[n++] = server->path;
    for (size_t i = 0; extra != NULL && extra[i] != NULL && n < ARGS_MAX - 1; i++) {
        server->owned[i] = strdup(extra[i]);
        server->args[n++] = server->owned[i];
    }
}

static bool answers(const struct redis_server *server)
{
    redisContext *context = redisConnectUnix(server->path);
    bool ok = false;

    if (context != NULL && context->err == 0) {
        redisReply *reply = redisCommand(context, "PING");

        /* NOAUTH is an answer too; LOADING is not ready */
        ok = reply != NULL &&
             (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "LOADING", 7) != 0);
        if (reply != NULL) freeReplyObject(reply);
    }
    if (context != NULL) redisFree(context);
    return ok;
}

static void remove_dir(const char *dir)
{
    DIR *list = opendir(dir);
    const struct dirent *entry = NULL;

    if (list == NULL) return;
    while ((entry = readdir(list)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    rmdir(dir);
}

/* A process that waits for the end of this one and then removes the folder: a test that crashes
 * cannot do it. The server itself dies by PR_SET_PDEATHSIG. */
static bool start_janitor(struct redis_server *server)
{
    int ends[2];
    char byte = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) {
        close(ends[1]);
        setsid(); /* a Ctrl-C is for the test */
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            ;
        remove_dir(server->dir);
        _exit(0);
    }
    close(ends[0]);
    server->janitor = pid;
    server->janitor_fd = ends[1];
    return true;
}

static bool run(struct redis_server *server)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();

    if (pid < 0) return false;
    if (pid == 0) {
        const int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp("redis-server", (char *const *)server->args);
        fprintf(stderr, "redis-server: %s\n", strerror(errno));
        _exit(127);
    }
    server->pid = pid;
    for (int i = 0; i < READY_WAITS; i++) {
        int status = 0;

        if (answers(server)) return true;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            fprintf(stderr, "redis-server ended at its start (status %d)\n", status);
            server->pid = 0;
            return false;
        }
        usleep(10000);
    }
    fprintf(stderr, "redis-server does not answer on %s\n", server->path);
    return false;
}

struct redis_server *redis_server_start(const char *const *extra)
{
    struct redis_server *server = calloc(1, sizeof *server);
    const char *tmp = getenv("TMPDIR");

    if (server == NULL) return NULL;
    /* As gh_service_new has it: the server may be killed under a write. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (tmp == NULL || strlen(tmp) + sizeof TEMPLATE > sizeof server->dir) tmp = "/tmp";
    strcpy(server->dir, tmp);
    strcat(server->dir, TEMPLATE);
    if (mkdtemp(server->dir) == NULL) {
        fprintf(stderr, "mkdtemp %s: %s\n", server->dir, strerror(errno));
        free(server);
        return NULL;
    }
    (void)snprintf(server->path, sizeof server->path, "%s/redis.sock", server->dir);
    (void)snprintf(server->url, sizeof server->url, "unix:%s", server->path);
    set_args(server, extra);
    if (start_janitor(server) && run(server)) return server;
    redis_server_stop(server);
    return NULL;
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid == 0) return;
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

bool redis_server_restart(struct redis_server *server)
{
    redis_server_kill(server);
    unlink(server->path);
    return run(server);
}

void redis_server_stop(struct redis_server *server)
{
    if (server == NULL) return;
    redis_server_kill(server); /* it keeps nothing, so there is nothing to say goodbye to */
    remove_dir(server->dir);
    if (server->janitor > 0) {
        close(server->janitor_fd);
        while (waitpid(server->janitor, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (size_t i = 0; i < ARGS_MAX; i++)
        free(server->owned[i]);
    free(server);
}

const char *redis_server_url(const struct redis_server *server)
{
    return server->url;
}

const char *redis_server_path(const struct redis_server *server)
{
    return server->path;
}

const char *redis_server_dir(const struct redis_server *server)
{
    return server->dir;
}

redisReply *redis_server_call(const struct redis_server *server, const char *format, ...)
{
    redisContext *context = redisConnectUnix(server->path);
    redisReply *reply = NULL;
    va_list args;

    if (context != NULL && context->err == 0) {
        va_start(args, format);
        reply = redisvCommand(context, format, args);
        va_end(args);
    }
    if (context != NULL) redisFree(context);
    return reply;
}
