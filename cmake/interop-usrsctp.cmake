# Our SCTP against Debian's usrsctp, in one process and in virtual time.
pkg_check_modules(USRSCTP REQUIRED IMPORTED_TARGET usrsctp)
add_executable(interop-usrsctp ${CMAKE_SOURCE_DIR}/tests/interop/usrsctp.c
    ${CMAKE_SOURCE_DIR}/tests/interop/usrsctp_bench.c)
target_link_libraries(interop-usrsctp PRIVATE test-support PkgConfig::USRSCTP)
add_test(NAME interop/usrsctp COMMAND interop-usrsctp)
set_tests_properties(interop/usrsctp PROPERTIES LABELS interop TIMEOUT 3600)
