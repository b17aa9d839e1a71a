# tests/unit/NAME.c becomes the program unit-NAME and the test unit/NAME.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

file(GLOB SUPPORT_SOURCES CONFIGURE_DEPENDS tests/support/*.c)
if(SUPPORT_SOURCES)
    add_library(test-support STATIC ${SUPPORT_SOURCES})
    target_link_libraries(test-support PUBLIC core PkgConfig::CMOCKA)
else()
    add_library(test-support INTERFACE)
    target_link_libraries(test-support INTERFACE core PkgConfig::CMOCKA)
endif()

file(GLOB UNIT_TESTS CONFIGURE_DEPENDS tests/unit/*.c)
foreach(source ${UNIT_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(unit-${name} ${source})
    target_link_libraries(unit-${name} PRIVATE test-support)
    add_test(NAME unit/${name} COMMAND unit-${name})
endforeach()
