# What the programs share. An archive without libhawser: the tests put a loop in its place.
pkg_check_modules(QRENCODE REQUIRED IMPORTED_TARGET libqrencode)

file(GLOB APPS_COMMON_SOURCES CONFIGURE_DEPENDS apps/common/*.c)
add_library(apps-common STATIC ${APPS_COMMON_SOURCES})
target_link_libraries(apps-common PUBLIC
    PkgConfig::OPENSSL PkgConfig::JANSSON PkgConfig::QRENCODE Threads::Threads)

# libhawser as anybody's program links it: nothing but the public face is to be seen.
if(TARGET hawser)
    add_library(apps-public STATIC IMPORTED)
    set_target_properties(apps-public PROPERTIES
        IMPORTED_LOCATION ${STATIC_LIBRARY}
        INTERFACE_LINK_LIBRARIES "${OUTSIDE_LIBRARIES}")
    add_dependencies(apps-public hawser-static)
endif()
