#include "validator/signatures/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define MAX_HELPERS 7u
#define WORTH_ONE   8u /* jobs; for fewer a thread is not started */

struct queue {
    struct job *jobs;
    uint32_t n;
    atomic_uint next;
};

static void *work(void *arg)
{
    struct queue *queue = arg;

    for (;;) {
        uint32_t i = atomic_fetch_add(&queue->next, 1);
        struct job *job;

        if (i >= queue->n) return NULL;
        job = &queue->jobs[i];
        if (job->db != NULL) continue;
        if (vectorscan_compile(job->pattern, job->flags, &job->db, &job->error) != HS_SUCCESS)
            job->db = NULL;
    }
}

static uint32_t helpers_for(const struct job *jobs, uint32_t n)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t todo = 0, helpers;

    for (uint32_t i = 0; i < n; i++)
        todo += jobs[i].db == NULL;
    helpers = processors > 1 ? (uint32_t)processors - 1 : 0;
    if (helpers > MAX_HELPERS) helpers = MAX_HELPERS;
    if (helpers > todo / WORTH_ONE) helpers = todo / WORTH_ONE;
    return helpers;
}

void jobs_run(struct job *jobs, uint32_t n)
{
    struct queue queue = { .jobs = jobs, .n = n };
    pthread_t threads[MAX_HELPERS];
    uint32_t wanted = helpers_for(jobs, n), started = 0;
    sigset_t all, before;

    atomic_init(&queue.next, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the helpers inherit it */
    while (started < wanted && pthread_create(&threads[started], NULL, work, &queue) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)work(&queue); /* also when none could be started */
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
