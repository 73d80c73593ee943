#include "stats.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum gh_err stats_create(unsigned count, int *ret_fd)
{
    int fd = memfd_create("gatehouse-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) return GH_ERR_IO;
    if (ftruncate(fd, (off_t)(count * sizeof(struct stats))) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return GH_ERR_IO;
    }
    *ret_fd = fd;
    return GH_OK;
}

enum gh_err stats_map(int fd, unsigned count, struct stats **ret_stats)
{
    size_t size = count * sizeof(struct stats);
    struct stat st;
    void *map;

    if (fstat(fd, &st) != 0 || st.st_size != (off_t)size) return GH_ERR_BAD_MESSAGE;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return GH_ERR_IO;
    *ret_stats = map;
    return GH_OK;
}

void stats_unmap(struct stats *stats, unsigned count)
{
    if (stats != NULL) munmap(stats, count * sizeof *stats);
}
