# tests/bench/NAME.c measures one thing and prints it; tests/bench/run puts the table together.
pkg_check_modules(USRSCTP IMPORTED_TARGET usrsctp)

add_library(bench-pair OBJECT tests/bench/pair.c)
target_link_libraries(bench-pair PUBLIC Threads::Threads)
add_executable(bench-tcp tests/bench/tcp.c tests/bench/loopback.c)
target_link_libraries(bench-tcp PRIVATE bench-pair)
add_executable(bench-limit tests/bench/limit.c)
target_link_libraries(bench-limit PRIVATE bench-pair PkgConfig::OPENSSL)
add_executable(bench-tls tests/bench/tls.c tests/bench/loopback.c)
target_link_libraries(bench-tls PRIVATE bench-pair PkgConfig::OPENSSL)
add_executable(bench-pingpong tests/bench/pingpong.c tests/bench/rounds.c)
target_link_libraries(bench-pingpong PRIVATE bench-pair)
if(USRSCTP_FOUND)
    add_executable(bench-usrsctp tests/bench/usrsctp.c)
    target_link_libraries(bench-usrsctp PRIVATE bench-pair PkgConfig::USRSCTP)
endif()
add_executable(bench-hawser tests/bench/hawser.c tests/bench/bulk.c tests/bench/ends.c
    tests/bench/rounds.c)
target_link_libraries(bench-hawser PRIVATE bench-pair hawser)

# What `make bench` needs, and no more: tests/net's rows too.
add_custom_target(bench DEPENDS bench-hawser bench-limit bench-tcp bench-tls bench-pingpong)
foreach(target bench-usrsctp mosquitto-hawser)
    if(TARGET ${target})
        add_dependencies(bench ${target})
    endif()
endforeach()
add_dependencies(bench sim net interop-peer)

# That all of it works; `sim` and `net` have tests of their own. The programs end with what they
# have allocated.
if(TARGET bench-usrsctp AND TARGET mosquitto-hawser)
    add_test(NAME bench/quick COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${CMAKE_BINARY_DIR}
        ${CMAKE_BINARY_DIR}/bench.json --quick --only bulk,sustained,pingpong,browser,connect,idle)
    set_tests_properties(bench/quick PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120
        ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
endif()
add_executable(bench-sctp_memory tests/bench/sctp_memory.c)
target_link_libraries(bench-sctp_memory PRIVATE test-support)
