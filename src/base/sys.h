/* The system calls of the hot path, made directly.
 *
 * The C library's recv() and sendmsg() are cancellation points: in a process with threads each call switches cancellation
 * on and off, which costs more than all of petrel's own work on a small request's head.  Nobody cancels threads here.
 * Results are as the library's: -1 and errno. */
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t sys_recv(int fd, void *to, size_t n)
{
	return syscall(SYS_recvfrom, fd, to, n, 0, NULL, NULL);
}

static inline ssize_t sys_send(int fd, const void *from, size_t n, int flags)
{
	return syscall(SYS_sendto, fd, from, n, flags, NULL, 0);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, fd, m, flags);
}
