/*
 * preface - a socket that is not a connection yet, and what it says first.
 *
 * Bytes are looked at and left to the kernel, but for a PROXY header, which is taken off. How many
 * are needed before it is worth another look is told to the kernel (SO_RCVLOWAT), so a client that
 * sends byte by byte wakes nobody.
 */
#ifndef EDGE_PREFACE_H
#define EDGE_PREFACE_H

#include "conn.h"
#include "proxy_header.h"
#include "wheel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct listener;

struct preface { /* in one of the listener's lists */
    uv_poll_t poll;
    struct listener *listener;
    struct preface *prev, *next; /* in listener.prefaces, or in listener.ready */
    struct wheel_timer timer;
    struct conn_socket socket;
    size_t peeked; /* bytes seen the last time: no more means that the client has finished */
    bool want_proxy;
    bool judged;
    bool ready;
};

enum preface_step { PREFACE_WAIT, PREFACE_ABORT, PREFACE_READY };

/* False: the socket is broken. */
bool preface_wait_for(struct preface *preface, size_t bytes);
/* How many bytes are there, at most size, still unread. 0: none yet. -1: ended or broken. */
ssize_t preface_peek(struct preface *preface, uint8_t *bytes, size_t size);
/* bytes: the n that preface_peek saw. Takes a PROXY header off, and the address it tells; READY
 * without one only where it is optional. */
enum preface_step preface_take_proxy(struct preface *preface, bool optional, uint8_t *bytes,
                                     size_t n);
/* READY: the first TLS record is there whole, or this is no TLS (socket.plain_on_tls). */
enum preface_step preface_has_record(struct preface *preface, const uint8_t *bytes, size_t n);

#endif
