/* Devices as a process uses them: started at their first use, with lanes (streams and their
 * memory), the thread's current lane, events, and the report of kernels that met an index out of
 * range. */
#include "stream.h"

#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    mp_cuda_lane *lanes; /* all of them; the shared one is the last */
    mp_cuda_lane *first; /* the shared one; NULL until the device is started */
    mp_cuda_fault *fault;
    volatile mp_cuda_found *found;
    int processors;
} devices[MP_CUDA_MAX_DEVICES];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int device_total = -1;
static volatile bool forked; /* this process is the child of one that used CUDA */
static bool used;

static _Thread_local int64_t waits;
static _Thread_local struct {
    int current; /* 1 + the device that is current in the thread, 0: unknown */
    mp_cuda_lane *lane[MP_CUDA_MAX_DEVICES]; /* NULL: the shared one */
} mine;

static void after_fork(void) { forked = used; }

static void prepare(void) {
    for (int i = 0; i < MP_CUDA_MAX_DEVICES; i++) pthread_mutex_init(&devices[i].lock, NULL);
    pthread_atfork(NULL, NULL, after_fork);
}

/* ---- devices ---- */

mp_status mp_cuda_device_count(int *count) {
    pthread_once(&once, prepare);
    if (forked)
        return mp_fail(
            MP_ERR_DEVICE,
            "cuda: this process was forked from one that uses CUDA, and cannot use it; start "
            "workers with multiprocessing's \"spawn\"");
    if (device_total < 0) {
        int found = 0;
        MP_CUDA_TRY(cudaGetDeviceCount(&found));
        used = true;
        device_total = found < MP_CUDA_MAX_DEVICES ? found : MP_CUDA_MAX_DEVICES;
    }
    *count = device_total;
    return MP_OK;
}

static mp_status new_lane(int index, int priority, mp_cuda_lane **out) {
    for (mp_cuda_lane *lane = devices[index].lanes; lane; lane = lane->next) {
        if (!lane->idle || lane->priority != priority) continue;
        lane->idle = false;
        *out = lane;
        return MP_OK;
    }
    mp_cuda_lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return mp_fail(MP_ERR_MEMORY, "stream: no room for a lane of %zu bytes", sizeof *lane);
    lane->index = index;
    lane->priority = priority;
    mp_status status =
        mp_cuda_check(cudaStreamCreateWithPriority(&lane->stream, cudaStreamNonBlocking, priority),
                      "cudaStreamCreateWithPriority");
    if (status != MP_OK) {
        free(lane);
        return status;
    }
    lane->next = devices[index].lanes;
    devices[index].lanes = lane;
    *out = lane;
    return MP_OK;
}

/* The device's place for reports: a flag in its memory, the report in the host's. */
static mp_status make_fault(int index) {
    mp_cuda_found *found;
    mp_cuda_fault fault = {0};
    mp_cuda_note_wait();
    MP_CUDA_TRY(
        cudaHostAlloc((void **)&found, sizeof *found, cudaHostAllocMapped | cudaHostAllocPortable));
    memset(found, 0, sizeof *found);
    MP_CUDA_TRY(cudaHostGetDevicePointer((void **)&fault.found, found, 0));
    MP_CUDA_TRY(cudaMalloc((void **)&devices[index].fault, sizeof fault));
    MP_CUDA_TRY(cudaMemcpy(devices[index].fault, &fault, sizeof fault, cudaMemcpyHostToDevice));
    devices[index].found = found;
    return MP_OK;
}

/* First use of a device. Called under its lock, the device being current. */
static mp_status start(int index) {
    mp_cuda_lane *lane;
    MP_CUDA_TRY(
        cudaDeviceGetAttribute(&devices[index].processors, cudaDevAttrMultiProcessorCount, index));
    MP_TRY(make_fault(index));
    MP_TRY(new_lane(index, 0, &lane));
    devices[index].first = lane;
    return MP_OK;
}

static mp_status enter_first(int index) {
    int count;
    MP_TRY(mp_cuda_device_count(&count));
    if (index < 0 || index >= count)
        return mp_fail(MP_ERR_DEVICE, "device: cuda:%d does not exist, there are %d CUDA devices",
                       index, count);
    MP_CUDA_TRY(cudaSetDevice(index));
    pthread_mutex_lock(&devices[index].lock);
    mp_status status = devices[index].first ? MP_OK : start(index);
    pthread_mutex_unlock(&devices[index].lock);
    if (status != MP_OK) return status;
    mine.current = index + 1;
    if (!mine.lane[index]) mine.lane[index] = devices[index].first;
    return MP_OK;
}

mp_status mp_cuda_enter(mp_device device, mp_cuda_place *out) {
    int index = device - 1;
    /* with several devices other libraries of the thread may have changed the current one */
    if (mine.current != device || device_total != 1 || forked) MP_TRY(enter_first(index));
    out->lane = mine.lane[index];
    out->stream = out->lane->stream;
    out->index = index;
    out->processors = devices[index].processors;
    out->fault = devices[index].fault;
    return MP_OK;
}

mp_cuda_lane *mp_cuda_lanes(int index) { return devices[index].lanes; }
void mp_cuda_lock(int index) { pthread_mutex_lock(&devices[index].lock); }
void mp_cuda_unlock(int index) { pthread_mutex_unlock(&devices[index].lock); }

/* ---- reports ---- */

mp_status mp_cuda_look(mp_device device) {
    volatile mp_cuda_found *found = devices[device - 1].found;
    if (!found || !found->op) return MP_OK;
    mp_op op = (mp_op)(found->op - 1);
    long long value = found->value, position = found->position, extent = found->extent;
    found->op = 0;
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    MP_CUDA_TRY(
        cudaMemsetAsync(place.fault, 0, sizeof(int), place.stream)); /* `taken` comes first */
    return mp_fail(MP_ERR_INDEX,
                   "%s: index %lld at position %lld is out of range for an extent of %lld (%s)",
                   mp_cuda_op_name(op), value, position, extent,
                   "met by the GPU after the call; MIXPREC_SYNC=1 raises it there");
}

/* ---- waiting ---- */

void mp_cuda_note_wait(void) { waits++; }
int64_t mp_cuda_waits(void) { return waits; }

mp_status mp_cuda_synchronize(mp_device device) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_note_wait();
    MP_CUDA_TRY(cudaDeviceSynchronize());
    return mp_cuda_look(device);
}

mp_status mp_cuda_stream_wait(void *stream) {
    mp_cuda_lane *lane = stream;
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter((mp_device)(lane->index + 1), &place));
    mp_cuda_note_wait();
    MP_CUDA_TRY(cudaStreamSynchronize(lane->stream));
    return mp_cuda_look((mp_device)(lane->index + 1));
}

/* ---- streams ---- */

mp_status mp_cuda_stream_new(mp_device device, int priority, void **out) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_lock(place.index);
    mp_status status = new_lane(place.index, priority, (mp_cuda_lane **)out);
    mp_cuda_unlock(place.index);
    return status;
}

/* The lane stays, for memory that is in use belongs to it; the next new stream takes it over. */
void mp_cuda_stream_free(void *stream) {
    mp_cuda_lane *lane = stream;
    if (forked || lane == devices[lane->index].first) return;
    if (mine.lane[lane->index] == lane) mine.lane[lane->index] = devices[lane->index].first;
    mp_cuda_lock(lane->index);
    lane->idle = true;
    mp_cuda_unlock(lane->index);
}

mp_status mp_cuda_stream_use(mp_device device, void *stream, void **before) {
    mp_cuda_place place;
    mp_cuda_lane *lane = stream;
    MP_TRY(mp_cuda_enter(device, &place));
    if (lane && lane->index != place.index)
        return mp_fail(MP_ERR_VALUE, "stream: the stream is of cuda:%d, not of cuda:%d",
                       lane->index, place.index);
    *before = place.lane;
    mine.lane[place.index] = lane ? lane : devices[place.index].first;
    return MP_OK;
}

/* What a query has answered. "Not yet" must not meet the next launch as its error. */
static mp_status answer(cudaError_t error, const char *what, bool *done) {
    *done = error == cudaSuccess;
    if (error != cudaErrorNotReady) return mp_cuda_check(error, what);
    cudaGetLastError();
    return MP_OK;
}

mp_status mp_cuda_stream_done(void *stream, bool *done) {
    mp_cuda_lane *lane = stream;
    return answer(cudaStreamQuery(lane->stream), "cudaStreamQuery", done);
}

void *mp_cuda_stream_handle(void *stream) { return ((mp_cuda_lane *)stream)->stream; }

mp_status mp_cuda_order(mp_cuda_lane *lane, cudaStream_t first, cudaStream_t then) {
    if (!lane->passed) MP_CUDA_TRY(cudaEventCreateWithFlags(&lane->passed, cudaEventDisableTiming));
    MP_CUDA_TRY(cudaEventRecord(lane->passed, first));
    MP_CUDA_TRY(cudaStreamWaitEvent(then, lane->passed, 0));
    return MP_OK;
}

mp_status mp_cuda_stream_order(mp_device device, void *stream, void *foreign, bool foreign_waits) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    mp_cuda_lane *lane = stream ? stream : place.lane;
    mp_cuda_lock(lane->index);
    mp_status status = mp_cuda_order(lane, foreign_waits ? lane->stream : foreign,
                                     foreign_waits ? foreign : lane->stream);
    mp_cuda_unlock(lane->index);
    return status;
}

/* ---- events ---- */

mp_status mp_cuda_event_new(mp_device device, bool timing, void **out) {
    mp_cuda_place place;
    MP_TRY(mp_cuda_enter(device, &place));
    MP_CUDA_TRY(cudaEventCreateWithFlags((cudaEvent_t *)out,
                                         timing ? cudaEventDefault : cudaEventDisableTiming));
    return MP_OK;
}

void mp_cuda_event_free(void *event) {
    if (!forked) cudaEventDestroy(event);
}

mp_status mp_cuda_event_record(void *event, void *stream) {
    MP_CUDA_TRY(cudaEventRecord(event, ((mp_cuda_lane *)stream)->stream));
    return MP_OK;
}

mp_status mp_cuda_event_block(void *event, void *stream) {
    MP_CUDA_TRY(cudaStreamWaitEvent(((mp_cuda_lane *)stream)->stream, event, 0));
    return MP_OK;
}

mp_status mp_cuda_event_wait(void *event) {
    mp_cuda_note_wait();
    MP_CUDA_TRY(cudaEventSynchronize(event));
    return MP_OK;
}

mp_status mp_cuda_event_done(void *event, bool *done) {
    return answer(cudaEventQuery(event), "cudaEventQuery", done);
}

mp_status mp_cuda_event_elapsed(void *begin, void *end, float *milliseconds) {
    MP_CUDA_TRY(cudaEventElapsedTime(milliseconds, begin, end));
    return MP_OK;
}
