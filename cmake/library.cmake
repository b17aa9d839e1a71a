# libhawser, shared and static, with headers and pkg-config.
include(GNUInstallDirs)

file(GLOB OUTSIDE_SOURCES CONFIGURE_DEPENDS io/*.c sdk/*.c)
if(OUTSIDE_SOURCES)
    add_library(hawser-outside OBJECT ${OUTSIDE_SOURCES})
    target_link_libraries(hawser-outside PUBLIC
        PkgConfig::OPENSSL PkgConfig::JANSSON PkgConfig::LIBUV PkgConfig::MOSQUITTO)
    # What programs of this project link besides the public face: the core and io, nothing hidden.
    add_library(inside STATIC $<TARGET_OBJECTS:hawser-core> $<TARGET_OBJECTS:hawser-outside>)
    target_link_libraries(inside PUBLIC Threads::Threads
        PkgConfig::OPENSSL PkgConfig::JANSSON PkgConfig::LIBUV PkgConfig::MOSQUITTO)
endif()
