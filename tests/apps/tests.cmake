# tests/apps/NAME.c becomes the program apps-NAME and the test apps/NAME. They test what the
# programs share over a session inside the process (support/loop.c in place of libhawser).
if(NOT HAWSER_APPS)
    return()
endif()
add_library(apps-test-support OBJECT ${CMAKE_CURRENT_LIST_DIR}/support/folder.c tests/support/hex.c)
target_link_libraries(apps-test-support PUBLIC PkgConfig::CMOCKA)
add_library(apps-loop OBJECT ${CMAKE_CURRENT_LIST_DIR}/support/loop.c)

file(GLOB APPS_TESTS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
foreach(source ${APPS_TESTS})
    get_filename_component(name ${source} NAME_WE)
    set(below apps-loop)
    if(name STREQUAL texts) # has no session, but names calls that the loop lacks
        set(below apps-public)
    endif()
    if(TARGET ${below})
        add_executable(apps-${name} ${source})
        target_link_libraries(apps-${name} PRIVATE
            camera-parts apps-common apps-test-support ${below})
        add_test(NAME apps/${name} COMMAND apps-${name})
        set_tests_properties(apps/${name} PROPERTIES TIMEOUT 120 LABELS threads)
    endif()
endforeach()

# The programs themselves, over the real library and a broker of their own: as people use them,
# and the demo, shorter.
if(TARGET hawser-cli AND TARGET hawser-relay AND TARGET mosquitto-hawser)
    add_test(NAME apps/commands COMMAND ${CMAKE_CURRENT_LIST_DIR}/commands ${CMAKE_BINARY_DIR})
    add_test(NAME apps/demo COMMAND ${CMAKE_COMMAND} -E env BUILD=${CMAKE_BINARY_DIR}
        STATE=${CMAKE_BINARY_DIR}/demo FILE_MIB=8 SECONDS_LONG=3 ${CMAKE_SOURCE_DIR}/tools/demo)
    set_tests_properties(apps/commands apps/demo PROPERTIES TIMEOUT 120)
endif()
