#include "sanitize/magic.h"

#include <string.h>

enum kind {
    PNG,
    JPEG,
    GIF,
    WEBP,
    BMP,
    TIFF,
    AVIF,
    HEIC,
    ICO,
    PDF,
    MP4,
    WEBM,
    OGG,
    MP3,
    WAV,
    FLAC,
    AAC,
    ZIP,
    GZIP,
    BZIP2,
    XZ,
    ZSTD,
    SEVENZIP,
    RAR,
    WASM,
    WOFF2,
};

const char *const magic_names[] = { "png",  "jpeg", "gif", "webp", "bmp",   "tiff",  "avif",
                                    "heic", "ico",  "pdf", "mp4",  "webm",  "ogg",   "mp3",
                                    "wav",  "flac", "aac", "zip",  "gzip",  "bzip2", "xz",
                                    "zstd", "7z",   "rar", "wasm", "woff2", NULL };

struct rule {
    enum kind kind;
    unsigned char off, len;
    const char *bytes;
    unsigned char off2, len2;
    const char *bytes2;
};

#define AT(off, bytes) (off), sizeof(bytes) - 1, (bytes)

static const struct rule rules[] = {
    { PNG, AT(0, "\x89PNG\r\n\x1a\n"), AT(12, "IHDR") },
    { JPEG, AT(0, "\xff\xd8\xff") },
    { GIF, AT(0, "GIF87a") },
    { GIF, AT(0, "GIF89a") },
    { WEBP, AT(0, "RIFF"), AT(8, "WEBP") },
    { BMP, AT(0, "BM"), AT(6, "\0\0\0\0") },
    { TIFF, AT(0, "II*\0") },
    { TIFF, AT(0, "MM\0*") },
    { AVIF, AT(4, "ftypavif") },
    { AVIF, AT(4, "ftypavis") },
    { HEIC, AT(4, "ftypheic") },
    { HEIC, AT(4, "ftypheix") },
    { HEIC, AT(4, "ftypmif1") },
    { ICO, AT(0, "\0\0\1\0") },
    { PDF, AT(0, "%PDF-1.") },
    { PDF, AT(0, "%PDF-2.") },
    { MP4, AT(4, "ftypisom") },
    { MP4, AT(4, "ftypiso2") },
    { MP4, AT(4, "ftypmp41") },
    { MP4, AT(4, "ftypmp42") },
    { MP4, AT(4, "ftypavc1") },
    { MP4, AT(4, "ftypM4A ") },
    { MP4, AT(4, "ftypM4V ") },
    { MP4, AT(4, "ftypqt  ") },
    { MP4, AT(4, "ftypdash") },
    { WEBM, AT(0, "\x1a\x45\xdf\xa3") },
    { OGG, AT(0, "OggS\0") },
    { MP3, AT(0, "ID3") },
    { WAV, AT(0, "RIFF"), AT(8, "WAVE") },
    { FLAC, AT(0, "fLaC\0") },
    { AAC, AT(0, "\xff\xf1") },
    { AAC, AT(0, "\xff\xf9") },
    { ZIP, AT(0, "PK\3\4") },
    { ZIP, AT(0, "PK\5\6") },
    { GZIP, AT(0, "\x1f\x8b\x08") },
    { BZIP2, AT(0, "BZh"), AT(4, "1AY&SY") },
    { XZ, AT(0, "\xfd"
                "7zXZ\0") },
    { ZSTD, AT(0, "\x28\xb5\x2f\xfd") },
    { SEVENZIP, AT(0, "7z\xbc\xaf\x27\x1c") },
    { RAR, AT(0, "Rar!\x1a\7\0") },
    { RAR, AT(0, "Rar!\x1a\7\1\0") },
    { WASM, AT(0, "\0asm\1\0\0\0") },
    { WOFF2, AT(0, "wOF2") },
};

static int has(const unsigned char *data, size_t len, const char *bytes, size_t off, size_t n)
{
    return off + n <= len && memcmp(data + off, bytes, n) == 0;
}

/* An MPEG audio frame without ID3: sync, layer III, a real bit rate and sampling rate. */
static int is_mp3_frame(const unsigned char *d, size_t len)
{
    return len >= 4 && d[0] == 0xFF && (d[1] & 0xE6) == 0xE2 && (d[1] & 0x18) != 0x08 &&
           (d[2] & 0xF0) != 0xF0 && (d[2] & 0xF0) != 0 && (d[2] & 0x0C) != 0x0C;
}

uint32_t magic_detect(const void *data, size_t len)
{
    const unsigned char *d = data;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];

        if (!has(d, len, r->bytes, r->off, r->len)) continue;
        if (r->bytes2 != NULL && !has(d, len, r->bytes2, r->off2, r->len2)) continue;
        return (uint32_t)1 << r->kind;
    }
    return is_mp3_frame(d, len) ? (uint32_t)1 << MP3 : 0;
}
