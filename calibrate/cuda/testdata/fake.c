// A driver, a cuBLASLt and an NVML that write down what they are called with. Built three times into one library each:
// TestPlumbing compares the arguments that arrive with those that were meant.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *format, ...) {
	FILE *f = fopen(getenv("FAKE_CUDA_LOG"), "a");
	va_list args;
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fputc('\n', f);
	fclose(f);
}

#ifdef DRIVER
static __thread void *current;
static int capturing;
#define NEED \
	if (current != (void *)0xc0) { \
		say("%s without the context", __func__); \
		return 201; \
	}
int cuInit(unsigned flags) { return flags != 0; }
int cuGetErrorString(int code, const char **text) {
	*text = code == 2 ? "out of memory" : code == 201 ? "invalid device context" : "some other error";
	return 0;
}
int cuDriverGetVersion(int *v) { *v = 13020; return 0; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *d, int i) { *d = 70 + i; return 0; }
int cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "Fake card %d", d); return 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = (size_t)150 << 30; return 0; }
int cuDeviceGetPCIBusId(char *s, int n, int d) { snprintf(s, n, "0000:0A:00.0"); return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) {
	if (a == 13) return 1; // as a driver that does not tell
	*v = a == 16 ? 132 : a == 75 ? 9 : a == 76 ? 0 : a == 38 ? 52428800 : a == 36 ? 3201000 : a == 37 ? 6144 : 0;
	return 0;
}
int cuDevicePrimaryCtxRetain(void **c, int d) { say("retain %d", d); *c = (void *)0xc0; return 0; }
int cuDevicePrimaryCtxRelease_v2(int d) { say("release %d", d); return 0; }
int cuCtxSetCurrent(void *c) { current = c; return 0; }
int cuCtxSynchronize(void) { NEED return 0; }
int cuMemGetInfo_v2(size_t *f, size_t *t) { NEED *f = (size_t)140 << 30; *t = (size_t)150 << 30; return 0; }
int cuMemAlloc_v2(uint64_t *p, size_t n) {
	NEED static uint64_t next = 0x7f0000000000;
	if (n > (size_t)100 << 30) return 2;
	*p = next;
	next += (n + 255) / 256 * 256;
	say("alloc %zu", n);
	return 0;
}
int cuMemFree_v2(uint64_t p) { NEED say("free %llx", (unsigned long long)p); return 0; }
int cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t s, size_t n, void *st) { NEED say("copy %llx %llx %zu on %p", (unsigned long long)d, (unsigned long long)s, n, st); return 0; }
int cuStreamCreate(void **s, unsigned f) { NEED say("stream %u", f); *s = (void *)0x51; return 0; }
int cuStreamDestroy_v2(void *s) { NEED say("stream gone %p", s); return 0; }
int cuStreamSynchronize(void *s) { NEED return s != (void *)0x51; }
int cuEventCreate(void **e, unsigned f) { NEED static uintptr_t n = 0xe0; *e = (void *)n++; return f; }
int cuEventDestroy_v2(void *e) { NEED say("event gone %p", e); return 0; }
int cuEventRecord(void *e, void *s) { NEED say("record %p on %p", e, s); return 0; }
int cuEventSynchronize(void *e) { NEED return 0; }
int cuEventElapsedTime(float *ms, void *a, void *b) { NEED *ms = (float)((uintptr_t)b - (uintptr_t)a) * 2.5f; return 0; }
int cuModuleLoadDataEx(void **m, const void *ptx, unsigned n, int *o, void **v) {
	NEED say("module %zu %u: %d, %d %zu", strlen(ptx), n, o[0], o[1], (size_t)v[1]);
	if (strstr(ptx, "broken")) {
		strcpy(v[0], "ptxas: line 3: broken");
		return 218;
	}
	*m = (void *)0x30;
	return 0;
}
int cuModuleUnload(void *m) { NEED say("module gone %p", m); return 0; }
int cuModuleGetFunction(void **f, void *m, const char *name) { NEED *f = (void *)0xf0; return strcmp(name, "none") ? 0 : 500; }
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s, void **a, void **extra) {
	NEED float x;
	memcpy(&x, a[3], 4);
	say("launch %p %u.%u.%u %u.%u.%u shared %u on %p: %llx %llx %u %g, extra %p%s", f, gx, gy, gz, bx, by, bz, shared, s, *(unsigned long long *)a[0],
	    *(unsigned long long *)a[1], *(unsigned *)a[2], x, extra, capturing ? " captured" : "");
	return 0;
}
int cuStreamBeginCapture_v2(void *s, int mode) { NEED say("capture %p mode %d", s, mode); capturing = 1; return 0; }
int cuStreamEndCapture(void *s, void **g) { NEED capturing = 0; *g = (void *)0x90; return 0; }
int cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long f) { NEED say("instantiate %p %llu", g, f); *x = (void *)0x91; return 0; }
int cuGraphLaunch(void *x, void *s) { NEED say("replay %p on %p", x, s); return 0; }
int cuGraphExecDestroy(void *x) { NEED say("exec gone %p", x); return 0; }
int cuGraphDestroy(void *g) { NEED say("graph gone %p", g); return 0; }
#endif

#ifdef CUBLAS
typedef struct {
	uint64_t algo[8];
	size_t workspace;
	int state;
	float waves;
	int reserved[4];
} result;
struct thing { int64_t v[8]; };
static void *thing(int64_t a, int64_t b, int64_t c, int64_t d) {
	struct thing *t = calloc(1, sizeof *t);
	t->v[0] = a, t->v[1] = b, t->v[2] = c, t->v[3] = d;
	return t;
}
size_t cublasLtGetVersion(void) { return 130100; }
const char *cublasLtGetStatusString(int s) { return s == 15 ? "the operation is not supported" : "some status"; }
int cublasLtCreate(void **h) { *h = (void *)0xb1; return 0; }
int cublasLtDestroy(void *h) { say("handle gone %p", h); return 0; }
int cublasLtMatmulDescCreate(void **d, int compute, int scale) { say("desc compute %d scale %d", compute, scale); *d = thing(0, 0, 0, 0); return 0; }
int cublasLtMatmulDescDestroy(void *d) { free(d); return 0; }
int cublasLtMatmulDescSetAttribute(void *d, int a, const void *v, size_t n) {
	say("desc %d = %d (%zu)", a, n == 1 ? *(int8_t *)v : *(int32_t *)v, n);
	return 0;
}
int cublasLtMatrixLayoutCreate(void **l, int type, uint64_t rows, uint64_t cols, int64_t ld) { *l = thing(type, rows, cols, ld); ((struct thing *)*l)->v[4] = 1; return 0; }
int cublasLtMatrixLayoutDestroy(void *l) { free(l); return 0; }
int cublasLtMatrixLayoutSetAttribute(void *l, int a, const void *v, size_t n) { ((struct thing *)l)->v[a - 1] = n == 4 ? *(int32_t *)v : *(int64_t *)v; return n != (a == 5 ? 4 : 8); }
int cublasLtMatmulPreferenceCreate(void **p) { *p = thing(0, 0, 0, 0); return 0; }
int cublasLtMatmulPreferenceDestroy(void *p) { free(p); return 0; }
int cublasLtMatmulPreferenceSetAttribute(void *p, int a, const void *v, size_t n) { say("pref %d = %llu (%zu)", a, *(unsigned long long *)v, n); return 0; }
static void layout(const char *name, struct thing *t) {
	say("%s type %d, %dx%d ld %d, batch %d stride %d", name, (int)t->v[0], (int)t->v[1], (int)t->v[2], (int)t->v[3], (int)t->v[4], (int)t->v[5]);
}
int cublasLtMatmulAlgoGetHeuristic(void *h, void *d, void *a, void *b, void *c, void *dd, void *p, int want, result *r, int *n) {
	struct thing *t = a;
	layout("A", a), layout("B", b), layout("C", c), layout("D", dd);
	if (t->v[0] == 28 && t->v[1] != 512) return 15;
	r[0].state = 15;
	r[1].workspace = (size_t)1 << 40;
	r[2].workspace = 4096;
	r[2].algo[0] = 0xa190;
	*n = want > 3 ? 3 : want;
	return 0;
}
int cublasLtMatmul(void *h, void *d, const void *alpha, const void *A, void *a, const void *B, void *b, const void *beta, const void *C, void *c, void *D, void *dd,
                   const uint64_t *algo, void *ws, size_t n, void *s) {
	int one;
	memcpy(&one, alpha, 4);
	say("matmul %p alpha %x A %p B %p C %p D %p algo %llx workspace %p %zu on %p", h, one, A, B, C, D, (unsigned long long)algo[0], ws, n, s);
	return 0;
}
#endif

#ifdef NVML
typedef struct {
	unsigned id, scope;
	long long stamp, latency;
	int type, status;
	union {
		double d;
		unsigned u;
		unsigned long long ull;
	} value;
} field;
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { say("nvml gone"); return 0; }
const char *nvmlErrorString(int r) { return "some error"; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { strcpy(s, "580.1"); return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **d) { say("pci %s", pci); *d = (void *)0xd0; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj) { *mj = 123456; return d != (void *)0xd0; }
int nvmlDeviceGetFieldValues(void *d, int n, field *f) {
	say("field %u of %d", f->id, n);
	f->status = 0, f->type = 1, f->value.u = 345600;
	return 0;
}
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw) { *mw = 1; return 0; }
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *c) { *c = 41 + sensor; return 0; }
int nvmlDeviceGetClockInfo(void *d, int type, unsigned *mhz) { *mhz = type == 1 ? 1980 : 3201; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *mw) { *mw = 700000; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *mask) { *mask = 5; return 0; }
int nvmlDeviceGetCurrentClocksEventReasons(void *d, unsigned long long *mask) { *mask = 5; return 0; }
#endif
