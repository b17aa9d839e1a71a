/* qr.h: a QR code in the terminal, two modules a character. */
#ifndef HAWSER_APPS_COMMON_QR_H
#define HAWSER_APPS_COMMON_QR_H

#include <stdio.h>

/* Dark on light whatever the terminal's colours, with a quiet zone. -1: the text is too long. */
int qr_print(FILE *out, const char *text);

#endif
