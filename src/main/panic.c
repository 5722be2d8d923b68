/* The panic handler.  Runs on the thread that broke, on that thread's own signal stack, and only calls what is safe
 * there; everything that it shows is fetched through the kernel, because any pointer may be the one that is broken.
 *
 * The table of loops is written while the process has one thread only.  The flag is the one atomic outside share/ and
 * the mailbox: when two threads break at once, the second waits to be killed with the first. */
#include "main/panic.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"
#include "share/epoch.h"

enum {
	STACK_B = 64 * 1024,  /* backtrace() and the kernel's frame with AVX-512 need some 20 KB */
	FRAMES = 40,
	PATIENCE_S = 3,       /* a handler that hangs itself (a lock of the C library) is ended */
};

static const struct {
	int number;
	const char *name;
} SIGNALS[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGABRT, "SIGABRT" },
	{ SIGFPE, "SIGFPE" },   { SIGILL, "SIGILL" },
};

static struct loop *loops[EPOCH_LOOPS];
static size_t loop_count;
static int report = -1;
static atomic_flag broken = ATOMIC_FLAG_INIT;
static _Thread_local const char *thread_what = "a thread";
static _Thread_local struct loop *thread_loop;

/* A line that is being put together; what does not fit is cut. */
struct line {
	char p[512];
	size_t n;
};

static void add(struct line *l, const char *text)
{
	while (*text && l->n < sizeof l->p - 1)
		l->p[l->n++] = *text++;
}

static void add_number(struct line *l, uint64_t n, unsigned base)
{
	char digits[24], *at = digits + sizeof digits;
	*--at = '\0';
	do
		*--at = "0123456789abcdef"[n % base];
	while (n /= base);
	add(l, at);
}

static void end(struct line *l)
{
	l->p[l->n++] = '\n';
	(void)!write(STDERR_FILENO, l->p, l->n);
	if (report >= 0)
		(void)!write(report, l->p, l->n);
	l->n = 0;
}

/* Copies from memory that may not be there: how many bytes came. */
static size_t peek(void *to, const void *from, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)(uintptr_t)from, n };
	ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	return got > 0 ? (size_t)got : 0;
}

/* Text as it is found, with what is not printable as dots; up to a NUL, n bytes, or memory's end. */
static void add_peeked(struct line *l, const char *text, size_t n)
{
	char copy[300];
	size_t got = 0, most = n < sizeof copy ? n : sizeof copy;
	/* Memory ends at page borders, and reading over one brings nothing at all. */
	while (got < most && peek(copy + got, text + got, 1) && copy[got])
		got++;
	for (size_t i = 0; i < got && l->n < sizeof l->p - 1; i++)
		l->p[l->n++] = copy[i] >= ' ' && copy[i] <= '~' ? copy[i] : '.';
}

static const char *name_of(int number)
{
	for (size_t i = 0; i < countof(SIGNALS); i++)
		if (SIGNALS[i].number == number)
			return SIGNALS[i].name;
	return "a signal";
}

/* must_fail() sends its line along: "petrel: FILE:LINE: must(COND)\n". */
static void add_broken(struct line *l, const char *text)
{
	size_t from = l->n;
	add_peeked(l, text + strlen("petrel: "), sizeof l->p);
	if (l->n > from && l->p[l->n - 1] == '.')
		l->n--;  /* the newline */
}

/* "petrel: panic: SIGSEGV at 0x8 in loop 1" */
static void show_cause(const siginfo_t *info)
{
	struct line l = { .n = 0 };
	add(&l, "petrel: panic: ");
	add(&l, name_of(info->si_signo));
	if (info->si_signo == SIGABRT && info->si_code == SI_QUEUE && info->si_pid == getpid()) {
		add(&l, ": ");
		add_broken(&l, info->si_value.sival_ptr);
	} else if (info->si_code > 0) {
		add(&l, " at 0x");
		add_number(&l, (uintptr_t)info->si_addr, 16);
	} else if (info->si_pid != getpid()) {
		add(&l, " sent by process ");
		add_number(&l, (uint64_t)info->si_pid, 10);
	}
	add(&l, " in ");
	add(&l, thread_what);
	if (thread_loop) {
		add(&l, " ");
		add_number(&l, thread_loop->index, 10);
	}
	end(&l);
}

static void show_trace(const struct trace *t, uint64_t now_ms)
{
	struct line l = { .n = 0 };
	add(&l, "petrel: panic:   ");
	add_number(&l, now_ms > t->at_ms ? now_ms - t->at_ms : 0, 10);
	add(&l, " ms ago: ");
	add_peeked(&l, t->what, sizeof l.p);
	add(&l, " ");
	add_number(&l, t->detail, 10);
	end(&l);
}

/* Loops go on while they are looked at: a line may be half old and half new, never out of bounds. */
static void show_loop(const struct loop *from, uint64_t now_ms)
{
	static struct loop copy;  /* too large for the signal stack; only one thread is ever here */
	struct line l = { .n = 0 };
	if (peek(&copy, from, sizeof copy) != sizeof copy)
		return;
	add(&l, "petrel: panic: loop ");
	add_number(&l, copy.index, 10);
	if (copy.serving.p) {
		add(&l, " serves ");
		add_peeked(&l, copy.serving.p, copy.serving.n);
	}
	end(&l);
	for (unsigned i = 0; i < LOOP_TRACE; i++) {
		const struct trace *t = &copy.trace[(copy.trace_at + i) % LOOP_TRACE];
		if (t->what)
			show_trace(t, now_ms);
	}
}

static void show_stack(void)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES);
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	if (report >= 0)
		backtrace_symbols_fd(frames, count, report);
}

static void handle(int number, siginfo_t *info, void *context)
{
	(void)context;
	while (atomic_flag_test_and_set(&broken))
		pause();
	signal(SIGALRM, SIG_DFL);
	alarm(PATIENCE_S);
	uint64_t now_ms = clock_ms();
	show_cause(info);
	for (size_t i = 0; i < loop_count; i++)
		show_loop(loops[i], now_ms);
	show_stack();
	/* Blocked until the handler returns; then it ends the process as if we had not been here. */
	signal(number, SIG_DFL);
	raise(number);
}

void panic_start(int report_fd)
{
	void *frame;
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	report = report_fd;
	/* Its first call loads a library and allocates, which the handler must not. */
	backtrace(&frame, 1);
	for (size_t i = 0; i < countof(SIGNALS); i++)
		sigaddset(&action.sa_mask, SIGNALS[i].number);
	for (size_t i = 0; i < countof(SIGNALS); i++)
		sigaction(SIGNALS[i].number, &action, NULL);
}

void panic_watch(struct loop *l)
{
	must(loop_count < countof(loops));
	loops[loop_count++] = l;
}

void panic_thread(const char *what, struct loop *l)
{
	stack_t stack = {}, old;
	thread_what = what;
	thread_loop = l;
	/* The sanitizers bring one, and unmap it themselves. */
	if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
		return;
	/* Threads live as long as the process, and so do their stacks. */
	void *memory = mmap(NULL, STACK_B, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return;
	stack.ss_sp = memory;
	stack.ss_size = STACK_B;
	sigaltstack(&stack, NULL);
}
