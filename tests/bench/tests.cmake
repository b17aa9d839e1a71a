# tests/bench/NAME.c measures one thing and prints it; tests/bench/run puts the table together.
pkg_check_modules(USRSCTP IMPORTED_TARGET usrsctp)

add_library(bench-pair OBJECT tests/bench/pair.c)
add_executable(bench-tcp tests/bench/tcp.c)
target_link_libraries(bench-tcp PRIVATE bench-pair)
if(USRSCTP_FOUND)
    add_executable(bench-usrsctp tests/bench/usrsctp.c)
    target_link_libraries(bench-usrsctp PRIVATE bench-pair PkgConfig::USRSCTP)
endif()
add_executable(bench-hawser tests/bench/hawser.c)
target_link_libraries(bench-hawser PRIVATE bench-pair hawser)

# What `make bench` needs, and no more.
add_custom_target(bench DEPENDS bench-tcp bench-hawser)
foreach(target bench-usrsctp mosquitto-hawser)
    if(TARGET ${target})
        add_dependencies(bench ${target})
    endif()
endforeach()
add_executable(bench-sctp_memory tests/bench/sctp_memory.c)
target_link_libraries(bench-sctp_memory PRIVATE test-support)
