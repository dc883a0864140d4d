/* Speaks by each function of sd_notify(3) that libsystemd has. Compiled by the test. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

/* Since v254. */
__attribute__((weak)) int sd_pid_notify_barrier(pid_t pid, int unset_environment, uint64_t timeout);
__attribute__((weak)) int sd_pid_notifyf_with_fds(pid_t pid, int unset_environment, const int *fds, size_t n_fds,
                                                  const char *format, ...);

#define SECONDS UINT64_C(1000000)
#define MUST(expression, expected)                                                                  \
        do {                                                                                        \
                int is = (expression);                                                              \
                if (is != (expected)) {                                                             \
                        fprintf(stderr, "%s is %d, not %d\n", #expression, is, expected);           \
                        exit(1);                                                                    \
                }                                                                                   \
        } while (0)

int main(int argc, char **argv) {
        int ends[2];
        char text[6000];
        uint64_t watchdog = 0;

        if (argc > 1 && strcmp(argv[1], "lacks") == 0) {
                if (!sd_pid_notify_barrier || !sd_pid_notifyf_with_fds)
                        puts("skipped: sd_pid_notify_barrier, sd_pid_notifyf_with_fds: this libsystemd does not have them");
                return 0;
        }

        MUST(sd_watchdog_enabled(0, &watchdog), 1);
        MUST(watchdog == 2 * SECONDS, 1);
        MUST(sd_booted() >= 0, 1);
        MUST(pipe(ends), 0);

        MUST(sd_notify(0, "READY=1\nSTATUS=up"), 1);
        MUST(sd_notifyf(0, "STATUS=%d of %d", 1, 2), 1);
        MUST(sd_pid_notify(getppid(), 0, "WATCHDOG=1"), 1);
        MUST(sd_pid_notifyf(getppid(), 0, "EXTEND_TIMEOUT_USEC=%d", 5), 1);
        MUST(sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=pipe", ends, 2), 1);
        MUST(sd_pid_notify_with_fds(getppid(), 0, "FDSTORE=1", ends, 1), 1);
        MUST(sd_notify_barrier(0, 30 * SECONDS), 1);

        /* systemd takes 4096 bytes and no more. */
        memset(text, 'x', sizeof text);
        memcpy(text, "STATUS=", 7);
        text[4096] = 0;
        MUST(sd_notify(0, text), 1);
        text[4096] = 'x';
        text[4097] = 0;
        MUST(sd_notify(0, text), 1);

        if (sd_pid_notify_barrier && sd_pid_notifyf_with_fds) {
                MUST(sd_pid_notifyf_with_fds(getppid(), 0, ends, 1, "FDSTORE=%d", 1), 1);
                MUST(sd_pid_notify_barrier(getppid(), 0, 30 * SECONDS), 1);
        }

        MUST(sd_notify(1, "STOPPING=1"), 1);
        MUST(sd_notify(0, "READY=1"), 0);
        return 0;
}
