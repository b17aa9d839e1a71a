# hawser: the command line. The name of the target is the library's.
file(GLOB APPS_CLI_SOURCES CONFIGURE_DEPENDS apps/hawser/*.c)
if(TARGET hawser AND APPS_CLI_SOURCES)
    add_executable(hawser-cli ${APPS_CLI_SOURCES})
    set_target_properties(hawser-cli PROPERTIES OUTPUT_NAME hawser)
    # From where the program is installed to the plugin: it holds for a tree that was moved, too.
    file(RELATIVE_PATH plugin_beside
        ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR}/hawser)
    target_compile_definitions(hawser-cli PRIVATE
        HAWSER_PLUGIN_DIR="${CMAKE_INSTALL_FULL_LIBDIR}/hawser"
        HAWSER_PLUGIN_BESIDE="/${plugin_beside}")
    target_link_libraries(hawser-cli PRIVATE apps-common apps-public)
endif()
