# mosquitto-hawser.so: loaded by mosquitto, which provides the functions of its plugin interface.
find_path(MOSQUITTO_PLUGIN_INCLUDE mosquitto_plugin.h)
file(GLOB APPS_MOSQUITTO_SOURCES CONFIGURE_DEPENDS apps/mosquitto/*.c)
if(MOSQUITTO_PLUGIN_INCLUDE AND APPS_MOSQUITTO_SOURCES)
    add_library(mosquitto-hawser MODULE ${APPS_MOSQUITTO_SOURCES})
    set_target_properties(mosquitto-hawser PROPERTIES PREFIX "")
    if(HAWSER_SANITIZE)
        # mosquitto is built without sanitizers and could not load a plugin that needs their
        # runtime: here the plugin is made of plain objects of its own.
        file(GLOB PLAIN_SOURCES CONFIGURE_DEPENDS core/base/*.c core/token/*.c)
        target_sources(mosquitto-hawser PRIVATE ${PLAIN_SOURCES})
        target_compile_options(mosquitto-hawser PRIVATE -fno-sanitize=all)
        target_link_options(mosquitto-hawser PRIVATE -fno-sanitize=all)
        target_link_libraries(mosquitto-hawser PRIVATE PkgConfig::OPENSSL PkgConfig::JANSSON)
    else()
        target_link_libraries(mosquitto-hawser PRIVATE core)
    endif()
endif()
