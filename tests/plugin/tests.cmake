# What it counts, without a broker.
add_executable(plugin-rate tests/plugin/rate.c apps/mosquitto/rate.c)
target_link_libraries(plugin-rate PRIVATE test-support)
add_test(NAME plugin/rate COMMAND plugin-rate)

# The plugin, in the mosquitto that is installed.
find_program(MOSQUITTO_PROGRAM mosquitto PATHS /usr/sbin /usr/local/sbin)
if(TARGET mosquitto-hawser AND MOSQUITTO_PROGRAM)
    add_executable(test-plugin tests/plugin/plugin.c tests/plugin/broker.c)
    target_compile_definitions(test-plugin PRIVATE
        MOSQUITTO="${MOSQUITTO_PROGRAM}" PLUGIN="$<TARGET_FILE:mosquitto-hawser>")
    target_link_libraries(test-plugin PRIVATE test-support PkgConfig::MOSQUITTO)
    add_dependencies(test-plugin mosquitto-hawser)
    add_test(NAME plugin/mosquitto COMMAND test-plugin)
    set_tests_properties(plugin/mosquitto PROPERTIES TIMEOUT 120)
endif()
