/*
 * tls_watch - notices that the files TLS was made from were replaced, and takes the new ones.
 *
 * Every edge.tls.watch_files it asks stat(2) for each file of edge.tls (certificates, keys, OCSP
 * responses, authorities of clients) and compares device, inode, size and time of change. Links are
 * followed, so a folder that is swapped by a link, as certbot and Kubernetes do it, counts; inotify
 * would watch the folder that was there before. A certificate and its key are two files: a change
 * is taken once all of them have stood still from one look to the next. It is taken as at SIGHUP,
 * all or nothing; files that do not fit are said once and looked at again when they change.
 */
#ifndef EDGE_TLS_WATCH_H
#define EDGE_TLS_WATCH_H

#include "config.h"
#include "tls_pair.h"

#include <uv.h>

#define TLS_WATCH_FILES (3 * TLS_PAIRS_MAX + 1)

struct edge;
struct tls_watch;

/* Before the files are read: what is replaced meanwhile is seen as new. */
GH_NODISCARD enum gh_err tls_watch_new(struct edge *edge, struct tls_watch **ret_watch);
void tls_watch_free(struct tls_watch *watch); /* NULL is a no-op */

struct tls_sight { /* zeroed: no file is there */
    struct {
        uint64_t device, inode, size;
        int64_t changed_ns; /* which moves whenever the content's time does */
    } files[TLS_WATCH_FILES];
};

struct tls_look {
    struct tls_sight taken, last;
};

/* Somebody else has read the files (SIGHUP), having begun this look before. NULL is a no-op. */
void tls_watch_taken(struct tls_watch *watch, const struct tls_look *look);

/* The look alone. */
void tls_look_begin(struct tls_look *look, const struct edge_tls_config *config);
/* True: the files are others than those taken, and the same as at the last call. They count as
 * taken from then on. */
bool tls_look_changed(struct tls_look *look, const struct edge_tls_config *config);

#endif
