// The part of CUDA that the calibration calls, with types of its own: no header of NVIDIA's is needed to build.
// Names, values and layouts follow cuda.h (driver API), library_types.h, cublas_api.h and cublasLt.h of CUDA 11.8 to
// 13. A CUresult and a cublasStatus_t are ints, handles are pointers, a CUdeviceptr is 64 bits.
#ifndef ONNXCOST_CUDA_API_H
#define ONNXCOST_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

typedef void *oc_handle;

// The functions return 0, or the library's code; failed names the function it came from.
typedef struct {
	int code;
	const char *failed;
} oc_result;

// Opening. On failure the text says why; missing is the symbol that a library lacks.
int oc_open_driver(char *text, size_t n);
int oc_open_cublas(const char *path, char *text, size_t n);
const char *oc_driver_text(int code);
const char *oc_cublas_text(int code);

oc_result oc_init(void);
oc_result oc_driver_version(int *version);
size_t oc_cublas_version(void);
oc_result oc_count(int *n);

typedef struct {
	char name[256], pci[32];
	int major, minor, sms, clock_khz, memory_khz, bus_bits, l2_bytes, integrated;
	size_t memory_bytes;
} oc_info;

typedef struct {
	int device;
	oc_handle context, lt;
} oc_card;

oc_result oc_card_open(int index, oc_card *c, oc_info *info);
oc_result oc_card_close(oc_card *c);
oc_result oc_memory(oc_card *c, size_t *free_bytes, size_t *total);
oc_result oc_sync(oc_card *c);

oc_result oc_alloc(oc_card *c, size_t bytes, uint64_t *ptr);
oc_result oc_free(oc_card *c, uint64_t ptr);
oc_result oc_stream_new(oc_card *c, oc_handle *s);
oc_result oc_stream_free(oc_card *c, oc_handle s);
oc_result oc_stream_sync(oc_card *c, oc_handle s);
oc_result oc_event_new(oc_card *c, oc_handle *e);
oc_result oc_event_free(oc_card *c, oc_handle e);
oc_result oc_event_record(oc_card *c, oc_handle e, oc_handle s);
oc_result oc_event_sync(oc_card *c, oc_handle e);
oc_result oc_event_elapsed(oc_card *c, oc_handle start, oc_handle end, float *ms);
oc_result oc_copy(oc_card *c, uint64_t dst, uint64_t src, size_t bytes, oc_handle s);

oc_result oc_module_new(oc_card *c, const char *ptx, oc_handle *m, char *log, size_t n);
oc_result oc_module_free(oc_card *c, oc_handle m);
oc_result oc_kernel(oc_card *c, oc_handle m, const char *name, oc_handle *f);
// slots holds one argument each, low bytes first.
oc_result oc_launch(oc_card *c, oc_handle f, unsigned grid, unsigned block, oc_handle s, uint64_t *slots, int n);

oc_result oc_capture_begin(oc_card *c, oc_handle s);
// The graph is instantiated; *exec is NULL where that failed or instantiate is 0.
oc_result oc_capture_end(oc_card *c, oc_handle s, int instantiate, oc_handle *exec);
oc_result oc_graph_launch(oc_card *c, oc_handle exec, oc_handle s);
oc_result oc_graph_free(oc_card *c, oc_handle exec);

typedef struct {
	int in_type, out_type, compute, scale;
	int64_t batch, m, n, k;
	size_t max_workspace;
} oc_gemm;

typedef struct oc_matmul oc_matmul;
// found is the number of algorithms that the heuristic offers; *mm is NULL where it is 0.
oc_result oc_matmul_new(oc_card *c, const oc_gemm *g, oc_matmul **mm, int *found);
size_t oc_matmul_workspace(const oc_matmul *mm);
oc_result oc_matmul_run(oc_card *c, oc_matmul *mm, uint64_t a, uint64_t b, uint64_t d, uint64_t workspace, size_t bytes, oc_handle s);
void oc_matmul_free(oc_matmul *mm);

#endif
