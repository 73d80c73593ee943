#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FILE *create(const char *dir, const char *name, mode_t mode, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    return fd < 0 ? NULL : fdopen(fd, "w");
}

/* NAME.key.pem (0600) and NAME.pub.pem; kept when the private one is there. */
static int make_pair(const char *dir, const char *name, EVP_PKEY *key)
{
    char path[4096], file[64];

    if (key == NULL) return ctl_fail(CTL_AWAY, "cannot make a key for %s", name);
    snprintf(file, sizeof(file), "%s.key.pem", name);
    FILE *out = create(dir, file, 0600, path, sizeof(path));
    if (out == NULL) {
        int error = errno;
        EVP_PKEY_free(key);
        if (error != EEXIST) return ctl_fail(CTL_AWAY, "%s: %s", path, strerror(error));
        printf("kept %s\n", path);
        return CTL_OK;
    }
    bool ok = PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    ok = fclose(out) == 0 && ok;
    printf("made %s\n", path);
    snprintf(file, sizeof(file), "%s.pub.pem", name);
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    unlink(path); /* of a private key that is gone */
    out = ok ? create(dir, file, 0644, path, sizeof(path)) : NULL;
    if (out != NULL) {
        ok = PEM_write_PUBKEY(out, key) == 1;
        ok = fclose(out) == 0 && ok;
        printf("made %s\n", path);
    }
    EVP_PKEY_free(key);
    return ok && out != NULL ? CTL_OK : ctl_fail(CTL_AWAY, "%s: cannot be written", path);
}

static int make_secret(const char *dir, const char *name)
{
    unsigned char bytes[32];
    char path[4096];
    FILE *out = create(dir, name, 0600, path, sizeof(path));

    if (out == NULL) {
        if (errno != EEXIST) return ctl_fail(CTL_AWAY, "%s: %s", path, strerror(errno));
        printf("kept %s\n", path);
        return CTL_OK;
    }
    bool ok = RAND_bytes(bytes, sizeof(bytes)) == 1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        fprintf(out, "%02x", bytes[i]);
    ok = fclose(out) == 0 && ok;
    if (!ok) return ctl_fail(CTL_AWAY, "%s: cannot be written", path);
    printf("made %s\n", path);
    return CTL_OK;
}

static int make_issuer(const struct ctl_command *self, const char *dir, const char *alg)
{
    if (strcmp(alg, "ES256") == 0) return make_pair(dir, "issuer", EVP_EC_gen("P-256"));
    if (strcmp(alg, "RS256") == 0) return make_pair(dir, "issuer", EVP_RSA_gen(3072));
    if (strcmp(alg, "HS256") == 0) return make_secret(dir, "issuer.secret");
    return ctl_usage(self, "--issuer %s: ES256, RS256 or HS256", alg);
}

int cmd_keys_init(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    bool audit = false, no_bus = false;
    const char *issuer = NULL;
    const struct ctl_option options[] = {
        { "--audit", .flag = &audit, .help = "also audit.key.pem and audit.pub.pem (Ed25519)" },
        { "--issuer", &issuer, .arg = "ALG",
          .help = "also a development issuer: ES256, RS256 (issuer.key.pem) or HS256" },
        { "--no-bus", .flag = &no_bus, .help = "not the CURVE pairs of the bus" },
        { 0 },
    };
    struct ctl_args args;
    int status;

    (void)ctl;
    if (!ctl_parse(self, options, argc, argv, 1, 1, &args, &status)) return status;
    const char *dir = args.items[0];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return ctl_fail(CTL_AWAY, "%s: %s", dir, strerror(errno));
    if (!no_bus) {
        enum gh_err err = gh_bus_keys_init(dir);
        if (err != GH_OK) return ctl_fail(CTL_AWAY, "%s: %s", dir, gh_err_text(err));
        printf("bus keys are in %s\n", dir);
    }
    if (audit) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        status = make_pair(dir, "audit", key);
        if (status != CTL_OK) return status;
    }
    return issuer != NULL ? make_issuer(self, dir, issuer) : CTL_OK;
}
