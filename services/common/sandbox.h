/*
 * sandbox - what a process gives up once it is set up. Covers every thread, those of ZeroMQ too.
 *
 * GH_SANDBOX_SERVICE: no new privileges, no core file, not dumpable (so /proc/self is root's: open
 * what is needed of it before), and a seccomp filter that kills the process on what no service ever
 * does: exec, fork, ptrace, mount, modules, keyrings, bpf, namespaces, io_uring, another identity,
 * another clock, system calls of another ABI. Threads may still start.
 *
 * GH_SANDBOX_PURE: a list of what a running ZeroMQ context, a libuv loop and malloc need; reading
 * and writing what is open, peers that connect to what listens. Opening, sockets, connect, bind,
 * unlink, threads, executable memory and signals to others fail with EPERM (libraries try some and
 * do without); anything else kills. For validator workers, after their endpoints are bound and
 * their threads have started.
 *
 * Under a sanitizer both are wider, which the log says: it forks and traces itself to report.
 * Source: seccomp(2), libseccomp; DESIGN section 1, column "must not".
 */
#ifndef GH_SANDBOX_H
#define GH_SANDBOX_H

#include "common/err.h"

enum gh_sandbox { GH_SANDBOX_SERVICE, GH_SANDBOX_PURE };

/* Cannot be undone. GH_ERR_IO, logged: the kernel refused; go no further then. */
GH_NODISCARD enum gh_err gh_sandbox_enter(enum gh_sandbox kind);

#endif
