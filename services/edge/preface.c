#include "preface.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TLS_HANDSHAKE  0x16
#define TLS_HEAD       5
#define TLS_RECORD_MAX (16384 + 256)

bool preface_wait_for(struct preface *preface, size_t bytes)
{
    int low = (int)bytes;

    return setsockopt(preface->socket.fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0;
}

enum preface_step preface_take_proxy(struct preface *preface, bool optional, uint8_t *bytes,
                                     size_t n)
{
    struct proxy_header proxy;

    switch (proxy_header_parse(bytes, n, &proxy)) {
    case PROXY_MORE: return preface_wait_for(preface, n + 1) ? PREFACE_WAIT : PREFACE_ABORT;
    case PROXY_BAD: return PREFACE_ABORT;
    case PROXY_NONE: return optional ? PREFACE_READY : PREFACE_ABORT;
    case PROXY_OK: break;
    }
    if (recv(preface->socket.fd, bytes, proxy.len, 0) != (ssize_t)proxy.len) return PREFACE_ABORT;
    if (proxy.has_address) {
        preface->socket.addr = proxy.source;
        preface->socket.port = proxy.source_port;
    }
    return PREFACE_READY;
}

/* Is the whole first TLS record there? */
enum preface_step preface_has_record(struct preface *preface, const uint8_t *bytes, size_t n)
{
    size_t record;
    int available = 0;

    if (bytes[0] != TLS_HANDSHAKE) {
        preface->socket.tls = false;
        preface->socket.plain_on_tls = true;
        return PREFACE_READY;
    }
    if (n < TLS_HEAD) return preface_wait_for(preface, TLS_HEAD) ? PREFACE_WAIT : PREFACE_ABORT;
    record = (size_t)bytes[3] << 8 | bytes[4];
    if (record == 0 || record > TLS_RECORD_MAX) return PREFACE_ABORT;
    if (ioctl(preface->socket.fd, FIONREAD, &available) != 0) return PREFACE_ABORT;
    if ((size_t)available < TLS_HEAD + record)
        return preface_wait_for(preface, TLS_HEAD + record) ? PREFACE_WAIT : PREFACE_ABORT;
    return PREFACE_READY;
}

ssize_t preface_peek(struct preface *preface, uint8_t *bytes, size_t size)
{
    ssize_t n = recv(preface->socket.fd, bytes, size, MSG_PEEK);

    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return n > 0 ? n : -1;
}
