add_test(NAME tools/gates-find-what-they-seek
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/gates-find-what-they-seek)
