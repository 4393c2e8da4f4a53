/* Compiles rules by libseccomp: the reference for our own filters.
 *
 * usage: export ARCH FILE <RULES, a line each:
 *   name verdict n [index comparison value value2]...
 * Writes the BPF into FILE, and every system call that it knows with its
 * number to standard output. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum scmp_compare compare(const char *s)
{
	return !strcmp(s, "EQ") ? SCMP_CMP_EQ : !strcmp(s, "LT") ? SCMP_CMP_LT :
	       !strcmp(s, "GT") ? SCMP_CMP_GT : SCMP_CMP_MASKED_EQ;
}

int main(int argc, char **argv)
{
	char name[64], op[32];
	unsigned int verdict, n;
	uint32_t arch = seccomp_arch_resolve_name(argv[1]);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (argc != 3 || !ctx || !arch)
		return 1;
	if (arch != seccomp_arch_native() &&
	    (seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE) || seccomp_arch_add(ctx, arch)))
		return 2;
	while (scanf("%63s %u %u", name, &verdict, &n) == 3) {
		struct scmp_arg_cmp args[6];
		/* libseccomp names calls by the native number, or a negative one */
		int nr = seccomp_syscall_resolve_name(name);
		for (unsigned int i = 0; i < n; i++) {
			unsigned long long a, b;
			if (scanf("%u %31s %llu %llu", &args[i].arg, op, &a, &b) != 4)
				return 3;
			args[i].op = compare(op);
			args[i].datum_a = a;
			args[i].datum_b = b;
		}
		if (nr == __NR_SCMP_ERROR)
			continue; /* newer than this libseccomp */
		uint32_t action = verdict == 0x7fff0000 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(verdict & 0xffff);
		if (action == SCMP_ACT_ERRNO(EPERM))
			continue; /* the default */
		int rc = seccomp_rule_add_array(ctx, action, nr, n, args);
		if (rc && rc != -EEXIST) {
			fprintf(stderr, "%s: %d\n", name, rc);
			return 4;
		}
	}
	uint32_t base = arch == SCMP_ARCH_X32 ? 0x40000000 : 0;
	for (uint32_t i = 0; i < 1024; i++) {
		char *call = seccomp_syscall_resolve_num_arch(arch, base + i);
		if (call && seccomp_syscall_resolve_name_arch(arch, call) == (int)(base + i))
			printf("%s %u\n", call, base + i);
		free(call);
	}
	int fd = open(argv[2], O_CREAT | O_WRONLY | O_TRUNC, 0600);
	return fd < 0 || seccomp_export_bpf(ctx, fd) ? 5 : 0;
}
