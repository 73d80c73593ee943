/*
 * wsbench - a WebSocket load generator. Loopback only.
 *
 *   wsbench [options] PORT PATH
 *     -M load       -w messages in flight on each of -c connections, each answer sends the next
 *     -M idle       opens -c connections, prints {"open":N}, holds them until standard input ends,
 *                   then prints how many lived
 *     -M handshake  -c loops of connect, upgrade (and -g), close
 *     -M steady     one message in -i milliseconds on each of -c connections; prints {"open":N},
 *                   then for each line on standard input what came since the last one
 *     -c N  connections (1)             -w N  in flight (1)
 *     -t S  measured seconds (5)        -u S  warm-up (1)
 *     -S    TLS, the certificate is not checked
 *     -B N  source addresses 127.0.0.1..N
 *     -T FILE  bearer tokens, one a line, in turn
 *     -H LINE  extra head line, repeatable
 *     -g WORD  the server speaks first: wait for a message holding WORD; its "csrfToken" is %CSRF%
 *     -j TEXT  send once after that, and wait for an answer that holds -J WORD before the load
 *     -m TEXT  the message; %SEQ% %TS% %CSRF% %CONN% are filled in
 *     -x WORD  only a message holding WORD is an answer (with its %SEQ% checked when -m has one)
 *     -e WORD  a message holding WORD is a refusal
 *
 * The answers to one connection come in the order of its messages; a message's %SEQ% is looked for
 * in its answer, and any other is counted in `wrong`. Standard output: a line {"window":"begin"}
 * and one {"window":"end"} around the measured time, so that whoever reads can sample CPU times,
 * then the result, each one line of JSON. Exit status 1 when a connection failed or an answer was
 * wrong.
 */
#include "conn.h"
#include "hist.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define OPENING_MAX  128 /* handshakes under way at once: below a listen backlog */
#define MESSAGE_SIZE (1u << 20)

enum stage { WAITING, JOINING, RUNNING };

struct flight {
    uint64_t sent_ns, seq;
};

struct client {
    struct conn conn;
    enum stage stage;
    char csrf[128];
    struct flight *flights; /* ring of `window` */
    unsigned head, count;
    uint64_t seq;
    uint64_t due_ns; /* steady: when the next message leaves, if the last is answered by then */
};

struct piece { /* the message, cut at its variables: text, then what follows it */
    const char *text;
    size_t len;
    enum { END, SEQ, TS, CSRF, CONN } then;
};

static struct {
    const char *mode, *gate, *join, *join_gate, *answer, *refusal;
    unsigned connections, window, interval_ms;
    double seconds, warm;
    struct conn_target target;
    char **tokens;
    size_t token_count;
    struct piece message[32];
    bool has_seq;
} opt = { .mode = "load",
          .connections = 1,
          .window = 1,
          .interval_ms = 200,
          .seconds = 5,
          .warm = 1,
          .target = { .host = "127.0.0.1", .headers = "" } };

static struct client *clients;
static struct hist hist;
static bool measuring, stopping;
static uint64_t sent, answered, refused, wrong, handshakes, failed, lost;
static unsigned opening, running;
static int first_status, first_close;

static void die(const char *what)
{
    fprintf(stderr, "wsbench: %s\n", what);
    exit(2);
}

static bool has(const unsigned char *data, size_t len, const char *word)
{
    return memmem(data, len, word, strlen(word)) != NULL;
}

static void cut_message(const char *text)
{
    static const struct {
        const char *name;
        int then;
    } names[] = { { "%SEQ%", SEQ }, { "%TS%", TS }, { "%CSRF%", CSRF }, { "%CONN%", CONN } };
    size_t n = 0;
    const char *from = text;
    for (const char *p = text;; p++) {
        int then = *p == '\0' ? END : -1;
        size_t skip = 0;
        for (size_t i = 0; then < 0 && i < sizeof names / sizeof *names; i++)
            if (strncmp(p, names[i].name, strlen(names[i].name)) == 0) {
                then = names[i].then;
                skip = strlen(names[i].name);
            }
        if (then < 0) continue;
        if (n == sizeof opt.message / sizeof *opt.message) die("too many variables in -m");
        opt.message[n++] = (struct piece){ from, (size_t)(p - from), (unsigned)then };
        opt.has_seq |= then == SEQ;
        if (then == END) return;
        from = p + skip;
        p = from - 1;
    }
}

static size_t fill(const struct client *client, uint64_t seq, char *dst)
{
    size_t n = 0;
    for (const struct piece *piece = opt.message;; piece++) {
        if (n + piece->len + 256 > MESSAGE_SIZE) die("the message is too long");
        memcpy(dst + n, piece->text, piece->len);
        n += piece->len;
        switch (piece->then) {
        case END: return n;
        case SEQ: n += (size_t)sprintf(dst + n, "%llu", (unsigned long long)seq); break;
        case CSRF: n += (size_t)sprintf(dst + n, "%s", client->csrf); break;
        case CONN: n += (size_t)sprintf(dst + n, "%u", client->conn.index); break;
        case TS: {
            struct timespec t;
            clock_gettime(CLOCK_REALTIME_COARSE, &t);
            n += (size_t)sprintf(dst + n, "%lld", (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000);
            break;
        }
        }
    }
}

static void send_next(struct client *client)
{
    static char text[MESSAGE_SIZE];
    if (stopping) return;
    struct flight *flight = &client->flights[(client->head + client->count++) % opt.window];
    flight->seq = client->seq++;
    size_t len = fill(client, flight->seq, text);
    flight->sent_ns = conn_now_ns();
    conn_send_text(&client->conn, text, len);
    if (measuring) sent++;
}

static void begin_load(struct client *client)
{
    client->stage = RUNNING;
    running++;
    opening--;
    if (strcmp(opt.mode, "load") == 0)
        for (unsigned i = 0; i < opt.window; i++)
            send_next(client);
}

static void after_gate(struct client *client)
{
    if (strcmp(opt.mode, "handshake") == 0) {
        handshakes += measuring;
        if (measuring) hist_add(&hist, conn_now_ns() - client->conn.started_ns);
        client->stage = RUNNING; /* the loop closes it and starts the next */
        return;
    }
    if (opt.join == NULL) {
        begin_load(client);
        return;
    }
    client->stage = JOINING;
    static char text[MESSAGE_SIZE];
    size_t n = 0;
    for (const char *p = opt.join; *p != '\0' && n < sizeof text - 256;) {
        if (strncmp(p, "%CSRF%", 6) == 0) {
            n += (size_t)sprintf(text + n, "%s", client->csrf);
            p += 6;
        } else if (strncmp(p, "%CONN%", 6) == 0) {
            n += (size_t)sprintf(text + n, "%u", client->conn.index);
            p += 6;
        } else {
            text[n++] = *p++;
        }
    }
    conn_send_text(&client->conn, text, n);
    if (opt.join_gate == NULL) begin_load(client);
}

static void on_open(struct conn *conn)
{
    struct client *client = conn->user;
    client->stage = WAITING;
    if (opt.gate == NULL) after_gate(client);
}

static void check_seq(const struct flight *flight, const unsigned char *data, size_t len)
{
    char digits[24];
    int n = sprintf(digits, "%llu", (unsigned long long)flight->seq);
    for (const unsigned char *p = data;
         (p = memmem(p, len - (size_t)(p - data), digits, (size_t)n)); p++) {
        bool left = p > data && p[-1] >= '0' && p[-1] <= '9';
        bool right = p + n < data + len && p[n] >= '0' && p[n] <= '9';
        if (!left && !right) return;
    }
    wrong++;
}

static void on_message(struct conn *conn, const unsigned char *data, size_t len)
{
    struct client *client = conn->user;
    switch (client->stage) {
    case WAITING: {
        if (!has(data, len, opt.gate)) return;
        const unsigned char *csrf = memmem(data, len, "\"csrfToken\":\"", 13);
        if (csrf != NULL) {
            csrf += 13;
            const unsigned char *end = memchr(csrf, '"', len - (size_t)(csrf - data));
            if (end != NULL && (size_t)(end - csrf) < sizeof client->csrf) {
                memcpy(client->csrf, csrf, (size_t)(end - csrf));
                client->csrf[end - csrf] = '\0';
            }
        }
        after_gate(client);
        return;
    }
    case JOINING:
        if (has(data, len, opt.join_gate)) begin_load(client);
        return;
    case RUNNING: break;
    }
    if (client->count == 0) return;
    bool refusal = opt.refusal != NULL && has(data, len, opt.refusal);
    if (!refusal && opt.answer != NULL && !has(data, len, opt.answer)) return;
    struct flight *flight = &client->flights[client->head];
    client->head = (client->head + 1) % opt.window;
    client->count--;
    if (refusal) {
        refused += measuring;
    } else {
        if (opt.has_seq) check_seq(flight, data, len);
        if (measuring) {
            answered++;
            hist_add(&hist, conn_now_ns() - flight->sent_ns);
        }
    }
    if (strcmp(opt.mode, "load") == 0) send_next(client);
}

static const struct conn_events events = { on_open, on_message };

static void start(struct client *client)
{
    const char *token =
        opt.token_count > 0 ? opt.tokens[client->conn.index % opt.token_count] : NULL;
    client->stage = WAITING;
    client->head = client->count = 0;
    opening++;
    if (!conn_start(&client->conn, &opt.target, token)) {
        failed++;
        opening--;
    }
}

static void end(struct client *client)
{
    bool was_running = client->stage == RUNNING && client->conn.state == CONN_OPEN;
    if (first_status == 0) first_status = client->conn.http_status;
    if (first_close == 0) first_close = client->conn.close_code;
    conn_close(&client->conn, false);
    if (was_running && strcmp(opt.mode, "handshake") != 0) {
        lost++;
        running--;
    } else {
        failed++;
        opening--;
        if (strcmp(opt.mode, "handshake") == 0 && !stopping) start(client);
    }
}

static void turn(int timeout_ms)
{
    struct epoll_event ready[256];
    int n = epoll_wait(opt.target.epoll, ready, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *conn = ready[i].data.ptr;
        struct client *client = conn->user;
        if (conn->state == CONN_CLOSED) continue;
        if (!conn_io(conn, &opt.target, &events, ready[i].events)) {
            end(client);
        } else if (client->stage == RUNNING && strcmp(opt.mode, "handshake") == 0) {
            conn_close(conn, true);
            opening--;
            if (!stopping) start(client);
        }
    }
}

static void run_for(double seconds)
{
    uint64_t until = conn_now_ns() + (uint64_t)(seconds * 1e9);
    while (conn_now_ns() < until)
        turn(10);
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void open_all(void)
{
    unsigned next = 0;
    while (next < opt.connections || opening > 0) {
        while (next < opt.connections && opening < OPENING_MAX)
            start(&clients[next++]);
        turn(1000);
    }
}

static void hold(void)
{
    printf("{\"open\":%u}\n", running);
    fflush(stdout);
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    char byte;
    for (;;) {
        turn(50);
        if (poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0) break;
    }
}

static void print_result(double setup_s, double seconds, unsigned live)
{
    printf("{\"connections\":%u,\"live\":%u,\"setup_s\":%.3f,\"seconds\":%.3f,\"failed\":%llu,"
           "\"lost\":%llu,\"sent\":%llu,\"answered\":%llu,\"refused\":%llu,\"wrong\":%llu,"
           "\"msgs_per_s\":%.0f,\"handshakes\":%llu,\"handshakes_per_s\":%.0f,\"mean_us\":%.1f,"
           "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"http_status\":%d,"
           "\"close_code\":%d}\n",
           opt.connections, live, setup_s, seconds, (unsigned long long)failed,
           (unsigned long long)lost, (unsigned long long)sent, (unsigned long long)answered,
           (unsigned long long)refused, (unsigned long long)wrong, (double)answered / seconds,
           (unsigned long long)handshakes, (double)handshakes / seconds, hist_mean_us(&hist),
           hist_quantile_us(&hist, 0.5), hist_quantile_us(&hist, 0.9),
           hist_quantile_us(&hist, 0.99), (double)hist.max_ns / 1000.0, first_status, first_close);
    fflush(stdout);
}

static void send_due(uint64_t now_ns)
{
    uint64_t interval_ns = (uint64_t)opt.interval_ms * 1000000u;

    for (unsigned i = 0; i < opt.connections; i++) {
        struct client *client = &clients[i];

        if (client->conn.state != CONN_OPEN || client->count > 0 || now_ns < client->due_ns)
            continue;
        client->due_ns += interval_ns;
        if (client->due_ns < now_ns) client->due_ns = now_ns + interval_ns;
        send_next(client);
        if (!conn_flush(&client->conn, &opt.target)) end(client);
    }
}

/* Evenly spread over the interval, so that the generator never has two to send at once. */
static void steady(double setup_s)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    uint64_t begin = conn_now_ns();
    char byte;

    printf("{\"open\":%u}\n", running);
    fflush(stdout);
    measuring = true;
    for (unsigned i = 0; i < opt.connections; i++)
        clients[i].due_ns = begin + (uint64_t)opt.interval_ms * 1000000u * i / opt.connections;
    for (;;) {
        turn(1);
        send_due(conn_now_ns());
        if (poll(&in, 1, 0) <= 0) continue;
        if (read(STDIN_FILENO, &byte, 1) <= 0) return;
        if (byte != '\n') continue;
        print_result(setup_s, (double)(conn_now_ns() - begin) / 1e9, running);
        begin = conn_now_ns();
        memset(&hist, 0, sizeof hist);
        sent = answered = refused = wrong = 0;
    }
}

static void load_tokens(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    if (file == NULL) die("cannot read the file of tokens");
    while (getline(&line, &cap, file) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0') continue;
        opt.tokens = realloc(opt.tokens, (opt.token_count + 1) * sizeof *opt.tokens);
        if (opt.tokens == NULL || (opt.tokens[opt.token_count++] = strdup(line)) == NULL)
            die("out of memory");
    }
    free(line);
    fclose(file);
    if (opt.token_count == 0) die("the file of tokens is empty");
}

static void parse(int argc, char **argv)
{
    static char headers[8192];
    int o;
    cut_message("{\"type\":\"chat\",\"payload\":{\"text\":\"%SEQ%\"}}");
    while ((o = getopt(argc, argv, "M:c:w:t:u:i:SB:T:H:g:j:J:m:x:e:")) != -1)
        switch (o) {
        case 'M': opt.mode = optarg; break;
        case 'c': opt.connections = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'w': opt.window = (unsigned)strtoul(optarg, NULL, 10); break;
        case 't': opt.seconds = strtod(optarg, NULL); break;
        case 'u': opt.warm = strtod(optarg, NULL); break;
        case 'i': opt.interval_ms = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'S':
            opt.target.tls = SSL_CTX_new(TLS_client_method());
            if (opt.target.tls == NULL) die("no TLS");
            SSL_CTX_set_mode(opt.target.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                                 SSL_MODE_RELEASE_BUFFERS);
            SSL_CTX_set_session_cache_mode(opt.target.tls, SSL_SESS_CACHE_OFF);
            break;
        case 'B': opt.target.source_count = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'T': load_tokens(optarg); break;
        case 'H':
            if (strlen(headers) + strlen(optarg) + 3 > sizeof headers) die("-H is too long");
            strcat(strcat(headers, optarg), "\r\n");
            opt.target.headers = headers;
            break;
        case 'g': opt.gate = optarg; break;
        case 'j': opt.join = optarg; break;
        case 'J': opt.join_gate = optarg; break;
        case 'm': opt.has_seq = false, cut_message(optarg); break;
        case 'x': opt.answer = optarg; break;
        case 'e': opt.refusal = optarg; break;
        default: die("the options are listed at the head of its main.c");
        }
    if (argc - optind != 2 || opt.connections == 0 || opt.window == 0) die("usage: PORT PATH");
    opt.target.port = (uint16_t)strtoul(argv[optind], NULL, 10);
    opt.target.path = argv[optind + 1];
    if (strcmp(opt.mode, "load") != 0 && strcmp(opt.mode, "idle") != 0 &&
        strcmp(opt.mode, "handshake") != 0 && strcmp(opt.mode, "steady") != 0)
        die("-M is load, idle, handshake or steady");
    if (opt.interval_ms == 0) die("-i is at least 1");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    opt.target.epoll = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(opt.connections, sizeof *clients);
    if (clients == NULL || opt.target.epoll < 0) die("out of memory");
    for (unsigned i = 0; i < opt.connections; i++) {
        clients[i].conn.index = i;
        clients[i].conn.user = &clients[i];
        clients[i].flights = calloc(opt.window, sizeof *clients[i].flights);
        if (clients[i].flights == NULL) die("out of memory");
    }

    uint64_t t0 = conn_now_ns();
    bool handshake = strcmp(opt.mode, "handshake") == 0;
    if (handshake)
        for (unsigned i = 0; i < opt.connections; i++)
            start(&clients[i]);
    else
        open_all();
    double setup_s = (double)(conn_now_ns() - t0) / 1e9, seconds = opt.seconds;
    if (strcmp(opt.mode, "idle") == 0) {
        hold();
    } else if (strcmp(opt.mode, "steady") == 0) {
        steady(setup_s);
    } else {
        run_for(opt.warm);
        say("{\"window\":\"begin\"}");
        measuring = true;
        uint64_t begin = conn_now_ns();
        run_for(opt.seconds);
        measuring = false;
        seconds = (double)(conn_now_ns() - begin) / 1e9;
        say("{\"window\":\"end\"}");
    }
    stopping = true;
    unsigned live = running;
    for (unsigned i = 0; i < opt.connections; i++)
        conn_close(&clients[i].conn, true);

    print_result(setup_s, seconds, live);
    return failed > 0 || lost > 0 || wrong > 0;
}
