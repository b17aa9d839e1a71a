# Our peer against aiortc and Chromium, each in a network of its own (tests/interop/run.sh, which
# needs root, or a kernel that lets users have namespaces). The role in a test's name is the
# foreign peer's. They run alone: each is two programs that use all the processor there is.
if(TARGET interop-peer)
    foreach(foreign aiortc aiortc+forward-tsn chromium chromium-mdns chromium-sped chromium-snap
            chromium-short chromium+forward-tsn chromium-woven chromium-woven+i-data
            chromium-woven+forward-tsn)
        foreach(role offer answer)
            add_test(NAME interop/${foreign}-${role}
                COMMAND ${CMAKE_SOURCE_DIR}/tests/interop/run.sh ${foreign} ${role}
                    $<TARGET_FILE:interop-peer>)
            set_tests_properties(interop/${foreign}-${role} PROPERTIES
                LABELS interop RUN_SERIAL TRUE)
        endforeach()
    endforeach()
endif()
