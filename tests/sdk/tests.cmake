# tests/sdk/NAME.c becomes the program sdk-NAME and the test sdk/NAME. Those that need two processes
# or a broker start the program sdk-device and mosquitto themselves, on free ports of loopback.
# The device of the tests. TAMPER=1 in its environment makes it lie about its certificate.
add_executable(sdk-device ${CMAKE_CURRENT_LIST_DIR}/helper/device.c)
target_link_libraries(sdk-device PRIVATE inside)
target_link_options(sdk-device PRIVATE -Wl,--wrap=session_get_local)

file(GLOB SDK_SUPPORT CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/support/*.c)
add_library(sdk-test-support OBJECT
    ${SDK_SUPPORT} tests/broker/broker.c tests/interop/turn/server.c tests/net/space.c
    tests/support/alloc.c)
target_link_libraries(sdk-test-support PUBLIC PkgConfig::CMOCKA PkgConfig::JANSSON)
target_compile_definitions(sdk-test-support PRIVATE DEVICE_PROGRAM="$<TARGET_FILE:sdk-device>")
target_link_options(sdk-test-support INTERFACE
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup)

# Their mosquitto runs with the plugin, if that is built.
set(SDK_ENVIRONMENT)
if(TARGET mosquitto-hawser)
    set(SDK_ENVIRONMENT MOSQUITTO_PLUGIN=$<TARGET_FILE:mosquitto-hawser>)
endif()
file(GLOB SDK_TESTS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
foreach(source ${SDK_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(sdk-${name} ${source})
    target_link_libraries(sdk-${name} PRIVATE inside sdk-test-support)
    add_dependencies(sdk-${name} sdk-device)
    add_test(NAME sdk/${name} COMMAND sdk-${name})
    set_tests_properties(sdk/${name} PROPERTIES
        TIMEOUT 120 LABELS threads SKIP_RETURN_CODE 77 ENVIRONMENT "${SDK_ENVIRONMENT}")
    if(TARGET mosquitto-hawser)
        add_dependencies(sdk-${name} mosquitto-hawser)
    endif()
endforeach()

# A user logs out between the making of a link and the rest of hawser_connect().
target_link_options(sdk-races PRIVATE -Wl,--wrap=link_new)

# Messages are refused before they reach the broker.
target_link_options(sdk-refused PRIVATE -Wl,--wrap=identity_send)
