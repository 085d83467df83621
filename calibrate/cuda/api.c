//go:build cgo && linux

#define _GNU_SOURCE
#include "api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// cuda.h: functions by the names that the library exports, which carry the version that the header's macros hide.
#define DRIVER_FUNCTIONS(X) \
	X(cuInit, (unsigned)) \
	X(cuGetErrorString, (int, const char **)) \
	X(cuDriverGetVersion, (int *)) \
	X(cuDeviceGetCount, (int *)) \
	X(cuDeviceGet, (int *, int)) \
	X(cuDeviceGetName, (char *, int, int)) \
	X(cuDeviceTotalMem_v2, (size_t *, int)) \
	X(cuDeviceGetAttribute, (int *, int, int)) \
	X(cuDeviceGetPCIBusId, (char *, int, int)) \
	X(cuDevicePrimaryCtxRetain, (oc_handle *, int)) \
	X(cuDevicePrimaryCtxRelease_v2, (int)) \
	X(cuCtxSetCurrent, (oc_handle)) \
	X(cuCtxSynchronize, (void)) \
	X(cuMemGetInfo_v2, (size_t *, size_t *)) \
	X(cuMemAlloc_v2, (uint64_t *, size_t)) \
	X(cuMemFree_v2, (uint64_t)) \
	X(cuMemcpyDtoDAsync_v2, (uint64_t, uint64_t, size_t, oc_handle)) \
	X(cuStreamCreate, (oc_handle *, unsigned)) \
	X(cuStreamDestroy_v2, (oc_handle)) \
	X(cuStreamSynchronize, (oc_handle)) \
	X(cuEventCreate, (oc_handle *, unsigned)) \
	X(cuEventDestroy_v2, (oc_handle)) \
	X(cuEventRecord, (oc_handle, oc_handle)) \
	X(cuEventSynchronize, (oc_handle)) \
	X(cuEventElapsedTime, (float *, oc_handle, oc_handle)) \
	X(cuModuleLoadDataEx, (oc_handle *, const void *, unsigned, int *, void **)) \
	X(cuModuleUnload, (oc_handle)) \
	X(cuModuleGetFunction, (oc_handle *, oc_handle, const char *)) \
	X(cuLaunchKernel, (oc_handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, oc_handle, void **, void **)) \
	X(cuStreamBeginCapture_v2, (oc_handle, int)) \
	X(cuStreamEndCapture, (oc_handle, oc_handle *)) \
	X(cuGraphInstantiateWithFlags, (oc_handle *, oc_handle, unsigned long long)) \
	X(cuGraphLaunch, (oc_handle, oc_handle)) \
	X(cuGraphExecDestroy, (oc_handle)) \
	X(cuGraphDestroy, (oc_handle))

// cublasLt.h
typedef struct {
	uint64_t data[8];
} lt_algo; // cublasLtMatmulAlgo_t

typedef struct {
	lt_algo algo;
	size_t workspace;
	int state; // cublasStatus_t
	float waves;
	int reserved[4];
} lt_result; // cublasLtMatmulHeuristicResult_t

_Static_assert(sizeof(lt_result) == 96, "cublasLtMatmulHeuristicResult_t has 96 bytes");

#define CUBLAS_FUNCTIONS(X) \
	X(cublasLtCreate, (oc_handle *)) \
	X(cublasLtDestroy, (oc_handle)) \
	X(cublasLtMatmulDescCreate, (oc_handle *, int, int)) \
	X(cublasLtMatmulDescDestroy, (oc_handle)) \
	X(cublasLtMatmulDescSetAttribute, (oc_handle, int, const void *, size_t)) \
	X(cublasLtMatrixLayoutCreate, (oc_handle *, int, uint64_t, uint64_t, int64_t)) \
	X(cublasLtMatrixLayoutDestroy, (oc_handle)) \
	X(cublasLtMatrixLayoutSetAttribute, (oc_handle, int, const void *, size_t)) \
	X(cublasLtMatmulPreferenceCreate, (oc_handle *)) \
	X(cublasLtMatmulPreferenceDestroy, (oc_handle)) \
	X(cublasLtMatmulPreferenceSetAttribute, (oc_handle, int, const void *, size_t)) \
	X(cublasLtMatmulAlgoGetHeuristic, (oc_handle, oc_handle, oc_handle, oc_handle, oc_handle, oc_handle, oc_handle, int, lt_result *, int *)) \
	X(cublasLtMatmul, (oc_handle, oc_handle, const void *, const void *, oc_handle, const void *, oc_handle, const void *, const void *, oc_handle, void *, oc_handle, const lt_algo *, void *, size_t, oc_handle))

#define DECLARE(name, args) static int(*name) args;
DRIVER_FUNCTIONS(DECLARE)
CUBLAS_FUNCTIONS(DECLARE)
static size_t (*cublasLtGetVersion)(void);
static const char *(*cublasLtGetStatusString)(int); // since 11.4

// Values of cuda.h, library_types.h, cublas_api.h and cublasLt.h.
enum {
	ATTR_CLOCK_RATE = 13, // CU_DEVICE_ATTRIBUTE_*
	ATTR_MULTIPROCESSOR_COUNT = 16,
	ATTR_INTEGRATED = 18,
	ATTR_MEMORY_CLOCK_RATE = 36,
	ATTR_GLOBAL_MEMORY_BUS_WIDTH = 37,
	ATTR_L2_CACHE_SIZE = 38,
	ATTR_COMPUTE_CAPABILITY_MAJOR = 75,
	ATTR_COMPUTE_CAPABILITY_MINOR = 76,
	STREAM_NON_BLOCKING = 1,
	CAPTURE_MODE_RELAXED = 2, // CU_STREAM_CAPTURE_MODE_RELAXED: the thread may change
	JIT_ERROR_LOG_BUFFER = 5,
	JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
	OP_T = 1, // CUBLAS_OP_T
	DESC_TRANSA = 3, // CUBLASLT_MATMUL_DESC_TRANSA
	DESC_FAST_ACCUM = 25,
	LAYOUT_BATCH_COUNT = 5, // CUBLASLT_MATRIX_LAYOUT_*
	LAYOUT_STRIDED_BATCH_OFFSET = 6,
	PREF_MAX_WORKSPACE_BYTES = 1, // CUBLASLT_MATMUL_PREF_*
	R_8F_E4M3 = 28, // CUDA_R_8F_E4M3
	R_32I = 10,
};

#define TRY(call, name) \
	do { \
		int code_ = (call); \
		if (code_ != 0) return (oc_result){code_, name}; \
	} while (0)
// AT makes the card's context the thread's: the calling goroutine may be on any thread.
#define AT(c) TRY(cuCtxSetCurrent((c)->context), "cuCtxSetCurrent")

static const oc_result done = {0, ""};

// load fills one function of the table; it is false, with the symbol in text, where the library lacks it.
static int load(void *lib, const char *name, void *to, char *text, size_t n) {
	void *p = dlsym(lib, name);
	if (p == NULL) {
		snprintf(text, n, "it has no %s; the library is too old", name);
		return 0;
	}
	memcpy(to, &p, sizeof p);
	return 1;
}

#define LOAD(name, args) \
	if (!load(lib, #name, &name, text, n)) { \
		dlclose(lib); \
		return 0; \
	}

int oc_open_driver(char *text, size_t n) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) {
		const char *why = dlerror();
		snprintf(text, n, "%s", why ? why : "unknown reason");
		return 0;
	}
	DRIVER_FUNCTIONS(LOAD)
	return 1;
}

int oc_open_cublas(const char *path, char *text, size_t n) {
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) {
		const char *why = dlerror();
		snprintf(text, n, "%s", why ? why : "unknown reason");
		return 0;
	}
	CUBLAS_FUNCTIONS(LOAD)
	LOAD(cublasLtGetVersion, (void))
	void *p = dlsym(lib, "cublasLtGetStatusString");
	memcpy(&cublasLtGetStatusString, &p, sizeof p);
	return 1;
}

const char *oc_driver_text(int code) {
	const char *text = NULL;
	if (cuGetErrorString == NULL || cuGetErrorString(code, &text) != 0 || text == NULL) return "unknown error";
	return text;
}

const char *oc_cublas_text(int code) {
	const char *text = cublasLtGetStatusString ? cublasLtGetStatusString(code) : NULL;
	if (text != NULL) return text;
	switch (code) { // cublasStatus_t
	case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
	case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
	case 7: return "CUBLAS_STATUS_INVALID_VALUE";
	case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
	case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
	case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
	case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
	}
	return "unknown status";
}

oc_result oc_init(void) {
	TRY(cuInit(0), "cuInit");
	return done;
}

oc_result oc_driver_version(int *version) {
	TRY(cuDriverGetVersion(version), "cuDriverGetVersion");
	return done;
}

size_t oc_cublas_version(void) { return cublasLtGetVersion(); }

oc_result oc_count(int *n) {
	TRY(cuDeviceGetCount(n), "cuDeviceGetCount");
	return done;
}

// attribute is 0 where the driver does not tell.
static int attribute(int id, int device) {
	int v = 0;
	return cuDeviceGetAttribute(&v, id, device) == 0 ? v : 0;
}

oc_result oc_card_open(int index, oc_card *c, oc_info *info) {
	memset(c, 0, sizeof *c);
	memset(info, 0, sizeof *info);
	TRY(cuDeviceGet(&c->device, index), "cuDeviceGet");
	TRY(cuDeviceGetName(info->name, sizeof info->name - 1, c->device), "cuDeviceGetName");
	TRY(cuDeviceTotalMem_v2(&info->memory_bytes, c->device), "cuDeviceTotalMem");
	cuDeviceGetPCIBusId(info->pci, sizeof info->pci - 1, c->device);
	info->major = attribute(ATTR_COMPUTE_CAPABILITY_MAJOR, c->device);
	info->minor = attribute(ATTR_COMPUTE_CAPABILITY_MINOR, c->device);
	info->sms = attribute(ATTR_MULTIPROCESSOR_COUNT, c->device);
	info->clock_khz = attribute(ATTR_CLOCK_RATE, c->device);
	info->memory_khz = attribute(ATTR_MEMORY_CLOCK_RATE, c->device);
	info->bus_bits = attribute(ATTR_GLOBAL_MEMORY_BUS_WIDTH, c->device);
	info->l2_bytes = attribute(ATTR_L2_CACHE_SIZE, c->device);
	info->integrated = attribute(ATTR_INTEGRATED, c->device);
	TRY(cuDevicePrimaryCtxRetain(&c->context, c->device), "cuDevicePrimaryCtxRetain");
	oc_result r = done;
	if ((r.code = cuCtxSetCurrent(c->context)) != 0)
		r.failed = "cuCtxSetCurrent";
	else if ((r.code = cublasLtCreate(&c->lt)) != 0)
		r.failed = "cublasLtCreate";
	if (r.code != 0) {
		cuCtxSetCurrent(NULL);
		cuDevicePrimaryCtxRelease_v2(c->device);
		c->context = NULL;
	}
	return r;
}

oc_result oc_card_close(oc_card *c) {
	if (c->context == NULL) return done;
	int set = cuCtxSetCurrent(c->context);
	int sync = set == 0 ? cuCtxSynchronize() : 0;
	int lt = c->lt && set == 0 ? cublasLtDestroy(c->lt) : 0;
	cuCtxSetCurrent(NULL);
	int release = cuDevicePrimaryCtxRelease_v2(c->device);
	c->context = c->lt = NULL;
	TRY(set, "cuCtxSetCurrent");
	TRY(sync, "cuCtxSynchronize");
	TRY(lt, "cublasLtDestroy");
	TRY(release, "cuDevicePrimaryCtxRelease");
	return done;
}

oc_result oc_memory(oc_card *c, size_t *free_bytes, size_t *total) {
	AT(c);
	TRY(cuMemGetInfo_v2(free_bytes, total), "cuMemGetInfo");
	return done;
}

oc_result oc_sync(oc_card *c) {
	AT(c);
	TRY(cuCtxSynchronize(), "cuCtxSynchronize");
	return done;
}

oc_result oc_alloc(oc_card *c, size_t bytes, uint64_t *ptr) {
	AT(c);
	TRY(cuMemAlloc_v2(ptr, bytes), "cuMemAlloc");
	return done;
}

oc_result oc_free(oc_card *c, uint64_t ptr) {
	AT(c);
	TRY(cuMemFree_v2(ptr), "cuMemFree");
	return done;
}

oc_result oc_stream_new(oc_card *c, oc_handle *s) {
	AT(c);
	TRY(cuStreamCreate(s, STREAM_NON_BLOCKING), "cuStreamCreate");
	return done;
}

oc_result oc_stream_free(oc_card *c, oc_handle s) {
	AT(c);
	TRY(cuStreamDestroy_v2(s), "cuStreamDestroy");
	return done;
}

oc_result oc_stream_sync(oc_card *c, oc_handle s) {
	AT(c);
	TRY(cuStreamSynchronize(s), "cuStreamSynchronize");
	return done;
}

oc_result oc_event_new(oc_card *c, oc_handle *e) {
	AT(c);
	TRY(cuEventCreate(e, 0), "cuEventCreate");
	return done;
}

oc_result oc_event_free(oc_card *c, oc_handle e) {
	AT(c);
	TRY(cuEventDestroy_v2(e), "cuEventDestroy");
	return done;
}

oc_result oc_event_record(oc_card *c, oc_handle e, oc_handle s) {
	AT(c);
	TRY(cuEventRecord(e, s), "cuEventRecord");
	return done;
}

oc_result oc_event_sync(oc_card *c, oc_handle e) {
	AT(c);
	TRY(cuEventSynchronize(e), "cuEventSynchronize");
	return done;
}

oc_result oc_event_elapsed(oc_card *c, oc_handle start, oc_handle end, float *ms) {
	AT(c);
	TRY(cuEventElapsedTime(ms, start, end), "cuEventElapsedTime");
	return done;
}

oc_result oc_copy(oc_card *c, uint64_t dst, uint64_t src, size_t bytes, oc_handle s) {
	AT(c);
	TRY(cuMemcpyDtoDAsync_v2(dst, src, bytes, s), "cuMemcpyDtoDAsync");
	return done;
}

oc_result oc_module_new(oc_card *c, const char *ptx, oc_handle *m, char *log, size_t n) {
	AT(c);
	// The size travels in the pointer itself.
	int options[] = {JIT_ERROR_LOG_BUFFER, JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {log, (void *)(uintptr_t)(n - 1)};
	TRY(cuModuleLoadDataEx(m, ptx, 2, options, values), "cuModuleLoadDataEx");
	return done;
}

oc_result oc_module_free(oc_card *c, oc_handle m) {
	AT(c);
	TRY(cuModuleUnload(m), "cuModuleUnload");
	return done;
}

oc_result oc_kernel(oc_card *c, oc_handle m, const char *name, oc_handle *f) {
	AT(c);
	TRY(cuModuleGetFunction(f, m, name), "cuModuleGetFunction");
	return done;
}

oc_result oc_launch(oc_card *c, oc_handle f, unsigned grid, unsigned block, oc_handle s, uint64_t *slots, int n) {
	void *args[16];
	if (n > 16) return (oc_result){1, "cuLaunchKernel"}; // CUDA_ERROR_INVALID_VALUE
	for (int i = 0; i < n; i++) args[i] = &slots[i];
	AT(c);
	TRY(cuLaunchKernel(f, grid, 1, 1, block, 1, 1, 0, s, args, NULL), "cuLaunchKernel");
	return done;
}

oc_result oc_capture_begin(oc_card *c, oc_handle s) {
	AT(c);
	TRY(cuStreamBeginCapture_v2(s, CAPTURE_MODE_RELAXED), "cuStreamBeginCapture");
	return done;
}

oc_result oc_capture_end(oc_card *c, oc_handle s, int instantiate, oc_handle *exec) {
	*exec = NULL;
	AT(c);
	oc_handle graph = NULL;
	TRY(cuStreamEndCapture(s, &graph), "cuStreamEndCapture");
	int code = 0;
	if (instantiate) code = cuGraphInstantiateWithFlags(exec, graph, 0);
	if (graph != NULL) cuGraphDestroy(graph);
	TRY(code, "cuGraphInstantiateWithFlags");
	return done;
}

oc_result oc_graph_launch(oc_card *c, oc_handle exec, oc_handle s) {
	AT(c);
	TRY(cuGraphLaunch(exec, s), "cuGraphLaunch");
	return done;
}

oc_result oc_graph_free(oc_card *c, oc_handle exec) {
	AT(c);
	TRY(cuGraphExecDestroy(exec), "cuGraphExecDestroy");
	return done;
}

struct oc_matmul {
	oc_handle desc, a, b, d;
	lt_algo algo;
	size_t workspace;
	int integer;
};

// layout describes batch column-major matrices of rows × cols, one after the other.
static oc_result layout(oc_handle *l, int type, int64_t rows, int64_t cols, int64_t batch) {
	TRY(cublasLtMatrixLayoutCreate(l, type, rows, cols, rows), "cublasLtMatrixLayoutCreate");
	if (batch > 1) {
		int32_t count = batch;
		int64_t offset = rows * cols;
		TRY(cublasLtMatrixLayoutSetAttribute(*l, LAYOUT_BATCH_COUNT, &count, sizeof count), "cublasLtMatrixLayoutSetAttribute");
		TRY(cublasLtMatrixLayoutSetAttribute(*l, LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof offset), "cublasLtMatrixLayoutSetAttribute");
	}
	return done;
}

// describe sets mm up, without the algorithm. Row-major D[M×N] = A[M×K]·B[N×K]ᵀ is column-major Dᵀ[N×M] = Bᵀ·A with B
// stored K×N and A stored K×M: cuBLAS's first operand is ours second, transposed.
static oc_result describe(oc_matmul *mm, const oc_gemm *g) {
	oc_result r;
	int32_t t = OP_T;
	TRY(cublasLtMatmulDescCreate(&mm->desc, g->compute, g->scale), "cublasLtMatmulDescCreate");
	TRY(cublasLtMatmulDescSetAttribute(mm->desc, DESC_TRANSA, &t, sizeof t), "cublasLtMatmulDescSetAttribute");
	if (g->in_type == R_8F_E4M3) {
		int8_t fast = 1; // what frameworks use for inference
		cublasLtMatmulDescSetAttribute(mm->desc, DESC_FAST_ACCUM, &fast, sizeof fast);
	}
	r = layout(&mm->b, g->in_type, g->k, g->n, g->batch);
	if (r.code != 0) return r;
	r = layout(&mm->a, g->in_type, g->k, g->m, g->batch);
	if (r.code != 0) return r;
	return layout(&mm->d, g->out_type, g->n, g->m, g->batch);
}

oc_result oc_matmul_new(oc_card *c, const oc_gemm *g, oc_matmul **out, int *found) {
	*out = NULL;
	*found = 0;
	AT(c);
	oc_matmul *mm = calloc(1, sizeof *mm);
	if (mm == NULL) return (oc_result){2, "calloc"};
	mm->integer = g->scale == R_32I;
	oc_handle pref = NULL;
	lt_result results[8];
	int n = 0;
	oc_result r = describe(mm, g);
	if (r.code == 0 && (r.code = cublasLtMatmulPreferenceCreate(&pref)) != 0) r.failed = "cublasLtMatmulPreferenceCreate";
	if (r.code == 0) {
		uint64_t bytes = g->max_workspace;
		r.code = cublasLtMatmulPreferenceSetAttribute(pref, PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
		if (r.code != 0) r.failed = "cublasLtMatmulPreferenceSetAttribute";
	}
	if (r.code == 0) {
		memset(results, 0, sizeof results);
		r.code = cublasLtMatmulAlgoGetHeuristic(c->lt, mm->desc, mm->b, mm->a, mm->d, mm->d, pref, 8, results, &n);
		if (r.code != 0) r.failed = "cublasLtMatmulAlgoGetHeuristic";
	}
	if (pref) cublasLtMatmulPreferenceDestroy(pref);
	for (int i = 0; r.code == 0 && i < n && i < 8; i++) {
		if (results[i].state != 0 || results[i].workspace > g->max_workspace) continue;
		if (*found == 0) { // the best by the library's own estimate, which is what frameworks take
			mm->algo = results[i].algo;
			mm->workspace = results[i].workspace;
		}
		++*found;
	}
	if (*found == 0) {
		oc_matmul_free(mm);
		return r;
	}
	*out = mm;
	return r;
}

size_t oc_matmul_workspace(const oc_matmul *mm) { return mm->workspace; }

oc_result oc_matmul_run(oc_card *c, oc_matmul *mm, uint64_t a, uint64_t b, uint64_t d, uint64_t workspace, size_t bytes, oc_handle s) {
	AT(c);
	static const float one = 1, zero = 0;
	static const int32_t ione = 1, izero = 0;
	const void *alpha = mm->integer ? (const void *)&ione : &one, *beta = mm->integer ? (const void *)&izero : &zero;
	void *dst = (void *)(uintptr_t)d;
	TRY(cublasLtMatmul(c->lt, mm->desc, alpha, (const void *)(uintptr_t)b, mm->b, (const void *)(uintptr_t)a, mm->a, beta, dst, mm->d,
	                   dst, mm->d, &mm->algo, (void *)(uintptr_t)workspace, bytes, s),
	    "cublasLtMatmul");
	return done;
}

void oc_matmul_free(oc_matmul *mm) {
	if (mm == NULL) return;
	if (mm->desc) cublasLtMatmulDescDestroy(mm->desc);
	if (mm->a) cublasLtMatrixLayoutDestroy(mm->a);
	if (mm->b) cublasLtMatrixLayoutDestroy(mm->b);
	if (mm->d) cublasLtMatrixLayoutDestroy(mm->d);
	free(mm);
}
