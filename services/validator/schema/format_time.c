/* RFC 3339: section 5.6, and durations as in its appendix A. */
#include "validator/schema/format.h"

static bool two_digits(const char *p, unsigned max, unsigned *ret_v)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *ret_v = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
    return *ret_v <= max;
}

bool format_date(const char *text, size_t len)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned century, year, month, day;

    if (len != 10 || text[4] != '-' || text[7] != '-') return false;
    if (!two_digits(text, 99, &century) || !two_digits(text + 2, 99, &year) ||
        !two_digits(text + 5, 12, &month) || !two_digits(text + 8, 31, &day))
        return false;
    if (month == 0 || day == 0) return false;
    year += century * 100;
    if (month == 2 && day == 29) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1];
}

bool format_time(const char *text, size_t len)
{
    unsigned hour, minute, second, off_hour = 0, off_minute = 0;
    size_t i = 8;
    int utc;

    if (len < 9 || text[2] != ':' || text[5] != ':') return false;
    if (!two_digits(text, 23, &hour) || !two_digits(text + 3, 59, &minute) ||
        !two_digits(text + 6, 60, &second))
        return false;
    if (text[i] == '.') {
        size_t from = ++i;

        while (i < len && text[i] >= '0' && text[i] <= '9')
            i++;
        if (i == from) return false;
    }
    if (i == len) return false;
    utc = (int)(hour * 60 + minute);
    if (text[i] == 'Z' || text[i] == 'z') {
        if (i + 1 != len) return false;
    } else if (text[i] == '+' || text[i] == '-') {
        if (len - i != 6 || text[i + 3] != ':' || !two_digits(text + i + 1, 23, &off_hour) ||
            !two_digits(text + i + 4, 59, &off_minute))
            return false;
        utc += (text[i] == '+' ? -1 : 1) * (int)(off_hour * 60 + off_minute);
    } else {
        return false;
    }
    /* A leap second comes at 23:59 UTC. */
    return second < 60 || (utc + 2 * 1440) % 1440 == 23 * 60 + 59;
}

bool format_date_time(const char *text, size_t len)
{
    return len > 11 && (text[10] == 'T' || text[10] == 't') && format_date(text, 10) &&
           format_time(text + 11, len - 11);
}

/* Digits and a unit for as long as the units stand in order; a unit skipped ends the chain of those
 * that may follow it (hours, then seconds without minutes: no). */
static bool units(const char **p, const char *end, const char *order, bool *ret_any)
{
    const char *expected = order;

    *ret_any = false;
    while (*p < end && **p >= '0' && **p <= '9') {
        while (*p < end && **p >= '0' && **p <= '9')
            (*p)++;
        if (*p == end) return false;
        if (!*ret_any)
            while (*expected != '\0' && *expected != **p)
                expected++;
        if (*expected == '\0' || *expected != **p) return false;
        expected++;
        (*p)++;
        *ret_any = true;
    }
    return true;
}

bool format_duration(const char *text, size_t len)
{
    const char *p = text;
    const char *end = text + len;
    bool date, time;

    if (len < 3 || *p++ != 'P') return false;
    if (text[len - 1] == 'W') return units(&p, end, "W", &date) && p == end;
    if (!units(&p, end, "YMD", &date)) return false;
    if (p == end) return date;
    if (*p++ != 'T') return false;
    return units(&p, end, "HMS", &time) && time && p == end;
}
