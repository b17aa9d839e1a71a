#include "apps/common/qr.h"

#include <qrencode.h>
#include <stdbool.h>

enum { QUIET = 2 }; /* modules around; four by the standard, two are enough on a screen */

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return code->data[y * code->width + x] & 1; /* libqrencode: bit 0 is the colour */
}

int qr_print(FILE *out, const char *text)
{
    /* Indexed by upper * 2 + lower: the light half is drawn, on black. */
    static const char *const halves[] = { "\u2588", "\u2580", "\u2584", " " };
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

    if (!code)
        return -1;
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        fputs("\033[97;40m", out);
        for (int x = -QUIET; x < code->width + QUIET; x++)
            fputs(halves[is_dark(code, x, y) * 2 + is_dark(code, x, y + 1)], out);
        fputs("\033[0m\n", out);
    }
    QRcode_free(code);
    return 0;
}
