/* CURVE keys: one pair per role, as files of one Z85 line. */
#include "common/bus_internal.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32
#define Z85_CHARS 40

struct gh_bus_keys {
    char own_secret[Z85_CHARS + 1];
    char own_public[Z85_CHARS + 1];
    struct {
        bool known;
        char z85[Z85_CHARS + 1];
        unsigned char raw[KEY_BYTES];
    } roles[GH_ROLE_COUNT];
};

static enum gh_err key_read(const char *path, bool secret, char z85[Z85_CHARS + 1],
                            unsigned char raw[KEY_BYTES])
{
    char text[Z85_CHARS + 2] = "";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) return errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    if (fstat(fd, &st) != 0 || (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)) {
        gh_log(GH_LOG_ERROR, "key_readable_by_others", "file=%s cure=\"chmod 600\"", path);
        close(fd);
        return GH_ERR_CONFIG;
    }
    n = read(fd, text, Z85_CHARS + 1);
    close(fd);
    if (n == Z85_CHARS + 1 && text[Z85_CHARS] == '\n') n--;
    if (n != Z85_CHARS) goto bad;
    text[Z85_CHARS] = '\0';
    if (zmq_z85_decode(raw, text) == NULL) goto bad;
    memcpy(z85, text, Z85_CHARS + 1);
    OPENSSL_cleanse(text, sizeof text);
    return GH_OK;
bad:
    gh_log(GH_LOG_ERROR, "key_malformed", "file=%s cure=\"gatehousectl keys init\"", path);
    return GH_ERR_CONFIG;
}

static size_t role_index(enum gh_role role)
{
    return (size_t)__builtin_ctz((unsigned)role);
}

enum gh_err gh_bus_keys_load(const char *dir, enum gh_role self, struct gh_bus_keys **ret_keys)
{
    struct gh_bus_keys *keys = calloc(1, sizeof *keys);
    unsigned char raw[KEY_BYTES];
    char path[PATH_MAX];
    enum gh_err err;

    if (keys == NULL) return GH_ERR_NOMEM;
    (void)snprintf(path, sizeof path, "%s/%s.secret", dir, gh_role_name(self));
    err = key_read(path, true, keys->own_secret, raw);
    OPENSSL_cleanse(raw, sizeof raw);
    if (err != GH_OK) {
        gh_log(GH_LOG_ERROR, "key_missing", "file=%s cure=\"gatehousectl keys init %s\"", path,
               dir);
        goto fail;
    }
    for (size_t i = 0; i < GH_ROLE_COUNT; i++) {
        (void)snprintf(path, sizeof path, "%s/%s.pub", dir, gh_role_name((enum gh_role)(1u << i)));
        err = key_read(path, false, keys->roles[i].z85, keys->roles[i].raw);
        if (err == GH_ERR_NOT_FOUND) continue; /* a role this host does not talk to */
        if (err != GH_OK) goto fail;
        keys->roles[i].known = true;
    }
    if (zmq_curve_public(keys->own_public, keys->own_secret) != 0) {
        err = GH_ERR_CRYPTO;
        goto fail;
    }
    *ret_keys = keys;
    return GH_OK;
fail:
    gh_bus_keys_free(keys);
    return err == GH_ERR_NOT_FOUND ? GH_ERR_CONFIG : err;
}

void gh_bus_keys_free(struct gh_bus_keys *keys)
{
    if (keys == NULL) return;
    OPENSSL_cleanse(keys, sizeof *keys);
    free(keys);
}

void gh_bus_keys_serve(const struct gh_bus_keys *keys, zsock_t *sock)
{
    zsock_set_zap_domain(sock,
                         "gatehouse"); /* without an answer from our ZAP handler nobody gets in */
    zsock_set_curve_server(sock, 1);
    zsock_set_curve_publickey(sock, keys->own_public);
    zsock_set_curve_secretkey(sock, keys->own_secret);
}

void gh_bus_keys_call(const struct gh_bus_keys *keys, enum gh_role server_role, zsock_t *sock)
{
    zsock_set_curve_serverkey(sock, keys->roles[role_index(server_role)].z85);
    zsock_set_curve_publickey(sock, keys->own_public);
    zsock_set_curve_secretkey(sock, keys->own_secret);
}

enum gh_role gh_bus_keys_role(const struct gh_bus_keys *keys, const unsigned char *public_key)
{
    enum gh_role found = (enum gh_role)0;

    for (size_t i = 0; i < GH_ROLE_COUNT; i++)
        if (keys->roles[i].known && CRYPTO_memcmp(keys->roles[i].raw, public_key, KEY_BYTES) == 0)
            found = (enum gh_role)(1u << i);
    return found;
}

static enum gh_err key_write(const char *path, mode_t mode, const char *z85)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool ok;

    if (fd < 0) return errno == EEXIST ? GH_ERR_EXISTS : GH_ERR_IO;
    ok = write(fd, z85, Z85_CHARS) == Z85_CHARS && write(fd, "\n", 1) == 1;
    ok = fsync(fd) == 0 && ok;
    return close(fd) == 0 && ok ? GH_OK : GH_ERR_IO;
}

enum gh_err gh_bus_keys_init(const char *dir)
{
    char secret_path[PATH_MAX], public_path[PATH_MAX];
    char public_key[Z85_CHARS + 1], secret_key[Z85_CHARS + 1];
    enum gh_err err = GH_OK;

    if (mkdir(dir, 0755) != 0 && errno != EEXIST) return GH_ERR_IO;
    for (size_t i = 0; i < GH_ROLE_COUNT && err == GH_OK; i++) {
        const char *name = gh_role_name((enum gh_role)(1u << i));

        (void)snprintf(secret_path, sizeof secret_path, "%s/%s.secret", dir, name);
        (void)snprintf(public_path, sizeof public_path, "%s/%s.pub", dir, name);
        if (access(secret_path, F_OK) == 0 && access(public_path, F_OK) == 0) continue;
        if (zmq_curve_keypair(public_key, secret_key) != 0) return GH_ERR_CRYPTO;
        err = key_write(secret_path, 0600, secret_key);
        if (err == GH_OK) err = key_write(public_path, 0644, public_key);
        if (err == GH_ERR_EXISTS)
            gh_log(GH_LOG_ERROR, "key_half_there",
                   "role=%s cure=\"remove both %s and %s, then run keys init again\"", name,
                   secret_path, public_path);
    }
    OPENSSL_cleanse(secret_key, sizeof secret_key);
    return err;
}
