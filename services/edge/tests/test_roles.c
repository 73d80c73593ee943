/* What a role table makes of the grants a connection has. */
#include "roles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ProtobufCBinaryData user_roles[] = { { 4, (uint8_t *)"user" } };
static ProtobufCBinaryData chief_roles[] = { { 9, (uint8_t *)"moderator" },
                                             { 4, (uint8_t *)"user" } };
static ProtobufCBinaryData bad_roles[] = { { 3, (uint8_t *)"a,b" }, { 4, (uint8_t *)"user" } };

static Gh__RoleGrant grants[] = {
    { PROTOBUF_C_MESSAGE_INIT(&gh__role_grant__descriptor),
      { 12, (uint8_t *)"Domain Users" },
      1,
      user_roles },
    { PROTOBUF_C_MESSAGE_INIT(&gh__role_grant__descriptor),
      { 5, (uint8_t *)"chief" },
      2,
      chief_roles },
    { PROTOBUF_C_MESSAGE_INIT(&gh__role_grant__descriptor), { 3, (uint8_t *)"bad" }, 2, bad_roles },
};
static Gh__RoleGrant *grant_list[] = { &grants[0], &grants[1], &grants[2] };

struct row {
    const char *name;
    bool set;
    const char *grants[4];
    const char *roles;
    size_t room; /* 0: enough */
    bool full;
};

static const struct row rows[] = {
    { "roles: a grant with a space", true, { "Domain Users" }, "user" },
    { "roles: each once", true, { "Domain Users", "chief" }, "user,moderator" },
    { "roles: what the table does not have is worth nothing", true, { "user", "admin" }, "" },
    { "roles: no grants", true, { NULL }, "" },
    { "roles: a name with a comma is no role", true, { "bad" }, "user" },
    { "roles: another case is another grant", true, { "Chief" }, "" },
    { "roles: a longer grant is another one", true, { "chiefs" }, "" },
    { "roles: without a table the grants", false, { "user", "x.y:z-1_" }, "user,x.y:z-1_" },
    { "roles: without a table only those that are names",
      false,
      { "Domain Users", "a,b", "user" },
      "user" },
    { "roles: without a table each once", false, { "user", "user" }, "user" },
    { "roles: part of a name is not the name", false, { "users", "user" }, "users,user" },
    { "roles: more than fit are none",
      false,
      { "user", "moderator" },
      "",
      .room = 8,
      .full = true },
};

static void roles_row(void **state)
{
    const struct row *row = *state;
    Gh__RoleTable table = GH__ROLE_TABLE__INIT;
    Gh__AuthVerdict verdict = GH__AUTH_VERDICT__INIT;
    ProtobufCBinaryData list[4];
    char text[ROLES_LIST_MAX];
    struct origin *origin;
    size_t len = 99;

    table.set = row->set;
    table.grants = grant_list;
    table.n_grants = sizeof grant_list / sizeof grant_list[0];
    for (size_t i = 0; i < 4 && row->grants[i] != NULL; i++)
        list[verdict.n_grants++] =
            (ProtobufCBinaryData){ strlen(row->grants[i]), (uint8_t *)row->grants[i] };
    verdict.grants = list;
    origin = origin_new(&verdict);
    assert_non_null(origin);
    assert_int_equal(
        roles_expand(&table, origin, text, row->room > 0 ? row->room : sizeof text, &len),
        !row->full);
    assert_int_equal(len, strlen(row->roles));
    assert_memory_equal(text, row->roles, len);
    free(origin);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0] };
    static struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, roles_row, NULL, NULL, (void *)&rows[i] };
    return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
