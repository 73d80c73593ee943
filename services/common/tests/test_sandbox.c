/* Each row runs in a child of its own: sandbox, then one attempt. */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

enum outcome { WORKS, REFUSED, DIES }; /* REFUSED: fails with EPERM, the process goes on */

static const char *const outcome_names[] = { "works", "is refused", "dies" };

static int pair[2]; /* connected stream sockets made before the sandbox */
static int listener;
static char dir[40], socket_path[64];
static void *zmq_context, *zmq_server, *zmq_client;

/* Attempts return true when the thing worked, else errno says why. */

static bool do_open(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool do_create(void)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/new", dir);
    return open(path, O_CREAT | O_WRONLY, 0600) >= 0;
}

static bool do_unlink(void)
{
    return unlink(socket_path) == 0;
}

static bool do_stat(void)
{
    struct stat st;

    return stat("/etc/passwd", &st) == 0;
}

static bool do_fstat(void)
{
    struct stat st;

    return fstat(pair[0], &st) == 0;
}

static bool do_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool do_socket_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool do_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, socket_path);
    errno = 0;
    return connect(pair[0], (struct sockaddr *)&address, sizeof address) == 0 || errno == EISCONN;
}

static bool do_bind(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    errno = 0;
    return bind(pair[0], (struct sockaddr *)&address, sizeof(sa_family_t)) == 0;
}

static bool do_exec(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return false;
}

static bool do_fork(void)
{
    const pid_t pid = fork();

    if (pid == 0) _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool do_vfork_like(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) >= 0;
}

static bool do_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool do_mount(void)
{
    return mount("none", "/nonexistent", "tmpfs", 0, NULL) == 0;
}

static bool do_unshare(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}

static bool do_setns(void)
{
    return setns(pair[0], 0) == 0;
}

static bool do_bpf(void)
{
    union bpf_attr attr = { 0 };

    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr) >= 0;
}

static bool do_keyctl(void)
{
    return syscall(SYS_keyctl, 0, -1, 0) >= 0;
}

static bool do_module(void)
{
    return syscall(SYS_init_module, NULL, 0, "") == 0;
}

static bool do_kexec(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0;
}

static bool do_vm_read(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) == 0;
}

static bool do_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 0, NULL) >= 0;
}

static bool do_setuid(void)
{
    return setuid(getuid()) == 0;
}

static bool do_chroot(void)
{
    return chroot("/") == 0;
}

static bool do_kill_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool do_raise(void)
{
    return signal(SIGUSR1, SIG_IGN) != SIG_ERR && raise(SIGUSR1) == 0;
}

static bool do_ia32(void)
{
#ifdef __x86_64__
    long result = 20; /* getpid by way of the 32-bit table */

    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    return result > 0;
#else
    raise(SIGSYS);
    return false;
#endif
}

static bool do_memory(void)
{
    for (size_t size = 1; size <= 1u << 26; size *= 4) {
        char *block = malloc(size);

        if (block == NULL) return false;
        memset(block, 1, size);
        char *larger = realloc(block, 2 * size);
        free(larger != NULL ? larger : block);
        if (larger == NULL) return false;
    }
    return true;
}

static bool do_exec_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool do_mprotect_exec(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static void *thread_main(void *arg)
{
    return arg;
}

static bool do_thread(void)
{
    pthread_t thread;
    const int rc = pthread_create(&thread, NULL, thread_main, NULL);

    if (rc == 0) return pthread_join(thread, NULL) == 0;
    errno = EPERM; /* pthread_create says EAGAIN or EPERM, depending on the libc */
    return false;
}

static bool do_stream(void)
{
    char byte = 0;

    return write(pair[0], "x", 1) == 1 && recv(pair[1], &byte, 1, 0) == 1 && byte == 'x';
}

static bool do_poll(void)
{
    struct epoll_event event = { .events = EPOLLOUT };
    const int fd = epoll_create1(EPOLL_CLOEXEC);

    return fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &event) == 0 &&
           epoll_wait(fd, &event, 1, 1000) == 1;
}

static bool do_time(void)
{
    struct timespec ts = { .tv_nsec = 1000 };

    return nanosleep(&ts, NULL) == 0 && clock_gettime(CLOCK_REALTIME, &ts) == 0 && time(NULL) > 0;
}

static bool do_stdio(void)
{
    return fprintf(stderr, "%s", "") == 0 && fflush(stderr) == 0 && isatty(0) >= 0;
}

/* The listening socket was there before: peers of ours (here: the parent) may still come. */
static bool do_accept(void)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK) >= 0;
}

/* A question and an answer over a bus that was set up before. */
static bool do_zmq(void)
{
    char text[8] = "";

    for (int i = 0; i < 100; i++) {
        if (zmq_send(zmq_client, "ask", 3, 0) != 3 || zmq_recv(zmq_server, text, 8, 0) != 3 ||
            zmq_send(zmq_server, "answer", 6, 0) != 6 || zmq_recv(zmq_client, text, 8, 0) != 6)
            return false;
    }
    return true;
}

static bool do_zmq_close(void)
{
    return zmq_close(zmq_client) == 0 && zmq_close(zmq_server) == 0 &&
           zmq_ctx_term(zmq_context) == 0;
}

/* Threads that were there before the sandbox are in it too. */
static int thread_go[2];
static bool thread_opened;

static void *thread_tries(void *arg)
{
    char byte = 0;

    (void)arg;
    if (read(thread_go[0], &byte, 1) == 1) thread_opened = socket(AF_INET, SOCK_STREAM, 0) >= 0;
    return NULL;
}

static pthread_t early_thread;

static bool do_early_thread(void)
{
    if (write(thread_go[1], "x", 1) != 1 || pthread_join(early_thread, NULL) != 0) return false;
    errno = EPERM;
    return thread_opened;
}

static bool do_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

struct row {
    const char *name;
    bool (*attempt)(void);
    enum outcome service, pure;
    bool not_sanitized; /* means something only without a sanitizer, see sandbox.c */
};

static const struct row rows[] = {
    { "memory", do_memory, WORKS, WORKS, false },
    { "a stream that is there", do_stream, WORKS, WORKS, false },
    { "epoll", do_poll, WORKS, WORKS, false },
    { "clocks", do_time, WORKS, WORKS, false },
    { "stdio", do_stdio, WORKS, WORKS, false },
    { "fstat", do_fstat, WORKS, WORKS, false },
    { "accepting a peer", do_accept, WORKS, WORKS, false },
    { "ZeroMQ over ipc", do_zmq, WORKS, WORKS, false },
    { "closing ZeroMQ", do_zmq_close, WORKS, WORKS, false },
    { "a signal to itself", do_raise, WORKS, WORKS, false },
    { "open", do_open, WORKS, REFUSED, true },
    { "creating a file", do_create, WORKS, REFUSED, true },
    { "stat", do_stat, WORKS, REFUSED, true },
    { "unlink", do_unlink, WORKS, REFUSED, false },
    { "a socket", do_socket, WORKS, REFUSED, false },
    { "a Unix socket", do_socket_unix, WORKS, REFUSED, false },
    { "connect", do_connect, WORKS, REFUSED, false },
    { "bind", do_bind, WORKS, REFUSED, false },
    { "a thread", do_thread, WORKS, REFUSED, true },
    { "a socket in an earlier thread", do_early_thread, WORKS, REFUSED, false },
    { "memory that runs", do_exec_memory, WORKS, REFUSED, true },
    { "making memory run", do_mprotect_exec, WORKS, REFUSED, true },
    { "a signal to another", do_kill_parent, WORKS, REFUSED, true },
    { "execve", do_exec, DIES, DIES, true },
    { "fork", do_fork, DIES, REFUSED, true },
    { "raw clone", do_vfork_like, DIES, REFUSED, true },
    { "ptrace", do_ptrace, DIES, DIES, true },
    { "mount", do_mount, DIES, DIES, false },
    { "unshare", do_unshare, DIES, DIES, false },
    { "setns", do_setns, DIES, DIES, false },
    { "bpf", do_bpf, DIES, DIES, false },
    { "keyctl", do_keyctl, DIES, DIES, false },
    { "init_module", do_module, DIES, DIES, false },
    { "kexec_load", do_kexec, DIES, DIES, false },
    { "process_vm_readv", do_vm_read, DIES, DIES, false },
    { "io_uring", do_io_uring, DIES, DIES, false },
    { "setuid", do_setuid, DIES, DIES, false },
    { "chroot", do_chroot, DIES, DIES, false },
    { "the 32-bit system calls", do_ia32, DIES, DIES, false },
    { "asking whether dumps and privileges are off", do_dumpable, WORKS, REFUSED, true },
};

static void prepare_child(void)
{
    char endpoint[80];

    zmq_context = zmq_ctx_new();
    zmq_server = zmq_socket(zmq_context, ZMQ_REP);
    zmq_client = zmq_socket(zmq_context, ZMQ_REQ);
    zmq_setsockopt(zmq_client, ZMQ_LINGER, &(int){ 0 }, sizeof(int));
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/zmq", dir);
    if (zmq_bind(zmq_server, endpoint) != 0 || zmq_connect(zmq_client, endpoint) != 0 ||
        pipe(thread_go) != 0 || pthread_create(&early_thread, NULL, thread_tries, NULL) != 0)
        _exit(90);
    if (!do_zmq()) _exit(91);
}

static enum outcome outcome_of(const struct row *row, enum gh_sandbox kind, int *ret_status)
{
    const pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL);
        prepare_child();
        if (gh_sandbox_enter(kind) != GH_OK) _exit(92);
        errno = 0;
        const bool worked = row->attempt();
        _exit(worked ? 0 : errno == EPERM ? 1 : 93);
    }

    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, socket_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fd);
    *ret_status = status;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return DIES;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? WORKS : REFUSED;
}

static void check_row(const struct row *row, enum gh_sandbox kind, enum outcome want)
{
    int status = 0;

    if (SANITIZED && row->not_sanitized) {
        print_message("skipped: a sanitizer build is less shut in\n");
        skip();
    }
    const enum outcome got = outcome_of(row, kind, &status);
    const bool clean = got != REFUSED || (WIFEXITED(status) && WEXITSTATUS(status) == 1);
    if (got != want || !clean)
        fail_msg("%s %s (status %#x); it should be that it %s", row->name, outcome_names[got],
                 (unsigned)status, outcome_names[want]);
}

static void service_row(void **state)
{
    const struct row *row = *state;

    check_row(row, GH_SANDBOX_SERVICE, row->service);
}

static void pure_row(void **state)
{
    const struct row *row = *state;

    check_row(row, GH_SANDBOX_PURE, row->pure);
}

static int setup_row(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)state;
    strcpy(dir, "/tmp/gatehouse-sandbox-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    (void)snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    strcpy(address.sun_path, socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0)
        return -1;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int teardown_row(void **state)
{
    char path[64];

    (void)state;
    close(pair[0]);
    close(pair[1]);
    close(listener);
    unlink(socket_path);
    (void)snprintf(path, sizeof path, "%s/zmq", dir);
    unlink(path);
    (void)snprintf(path, sizeof path, "%s/new", dir);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0] };
    static char names[2 * ROWS][96];
    struct CMUnitTest tests[2 * ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        (void)snprintf(names[2 * i], sizeof names[0], "service: %s %s", rows[i].name,
                       outcome_names[rows[i].service]);
        (void)snprintf(names[2 * i + 1], sizeof names[0], "pure: %s %s", rows[i].name,
                       outcome_names[rows[i].pure]);
        tests[2 * i] = (struct CMUnitTest){ names[2 * i], service_row, setup_row, teardown_row,
                                            (void *)&rows[i] };
        tests[2 * i + 1] = (struct CMUnitTest){ names[2 * i + 1], pure_row, setup_row, teardown_row,
                                                (void *)&rows[i] };
    }
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
