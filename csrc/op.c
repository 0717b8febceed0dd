/* The op table and the one way to run an op: cast (autocast), infer, kernel, record. Kernels are
 * called here and nowhere else; what ops do is in ops/ (rules) and in the backends (kernels). */
#include "mp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ops/rules.h"

/* ---- the table ---- */

#define KEEP MP_KEEP
#define LOWER MP_LOWER
#define FP32 MP_FP32
#define PROMOTE MP_PROMOTE
#define mp_vjp_NONE NULL
mp_op_row mp_op_rows[MP_OP_COUNT] = {
#define MP_OP(op, inputs_, outputs_, attrs_, mixprec, torch, torch_cuda, infer_, vjp_, keep_,      \
              flags_)                                                                              \
    [MP_OP_##op] = {.name = #op,                                                                   \
                    .inputs = inputs_,                                                             \
                    .outputs = outputs_,                                                           \
                    .attrs = attrs_,                                                               \
                    .keep = keep_,                                                                 \
                    .policy = {mixprec, torch, torch_cuda},                                        \
                    .infer = mp_infer_##infer_,                                                    \
                    .vjp = mp_vjp_##vjp_,                                                          \
                    .flags = flags_},
#include "ops.def"
#undef MP_OP
};

const mp_attr_row mp_attr_rows[] = {
#define MP_ATTR(name, kind, field) {#name, MP_ATTR_##kind, offsetof(mp_attrs, field)},
#include "attrs.def"
#undef MP_ATTR
};
const int mp_attr_count = sizeof mp_attr_rows / sizeof *mp_attr_rows;

/* The next word of a text: its start and length, or NULL. Moves *at past it. */
static const char *next_word(const char **at, size_t *length) {
    while (**at == ' ') ++*at;
    const char *word = *at;
    while (**at && **at != ' ' && **at != ';') ++*at;
    *length = (size_t)(*at - word);
    return *length ? word : NULL;
}

/* The position of a name in a list of names that may carry a mark ('?', '!'), or -1. */
static int position_of(const char *names, const char *name, size_t length) {
    size_t n;
    int index = 0;
    for (const char *word; (word = next_word(&names, &n)); index++) {
        if (word[n - 1] == '?' || word[n - 1] == '!') n--;
        if (n == length && !memcmp(word, name, n)) return index;
    }
    return -1;
}

static void parse_inputs(mp_op_row *row) {
    const char *at = row->inputs;
    size_t n;
    if (*at == '*') {
        row->n_in = -1;
        row->n_required = 1;
        return;
    }
    for (const char *word; (word = next_word(&at, &n)); row->n_in++) {
        if (word[n - 1] != '?') row->n_required = (int8_t)(row->n_in + 1);
        else row->optional |= 1u << row->n_in;
    }
}

static void parse_outputs(mp_op_row *row) {
    const char *at = row->outputs;
    size_t n;
    for (const char *word; (word = next_word(&at, &n)); row->n_out++)
        if (word[n - 1] != '!') row->n_visible++;
}

static mp_status parse_attrs(mp_op_row *row) {
    const char *at = row->attrs;
    size_t n;
    for (const char *word; (word = next_word(&at, &n)); row->n_attrs++) {
        int index = 0;
        while (index < mp_attr_count &&
               (strlen(mp_attr_rows[index].name) != n || memcmp(mp_attr_rows[index].name, word, n)))
            index++;
        if (index == mp_attr_count)
            return mp_fail(MP_ERR_RUNTIME, "%s: unknown attribute in \"%s\"", row->name,
                           row->attrs);
        row->attr[row->n_attrs] = (uint8_t)index;
    }
    return MP_OK;
}

/* "x for weight; y": what backward keeps, and for the gradients of which inputs. */
static mp_status parse_keep(mp_op_row *row) {
    const char *at = row->keep;
    size_t n;
    if (*at == '*') {
        row->keep_from = (int8_t)atoi(at + 1);
        return MP_OK;
    }
    for (const char *word; (word = next_word(&at, &n));) {
        int input = position_of(row->inputs, word, n), output = position_of(row->outputs, word, n);
        if (input < 0 && output < 0)
            return mp_fail(MP_ERR_RUNTIME, "%s: unknown name in \"%s\"", row->name, row->keep);
        uint32_t for_inputs = 0;
        while (*at == ' ') {
            word = next_word(&at, &n);
            if (!word || (n == 3 && !memcmp(word, "for", 3))) continue;
            int target = position_of(row->inputs, word, n);
            if (target < 0)
                return mp_fail(MP_ERR_RUNTIME, "%s: unknown name in \"%s\"", row->name, row->keep);
            for_inputs |= 1u << target;
        }
        if (*at == ';') at++;
        int k = row->n_keep++;
        row->keeps[k].output = input < 0;
        row->keeps[k].index = (uint8_t)(input < 0 ? output : input);
        row->keeps[k].for_inputs = for_inputs ? for_inputs : ~0u;
    }
    return MP_OK;
}

static mp_status init_status;
static void init_once(void) {
    const mp_backend *cpu;
    for (int op = 0; op < MP_OP_COUNT && init_status == MP_OK; op++) {
        parse_inputs(&mp_op_rows[op]);
        parse_outputs(&mp_op_rows[op]);
        init_status = parse_attrs(&mp_op_rows[op]);
        if (init_status == MP_OK) init_status = parse_keep(&mp_op_rows[op]);
    }
    if (init_status == MP_OK) init_status = mp_backend_of(MP_CPU, &cpu);
}

mp_status mp_core_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    return init_status;
}

/* ---- running ---- */

void *(*mp_long_work_begin)(void);
void (*mp_long_work_end)(void *token);
static const double long_work_ns = 20e3;

/* Pending factors are applied, and views that lost their place in the graph refused. */
static mp_status check_inputs(const mp_call *call) {
    for (int i = 0; i < call->n_in; i++) {
        mp_array *a = call->in[i];
        if (!a) {
            if (call->row->n_in >= 0 && call->row->optional & (1u << i)) continue;
            return mp_fail(MP_ERR_TYPE, "input %d is missing", i);
        }
        if (a->storage->pending) MP_TRY(mp_array_settle(a));
        if (a->base && a->base_writes != a->base->writes && mp_grad_enabled())
            return mp_fail(
                MP_ERR_RUNTIME,
                "input %d is a view made before its base was written in place; take the view again",
                i);
    }
    return MP_OK;
}

static mp_policy policy_in_force(const mp_call *call, const mp_autocast **region) {
    *region = mp_autocast_current();
    int kind = mp_device_kind(call->device);
    if (!*region || !(*region)->enabled[kind]) return MP_KEEP;
    return (mp_policy)(*region)->policy[kind][call->op];
}

static double work_of(const mp_call *call) {
    if (call->work > 0) return call->work;
    double elements = 0;
    for (int k = 0; k < call->n_out; k++) elements += (double)call->out[k]->size;
    return elements;
}

static mp_status run_kernel(mp_call *call) {
    const mp_backend *backend;
    MP_TRY(mp_backend_of(call->device, &backend));
    mp_kernel kernel = backend->kernels[call->op];
    if (!kernel) return mp_fail(MP_ERR_NOT_IMPLEMENTED, "no %s kernel", backend->name);
    if (backend->run) return backend->run(kernel, call);
    if (work_of(call) < long_work_ns || !mp_long_work_begin) return kernel(call);
    void *token = mp_long_work_begin();
    mp_status status = kernel(call);
    mp_long_work_end(token);
    return status;
}

/* The arrays of one call: `in` as the kernel gets them, `edges` as their gradients see them
 * (autocast's aliases keep the edges of what they replace), and what the call holds references to.
 * On the stack unless a row takes many inputs. */
enum { FEW_INPUTS = 8 };
typedef struct call_room {
    mp_array **in, **edges, **lowered, **dense;
    mp_array *few[4 * FEW_INPUTS], **many;
    int n; /* inputs it holds; 0 until opened */
} call_room;

/* A number that may stand beside arrays of another device: 0-d, on the CPU, without gradient. */
static bool is_number(const mp_array *a) {
    return a->ndim == 0 && mp_array_device(a) == MP_CPU && !mp_requires_grad(a);
}

static mp_status other_devices(mp_device device, mp_device other) {
    char first[16];
    strcpy(first, mp_device_name(device));
    return mp_fail(MP_ERR_VALUE, "inputs are on %s and %s", first, mp_device_name(other));
}

/* Numbers go to the device of a row that does not read them on the host. */
static mp_status move_numbers(mp_call *call, call_room *room) {
    for (int i = 0; i < call->n_in; i++) {
        if (!call->in[i] || mp_array_device(call->in[i]) == call->device) continue;
        if (!call->in[i]->weak) return other_devices(call->device, MP_CPU);
        MP_TRY(mp_array_to_device(call->in[i], call->device, &room->dense[i]));
        room->dense[i]->weak = true;
        call->in[i] = room->dense[i];
    }
    return MP_OK;
}

/* One device for all inputs, numbers aside. */
static mp_status find_device(mp_call *call, call_room *room) {
    mp_device device = call->n_in ? MP_CPU : call->attrs.device;
    bool numbers = false, others = false; /* whether there are such inputs */
    for (int i = 0; i < call->n_in; i++) {
        if (!call->in[i]) continue;
        if (is_number(call->in[i])) {
            numbers = true;
            continue;
        }
        mp_device other = mp_array_device(call->in[i]);
        if (others && other != device) return other_devices(device, other);
        device = other;
        others = true;
    }
    call->device = device;
    if (!numbers || device == MP_CPU || call->row->flags & MP_NUMBERS) return MP_OK;
    return move_numbers(call, room);
}

static mp_status open_room(call_room *room, int n_in, mp_array *const *in) {
    mp_array **all = room->few;
    size_t n = (size_t)n_in, bytes = n * sizeof *in;
    if (n_in > FEW_INPUTS && !(all = room->many = malloc(4 * bytes)))
        return mp_fail(MP_ERR_MEMORY, "memory: no room for %d inputs", n_in);
    room->in = all, room->edges = all + n, room->lowered = all + 2 * n, room->dense = all + 3 * n;
    room->n = n_in;
    if (n_in == 0) return MP_OK;
    memcpy(room->in, in, bytes);
    memcpy(room->edges, in, bytes);
    memset(room->lowered, 0, 2 * bytes);
    return MP_OK;
}

static void close_room(call_room *room) {
    for (int i = 0; i < room->n; i++) {
        if (room->lowered[i]) mp_array_unref(room->lowered[i]);
        if (room->dense[i]) mp_array_unref(room->dense[i]);
    }
    free(room->many);
}

/* Inputs of a kernel without strides. */
static mp_status make_contiguous(mp_call *call, call_room *room) {
    for (int i = 0; i < call->n_in; i++) {
        if (!call->in[i] || call->in[i]->contiguous) continue;
        MP_TRY(mp_array_contiguous(call->in[i], &room->dense[i]));
        call->in[i] = room->dense[i];
    }
    return MP_OK;
}

static mp_status lower_inputs(mp_call *call, call_room *room, mp_dtype to) {
    MP_TRY(mp_autocast_lower(call, to, room->lowered));
    for (int i = 0; i < call->n_in; i++)
        if (room->lowered[i]) call->in[i] = room->edges[i] = room->lowered[i];
    return MP_OK;
}

static bool wants_record(const mp_call *call, mp_array *const *edges) {
    if ((call->row->flags & MP_NOGRAD) || !mp_grad_enabled()) return false;
    for (int i = 0; i < call->n_in; i++)
        if (edges[i] && mp_requires_grad(edges[i])) return true;
    return false;
}

/* Fills what does not depend on the inputs' contents. Arrays are small: only what is used of the
 * attributes is copied. */
static mp_status start_call(mp_call *call, call_room *room, mp_op op, int n_in, mp_array *const *in,
                            const mp_attrs *attrs) {
    const mp_op_row *row = call->row = &mp_op_rows[op];
    call->op = op;
    call->n_in = n_in;
    call->n_out = row->n_out;
    call->work = 0;
    memset(call->out, 0, sizeof call->out);
    if (attrs) {
        size_t ints = attrs->n_ints == MP_ALL ? 0 : attrs->n_ints;
        memcpy(&call->attrs, attrs, offsetof(mp_attrs, ints) + ints * sizeof *attrs->ints);
    } else {
        memset(&call->attrs, 0, offsetof(mp_attrs, ints));
        call->attrs.dtype = MP_NO_DTYPE;
    }
    MP_TRY(open_room(room, n_in, in));
    call->in = room->in;
    if (row->n_in >= 0 ? n_in != row->n_in : n_in < row->n_required)
        return mp_fail(MP_ERR_TYPE, "%d inputs are wanted, %d given",
                       row->n_in < 0 ? row->n_required : row->n_in, n_in);
    MP_TRY(check_inputs(call));
    return find_device(call, room);
}

static mp_status new_outputs(mp_call *call) {
    for (int k = 0; k < call->n_out; k++)
        if (!call->out[k]) MP_TRY(mp_array_new(call->device, &call->spec[k], &call->out[k]));
    return MP_OK;
}

static void widen_results(mp_call *call) {
    for (int k = 0; k < call->row->n_visible; k++)
        if (mp_is_narrow(call->spec[k].dtype) && !mp_is_float8(call->spec[k].dtype))
            call->spec[k].dtype = MP_FLOAT32;
}

/* Steps 1 to 4 of a call that makes new outputs. */
static mp_status run_call(mp_call *call, call_room *room) {
    const mp_op_row *row = call->row;
    const mp_autocast *region;
    mp_policy policy = policy_in_force(call, &region);
    if (policy == MP_LOWER)
        MP_TRY(lower_inputs(call, room, (mp_dtype)region->dtype[mp_device_kind(call->device)]));
    bool widen =
        policy == MP_FP32 && call->attrs.dtype == MP_NO_DTYPE; /* a dtype that was asked for wins */
    MP_TRY(row->infer(call));
    if (!(row->flags & MP_VIEW)) {
        if (widen) widen_results(call);
        if (!(row->flags & MP_STRIDED)) MP_TRY(make_contiguous(call, room));
        MP_TRY(new_outputs(call));
        MP_TRY(run_kernel(call));
    }
    return wants_record(call, room->edges) ? mp_record(call, room->edges) : MP_OK;
}

mp_status mp_op_call(mp_op op, int n_in, mp_array *const *in, const mp_attrs *attrs,
                     mp_array **out) {
    mp_call call;
    call_room room;
    room.many = NULL, room.n = 0;
    mp_status status = start_call(&call, &room, op, n_in, in, attrs);
    if (status == MP_OK) status = run_call(&call, &room);
    for (int k = 0; k < call.n_out; k++) {
        if (status == MP_OK && k < call.row->n_visible) out[k] = call.out[k];
        else mp_array_unref(call.out[k]);
    }
    close_room(&room);
    if (status != MP_OK) mp_error_prefix(call.row->name);
    return status;
}

/* ---- in place ---- */

/* Whether dst may be written, by anybody and as a result of this call. */
static mp_status check_target(const mp_array *dst, mp_dtype result) {
    if (dst->storage->read_only) return mp_fail(MP_ERR_VALUE, "the array written to is read-only");
    if (dst->no_base_write)
        return mp_fail(MP_ERR_VALUE,
                       "a broadcast view cannot be written to: its elements share memory");
    char from = mp_dtypes[result].kind, to = mp_dtypes[dst->dtype].kind;
    if (from != to && (from == 'F' || to == 'B'))
        return mp_fail(MP_ERR_TYPE, "a %s result cannot be written into %s", mp_dtypes[result].name,
                       mp_dtypes[dst->dtype].name);
    const mp_array *base = dst->base ? dst->base : dst;
    if (mp_grad_enabled() &&
        ((base->edge.leaf && base->edge.leaf->requires_grad && !base->edge.node) ||
         (dst->edge.leaf && dst->edge.leaf->requires_grad)))
        return mp_fail(MP_ERR_RUNTIME,
                       "a leaf that requires grad is written in place only inside no_grad()");
    return MP_OK;
}

/* Input i becomes a copy of itself. */
static mp_status copy_input(mp_call *call, call_room *room, int i) {
    bool grad, inference;
    mp_grad_mode_get(&grad, &inference);
    mp_grad_mode_set(false, inference);
    mp_status status = mp_op1(MP_OP_copy, call->in[i], NULL, &room->dense[i]);
    mp_grad_mode_set(grad, inference);
    if (status == MP_OK) call->in[i] = room->dense[i];
    return status;
}

/* What backward keeps of an input that the write would change is a copy of it. */
static mp_status copy_kept_inputs(mp_call *call, call_room *room, const mp_array *dst) {
    for (int k = 0; k < call->row->n_keep; k++) {
        int i = call->row->keeps[k].index;
        if (call->row->keeps[k].output || !call->in[i] || !mp_overlap(call->in[i], dst) ||
            room->dense[i])
            continue;
        MP_TRY(copy_input(call, room, i));
    }
    return MP_OK;
}

/* Inputs that a row working in place would write over while it reads them are copied. */
static mp_status separate_inputs(mp_call *call, call_room *room, const mp_array *dst) {
    for (int i = 1; i < call->n_in; i++) {
        if (!call->in[i] || room->dense[i] || !mp_overlap(call->in[i], dst)) continue;
        MP_TRY(copy_input(call, room, i));
    }
    return MP_OK;
}

/* Whether the kernel may write into dst while it reads its inputs. */
static bool writes_directly(const mp_call *call, const mp_array *dst) {
    if (call->row->n_out != 1) return false;
    if (call->row->flags & MP_IN_PLACE) return mp_same_view(call->in[0], dst);
    if (!(call->row->flags & MP_POINTWISE) && call->op != MP_OP_copy && call->op != MP_OP_cast)
        return false;
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && mp_overlap(call->in[i], dst) && !mp_same_view(call->in[i], dst))
            return false;
    return true;
}

static mp_status write_result(mp_call *call, mp_array *dst) {
    if (writes_directly(call, dst)) {
        call->out[0] = mp_array_ref(dst);
        return run_kernel(call);
    }
    MP_TRY(new_outputs(call));
    MP_TRY(run_kernel(call));
    mp_array *from[1] = {call->out[0]};
    mp_call copy = {.row = &mp_op_rows[MP_OP_copy],
                    .op = MP_OP_copy,
                    .device = call->device,
                    .n_in = 1,
                    .n_out = 1,
                    .in = from};
    copy.attrs = mp_attrs_new();
    copy.out[0] = dst;
    MP_TRY(run_kernel(&copy));
    mp_array_unref(call->out[0]);
    call->out[0] = mp_array_ref(dst);
    return MP_OK;
}

static mp_status run_into(mp_call *call, call_room *room, mp_array *dst) {
    if (dst->storage->pending) MP_TRY(mp_array_settle(dst));
    if (mp_array_device(dst) != call->device)
        return mp_fail(MP_ERR_VALUE,
                       "inputs are on another device than the array written to, which is on %s",
                       mp_device_name(mp_array_device(dst)));
    MP_TRY(call->row->infer(call));
    if (!mp_same_shape(dst, &call->spec[0]))
        return mp_fail(MP_ERR_VALUE, "a result of shape %s cannot be written into shape %s",
                       mp_shape_text(call->spec[0].ndim, call->spec[0].shape),
                       mp_shape_text(dst->ndim, dst->shape));
    MP_TRY(check_target(dst, (mp_dtype)call->spec[0].dtype));
    bool record = wants_record(call, room->edges) || (mp_grad_enabled() && mp_requires_grad(dst));
    if (record && !mp_is_float((mp_dtype)dst->dtype)) record = false;
    if (record) MP_TRY(copy_kept_inputs(call, room, dst));
    if (call->row->flags & MP_IN_PLACE) MP_TRY(separate_inputs(call, room, dst));
    if (!(call->row->flags & MP_STRIDED)) MP_TRY(make_contiguous(call, room));
    MP_TRY(write_result(call, dst));
    atomic_fetch_add_explicit(&dst->storage->version, 1, memory_order_release);
    return record ? mp_record_write(call, room->edges, dst) : MP_OK;
}

mp_status mp_op_call_into(mp_op op, int n_in, mp_array *const *in, const mp_attrs *attrs,
                          mp_array *dst) {
    mp_call call;
    call_room room;
    room.many = NULL, room.n = 0;
    mp_status status = start_call(&call, &room, op, n_in, in, attrs);
    if (status == MP_OK) status = run_into(&call, &room, dst);
    for (int k = 0; k < call.n_out; k++) mp_array_unref(call.out[k]);
    close_room(&room);
    if (status != MP_OK) mp_error_prefix(call.row->name);
    return status;
}

mp_status mp_array_assign(mp_array *dst, mp_array *src) {
    mp_array *value = mp_array_ref(src);
    while (value->ndim > dst->ndim && value->shape[0] == 1) { /* NumPy drops leading ones */
        mp_array *fewer;
        mp_status status = mp_reshape(value, value->ndim - 1, value->shape + 1, &fewer);
        mp_array_unref(value);
        MP_TRY(status);
        value = fewer;
    }
    mp_spec target = mp_spec_of(dst);
    if (!mp_same_shape(value, &target)) {
        mp_array *wide;
        mp_status status = mp_expand(value, dst->ndim, dst->shape, &wide);
        mp_array_unref(value);
        MP_TRY(status);
        value = wide;
    }
    mp_status status = mp_op_call_into(MP_OP_copy, 1, &value, NULL, dst);
    mp_array_unref(value);
    return status;
}
