# tests/io/NAME.c becomes the program io-NAME and the test io/NAME. They have threads and real
# sockets, on loopback only.
if(NOT TARGET inside)
    return()
endif()
set(IO_HELPERS tests/io/client.c)
add_library(io-test-support OBJECT ${IO_HELPERS} tests/broker/broker.c)
target_link_libraries(io-test-support PUBLIC inside PkgConfig::CMOCKA)

file(GLOB IO_TESTS CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} tests/io/*.c)
list(REMOVE_ITEM IO_TESTS ${IO_HELPERS})
foreach(source ${IO_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(io-${name} ${source} $<TARGET_OBJECTS:io-test-support>)
    target_link_libraries(io-${name} PRIVATE inside PkgConfig::CMOCKA)
    add_test(NAME io/${name} COMMAND io-${name})
    set_tests_properties(io/${name} PROPERTIES
        LABELS threads TIMEOUT 120 SKIP_RETURN_CODE 77)
endforeach()

if(TARGET hawser-relay)
    add_dependencies(io-relay hawser-relay)
    set_tests_properties(io/relay PROPERTIES ENVIRONMENT RELAY=$<TARGET_FILE:hawser-relay>)
else()
    set_tests_properties(io/relay PROPERTIES DISABLED TRUE) # the programs are not built
endif()
