// A stand-in for ONNX Runtime's library that shows the runtime a lesser x86-64 processor than there is, so that it chooses
// the kernels of that processor and runs them at full speed. A program gets it in place of the real library:
//
//   gcc -O2 -shared -fPIC -I HEADERS -o libmask.so .ci/mask-cpu.c -ldl
//   MASK_CPU_LIB=/path/of/libonnxruntime.so.1 MASK_CPU_LEVEL=avx2 ONNXRUNTIME_LIB=$PWD/libmask.so PROGRAM
//
// HEADERS has onnxruntime_c_api.h. Levels: sse, avx, avx2, avxvnni, avx512 (no VNNI), avx512vnni (no AMX).
//
// Linux lets a thread give up the CPUID instruction where the processor has CPUID faulting (flag cpuid_fault of
// /proc/cpuinfo, ARCH_SET_CPUID of arch_prctl(2)): the instruction then raises SIGSEGV, and the handler here answers with
// the real registers less the bits that the level lacks. The runtime asks once and keeps what it learns (MLAS's platform
// and CPUIDInfo are static), so the instruction is withheld only while the library is loaded and a first session is made;
// after that the thread is as it was, and so is the handler of Go's runtime.
//
// What the C library chose for itself when the program started (memcpy, exp) stays as the real processor has it;
// GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512VL,-AVX512F takes that back too.
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "onnxruntime_c_api.h"

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

// Levels as a set of bits, in the order of levelNames.
enum { SSE = 1, AVX = 2, AVX2 = 4, AVXVNNI = 8, AVX512 = 16, AVX512VNNI = 32 };
static const char *const levelNames[] = {"sse", "avx", "avx2", "avxvnni", "avx512", "avx512vnni"};
enum { LEVELS = sizeof levelNames / sizeof *levelNames };

// Bits of CPUID and the levels that have them, by the names that Linux gives them (Intel SDM vol. 2A, CPUID).
enum { EAX, EBX, ECX, EDX };
static const struct {
	uint32_t leaf, subleaf;
	int reg;
	uint32_t bits;
	int levels;
} masks[] = {
	{1, 0, ECX, BIT(28), ~SSE},                                // avx
	{1, 0, ECX, BIT(12) | BIT(29), ~(SSE | AVX)},              // fma f16c
	{7, 0, EBX, BIT(5), ~(SSE | AVX)},                         // avx2
	{7, 0, EBX, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31), AVX512 | AVX512VNNI}, // avx512 f dq cd bw vl
	{7, 0, EBX, BIT(21) | BIT(26) | BIT(27), 0},               // avx512 ifma pf er
	{7, 0, ECX, BIT(11), AVX512VNNI},                          // avx512_vnni
	{7, 0, ECX, BIT(1) | BIT(6) | BIT(12) | BIT(14), 0},       // avx512 vbmi vbmi2 bitalg vpopcntdq
	{7, 0, ECX, BIT(8) | BIT(9) | BIT(10), AVXVNNI},           // gfni vaes vpclmulqdq
	{7, 0, EDX, BIT(2) | BIT(3) | BIT(8) | BIT(23), 0},        // avx512 4vnniw 4fmaps vp2intersect fp16
	{7, 0, EDX, BIT(22) | BIT(24) | BIT(25), 0},               // amx bf16 tile int8
	{7, 1, EAX, BIT(4), AVXVNNI},                              // avx_vnni
	{7, 1, EAX, BIT(5) | BIT(21) | BIT(23), 0},                // avx512_bf16 amx_fp16 avx_ifma
	{7, 1, EDX, BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19), 0}, // avx_vnni_int8 avx_ne_convert amx_complex avx_vnni_int16 avx10
};

static int level; // one of the bits of levels
static struct sigaction before;

static long withhold(int yes) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes ? 0 : 1); }

// onFault answers a CPUID instruction, and leaves every other fault to who was there before.
static void onFault(int sig, siginfo_t *info, void *context) {
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *ip = (const uint8_t *)r[REG_RIP];
	if (info->si_code != SI_KERNEL || ip[0] != 0x0f || ip[1] != 0xa2) {
		sigaction(sig, &before, NULL); // the instruction faults again, under the earlier handler
		return;
	}
	uint32_t leaf = (uint32_t)r[REG_RAX], subleaf = (uint32_t)r[REG_RCX], v[4];
	withhold(0);
	__cpuid_count(leaf, subleaf, v[EAX], v[EBX], v[ECX], v[EDX]);
	withhold(1);
	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		int same = masks[i].leaf == leaf && (leaf != 7 || masks[i].subleaf == subleaf); // leaf 1 has no subleaves
		if (same && !(masks[i].levels & level))
			v[masks[i].reg] &= ~masks[i].bits;
	}
	r[REG_RAX] = v[EAX];
	r[REG_RBX] = v[EBX];
	r[REG_RCX] = v[ECX];
	r[REG_RDX] = v[EDX];
	r[REG_RIP] += 2;
}

// model is the smallest that the runtime loads: y = Relu(x) for one float, as ONNX's protocol buffer.
static const uint8_t model[] = {
	0x08, 8,                                                        // ir_version
	0x3a, 47,                                                       // graph
	0x0a, 12, 0x0a, 1, 'x', 0x12, 1, 'y', 0x22, 4, 'R', 'e', 'l', 'u', // node
	0x12, 1, 'g',                                                   // name
	0x5a, 13, 0x0a, 1, 'x', 0x12, 8, 0x0a, 6, 0x08, 1, 0x12, 2, 0x0a, 0, // input
	0x62, 13, 0x0a, 1, 'y', 0x12, 8, 0x0a, 6, 0x08, 1, 0x12, 2, 0x0a, 0, // output
	0x42, 2, 0x10, 13,                                              // opset_import
};

static void fail(const char *what, const char *detail) {
	fprintf(stderr, "mask-cpu: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	exit(3);
}

static void check(const OrtApi *api, OrtStatus *status) {
	if (status)
		fail("ONNX Runtime", api->GetErrorMessage(status));
}

// prime makes a session, in which everything in the runtime that asks for the processor has asked. It starts no threads:
// they would stay without CPUID.
static void prime(const OrtApiBase *base) {
	int minor = 0;
	if (sscanf(base->GetVersionString(), "1.%d", &minor) != 1)
		fail("ONNX Runtime has no release 1.x", base->GetVersionString());
	const OrtApi *api = base->GetApi(minor < ORT_API_VERSION ? minor : ORT_API_VERSION);
	OrtEnv *env = NULL;
	OrtSessionOptions *options = NULL;
	OrtSession *session = NULL;
	check(api, api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "mask-cpu", &env));
	check(api, api->CreateSessionOptions(&options));
	check(api, api->SetIntraOpNumThreads(options, 1));
	check(api, api->SetInterOpNumThreads(options, 1));
	check(api, api->CreateSessionFromArray(env, model, sizeof model, options, &session));
	api->ReleaseSession(session);
	api->ReleaseSessionOptions(options);
	api->ReleaseEnv(env);
}

static const OrtApiBase *base;

static void load(void) {
	const char *path = getenv("MASK_CPU_LIB"), *name = getenv("MASK_CPU_LEVEL");
	if (!path || !name)
		fail("MASK_CPU_LIB and MASK_CPU_LEVEL are not set", NULL);
	for (int i = 0; i < LEVELS; i++)
		if (!strcmp(name, levelNames[i]))
			level = 1 << i;
	if (!level)
		fail("MASK_CPU_LEVEL is none of sse, avx, avx2, avxvnni, avx512, avx512vnni", name);
	struct sigaction ours = {.sa_sigaction = onFault, .sa_flags = SA_SIGINFO};
	sigemptyset(&ours.sa_mask);
	if (sigaction(SIGSEGV, &ours, &before))
		fail("SIGSEGV cannot be handled", NULL);
	if (withhold(1))
		fail("this processor or kernel has no CPUID faulting (flag cpuid_fault)", NULL);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail("MASK_CPU_LIB", dlerror());
	const OrtApiBase *(*get)(void) = (const OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase");
	if (!get)
		fail("MASK_CPU_LIB", dlerror());
	base = get();
	prime(base);
	withhold(0);
	sigaction(SIGSEGV, &before, NULL);
}

const OrtApiBase *OrtGetApiBase(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return base;
}
