# tests/unit/NAME.c becomes the program unit-NAME and the test unit/NAME.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# Objects, not an archive: every test gets the allocation wrappers, asked for or not.
file(GLOB SUPPORT_SOURCES CONFIGURE_DEPENDS tests/support/*.c)
add_library(test-support OBJECT ${SUPPORT_SOURCES})
target_link_libraries(test-support PUBLIC core PkgConfig::CMOCKA)
target_link_options(test-support INTERFACE
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup)

file(GLOB UNIT_TESTS CONFIGURE_DEPENDS tests/unit/*.c)
foreach(source ${UNIT_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(unit-${name} ${source})
    target_link_libraries(unit-${name} PRIVATE test-support)
    add_test(NAME unit/${name} COMMAND unit-${name})
endforeach()
