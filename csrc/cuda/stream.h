/* Devices, streams and events for the table of backend.c. A stream is a lane, an event a
 * cudaEvent_t. */
#ifndef MP_CUDA_STREAM_H
#define MP_CUDA_STREAM_H

#include "lane.h"

mp_status mp_cuda_device_count(int *count);
const char *mp_cuda_op_name(mp_op op); /* backend.c */
/* Waits for all work of the device, and tells what its kernels have reported. */
mp_status mp_cuda_synchronize(mp_device device);

mp_status mp_cuda_stream_new(mp_device device, int priority, void **out);
void mp_cuda_stream_free(void *stream);
/* Makes a stream (NULL: the shared one) the thread's on its device; *before gets the one it was. */
mp_status mp_cuda_stream_use(mp_device device, void *stream, void **before);
mp_status mp_cuda_stream_wait(void *stream); /* the host waits */
mp_status mp_cuda_stream_done(void *stream, bool *done);
void *mp_cuda_stream_handle(void *stream); /* the cudaStream_t */
/* Between a stream (NULL: the thread's) and one of another library: which waits for the other. */
mp_status mp_cuda_stream_order(mp_device device, void *stream, void *foreign, bool foreign_waits);
int64_t mp_cuda_waits(void); /* of this thread, so far */

mp_status mp_cuda_event_new(mp_device device, bool timing, void **out);
void mp_cuda_event_free(void *event);
mp_status mp_cuda_event_record(void *event, void *stream);
mp_status mp_cuda_event_block(void *event, void *stream); /* the stream waits for the event */
mp_status mp_cuda_event_wait(void *event);                /* the host waits */
mp_status mp_cuda_event_done(void *event, bool *done);
mp_status mp_cuda_event_elapsed(void *begin, void *end, float *milliseconds);

#endif
