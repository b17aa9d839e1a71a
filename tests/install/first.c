/* A program of somebody who has just installed the library. It runs without a broker. */
#include <hawser/device.h>
#include <hawser/hawser.h>
#include <stdio.h>

int main(void)
{
    printf("hawser %s\n", hawser_get_version());
    return hawser_deinit() == HAWSER_ERR_UNINITIALISED ? 0 : 1;
}
