#include "common/sandbox.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A sanitizer forks, traces itself and runs a symbolizer to report a leak: those builds get less.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)

/* What no service does: whoever gets here is not our code any more, and dies. */
static const char *const deadly[] = {
    /* other processes */
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    /* file systems */
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "mknod",
    "mknodat",
    "open_by_handle_at",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    "acct",
    /* the kernel */
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "iopl",
    "ioperm",
    "reboot",
    "syslog",
    "lookup_dcookie",
    "vhangup",
    "nfsservctl",
    /* keys, namespaces, identity, time */
    "keyctl",
    "add_key",
    "request_key",
    "unshare",
    "setns",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "stime",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "personality",
};

/* Deadly too, except to a sanitizer. */
static const char *const deadly_unless_sanitized[] = {
    "execve", "execveat", "ptrace", "fork", "vfork",
};

/* GH_SANDBOX_PURE: what a ZeroMQ context, a libuv loop and malloc need once they run. */
static const char *const pure_allowed[] = {
    /* descriptors that are there already, and peers that connect to us */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "close",
    "lseek",
    "fstat",
    "fsync",
    "fdatasync",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "accept",
    "accept4",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "epoll_create1",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "fcntl",
    /* memory; mmap and mprotect have rules of their own */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mincore",
    "mlock", /* libsodium keeps the CURVE keys of each new peer out of swap */
    "munlock",
    /* threads that run already */
    "futex",
    "set_robust_list",
    "rseq",
    "membarrier",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam", /* ZeroMQ's threads ask when they start, which may be after us */
    "sched_getscheduler",
    "sched_get_priority_min",
    "sched_get_priority_max",
    "gettid",
    "getpid",
    "getppid",
    "exit",
    "exit_group",
    "restart_syscall",
    /* signals to ourselves; tgkill has a rule of its own */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "sigaltstack",
    /* asking */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    "getrandom",
    "getrusage",
    "sysinfo",
    "uname",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
};

/* These answer EPERM instead: libraries try them and do well without (a locale, a time zone, the
 * unlink of an ipc socket at the end). All else that is not allowed kills. */
static const char *const pure_refused[] = {
    "open",         "openat",
    "openat2",      "creat",
    "stat",         "lstat",
    "statx",        "statfs",
    "access",       "faccessat",
    "faccessat2",   "readlink",
    "readlinkat",   "getcwd",
    "getdents64",   "unlink",
    "unlinkat",     "rename",
    "renameat",     "renameat2",
    "mkdir",        "mkdirat",
    "rmdir",        "chmod",
    "fchmod",       "fchmodat",
    "socket",       "socketpair",
    "connect",      "bind",
    "listen",       "dup",
    "dup2",         "dup3",
    "pipe",         "pipe2",
    "memfd_create", "clone",
    "kill",         "tkill",
    "prlimit64",    "setrlimit",
    "prctl",        "inotify_init1",
    "signalfd4",    "sched_setaffinity",
    "setpriority",
};

struct filter {
    scmp_filter_ctx ctx;
    int failed; /* the first negative errno */
};

static void add(struct filter *filter, uint32_t action, const char *name, unsigned arg_count,
                const struct scmp_arg_cmp *args)
{
    const int nr = seccomp_syscall_resolve_name(name);

    if (nr == __NR_SCMP_ERROR) return; /* this libseccomp does not know it */
    const int rc = seccomp_rule_add_array(filter->ctx, action, nr, arg_count, args);
    /* -EEXIST: the same as a rule before; -EDOM: not on this architecture */
    if (rc < 0 && rc != -EEXIST && rc != -EDOM && filter->failed == 0) filter->failed = rc;
}

static void add_all(struct filter *filter, uint32_t action, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(filter, action, names[i], 0, NULL);
}

#define ADD_ALL(filter, action, names)                                                             \
    add_all(filter, action, names, sizeof(names) / sizeof((names)[0]))

static void add_masked(struct filter *filter, uint32_t action, const char *name, unsigned arg,
                       uint64_t mask, uint64_t value)
{
    const struct scmp_arg_cmp cmp = SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value);

    add(filter, action, name, 1, &cmp);
}

static void add_equal(struct filter *filter, uint32_t action, const char *name, unsigned arg,
                      uint64_t value)
{
    const struct scmp_arg_cmp cmp = SCMP_CMP64(arg, SCMP_CMP_EQ, value);

    add(filter, action, name, 1, &cmp);
}

static void service_rules(struct filter *filter)
{
    ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, deadly);
    if (SANITIZED) return;
    ADD_ALL(filter, SCMP_ACT_KILL_PROCESS, deadly_unless_sanitized);
    /* Threads yes, processes and namespaces no. clone3 hides its flags in memory: glibc falls back
     * to clone when it is not there. */
    add_masked(filter, SCMP_ACT_KILL_PROCESS, "clone", 0, CLONE_THREAD, 0);
    for (uint64_t bit = 1; bit <= UINT32_MAX; bit <<= 1)
        if ((NEW_NAMESPACES & bit) != 0)
            add_masked(filter, SCMP_ACT_KILL_PROCESS, "clone", 0, bit, bit);
    add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
}

static void pure_rules(struct filter *filter)
{
    ADD_ALL(filter, SCMP_ACT_ALLOW, pure_allowed);
    ADD_ALL(filter, SCMP_ACT_ERRNO(EPERM), pure_refused);
    add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);

    /* Memory that could be run is refused. */
    add_masked(filter, SCMP_ACT_ALLOW, "mmap", 2, PROT_EXEC, 0);
    add_masked(filter, SCMP_ACT_ERRNO(EPERM), "mmap", 2, PROT_EXEC, PROT_EXEC);
    add_masked(filter, SCMP_ACT_ALLOW, "mprotect", 2, PROT_EXEC, 0);
    add_masked(filter, SCMP_ACT_ERRNO(EPERM), "mprotect", 2, PROT_EXEC, PROT_EXEC);

    /* fstat is newfstatat of an empty path in glibc. */
    add_masked(filter, SCMP_ACT_ALLOW, "newfstatat", 3, AT_EMPTY_PATH, AT_EMPTY_PATH);
    add_masked(filter, SCMP_ACT_ERRNO(EPERM), "newfstatat", 3, AT_EMPTY_PATH, 0);

    /* libuv makes what it accepted non-blocking; stdio asks whether stderr is a terminal. */
    add_equal(filter, SCMP_ACT_ALLOW, "ioctl", 1, FIONBIO);
    add_equal(filter, SCMP_ACT_ALLOW, "ioctl", 1, FIOCLEX);
    add_equal(filter, SCMP_ACT_ALLOW, "ioctl", 1, FIONREAD);
    add_equal(filter, SCMP_ACT_ALLOW, "ioctl", 1, TCGETS);

    /* ZeroMQ's threads set what they have when they start, and abort when they may not. */
    add_equal(filter, SCMP_ACT_ALLOW, "sched_setscheduler", 1, SCHED_OTHER);

    add_equal(filter, SCMP_ACT_ALLOW, "tgkill", 0, (uint64_t)getpid()); /* abort() */
}

/* A sanitizer opens and maps what it likes; what matters most is still refused. */
static void pure_rules_sanitized(struct filter *filter)
{
    static const char *const refused[] = { "socket", "connect", "bind",  "listen",
                                           "unlink", "rename",  "mkdir", "creat" };

    service_rules(filter);
    ADD_ALL(filter, SCMP_ACT_ERRNO(EPERM), refused);
}

static enum gh_err load_filter(enum gh_sandbox kind)
{
    const bool closed = kind == GH_SANDBOX_PURE && !SANITIZED;
    struct filter filter = { .ctx = seccomp_init(closed ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW) };

    if (filter.ctx == NULL) return GH_ERR_NOMEM;
    if (closed)
        pure_rules(&filter);
    else if (kind == GH_SANDBOX_PURE)
        pure_rules_sanitized(&filter);
    else
        service_rules(&filter);

    int rc = filter.failed;
    /* every thread, also those ZeroMQ has started; a call of another ABI is an attack */
    if (rc == 0) rc = seccomp_attr_set(filter.ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0) rc = seccomp_attr_set(filter.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) rc = seccomp_load(filter.ctx);
    seccomp_release(filter.ctx);
    if (rc == 0) return GH_OK;
    gh_log(GH_LOG_ERROR, "sandbox_failed", "reason=\"seccomp: %s\"", strerror(-rc));
    return GH_ERR_IO;
}

enum gh_err gh_sandbox_enter(enum gh_sandbox kind)
{
    const struct rlimit none = { 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        gh_log(GH_LOG_ERROR, "sandbox_failed", "reason=\"no_new_privs: %s\"", strerror(errno));
        return GH_ERR_IO;
    }
    /* No core file with keys in it, and no debugger of the same user. */
    if (!SANITIZED &&
        (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)) {
        gh_log(GH_LOG_ERROR, "sandbox_failed", "reason=\"dumpable: %s\"", strerror(errno));
        return GH_ERR_IO;
    }
    const enum gh_err err = load_filter(kind);
    if (err != GH_OK) return err;
    gh_log(SANITIZED ? GH_LOG_WARN : GH_LOG_INFO, "sandboxed", "kind=%s%s",
           kind == GH_SANDBOX_PURE ? "pure" : "service",
           SANITIZED ? " widened=\"sanitizer build\"" : "");
    return GH_OK;
}
