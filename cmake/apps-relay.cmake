# hawser-relay: STUN, over the core and io alone.
file(GLOB APPS_RELAY_SOURCES CONFIGURE_DEPENDS apps/relay/*.c)
if(TARGET inside AND APPS_RELAY_SOURCES)
    add_executable(hawser-relay ${APPS_RELAY_SOURCES})
    target_link_libraries(hawser-relay PRIVATE inside)
endif()
