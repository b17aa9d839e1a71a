# tests/unit/NAME.c becomes the program unit-NAME and the test unit/NAME.
# tests/fuzz/NAME.c becomes the program fuzz-NAME and the test fuzz/NAME (cmake/fuzz.cmake).
# Any other folder of tests/ may bring a tests.cmake of its own. Its tests carry the label
# `threads` to be run under the thread sanitizer too, `interop` if they meet a foreign peer.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# Objects, not an archive: every test gets the allocation wrappers, asked for or not.
file(GLOB SUPPORT_SOURCES CONFIGURE_DEPENDS tests/support/*.c tests/net/model/*.c)
add_library(test-support OBJECT ${SUPPORT_SOURCES})
target_link_libraries(test-support PUBLIC core PkgConfig::CMOCKA)
target_link_options(test-support INTERFACE
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup)

include(cmake/fuzz.cmake)
if(HAWSER_FUZZ)
    return()
endif()

file(GLOB UNIT_TESTS CONFIGURE_DEPENDS tests/unit/*.c)
foreach(source ${UNIT_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(unit-${name} ${source})
    target_link_libraries(unit-${name} PRIVATE test-support)
    add_test(NAME unit/${name} COMMAND unit-${name})
    set_tests_properties(unit/${name} PROPERTIES TIMEOUT 300)
endforeach()

file(GLOB TEST_PARTS CONFIGURE_DEPENDS tests/*/tests.cmake)
foreach(part ${TEST_PARTS})
    include(${part})
endforeach()
