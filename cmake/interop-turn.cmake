# Our TURN client against Debian's coturn, over real sockets in a network of its own.
add_executable(interop-turn tests/interop/turn/coturn.c tests/interop/turn/client.c
    tests/interop/turn/server.c)
target_link_libraries(interop-turn PRIVATE test-support)
add_test(NAME interop/turn COMMAND ${CMAKE_SOURCE_DIR}/tests/interop/turn/run.sh
    $<TARGET_FILE:interop-turn>)
set_tests_properties(interop/turn PROPERTIES LABELS interop TIMEOUT 300)
