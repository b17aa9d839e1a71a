# What make install leaves behind must be enough for a stranger's program.
if(TARGET hawser)
    set(flags)
    if(HAWSER_SANITIZE)
        set(flags -fsanitize=${HAWSER_SANITIZE})
    endif()
    add_test(NAME install/a-first-program
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER} ${flags})
endif()
