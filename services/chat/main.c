/* gatehouse-chat: the sample application. */
#include "chat.h"
#include "config.h"

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct journal *journal = NULL;
    struct chat *chat = NULL;
    struct gh_app *app = NULL;
    struct chat_config cfg = { 0 };

    enum gh_err err = gh_service_new("chat", GH_ROLE_APP, argc, argv, NULL, &service);
    if (err == GH_OK) err = chat_config_load(gh_service_config(service), &cfg);
    if (err == GH_OK && !gh_service_checking(service)) {
        if (cfg.journal_file[0] != '\0') err = journal_new(cfg.journal_file, &journal);
        if (err == GH_OK) err = chat_new(journal, &chat);
        if (err == GH_OK) err = gh_app_new(service, cfg.bind, &chat_handlers, chat, &app);
        if (err == GH_OK) {
            chat_attach(chat, app);
            err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        }
        if (err == GH_OK) err = gh_service_run(service);
    }
    gh_app_free(app);
    chat_free(chat);
    journal_free(journal);
    return gh_service_exit(service, err);
}
