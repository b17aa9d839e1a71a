/* settings.c: what can be set on an open device, and its ID. */
#include <string.h>

#include "sdk/devices.h"
#include "sdk/internal.h"

int hawser_device_id(int device, char id[HAWSER_ID_MAX])
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    if (id)
        memcpy(id, key_id(d->identity->key), ID_BYTES);
    call_leave_device(d);
    return id ? HAWSER_ERR_OK : HAWSER_ERR_INVALID;
}

int hawser_device_set_accept(int device, hawser_accept_cb *cb, void *ctx)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d->accept = cb;
    d->accept_ctx = ctx;
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return HAWSER_ERR_OK;
}

int hawser_device_set_paired(int device, hawser_paired_cb *cb, void *ctx)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d->paired = cb;
    d->paired_ctx = ctx;
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return HAWSER_ERR_OK;
}

int hawser_device_set_privacy(int device, int on)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d->is_private = on != 0;
    if (d->is_private)
        device_close_sessions(d, HAWSER_REASON_PRIVACY_ON);
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return HAWSER_ERR_OK;
}

int hawser_device_set_in_call(int device, int on)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d->is_in_call = on != 0;
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return HAWSER_ERR_OK;
}

int hawser_device_set_limit(int device, int sessions_max)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    if (sessions_max >= 1 && sessions_max <= DEVICE_SESSIONS_MAX) {
        pthread_mutex_lock(&lib.lock);
        d->sessions_max = sessions_max;
        pthread_mutex_unlock(&lib.lock);
    } else {
        code = HAWSER_ERR_INVALID;
    }
    call_leave_device(d);
    return code;
}
