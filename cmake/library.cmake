# libhawser, shared and static. Only hawser_* is visible in either.
include(GNUInstallDirs)

file(GLOB OUTSIDE_SOURCES CONFIGURE_DEPENDS io/*.c sdk/*.c)
if(NOT OUTSIDE_SOURCES)
    return()
endif()
set(OUTSIDE_LIBRARIES Threads::Threads
    PkgConfig::OPENSSL PkgConfig::JANSSON PkgConfig::LIBUV PkgConfig::MOSQUITTO)

add_library(hawser-outside OBJECT ${OUTSIDE_SOURCES})
target_link_libraries(hawser-outside PUBLIC ${OUTSIDE_LIBRARIES})
set(HAWSER_OBJECTS $<TARGET_OBJECTS:hawser-core> $<TARGET_OBJECTS:hawser-outside>)

# What programs of this project link besides the public face: the core and io, nothing hidden.
add_library(inside STATIC ${HAWSER_OBJECTS})
target_link_libraries(inside PUBLIC ${OUTSIDE_LIBRARIES})

add_library(hawser SHARED ${HAWSER_OBJECTS})
target_link_libraries(hawser PRIVATE ${OUTSIDE_LIBRARIES})
set_target_properties(hawser PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

# An archive keeps every non-static symbol visible, whatever the compiler was told. So the objects
# are linked into one first, and what was compiled as hidden becomes local there.
set(WHOLE ${CMAKE_CURRENT_BINARY_DIR}/hawser-whole.o)
set(STATIC_LIBRARY ${CMAKE_CURRENT_BINARY_DIR}/libhawser.a)
add_custom_command(OUTPUT ${STATIC_LIBRARY}
    COMMAND ${CMAKE_LINKER} -r -o ${WHOLE} ${HAWSER_OBJECTS}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${WHOLE}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${STATIC_LIBRARY}
    COMMAND ${CMAKE_AR} rcs ${STATIC_LIBRARY} ${WHOLE}
    DEPENDS hawser-core hawser-outside ${HAWSER_OBJECTS}
    COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(hawser-static ALL DEPENDS ${STATIC_LIBRARY})
