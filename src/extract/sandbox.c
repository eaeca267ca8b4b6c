/* The two profiles: see sandbox.h. */
#include "extract/sandbox.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The address sanitizer reserves terabytes of address space and calls what it likes while it reports: under it, our own parsers run
 * without RLIMIT_AS and seccomp, so that a finding is reported instead of killed. Outside programs are not instrumented and keep both. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* uid and gid of "nobody" on every Linux distribution; the kernel's own overflow uid. */
enum { NOBODY = 65534 };

struct sandbox {
	struct sock_fprog filters[2]; /* by profile; len 0: none */
	int rulesets[2];	      /* Landlock, by profile; -1: none */
	int landlock_abi;
};

/* --- Landlock ------------------------------------------------------------------------------------------------------ */

static int landlock_create(const struct landlock_ruleset_attr *attributes, size_t size, uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, attributes, size, flags);
}

/* Everything that the ABI of this kernel can forbid: each version added rights at the top of the two bit fields. */
static void landlock_rights(int abi, struct landlock_ruleset_attr *ret, size_t *ret_size)
{
	static const unsigned char file_system_rights[] = {13, 14, 15, 15, 16};
	size_t last = sizeof(file_system_rights) - 1, i = (size_t)(abi - 1) < last ? (size_t)(abi - 1) : last;
	*ret = (struct landlock_ruleset_attr){.handled_access_fs = (UINT64_C(1) << file_system_rights[i]) - 1};
	*ret_size = sizeof(ret->handled_access_fs);
#ifdef LANDLOCK_ACCESS_NET_CONNECT_TCP
	if (abi >= 4) {
		ret->handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
		*ret_size = sizeof(ret->handled_access_fs) + sizeof(ret->handled_access_net);
	}
#endif
}

static void landlock_allow(int ruleset, const char *path, uint64_t rights)
{
	int CLEANUP_FD fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	(void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* A right that only folders have makes a rule for a file invalid. */
static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where programs, libraries, character maps and fonts lie. Files of /etc are named one by one. */
static const char *const system_folders[] = {"/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/gnu/store", "/etc/fonts", "/opt"};
static const char *const system_files[] = {"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/dev/null"};

static void landlock_build(struct sandbox *s, const char *const *paths, size_t count)
{
	int abi = landlock_create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return;
	s->landlock_abi = abi;
	struct landlock_ruleset_attr all;
	size_t size;
	landlock_rights(abi, &all, &size);
	s->rulesets[SANDBOX_PARSER] = landlock_create(&all, size, 0);
	int ruleset = s->rulesets[SANDBOX_PROGRAM] = landlock_create(&all, size, 0);
	if (ruleset < 0)
		return;
	const uint64_t read_file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE, read_folder = read_file | LANDLOCK_ACCESS_FS_READ_DIR;
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++)
		landlock_allow(ruleset, system_folders[i], read_folder);
	for (size_t i = 0; i < sizeof(system_files) / sizeof(system_files[0]); i++)
		landlock_allow(ruleset, system_files[i], LANDLOCK_ACCESS_FS_READ_FILE);
	for (size_t i = 0; i < count; i++)
		landlock_allow(ruleset, paths[i], is_folder(paths[i]) ? read_folder : read_file);
}

/* --- seccomp ------------------------------------------------------------------------------------------------------- */

/* Memory, the inherited descriptors, time, leaving. */
static const int parser_calls[] = {
	SCMP_SYS(read),		 SCMP_SYS(write),	  SCMP_SYS(pread64),	   SCMP_SYS(pwrite64),	  SCMP_SYS(readv),
	SCMP_SYS(writev),	 SCMP_SYS(lseek),	  SCMP_SYS(fstat),	   SCMP_SYS(close),	  SCMP_SYS(munmap),
	SCMP_SYS(mremap),	 SCMP_SYS(madvise),	  SCMP_SYS(brk),	   SCMP_SYS(exit),	  SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),	 SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),   SCMP_SYS(getrandom),	   SCMP_SYS(getpid),	  SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),	 SCMP_SYS(restart_syscall), SCMP_SYS(sysinfo), /* qsort asks how much memory there is */
};

/* What the start of a program and the reading of files need besides. */
static const int program_calls[] = {
	SCMP_SYS(execve),	SCMP_SYS(execveat),   SCMP_SYS(mmap),	      SCMP_SYS(mmap2),	   SCMP_SYS(mprotect),
	SCMP_SYS(arch_prctl),	SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),	SCMP_SYS(access),     SCMP_SYS(faccessat),    SCMP_SYS(faccessat2), SCMP_SYS(stat),
	SCMP_SYS(lstat),	SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),    SCMP_SYS(statx),	   SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),	SCMP_SYS(getdents64), SCMP_SYS(getdents),     SCMP_SYS(readlink),  SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),	SCMP_SYS(fcntl),      SCMP_SYS(fadvise64),    SCMP_SYS(dup),	   SCMP_SYS(dup2),
	SCMP_SYS(dup3),		SCMP_SYS(uname),      SCMP_SYS(getuid),	   SCMP_SYS(geteuid),
	SCMP_SYS(getgid),	SCMP_SYS(getegid),    SCMP_SYS(getppid),      SCMP_SYS(getrusage), SCMP_SYS(times),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(poll),
	/* What a shell and other interpreters ask at their start. */
	SCMP_SYS(getpgrp),	SCMP_SYS(getpgid),    SCMP_SYS(getsid),	      SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getgroups),	SCMP_SYS(ppoll),      SCMP_SYS(select),	      SCMP_SYS(pselect6),  SCMP_SYS(umask),
};

/* An `allow` that this architecture does not know leaves the filter stricter, which is why results are not looked at. */
static void allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
}

static void fill_filter(scmp_filter_ctx filter, enum sandbox_profile profile)
{
	allow_all(filter, parser_calls, sizeof(parser_calls) / sizeof(parser_calls[0]));
	if (profile == SANDBOX_PROGRAM) {
		allow_all(filter, program_calls, sizeof(program_calls) / sizeof(program_calls[0]));
		const unsigned writing = O_ACCMODE | O_CREAT | O_TRUNC;
		(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
		(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
		return;
	}
	(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap2), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* abort() sends itself a signal; refused, it ends by an invalid instruction, which is a crash like any other. */
	(void)seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 0);
	/* What the C library only asks. */
	(void)seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
	(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
}

/* libseccomp writes the program to a descriptor; children load it from memory without the library's work. */
static void filter_build(enum sandbox_profile profile, struct sock_fprog *ret)
{
	scmp_filter_ctx filter = seccomp_init(profile == SANDBOX_PARSER ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return;
	(void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree instead of a chain of comparisons: fewer steps a call. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	fill_filter(filter, profile);
	int CLEANUP_FD fd = memfd_create("corpusfs-filter", MFD_CLOEXEC);
	bool exported = fd >= 0 && seccomp_export_bpf(filter, fd) == 0;
	seccomp_release(filter);
	off_t size = exported ? lseek(fd, 0, SEEK_END) : 0;
	size_t count = size > 0 ? (size_t)size / sizeof(struct sock_filter) : 0;
	if (count == 0 || count > BPF_MAXINSNS)
		return;
	struct sock_filter *program = calloc(count, sizeof(*program));
	if (program && pread(fd, program, count * sizeof(*program), 0) == size)
		*ret = (struct sock_fprog){.len = (unsigned short)count, .filter = program};
	else
		free(program);
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

struct sandbox *sandbox_new(const char *const *paths, size_t count)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->rulesets[0] = s->rulesets[1] = -1;
	landlock_build(s, paths, count);
	if (!SANITIZED)
		filter_build(SANDBOX_PARSER, &s->filters[SANDBOX_PARSER]);
	filter_build(SANDBOX_PROGRAM, &s->filters[SANDBOX_PROGRAM]);
	return s;
}

void sandbox_free(struct sandbox *s)
{
	if (!s)
		return;
	for (int i = 0; i < 2; i++) {
		free(s->filters[i].filter);
		if (s->rulesets[i] >= 0)
			(void)close(s->rulesets[i]);
	}
	free(s);
}

static void limit(int resource, rlim_t value)
{
	struct rlimit old;
	if (getrlimit((__rlimit_resource_t)resource, &old) == 0 && old.rlim_max != RLIM_INFINITY && old.rlim_max < value)
		value = old.rlim_max;
	(void)setrlimit((__rlimit_resource_t)resource, &(struct rlimit){value, value});
}

static void set_limits(enum sandbox_profile profile, unsigned cpu_seconds, size_t output_bytes)
{
	if (profile == SANDBOX_PROGRAM || !SANITIZED)
		limit(RLIMIT_AS, SANDBOX_ADDRESS_SPACE);
	limit(RLIMIT_STACK, SANDBOX_STACK);
	limit(RLIMIT_CPU, cpu_seconds);
	limit(RLIMIT_FSIZE, output_bytes);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	/* No further process, thread or (for a parser) descriptor. */
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_NOFILE, profile == SANDBOX_PARSER && !SANITIZED ? 5 : 64);
}

/* Root's children give root up: its files are unreadable to them even where Landlock is missing. */
static bool become_nobody(void)
{
	return geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

void sandbox_close_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (int fd = (int)first; fd < 4096; fd++)
		(void)close(fd);
}

unsigned sandbox_enter(const struct sandbox *s, enum sandbox_profile profile, unsigned keep, unsigned cpu_seconds, size_t output_bytes)
{
	unsigned bits = SANDBOX_RLIMITS;
	if (become_nobody())
		bits |= SANDBOX_USER;
	/* A change of user clears this one, so it comes after. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	set_limits(profile, cpu_seconds, output_bytes);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		bits |= SANDBOX_NO_NEW_PRIVS;
	if (s->rulesets[profile] >= 0 && syscall(SYS_landlock_restrict_self, s->rulesets[profile], 0) == 0)
		bits |= SANDBOX_LANDLOCK;
	/* Between the two: Landlock needs its ruleset's descriptor, and seccomp forbids to close so many. */
	sandbox_close_from(keep);
	const struct sock_fprog *filter = &s->filters[profile];
	if (filter->len > 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter) == 0)
		bits |= SANDBOX_SECCOMP;
	return bits;
}

unsigned sandbox_probe(const struct sandbox *s, enum sandbox_profile profile)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit((int)sandbox_enter(s, profile, 3, 1, 0));
	int status;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
}

void sandbox_describe(const struct sandbox *s, unsigned bits, char *out, size_t size)
{
	char landlock[32];
	(void)snprintf(landlock, sizeof(landlock), ", landlock %d", s->landlock_abi);
	(void)snprintf(out, size, "%s%s%s%s%s", bits & SANDBOX_RLIMITS ? "rlimits" : "nothing", bits & SANDBOX_USER ? ", other user" : "",
		       bits & SANDBOX_NO_NEW_PRIVS ? ", no-new-privs" : "", bits & SANDBOX_LANDLOCK ? landlock : "",
		       bits & SANDBOX_SECCOMP ? ", seccomp" : "");
}
