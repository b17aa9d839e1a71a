# One program per folder of apps/; apps/common is shared between them.
include(cmake/apps-common.cmake)
include(cmake/apps-camera.cmake)
include(cmake/apps-cli.cmake)
include(cmake/apps-mosquitto.cmake)
include(cmake/apps-relay.cmake)
