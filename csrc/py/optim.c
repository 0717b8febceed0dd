/* The optimizers' and the scaler's kernels, and schedules that live on the device, as Python calls
 * them. */
#include "py.h"

#include <stdlib.h>
#include <string.h>

/* ---- steps ---- */

/* The lists of one step; they hold references. */
enum { PARAMS, M, V, MASTERS, STEPS, LISTS };
static const char *const list_names[LISTS] = {"params", "first moments", "second moments",
                                              "masters", "steps"};

typedef struct step_args {
    mp_array **arrays[LISTS], *stats, *scale, *rate;
    Py_ssize_t n;
    unsigned required; /* bit k: list k has an array for every parameter */
    mp_optim optim;
} step_args;

static void close_step(step_args *s) {
    for (int k = 0; k < LISTS; k++) {
        for (Py_ssize_t i = 0; s->arrays[k] && i < s->n; i++) mp_array_unref(s->arrays[k][i]);
        free(s->arrays[k]);
    }
    mp_array_unref(s->stats);
    mp_array_unref(s->scale);
    mp_array_unref(s->rate);
}

/* The dtype that the kernels read a state with. */
static mp_dtype wanted_dtype(int list, const mp_array *param) {
    return (list == M || list == V) && param->dtype == MP_FLOAT64 ? MP_FLOAT64 : MP_FLOAT32;
}

/* One list of arrays, or None. */
static int read_list(const char *op, step_args *s, int k, PyObject *object) {
    bool required = s->required & (1u << k);
    if (object == Py_None && !required) return 0;
    PyObject *items = PySequence_Fast(object, "the lists of an optimizer are no sequences");
    if (!items) return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
    int status = 0;
    if (k == PARAMS) s->n = n;
    if (n != s->n) {
        PyErr_Format(PyExc_ValueError, "%s: %zd %s for %zd parameters", op, n, list_names[k], s->n);
        status = -1;
    } else if (!(s->arrays[k] = calloc(n ? (size_t)n : 1, sizeof *s->arrays[k]))) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < n; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(items, i);
        mp_array *a;
        if (item == Py_None && !required) continue;
        status = mp_py_want_array(op, list_names[k], item, &a);
        if (status == 0 && k != PARAMS &&
            a->dtype != (int8_t)wanted_dtype(k, s->arrays[PARAMS][i])) {
            PyErr_Format(PyExc_TypeError, "%s: %s of parameter %zd are %s, must be %s", op,
                         list_names[k], i, mp_dtypes[a->dtype].name,
                         mp_dtypes[wanted_dtype(k, s->arrays[PARAMS][i])].name);
            status = -1;
        }
        if (status == 0) s->arrays[k][i] = mp_array_ref(a);
    }
    Py_DECREF(items);
    return status;
}

/* A float32 array of `size` elements beside the parameters, or None. */
static int read_few(const char *op, const char *name, step_args *s, PyObject *object, int64_t size,
                    mp_array **out) {
    if (object == Py_None) return 0;
    mp_array *a;
    if (mp_py_want_array(op, name, object, &a) < 0) return -1;
    if (a->dtype != MP_FLOAT32 || a->size != size || !a->contiguous) {
        PyErr_Format(PyExc_ValueError, "%s: %s is %s of shape %s, must be %lld contiguous float32",
                     op, name, mp_dtypes[a->dtype].name, mp_shape_text(a->ndim, a->shape),
                     (long long)size);
        return -1;
    }
    if (s->n && mp_array_device(a) != mp_array_device(s->arrays[PARAMS][0])) {
        PyErr_Format(PyExc_ValueError, "%s: %s is on another device than the parameters", op, name);
        return -1;
    }
    *out = mp_array_ref(a);
    return 0;
}

/* stats and scale, then what the core takes. */
static int finish_step(const char *op, step_args *s, PyObject *stats, PyObject *scale) {
    if (read_few(op, "stats", s, stats, sizeof(mp_stats) / sizeof(float), &s->stats) < 0) return -1;
    if (read_few(op, "scale", s, scale, 1, &s->scale) < 0) return -1;
    s->optim.n = s->n;
    s->optim.params = s->arrays[PARAMS];
    s->optim.m = s->arrays[M];
    s->optim.v = s->arrays[V];
    s->optim.masters = s->arrays[MASTERS];
    s->optim.steps = s->arrays[STEPS];
    s->optim.stats = s->stats;
    s->optim.scale = s->scale;
    return 0;
}

/* Hyperparameters: names with where their values go. */
static int read_numbers(const char *op, PyObject *const *args, int n, const char *const *names,
                        double *const *to) {
    for (int i = 0; i < n; i++)
        if (mp_py_double(op, names[i], args[i], to[i]) < 0) return -1;
    return 0;
}

/* The learning rate: a number, or a float64 array of one element beside the parameters. */
static int read_rate(const char *op, step_args *s, PyObject *object) {
    mp_array *a;
    if (!PyObject_TypeCheck(object, mp_py->ndarray))
        return mp_py_double(op, "lr", object, &s->optim.hyper.lr);
    if (mp_py_want_array(op, "lr", object, &a) < 0) return -1;
    if (a->dtype != MP_FLOAT64 || a->size != 1 ||
        (s->n && mp_array_device(a) != mp_array_device(s->arrays[PARAMS][0]))) {
        PyErr_Format(PyExc_ValueError,
                     "%s: lr is %s of shape %s on %s, must be a number or one float64 beside the "
                     "parameters",
                     op, mp_dtypes[a->dtype].name, mp_shape_text(a->ndim, a->shape),
                     mp_device_name(mp_array_device(a)));
        return -1;
    }
    s->optim.rate = s->rate = mp_array_ref(a);
    return 0;
}

static PyObject *end_step(step_args *s, int read, mp_status (*run)(const mp_optim *),
                          mp_list list) {
    mp_status status = MP_OK;
    if (read == 0) status = run ? run(&s->optim) : mp_optim_step(list, &s->optim);
    close_step(s);
    if (read < 0) return NULL;
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyDoc_STRVAR(
    optim_unscale_doc,
    "optim_unscale(params, stats, scale, max_norm, write, /)\n--\n\n"
    "Measures the gradients of parameters: inf or NaN, and their norm, unscaled.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "stats : ndarray\n    4 float32: gets whether inf or NaN was found, the norm, the clip factor, "
    "the first bad index.\n"
    "scale : ndarray or None\n    The loss scale of gradients that carry none of their own.\n"
    "max_norm : float\n    What the clip factor brings the norm to; inf clips nothing.\n"
    "write : bool\n    Whether the gradients are divided by their scale.");
static PyObject *optim_unscale(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_unscale";
    (void)module;
    step_args s = {.required = 1u << PARAMS};
    if (mp_py_count(op, n, 5) < 0) return NULL;
    int read = read_list(op, &s, PARAMS, args[0]);
    if (read == 0) read = finish_step(op, &s, args[1], args[2]);
    if (read == 0) read = mp_py_double(op, "max_norm", args[3], &s.optim.hyper.max_norm);
    if (read == 0) read = mp_py_bool(op, "write", args[4], &s.optim.hyper.write);
    return end_step(&s, read, mp_optim_unscale, MP_LIST_unscale);
}

PyDoc_STRVAR(
    optim_sgd_doc,
    "optim_sgd(params, bufs, masters, steps, stats, scale, lr, momentum, dampening, weight_decay, "
    "nesterov, maximize, /)\n"
    "--\n\nOne step of SGD over all parameters, written by one kernel.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "bufs, masters, steps : sequence of ndarray or None, or None\n    The state, one array per "
    "parameter.\n"
    "stats : ndarray or None\n    What `optim_unscale` found; with inf or NaN nothing is written.\n"
    "scale : ndarray or None\n    If given, gradients are still scaled, by what they carry or by "
    "this.\n"
    "lr : float or ndarray\n    A float64 beside the parameters, if an array.\n"
    "momentum, dampening, weight_decay : float\n    As in PyTorch.\nnesterov, maximize : "
    "bool\n    As in PyTorch.");
static PyObject *optim_sgd(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_sgd", *const names[] = {"momentum", "dampening",
                                                                 "weight_decay"};
    static const int order[] = {PARAMS, M, MASTERS, STEPS};
    (void)module;
    step_args s = {.required = 1u << PARAMS | 1u << STEPS};
    mp_list_call *hyper = &s.optim.hyper;
    double *const to[] = {&hyper->momentum, &hyper->dampening, &hyper->weight_decay};
    if (mp_py_count(op, n, 12) < 0) return NULL;
    int read = 0;
    for (int k = 0; read == 0 && k < 4; k++) read = read_list(op, &s, order[k], args[k]);
    if (read == 0) read = finish_step(op, &s, args[4], args[5]);
    if (read == 0) read = read_rate(op, &s, args[6]);
    if (read == 0) read = read_numbers(op, args + 7, 3, names, to);
    if (read == 0) read = mp_py_bool(op, "nesterov", args[10], &hyper->nesterov);
    if (read == 0) read = mp_py_bool(op, "maximize", args[11], &hyper->maximize);
    return end_step(&s, read, NULL, MP_LIST_sgd);
}

PyDoc_STRVAR(
    optim_adam_doc,
    "optim_adam(params, exp_avgs, exp_avg_sqs, masters, steps, stats, scale, lr, beta1, beta2, "
    "eps, weight_decay, decoupled, "
    "maximize, /)\n--\n\nOne step of Adam over all parameters, written by one kernel.\n\n"
    "Parameters\n----------\nparams : sequence of ndarray\n    Those without gradient are left "
    "alone.\n"
    "exp_avgs, exp_avg_sqs, masters, steps : sequence of ndarray or None, or None\n    The state, "
    "one array per parameter.\n"
    "stats : ndarray or None\n    What `optim_unscale` found; with inf or NaN nothing is written.\n"
    "scale : ndarray or None\n    If given, gradients are still scaled, by what they carry or by "
    "this.\n"
    "lr : float or ndarray\n    A float64 beside the parameters, if an array.\n"
    "beta1, beta2, eps, weight_decay : float\n    As in PyTorch.\n"
    "decoupled : bool\n    Weight decay as AdamW has it.\nmaximize : bool\n    As in PyTorch.");
static PyObject *optim_adam(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_adam", *const names[] = {"beta1", "beta2", "eps",
                                                                  "weight_decay"};
    static const int order[] = {PARAMS, M, V, MASTERS, STEPS};
    (void)module;
    step_args s = {.required = 1u << PARAMS | 1u << M | 1u << V | 1u << STEPS};
    mp_list_call *hyper = &s.optim.hyper;
    double *const to[] = {&hyper->beta1, &hyper->beta2, &hyper->eps, &hyper->weight_decay};
    if (mp_py_count(op, n, 14) < 0) return NULL;
    int read = 0;
    for (int k = 0; read == 0 && k < 5; k++) read = read_list(op, &s, order[k], args[k]);
    if (read == 0) read = finish_step(op, &s, args[5], args[6]);
    if (read == 0) read = read_rate(op, &s, args[7]);
    if (read == 0) read = read_numbers(op, args + 8, 4, names, to);
    if (read == 0) read = mp_py_bool(op, "decoupled", args[12], &hyper->decoupled);
    if (read == 0) read = mp_py_bool(op, "maximize", args[13], &hyper->maximize);
    return end_step(&s, read, NULL, MP_LIST_adam);
}

/* ---- schedules ---- */

PyDoc_STRVAR(
    optim_count_doc,
    "optim_count(count, stats, /)\n--\n\nCounts a step that was taken, on the device.\n\n"
    "Parameters\n----------\ncount : ndarray\n    One float64.\n"
    "stats : ndarray\n    What `optim_unscale` found; with inf or NaN nothing is counted.");
static PyObject *optim_count(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_count";
    (void)module;
    mp_array *count, *stats;
    if (mp_py_count(op, n, 2) < 0 || mp_py_want_array(op, "count", args[0], &count) < 0 ||
        mp_py_want_array(op, "stats", args[1], &stats) < 0)
        return NULL;
    mp_status status = mp_optim_count(count, stats);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

/* The rates of a row: as many as `before` has. */
static double *read_rates(const char *op, PyObject *object, int64_t n) {
    PyObject *items = PySequence_Fast(object, "the rates are no sequence");
    if (!items) return NULL;
    double *rates = malloc((n ? (size_t)n : 1) * sizeof *rates);
    bool fits = PySequence_Fast_GET_SIZE(items) == n, read = rates && fits;
    if (!rates) PyErr_NoMemory();
    else if (!fits)
        PyErr_Format(PyExc_ValueError, "%s: %zd rates, there were %lld before", op,
                     PySequence_Fast_GET_SIZE(items), (long long)n);
    for (int64_t i = 0; read && i < n; i++)
        read = mp_py_double(op, "a rate", PySequence_Fast_GET_ITEM(items, i), &rates[i]) == 0;
    Py_DECREF(items);
    if (read) return rates;
    free(rates);
    return NULL;
}

PyDoc_STRVAR(
    optim_schedule_doc,
    "optim_schedule(place, count, table, row, rates, before, sure, /)\n--\n\n"
    "A schedule goes on by one, if the count of steps has moved.\n\n"
    "Parameters\n----------\nplace : ndarray\n    2 float64: how often it went on, and the count "
    "then.\n"
    "count : ndarray\n    What `optim_count` counts.\ntable : ndarray\n    float64: a row of rates "
    "for each place.\n"
    "row : int\n    The last place that is possible now.\nrates : sequence of float\n    Its "
    "row.\n"
    "before : ndarray\n    float64: the rates until now.\nsure : bool\n    It goes on whatever the "
    "count.\n\nReturns\n-------\nndarray\n    The rates from now on.");
static PyObject *optim_schedule(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "optim_schedule";
    (void)module;
    mp_schedule_step s = {0};
    if (mp_py_count(op, n, 7) < 0 || mp_py_want_array(op, "place", args[0], &s.place) < 0 ||
        mp_py_want_array(op, "count", args[1], &s.count) < 0 ||
        mp_py_want_array(op, "table", args[2], &s.table) < 0 ||
        mp_py_int(op, "row", args[3], &s.row) < 0 ||
        mp_py_want_array(op, "before", args[5], &s.before) < 0 ||
        mp_py_bool(op, "sure", args[6], &s.sure) < 0)
        return NULL;
    double *rates = read_rates(op, args[4], s.before->size);
    if (!rates) return NULL;
    s.rates = rates;
    mp_spec spec = mp_spec_of(s.before);
    mp_status status = mp_array_new(mp_array_device(s.before), &spec, &s.after);
    if (status == MP_OK) status = mp_optim_schedule(&s);
    free(rates);
    if (status == MP_OK) return mp_py_wrap(s.after);
    mp_array_unref(s.after);
    return mp_py_raise(status);
}

/* ---- scaler ---- */

/* An array, borrowed, or NULL for None. */
static int optional_array(const char *op, const char *name, PyObject *object, mp_array **out) {
    *out = NULL;
    return object == Py_None ? 0 : mp_py_want_array(op, name, object, out);
}

PyDoc_STRVAR(
    scaler_update_doc,
    "scaler_update(state, stats, scale_after, growth_factor, "
    "backoff_factor, growth_interval, min_scale, max_scale, "
    "hysteresis, /)\n--\n\n"
    "Moves the scale by what was found since the last update.\n\n"
    "Parameters\n----------\nstate : ndarray\n    8 float32: scale, "
    "growth tracker, found inf, hysteresis left, steps skipped and "
    "taken.\nstats : ndarray or None\n    Of a step that the state "
    "has not heard of yet.\nscale_after : ndarray or None\n    A "
    "float32 that gets the scale as it is then.\ngrowth_factor, backoff_factor, growth_interval, "
    "min_scale, max_scale, hysteresis : float\n    The law.");
static PyObject *scaler_update(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    static const char *const op = "scaler_update";
    static const char *const names[] = {"growth_factor", "backoff_factor", "growth_interval",
                                        "min_scale",     "max_scale",      "hysteresis"};
    (void)module;
    mp_array *state, *stats, *scale_after;
    mp_list_call hyper;
    memset(&hyper, 0, sizeof hyper);
    double *const to[] = {&hyper.growth_factor, &hyper.backoff_factor, &hyper.growth_interval,
                          &hyper.min_scale,     &hyper.max_scale,      &hyper.hysteresis};
    if (mp_py_count(op, n, 9) < 0 || mp_py_want_array(op, "state", args[0], &state) < 0 ||
        read_numbers(op, args + 3, 6, names, to) < 0 ||
        optional_array(op, "stats", args[1], &stats) < 0 ||
        optional_array(op, "scale_after", args[2], &scale_after) < 0)
        return NULL;
    state = mp_py_array_of(args[0]); /* a number's __float__ may be Python code */
    mp_status status = mp_scaler_update(state, stats, scale_after, &hyper);
    return status == MP_OK ? Py_NewRef(Py_None) : mp_py_raise(status);
}

PyMethodDef mp_py_optim_functions[] = {
    {"optim_unscale", MP_PY_FAST(optim_unscale), METH_FASTCALL, optim_unscale_doc},
    {"optim_sgd", MP_PY_FAST(optim_sgd), METH_FASTCALL, optim_sgd_doc},
    {"optim_adam", MP_PY_FAST(optim_adam), METH_FASTCALL, optim_adam_doc},
    {"optim_count", MP_PY_FAST(optim_count), METH_FASTCALL, optim_count_doc},
    {"optim_schedule", MP_PY_FAST(optim_schedule), METH_FASTCALL, optim_schedule_doc},
    {"scaler_update", MP_PY_FAST(scaler_update), METH_FASTCALL, scaler_update_doc},
    {NULL, NULL, 0, NULL},
};
