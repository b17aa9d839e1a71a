# One program per folder of apps/; apps/common is shared between them.
