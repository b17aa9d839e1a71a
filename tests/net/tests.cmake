# The network laboratory: hosts in namespaces, between them the models of tests/net/model. Where it
# cannot be made (no root, no /dev/net/tun) its tests are skipped, and say so.
set(NET ${CMAKE_CURRENT_LIST_DIR})
file(GLOB BASE_SOURCES CONFIGURE_DEPENDS core/base/*.c)
add_executable(net-lab ${NET}/main.c ${NET}/control.c ${NET}/lab.c ${NET}/wiring.c ${NET}/space.c
    ${NET}/topology.c ${NET}/packet.c ${NET}/model/link.c ${NET}/model/nat.c tests/support/rng.c
    ${BASE_SOURCES})
add_executable(net-probe ${NET}/probe.c ${NET}/responder.c ${BASE_SOURCES})
add_executable(net-plain ${NET}/plain.c ${NET}/samples.c)
target_link_libraries(net-plain PRIVATE Threads::Threads)

# The ends, on the public face of the library alone.
if(TARGET hawser)
    foreach(end app device)
        add_executable(net-${end} ${NET}/${end}.c ${NET}/ends.c)
        target_link_libraries(net-${end} PRIVATE hawser Threads::Threads)
    endforeach()
    target_sources(net-app PRIVATE ${NET}/transfer.c)
    add_executable(net-flow ${NET}/flow.c ${NET}/live.c ${NET}/ends.c ${NET}/samples.c)
    target_link_libraries(net-flow PRIVATE hawser Threads::Threads)
endif()

# libnice beside us, where it is installed.
pkg_check_modules(NICE IMPORTED_TARGET nice)
if(NICE_FOUND)
    add_executable(net-nice ${NET}/nice.c ${BASE_SOURCES})
    target_link_libraries(net-nice PRIVATE PkgConfig::NICE)
endif()

# What of it needs no network.
foreach(part packet topology)
    add_executable(net-test-${part} ${NET}/test_${part}.c ${NET}/${part}.c)
    target_link_libraries(net-test-${part} PRIVATE test-support)
    add_test(NAME net/${part} COMMAND net-test-${part})
endforeach()

# One at a time: each measures times, and they would share two processors.
function(add_net_test name)
    add_test(NAME net/${name} COMMAND ${ARGN})
    set_tests_properties(net/${name} PROPERTIES
        LABELS net RESOURCE_LOCK net RUN_SERIAL ON SKIP_RETURN_CODE 77 TIMEOUT 180)
endfunction()

add_custom_target(net)
foreach(program lab probe plain app device flow nice)
    if(TARGET net-${program})
        add_dependencies(net net-${program})
    endif()
endforeach()
if(TARGET mosquitto-hawser)
    add_dependencies(net mosquitto-hawser)
endif()

set(FLOWS_alone precision,lossy)
set(FLOWS_shared fair)
set(FLOWS_command command,rough,live)
add_net_test(proves-itself ${NET}/prove ${CMAKE_BINARY_DIR})
if(TARGET net-app AND TARGET mosquitto-hawser)
    add_net_test(eleven-pairs ${NET}/nat --quick ${CMAKE_BINARY_DIR})
    foreach(row alone shared command)
        add_net_test(flow-${row} ${NET}/flow --quick --only ${FLOWS_${row}} ${CMAKE_BINARY_DIR})
    endforeach()
    add_net_test(widths ${NET}/widths ${CMAKE_BINARY_DIR})
    add_net_test(kill ${NET}/kill --seconds 6 --jobs 8 --patience 5 ${CMAKE_BINARY_DIR})
endif()
