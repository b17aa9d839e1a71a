# With HAWSER_FUZZ=ON (clang): fuzz-NAME is a libFuzzer program, and the test fuzz/NAME lets it
# search for HAWSER_FUZZ_SECONDS. Otherwise it only replays the corpus, tests/fuzz/corpus/NAME.
option(HAWSER_FUZZ "build the fuzz targets with libFuzzer, and no other test" OFF)
set(HAWSER_FUZZ_SECONDS 20 CACHE STRING "how long each fuzz test searches")

if(HAWSER_FUZZ AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "HAWSER_FUZZ needs clang: give -DCMAKE_C_COMPILER=clang")
endif()

file(GLOB FUZZ_SOURCES CONFIGURE_DEPENDS tests/fuzz/*.c)
list(FILTER FUZZ_SOURCES EXCLUDE REGEX "/replay_main\\.c$")
foreach(source ${FUZZ_SOURCES})
    get_filename_component(name ${source} NAME_WE)
    set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(NOT EXISTS ${corpus})
        set(corpus)
    endif()
    add_executable(fuzz-${name} ${source})
    target_link_libraries(fuzz-${name} PRIVATE test-support)
    if(HAWSER_FUZZ)
        set(found ${CMAKE_BINARY_DIR}/found/${name}) # inputs that reach new code are kept here
        file(MAKE_DIRECTORY ${found})
        target_link_options(fuzz-${name} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz/${name} COMMAND fuzz-${name} -max_total_time=${HAWSER_FUZZ_SECONDS}
            -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1
            -artifact_prefix=${CMAKE_BINARY_DIR}/${name}- ${found} ${corpus})
    else()
        target_sources(fuzz-${name} PRIVATE tests/fuzz/replay_main.c)
        add_test(NAME fuzz/${name} COMMAND fuzz-${name} ${corpus})
        set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120)
    endif()
endforeach()
