# tests/apps/NAME.c becomes the program apps-NAME and the test apps/NAME. They test what the
# programs share over a session inside the process, so they need neither io nor sdk.
if(NOT HAWSER_APPS)
    return()
endif()
file(GLOB APPS_TEST_SUPPORT CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/support/*.c)
add_library(apps-test-support OBJECT ${APPS_TEST_SUPPORT} tests/support/hex.c)
target_link_libraries(apps-test-support PUBLIC PkgConfig::CMOCKA)

file(GLOB APPS_TESTS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
foreach(source ${APPS_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(apps-${name} ${source})
    target_link_libraries(apps-${name} PRIVATE apps-common camera-parts apps-test-support)
    add_test(NAME apps/${name} COMMAND apps-${name})
    set_tests_properties(apps/${name} PROPERTIES TIMEOUT 120 LABELS threads)
endforeach()

# The demo itself, shorter: every program, over the real library and broker.
if(TARGET hawser-cli AND TARGET hawser-relay AND TARGET mosquitto-hawser)
    add_test(NAME apps/demo COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
        STATE=${CMAKE_BINARY_DIR}/demo FILE_MIB=8 SECONDS_LONG=3 ${CMAKE_SOURCE_DIR}/tools/demo)
    add_test(NAME apps/commands
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/commands ${CMAKE_BINARY_DIR})
    set_tests_properties(apps/demo apps/commands PROPERTIES TIMEOUT 120)
endif()
