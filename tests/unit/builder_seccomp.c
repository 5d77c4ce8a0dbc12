#include "builder/sandbox/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#if defined __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE AUDIT_ARCH_AARCH64
#endif

/* What the kernel would do with the filter for one call. */
static uint32_t verdict(uint32_t arch, int number, uint64_t argument)
{
	struct seccomp_data data = { .nr = number, .arch = arch, .args = { argument } };
	uint32_t a = 0, word[sizeof data / 4];
	bool taken;

	memcpy(word, &data, sizeof data);
	for (const struct sock_filter *at = seccomp_begin; at < seccomp_end; at++) {
		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(at->k % 4 == 0 && at->k < sizeof data);
			a = word[at->k / 4];
			continue;
		case BPF_RET | BPF_K:
			return at->k;
		case BPF_JMP | BPF_JA:
			at += at->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == at->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= at->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = (a & at->k) != 0;
			break;
		default:
			fail_msg("instruction %td is not known", at - seccomp_begin);
			return 0;
		}
		at += taken ? at->jt : at->jf;
	}
	fail_msg("the filter ends without an answer");
	return 0;
}

#define NO (SECCOMP_RET_ERRNO | EPERM)
#define NEVER_HEARD (SECCOMP_RET_ERRNO | ENOSYS)
#define YES SECCOMP_RET_ALLOW

static const struct {
	int number;
	uint64_t argument;
	uint32_t expected;
} calls[] = {
	{ SYS_read, 0, YES },
	{ SYS_execve, 0, YES },
	{ SYS_openat2, 0, YES },
	{ SYS_faccessat2, 0, YES },
	{ SYS_statx, 0, YES },
	{ SYS_rseq, 0, YES },
	{ SYS_chroot, 0, YES },
	{ SYS_ptrace, 0, YES },
	{ SYS_capset, 0, YES },
	{ SYS_seccomp, 0, YES },
	{ 452 /* fchmodat2 */, 0, YES },
	{ 462 /* mseal */, 0, YES },
	{ SYS_mount, 0, NO },
	{ SYS_umount2, 0, NO },
	{ SYS_unshare, 0, NO },
	{ SYS_setns, 0, NO },
	{ SYS_pivot_root, 0, NO },
	{ SYS_open_tree, 0, NO },
	{ SYS_move_mount, 0, NO },
	{ SYS_fsopen, 0, NO },
	{ SYS_mount_setattr, 0, NO },
	{ SYS_bpf, 0, NO },
	{ SYS_keyctl, 0, NO },
	{ SYS_add_key, 0, NO },
	{ SYS_request_key, 0, NO },
	{ SYS_kexec_load, 0, NO },
	{ SYS_init_module, 0, NO },
	{ SYS_open_by_handle_at, 0, NO },
	{ SYS_perf_event_open, 0, NO },
	{ SYS_userfaultfd, 0, NO },
	{ SYS_reboot, 0, NO },
	{ SYS_swapon, 0, NO },
	{ SYS_io_uring_setup, 0, NO },
	{ SYS_settimeofday, 0, NO },
	{ SYS_clone3, 0, NEVER_HEARD },
	{ 9999, 0, NEVER_HEARD },
	{ -1, 0, NEVER_HEARD },
	{ SYS_clone, 0x11 /* SIGCHLD */, YES },
	{ SYS_clone, 0x10000000 /* NEWUSER */, NO },
	{ SYS_clone, 0x00020000 /* NEWNS */, NO },
	{ SYS_clone, 0x02000000 /* NEWCGROUP */, NO },
	{ SYS_clone, 0x40000000 /* NEWNET */, NO },
	{ SYS_socket, 1, YES },
	{ SYS_socket, 2, YES },
	{ SYS_socket, 16, YES },
	{ SYS_socket, 38 /* AF_ALG */, NO },
	{ SYS_socket, 39, YES },
	{ SYS_socket, 40 /* AF_VSOCK */, NO },
	{ SYS_socket, 41, YES },
	{ SYS_socket, UINT64_C(1) << 32 | 40, NO },
	{ SYS_personality, 0, YES },
	{ SYS_personality, 8, YES },
	{ SYS_personality, 0x20000, YES },
	{ SYS_personality, 0x20008, YES },
	{ SYS_personality, 0xffffffff, YES },
	{ SYS_personality, 0x40000 /* ADDR_NO_RANDOMIZE */, NO },
};

static void each_call_gets_what_docker_gives_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		uint32_t got = verdict(NATIVE, calls[i].number, calls[i].argument);

		if (got != calls[i].expected)
			fail_msg("call %d(%#llx): %#x instead of %#x", calls[i].number,
			         (unsigned long long)calls[i].argument, got, calls[i].expected);
	}
}

#if defined __x86_64__
static void programs_of_32_bits_have_their_own_numbers(void **state)
{
	(void)state;
	assert_int_equal(verdict(AUDIT_ARCH_I386, 11 /* execve */, 0), YES);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 21 /* mount */, 0), NO);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 52 /* umount2 */, 0), NO);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 120 /* clone */, 0x10000000), NO);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 120 /* clone */, 0x11), YES);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 359 /* socket */, 40), NO);
	assert_int_equal(verdict(AUDIT_ARCH_I386, 9999, 0), NEVER_HEARD);
	assert_int_equal(verdict(AUDIT_ARCH_X86_64, 0x40000000 /* read of x32 */, 0), NEVER_HEARD);
	assert_int_equal(verdict(AUDIT_ARCH_PPC64, 1, 0), SECCOMP_RET_KILL_PROCESS);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_gets_what_docker_gives_it),
#if defined __x86_64__
		cmocka_unit_test(programs_of_32_bits_have_their_own_numbers),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
