/*
 * chat - the sample application: what it says to whom.
 *
 * type          payload                          effect
 * join, leave   {room}                           in or out of a room
 * chat          {text, room} | {text, to}        to the room (its sender too), to a user;
 *               {text}                           back to its sender alone
 * typing        {room}                           to the room but not its sender; a slow client
 *                                                gets the newest of each room
 * file_upload   {name, size, mime?, room | to}   a notice of it, to the room or user
 * notification  {text, room? | to?}              to a room, a user, or everybody
 * ack           {id, to}                         a receipt to the user who sent `id`
 *
 * What is said goes out as {"type", "payload": {..., "from": user}, "id"?, "timestamp"}; `from` is
 * who the gate says is speaking. A message with an id is acknowledged to its sender,
 * {"type":"ack","payload":{"id":...}}, once it is taken (and in the journal, if there is one); what
 * cannot be done is answered {"type":"error","payload":{"code","message","requestId","id"?}} with a
 * code of the gate.
 */
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "common/app/app.h"

#include "journal.h"

struct chat;

/* Borrows journal (may be NULL). */
GH_NODISCARD enum gh_err chat_new(struct journal *journal, struct chat **ret_chat);
void chat_free(struct chat *chat); /* NULL is a no-op; after gh_app_free */
void chat_attach(struct chat *chat, struct gh_app *app);

extern const struct gh_app_handlers chat_handlers;

#endif
