/*
 * sandbox - what a process gives up once it is set up.
 *
 * GH_SANDBOX_SERVICE: no new privileges, no core of secrets, and a seccomp filter that kills the
 * process on what no service ever does (exec, ptrace, mount, module, keyring, bpf, new namespaces
 * ...). GH_SANDBOX_PURE: as above, and no open, socket, connect, bind, accept of new descriptors
 * outside what the already started ZeroMQ threads need: for validator workers, after their
 * endpoints are bound. Source: seccomp(2), libseccomp; DESIGN section 1, column "must not".
 */
#ifndef GH_SANDBOX_H
#define GH_SANDBOX_H

#include "common/err.h"

enum gh_sandbox { GH_SANDBOX_SERVICE, GH_SANDBOX_PURE };

GH_NODISCARD enum gh_err gh_sandbox_enter(enum gh_sandbox kind);

#endif
