/* Loaded before user-mode-linux (6.1): lets it set a process's registers on newer processors.
 *
 * It saves the first 2,696 bytes of the extended state, all that there was before AMX. Kernels take
 * only the whole of it back (regset.c: "A whole standard-format XSAVE buffer is needed"), so the rest is
 * added here as it is: registers that nothing in there uses.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[65536];

long ptrace(enum __ptrace_request request, ...) {
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void *address = va_arg(rest, void *);
  void *data = va_arg(rest, void *);
  va_end(rest);

  struct iovec all = {whole, sizeof whole}, *part = data;
  if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE &&
      syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &all) == 0 && part->iov_len < all.iov_len) {
    memcpy(whole, part->iov_base, part->iov_len);
    return syscall(SYS_ptrace, request, pid, address, &all);
  }
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    long word; /* as glibc's does: the system call returns it through the last argument */
    if (syscall(SYS_ptrace, request, pid, address, &word)) return -1;
    errno = 0;
    return word;
  }
  return syscall(SYS_ptrace, request, pid, address, data);
}
