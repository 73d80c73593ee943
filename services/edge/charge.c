#include "charge.h"

#include "ban_feed.h"
#include "delivery.h"
#include "edge.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define USER_CLASS  "user"
#define ASKS_MAX    256
#define ASK_TIMEOUT 500  /* ms; then the local share decides */
#define AWAY_MS     1000 /* after a failed ask, how long the limiter counts as away */
#define SWEEP_MS    500
#define SWEEP_SHARE 8 /* of the table, looked at per sweep */
#define RETURNS_MAX 256

struct ask { /* one LeaseRequest under way */
    struct ask *next;
    struct charge *charge;
    size_t n;
    struct lease *leases[ASKS_MAX];
};

struct charge {
    struct edge *edge;
    struct gh_client *client;
    struct lease_table *table;
    uv_timer_t *timer;
    struct ask *open, *free;
    int64_t away_until_ms;
    Gh__LeaseAsk asks[ASKS_MAX], *ask_ptrs[ASKS_MAX];
    size_t n_returns;
};

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_away(const struct charge *charge)
{
    return gh_client_up_count(charge->client) == 0 ||
           edge_now(charge->edge) < charge->away_until_ms;
}

static void fill_ask(Gh__LeaseAsk *ask, const struct lease *lease, uint32_t tokens)
{
    gh__lease_ask__init(ask);
    ask->rate_class = gh_bytes(lease->name, lease->class_len);
    ask->key = gh_bytes(lease->name + lease->class_len, lease->key_len);
    ask->tokens = tokens;
}

static void ask_done(struct ask *ask)
{
    struct charge *charge = ask->charge;

    for (size_t i = 0; i < ask->n; i++)
        delivery_wake(&ask->leases[i]->waiters);
    for (size_t i = 0; i < ask->n; i++)
        lease_unpin(charge->table, ask->leases[i]);
    ask->n = 0;
    ask->next = charge->free;
    charge->free = ask;
}

static void on_granted(void *ctx, enum gh_err err, const void *body)
{
    struct ask *ask = ctx;
    struct charge *charge = ask->charge;
    const Gh__LeaseReply *reply = body;
    int64_t now = edge_now(charge->edge);

    if (err == GH_OK && reply->n_grants != ask->n) err = GH_ERR_BAD_MESSAGE;
    if (err != GH_OK) charge->away_until_ms = now + AWAY_MS;
    for (size_t i = 0; i < ask->n; i++) {
        if (err != GH_OK) {
            lease_ask_failed(ask->leases[i]);
            continue;
        }
        lease_granted(ask->leases[i], reply->grants[i]->tokens, reply->grants[i]->retry_after_ms,
                      reply->grants[i]->lease_ms, reply->grants[i]->known != 0, now);
        *charge->edge->stats.lease_tokens += reply->grants[i]->tokens;
    }
    ask_done(ask);
    delivery_flush(charge->edge);
}

static void send_open(struct charge *charge)
{
    struct ask *ask = charge->open;
    Gh__LeaseRequest request = GH__LEASE_REQUEST__INIT;
    int64_t now = edge_now(charge->edge);

    charge->open = NULL;
    for (size_t i = 0; i < ask->n; i++) {
        ask->leases[i]->asking = false; /* so that lease_wants says how many */
        uint32_t want = lease_wants(ask->leases[i], now);

        fill_ask(&charge->asks[i], ask->leases[i], want > 0 ? want : LEASE_ASK_MIN);
        charge->ask_ptrs[i] = &charge->asks[i];
        lease_asked(ask->leases[i]);
    }
    request.asks = charge->ask_ptrs;
    request.n_asks = ask->n;
    (*charge->edge->stats.lease_asks)++;
    if (gh_client_call(charge->client, gh_client_peer_any(charge->client),
                       GH__ENVELOPE__BODY_LEASE_REQUEST, &request, GH__ENVELOPE__BODY_LEASE_REPLY,
                       ASK_TIMEOUT, on_granted, ask) == GH_OK)
        return;
    charge->away_until_ms = now + AWAY_MS;
    for (size_t i = 0; i < ask->n; i++)
        lease_ask_failed(ask->leases[i]);
    ask_done(ask);
}

static bool want(struct charge *charge, struct lease *lease)
{
    struct ask *ask = charge->open;

    if (ask == NULL) {
        ask = charge->free;
        if (ask != NULL)
            charge->free = ask->next;
        else
            ask = malloc(sizeof *ask);
        if (ask == NULL) return false;
        ask->charge = charge;
        ask->n = 0;
        charge->open = ask;
    }
    lease->pins++;
    lease_asked(lease);
    ask->leases[ask->n++] = lease;
    if (ask->n == ASKS_MAX) send_open(charge);
    return true;
}

/* --- spending --------------------------------------------------------------------------------- */

static enum lease_answer spend(struct charge *charge, struct lease *lease)
{
    int64_t now = edge_now(charge->edge);
    bool away = is_away(charge);
    enum lease_answer answer = lease_spend(charge->table, lease, 1, away, now);

    if (!away && lease_wants(lease, now) > 0 && !want(charge, lease) && answer == LEASE_WAIT)
        return LEASE_NO;
    if (away && answer == LEASE_YES && now >= lease->ends_ms) (*charge->edge->stats.local_share)++;
    return answer;
}

static struct lease *user_lease(struct conn *conn)
{
    struct charge *charge = conn->edge->charge;

    if (conn->user_lease == NULL)
        conn->user_lease =
            lease_pin(charge->table, USER_CLASS, sizeof USER_CLASS - 1, conn->identity->user,
                      conn->identity->user_len, edge_now(conn->edge));
    return conn->user_lease;
}

static struct lease *type_lease(struct conn *conn, const void *rate_class, size_t len)
{
    struct charge *charge = conn->edge->charge;
    struct lease *lease = conn->type_lease;

    if (lease != NULL && lease->class_len == len && memcmp(lease->name, rate_class, len) == 0)
        return lease;
    lease_unpin(charge->table, lease);
    conn->type_lease = lease_pin(charge->table, rate_class, len, conn->identity->user,
                                 conn->identity->user_len, edge_now(conn->edge));
    return conn->type_lease;
}

enum lease_answer charge_take(struct conn *conn, const void *rate_class, size_t len,
                              struct lease **ret_lease, uint64_t *ret_retry_ms)
{
    struct charge *charge = conn->edge->charge;
    struct lease *user = user_lease(conn), *type = NULL;
    enum lease_answer answer = LEASE_NO;

    *ret_retry_ms = 1000;
    if (user == NULL) return LEASE_NO; /* the table is full: nothing is let past unpaid */
    answer = spend(charge, user);
    *ret_lease = user;
    if (answer == LEASE_YES && len > 0) {
        type = type_lease(conn, rate_class, len);
        answer = type != NULL ? spend(charge, type) : LEASE_NO;
        if (type != NULL) *ret_lease = type;
        if (answer != LEASE_YES) lease_unspend(user, 1);
    }
    if (answer == LEASE_NO && (len == 0 || type != NULL || user != NULL))
        *ret_retry_ms = lease_retry_ms(*ret_lease, edge_now(conn->edge));
    return answer;
}

void charge_prefetch(struct conn *conn)
{
    struct charge *charge = conn->edge->charge;
    struct lease *lease = user_lease(conn);

    if (lease != NULL && !is_away(charge) && lease_wants(lease, edge_now(conn->edge)) > 0)
        (void)want(charge, lease);
}

void charge_forget(struct conn *conn)
{
    struct charge *charge = conn->edge->charge;

    lease_unpin(charge->table, conn->user_lease);
    lease_unpin(charge->table, conn->type_lease);
    conn->user_lease = conn->type_lease = NULL;
}

void charge_flush(struct charge *charge)
{
    if (charge->open != NULL) send_open(charge);
}

/* --- giving back ------------------------------------------------------------------------------ */

static void send_returns(struct charge *charge)
{
    Gh__LeaseReturn message = GH__LEASE_RETURN__INIT;

    message.unspent = charge->ask_ptrs;
    message.n_unspent = charge->n_returns;
    charge->n_returns = 0;
    if (gh_client_tell(charge->client, gh_client_peer_any(charge->client),
                       GH__ENVELOPE__BODY_LEASE_RETURN, &message) != GH_OK)
        return; /* they lapse with the lease: that only under-admits */
}

static void give_back(void *ctx, const struct lease *lease, uint32_t tokens)
{
    struct charge *charge = ctx;

    fill_ask(&charge->asks[charge->n_returns], lease, tokens);
    charge->ask_ptrs[charge->n_returns] = &charge->asks[charge->n_returns];
    if (++charge->n_returns == RETURNS_MAX) send_returns(charge);
}

static void on_sweep(uv_timer_t *timer)
{
    struct charge *charge = timer->data;

    lease_sweep(charge->table, lease_count(charge->table) / SWEEP_SHARE + 64,
                edge_now(charge->edge), give_back, charge);
    if (charge->n_returns > 0) send_returns(charge);
}

/* --- life ------------------------------------------------------------------------------------- */

struct gh_client *charge_client(struct charge *charge)
{
    return charge->client;
}

enum gh_err charge_new(struct edge *edge, const char *endpoint, struct charge **ret_charge)
{
    struct charge *charge = calloc(1, sizeof *charge);
    struct gh_client_config config;
    enum gh_err err;

    if (charge == NULL) return GH_ERR_NOMEM;
    charge->edge = edge;
    err = lease_table_new(edge->config.class_items.items, edge->config.class_items.count,
                          edge->config.away_share, &charge->table);
    if (err != GH_OK) goto fail;
    gh_service_client_init(edge->service, endpoint, GH_ROLE_LIMITER, &config);
    config.max_in_flight = 4096;
    ban_feed_attach(edge->ban_feed, &config);
    err = gh_client_new(edge->loop, &config, &charge->client);
    if (err != GH_OK) goto fail;
    ban_feed_start(edge->ban_feed, charge->client);
    charge->timer = malloc(sizeof *charge->timer);
    err = GH_ERR_NOMEM;
    if (charge->timer == NULL) goto fail;
    (void)uv_timer_init(edge->loop, charge->timer);
    charge->timer->data = charge;
    (void)uv_timer_start(charge->timer, on_sweep, SWEEP_MS, SWEEP_MS);
    *ret_charge = charge;
    return GH_OK;
fail:
    charge_free(charge);
    return err;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void charge_free(struct charge *charge)
{
    if (charge == NULL) return;
    if (charge->timer != NULL) uv_close((uv_handle_t *)charge->timer, timer_closed);
    if (charge->client != NULL && charge->table != NULL) {
        lease_return_all(charge->table, edge_now(charge->edge), give_back, charge);
        if (charge->n_returns > 0) send_returns(charge);
    }
    gh_client_free(charge->client);
    lease_table_free(charge->table);
    free(charge->open);
    while (charge->free != NULL) {
        struct ask *next = charge->free->next;

        free(charge->free);
        charge->free = next;
    }
    free(charge);
}
